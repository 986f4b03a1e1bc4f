//! A contract's `freshness` as assertions: one that warns and one that fails.

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::expectations::{Expectation, Options, duration};
use crate::ir::{Assertion, ContractColumn, OnViolation};
use crate::name;
use crate::spec;

/// Adds the assertions of a promise at `site`.
pub(super) fn lower(
    promise: &spec::Freshness,
    columns: &[ContractColumn],
    site: &Site,
    assertions: &mut Vec<Assertion>,
    diagnostics: &mut Diagnostics,
) {
    let known = columns.iter().find(|known| name::same(&known.column.name, &promise.column));
    if known.is_none() && !columns.is_empty() {
        let names = columns.iter().map(|known| known.column.name.as_str());
        let message = format!("the contract has no column `{}`", promise.column);
        let found = Diagnostic::error(code::CONTRACT_FORM, message).at(site.member("column"), "");
        let fix = name::nearest(&promise.column, names.clone()).map(Fix::value);
        diagnostics.error(Diagnostic { help: name::did_you_mean(&promise.column, names), fix, ..found });
        return;
    }
    let ages = [
        ("warn_after", &promise.warn_after, OnViolation::Warn),
        ("fail_after", &promise.fail_after, OnViolation::Fail),
    ];
    let mut lowered: Vec<Assertion> = Vec::new();
    for (key, age, on_violation) in ages {
        let Some(age) = age else { continue };
        let body = Map::from_iter([("within".to_owned(), Value::String(age.clone()))]);
        let options = Options { on_violation: Some(on_violation), ..Options::default() };
        let expectation = Expectation::new("freshness", body, options).expect("a kind of the catalogue");
        let subject = Some((promise.column.as_str(), known.map(|known| &known.column.data_type)));
        let site_of = |pointer: &str| site.member(if pointer == "/freshness" { "column" } else { key });
        match expectation.lower(subject, columns, &site_of) {
            Ok(assertion) => lowered.push(Assertion { site: site.member(key), ..assertion }),
            Err(problem) => {
                // The other age would say the same of the column.
                diagnostics.error(problem.at(site_of));
                return;
            }
        }
    }
    if lowered.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::CONTRACT_FORM, "`freshness` says of no age that it is too old")
                .at(site.clone(), "")
                .help("add `warn_after` or `fail_after`, e.g. `warn_after: 24h`"),
        );
    }
    if let (Some(warn), Some(fail)) = (&promise.warn_after, &promise.fail_after)
        && let (Ok(warn_s), Ok(fail_s)) = (duration::seconds(warn, ""), duration::seconds(fail, ""))
        && warn_s >= fail_s
    {
        diagnostics.error(
            Diagnostic::error(
                code::CONTRACT_FORM,
                format!("the table fails after {fail}, before it warns after {warn}"),
            )
            .at(site.member("warn_after"), "")
            .at(site.member("fail_after"), "sooner")
            .help(format!("swap them: `warn_after: {fail}, fail_after: {warn}`, or keep one")),
        );
    }
    assertions.extend(lowered);
}
