//! Which environment, and its own values.

use super::interpolate::{self, Scope};
use super::{Environment, Settings, typed};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::name;
use crate::project::Project;
use crate::spec;

/// The environment that was asked for, as declared.
pub(super) struct Chosen {
    pub name: String,
    pub spec: spec::Environment,
    pub site: Site,
}

/// Picks the environment: `-t`, else the default, else the only one.
///
/// # Errors
/// `resolve::unknown-environment`, `resolve::no-default-environment`.
pub(super) fn choose(
    project: &Project,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Result<Chosen, Reported> {
    let mut declared = Vec::new();
    for (name, environment) in &project.environments {
        let spec: spec::Environment = typed(&environment.value, &environment.site, diagnostics)?;
        declared.push(Chosen { name: name.clone(), spec, site: environment.site.clone() });
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
    Ok(declared.swap_remove(index))
}

/// The environment's own values.
///
/// # Errors
/// What interpolation reports.
pub(super) fn resolve(
    chosen: &Chosen,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Environment, Reported> {
    let warehouse_site = chosen.site.member("warehouse");
    let warehouse = interpolate::text(&chosen.spec.warehouse, scope, &|| warehouse_site.clone(), diagnostics)?;
    Ok(Environment {
        name: chosen.name.clone(),
        engine: chosen.spec.engine,
        warehouse: warehouse.into_owned(),
        warehouse_site,
    })
}
