//! What a passed-through resource says, type by type: rules of the services behind it that the Databricks CLI does not hold.
//!
//! In: a resource's body. Out: diagnostics. A text with `${…}` of the bundle is left alone where its form would be judged, as its
//! value is known only when the bundle is deployed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::types::Type;
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::name;

type SiteOf<'a> = &'a dyn Fn(&str) -> Site;

/// A body, and where its members stand.
struct Body<'a> {
    value: &'a Value,
    site_of: SiteOf<'a>,
    diagnostics: &'a mut Diagnostics,
}

/// Holds a body against the rules of its type.
pub(super) fn check(known: &Type, value: &Value, site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    let mut body = Body { value, site_of, diagnostics };
    body.keys(known);
    match known.name {
        "alerts" => alert(&mut body),
        "apps" => app(&mut body),
        "dashboards" => dashboard(&mut body),
        "experiments" => experiment(&mut body),
        "model_serving_endpoints" => endpoint(&mut body),
        "pipelines" => pipeline(&mut body),
        "quality_monitors" => monitor(&mut body),
        "registered_models" | "schemas" => body.simple_name(),
        "secret_scopes" => secret_scope(&mut body),
        "sql_warehouses" => warehouse(&mut body),
        "vector_search_indexes" => index(&mut body),
        "volumes" => volume(&mut body),
        _ => {}
    }
}

impl<'a> Body<'a> {
    fn get(&self, pointer: &str) -> Option<&'a Value> {
        self.value.pointer(pointer)
    }

    /// A text without `${…}`.
    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.get(pointer)?.as_str().filter(|text| !text.contains("${"))
    }

    fn wrong(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        self.report(pointer, message, help, None);
    }

    fn report(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>, fix: Option<Fix>) {
        let site = (self.site_of)(pointer);
        let site = if pointer.is_empty() { site.key() } else { site };
        let found = Diagnostic::error(code::RESOURCE_FORM, message).at(site, "").help(help);
        self.diagnostics.error(Diagnostic { fix, ..found });
    }

    fn serving(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        let site = (self.site_of)(pointer);
        self.diagnostics.error(Diagnostic::error(code::SERVING, message).at(site, "").help(help));
    }

    /// Keys that are near a known one.
    fn keys(&mut self, known: &Type) {
        let Some(members) = self.value.as_object() else { return };
        for key in members.keys().filter(|key| !known.keys().any(|known| known == key.as_str())) {
            let Some(near) = name::nearest(key, known.keys()) else { continue };
            let site = (self.site_of)(&crate::diagnostic::join_pointer("", key)).key();
            self.diagnostics.error(
                Diagnostic::error(code::RESOURCE_FORM, format!("{} have no key `{key}`", known.name))
                    .at(site, "")
                    .help(format!("did you mean `{near}`?"))
                    .fix(near),
            );
        }
    }

    /// A text that is one of some words.
    fn word(&mut self, pointer: &str, words: &[&str]) {
        let Some(text) = self.text(pointer).filter(|text| !words.contains(text)) else { return };
        let fix = name::nearest(text, words.iter().copied()).map(Fix::value);
        self.report(pointer, format!("`{text}` is not known here"), format!("write one of {}", name::list(words)), fix);
    }

    /// A name within a schema.
    fn simple_name(&mut self) {
        if let Some(text) = self.text("/name").filter(|text| text.contains(['.', ' ', '/']) || text.is_empty()) {
            self.wrong(
                "/name",
                format!("`{text}` is no name in Unity Catalog"),
                "leave out dots, blanks and slashes; the catalog and the schema have keys of their own",
            );
        }
    }

    /// A full name of so many parts.
    fn full_name(&mut self, pointer: &str, n_parts: usize, form: &str) {
        let is_full = |text: &&str| text.split('.').count() == n_parts && text.split('.').all(|part| !part.is_empty());
        if let Some(text) = self.text(pointer).filter(|text| !is_full(text)) {
            self.wrong(pointer, format!("`{text}` is no full name"), format!("write it as `{form}`"));
        }
    }
}

const OPERATORS: [&str; 8] = [
    "EQUAL",
    "NOT_EQUAL",
    "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL",
    "LESS_THAN",
    "LESS_THAN_OR_EQUAL",
    "IS_NULL",
    "IS_NOT_NULL",
];

fn alert(body: &mut Body<'_>) {
    if body.get("/file_path").is_some() {
        return;
    }
    for (pointer, words) in [
        ("/evaluation/comparison_operator", OPERATORS.as_slice()),
        ("/evaluation/empty_result_state", &["OK", "TRIGGERED", "ERROR"]),
        ("/schedule/pause_status", &["PAUSED", "UNPAUSED"]),
    ] {
        body.word(pointer, words);
    }
    for pointer in ["/evaluation/comparison_operator", "/evaluation/source/name"] {
        if body.get("/evaluation").is_some() && body.get(pointer).is_none() {
            let key = pointer.trim_start_matches("/evaluation/").replace('/', ".");
            let help =
                format!("add `{key}`, e.g. `{{source: {{name: n_rows}}, comparison_operator: EQUAL, threshold: …}}`");
            body.wrong("/evaluation", format!("the evaluation lacks `{key}`"), help);
        }
    }
    let compares = body.text("/evaluation/comparison_operator").is_some_and(|operator| !operator.starts_with("IS_"));
    if compares && body.get("/evaluation/threshold").is_none() {
        let help = "add `threshold: {value: {double_value: 0}}`, or compare with `IS_NULL`";
        body.wrong("/evaluation", "the evaluation compares with nothing", help);
    }
    for key in ["quartz_cron_schedule", "timezone_id"] {
        if body.get("/schedule").is_some() && body.get(&format!("/schedule/{key}")).is_none() {
            let help = "write e.g. `{quartz_cron_schedule: \"0 0 8 * * ?\", timezone_id: UTC}`";
            body.wrong("/schedule", format!("the schedule lacks `{key}`"), help);
        }
    }
}

fn app(body: &mut Body<'_>) {
    let fits = |text: &&str| {
        (2..=30).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if let Some(text) = body.text("/name").filter(|text| !fits(text)) {
        let help = "use 2 to 30 lower-case letters, digits and `-`";
        body.wrong("/name", format!("`{text}` is no name for an app"), help);
    }
}

fn dashboard(body: &mut Body<'_>) {
    match (body.get("/file_path"), body.get("/serialized_dashboard")) {
        (Some(_), Some(_)) => {
            body.wrong("/serialized_dashboard", "a dashboard is in a file or here, not both", "remove one of them");
        }
        (None, None) => {
            body.wrong("", "the dashboard shows nothing", "add `file_path: dashboards/NAME.lvdash.json`");
        }
        _ => {}
    }
}

fn experiment(body: &mut Body<'_>) {
    let is_path = |text: &str| text.starts_with('/') || text.starts_with("${workspace.");
    let written = body.get("/name").and_then(Value::as_str);
    if let Some(text) = written.filter(|text| !is_path(text)) {
        let meant = format!("${{workspace.root_path}}/experiments/{text}");
        let help = format!("write its path in the workspace, e.g. `{meant}`");
        body.report("/name", format!("`{text}` is no experiment's name"), help, Some(Fix::value(meant)));
    }
}

fn pipeline(body: &mut Body<'_>) {
    let sources = ["/libraries", "/ingestion_definition", "/gateway_definition"];
    let is_there =
        |pointer: &&str| body.get(pointer).is_some_and(|value| value.as_array().is_none_or(|all| !all.is_empty()));
    if !sources.iter().any(is_there) {
        let help = "add `libraries: [{glob: {include: …}}]`, or an `ingestion_definition`";
        body.wrong("", "the pipeline does nothing", help);
    }
    body.word("/channel", &["CURRENT", "PREVIEW"]);
    body.word("/edition", &["CORE", "PRO", "ADVANCED"]);
}

fn monitor(body: &mut Body<'_>) {
    body.full_name("/table_name", 3, "catalog.schema.table");
    body.full_name("/baseline_table_name", 3, "catalog.schema.table");
    body.full_name("/output_schema_name", 2, "catalog.schema");
    let kinds = ["snapshot", "time_series", "inference_log"];
    let given = kinds.iter().filter(|kind| body.get(&format!("/{kind}")).is_some()).count();
    if given != 1 {
        let help = format!("add exactly one of {}", name::list(&kinds));
        body.wrong("", format!("the monitor looks at the table in {given} ways"), help);
    }
    let needed: [(&str, &[&str]); 2] = [
        ("/time_series", &["timestamp_col", "granularities"]),
        ("/inference_log", &["timestamp_col", "granularities", "model_id_col", "prediction_col", "problem_type"]),
    ];
    for (pointer, keys) in needed {
        let Some(given) = body.get(pointer) else { continue };
        for key in keys.iter().filter(|key| given.get(**key).is_none()) {
            body.wrong(pointer, format!("`{key}` is missing"), format!("add `{key}`"));
        }
    }
    body.word("/inference_log/problem_type", &["PROBLEM_TYPE_CLASSIFICATION", "PROBLEM_TYPE_REGRESSION"]);
    if let Some(text) = body.text("/assets_dir").filter(|text| !text.starts_with('/')) {
        let help = "begin with `${workspace.root_path}/` or `/Workspace/`";
        body.wrong("/assets_dir", format!("`{text}` is no folder of the workspace"), help);
    }
}

fn secret_scope(body: &mut Body<'_>) {
    let fits = |text: &&str| {
        !text.is_empty()
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_@. /".contains(&byte))
    };
    if let Some(text) = body.text("/name").filter(|text| !fits(text)) {
        let message = format!("`{}` is no name for a secret scope", text.escape_debug());
        body.wrong("/name", message, "use letters, digits, `-`, `_`, `@` and `.`, at most 128");
    }
    body.word("/backend_type", &["DATABRICKS", "AZURE_KEYVAULT"]);
    let in_vault = body.text("/backend_type") == Some("AZURE_KEYVAULT");
    if in_vault != body.get("/keyvault_metadata").is_some() {
        let help = "write both, `backend_type: AZURE_KEYVAULT` and `keyvault_metadata: {resource_id: …, dns_name: …}`, or neither";
        body.wrong("", "a scope of a key vault needs to say which, and no other does", help);
    }
}

fn warehouse(body: &mut Body<'_>) {
    let number = |pointer: &str| body.get(pointer).and_then(Value::as_u64);
    if let (Some(least), Some(most)) = (number("/min_num_clusters"), number("/max_num_clusters"))
        && least > most
    {
        body.wrong("/min_num_clusters", format!("at least {least} clusters, and at most {most}"), "exchange the two");
    }
    body.word("/warehouse_type", &["CLASSIC", "PRO"]);
}

fn index(body: &mut Body<'_>) {
    body.full_name("/name", 3, "catalog.schema.index");
    body.word("/index_type", &["DELTA_SYNC", "DIRECT_ACCESS"]);
    let needed = [("DELTA_SYNC", "delta_sync_index_spec"), ("DIRECT_ACCESS", "direct_access_index_spec")];
    for (index_type, key) in needed {
        if body.text("/index_type") == Some(index_type) && body.get(&format!("/{key}")).is_none() {
            body.wrong("", format!("an index of type `{index_type}` needs `{key}`"), format!("add `{key}`"));
        }
    }
}

fn volume(body: &mut Body<'_>) {
    body.simple_name();
    body.word("/volume_type", &["MANAGED", "EXTERNAL"]);
    let is_external = body.text("/volume_type") == Some("EXTERNAL");
    match (is_external, body.get("/storage_location").is_some()) {
        (true, false) => {
            body.wrong("", "an external volume lies nowhere", "add `storage_location: s3://…`, or make it `MANAGED`");
        }
        (false, true) => {
            let help = "add `volume_type: EXTERNAL`, or remove `storage_location`";
            body.wrong("/storage_location", "Databricks itself decides where a managed volume lies", help);
        }
        (true, true) | (false, false) => {}
    }
}

fn endpoint(body: &mut Body<'_>) {
    let fits = |text: &&str| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if let Some(text) = body.text("/name").filter(|text| !fits(text)) {
        body.serving(
            "/name",
            format!("`{text}` is no name for an endpoint"),
            "use letters, digits, `-` and `_`, at most 63",
        );
    }
    let entities = body.get("/config/served_entities").and_then(Value::as_array);
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (place, entity) in entities.into_iter().flatten().enumerate() {
        let pointer = format!("/config/served_entities/{place}");
        served(body, entity, &pointer);
        let Some(name) = name_of(entity) else { continue };
        if let Some(first) = names.insert(name.clone(), place) {
            let help = format!("give each a `name`; `{name}` is also that of element {first}");
            body.serving(&pointer, format!("two entities are called `{name}`"), help);
        }
    }
    // Some names are only known when the bundle is deployed.
    let is_whole = entities.is_some_and(|all| names.len() == all.len());
    routes(body, &names, is_whole);
}

/// What an entity is called, and its route names.
fn name_of(entity: &Value) -> Option<String> {
    if let Some(name) = entity.get("name").and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let part = |key: &str| entity.get(key).and_then(Value::as_str).filter(|text| !text.contains("${"));
    Some(format!("{}-{}", part("entity_name")?, part("entity_version")?))
}

fn served(body: &mut Body<'_>, entity: &Value, pointer: &str) {
    let has = |key: &str| entity.get(key).is_some();
    let entity_name = entity.get("entity_name").and_then(Value::as_str);
    match (entity_name, has("external_model")) {
        (None, false) => {
            body.serving(pointer, "it serves nothing", "add `entity_name` and `entity_version`, or `external_model`");
        }
        (Some(_), true) => {
            body.serving(
                pointer,
                "an entity is a model of the catalog or one outside, not both",
                "make two entities of it",
            );
        }
        (Some(name), false) if name.contains("${resources.registered_models.") && !has("entity_version") => {
            body.serving(pointer, "which version of the model is served?", "add `entity_version: \"1\"`");
        }
        (Some(_), false) | (None, true) => {}
    }
    if has("workload_size") && (has("min_provisioned_throughput") || has("max_provisioned_throughput")) {
        let help = "keep `workload_size` for one's own model, the throughput for a foundation model";
        body.serving(pointer, "a size of workload, and a provisioned throughput", help);
    }
    for kind in ["throughput", "concurrency"] {
        let number = |end: &str| entity.get(format!("{end}_provisioned_{kind}")).and_then(Value::as_u64);
        if let (Some(least), Some(most)) = (number("min"), number("max"))
            && least > most
        {
            let pointer = format!("{pointer}/min_provisioned_{kind}");
            body.serving(&pointer, format!("at least {least}, and at most {most}"), "exchange the two");
        }
    }
}

/// The shares of the traffic: of what is served, and 100 together.
fn routes(body: &mut Body<'_>, names: &BTreeMap<String, usize>, is_whole: bool) {
    let Some(routes) = body.get("/config/traffic_config/routes").and_then(Value::as_array) else { return };
    let mut total = Some(0);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, route) in routes.iter().enumerate() {
        let pointer = format!("/config/traffic_config/routes/{place}");
        let share = route.get("traffic_percentage").and_then(Value::as_u64);
        if share.is_none() {
            body.serving(&pointer, "a route without a share of the traffic", "add `traffic_percentage`, from 0 to 100");
        }
        total = total.zip(share).map(|(total, share)| total + share);
        let keys = ["served_model_name", "served_entity_name"];
        let named = keys.iter().find_map(|key| Some((*key, route.get(*key)?.as_str()?)));
        let Some((key, named)) = named else {
            body.serving(&pointer, "a route to nothing", "add `served_model_name`, the name of a served entity");
            continue;
        };
        if let Some(first) = seen.insert(named, place) {
            let help = format!("add its share to that of element {first}");
            body.serving(&format!("{pointer}/{key}"), format!("a second route to `{named}`"), help);
        }
        if is_whole && !named.contains("${") && !names.contains_key(named) {
            let known = names.keys().map(String::as_str);
            let help =
                name::did_you_mean(named, known.clone()).unwrap_or_else(|| "declare `served_entities`".to_owned());
            let fix = name::nearest(named, known).map(Fix::value);
            let site = (body.site_of)(&format!("{pointer}/{key}"));
            let found = Diagnostic::error(code::SERVING, format!("the endpoint serves no `{named}`"));
            body.diagnostics.error(Diagnostic { fix, ..found.at(site, "").help(help) });
        }
    }
    if let Some(total) = total.filter(|total| *total != 100) {
        let message = format!("{total} per cent of the traffic go somewhere");
        body.serving("/config/traffic_config/routes", message, "let the shares be 100 together");
    }
}
