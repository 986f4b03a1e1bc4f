//! Assertions typed over the columns that a node stores, and over the tables that they look at.
//!
//! Wrong is a column that is not there, a condition that is no boolean, a comparison of types that have none, a statement
//! about columns that the schema contradicts. Errors inside an author's SQL are marked there; those of SQL that an
//! expectation's kind made, at the expectation. What looks at a table of unknown columns is not judged.

use std::sync::Arc;

use crate::check::{Typed, operations, report};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::graph::Graph;
use crate::ir::{
    Assertion, ColumnsTest, DataType, MetadataColumn, Node, OnViolation, Schema, Sql, Test, WriteMode, results,
};
use crate::name::{self, TableName};
use crate::sql::bind::{Aggregates, Row, TypedQuery, Typer, type_expression, type_rows};
use crate::sql::parse::{ErrorKind, SqlError, parse_expression, parse_query, relations};

mod tables;

/// What an assertion may name.
pub(super) struct Scope<'a> {
    pub(super) typer: &'a Typer,
    pub(super) graph: &'a Graph,
    pub(super) typed: &'a [Arc<Typed>],
    pub(super) node: &'a Node,
    /// The node's own columns.
    pub(super) schema: &'a Schema,
}

/// Types every assertion of a node.
///
/// # Errors
/// After having reported all of them.
pub(super) fn check(scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
    if scope.node.assertions.is_empty() {
        return Ok(());
    }
    let row = Row::new(scope.schema);
    let mut failed = None;
    for assertion in &scope.node.assertions {
        if let Err(reported) = one(scope, assertion, &row, diagnostics) {
            failed = Some(reported);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn one(scope: &Scope<'_>, assertion: &Assertion, row: &Row<'_>, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
    columns_exist(scope.schema, assertion, own_columns(assertion), diagnostics)?;
    if scope.node.write.mode == WriteMode::View
        && matches!(assertion.on_violation, OnViolation::Drop | OnViolation::Quarantine)
    {
        let message = format!("`{}` is a view, which stores no rows that could be left out", scope.node.name);
        let diagnostic = Diagnostic::error(code::EXPECTATION, message)
            .at(assertion.site.clone(), "")
            .help("use `fail` or `warn`, or write a table instead of a view");
        return Err(diagnostics.error(diagnostic));
    }
    if let Some(filter) = &assertion.filter {
        condition(scope.typer, assertion, filter, row, diagnostics)?;
    }
    match &assertion.test {
        Test::Unique { .. } => Ok(()),
        Test::Holds(sql) => condition(scope.typer, assertion, sql, row, diagnostics),
        Test::Row { considered, violated } => {
            if let Some(considered) = considered {
                condition(scope.typer, assertion, considered, row, diagnostics)?;
            }
            condition(scope.typer, assertion, violated, row, diagnostics)
        }
        Test::Window { considered, violated } => {
            if let Some(considered) = considered {
                condition(scope.typer, assertion, considered, row, diagnostics)?;
            }
            condition_over(scope, assertion, violated, (&scope.node.name, scope.schema), diagnostics)
        }
        Test::Reference { columns, table, referenced } => {
            tables::reference(scope, assertion, columns, table, referenced, diagnostics)
        }
        Test::Aggregate { by, value, holds } => aggregate(scope, assertion, by, [value, holds], row, diagnostics),
        Test::Query(sql) => match typed_query(scope, &sql.text, None) {
            Ok(_) => Ok(()),
            Err(errors) => Err(query_errors(assertion, sql, errors, diagnostics)),
        },
        Test::Distribution(distribution) => tables::distribution(scope, assertion, distribution, diagnostics),
        Test::Columns(columns) => decide(scope, assertion, columns, diagnostics),
    }
}

/// The columns of its own table that an assertion names.
fn own_columns(assertion: &Assertion) -> Vec<&String> {
    let columns = &assertion.columns;
    match &assertion.test {
        // They say themselves what is there.
        Test::Columns(_) => Vec::new(),
        Test::Unique { columns: named }
        | Test::Reference { columns: named, .. }
        | Test::Aggregate { by: named, .. } => {
            columns.iter().chain(named.iter().filter(|name| !columns.contains(name))).collect()
        }
        Test::Distribution(distribution) => {
            let column = Some(&distribution.column).filter(|column| !columns.contains(column));
            columns.iter().chain(column).collect()
        }
        Test::Row { .. } | Test::Holds(_) | Test::Window { .. } | Test::Query(_) => columns.iter().collect(),
    }
}

fn columns_exist<'a>(
    schema: &Schema,
    assertion: &Assertion,
    columns: impl IntoIterator<Item = &'a String>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut missing = None;
    for column in columns {
        if schema.column(column).is_none() {
            let mut diagnostic = Diagnostic::error(code::SQL_UNKNOWN_COLUMN, format!("there is no column `{column}`"))
                .at(assertion.site.clone(), "");
            diagnostic.help = name::did_you_mean(column, schema.names());
            if MetadataColumn::ALL.iter().any(|metadata| name::same(metadata.name(), column)) {
                // An order that was not named is that of the source's lines.
                diagnostic.note =
                    Some("a table's rows have no order; that of a source's lines is in this column".to_owned());
                diagnostic.help = Some("name what orders the rows, e.g. `order_by: [a_timestamp]`".to_owned());
                return Err(diagnostics.error(diagnostic));
            }
            missing = Some(diagnostics.error(diagnostic));
        }
    }
    missing.map_or(Ok(()), Err)
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

/// A condition that may look at other rows and tables.
fn condition_over(
    scope: &Scope<'_>,
    assertion: &Assertion,
    sql: &Sql,
    from: (&TableName, &Schema),
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let before = "SELECT (";
    let result = typed_query(scope, &format!("{before}{}) AS holds FROM {}", sql.text, from.0), Some(from));
    let errors = match result.map(|typed| typed.and_then(|typed| typed.columns.into_iter().next()?.data_type)) {
        Ok(None | Some(DataType::Boolean)) => return Ok(()),
        Ok(Some(other)) => {
            let message = format!("a condition is boolean, and this is {}", crate::sql::blame::phrase(&other));
            vec![SqlError::new(ErrorKind::Type, message, 0..sql.text.len())]
        }
        Err(mut errors) => {
            for error in &mut errors {
                let inside = |place: usize| place.saturating_sub(before.len()).min(sql.text.len());
                error.range = inside(error.range.start)..inside(error.range.end);
            }
            errors
        }
    };
    Err(query_errors(assertion, sql, errors, diagnostics))
}

fn aggregate(
    scope: &Scope<'_>,
    assertion: &Assertion,
    by: &[String],
    [value, holds]: [&Sql; 2],
    row: &Row<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let parsed = parse_expression(&value.text).map_err(|error| vec![error]);
    let typed = parsed.and_then(|expression| type_expression(scope.typer, &expression, row, Aggregates::Allowed));
    let typed = typed.map_err(|errors| query_errors(assertion, value, errors, diagnostics))?;
    let Some(data_type) = typed.data_type else { return Ok(()) };
    let observed = crate::ir::Column { name: "observed".to_owned(), data_type, nullable: true };
    // The condition also sees what the groups are by.
    let columns = by.iter().filter_map(|column| scope.schema.column(column).cloned()).chain([observed]).collect();
    condition_over(scope, assertion, holds, (&TableName::new("medc", "observed"), &Schema { columns }), diagnostics)
}

/// Types a query over the project's tables; `also` is another one. `None` when one of them has unknown columns.
fn typed_query(
    scope: &Scope<'_>,
    text: &str,
    also: Option<(&TableName, &Schema)>,
) -> Result<Option<TypedQuery>, Vec<SqlError>> {
    let query = parse_query(text).map_err(|error| vec![error])?;
    let results = results::schema();
    let table = |name: &TableName| match also {
        Some((also, schema)) if also == name => Some(schema),
        Some(_) | None => scope.schema_of(name, &results),
    };
    let is_unknown = |parts: &[String]| match parts {
        [layer, name] => {
            let name = TableName::new(layer, name);
            scope.graph.find(&name).is_some() && table(&name).is_none()
        }
        _ => false,
    };
    if relations(&query).iter().any(|mention| is_unknown(&mention.parts)) {
        return Ok(None);
    }
    type_rows(scope.typer, &query, &table).map(Some)
}

impl<'a> Scope<'a> {
    /// What is known of a table's columns; its own are those under test.
    fn schema_of(&self, table: &TableName, results: &'a Schema) -> Option<&'a Schema> {
        if *table == self.node.name {
            return Some(self.schema);
        }
        match self.graph.find(table) {
            Some(id) => self.typed[id.index()].schema.as_ref(),
            None => (*table == results::table()).then_some(results),
        }
    }
}

/// A statement about columns is true or false now.
fn decide(
    scope: &Scope<'_>,
    assertion: &Assertion,
    test: &ColumnsTest,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    if test.holds(scope.schema) || assertion.on_violation != OnViolation::Fail {
        return Ok(());
    }
    let names: Vec<String> = scope.schema.names().map(str::to_owned).collect();
    let found = match test {
        ColumnsTest::InOrder(_) | ColumnsTest::Among { .. } => format!("its columns are {}", name::list(&names)),
        ColumnsTest::Count { .. } => format!("it has {} columns", names.len()),
        ColumnsTest::Type { column, .. } => match scope.schema.column(column) {
            Some(known) => format!("`{column}` is {}", known.data_type),
            None => format!("it has no column `{column}`"),
        },
    };
    let message = format!("`{}` cannot hold in `{}`", assertion.label, scope.node.name);
    let diagnostic = Diagnostic::error(code::EXPECTATION, message)
        .at(assertion.site.clone(), "")
        .note(found)
        .help("correct the expectation or the columns; `on_violation: warn` only records it");
    Err(diagnostics.error(diagnostic))
}

/// Errors of a query or expression, in the author's text or at the expectation.
fn query_errors(assertion: &Assertion, sql: &Sql, errors: Vec<SqlError>, diagnostics: &mut Diagnostics) -> Reported {
    if sql.authored {
        return report::all(sql, errors, diagnostics);
    }
    let mut found = Diagnostics::new();
    report::all(sql, errors, &mut found);
    made(assertion, &found, diagnostics)
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
