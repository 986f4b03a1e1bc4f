//! Assertions typed over the columns that a node stores.
//!
//! Wrong is a column that is not there, a condition that is no boolean, an aggregate that is no number. Errors inside
//! an author's expression are marked there; those of SQL that an expectation's kind made, at the expectation.

use crate::check::{operations, report};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::ir::{Assertion, Node, Schema, Sql, Test};
use crate::name;
use crate::sql::bind::{Aggregates, Row, Typer, type_expression};
use crate::sql::blame;
use crate::sql::parse::{ErrorKind, parse_expression};

/// Types every assertion of a node.
///
/// # Errors
/// After having reported all of them.
pub(super) fn check(
    typer: &Typer,
    node: &Node,
    schema: &Schema,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    if node.assertions.is_empty() {
        return Ok(());
    }
    let row = Row::new(schema);
    let mut failed = None;
    for assertion in &node.assertions {
        if let Err(reported) = one(typer, assertion, schema, &row, diagnostics) {
            failed = Some(reported);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn one(
    typer: &Typer,
    assertion: &Assertion,
    schema: &Schema,
    row: &Row<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut missing = None;
    let unique: &[String] = match &assertion.test {
        Test::Unique { columns } => columns,
        Test::Row { .. }
        | Test::Holds(_)
        | Test::Window { .. }
        | Test::Reference { .. }
        | Test::Aggregate { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => &[],
    };
    for column in assertion.columns.iter().chain(unique) {
        if schema.column(column).is_none() {
            let mut diagnostic = Diagnostic::error(code::SQL_UNKNOWN_COLUMN, format!("there is no column `{column}`"))
                .at(assertion.site.clone(), "");
            diagnostic.help = name::did_you_mean(column, schema.names());
            missing = Some(diagnostics.error(diagnostic));
        }
    }
    if let Some(reported) = missing {
        return Err(reported);
    }
    if let Some(filter) = &assertion.filter {
        condition(typer, assertion, filter, row, diagnostics)?;
    }
    match &assertion.test {
        Test::Unique { .. }
        | Test::Window { .. }
        | Test::Reference { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => Ok(()),
        Test::Holds(sql) => condition(typer, assertion, sql, row, diagnostics),
        Test::Row { considered, violated } => {
            if let Some(considered) = considered {
                condition(typer, assertion, considered, row, diagnostics)?;
            }
            condition(typer, assertion, violated, row, diagnostics)
        }
        Test::Aggregate { value, .. } => aggregate(typer, assertion, value, row, diagnostics),
    }
}

fn condition(
    typer: &Typer,
    assertion: &Assertion,
    sql: &Sql,
    row: &Row<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    if sql.authored {
        return operations::condition(typer, sql, row, Aggregates::Refused, diagnostics);
    }
    let mut found = Diagnostics::new();
    let result = operations::condition(typer, sql, row, Aggregates::Refused, &mut found);
    if result.is_ok() {
        return Ok(());
    }
    Err(made(assertion, &found, diagnostics))
}

fn aggregate(
    typer: &Typer,
    assertion: &Assertion,
    sql: &Sql,
    row: &Row<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut found = Diagnostics::new();
    let parsed = parse_expression(&sql.text).map_err(|error| vec![error]);
    let result = parsed.and_then(|expression| type_expression(typer, &expression, row, Aggregates::Allowed));
    match result {
        Ok(typed) => match typed.data_type {
            Some(other) if !other.is_numeric() => {
                let message =
                    format!("an aggregate is a number, and `{}` is {}", sql.text.trim(), blame::phrase(&other));
                let diagnostic = Diagnostic::error(code::EXPECTATION, message)
                    .at(assertion.site.clone(), "")
                    .help("aggregate a column of numbers");
                Err(diagnostics.error(diagnostic))
            }
            Some(_) | None => Ok(()),
        },
        Err(errors) if sql.authored => Err(report::all(sql, errors, diagnostics)),
        Err(errors) => {
            report::all(sql, errors, &mut found);
            Err(made(assertion, &found, diagnostics))
        }
    }
}

/// The first error of SQL that a kind made, told of the expectation.
fn made(assertion: &Assertion, found: &Diagnostics, diagnostics: &mut Diagnostics) -> Reported {
    let first = found.iter().next().expect("a failure was reported");
    let unknown_column = first.code == report::code_of(ErrorKind::UnknownColumn);
    let code = if unknown_column { code::SQL_UNKNOWN_COLUMN } else { code::EXPECTATION };
    let message = match assertion.columns.as_slice() {
        [column] if !unknown_column => format!("`{}` cannot be checked for `{column}`", assertion.kind),
        _ if unknown_column => first.message.clone(),
        _ => format!("`{}` cannot be checked", assertion.kind),
    };
    let mut diagnostic = Diagnostic::error(code, message).at(assertion.site.clone(), "");
    if !unknown_column {
        diagnostic.note = Some(first.message.clone());
    }
    diagnostic.help.clone_from(&first.help);
    diagnostics.error(diagnostic)
}
