//! Steps on rows, one after the other.
//!
//! In: the columns before. Out: the columns after, and the keys that a step makes unique. Each step sees the row as the
//! step before left it; a step in error ends the walk, since what follows would be judged on guesses.

use std::collections::BTreeSet;

use crate::check::row::{Alias, Origin, Row, RowColumn};
use crate::check::{ColumnLineage, ColumnSource, Transformation, report};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::ir::{DataType, Operation, Renamed, Schema, Sql};
use crate::name;
use crate::sql::bind::{self, Aggregates, TypedExpression, Typer, type_expression};
use crate::sql::blame;
use crate::sql::parse::{ErrorKind, SqlError, parse_expression};

/// Applies the operations; `None` when a column has no type, so that nothing can be said.
///
/// # Errors
/// After having reported what is wrong with the first step that is.
pub(super) fn apply(
    typer: &Typer,
    operations: &[Operation],
    mut row: Row,
    unique: &mut Vec<BTreeSet<String>>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Row>, Reported> {
    for operation in operations {
        let Some(schema) = row.schema() else { return Ok(None) };
        match operation {
            Operation::Filter(sql) => {
                condition(typer, sql, &bind::Row::new(&schema), Aggregates::Refused, diagnostics)?;
            }
            Operation::Extend(computed) => {
                let mut failed = None;
                let before = bind::Row::new(&schema);
                let mut made = Vec::new();
                for column in computed {
                    match typed(typer, &column.expression, &before, Aggregates::Refused, diagnostics) {
                        Ok(typed) => made.push(extended(&column.name, &column.expression, typed, &row, &schema)),
                        Err(reported) => failed = Some(reported),
                    }
                }
                if let Some(reported) = failed {
                    return Err(reported);
                }
                for column in made {
                    unique.retain(|set| !set.iter().any(|key| name::same(key, &column.name)));
                    match row.position(&column.name) {
                        Some(place) => row.columns[place] = column,
                        None => row.columns.push(column),
                    }
                }
            }
            Operation::Rename(renamed) => rename(renamed, &mut row, unique, diagnostics)?,
            Operation::Latest { keys, order, site } => {
                let named = keys.iter().chain(order.iter().map(|ordering| &ordering.column));
                let mut failed = None;
                for column in named {
                    if row.position(column).is_none() {
                        failed = Some(unknown_column(column, &row, site, diagnostics));
                    }
                }
                if let Some(reported) = failed {
                    return Err(reported);
                }
                unique.push(keys.iter().cloned().collect());
            }
        }
    }
    Ok(Some(row))
}

/// The expressions of operations.
pub(super) fn texts(operations: &[Operation]) -> impl Iterator<Item = &Sql> {
    operations.iter().flat_map(|operation| match operation {
        Operation::Filter(sql) => vec![sql],
        Operation::Extend(computed) => computed.iter().map(|column| &column.expression).collect(),
        Operation::Rename(_) | Operation::Latest { .. } => Vec::new(),
    })
}

/// Types an expression of one row.
///
/// # Errors
/// After having reported them.
pub(super) fn typed(
    typer: &Typer,
    sql: &Sql,
    row: &bind::Row<'_>,
    aggregates: Aggregates,
    diagnostics: &mut Diagnostics,
) -> Result<TypedExpression, Reported> {
    let expression = parse_expression(&sql.text).map_err(|error| report::one(sql, error, diagnostics))?;
    type_expression(typer, &expression, row, aggregates).map_err(|errors| report::all(sql, errors, diagnostics))
}

/// Types a condition.
///
/// # Errors
/// After having reported them; one is that it is no boolean.
pub(super) fn condition(
    typer: &Typer,
    sql: &Sql,
    row: &bind::Row<'_>,
    aggregates: Aggregates,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let typed = typed(typer, sql, row, aggregates, diagnostics)?;
    match typed.data_type {
        None | Some(DataType::Boolean) => Ok(()),
        Some(other) => {
            let text = sql.text.trim();
            let start = sql.text.len() - sql.text.trim_start().len();
            let fix = if other.is_numeric() { format!("({text}) <> 0") } else { format!("({text}) IS NOT NULL") };
            let error = SqlError::new(
                ErrorKind::Type,
                format!("a condition is boolean, and this is {}", blame::phrase(&other)),
                start..start + text.len(),
            )
            .help(format!("compare it, e.g. `{fix}`"))
            .fix(fix);
            Err(report::one(sql, error, diagnostics))
        }
    }
}

fn extended(name: &str, sql: &Sql, typed: TypedExpression, row: &Row, schema: &Schema) -> RowColumn {
    let mut sources: Vec<ColumnSource> = Vec::new();
    let mut transformation = if typed.identity { Transformation::Identity } else { Transformation::Expression };
    for column in &typed.columns {
        if let Some(place) = row.position(column) {
            let lineage = &row.columns[place].lineage;
            sources.extend(lineage.sources.iter().cloned());
            transformation = transformation.max(lineage.transformation);
        }
    }
    sources.sort_unstable();
    sources.dedup();
    debug_assert!(schema.columns.len() == row.columns.len(), "the schema is the row's");
    let text = sql.text.trim();
    let start = sql.text.len() - sql.text.trim_start().len();
    let origin = if sql.authored {
        let site = sql.site.clone().text(start..start + text.len());
        Origin::Expression { site, expression: text.to_owned(), alias: Alias::Apart }
    } else {
        Origin::Made { site: sql.site.clone() }
    };
    RowColumn {
        name: name.to_owned(),
        null: typed.data_type.is_none(),
        nullable: typed.nullable,
        declared: typed.identity || typed.cast,
        data_type: typed.data_type,
        lineage: ColumnLineage { column: name.to_owned(), sources, transformation },
        origin,
    }
}

fn rename(
    renamed: &[Renamed],
    row: &mut Row,
    unique: &mut [BTreeSet<String>],
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut failed = None;
    let mut places = Vec::new();
    for pair in renamed {
        match row.position(&pair.from) {
            Some(place) => places.push((place, pair)),
            None => failed = Some(unknown_column(&pair.from, row, &pair.site, diagnostics)),
        }
    }
    if let Some(reported) = failed {
        return Err(reported);
    }
    for (place, pair) in &places {
        let taken = row.columns.iter().enumerate().any(|(other, column)| {
            let moved = places.iter().any(|(moved, _)| *moved == other);
            !moved && name::same(&column.name, &pair.to)
        }) || places.iter().any(|(other, known)| other != place && name::same(&known.to, &pair.to));
        if taken {
            let diagnostic =
                Diagnostic::error(code::SQL_DUPLICATE_COLUMN, format!("two columns would be called `{}`", pair.to))
                    .at(pair.site.clone(), "")
                    .help("give it a name that no other column has");
            return Err(diagnostics.error(diagnostic));
        }
    }
    for (place, pair) in places {
        let column = &mut row.columns[place];
        for set in unique.iter_mut() {
            if set.remove(&column.name) {
                set.insert(pair.to.clone());
            }
        }
        column.name.clone_from(&pair.to);
        column.lineage.column.clone_from(&pair.to);
    }
    Ok(())
}

fn unknown_column(column: &str, row: &Row, site: &Site, diagnostics: &mut Diagnostics) -> Reported {
    let mut diagnostic =
        Diagnostic::error(code::SQL_UNKNOWN_COLUMN, format!("there is no column `{column}` at this step"))
            .at(site.clone(), "");
    diagnostic.help = name::did_you_mean(column, row.names());
    diagnostics.error(diagnostic)
}
