//! Assertions that hold a table's columns against another table's: both have them, and their values can be compared.

use super::Scope;
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::ir::{Assertion, DataType, Distribution, Measure, Reference, TableRef, results};
use crate::name;

/// Both sides have their columns, as many as the other, of types whose values can be equal.
pub(super) fn reference(
    scope: &Scope<'_>,
    assertion: &Assertion,
    columns: &[String],
    table: &TableRef,
    referenced: &[String],
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    if columns.is_empty() || columns.len() != referenced.len() {
        let message = format!("{} columns refer to {} of `{}`", columns.len(), referenced.len(), table.name);
        let diagnostic = Diagnostic::error(code::EXPECTATION, message)
            .at(assertion.site.clone(), "")
            .help("name as many columns on both sides, at least one");
        return Err(diagnostics.error(diagnostic));
    }
    for (column, referenced) in columns.iter().zip(referenced) {
        let Some(other) = other_column(scope, table, referenced, diagnostics)? else { continue };
        let Some(own) = scope.schema.column(column).map(|column| &column.data_type) else { continue };
        if !comparable(own, &other) {
            let message = format!(
                "`{column}` is {own} and `{referenced}` of `{}` is {other}, so no value of one is one of the other",
                table.name
            );
            let diagnostic = Diagnostic::error(code::EXPECTATION, message)
                .at(assertion.site.clone(), "")
                .help("give both columns one type, e.g. in their contracts");
            return Err(diagnostics.error(diagnostic));
        }
    }
    Ok(())
}

/// The columns are there, and hold numbers where the measure needs them.
pub(super) fn distribution(
    scope: &Scope<'_>,
    assertion: &Assertion,
    distribution: &Distribution,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let Distribution { column, reference, measure, .. } = distribution;
    let own = scope.schema.column(column).map(|column| column.data_type.clone());
    let by_order = match (measure, reference) {
        (_, Reference::Bins { .. }) | (Measure::KolmogorovSmirnov, _) => true,
        (
            Measure::ChiSquared | Measure::Psi { .. } | Measure::JensenShannon { .. } | Measure::KullbackLeibler { .. },
            Reference::Column { .. } | Reference::Categories(_),
        ) => false,
    };
    let misfit = match (measure, reference) {
        (Measure::KolmogorovSmirnov, Reference::Categories(_)) => Some("categories have no order"),
        (Measure::KolmogorovSmirnov, Reference::Bins { .. }) => Some("bins hold no values, only how many there are"),
        (Measure::KolmogorovSmirnov, Reference::Column { .. })
        | (
            Measure::ChiSquared | Measure::Psi { .. } | Measure::JensenShannon { .. } | Measure::KullbackLeibler { .. },
            _,
        ) => None,
    };
    if let Some(why) = misfit {
        let diagnostic = Diagnostic::error(code::EXPECTATION, "Kolmogorov-Smirnov compares two samples of numbers")
            .at(assertion.site.clone(), "")
            .note(why)
            .help("compare with a table's column, or use another measure");
        return Err(diagnostics.error(diagnostic));
    }
    if let Some(own) = own.filter(|own| by_order && !own.is_numeric()) {
        let diagnostic =
            Diagnostic::error(code::EXPECTATION, format!("`{column}` is {own}, and this compares numbers"))
                .at(assertion.site.clone(), "")
                .help("compare categories instead, e.g. by `chi_squared`");
        return Err(diagnostics.error(diagnostic));
    }
    let Reference::Column { table, column: referenced } = reference else { return Ok(()) };
    let Some(other) = other_column(scope, table, referenced, diagnostics)? else { return Ok(()) };
    let Some(own) = scope.schema.column(column).map(|column| &column.data_type) else { return Ok(()) };
    if own.is_numeric() == other.is_numeric() {
        return Ok(());
    }
    let message = format!("`{column}` is {own} and `{referenced}` of `{}` is {other}", table.name);
    let diagnostic = Diagnostic::error(code::EXPECTATION, message)
        .at(assertion.site.clone(), "")
        .help("compare numbers with numbers, or texts with texts");
    Err(diagnostics.error(diagnostic))
}

/// The type of another table's column; `None` when its columns are unknown.
fn other_column(
    scope: &Scope<'_>,
    table: &TableRef,
    column: &String,
    diagnostics: &mut Diagnostics,
) -> Result<Option<DataType>, Reported> {
    let results = results::schema();
    let Some(schema) = scope.schema_of(&table.name, &results) else { return Ok(None) };
    if let Some(found) = schema.column(column) {
        return Ok(Some(found.data_type.clone()));
    }
    let mut diagnostic =
        Diagnostic::error(code::SQL_UNKNOWN_COLUMN, format!("`{}` has no column `{column}`", table.name))
            .at(table.site.clone(), "");
    diagnostic.help = name::did_you_mean(column, schema.names());
    Err(diagnostics.error(diagnostic))
}

fn comparable(one: &DataType, other: &DataType) -> bool {
    let is_time =
        |data_type: &DataType| matches!(data_type, DataType::Date | DataType::Timestamp | DataType::TimestampNtz);
    one == other || (one.is_numeric() && other.is_numeric()) || (is_time(one) && is_time(other))
}
