//! A broken expectation on the page: what it is, what follows from it, and examples.
//!
//! In: a table's expectation. Out: texts in the order in which they are read. Of many findings each shows fewer examples.

use serde::Serialize;
use serde_json::Value;

use super::table::anchor;
use super::{Badge, Fact, Jinja, status_badge, words_of};
use crate::cli::report::view::{Cell, Expectation, Status, Table, Verdict};
use crate::cli::report::{charts, words};
use crate::cli::ui;

/// The first ones are open from the beginning.
const N_OPEN: usize = 2;
/// A page with more findings shows fewer examples of each.
const FEW_FINDINGS: usize = 20;
const MOST_EXAMPLES: usize = 20;
const FEWER_EXAMPLES: usize = 5;
const LONGEST_CELL: usize = 200;

#[derive(Serialize)]
pub(super) struct Finding {
    id: String,
    badge: Badge,
    table: String,
    table_id: String,
    label: String,
    count: String,
    description: Option<String>,
    consequence: String,
    facts: Vec<Fact>,
    spark: Option<Jinja>,
    examples: Option<Examples>,
    is_open: bool,
}

#[derive(Serialize)]
struct Examples {
    caption: String,
    columns: Vec<ExampleColumn>,
    rows: Vec<Vec<ExampleCell>>,
}

#[derive(Serialize)]
struct ExampleColumn {
    name: String,
    /// Whether the expectation speaks of it.
    is_subject: bool,
}

#[derive(Serialize)]
struct ExampleCell {
    text: String,
    class: Option<&'static str>,
}

/// One of `n_findings`.
pub(super) fn finding(place: usize, table: &Table, expectation: &Expectation, n_findings: usize) -> Finding {
    let verdict = expectation.result.as_ref();
    let most = if n_findings > FEW_FINDINGS { FEWER_EXAMPLES } else { MOST_EXAMPLES };
    Finding {
        id: format!("broken-{}", place + 1),
        badge: status_badge(expectation.status),
        table: table.name.clone(),
        table_id: anchor(&table.name),
        label: expectation.label.clone(),
        count: verdict.map(count).unwrap_or_default(),
        description: expectation.description.clone(),
        consequence: consequence(expectation),
        facts: facts(expectation, verdict),
        spark: charts::sparkline(&expectation.trend, "Share that holds").map(Jinja::from_safe_string),
        examples: verdict.and_then(|verdict| examples(expectation, verdict, most)),
        is_open: place < N_OPEN,
    }
}

/// E.g. `41 of 5,000 (0.8%)`.
fn count(verdict: &Verdict) -> String {
    match (verdict.n_violating, verdict.n_considered) {
        // It is the table as a whole that breaks it.
        (0, _) | (_, 0) => verdict.observed.as_ref().map(|observed| cut(&words::value(observed))).unwrap_or_default(),
        (_, n) => format!(
            "{} of {} ({})",
            ui::grouped(verdict.n_violating),
            ui::grouped(n),
            words::percent(words::ratio(verdict.n_violating, n))
        ),
    }
}

fn consequence(expectation: &Expectation) -> String {
    match expectation.status {
        Status::Failed => "The table keeps the rows that it had before; what reads it was not run.".to_owned(),
        Status::SetAside if expectation.on_violation == "quarantine" => {
            "The rows that break it were put into the table's quarantine, with the reasons.".to_owned()
        }
        Status::SetAside => "The rows that break it were dropped.".to_owned(),
        Status::Warned => "The rows that break it are in the table; it only warns.".to_owned(),
        Status::Passed | Status::Unchecked => String::new(),
    }
}

fn facts(expectation: &Expectation, verdict: Option<&Verdict>) -> Vec<Fact> {
    let mut facts = vec![Fact { name: "Kind", value: expectation.kind.clone() }];
    if !expectation.columns.is_empty() {
        facts.push(Fact { name: "Columns", value: expectation.columns.join(", ") });
    }
    if let Some(dimension) = expectation.dimension {
        facts.push(Fact { name: "Dimension", value: words_of(dimension).0.to_owned() });
    }
    if let Some(severity) = &expectation.severity {
        facts.push(Fact { name: "Severity", value: severity.clone() });
    }
    if expectation.mostly < 1.0 {
        facts.push(Fact { name: "Must hold for", value: words::percent(expectation.mostly) });
    }
    if let Some(owner) = &expectation.owner {
        facts.push(Fact { name: "Owner", value: owner.clone() });
    }
    let Some(verdict) = verdict else { return facts };
    if let Some(observed) = &verdict.observed {
        facts.push(Fact { name: "Observed", value: cut(&words::value(observed)) });
    }
    if verdict.n_violating > 0 {
        facts.push(Fact { name: "Holds for", value: words::percent(verdict.share) });
    }
    if let Some(checked_at) = &verdict.checked_at {
        facts.push(Fact { name: "Checked", value: words::moment(checked_at) });
    }
    facts
}

fn examples(expectation: &Expectation, verdict: &Verdict, most: usize) -> Option<Examples> {
    let mut names: Vec<&String> = Vec::new();
    for name in verdict.examples.iter().flat_map(indexmap::IndexMap::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let is_subject = |name: &str| expectation.columns.iter().any(|column| crate::name::same(column, name));
    // What it speaks of comes first: rows may be wide.
    names.sort_by_key(|name| !is_subject(name));
    let rows: Vec<Vec<ExampleCell>> =
        verdict.examples.iter().take(most).map(|row| names.iter().map(|name| cell(row.get(*name))).collect()).collect();
    let shown = rows.len() as u64;
    (shown > 0).then(|| Examples {
        caption: if verdict.n_violating > shown {
            format!("{} of {}", ui::count(shown, "example"), ui::grouped(verdict.n_violating))
        } else {
            ui::count(shown, "example")
        },
        columns: names
            .iter()
            .map(|name| ExampleColumn { name: (*name).clone(), is_subject: is_subject(name) })
            .collect(),
        rows,
    })
}

fn cell(cell: Option<&Cell>) -> ExampleCell {
    match cell {
        Some(Cell::Masked(_)) => ExampleCell { text: "masked".to_owned(), class: Some("masked") },
        Some(Cell::Shown(Value::Null)) => ExampleCell { text: "NULL".to_owned(), class: Some("null") },
        // Rows are shown as they are: no digit is grouped.
        Some(Cell::Shown(Value::String(text))) => ExampleCell { text: cut(text), class: None },
        Some(Cell::Shown(value)) => ExampleCell { text: cut(&value.to_string()), class: None },
        None => ExampleCell { text: String::new(), class: None },
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_CELL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_CELL - 1).chain(['…']).collect()
}
