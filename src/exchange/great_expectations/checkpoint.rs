//! Checkpoints of 0.x: which suite is for which table.

use serde_json::{Map, Value};

use super::shape;
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::name::{self, TableName};
use crate::source::Document;

/// A suite for a table, as a checkpoint says.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    pub table: TableName,
    /// The suite's name.
    pub suite: String,
    pub suite_site: Site,
}

/// What a checkpoint may say besides; how results are stored and shown is not medc's matter.
const KEYS: [&str; 21] = [
    "name",
    "id",
    "config_version",
    "class_name",
    "module_name",
    "template_name",
    "run_name_template",
    "expectation_suite_name",
    "expectation_suite_ge_cloud_id",
    "batch_request",
    "action_list",
    "evaluation_parameters",
    "runtime_configuration",
    "validations",
    "profilers",
    "ge_cloud_id",
    "site_names",
    "slack_webhook",
    "notify_on",
    "notify_with",
    "default_validation_id",
];

const VALIDATION_KEYS: [&str; 8] = [
    "batch_request",
    "expectation_suite_name",
    "expectation_suite_ge_cloud_id",
    "action_list",
    "evaluation_parameters",
    "runtime_configuration",
    "id",
    "name",
];

/// Reads what a checkpoint binds.
///
/// # Errors
/// `schema::*` for what is no checkpoint, `resolve::unknown-table` for an asset that is no table; all of them.
pub fn checkpoint(
    document: &Document,
    tables: &[TableName],
    diagnostics: &mut Diagnostics,
) -> Result<Vec<Validation>, Reported> {
    let site = Site::root(document.source);
    let whole = shape::object(&document.value, &site, "a checkpoint", diagnostics)?;
    shape::known_keys(whole, &KEYS, &site, diagnostics)?;
    let list = match whole.get("validations") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(Value::Array(_) | Value::Null) | None => {
            // A checkpoint may be one validation itself.
            return Ok(vec![validation(whole, whole, &site, &site, tables, diagnostics)?]);
        }
        Some(other) => return Err(diagnostics.error(shape::wrong_type("a list", other, site.member("validations")))),
    };
    let mut validations = Vec::with_capacity(list.len());
    let mut failed = None;
    for (index, element) in list.iter().enumerate() {
        let here = site.member("validations").element(index);
        let read = shape::object(element, &here, "a validation", diagnostics).and_then(|members| {
            shape::known_keys(members, &VALIDATION_KEYS, &here, diagnostics)?;
            validation(members, whole, &here, &site, tables, diagnostics)
        });
        match read {
            Ok(read) => validations.push(read),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(validations), Err)
}

fn validation(
    members: &Map<String, Value>,
    whole: &Map<String, Value>,
    site: &Site,
    root: &Site,
    tables: &[TableName],
    diagnostics: &mut Diagnostics,
) -> Result<Validation, Reported> {
    // What a validation lacks, the checkpoint says for all.
    let place = |key: &str| match members.get(key).filter(|value| !value.is_null()) {
        Some(value) => Some((value, site.member(key))),
        None => whole.get(key).filter(|value| !value.is_null()).map(|value| (value, root.member(key))),
    };
    let Some((request, request_site)) = place("batch_request") else {
        return Err(shape::missing(
            "batch_request",
            site.clone(),
            "it names the table, `data_asset_name`",
            diagnostics,
        ));
    };
    let request = shape::object(request, &request_site, "a batch request", diagnostics)?;
    let Some(asset) = request.get("data_asset_name").and_then(Value::as_str) else {
        let note = "the asset's name says which table is meant";
        return Err(shape::missing("data_asset_name", request_site, note, diagnostics));
    };
    let table = find_table(asset, tables).map_err(|why| {
        diagnostics
            .error(Diagnostic { code: code::UNKNOWN_TABLE, ..why.at(request_site.member("data_asset_name"), "") })
    })?;
    let Some((suite, suite_site)) = place("expectation_suite_name") else {
        return Err(shape::missing("expectation_suite_name", site.clone(), "it names the suite", diagnostics));
    };
    let Some(suite) = suite.as_str() else {
        return Err(diagnostics.error(shape::wrong_type("text", suite, suite_site)));
    };
    Ok(Validation { table, suite: suite.to_owned(), suite_site })
}

/// The table of an asset's name: `layer.name`, with anything before that, or a name that one layer has.
pub(super) fn find_table(asset: &str, tables: &[TableName]) -> Result<TableName, Diagnostic> {
    let parts: Vec<&str> = asset.rsplitn(3, '.').collect();
    if let [bare, layer, ..] = parts.as_slice() {
        let wanted = TableName::new(layer, bare);
        if tables.contains(&wanted) {
            return Ok(wanted);
        }
    }
    let named: Vec<&TableName> = tables.iter().filter(|table| name::same(&table.name, asset)).collect();
    match named.as_slice() {
        [one] => return Ok((*one).clone()),
        [] => {}
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            return Err(Diagnostic::error(code::UNKNOWN_TABLE, format!("`{asset}` is a table in several layers"))
                .help(format!("write which: {}", name::list(&names))));
        }
    }
    let full: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let bare: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let candidates: Vec<&str> = if asset.contains('.') { full.iter().map(String::as_str).collect() } else { bare };
    let found = Diagnostic::error(code::UNKNOWN_TABLE, format!("there is no table `{asset}`"));
    Err(match name::nearest(asset, candidates.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{near}`?")).fix(near),
        None => found.help("name a table of the project, `layer.name`"),
    })
}
