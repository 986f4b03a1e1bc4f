//! Resources that are passed through into the bundle: their types, keys and the rules that the Databricks CLI holds, or
//! does not hold before it deploys.

use std::collections::BTreeMap;

use serde_json::Value;

use super::references;
use super::types::{Access, PRIVILEGES, TYPES, Type};
use super::{Context, bodies, is_in, raw_jobs, values};
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code, join_pointer};
use crate::ir::deployment::Resource;
use crate::name;
use crate::resolve::{Environment, OwnPath, PassedThrough, own_paths};

/// The singular of a type, for the name of its file.
pub fn singular(resource_type: &str) -> &'static str {
    Type::find(resource_type).map_or("resource", |known| known.singular)
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
    if let Some(key) = &context.pipeline {
        keys.insert(key.to_lowercase(), (format!("the pipeline `{key}` that medc makes"), None));
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
    let Some(known) = Type::find(resource_type) else {
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
    // What an alert is may also be said by a file.
    let of_file =
        if body.contains_key("file_path") { ["evaluation", "query_text", "schedule"].as_slice() } else { &[] };
    let is_missing = |required: &&&str| !body.contains_key(**required) && !of_file.contains(*required);
    for required in known.required.iter().filter(is_missing) {
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
    bodies::check(known, &value, &|pointer| origin.site(pointer), diagnostics);
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
    let mut value = value;
    for own in own_paths(resource_type, &body) {
        if let Some(named) = value.pointer_mut(&own.pointer) {
            *named = Value::String(format!("../{}", own_file(&own.path)));
        }
        is_json(&own, resource, context, diagnostics);
    }
    let Value::Object(body) = value else { return None };
    Some(Resource { resource_type: resource_type.clone(), key: key.clone(), body, site: origin.site.clone() })
}

/// Where a file of the project that a resource names is in the bundle.
pub fn own_file(path: &str) -> String {
    format!("src/resources/{path}")
}

/// A dashboard's or alert's file is JSON.
fn is_json(own: &OwnPath, resource: &PassedThrough, context: &Context<'_>, diagnostics: &mut Diagnostics) {
    let text = context.deployment.resource_files.get(&own.path).and_then(Option::as_ref);
    if own.pointer == "/file_path"
        && let Some(Err(error)) = text.map(|text| serde_json::from_str::<Value>(text))
    {
        diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("`{}` is no JSON: {error}", own.path))
                .at(resource.origin.site(&own.pointer), "")
                .help("export it again from the workspace"),
        );
    }
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
    let (allowed, levels): (&str, &[&str]) = match known.access {
        Access::None => ("", &[]),
        Access::Permissions(levels) => ("permissions", levels),
        Access::Grants => ("grants", &[]),
    };
    for key in ["permissions", "grants"] {
        if body.get(key).is_some() && key != allowed {
            let help = if allowed.is_empty() { format!("remove `{key}`") } else { format!("write `{allowed}`") };
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
        let privileges = grant.get("privileges").and_then(Value::as_array).into_iter().flatten().enumerate();
        for (place, privilege) in privileges.filter_map(|(place, privilege)| Some((place, privilege.as_str()?))) {
            let known = || PRIVILEGES.split_whitespace();
            if known().any(|known| known == privilege) || privilege.contains("${") {
                continue;
            }
            let pointer = format!("/grants/{index}/privileges/{place}");
            let found = wrong(&pointer, format!("there is no privilege `{privilege}`"), String::new());
            let fix = name::nearest(privilege, known()).map(crate::diagnostic::Fix::value);
            let help = name::nearest(privilege, known()).map(|near| format!("did you mean `{near}`?"));
            let help = help.or_else(|| Some("write it as Databricks does, e.g. `SELECT` or `READ_VOLUME`".to_owned()));
            diagnostics.error(Diagnostic { help, fix, ..found });
        }
    }
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
            && !levels.contains(&level)
            && !level.contains("${")
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
