//! What a feature table promises: keys that are there and unique, at each time once.
//!
//! In: a table's `feature_table`. Out: its core form, and the assertions that follow from it, unless the contract makes the
//! same ones already.

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, code};
use crate::graph::contract;
use crate::ir::{Assertion, ContractColumn, DataType, FeatureTable};
use crate::name;
use crate::resolve::Origin;
use crate::spec;

/// # Errors
/// Reports `resolve::table-form` for keys or a timestamp that cannot be ones.
pub(super) fn lower(
    spec: &spec::FeatureTable,
    columns: &[ContractColumn],
    origin: &Origin,
    assertions: &mut Vec<Assertion>,
    diagnostics: &mut Diagnostics,
) -> Option<FeatureTable> {
    let n_errors = diagnostics.n_errors();
    let site = |pointer: &str| origin.site(&format!("/feature_table{pointer}"));
    if spec.keys.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::TABLE_FORM, "a feature table has at least one key")
                .at(site("/keys"), "")
                .help("name the columns by which its features are looked up, e.g. `keys: [customer_id]`"),
        );
    }
    let of_key = spec.keys.iter().enumerate().map(|(index, key)| (key, format!("/keys/{index}")));
    let of_time = spec.timestamp.iter().map(|timestamp| (timestamp, "/timestamp".to_owned()));
    for (column, pointer) in of_key.chain(of_time) {
        let known = columns.iter().map(|known| known.column.name.as_str());
        if !columns.is_empty() && !known.clone().any(|known| name::same(known, column)) {
            let found = Diagnostic::error(code::TABLE_FORM, format!("the contract has no column `{column}`"))
                .at(site(&pointer), "");
            let fix = name::nearest(column, known.clone()).map(Fix::value);
            diagnostics.error(Diagnostic { help: name::did_you_mean(column, known), fix, ..found });
        }
    }
    if let Some(timestamp) = &spec.timestamp
        && let Some(column) = columns.iter().find(|known| name::same(&known.column.name, timestamp))
        && !matches!(column.column.data_type, DataType::Date | DataType::Timestamp | DataType::TimestampNtz)
    {
        diagnostics.error(
            Diagnostic::error(
                code::TABLE_FORM,
                format!("`{timestamp}` is {} and says no time", column.column.data_type),
            )
            .at(site("/timestamp"), "")
            .at(column.site.member("type"), "declared here")
            .help("name a column of type `timestamp` or `date`"),
        );
    }
    if diagnostics.n_errors() > n_errors {
        return None;
    }
    let together: Vec<&str> = spec.keys.iter().chain(&spec.timestamp).map(String::as_str).collect();
    let implied = together
        .iter()
        .map(|column| contract::not_null(column, site("")))
        .chain(std::iter::once(contract::unique(&together, site("/keys"))));
    for assertion in implied.collect::<Vec<_>>() {
        let is_there = assertions.iter().any(|other| other.kind == assertion.kind && other.label == assertion.label);
        if !is_there {
            assertions.push(assertion);
        }
    }
    Some(FeatureTable { keys: spec.keys.clone(), timestamp: spec.timestamp.clone() })
}
