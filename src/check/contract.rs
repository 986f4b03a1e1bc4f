//! A node's columns held against its contract.
//!
//! A query gives its contract's columns, all, in order, each with a type that Spark's store assignment takes without
//! loss (<https://docs.databricks.com/sql/language-manual/sql-ref-ansi-compliance.html>); what is narrower needs a cast
//! in the query. A table read with `from` may have more columns; they are dropped. Each finding is marked where the column
//! is made, with a replacement that puts it right.

use std::ops::Range;

use crate::check::row::{Alias, Origin, Row, RowColumn};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Part, Reported, Site, code};
use crate::ir::{Contract, ContractColumn, DataType, Sql};
use crate::name::{self, TableName};
use crate::sql::{blame, types};

/// Holds a query's columns against the contract.
///
/// # Errors
/// After having reported every difference.
pub(super) fn hold_query(
    contract: &Contract,
    row: Row,
    sql: &Sql,
    diagnostics: &mut Diagnostics,
) -> Result<Row, Reported> {
    let found: Vec<Option<usize>> =
        contract.columns.iter().map(|promised| row.position(&promised.column.name)).collect();
    let mut extra: Vec<usize> = (0..row.columns.len()).filter(|place| !found.contains(&Some(*place))).collect();
    let mut failed = None;
    for (index, promised) in contract.columns.iter().enumerate().filter(|(index, _)| found[*index].is_none()) {
        let renamed = likely(promised, index, &extra, &row);
        extra.retain(|place| Some(*place) != renamed);
        let diagnostic = match renamed {
            Some(place) => misnamed(contract, promised, &row.columns[place]),
            None => missing(contract, index, promised, &found, &row, sql),
        };
        failed = Some(diagnostics.error(diagnostic));
    }
    if let Some(diagnostic) = extra_columns(contract, &extra, &row, sql) {
        failed = Some(diagnostics.error(diagnostic));
        for place in extra.iter().skip(1).filter(|place| !is_star(&row.columns[**place])) {
            diagnostics.extend(single(extra_column(contract, &row.columns[*place], sql)));
        }
    }
    for (promised, place) in contract.columns.iter().zip(&found) {
        if let Some(column) = place.map(|place| &row.columns[place])
            && let Some(diagnostic) = wrong_type(contract, promised, column)
        {
            failed = Some(diagnostics.error(diagnostic));
        }
    }
    if failed.is_none() && !found.is_sorted() {
        failed = Some(diagnostics.error(order(contract, &found, &row, sql)));
    }
    failed.map_or(Ok(row), Err)
}

/// Holds the columns of a table after its steps against the contract, and projects them to it.
///
/// # Errors
/// After having reported every difference.
pub(super) fn hold_table(
    contract: &Contract,
    row: &Row,
    input: &TableName,
    diagnostics: &mut Diagnostics,
) -> Result<Row, Reported> {
    let mut failed = None;
    let mut columns = Vec::with_capacity(contract.columns.len());
    for promised in &contract.columns {
        let Some(place) = row.position(&promised.column.name) else {
            let message = format!(
                "`{}` promises `{}`, and neither `{input}` nor a step gives it",
                contract.name, promised.column.name
            );
            let mut diagnostic =
                Diagnostic::error(code::CONTRACT_MISSING_COLUMN, message).at(promised.site.clone().key(), "");
            diagnostic.help = name::did_you_mean(&promised.column.name, row.names());
            diagnostic.fix = name::nearest(&promised.column.name, row.names()).map(Fix::value);
            failed = Some(diagnostics.error(diagnostic));
            continue;
        };
        let column = &row.columns[place];
        if let Some(diagnostic) = wrong_type(contract, promised, column) {
            failed = Some(diagnostics.error(diagnostic));
        }
        columns.push(column.clone());
    }
    failed.map_or(Ok(Row { columns }), Err)
}

/// A column of a table whose type cannot become the contract's.
pub(super) fn no_cast(promised: &ContractColumn, from: &DataType, reason: String) -> Diagnostic {
    let message = format!(
        "`{}` is {}, which cannot be cast to `{}`",
        promised.column.name,
        blame::phrase(from),
        promised.column.data_type
    );
    Diagnostic::error(code::CONTRACT_COLUMN_TYPE, message)
        .at(promised.site.clone(), "")
        .note(reason)
        .help(format!("promise `{from}`, or derive the column in a step"))
}

/// Whether a value may be stored in a column without a cast of the author's.
fn assignable(from: &DataType, to: &DataType, declared: bool) -> bool {
    let digits = |data_type: &DataType| match data_type {
        DataType::Tinyint => Some((3, 0)),
        DataType::Smallint => Some((5, 0)),
        DataType::Int => Some((10, 0)),
        DataType::Bigint => Some((20, 0)),
        DataType::Decimal { precision, scale } => Some((*precision, *scale)),
        _ => None,
    };
    let width = |data_type: &DataType| match data_type {
        DataType::Tinyint => Some(1),
        DataType::Smallint => Some(2),
        DataType::Int => Some(3),
        DataType::Bigint => Some(4),
        _ => None,
    };
    match (from, to) {
        _ if from == to => true,
        (_, DataType::String) => types::can_cast(from, to),
        (DataType::Decimal { .. }, DataType::Decimal { .. }) if !declared => true,
        (_, DataType::Decimal { .. }) => match (digits(from), digits(to)) {
            (Some((precision, scale)), Some((wider, finer))) => {
                finer >= scale && wider - finer >= precision.saturating_sub(scale)
            }
            _ => false,
        },
        (_, DataType::Double) => from.is_numeric(),
        (_, DataType::Float) => matches!(from, DataType::Tinyint | DataType::Smallint),
        (DataType::Date, DataType::Timestamp | DataType::TimestampNtz) => true,
        (DataType::Array(from), DataType::Array(to)) => assignable(from, to, declared),
        (DataType::Map(from_key, from_value), DataType::Map(to_key, to_value)) => {
            assignable(from_key, to_key, declared) && assignable(from_value, to_value, declared)
        }
        (DataType::Struct(from), DataType::Struct(to)) => {
            from.len() == to.len()
                && from.iter().zip(to).all(|(from, to)| {
                    name::same(&from.name, &to.name) && assignable(&from.data_type, &to.data_type, declared)
                })
        }
        _ => matches!((width(from), width(to)), (Some(from), Some(to)) if from <= to),
    }
}

fn wrong_type(contract: &Contract, promised: &ContractColumn, column: &RowColumn) -> Option<Diagnostic> {
    let target = &promised.column.data_type;
    let Some(data_type) = &column.data_type else {
        return (!promised.column.nullable).then(|| always_null(contract, promised, column));
    };
    if column.null && !promised.column.nullable {
        return Some(always_null(contract, promised, column));
    }
    if assignable(data_type, target, column.declared) {
        return None;
    }
    let message = format!(
        "`{}` is {}, and `{}` promises {}",
        column.name,
        blame::phrase(data_type),
        contract.name,
        blame::phrase(target)
    );
    let diagnostic = Diagnostic::error(code::CONTRACT_COLUMN_TYPE, message);
    let upper = target.to_string().to_uppercase();
    Some(match &column.origin {
        Origin::Expression { site, expression, alias } => {
            let cast = format!("CAST({expression} AS {upper})");
            let fix = match alias {
                Alias::Inline => format!("{cast} AS {}", promised.column.name),
                Alias::Apart => cast,
            };
            diagnostic
                .at(site.clone(), "")
                .at(promised.site.clone(), "promised here")
                .help(format!("cast it: `{fix}`, or change the contract"))
                .fix(fix)
        }
        Origin::Star { site } => diagnostic
            .at(site.clone(), "")
            .at(promised.site.clone(), "promised here")
            .help(format!("name the columns instead of `*`, with `CAST({} AS {upper})`", column.name)),
        Origin::Made { site } => diagnostic
            .at(site.clone(), "")
            .at(promised.site.clone(), "promised here")
            .help(format!("promise `{data_type}`, or cast it in a step")),
        Origin::Input => diagnostic.at(promised.site.clone(), "").help(format!("promise `{data_type}`")),
    })
}

fn always_null(contract: &Contract, promised: &ContractColumn, column: &RowColumn) -> Diagnostic {
    let message = format!("`{}` is always NULL, and `{}` promises that it never is", column.name, contract.name);
    let site = origin_site(column).unwrap_or(&promised.site).clone();
    Diagnostic::error(code::CONTRACT_COLUMN_TYPE, message)
        .at(site, "")
        .at(promised.site.clone(), "promised here")
        .help("compute a value, or say `nullable: true` in the contract")
}

/// The extra column that is probably the missing one under another name.
fn likely(promised: &ContractColumn, index: usize, extra: &[usize], row: &Row) -> Option<usize> {
    let named = extra.iter().filter(|place| !is_star(&row.columns[**place]));
    let names: Vec<&str> = named.clone().map(|place| row.columns[*place].name.as_str()).collect();
    match name::nearest(&promised.column.name, names.iter().copied()) {
        Some(near) => row.position(near),
        None => named.copied().find(|place| *place == index),
    }
}

fn misnamed(contract: &Contract, promised: &ContractColumn, column: &RowColumn) -> Diagnostic {
    let wanted = &promised.column.name;
    let message = format!("`{}` promises `{wanted}`, and this column is called `{}`", contract.name, column.name);
    let site = origin_site(column).unwrap_or(&promised.site).clone();
    let diagnostic = Diagnostic::error(code::CONTRACT_MISSING_COLUMN, message)
        .at(site, "")
        .at(promised.site.clone(), "promised here");
    match &column.origin {
        Origin::Expression { expression, alias: Alias::Inline, .. } => {
            let fix = format!("{expression} AS {wanted}");
            diagnostic.help(format!("name it: `{fix}`")).fix(fix)
        }
        Origin::Expression { .. } | Origin::Star { .. } | Origin::Made { .. } | Origin::Input => {
            diagnostic.help(format!("name it `{wanted}`"))
        }
    }
}

/// Marked at the column that it should stand behind, or in front of.
fn missing(
    contract: &Contract,
    index: usize,
    promised: &ContractColumn,
    found: &[Option<usize>],
    row: &Row,
    sql: &Sql,
) -> Diagnostic {
    let column = &promised.column;
    let message = format!("the query has no column `{}`, which `{}` promises", column.name, contract.name);
    let diagnostic = Diagnostic::error(code::CONTRACT_MISSING_COLUMN, message);
    let before = found[..index].iter().rev().find_map(|place| *place);
    let neighbour = before.or_else(|| found.iter().find_map(|place| *place)).map(|place| &row.columns[place]);
    let value = format!("CAST(NULL AS {}) AS {}", column.data_type.to_string().to_uppercase(), column.name);
    match neighbour.map(|neighbour| &neighbour.origin) {
        Some(Origin::Expression { site, alias: Alias::Inline, .. } | Origin::Star { site }) => {
            let written = text_at(sql, site).unwrap_or_default();
            let fix = if before.is_some() { format!("{written}, {value}") } else { format!("{value}, {written}") };
            let side = if before.is_some() { "behind" } else { "in front of" };
            let mut diagnostic = diagnostic
                .at(site.clone(), format!("it belongs {side} this column"))
                .at(promised.site.clone(), "promised here")
                .help(format!("select it here, e.g. `{fix}`, or take it out of the contract"));
            if column.nullable {
                diagnostic = diagnostic.fix(fix);
            }
            diagnostic
        }
        _ => diagnostic.at(promised.site.clone(), "").help("select it in the query, or take it out of the contract"),
    }
}

/// The first finding on extra columns: those of a star are told of together.
fn extra_columns(contract: &Contract, extra: &[usize], row: &Row, sql: &Sql) -> Option<Diagnostic> {
    let first = &row.columns[*extra.first()?];
    let Origin::Star { site } = &first.origin else { return Some(extra_column(contract, first, sql)) };
    let names: Vec<&str> = extra.iter().map(|place| row.columns[*place].name.as_str()).collect();
    let kept: Vec<&str> = row
        .columns
        .iter()
        .filter(|column| matches!(&column.origin, Origin::Star { site: other } if other == site))
        .map(|column| column.name.as_str())
        .filter(|name| !names.contains(name))
        .collect();
    let message = format!("`*` brings {}, which `{}` does not promise", name::list(&names), contract.name);
    let diagnostic = Diagnostic::error(code::CONTRACT_EXTRA_COLUMN, message).at(site.clone(), "");
    let fix = kept.join(", ");
    if kept.is_empty() {
        return Some(diagnostic.help("name the columns instead of `*`"));
    }
    Some(diagnostic.help(format!("name the columns instead: `{fix}`")).fix(fix))
}

fn extra_column(contract: &Contract, column: &RowColumn, sql: &Sql) -> Diagnostic {
    let message = format!("`{}` does not promise `{}`", contract.name, column.name);
    let diagnostic = Diagnostic::error(code::CONTRACT_EXTRA_COLUMN, message);
    let site = origin_site(column).unwrap_or(&contract.site);
    let removable = match (&site.part, &column.origin) {
        (Part::Text(range), Origin::Expression { alias: Alias::Inline, .. }) => with_comma(&sql.text, range),
        _ => None,
    };
    match removable {
        Some(range) => diagnostic
            .at(site.clone().text(range), "")
            .help(format!("take it out of the query, or add `{}` to the contract", column.name))
            .fix(""),
        None => diagnostic
            .at(site.clone(), "")
            .help(format!("take it out of the query, or add `{}` to the contract", column.name)),
    }
}

/// All promised columns are there, in another order.
fn order(contract: &Contract, found: &[Option<usize>], row: &Row, sql: &Sql) -> Diagnostic {
    let wanted: Vec<&RowColumn> = found.iter().flatten().map(|place| &row.columns[*place]).collect();
    let misplaced: Vec<usize> = wanted
        .iter()
        .enumerate()
        .filter(|(index, column)| row.columns.get(*index).is_none_or(|there| there.name != column.name))
        .map(|(index, _)| index)
        .collect();
    let (first, last) = (misplaced.first().copied().unwrap_or(0), misplaced.last().copied().unwrap_or(0));
    let names: Vec<&str> = contract.columns.iter().map(|promised| promised.column.name.as_str()).collect();
    let message = format!("the columns stand in another order than `{}` promises", contract.name);
    let diagnostic = Diagnostic::error(code::CONTRACT_COLUMN_ORDER, message)
        .note("positions matter where rows are appended or compared");
    let ranges: Option<Vec<Range<usize>>> = row.columns[first..=last].iter().map(item_range).collect();
    let Some(ranges) = ranges else {
        let site = row.columns.get(first).and_then(origin_site).unwrap_or(&contract.site).clone();
        let fix = names.join(", ");
        let star_only = row.columns.iter().all(is_star);
        let diagnostic = diagnostic.at(site, "").help(format!("name the columns in order: `{fix}`"));
        return if star_only { diagnostic.fix(fix) } else { diagnostic };
    };
    let items: Vec<&str> = wanted[first..=last]
        .iter()
        .filter_map(|column| item_range(column).and_then(|range| sql.text.get(range)))
        .collect();
    let whole = ranges.first().map_or(0, |range| range.start)..ranges.last().map_or(0, |range| range.end);
    let fix = items.join(", ");
    diagnostic.at(sql.site.clone().text(whole), "").help(format!("write them as `{}`", names.join(", "))).fix(fix)
}

fn item_range(column: &RowColumn) -> Option<Range<usize>> {
    match &column.origin {
        Origin::Expression { site: Site { part: Part::Text(range), .. }, alias: Alias::Inline, .. } => {
            Some(range.clone())
        }
        Origin::Expression { .. } | Origin::Star { .. } | Origin::Made { .. } | Origin::Input => None,
    }
}

fn origin_site(column: &RowColumn) -> Option<&Site> {
    match &column.origin {
        Origin::Expression { site, .. } | Origin::Star { site } | Origin::Made { site } => Some(site),
        Origin::Input => None,
    }
}

fn is_star(column: &RowColumn) -> bool {
    matches!(column.origin, Origin::Star { .. })
}

fn text_at<'a>(sql: &'a Sql, site: &Site) -> Option<&'a str> {
    match &site.part {
        Part::Text(range) => sql.text.get(range.clone()),
        Part::Value | Part::Key => None,
    }
}

/// A select item with the comma that goes when it goes.
fn with_comma(text: &str, item: &Range<usize>) -> Option<Range<usize>> {
    let after = text.get(item.end..)?;
    let skipped = after.len() - after.trim_start().len();
    if after[skipped..].starts_with(',') {
        return Some(item.start..item.end + skipped + 1);
    }
    let before = text.get(..item.start)?.trim_end();
    before.ends_with(',').then(|| before.len() - 1..item.end)
}

fn single(diagnostic: Diagnostic) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(diagnostic);
    diagnostics
}
