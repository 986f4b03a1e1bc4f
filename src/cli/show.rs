//! `medc show`: a table's rows, for people and pipes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::arguments::{RowsFormat, Show};
use super::lineage;
use super::stages::{self, Loaded, Session};
use super::ui::{self, Paint, Tone};
use super::{Done, Failure, Outcome, apply};
use crate::diagnostic::{Code, Diagnostic, Fix, Site, code};
use crate::engines::local::preview::{self, Part, Question, Refusal, Rows};
use crate::name::{self, TableName};
use crate::source::SourceKind;
use crate::sql::parse::ErrorKind;

/// Longer values are cut in the table format.
const WIDEST_CELL: usize = 60;

/// Writes the rows to stdout.
pub(super) fn run(options: &Show, session: &mut Session) -> Outcome {
    let loaded = session.load_here()?;
    let name = find(&options.table, &loaded)?;
    let question = Question {
        columns: options.columns.clone(),
        filter: options.filter.clone(),
        order_by: options.order_by.clone(),
        limit: (options.limit > 0).then_some(options.limit),
    };
    let rows = stages::runtime().block_on(read(&loaded, &name, options.at, &question, session))?;
    let unreadable = |error| Failure::Stopped { message: format!("a value cannot be shown: {error}") };
    let written = match options.format {
        RowsFormat::Table => table(&rows, &rows.cells().map_err(unreadable)?, session.console.paint_data()),
        RowsFormat::Csv => csv(&rows, &rows.cells().map_err(unreadable)?),
        RowsFormat::Json => rows.json_lines().map_err(unreadable)?,
    };
    session.console.data(&written)?;
    if rows.has_more {
        let n = ui::count(rows.n_rows() as u64, "row");
        session.console.say(&format!("the first {n}; `--limit N` shows more, `--limit 0` all"))?;
    }
    Ok(Done::Well)
}

async fn read(
    loaded: &Loaded,
    table: &TableName,
    version: Option<u64>,
    question: &Question,
    session: &mut Session,
) -> Result<Rows, Failure> {
    match preview::show(&loaded.checked, &apply::settings(loaded, session), table, version, question).await {
        Ok(Some(rows)) => Ok(rows),
        Ok(None) => Err(session.diagnostics.error(not_built(loaded, table, version)).into()),
        Err(refusal) => Err(refuse(refusal, &table.to_string(), question, session)),
    }
}

/// A table of the project, or another that lies in the warehouse.
pub(super) fn find(asked: &str, loaded: &Loaded) -> Result<TableName, Failure> {
    if let Ok(id) = lineage::find_table(asked, loaded) {
        return Ok(loaded.checked.graph.node(id).name.clone());
    }
    let stored = preview::stored_tables(&loaded.warehouse());
    if let Some(name) = TableName::parse(asked).filter(|name| stored.contains(name)) {
        return Ok(name);
    }
    let declared = loaded.checked.graph.nodes.keys();
    let known: BTreeSet<String> = declared.chain(&stored).map(ToString::to_string).collect();
    let help = name::did_you_mean(asked, known.iter().map(String::as_str));
    Err(Failure::asked(format!("there is no table `{asked}`"), help))
}

fn not_built(loaded: &Loaded, table: &TableName, version: Option<u64>) -> Diagnostic {
    let missing = match version {
        Some(version) => Diagnostic::error(code::NOT_BUILT, format!("`{table}` has no version {version}"))
            .help("leave out `--at` for the newest"),
        None => Diagnostic::error(code::NOT_BUILT, format!("`{table}` was not built yet"))
            .help(format!("build it: `medc apply --select +{table}`")),
    };
    match loaded.checked.graph.nodes.get(table) {
        Some(node) => missing.at(node.site.clone().key(), ""),
        None => missing,
    }
}

fn refuse(refusal: Refusal, table: &str, question: &Question, session: &mut Session) -> Failure {
    match refusal {
        Refusal::UnknownColumn { column, known } => Failure::asked(
            format!("`{table}` has no column `{column}`"),
            name::did_you_mean(&column, known.iter().map(String::as_str)),
        ),
        Refusal::Type(cause) => Failure::Stopped { message: format!("`{table}` cannot be shown: {cause}") },
        Refusal::Engine(diagnostic) => session.diagnostics.error(*diagnostic).into(),
        Refusal::Sql(errors) => {
            for (part, error) in errors {
                let (shown, text) = match part {
                    Part::Filter => ("--where", &question.filter),
                    Part::OrderBy => ("--order-by", &question.order_by),
                };
                let text = text.clone().unwrap_or_default();
                let source = session
                    .sources
                    .find(shown)
                    .unwrap_or_else(|| session.sources.add(shown, text.as_str(), SourceKind::Text));
                let diagnostic = Diagnostic {
                    note: error.note.clone(),
                    help: error.help.clone(),
                    fix: error.fix.clone().map(Fix::Value),
                    ..Diagnostic::error(code_of(error.kind), error.message.clone())
                        .at(Site::root(source).text(error.range.clone()), "")
                };
                session.diagnostics.error(diagnostic);
            }
            Failure::Reported
        }
    }
}

fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Syntax => code::SQL_SYNTAX,
        ErrorKind::Statement => code::SQL_STATEMENT,
        ErrorKind::UnknownTable => code::SQL_UNKNOWN_TABLE,
        ErrorKind::UnknownColumn => code::SQL_UNKNOWN_COLUMN,
        ErrorKind::AmbiguousColumn => code::SQL_AMBIGUOUS_COLUMN,
        ErrorKind::UnknownFunction => code::SQL_UNKNOWN_FUNCTION,
        ErrorKind::FunctionArguments => code::SQL_FUNCTION_ARGUMENTS,
        ErrorKind::Type => code::SQL_TYPE,
        ErrorKind::NotGrouped => code::SQL_GROUP_BY,
        ErrorKind::DuplicateColumn => code::SQL_DUPLICATE_COLUMN,
        ErrorKind::Unsupported => code::SQL_UNSUPPORTED,
        ErrorKind::Invalid => code::SQL_INVALID,
    }
}

/// Columns under their names and types, numbers to the right.
fn table(rows: &Rows, cells: &[Vec<Option<String>>], paint: Paint) -> String {
    let columns = &rows.schema.columns;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let kinds: Vec<String> = columns.iter().map(|column| column.data_type.to_string()).collect();
    let cell = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), shown);
    let shown_cells: Vec<Vec<String>> = cells.iter().map(|row| row.iter().map(cell).collect()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let of_rows = shown_cells.iter().filter_map(|row| row.get(at)).map(|value| width(value));
            of_rows.chain([width(names[at]), width(&kinds[at])]).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let mut line = |values: &mut dyn Iterator<Item = (String, Option<Tone>)>| {
        let mut parts = Vec::new();
        for (at, (value, tone)) in values.enumerate() {
            let gap = " ".repeat(widths[at].saturating_sub(width(&value)));
            let painted = tone.map_or_else(|| value.clone(), |tone| paint.tone(tone, &value));
            parts.push(if rows.is_numeric(at) { format!("{gap}{painted}") } else { format!("{painted}{gap}") });
        }
        let _ = writeln!(text, "{}", parts.join("  ").trim_end());
    };
    line(&mut names.iter().map(|name| ((*name).to_owned(), Some(Tone::Strong))));
    line(&mut kinds.iter().map(|kind| (kind.clone(), Some(Tone::Faint))));
    line(&mut widths.iter().map(|width| ("─".repeat(*width), Some(Tone::Faint))));
    for (row, original) in shown_cells.into_iter().zip(cells) {
        let tones = original.iter().map(|value| value.is_none().then_some(Tone::Faint));
        line(&mut row.into_iter().zip(tones));
    }
    text
}

/// One line, not too long.
fn shown(value: &str) -> String {
    let flat: String = value
        .chars()
        .map(|character| match character {
            '\n' => '⏎',
            control if control.is_control() => '\u{fffd}',
            other => other,
        })
        .collect();
    if width(&flat) <= WIDEST_CELL {
        return flat;
    }
    flat.chars().take(WIDEST_CELL - 1).chain(['…']).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// CSV as medc reads it: NULL is an empty field, an empty text is `""`.
fn csv(rows: &Rows, cells: &[Vec<Option<String>>]) -> String {
    let field = |value: Option<&str>| match value {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.to_owned(),
    };
    let mut text = String::new();
    let header: Vec<String> = rows.schema.names().map(|name| field(Some(name))).collect();
    let _ = writeln!(text, "{}", header.join(","));
    for row in cells {
        let fields: Vec<String> = row.iter().map(|value| field(value.as_deref())).collect();
        let _ = writeln!(text, "{}", fields.join(","));
    }
    text
}
