//! What an environment changes of tables: their source's connector and location, nothing else.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::Origin;
use super::environment::Chosen;
use super::interpolate::{self, Scope};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Reported, Site, code, join_pointer};
use crate::name;
use crate::project::Declared;
use crate::schema;
use crate::source::Sources;

/// One table's overlay.
pub(super) struct Overlay {
    source: Map<String, Value>,
    site: Site,
}

/// The chosen environment's overlays by table, as declared (lower case).
pub(super) fn tables(
    chosen: &Chosen,
    tables: &IndexMap<String, Declared>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Overlay> {
    let mut overlays = BTreeMap::new();
    for (written, overlay) in &chosen.spec.tables {
        let site = chosen.site.member("tables").member(written);
        let key = written.to_lowercase();
        let Some(declared) = tables.get(&key) else {
            let found = Diagnostic::error(
                code::OVERLAY_UNKNOWN,
                format!("the environment `{}` overrides `{written}`, which is no table", chosen.name),
            );
            let near = name::nearest(written, tables.keys().map(String::as_str)).map(Fix::value);
            let help = name::did_you_mean(written, tables.keys().map(String::as_str));
            diagnostics.error(Diagnostic { help, fix: near, ..found.at(site.key(), "") });
            continue;
        };
        let Some(source) = &overlay.source else { continue };
        if declared.value.get("source").is_none() {
            diagnostics.error(
                Diagnostic::error(code::OVERLAY_FORBIDDEN, format!("`{written}` has no source to override"))
                    .at(site.member("source").key(), "")
                    .at(declared.site.clone().key(), "its rows come from the project")
                    .help("remove this override"),
            );
            continue;
        }
        overlays.insert(key, Overlay { source: source.clone(), site: site.member("source") });
    }
    overlays
}

/// Merges an overlay into a table's value, replaces `${…}` and validates the result again.
///
/// # Errors
/// What interpolation and validation report.
pub(super) fn merge(
    mut value: Value,
    mut origin: Origin,
    overlay: Option<&Overlay>,
    scope: &Scope<'_>,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Result<(Value, Origin), Reported> {
    if let Some(overlay) = overlay
        && let Some(Value::Object(source)) = value.get_mut("source")
    {
        // Another connector brings other options: nothing of the old one stays.
        if overlay.source.get("format").is_some_and(|format| source.get("format") != Some(format)) {
            source.clear();
            origin.overlaid.push(("/source".to_owned(), overlay.site.clone()));
        }
        for (key, member) in &overlay.source {
            source.insert(key.clone(), member.clone());
            origin.overlaid.push((join_pointer("/source", key), overlay.site.member(key)));
        }
    }
    interpolate::value(&mut value, scope, &|pointer| origin.site(pointer), diagnostics)?;
    if overlay.is_some() {
        schema::validate_entity("Table", &value, &|pointer| origin.site(pointer), sources, diagnostics)?;
    }
    Ok((value, origin))
}
