//! The ledger's results, put to the expectations that the project has now.
//!
//! In: a [`History`]. Out: each declared expectation with its newest verdict, and shares run by run. A result belongs to the
//! declared expectation of its kind and label (the first to the first, where several are the same); a table's newest results
//! that nothing declares by itself, such as those of casts, follow the declared ones. Masked values of examples and observed values
//! of masked columns are replaced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::masks::Masked;
use super::view::{Cell, Example, Expectation, Status, Verdict};
use super::words;
use crate::engines::local::history::{self, History};
use crate::ir::{Assertion, Dimension, Node};

/// A table's expectation: table, kind, label, and how many alike stand before it.
type Key<'h> = (&'h str, &'h str, &'h str, usize);

type Counts = BTreeMap<(usize, Option<Dimension>), (u64, u64)>;

/// Results by what they are about.
pub(super) struct Results<'h> {
    n_runs: usize,
    newest: BTreeMap<&'h str, Vec<&'h history::Verdict>>,
    /// The share that held, run by run.
    trends: BTreeMap<Key<'h>, Vec<Option<f64>>>,
    /// Checked and passed: by table, then by run and dimension.
    counts: BTreeMap<&'h str, Counts>,
    places: BTreeMap<&'h str, usize>,
}

impl<'h> Results<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let places: BTreeMap<&str, usize> =
            history.runs.iter().enumerate().map(|(place, run)| (run.run_id.as_str(), place)).collect();
        let n_runs = history.runs.len();
        let mut results =
            Results { n_runs, newest: BTreeMap::new(), trends: BTreeMap::new(), counts: BTreeMap::new(), places };
        for verdict in &history.newest {
            results.newest.entry(&verdict.table).or_default().push(verdict);
        }
        let mut alike: BTreeMap<(usize, &str, &str, &str), usize> = BTreeMap::new();
        for verdict in &history.verdicts {
            let Some(&place) = results.places.get(verdict.run_id.as_str()) else { continue };
            let label = lasting_label(verdict);
            let nth = alike.entry((place, &verdict.table, &verdict.kind, label)).or_default();
            let key = (verdict.table.as_str(), verdict.kind.as_str(), label, *nth);
            *nth += 1;
            let trend = results.trends.entry(key).or_insert_with(|| vec![None; n_runs]);
            trend[place] = Some(share(verdict));
            let of_table = results.counts.entry(&verdict.table).or_default();
            let (n_checked, n_passed) = of_table.entry((place, dimension(verdict))).or_default();
            *n_checked += 1;
            *n_passed += u64::from(verdict.success);
        }
        results
    }

    /// When a table's expectations were checked last, in microseconds since 1970.
    pub(super) fn checked_at(&self, table: &str) -> Option<i64> {
        self.newest.get(table)?.iter().filter_map(|verdict| verdict.checked_at).max()
    }

    /// What is expected of a table and what became of it.
    pub(super) fn expectations(&self, node: &Node, masked: &Masked) -> Vec<Expectation> {
        let table = node.name.to_string();
        let newest = self.newest.get(table.as_str()).map_or(&[][..], Vec::as_slice);
        let mut taken = BTreeSet::new();
        let mut alike: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut expectations = Vec::new();
        for assertion in &node.assertions {
            let nth = alike.entry((assertion.kind, &assertion.label)).or_default();
            let found = newest.iter().enumerate().find(|(place, verdict)| {
                !taken.contains(place) && verdict.kind == assertion.kind && verdict.label == assertion.label
            });
            taken.extend(found.map(|(place, _)| place));
            let trend = self.trends.get(&(table.as_str(), assertion.kind, assertion.label.as_str(), *nth));
            *nth += 1;
            let verdict = found.map(|(_, verdict)| *verdict);
            expectations.push(declared(assertion, verdict, trend.cloned().unwrap_or_default(), masked));
        }
        for (place, verdict) in newest.iter().enumerate().filter(|(place, _)| !taken.contains(place)) {
            let before = newest.iter().take(place);
            let nth = before.filter(|other| other.kind == verdict.kind && other.label == verdict.label).count();
            // What is no longer declared but was when the table was checked is told of only where it is medc's own.
            let is_dropped = crate::expectations::KINDS.iter().any(|kind| kind.name == verdict.kind);
            if !is_dropped {
                let trend = self.trends.get(&(table.as_str(), verdict.kind.as_str(), lasting_label(verdict), nth));
                expectations.push(undeclared(verdict, trend.cloned().unwrap_or_default(), masked));
            }
        }
        expectations
    }

    /// Checked and passed expectations of these tables in a run.
    pub(super) fn run_counts(&self, run_id: &str, tables: &BTreeSet<&str>) -> (u64, u64) {
        let Some(&place) = self.places.get(run_id) else { return (0, 0) };
        let of_tables = tables.iter().filter_map(|table| self.counts.get(table));
        let of_run = of_tables.flatten().filter(|((at, _), _)| *at == place);
        of_run.fold((0, 0), |(n_checked, n_passed), (_, (checked, passed))| (n_checked + checked, n_passed + passed))
    }

    pub(super) fn table_trend(&self, table: &str) -> Vec<Option<f64>> {
        self.trend(self.counts.get(table), |_| true)
    }

    pub(super) fn dimension_trend(&self, dimension: Dimension, tables: &BTreeSet<&str>) -> Vec<Option<f64>> {
        self.trend(tables.iter().filter_map(|table| self.counts.get(table)), |own| own == Some(dimension))
    }

    fn trend<'c>(
        &self,
        counts: impl IntoIterator<Item = &'c Counts>,
        wanted: impl Fn(Option<Dimension>) -> bool,
    ) -> Vec<Option<f64>> {
        let mut sums = vec![(0_u64, 0_u64); self.n_runs];
        for ((place, dimension), (n_checked, n_passed)) in counts.into_iter().flatten() {
            if let Some(sum) = sums.get_mut(*place).filter(|_| wanted(*dimension)) {
                *sum = (sum.0 + n_checked, sum.1 + n_passed);
            }
        }
        sums.into_iter()
            .map(|(n_checked, n_passed)| (n_checked > 0).then(|| words::ratio(n_passed, n_checked)))
            .collect()
    }
}

/// Seconds between two instants in microseconds.
#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
pub(super) fn seconds_between(from: Option<i64>, to: Option<i64>) -> Option<f64> {
    let (from, to) = from.zip(to)?;
    Some((to.saturating_sub(from).max(0) / 1000) as f64 / 1000.0)
}

fn share(verdict: &history::Verdict) -> f64 {
    match verdict.n_considered {
        // What is said of the table as a whole is broken by no row of it.
        _ if verdict.n_violating == 0 => f64::from(u8::from(verdict.success)),
        0 => f64::from(u8::from(verdict.success)),
        n => words::ratio(n.saturating_sub(verdict.n_violating), n),
    }
}

/// A label that is the same from run to run: that of casts counts what could not be cast.
fn lasting_label(verdict: &history::Verdict) -> &str {
    if verdict.kind == "cast" { "" } else { &verdict.label }
}

fn dimension(verdict: &history::Verdict) -> Option<Dimension> {
    serde_json::from_value(Value::String(verdict.dimension.clone()?)).ok()
}

fn status(verdict: Option<&history::Verdict>, on_violation: &str) -> Status {
    match verdict {
        None => Status::Unchecked,
        Some(verdict) if verdict.success => Status::Passed,
        Some(_) => match on_violation {
            "warn" => Status::Warned,
            "drop" | "quarantine" => Status::SetAside,
            _ => Status::Failed,
        },
    }
}

fn declared(
    assertion: &Assertion,
    verdict: Option<&history::Verdict>,
    trend: Vec<Option<f64>>,
    masked: &Masked,
) -> Expectation {
    // What was done then counts, not what would be done now.
    let then = verdict.and_then(|verdict| verdict.on_violation.clone());
    let on_violation = then.or_else(|| words::serde_word(assertion.on_violation)).unwrap_or_default();
    Expectation {
        kind: assertion.kind.to_owned(),
        label: assertion.label.clone(),
        description: assertion.description.clone(),
        owner: assertion.owner.clone(),
        columns: assertion.columns.clone(),
        dimension: Some(assertion.dimension),
        status: status(verdict, &on_violation),
        on_violation,
        severity: assertion.severity.and_then(words::serde_word),
        mostly: assertion.mostly,
        result: verdict.map(|verdict| result(verdict, masked)),
        trend,
    }
}

fn undeclared(verdict: &history::Verdict, trend: Vec<Option<f64>>, masked: &Masked) -> Expectation {
    let on_violation = verdict.on_violation.clone().unwrap_or_default();
    Expectation {
        kind: verdict.kind.clone(),
        label: verdict.label.clone(),
        description: None,
        owner: None,
        columns: verdict.columns.clone(),
        dimension: dimension(verdict),
        status: status(Some(verdict), &on_violation),
        on_violation,
        severity: verdict.severity.clone(),
        mostly: verdict.mostly.unwrap_or(1.0),
        result: Some(result(verdict, masked)),
        trend,
    }
}

fn result(verdict: &history::Verdict, masked: &Masked) -> Verdict {
    let speaks_of_masked = verdict.columns.iter().any(|column| masked.is_masked(column));
    let observed = verdict
        .observed
        .as_deref()
        .map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())));
    Verdict {
        run_id: verdict.run_id.clone(),
        checked_at: verdict.checked_at.map(words::rfc3339),
        n_rows: verdict.n_rows,
        n_considered: verdict.n_considered,
        n_violating: verdict.n_violating,
        share: share(verdict),
        // What a column of personal values was observed to be may be such a value.
        observed: observed.filter(|_| !speaks_of_masked),
        examples: verdict.examples.as_deref().map(|text| examples(text, verdict, masked)).unwrap_or_default(),
        duration_s: verdict.duration_s,
    }
}

/// The examples' cells: those of masked columns, and of names that the table does not have, are masked.
fn examples(text: &str, verdict: &history::Verdict, masked: &Masked) -> Vec<Example> {
    let rows: Vec<Map<String, Value>> = serde_json::from_str(text).unwrap_or_default();
    let cell = |column: &str, value: Value| {
        let is_hidden = masked.is_masked(column)
            || (masked.is_unknown_masked()
                && !masked.knows(column)
                && !verdict.columns.iter().any(|own| own == column));
        if is_hidden && !value.is_null() { Cell::MASKED } else { Cell::Shown(value) }
    };
    rows.into_iter()
        .map(|row| row.into_iter().map(|(column, value)| (column.clone(), cell(&column, value))).collect())
        .collect()
}
