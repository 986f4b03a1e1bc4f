//! `medc diff`: a table in two environments, or at two versions.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arguments::{Diff, ResultFormat};
use super::stages::{self, Loaded, Session};
use super::ui;
use super::{Done, Failure, Outcome, apply, show};
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::diff::{self, ColumnChange, Difference, Example, Keys, Side, Stopped};
use crate::engines::local::restore;
use crate::ir::WriteMode;
use crate::name::{self, TableName};

const FORMAT_VERSION: u32 = 1;

/// Compares, and writes what differs to stdout.
pub(super) fn run(options: &Diff, session: &mut Session) -> Outcome {
    let after = session.load_here()?;
    let table = show::find(&options.table, &after)?;
    let before = match &options.from {
        Some(environment) => Some(session.load_here_in(environment)?),
        None => None,
    };
    if before.is_none() && options.at.is_none() {
        return Err(Failure::asked(
            "compare with what?",
            Some("`--from ENVIRONMENT`, or `--at VERSION`, and `--and VERSION` if not with the newest".to_owned()),
        ));
    }
    let labels = Labels::of(options, &table, &after, session)?;
    let old = before.as_ref().unwrap_or(&after);
    let (old_settings, new_settings) = (apply::settings(old, session), apply::settings(&after, session));
    let difference = stages::runtime().block_on(diff::diff(
        &table,
        &Side { checked: &old.checked, settings: &old_settings, version: labels.versions.0 },
        &Side { checked: &after.checked, settings: &new_settings, version: labels.versions.1 },
        &keys(options, &table, &after),
        options.examples,
    ));
    let difference = difference.map_err(|stopped| refuse(stopped, &table, &labels, session))?;
    match options.format {
        ResultFormat::Human => session.console.data(&human(&table, &labels, &difference))?,
        ResultFormat::Json => {
            let written = machine(&table, &labels, &difference);
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
    }
    Ok(if difference.is_same() { Done::Well } else { Done::Unwell })
}

/// What the sides are called, and their versions.
struct Labels {
    before: String,
    after: String,
    versions: (Option<i64>, Option<i64>),
}

impl Labels {
    fn of(options: &Diff, table: &TableName, loaded: &Loaded, session: &mut Session) -> Result<Self, Failure> {
        if let Some(environment) = &options.from {
            let after = loaded.resolved.environment.name.clone();
            return Ok(Labels { before: environment.clone(), after, versions: (None, None) });
        }
        let versions = restore::versions_of(&loaded.warehouse(), table);
        let versions = versions.map_err(|found| session.diagnostics.error(found))?;
        let version = |moment: Option<super::moment::Moment>| {
            let Some(moment) = moment else { return Ok(versions.last().map(|newest| newest.version)) };
            moment.of(&versions).map(Some).map_err(|why| {
                Failure::asked(
                    format!("`{table}` cannot be compared: {why}"),
                    Some(format!("`medc restore {table} --list` shows its versions")),
                )
            })
        };
        let versions = (version(options.at)?, version(options.and)?);
        let label = |version: Option<i64>| version.map_or("now".to_owned(), |version| format!("version {version}"));
        Ok(Labels { before: label(versions.0), after: label(versions.1), versions })
    }
}

/// What a row is known by: as asked, or as its table says.
fn keys(options: &Diff, table: &TableName, loaded: &Loaded) -> Keys {
    match options.keys.as_slice() {
        [] => {}
        [none] if none == "none" => return Keys::WholeRow,
        columns => return Keys::Columns(columns.to_vec()),
    }
    let Some(id) = loaded.checked.graph.find(table) else { return Keys::WholeRow };
    let node = loaded.checked.graph.node(id);
    if let WriteMode::Merge { keys } = &node.write.mode {
        return Keys::Columns(keys.clone());
    }
    let primary = node.contract.as_ref().map(|contract| contract.primary_key.clone()).unwrap_or_default();
    if !primary.is_empty() {
        return Keys::Columns(primary);
    }
    let unique = loaded.checked.typed(id).unique.iter().min_by_key(|columns| columns.len());
    unique.map_or(Keys::WholeRow, |columns| Keys::Columns(columns.iter().cloned().collect()))
}

fn refuse(stopped: Stopped, table: &TableName, labels: &Labels, session: &mut Session) -> Failure {
    match stopped {
        Stopped::Missing { is_before } => {
            let place = if is_before { &labels.before } else { &labels.after };
            let missing = Diagnostic::error(code::NOT_BUILT, format!("`{table}` was not built yet in {place}"));
            session.diagnostics.error(missing.help(format!("build it: `medc apply --select +{table}`"))).into()
        }
        Stopped::UnknownKey { column, known } => Failure::asked(
            format!("`{table}` has no column `{column}` on both sides"),
            name::did_you_mean(&column, known.iter().map(String::as_str)),
        ),
        Stopped::RepeatedKeys { n_rows } => Failure::asked(
            format!("{} of `{table}` repeat a key, so that it is not known which to compare", ui::count(n_rows, "row")),
            Some(
                "name the columns that a row is known by with `--keys`, or compare whole rows: `--keys none`"
                    .to_owned(),
            ),
        ),
        Stopped::NothingInCommon => {
            Failure::asked(format!("the two sides of `{table}` have no column in common"), None)
        }
        Stopped::Failed(diagnostic) => session.diagnostics.error(*diagnostic).into(),
    }
}

fn human(table: &TableName, labels: &Labels, difference: &Difference) -> String {
    let Labels { before, after, .. } = labels;
    let rows = &difference.rows;
    let n_both = rows.n_equal + rows.n_different;
    let (n_before, n_after) = (n_both + rows.n_only_before, n_both + rows.n_only_after);
    // Writing to a `String` cannot fail.
    let mut text = format!("{table}  {before} → {after}\n");
    for change in &difference.columns {
        let _ = match change {
            ColumnChange::Added { column, data_type } => writeln!(text, "  + {column} {data_type}"),
            ColumnChange::Removed { column, data_type } => writeln!(text, "  - {column} {data_type}"),
            ColumnChange::Retyped { column, before, after } => writeln!(text, "  ~ {column} {before} → {after}"),
        };
    }
    let _ = writeln!(text, "  {} → {}", ui::count(n_before, "row"), ui::count(n_after, "row"));
    if difference.is_same() {
        let _ = writeln!(text, "  the same");
        return text;
    }
    let known_by = if difference.keys.is_empty() { "whole rows".to_owned() } else { difference.keys.join(", ") };
    let _ = writeln!(text, "  by {known_by}: {} the same", ui::grouped(rows.n_equal));
    for (n, side, examples) in
        [(rows.n_only_before, before, &rows.only_before), (rows.n_only_after, after, &rows.only_after)]
    {
        if n > 0 {
            let _ = writeln!(text, "  {} only in {side}", ui::count(n, "row"));
            for example in examples {
                let _ = writeln!(text, "      {}", known(example));
            }
        }
    }
    if rows.n_different > 0 {
        let _ = writeln!(text, "  {} with another value", ui::count(rows.n_different, "row"));
    }
    for (column, (n, examples)) in difference.compared.iter().zip(&rows.columns).filter(|(_, (n, _))| *n > 0) {
        let _ = writeln!(text, "  {column} differs in {}", ui::count(*n, "row"));
        for example in examples {
            let (before, after) = (cell(example.before.as_ref()), cell(example.after.as_ref()));
            let _ = writeln!(text, "      {}: {before} → {after}", known(example));
        }
    }
    text
}

fn cell(value: Option<&String>) -> &str {
    value.map_or("NULL", String::as_str)
}

fn known(example: &Example) -> String {
    example.key.iter().map(|value| cell(value.as_ref())).collect::<Vec<_>>().join(", ")
}

fn machine(table: &TableName, labels: &Labels, difference: &Difference) -> Value {
    let rows = &difference.rows;
    let n_both = rows.n_equal + rows.n_different;
    let changes = difference.columns.iter().map(|change| match change {
        ColumnChange::Added { column, data_type } => json!({ "change": "added", "column": column, "after": data_type }),
        ColumnChange::Removed { column, data_type } => {
            json!({ "change": "removed", "column": column, "before": data_type })
        }
        ColumnChange::Retyped { column, before, after } => {
            json!({ "change": "retyped", "column": column, "before": before, "after": after })
        }
    });
    let keys = |examples: &[Example]| examples.iter().map(|example| json!(example.key)).collect::<Vec<_>>();
    let columns = difference.compared.iter().zip(&rows.columns).filter(|(_, (n, _))| *n > 0);
    let columns = columns.map(|(column, (n, examples))| {
        let examples = examples
            .iter()
            .map(|example| json!({ "key": example.key, "before": example.before, "after": example.after }));
        json!({ "column": column, "n_different": n, "examples": examples.collect::<Vec<_>>() })
    });
    json!({
        "format_version": FORMAT_VERSION,
        "table": table.to_string(),
        "before": { "name": labels.before, "version": labels.versions.0, "n_rows": n_both + rows.n_only_before },
        "after": { "name": labels.after, "version": labels.versions.1, "n_rows": n_both + rows.n_only_after },
        "same": difference.is_same(),
        "schema": changes.collect::<Vec<_>>(),
        "keys": difference.keys,
        "n_equal": rows.n_equal,
        "n_only_before": rows.n_only_before,
        "n_only_after": rows.n_only_after,
        "n_different": rows.n_different,
        "only_before": keys(&rows.only_before),
        "only_after": keys(&rows.only_after),
        "columns": columns.collect::<Vec<_>>(),
    })
}
