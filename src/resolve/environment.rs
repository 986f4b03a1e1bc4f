//! Which environment, and its own values.

use serde_json::Value;

use super::interpolate::{self, Scope};
use super::{Databricks, Environment, Place, Settings, typed};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::name;
use crate::project::Project;
use crate::spec;

/// An environment as declared.
pub(super) struct Chosen {
    pub name: String,
    pub spec: spec::Environment,
    pub value: Value,
    pub site: Site,
}

/// Picks the environment: `-t`, else the default, else the only one. The others come with it, in order.
///
/// # Errors
/// `resolve::unknown-environment`, `resolve::no-default-environment`.
pub(super) fn choose(
    project: &Project,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Result<(Chosen, Vec<Chosen>), Reported> {
    let mut declared = Vec::new();
    for (name, environment) in &project.environments {
        let spec: spec::Environment = typed(&environment.value, &environment.site, diagnostics)?;
        let value = environment.value.clone();
        declared.push(Chosen { name: name.clone(), spec, value, site: environment.site.clone() });
    }
    let defaults: Vec<usize> =
        declared.iter().enumerate().filter(|(_, one)| one.spec.default).map(|(index, _)| index).collect();
    if let [first, second, ..] = defaults.as_slice() {
        return Err(diagnostics.error(
            Diagnostic::error(code::NO_DEFAULT_ENVIRONMENT, "two environments are the default")
                .at(declared[*second].site.member("default"), "this one")
                .at(declared[*first].site.member("default"), "and this one")
                .help("keep `default: true` at one of them")
                .fix_source("false"),
        ));
    }
    let names: Vec<&str> = declared.iter().map(|one| one.name.as_str()).collect();
    let index = match &settings.environment {
        Some(wanted) => names.iter().position(|name| name::same(name, wanted)).ok_or_else(|| {
            let found =
                Diagnostic::error(code::UNKNOWN_ENVIRONMENT, format!("the project has no environment `{wanted}`"));
            let help = name::did_you_mean(wanted, names.iter().copied());
            diagnostics.error(Diagnostic { help, ..found })
        })?,
        None => match (defaults.first(), declared.len()) {
            (Some(default), _) => *default,
            (None, 1) => 0,
            (None, 0) => {
                return Err(diagnostics.error(
                    Diagnostic::error(code::NO_DEFAULT_ENVIRONMENT, "the project has no environment")
                        .at(Site::root(project.root), "")
                        .help("add `environments: {local: {engine: local, warehouse: .medc/warehouse}}`"),
                ));
            }
            (None, _) => {
                return Err(diagnostics.error(
                    Diagnostic::error(
                        code::NO_DEFAULT_ENVIRONMENT,
                        format!("none of the environments {} is the default", name::list(&names)),
                    )
                    .at(declared[0].site.clone().key(), "")
                    .help("add `default: true` to one, or choose with `-t NAME`"),
                ));
            }
        },
    };
    let chosen = declared.remove(index);
    Ok((chosen, declared))
}

/// The environment's own values.
///
/// # Errors
/// `resolve::environment-form`, and what interpolation reports.
pub(super) fn resolve(
    chosen: &Chosen,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Environment, Reported> {
    let of_bundle = scope.of_bundle();
    let scope = match chosen.spec.engine {
        spec::Engine::Local => scope,
        spec::Engine::Databricks => &of_bundle,
    };
    let site = &chosen.site;
    let mut value = chosen.value.clone();
    if let Value::Object(members) = &mut value {
        // Variables have their values by now, and overlays are merged into what they change.
        members.retain(|key, _| !["variables", "tables", "jobs", "compute", "channels"].contains(&key.as_str()));
    }
    interpolate::value(&mut value, scope, &|pointer| site.descend(pointer), diagnostics)?;
    let spec: spec::Environment = typed(&value, site, diagnostics)?;
    let place = match spec.engine {
        spec::Engine::Local => local(spec, &chosen.spec, site, diagnostics)?,
        spec::Engine::Databricks => databricks(spec, site, diagnostics)?,
    };
    Ok(Environment { name: chosen.name.clone(), site: site.clone(), place })
}

/// A key that belongs to the other engine would be ignored.
fn refuse(keys: &[(&str, bool)], engine: &str, other: &str, site: &Site, diagnostics: &mut Diagnostics) {
    for (key, _) in keys.iter().filter(|(_, is_there)| *is_there) {
        diagnostics.error(
            Diagnostic::error(code::ENVIRONMENT_FORM, format!("`{key}` means nothing where the engine is `{engine}`"))
                .at(site.member(key).key(), "")
                .at(site.member("engine"), "the engine")
                .help(format!("remove it, or say `engine: {other}`")),
        );
    }
}

fn missing(key: &str, engine: &str, example: &str, site: &Site) -> Diagnostic {
    Diagnostic::error(code::ENVIRONMENT_FORM, format!("an environment with `engine: {engine}` needs `{key}`"))
        .at(site.clone().key(), "")
        .help(format!("add `{example}`"))
}

fn local(
    spec: spec::Environment,
    written: &spec::Environment,
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> Result<Place, Reported> {
    let of_databricks = [
        ("catalog", spec.catalog.is_some()),
        ("mode", spec.mode.is_some()),
        ("workspace", spec.workspace.is_some()),
        ("run_as", spec.run_as.is_some()),
        ("permissions", !spec.permissions.is_empty()),
        ("presets", spec.presets.is_some()),
        ("git", spec.git.is_some()),
        ("jobs", !written.jobs.is_empty()),
        ("compute", !written.compute.is_empty()),
        ("channels", !written.channels.is_empty()),
    ];
    refuse(&of_databricks, "local", "databricks", site, diagnostics);
    let warehouse = spec
        .warehouse
        .ok_or_else(|| diagnostics.error(missing("warehouse", "local", "warehouse: .medc/warehouse", site)))?;
    diagnostics.stop_on_error()?;
    Ok(Place::Local { warehouse })
}

fn databricks(spec: spec::Environment, site: &Site, diagnostics: &mut Diagnostics) -> Result<Place, Reported> {
    refuse(&[("warehouse", spec.warehouse.is_some())], "databricks", "local", site, diagnostics);
    if spec.catalog.is_none() {
        diagnostics.error(missing("catalog", "databricks", "catalog: lake_prod", site));
    }
    if spec.workspace.is_none() {
        let example = "workspace: {host: \"https://…\"}";
        diagnostics.error(missing("workspace", "databricks", example, site));
    }
    if let Some(run_as) = &spec.run_as {
        one_identity(&[&run_as.service_principal_name, &run_as.user_name], &site.member("run_as"), diagnostics);
    }
    for (index, permission) in spec.permissions.iter().enumerate() {
        let identities = [&permission.group_name, &permission.user_name, &permission.service_principal_name];
        one_identity(&identities, &site.member("permissions").element(index), diagnostics);
    }
    diagnostics.stop_on_error()?;
    let (Some(catalog), Some(workspace)) = (spec.catalog, spec.workspace) else {
        unreachable!("both are there, or an error stopped this");
    };
    Ok(Place::Databricks(Box::new(Databricks {
        catalog,
        mode: spec.mode.unwrap_or_default(),
        workspace,
        run_as: spec.run_as,
        permissions: spec.permissions,
        presets: spec.presets.unwrap_or_default(),
        git: spec.git,
    })))
}

fn one_identity(identities: &[&Option<String>], site: &Site, diagnostics: &mut Diagnostics) {
    let n_given = identities.iter().filter(|identity| identity.is_some()).count();
    if n_given != 1 {
        let message = format!("this is about {n_given} identities");
        diagnostics.error(
            Diagnostic::error(code::ENVIRONMENT_FORM, message)
                .at(site.clone(), "")
                .help("name exactly one: a service principal, a user or a group"),
        );
    }
}
