//! Rules of environments on Databricks, each by itself and all together.
//!
//! What the Databricks CLI says of modes, folders, identities and permissions, and what it does not say: that two targets
//! would deploy the same things over each other.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::names::{self, USER};
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code};
use crate::graph::Graph;
use crate::ir::deployment::{Deployment, Job, Resource};
use crate::resolve::{Databricks, Environment, Location, Place, Resolved};
use crate::spec::{DeploymentMode, PermissionLevel};

/// Types that cannot run as another identity than the deployer.
const OF_DEPLOYER: [&str; 3] = ["model_serving_endpoints", "quality_monitors", "apps"];

/// The rules of one environment.
pub(super) fn alone(
    environment: &Environment,
    place: &Databricks,
    jobs: &IndexMap<String, Job>,
    resources: &[Resource],
    locations: &[Location],
    schemas: &[String],
    diagnostics: &mut Diagnostics,
) {
    let site = &environment.site;
    workspace(place, site, diagnostics);
    name_prefix(place, site, diagnostics);
    root_path(place, site, diagnostics);
    if place.mode == DeploymentMode::Development {
        development(environment, place, jobs, diagnostics);
    }
    names::of_developers(environment, place, resources, schemas, diagnostics);
    for resource in resources {
        modes(environment, place, resource, diagnostics);
    }
    run_as(environment, place, resources, diagnostics);
    permissions(environment, place, jobs, resources, diagnostics);
    for location in locations {
        readable(location, environment, diagnostics);
    }
}

fn workspace(place: &Databricks, site: &Site, diagnostics: &mut Diagnostics) {
    let site = site.member("workspace").member("host");
    let host = place.workspace.host.trim_end_matches('/');
    let parsed = url::Url::parse(host).ok().filter(|url| url.scheme() == "https" && url.has_host());
    let is_bare =
        parsed.as_ref().is_some_and(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty());
    if host.contains("${") {
        diagnostics.error(
            Diagnostic::error(code::WORKSPACE, "the workspace's address cannot have a `${…}` of the bundle")
                .at(site, "")
                .note("the CLI needs it before it resolves any")
                .help("write the address, or a variable of the project"),
        );
    } else if !is_bare {
        let found = Diagnostic::error(code::WORKSPACE, format!("`{host}` is no address of a workspace")).at(site, "");
        let meant = match &parsed {
            Some(url) => url.host_str().map(|host| format!("https://{host}")),
            None => url::Url::parse(&format!("https://{host}"))
                .ok()
                .filter(|_| !host.contains("://") && host.contains('.'))
                .map(|_| format!("https://{host}")),
        };
        diagnostics.error(match meant {
            Some(meant) => found.help(format!("write `{meant}`")).fix(meant),
            None => found.help("write it as in the browser, e.g. `https://adb-1234567890123456.7.azuredatabricks.net`"),
        });
    }
}

/// Names in Unity Catalog lose brackets and blanks, and only a bracket at the end of the prefix leaves a `_` behind.
fn name_prefix(place: &Databricks, site: &Site, diagnostics: &mut Diagnostics) {
    let Some(prefix) = place.presets.name_prefix.as_deref().filter(|prefix| !prefix.trim_end().ends_with(']')) else {
        return;
    };
    let word = prefix.trim_matches(|character: char| !character.is_ascii_alphanumeric());
    let (meant, runs_into) = (format!("[{word}] "), format!("{word}bronze"));
    diagnostics.error(
        Diagnostic::error(code::BUNDLE_FORM, format!("with the prefix `{prefix}` names in Unity Catalog run into it"))
            .at(site.member("presets").member("name_prefix"), "")
            .note(format!("a schema `bronze` would be called `{runs_into}`"))
            .help(format!("write `{meant}`, which makes it `{word}_bronze`"))
            .fix(meant),
    );
}

/// The folder as the workspace calls it.
pub fn in_workspace(root_path: &str) -> String {
    if root_path.starts_with("/Users/") || root_path.starts_with("/Shared/") {
        format!("/Workspace{root_path}")
    } else {
        root_path.to_owned()
    }
}

fn root_path(place: &Databricks, site: &Site, diagnostics: &mut Diagnostics) {
    let Some(written) = &place.workspace.root_path else { return };
    let at = site.member("workspace").member("root_path");
    let path = in_workspace(written);
    let rest = path.strip_prefix("/Workspace/").or_else(|| path.strip_prefix("~/"));
    let (of_user, of_shared) =
        (path.starts_with("/Workspace/Users/") || path.starts_with("~/"), path.starts_with("/Workspace/Shared/"));
    if rest.is_none_or(|rest| {
        rest.trim_matches('/').is_empty() || rest.split('/').any(|part| part == ".." || part.is_empty())
    }) {
        diagnostics.error(
            Diagnostic::error(code::ROOT_PATH, format!("`{written}` is no folder for a bundle"))
                .at(at, "")
                .help("name a folder below `/Workspace/Users/…` or `/Workspace/Shared/…`, without `/` at its end"),
        );
        return;
    }
    if place.mode == DeploymentMode::Development {
        if !(path.starts_with("~/") || of_user && path.contains(USER)) {
            diagnostics.error(
                Diagnostic::error(code::ROOT_PATH, format!("in development mode `{written}` would be everyone's"))
                    .at(at, "")
                    .at(site.member("mode"), "gives each deployer a copy")
                    .help("remove it: a development bundle is then in the deployer's own folder; or say `mode: production`"),
            );
        }
        return;
    }
    let everyone = place.permissions.iter().any(|permission| {
        permission.group_name.as_deref() == Some("users") && permission.level == PermissionLevel::Manage
    });
    if of_shared && !everyone {
        diagnostics.error(
            Diagnostic::error(code::ROOT_PATH, format!("every user of the workspace can write to `{written}`"))
                .at(at, "")
                .note("the Databricks CLI warns of it unless the permissions say so")
                .help("add `{group_name: users, level: CAN_MANAGE}` to `permissions`, or choose a folder below `/Workspace/Users/`"),
        );
    }
}

fn development(
    environment: &Environment,
    place: &Databricks,
    jobs: &IndexMap<String, Job>,
    diagnostics: &mut Diagnostics,
) {
    let site = &environment.site;
    let mode = site.member("mode");
    if place.presets.paused == Some(false) {
        diagnostics.error(
            Diagnostic::error(code::DEVELOPMENT_MODE, "a development copy does not run on schedule")
                .at(site.member("presets").member("paused"), "")
                .at(mode.clone(), "the mode")
                .help("remove it"),
        );
    }
    if let Some(prefix) = &place.presets.name_prefix
        && !prefix.contains(USER)
    {
        let meant = format!("[dev {USER}short_name}}] ");
        diagnostics.error(
            Diagnostic::error(code::DEVELOPMENT_MODE, format!("the prefix `{prefix}` is the same for all deployers"))
                .at(site.member("presets").member("name_prefix"), "")
                .at(mode.clone(), "gives each deployer a copy")
                .help(format!("remove it, or write `{meant}`"))
                .fix(meant),
        );
    }
    if place.run_as.is_some() {
        diagnostics.error(
            Diagnostic::error(code::RUN_AS, "a development copy runs as who deploys it")
                .at(site.member("run_as").key(), "")
                .at(mode.clone(), "the mode")
                .help("remove `run_as`"),
        );
    }
    for (key, job) in jobs {
        if job.start.as_ref().is_some_and(|start| start.paused == Some(false)) {
            diagnostics.error(
                Diagnostic::error(
                    code::DEVELOPMENT_MODE,
                    format!("the job `{key}` would run on schedule in every developer's copy"),
                )
                .at(job.site.clone().key(), "")
                .at(mode.clone(), "this environment pauses what says nothing of it")
                .note("`paused: false` in a job goes before what its environments say")
                .help("remove `paused: false`, or limit the job with `environments`"),
            );
        }
    }
}

/// What a passed-through resource says of itself that its environment decides.
fn modes(environment: &Environment, place: &Databricks, resource: &Resource, diagnostics: &mut Diagnostics) {
    let is_development = place.mode == DeploymentMode::Development;
    let mode = environment.site.member("mode");
    let body = Value::Object(resource.body.clone());
    for pointer in ["/schedule/pause_status", "/trigger/pause_status", "/continuous/pause_status"] {
        if is_development && body.pointer(pointer).and_then(Value::as_str) == Some("UNPAUSED") {
            diagnostics.error(
                Diagnostic::error(
                    code::DEVELOPMENT_MODE,
                    format!("`{}` would run on schedule in every developer's copy", resource.key),
                )
                .at(resource.site.descend(pointer), "goes before what the environment says")
                .at(mode.clone(), "pauses what says nothing of it")
                .help("remove `pause_status`, or limit the resource with `environments`"),
            );
        }
    }
    if !is_development
        && resource.resource_type == "pipelines"
        && resource.body.get("development") == Some(&Value::Bool(true))
    {
        diagnostics.error(
            Diagnostic::error(code::DEVELOPMENT_MODE, format!("`{}` is a development pipeline", resource.key))
                .at(resource.site.member("development"), "")
                .at(environment.site.clone().key(), "this environment is for production")
                .help("remove `development`: each environment's mode decides it"),
        );
    }
}

fn run_as(environment: &Environment, place: &Databricks, resources: &[Resource], diagnostics: &mut Diagnostics) {
    if place.run_as.is_none() || place.mode == DeploymentMode::Development {
        return;
    }
    for resource in resources {
        let embeds = resource.resource_type == "dashboards"
            && resource.body.get("embed_credentials") == Some(&Value::Bool(true));
        if OF_DEPLOYER.contains(&resource.resource_type.as_str()) || embeds {
            let what = if embeds { "a dashboard with embedded credentials" } else { resource.resource_type.as_str() };
            diagnostics.error(
                Diagnostic::error(code::RUN_AS, format!("{what} cannot run as another than who deploys"))
                    .at(resource.site.clone().key(), "this resource")
                    .at(environment.site.member("run_as").key(), format!("`{}` runs as another", environment.name))
                    .help("remove `run_as` and deploy as that identity, or limit the resource with `environments`"),
            );
        }
    }
}

fn permissions(
    environment: &Environment,
    place: &Databricks,
    jobs: &IndexMap<String, Job>,
    resources: &[Resource],
    diagnostics: &mut Diagnostics,
) {
    let site = environment.site.member("permissions");
    let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, permission) in place.permissions.iter().enumerate() {
        let identities = [&permission.group_name, &permission.user_name, &permission.service_principal_name];
        let Some(identity) = identities.into_iter().flatten().next() else { continue };
        if let Some(first) = first_of.insert(identity, index) {
            diagnostics.error(
                Diagnostic::error(code::PERMISSION, format!("`{identity}` has two permissions"))
                    .at(site.element(index), "here again")
                    .at(site.element(first), "first here")
                    .help("keep one of them"),
            );
        }
    }
    if !place.permissions.is_empty() && !place.permissions.iter().any(|one| one.level == PermissionLevel::Manage) {
        diagnostics.error(
            Diagnostic::error(code::PERMISSION, "nobody may manage what is deployed, not even who deploys it")
                .at(site.clone(), "")
                .help("give the deploying identity, or a group that it is in, `CAN_MANAGE`"),
        );
    }
    let mut again = |identity: &str, what: String, at: Site| {
        if let Some(index) = first_of.get(identity) {
            diagnostics.error(
                Diagnostic::error(
                    code::PERMISSION,
                    format!("`{identity}` has a permission on {what} and one on everything"),
                )
                .at(at, "here")
                .at(site.element(*index), format!("in `{}`", environment.name))
                .help("keep one of them"),
            );
        }
    };
    for (key, job) in jobs {
        for (index, permission) in job.permissions.iter().enumerate() {
            again(&permission.identity, format!("the job `{key}`"), job.site.member("permissions").element(index));
        }
    }
    for resource in resources {
        let written = resource.body.get("permissions").and_then(Value::as_array);
        for (index, permission) in written.into_iter().flatten().enumerate() {
            let kinds = ["group_name", "user_name", "service_principal_name"];
            for identity in kinds.iter().filter_map(|kind| permission.get(*kind)?.as_str()) {
                again(identity, format!("`{}`", resource.key), resource.site.member("permissions").element(index));
            }
        }
    }
}

/// A workspace sees volumes, its own files and object stores.
fn readable(location: &Location, environment: &Environment, diagnostics: &mut Diagnostics) {
    let path = &location.path;
    let roots = [
        "/Volumes/",
        "/Workspace/",
        "dbfs:/",
        "s3://",
        "s3a://",
        "abfss://",
        "abfs://",
        "wasbs://",
        "gs://",
        "https://",
        "http://",
    ];
    if path.contains("${") {
        let literal = crate::diagnostic::Diagnostic::error(
            code::BUNDLE_REFERENCE,
            format!("`{path}` has a `${{`, which cannot be said in a bundle"),
        );
        diagnostics.error(literal.at(location.site.clone(), "").help("rename the folder"));
    } else if !roots.iter().any(|root| path.starts_with(root)) {
        let place = if path.starts_with('/') || path.starts_with("file:") {
            "on this machine"
        } else {
            "in the project's folder"
        };
        diagnostics.error(
            Diagnostic::error(code::LOCAL_SOURCE, format!("`{path}` is {place}, which `{}` cannot read", environment.name))
                .at(location.site.clone(), "")
                .at(environment.site.clone().key(), "this environment is on Databricks")
                .help(format!(
                    "say where it lies there: `environments: {{{}: {{tables: {{{}: {{source: {{path: /Volumes/…}}}}}}}}}}`, or a variable's value",
                    environment.name, location.table
                )),
        );
    }
}

/// Texts of the project that go into the bundle as they stand.
pub(super) fn texts(resolved: &Resolved, graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut texts: Vec<(&str, Site)> = Vec::new();
    for layer in resolved.layers.values() {
        texts.extend(layer.spec.description.iter().map(|text| (text.as_str(), layer.origin.site("/description"))));
        for (index, grant) in layer.spec.grants.iter().enumerate() {
            texts.push((&grant.principal, layer.origin.site(&format!("/grants/{index}/principal"))));
        }
    }
    for (text, site) in texts {
        if text.contains("${") {
            diagnostics.error(
                Diagnostic::error(code::BUNDLE_REFERENCE, "a `${` cannot be said in a bundle")
                    .at(site, "")
                    .note("the Databricks CLI takes every `${…}` for a reference; not all of its versions know an escape for it")
                    .help("say it without `${`"),
            );
        }
    }
    let mut keys: BTreeMap<String, &crate::ir::Node> = BTreeMap::new();
    for node in graph.nodes.values() {
        let key = super::tasks::table_key(&node.name);
        if !super::values::is_key(&key) || key.len() > 100 {
            diagnostics.error(
                Diagnostic::error(code::TASK_FORM, format!("the task of `{}` would be called `{key}`", node.name))
                    .at(node.site.clone().key(), "")
                    .note("Databricks takes letters from a to z, digits, `_` and `-`, at most 100")
                    .help("rename the table"),
            );
        }
        if let Some(other) = keys.insert(key.clone(), node) {
            diagnostics.error(
                Diagnostic::error(
                    code::DUPLICATE_TASK,
                    format!("the tasks of `{}` and `{}` would both be called `{key}`", other.name, node.name),
                )
                .at(node.site.clone().key(), "")
                .at(other.site.clone().key(), "")
                .help("rename one of the tables"),
            );
        }
    }
}

/// The rules of all environments together: none deploys over another.
pub(super) fn together(all: &[(&Environment, Deployment)], diagnostics: &mut Diagnostics) {
    let on_databricks: Vec<(&Environment, &Databricks, &Deployment)> = all
        .iter()
        .filter_map(|(environment, deployment)| match &environment.place {
            Place::Databricks(place) => Some((*environment, &**place, deployment)),
            Place::Local { .. } => None,
        })
        .collect();
    for (index, (second, there, deployed)) in on_databricks.iter().enumerate() {
        for (first, here, other) in &on_databricks[..index] {
            if host(here) != host(there) {
                continue;
            }
            folders(first, here, second, there, diagnostics);
            if here.catalog == there.catalog && names::prefix(here) == names::prefix(there) {
                let prefix = format!("[{}] ", second.name);
                diagnostics.error(
                    Diagnostic::error(
                        code::COLLISION,
                        format!("`{}` and `{}` have the same tables", first.name, second.name),
                    )
                    .at(second.site.clone().key(), "the same workspace and catalog")
                    .at(first.site.clone().key(), "as here")
                    .help(format!("give one of them another `catalog`, or `presets: {{name_prefix: \"{prefix}\"}}`")),
                );
            }
            names::between((first, here, other), (second, there, deployed), diagnostics);
        }
    }
}

fn host(place: &Databricks) -> String {
    place.workspace.host.trim_end_matches('/').to_lowercase()
}

fn folders(
    first: &Environment,
    here: &Databricks,
    second: &Environment,
    there: &Databricks,
    diagnostics: &mut Diagnostics,
) {
    let (Some(one), Some(other)) = (&here.workspace.root_path, &there.workspace.root_path) else { return };
    let (one, other) = (in_workspace(one), in_workspace(other));
    let is_within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    let tells_target = one.contains("${bundle.target}") || one.contains("${bundle.environment}");
    if one == other && !tells_target || is_within(&one, &other) || is_within(&other, &one) {
        let site = |environment: &Environment| environment.site.member("workspace").member("root_path");
        diagnostics.error(
            Diagnostic::error(
                code::COLLISION,
                format!("`{}` and `{}` are deployed to one folder", first.name, second.name),
            )
            .at(site(second), "this folder")
            .at(site(first), "is that of the other environment, or in it")
            .help(format!(
                "give each a folder of its own, e.g. `{}-{}`",
                one.trim_end_matches(&format!("-{}", first.name)),
                second.name
            )),
        );
    }
}
