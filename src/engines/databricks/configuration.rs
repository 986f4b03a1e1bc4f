//! `databricks.yml`, and the resources that are no jobs: schemas, and what the project passes through.
//!
//! In: the targets. Out: YAML by path, one resource a file. A resource that is the same in all targets stands below
//! `resources`; what differs stands below `targets` in the same file, merged by the Databricks CLI: mappings key by key, tasks
//! by `task_key`, clusters by `job_cluster_key`, parameters by `name`. Nothing here says what a development copy must decide for itself: no pause, no number of runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Target, jobs, pipeline};
use crate::export::yaml;
use crate::graph::deployment::{in_workspace, own_file, schemas, singular};
use crate::ir::Body;
use crate::spec::{self, DeploymentMode, PermissionLevel};

/// `databricks.yml` and `resources/*.yml`, with the files that tasks of the project run.
pub(super) fn files(project: &spec::ProjectHeader, targets: &[Target<'_>]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    if targets.is_empty() {
        return files;
    }
    let comment = format!(
        "Made by medc from the project `{}`. What is changed here is lost with the next `medc bundle`.",
        project.name
    );
    let comments = [comment];
    files.insert("databricks.yml".to_owned(), yaml::document(&comments, &root(targets)));
    let mut by_key: BTreeMap<(String, String), Vec<Option<Value>>> = BTreeMap::new();
    for (index, target) in targets.iter().enumerate() {
        for (resource_type, key, body) in resources(target) {
            by_key.entry((resource_type, key)).or_insert_with(|| vec![None; targets.len()])[index] = Some(body);
        }
        for (path, text) in &target.checked.graph.deployment.files {
            files.insert(jobs::own_file(path), text.clone());
        }
        for (path, text) in &target.checked.graph.deployment.resource_files {
            files.insert(own_file(path), text.clone());
        }
    }
    for ((resource_type, key), bodies) in by_key {
        let path = format!("resources/{key}.{}.yml", singular(&resource_type));
        files.insert(path, yaml::document(&[], &resource(&resource_type, &key, &bodies, targets)));
    }
    files
}

/// What a target deploys, as type, key and body.
pub(super) fn resources(target: &Target<'_>) -> Vec<(String, String, Value)> {
    let graph = &target.checked.graph;
    let deployment = &graph.deployment;
    let mut resources = Vec::new();
    for name in schemas(graph) {
        let mut body = Map::new();
        body.insert("catalog_name".to_owned(), "${var.catalog}".into());
        body.insert("name".to_owned(), name.clone().into());
        if let Some(schema) = deployment.schemas.iter().find(|schema| schema.layer == name) {
            if let Some(description) = &schema.description {
                body.insert("comment".to_owned(), description.clone().into());
            }
            let grants = schema
                .grants
                .iter()
                .map(|(principal, privileges)| json!({ "principal": principal, "privileges": privileges }));
            let grants: Vec<Value> = grants.collect();
            if !grants.is_empty() {
                body.insert("grants".to_owned(), grants.into());
            }
        }
        // No job drops a table; removing the bundle, or the layer from it, drops the schema with all that is in it.
        if graph.nodes.values().any(|node| node.prevent_destroy && node.name.layer == name) {
            body.insert("lifecycle".to_owned(), json!({ "prevent_destroy": true }));
        }
        resources.push(("schemas".to_owned(), name, Value::Object(body)));
    }
    if let Some(key) = &deployment.bundle.pipeline {
        resources.push(("pipelines".to_owned(), key.clone(), pipeline::body(target, key)));
    }
    for (key, job) in &deployment.jobs {
        resources.push(("jobs".to_owned(), key.clone(), jobs::job(target, job)));
    }
    for resource in &deployment.resources {
        resources.push((resource.resource_type.clone(), resource.key.clone(), Value::Object(resource.body.clone())));
    }
    resources
}

/// A resource's file.
fn resource(resource_type: &str, key: &str, bodies: &[Option<Value>], targets: &[Target<'_>]) -> Value {
    let within = |body: Value| json!({ resource_type: { key: body } });
    let all: Option<Vec<&Value>> = bodies.iter().map(Option::as_ref).collect();
    let (common, rest) = match all {
        Some(all) => split(&all),
        None => (None, bodies.to_vec()),
    };
    let mut file = Map::new();
    if let Some(common) = common {
        file.insert("resources".to_owned(), within(common));
    }
    let overrides: Map<String, Value> = targets
        .iter()
        .zip(rest)
        .filter_map(|(target, rest)| Some((target.environment.name.clone(), json!({ "resources": within(rest?) }))))
        .collect();
    if !overrides.is_empty() {
        file.insert("targets".to_owned(), Value::Object(overrides));
    }
    Value::Object(file)
}

/// What several values have in common, and what each has besides or otherwise: the CLI lays a target's values over the
/// common ones. A list without keys is never common unless it is the same in all, since the CLI would join the two.
fn split(values: &[&Value]) -> (Option<Value>, Vec<Option<Value>>) {
    let Some((first, others)) = values.split_first() else { return (None, Vec::new()) };
    if others.iter().all(|other| other == first) {
        return (Some((*first).clone()), vec![None; values.len()]);
    }
    if let Some(objects) = values.iter().map(|value| value.as_object()).collect::<Option<Vec<_>>>() {
        return split_objects(&objects);
    }
    if values.iter().all(|value| !value.is_object() && !value.is_array()) {
        let n_alike = |value: &Value| values.iter().filter(|other| **other == value).count();
        // The first of those that most have.
        let common = values.iter().rev().max_by_key(|value| n_alike(value)).copied().unwrap_or(first);
        let rest = values.iter().map(|value| (*value != common).then(|| (*value).clone())).collect();
        return (Some(common.clone()), rest);
    }
    match KEYS.into_iter().find_map(|key| by_key(values, key)) {
        Some(split) => split,
        None => (None, values.iter().map(|value| Some((*value).clone())).collect()),
    }
}

/// The keys by which the CLI knows the elements of a job's lists: tasks, clusters, parameters.
const KEYS: [&str; 3] = ["task_key", "job_cluster_key", "name"];

/// Splits lists whose elements have the same keys in the same order.
fn by_key(values: &[&Value], key: &str) -> Option<(Option<Value>, Vec<Option<Value>>)> {
    // Other lists of things with a name, such as a serving endpoint's entities, the CLI joins.
    let is_known = |element: &Value| key != "name" || element.get("default").is_some();
    let keys = |value: &&Value| -> Option<Vec<String>> {
        let elements = value.as_array()?.iter();
        elements.map(|element| Some(element.get(key).filter(|_| is_known(element))?.as_str()?.to_owned())).collect()
    };
    let lists: Vec<Vec<String>> = values.iter().map(keys).collect::<Option<_>>()?;
    let (first, others) = lists.split_first()?;
    if others.iter().any(|other| other != first) {
        return None;
    }
    let mut common = Vec::new();
    let mut rest: Vec<Vec<Value>> = vec![Vec::new(); values.len()];
    for (index, name) in first.iter().enumerate() {
        let elements: Vec<&Value> = values.iter().filter_map(|value| value.get(index)).collect();
        let (shared, own) = split(&elements);
        common.extend(shared);
        for (rest, own) in rest.iter_mut().zip(own) {
            if let Some(Value::Object(own)) = own {
                let mut element = Map::from_iter([(key.to_owned(), Value::from(name.clone()))]);
                element.extend(own);
                rest.push(Value::Object(element));
            }
        }
    }
    let rest = rest.into_iter().map(|elements| (!elements.is_empty()).then_some(Value::Array(elements))).collect();
    Some((Some(Value::Array(common)), rest))
}

fn split_objects(objects: &[&Map<String, Value>]) -> (Option<Value>, Vec<Option<Value>>) {
    let mut keys: Vec<&String> = Vec::new();
    let mut seen: BTreeSet<&String> = BTreeSet::new();
    for key in objects.iter().flat_map(|object| object.keys()) {
        if seen.insert(key) {
            keys.push(key);
        }
    }
    let mut common = Map::new();
    let mut rest: Vec<Map<String, Value>> = vec![Map::new(); objects.len()];
    for key in keys {
        let members: Vec<Option<&Value>> = objects.iter().map(|object| object.get(key)).collect();
        let (shared, own) = match members.iter().copied().collect::<Option<Vec<&Value>>>() {
            Some(all) => split(&all),
            None => (None, members.iter().map(|member| member.cloned()).collect()),
        };
        if let Some(shared) = shared {
            common.insert(key.clone(), shared);
        }
        for (rest, own) in rest.iter_mut().zip(own) {
            if let Some(own) = own {
                rest.insert(key.clone(), own);
            }
        }
    }
    let written = |map: Map<String, Value>| (!map.is_empty()).then_some(Value::Object(map));
    (written(common), rest.into_iter().map(written).collect())
}

/// `databricks.yml`.
fn root(targets: &[Target<'_>]) -> Value {
    let bundle = targets.first().map(|target| &target.checked.graph.deployment.bundle);
    let mut about = Map::new();
    if let Some(bundle) = bundle {
        about.insert("name".to_owned(), bundle.name.clone().into());
        about.extend(bundle.uuid.iter().map(|uuid| ("uuid".to_owned(), uuid.clone().into())));
        let version = bundle.cli_version.iter();
        about.extend(version.map(|version| ("databricks_cli_version".to_owned(), version.clone().into())));
    }
    let values: Vec<BTreeMap<String, String>> = targets.iter().map(locations).collect();
    let mut variables = Map::new();
    variables.insert("catalog".to_owned(), json!({ "description": "The catalog in Unity Catalog of the tables" }));
    let mut differing: BTreeSet<&String> = BTreeSet::new();
    for name in values.iter().flat_map(BTreeMap::keys) {
        if variables.contains_key(name) {
            continue;
        }
        let mut variable = Map::new();
        let table = targets.iter().find_map(|target| source_name(target, name)).unwrap_or_default();
        variable.insert("description".to_owned(), format!("Where the rows of {table} are read from").into());
        let first = values.iter().find_map(|of_target| of_target.get(name));
        if values.iter().all(|of_target| of_target.get(name) == first) {
            variable.extend(first.map(|path| ("default".to_owned(), path.clone().into())));
        } else {
            differing.insert(name);
        }
        variables.insert(name.clone(), Value::Object(variable));
    }
    // Deployed where nothing is said: rather a development copy than the production.
    let default = targets.iter().position(|target| target.databricks.mode == DeploymentMode::Development).unwrap_or(0);
    let mut written = Map::new();
    for (index, (target, values)) in targets.iter().zip(&values).enumerate() {
        let own = values.iter().filter(|(name, _)| differing.contains(name));
        let own: Map<String, Value> = own.map(|(name, path)| (name.clone(), path.clone().into())).collect();
        written.insert(target.environment.name.clone(), of_target(target, index == default, own));
    }
    json!({
        "bundle": about,
        "include": ["resources/*.yml"],
        "variables": variables,
        "targets": written,
    })
}

/// The variable of a source's location.
pub(super) fn path_variable(table_key: &str) -> String {
    format!("{table_key}_path")
}

/// Where the sources of a target lie, by variable.
fn locations(target: &Target<'_>) -> BTreeMap<String, String> {
    let nodes = target.checked.graph.nodes.values();
    let sources = nodes.filter_map(|node| match &node.body {
        Body::Ingest(ingest) if super::reads_files(node) => {
            Some((path_variable(&super::table_key(&node.name)), ingest.location.clone()))
        }
        Body::Ingest(_) | Body::Relation(_) => None,
    });
    sources.collect()
}

fn source_name(target: &Target<'_>, variable: &str) -> Option<String> {
    let mut names = target.checked.graph.nodes.keys();
    names.find(|name| path_variable(&super::table_key(name)) == variable).map(ToString::to_string)
}

fn of_target(target: &Target<'_>, is_default: bool, own: Map<String, Value>) -> Value {
    let place = target.databricks;
    let mut written = Map::new();
    let is_development = place.mode == DeploymentMode::Development;
    written.insert("mode".to_owned(), if is_development { "development" } else { "production" }.into());
    if is_default {
        written.insert("default".to_owned(), true.into());
    }
    if let Some(git) = &place.git {
        written.insert("git".to_owned(), json!({ "branch": git.branch }));
    }
    let mut workspace = Map::new();
    workspace.insert("host".to_owned(), place.workspace.host.trim_end_matches('/').into());
    workspace.extend(place.workspace.profile.iter().map(|profile| ("profile".to_owned(), profile.clone().into())));
    let own_folder = "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}";
    let root_path = place.workspace.root_path.as_deref().map(in_workspace);
    let root_path = root_path.or_else(|| (!is_development).then(|| own_folder.to_owned()));
    workspace.extend(root_path.map(|path| ("root_path".to_owned(), path.into())));
    written.insert("workspace".to_owned(), Value::Object(workspace));
    let presets = presets(place);
    if !presets.is_empty() {
        written.insert("presets".to_owned(), Value::Object(presets));
    }
    if let Some(run_as) = &place.run_as {
        let kinds = [("service_principal_name", &run_as.service_principal_name), ("user_name", &run_as.user_name)];
        let identity = kinds.into_iter().filter_map(|(kind, name)| Some((kind.to_owned(), name.clone()?.into())));
        written.insert("run_as".to_owned(), Value::Object(identity.collect()));
    }
    let permissions: Vec<Value> = place.permissions.iter().map(permission).collect();
    if !permissions.is_empty() {
        written.insert("permissions".to_owned(), permissions.into());
    }
    let mut variables = Map::from_iter([("catalog".to_owned(), Value::from(place.catalog.clone()))]);
    variables.extend(own);
    written.insert("variables".to_owned(), Value::Object(variables));
    Value::Object(written)
}

fn presets(place: &crate::resolve::Databricks) -> Map<String, Value> {
    let mut presets = Map::new();
    presets.extend(place.presets.name_prefix.iter().map(|prefix| ("name_prefix".to_owned(), prefix.clone().into())));
    let paused = place.presets.paused.map(|paused| if paused { "PAUSED" } else { "UNPAUSED" });
    presets.extend(paused.map(|status| ("trigger_pause_status".to_owned(), status.into())));
    if !place.presets.tags.is_empty() {
        let tags = place.presets.tags.iter().map(|(key, value)| (key.clone(), value.to_string().into()));
        presets.insert("tags".to_owned(), Value::Object(tags.collect()));
    }
    presets
}

fn permission(permission: &spec::Permission) -> Value {
    let level = match permission.level {
        PermissionLevel::View => "CAN_VIEW",
        PermissionLevel::Run => "CAN_RUN",
        PermissionLevel::Manage => "CAN_MANAGE",
    };
    let kinds = [
        ("group_name", &permission.group_name),
        ("user_name", &permission.user_name),
        ("service_principal_name", &permission.service_principal_name),
    ];
    let mut written = Map::from_iter([("level".to_owned(), Value::from(level))]);
    written.extend(kinds.into_iter().filter_map(|(kind, name)| Some((kind.to_owned(), name.clone()?.into()))));
    Value::Object(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_apart_and_tasks_are_told_by_their_key() {
        let dev = json!({"name": "daily", "tasks": [{"task_key": "a", "n": 1}, {"task_key": "b", "on": [1, 2]}], "x": {"y": 1}});
        let prod = json!({"name": "daily", "tasks": [{"task_key": "a", "n": 2}, {"task_key": "b", "on": [1]}], "x": {"y": 1}, "z": true});
        let (common, rest) = split(&[&dev, &prod]);
        assert_eq!(
            common,
            Some(json!({"name": "daily", "tasks": [{"task_key": "a", "n": 1}, {"task_key": "b"}], "x": {"y": 1}}))
        );
        assert_eq!(rest[0], Some(json!({"tasks": [{"task_key": "b", "on": [1, 2]}]})));
        assert_eq!(
            rest[1],
            Some(json!({"tasks": [{"task_key": "a", "n": 2}, {"task_key": "b", "on": [1]}], "z": true}))
        );
    }

    #[test]
    fn what_most_have_is_common() {
        let (common, rest) = split(&[&json!({"t": 2}), &json!({"t": 1}), &json!({"t": 1})]);
        assert_eq!((common, rest), (Some(json!({"t": 1})), vec![Some(json!({"t": 2})), None, None]));
    }

    #[test]
    fn other_tasks_in_another_target_are_a_list_of_its_own() {
        let (common, rest) = split(&[&json!({"tasks": [{"task_key": "a"}]}), &json!({"tasks": [{"task_key": "b"}]})]);
        assert_eq!(common, None);
        assert_eq!(rest[1], Some(json!({"tasks": [{"task_key": "b"}]})));
    }
}
