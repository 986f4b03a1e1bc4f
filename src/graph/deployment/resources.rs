//! Resources that are passed through into the bundle: their types, keys and the rules that the Databricks CLI holds, or
//! does not hold before it deploys.

use std::collections::BTreeMap;

use serde_json::Value;

use super::references;
use super::{Context, is_in, raw_jobs, values};
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code, join_pointer};
use crate::ir::deployment::Resource;
use crate::name;
use crate::resolve::{Environment, PassedThrough};

/// A type of resource.
struct Type {
    name: &'static str,
    /// The file's middle part, `<key>.<singular>.yml`.
    singular: &'static str,
    required: &'static [&'static str],
    permissions: bool,
    grants: bool,
}

const fn plain(name: &'static str, singular: &'static str, required: &'static [&'static str]) -> Type {
    Type { name, singular, required, permissions: false, grants: false }
}

const fn permitted(name: &'static str, singular: &'static str, required: &'static [&'static str]) -> Type {
    Type { permissions: true, ..plain(name, singular, required) }
}

const fn granted(name: &'static str, singular: &'static str, required: &'static [&'static str]) -> Type {
    Type { grants: true, ..plain(name, singular, required) }
}

const TYPES: &[Type] = &[
    permitted("alerts", "alert", &["display_name", "evaluation", "query_text", "schedule", "warehouse_id"]),
    permitted("apps", "app", &["name", "source_code_path"]),
    granted("catalogs", "catalog", &["name"]),
    permitted("clusters", "cluster", &["spark_version"]),
    permitted("dashboards", "dashboard", &["display_name", "warehouse_id"]),
    plain("database_catalogs", "database_catalog", &["database_instance_name", "database_name", "name"]),
    permitted("database_instances", "database_instance", &["name"]),
    permitted("experiments", "experiment", &["name"]),
    granted("external_locations", "external_location", &["credential_name", "name", "url"]),
    permitted("genie_spaces", "genie_space", &[]),
    permitted("instance_pools", "instance_pool", &["instance_pool_name", "node_type_id"]),
    permitted("jobs", "job", &["tasks"]),
    permitted("model_serving_endpoints", "model_serving_endpoint", &["name"]),
    permitted("models", "model", &["name"]),
    permitted("pipelines", "pipeline", &[]),
    permitted("postgres_projects", "postgres_project", &[]),
    plain("quality_monitors", "quality_monitor", &["assets_dir", "output_schema_name", "table_name"]),
    granted("registered_models", "registered_model", &["catalog_name", "name", "schema_name"]),
    granted("schemas", "schema", &["catalog_name", "name"]),
    permitted("secret_scopes", "secret_scope", &["name"]),
    permitted("sql_warehouses", "sql_warehouse", &["name"]),
    permitted("vector_search_endpoints", "vector_search_endpoint", &["endpoint_type", "name"]),
    granted("vector_search_indexes", "vector_search_index", &["endpoint_name", "index_type", "name", "primary_key"]),
    granted("volumes", "volume", &["catalog_name", "name", "schema_name"]),
];

/// The singular of a type, for the name of its file.
pub fn singular(resource_type: &str) -> &'static str {
    TYPES.iter().find(|known| known.name == resource_type).map_or("resource", |known| known.singular)
}

/// The environments that a resource is limited to.
pub(super) fn environments(resource: &PassedThrough) -> Vec<String> {
    let written = resource.body.get("environments").and_then(Value::as_array);
    // Jobs have a key of that name themselves, whose elements are mappings.
    written.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether an environment has a resource.
pub(super) fn is_here(resource: &PassedThrough, environment: &Environment) -> bool {
    is_in(&environments(resource), environment)
}

/// The resources of an environment.
pub(super) fn lower_all(context: &Context<'_>, diagnostics: &mut Diagnostics) -> Vec<Resource> {
    let mut keys: BTreeMap<String, (String, Option<Site>)> = BTreeMap::new();
    for schema in context.schemas {
        keys.insert(schema.to_lowercase(), (format!("the schema `{schema}`"), None));
    }
    for (key, job) in &context.deployment.jobs {
        own_key(key, "job", &job.origin.site, &mut keys, diagnostics);
    }
    for key in &context.generated {
        if let Some((what, _)) = keys.get(&key.to_lowercase())
            && !context.deployment.jobs.contains_key(key)
        {
            diagnostics.error(
                Diagnostic::error(code::RESOURCE_KEY, format!("the job `{key}` that medc makes has the key of {what}"))
                    .at(context.environment.site.clone().key(), "")
                    .note("a bundle's keys are one namespace for all types")
                    .help("rename the project or the layer, or write `bundle: {generated_jobs: none}`"),
            );
        } else {
            keys.insert(key.to_lowercase(), (format!("the job `{key}` that medc makes"), None));
        }
    }
    let mut resources = Vec::new();
    for resource in &context.deployment.resources {
        own_key(&resource.key, name_of(&resource.resource_type), &resource.origin.site, &mut keys, diagnostics);
        if is_here(resource, context.environment)
            && let Some(lowered) = lower(resource, context, diagnostics)
        {
            resources.push(lowered);
        }
    }
    resources
}

fn name_of(resource_type: &str) -> &'static str {
    singular(resource_type)
}

fn own_key(
    key: &str,
    what: &str,
    site: &Site,
    keys: &mut BTreeMap<String, (String, Option<Site>)>,
    diagnostics: &mut Diagnostics,
) {
    let place = keys.entry(key.to_lowercase());
    match place {
        std::collections::btree_map::Entry::Occupied(first) => {
            let (other, first) = first.get();
            let found = Diagnostic::error(code::RESOURCE_KEY, format!("the {what} `{key}` has the key of {other}"))
                .at(site.clone().key(), "")
                .note("a bundle's keys are one namespace for all types");
            let found = match first {
                Some(first) => found.at(first.clone().key(), "the other"),
                None => found,
            };
            diagnostics.error(
                found
                    .help(format!("rename one of them, e.g. `{key}_{}`", what.replace(' ', "_")))
                    .fix(format!("{key}_{what}")),
            );
        }
        std::collections::btree_map::Entry::Vacant(place) => {
            place.insert((format!("the {what} `{key}`"), Some(site.clone())));
        }
    }
}

fn lower(resource: &PassedThrough, context: &Context<'_>, diagnostics: &mut Diagnostics) -> Option<Resource> {
    let PassedThrough { resource_type, key, body, origin } = resource;
    let wrong =
        |pointer: &str, message: String| Diagnostic::error(code::RESOURCE_FORM, message).at(origin.site(pointer), "");
    let Some(known) = TYPES.iter().find(|known| known.name == resource_type) else {
        let types = TYPES.iter().map(|known| known.name);
        let found =
            Diagnostic::error(code::RESOURCE_FORM, format!("a bundle has no resources of type `{resource_type}`"))
                .at(origin.site.clone().key(), "");
        let help = name::did_you_mean(resource_type, types);
        diagnostics.error(Diagnostic { help, ..found });
        return None;
    };
    if !values::is_key(key) {
        diagnostics.error(
            Diagnostic::error(code::RESOURCE_KEY, format!("`{}` is no key for a resource", key.escape_debug()))
                .at(origin.site.clone().key(), "")
                .help("use letters, digits, `_` and `-`")
                .fix(values::key_from(key)),
        );
    }
    let mut body = body.clone();
    if body.get("environments").and_then(Value::as_array).is_some_and(|list| list.iter().all(Value::is_string)) {
        body.shift_remove("environments");
    }
    if body.is_empty() {
        diagnostics.error(wrong("", format!("`{key}` says nothing")).help("describe it, or remove it"));
        return None;
    }
    for required in known.required.iter().filter(|required| !body.contains_key(**required)) {
        diagnostics.error(
            Diagnostic::error(code::RESOURCE_FORM, format!("`{key}` lacks `{required}`"))
                .at(origin.site.clone().key(), format!("{resource_type} need it"))
                .help(format!("add `{required}`")),
        );
    }
    let value = Value::Object(body.clone());
    no_nulls(&value, "", &|pointer| origin.site(pointer), diagnostics);
    references::check_all(&value, "", &|pointer| origin.site(pointer), &context.known, diagnostics);
    access(known, &value, resource, diagnostics);
    contradictions(resource_type, &value, resource, diagnostics);
    if resource_type == "jobs" {
        raw_jobs::check(&value, &|pointer| origin.site(pointer), diagnostics);
    }
    for pointer in ["/schedule", "/trigger/schedule"] {
        if resource_type != "jobs"
            && let Some(schedule) = value.pointer(pointer)
        {
            raw_jobs::schedule(schedule, pointer, &|pointer| origin.site(pointer), diagnostics);
        }
    }
    Some(Resource { resource_type: resource_type.clone(), key: key.clone(), body, site: origin.site.clone() })
}

/// The CLI wants no key without a value.
fn no_nulls(value: &Value, pointer: &str, site_of: &dyn Fn(&str) -> Site, diagnostics: &mut Diagnostics) {
    match value {
        Value::Null => {
            diagnostics.error(
                Diagnostic::error(code::RESOURCE_FORM, "a key without a value")
                    .at(site_of(pointer).key(), "")
                    .help("give it a value, or remove the key"),
            );
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                no_nulls(element, &format!("{pointer}/{index}"), site_of, diagnostics);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                no_nulls(member, &join_pointer(pointer, key), site_of, diagnostics);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `permissions` and `grants`: only where the type has them, and with what they need.
fn access(known: &Type, body: &Value, resource: &PassedThrough, diagnostics: &mut Diagnostics) {
    let wrong = |pointer: &str, message: String, help: String| {
        Diagnostic::error(code::PERMISSION, message).at(resource.origin.site(pointer), "").help(help)
    };
    for (key, allowed, instead) in
        [("permissions", known.permissions, "grants"), ("grants", known.grants, "permissions")]
    {
        if body.get(key).is_some() && !allowed {
            let help = if known.permissions || known.grants {
                format!("write `{instead}`")
            } else {
                format!("remove `{key}`")
            };
            diagnostics.error(wrong(&format!("/{key}"), format!("{} have no `{key}`", known.name), help));
            return;
        }
    }
    for (index, grant) in body.get("grants").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let has_principal =
            grant.get("principal").and_then(Value::as_str).is_some_and(|principal| !principal.is_empty());
        let has_privileges = grant.get("privileges").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if !has_principal || !has_privileges {
            let help = "write `{principal: NAME, privileges: [SELECT]}`".to_owned();
            diagnostics.error(wrong(
                &format!("/grants/{index}"),
                "a grant needs a principal and privileges".to_owned(),
                help,
            ));
        }
    }
    let levels: &[&str] = match known.name {
        "secret_scopes" => &["READ", "WRITE", "MANAGE"],
        "jobs" | "pipelines" => &["CAN_VIEW", "CAN_RUN", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"],
        _ => &[],
    };
    for (index, permission) in body.get("permissions").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let kinds = ["group_name", "user_name", "service_principal_name"];
        if kinds.iter().filter(|kind| permission.get(**kind).is_some()).count() != 1 {
            let help = format!("name exactly one of {}", name::list(&kinds));
            diagnostics.error(wrong(
                &format!("/permissions/{index}"),
                "a permission is about one identity".to_owned(),
                help,
            ));
        }
        if let Some(level) = permission.get("level").and_then(Value::as_str)
            && !levels.is_empty()
            && !levels.contains(&level)
        {
            let found = wrong(
                &format!("/permissions/{index}/level"),
                format!("`{level}` is no level for {}", known.name),
                format!("write one of {}", name::list(levels)),
            );
            diagnostics.error(match name::nearest(level, levels.iter().copied()) {
                Some(near) => found.fix(near),
                None => found,
            });
        }
    }
}

/// Keys that exclude each other, which the CLI lets through, or that it warns of.
fn contradictions(resource_type: &str, body: &Value, resource: &PassedThrough, diagnostics: &mut Diagnostics) {
    let has = |pointer: &str| body.pointer(pointer).is_some_and(|value| *value != Value::Bool(false));
    let rules: &[(&str, &str, &str, &str)] = &[
        ("pipelines", "/serverless", "/clusters", "a serverless pipeline has no clusters"),
        ("pipelines", "/catalog", "/target", "a pipeline in Unity Catalog has a `schema`, not a `target`"),
        ("pipelines", "/target", "/target", "`target` is from before Unity Catalog: write `catalog` and `schema`"),
        ("pipelines", "/trigger", "/trigger", "`trigger` does nothing: a job with a `pipeline` task starts it"),
        (
            "model_serving_endpoints",
            "/config/served_models",
            "/config/served_models",
            "`served_models` is deprecated: write `served_entities`",
        ),
    ];
    for (of_type, one, other, message) in rules {
        if *of_type == resource_type && has(one) && has(other) {
            diagnostics.error(
                Diagnostic::error(code::RESOURCE_FORM, *message)
                    .at(resource.origin.site(other).key(), "")
                    .help("remove it"),
            );
            return;
        }
    }
    raw_jobs::single_nodes(body, "", &|pointer| resource.origin.site(pointer), diagnostics);
}
