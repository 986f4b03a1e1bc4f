//! A report as one HTML file.
//!
//! In: a [`Report`]. Out: HTML with its style, script and pictures inside; a policy in its head forbids everything that
//! is not. All words and numbers are chosen here, the template lays them out. Whatever a template writes passes one formatter, which
//! makes invisible characters visible and escapes, so that no name and no value can become markup; only pictures made
//! by this program are written as they are.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value as Jinja, ValueKind};
use minijinja::{Environment, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use super::view::{Report, State, Status, Table};
use super::{charts, gather, words};
use crate::check::Checked;
use crate::cli::lineage::{self, Signpost};
use crate::cli::ui;
use crate::ir::{Dimension, NodeId};

mod finding;
mod table;

use finding::Finding;
use table::TableEntry;

const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/report/page.html"));
const STYLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/report/page.css"));
const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/report/page.js"));

/// From so many tables on, columns are shown in rows, without pictures and frequent values, and the lineage is folded.
const MANY_TABLES: usize = 150;

/// More findings than these are only shown with their tables.
const MOST_FINDINGS: usize = 200;

/// What the template is given.
#[derive(Serialize)]
struct Page<'r> {
    css: Jinja,
    script: Jinja,
    nonce: String,
    medc_version: &'r str,
    generated_at: String,
    project: &'r str,
    description: Option<&'r str>,
    environment: &'r str,
    facts: Vec<Fact>,
    sections: Vec<Section>,
    verdict: Verdict,
    figures: Vec<Figure>,
    findings: Vec<Finding>,
    n_hidden_findings: Option<String>,
    dimensions: Vec<DimensionCard>,
    trend: Option<Jinja>,
    runs: Vec<RunRow>,
    lineage: Option<Jinja>,
    is_big: bool,
    n_tables: String,
    tables_there: bool,
    layers: Vec<LayerSection>,
    notes: Vec<String>,
}

/// A name and what it has.
#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Section {
    id: &'static str,
    name: &'static str,
    n: Option<String>,
}

#[derive(Serialize)]
struct Verdict {
    tone: Tone,
    headline: String,
    text: String,
    command: Option<&'static str>,
}

#[derive(Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

/// A word with a sign and a colour.
#[derive(Clone, Copy, Serialize)]
struct Badge {
    tone: Tone,
    word: &'static str,
}

/// The classes of the page's style; each has a sign of its own.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Tone {
    Pass,
    Fail,
    Warn,
    Aside,
    Idle,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Tone::Pass => "pass",
            Tone::Fail => "fail",
            Tone::Warn => "warn",
            Tone::Aside => "aside",
            Tone::Idle => "idle",
        }
    }
}

#[derive(Serialize)]
struct DimensionCard {
    name: &'static str,
    about: &'static str,
    tone: Tone,
    /// `None` when nothing was measured.
    score: Option<String>,
    judged: String,
    width: String,
    expectations: String,
    spark: Option<Jinja>,
}

#[derive(Serialize)]
struct RunRow {
    started: String,
    badge: Badge,
    held: String,
    n_done: String,
    n_failed: String,
    n_skipped: String,
    took: String,
    commit: String,
    id: String,
}

#[derive(Serialize)]
struct LayerSection {
    id: String,
    name: String,
    summary: String,
    tables: Vec<TableEntry>,
}

/// Lays the report out.
pub(super) fn write(report: &Report, checked: &Checked, tables: &BTreeSet<NodeId>) -> String {
    let page = page(report, checked, tables);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            escape_formatter(out, state, &Jinja::from(words::visible(text)))
        }
        None if value.is_none() => Ok(()),
        Some(_) | None => escape_formatter(out, state, value),
    });
    // The ending makes it escape.
    environment
        .render_named_str("page.html", TEMPLATE, Serde(page))
        .expect("a template of ours renders; tests render it")
}

fn page<'r>(report: &'r Report, checked: &Checked, tables: &BTreeSet<NodeId>) -> Page<'r> {
    let broken = gather::broken(report);
    let shown = &broken[..broken.len().min(MOST_FINDINGS)];
    let mut places = BTreeMap::new();
    for (place, (table, expectation)) in shown.iter().enumerate() {
        places.insert((table.name.as_str(), std::ptr::from_ref(*expectation)), format!("broken-{}", place + 1));
    }
    let findings: Vec<Finding> = shown
        .iter()
        .enumerate()
        .map(|(place, (table, expectation))| finding::finding(place, table, expectation, shown.len()))
        .collect();
    let finding_of = |table: &Table, expectation: &super::view::Expectation| {
        places.get(&(table.name.as_str(), std::ptr::from_ref(expectation))).cloned()
    };
    let is_big = report.tables.len() > MANY_TABLES;
    let layers: Vec<LayerSection> = report
        .layers
        .iter()
        .map(|layer| {
            let own: Vec<&Table> = report.tables.iter().filter(|table| layer.tables.contains(&table.name)).collect();
            let n_rows: u64 = own.iter().filter_map(|table| table.stored.as_ref()?.n_rows).sum();
            LayerSection {
                id: format!("layer-{}", layer.name.to_lowercase()),
                name: layer.name.clone(),
                summary: format!("{}, {}", ui::count(own.len() as u64, "table"), ui::count(n_rows, "row")),
                tables: own.into_iter().map(|one| table::entry(one, is_big, &finding_of)).collect(),
            }
        })
        .collect();
    let json = serde_json::to_vec(report).expect("plain JSON");
    Page {
        css: Jinja::from_safe_string(STYLE.to_owned()),
        script: Jinja::from_safe_string(SCRIPT.to_owned()),
        // Nobody who writes a value into a table knows the whole report, so no value can name it.
        nonce: blake3::hash(&json).to_hex().chars().take(32).collect(),
        medc_version: report.medc_version,
        generated_at: words::moment(&report.generated_at),
        project: &report.project.name,
        description: report.project.description.as_deref(),
        environment: &report.environment,
        facts: facts(report),
        sections: sections(report, broken.len()),
        verdict: verdict(report),
        figures: figures(report),
        n_hidden_findings: (broken.len() > shown.len()).then(|| ui::grouped((broken.len() - shown.len()) as u64)),
        findings,
        dimensions: dimensions(report),
        trend: trend(report),
        runs: report.runs.iter().rev().map(run_row).collect(),
        lineage: (!report.tables.is_empty()).then(|| picture(report, checked, tables)),
        is_big,
        n_tables: ui::grouped(report.tables.len() as u64),
        tables_there: !report.tables.is_empty(),
        layers,
        notes: notes(report, is_big),
    }
}

fn facts(report: &Report) -> Vec<Fact> {
    let mut facts = vec![
        Fact { name: "Environment", value: report.environment.clone() },
        Fact { name: "Written", value: words::moment(&report.generated_at) },
    ];
    if let Some(owner) = &report.project.owner {
        facts.push(Fact { name: "Owner", value: owner.clone() });
    }
    if let Some(sha) = &report.git_sha {
        facts.push(Fact { name: "Commit", value: sha.chars().take(10).collect() });
    }
    if !report.selected.is_empty() {
        facts.push(Fact { name: "Selected", value: report.selected.join(" ") });
    }
    facts
}

fn sections(report: &Report, n_broken: usize) -> Vec<Section> {
    let section = |id, name, n: Option<usize>| Section { id, name, n: n.map(|n| ui::grouped(n as u64)) };
    let mut sections = vec![section("overview", "Overview", None)];
    if n_broken > 0 {
        sections.push(section("broken", "Broken", Some(n_broken)));
    }
    if !report.tables.is_empty() {
        sections.push(section("dimensions", "Dimensions", None));
    }
    if !report.runs.is_empty() {
        sections.push(section("runs", "Runs", Some(report.runs.len())));
    }
    if !report.tables.is_empty() {
        sections.push(section("lineage", "Lineage", None));
        sections.push(section("tables", "Tables", Some(report.tables.len())));
    }
    sections.push(section("method", "Method", None));
    sections
}

/// The one sentence that everything else explains.
fn verdict(report: &Report) -> Verdict {
    let tally = report.summary.expectations;
    let n_unreadable = report.tables.iter().filter(|table| table.state == State::Broken).count() as u64;
    let verdict = |tone, headline, text: &str| Verdict { tone, headline, text: text.to_owned(), command: None };
    if report.tables.is_empty() {
        let text = "The project declares no tables. Declare one under tables: in medc.yml, then run";
        return Verdict {
            command: Some("medc apply"),
            ..verdict(Tone::Idle, "Nothing to report yet".to_owned(), text)
        };
    }
    if n_unreadable > 0 {
        let headline = format!("{} cannot be read", ui::count(n_unreadable, "table"));
        return verdict(Tone::Fail, headline, "What keeps them from being read stands with them below.");
    }
    if tally.n_failed > 0 {
        let headline =
            format!("{} {}", ui::count(tally.n_failed, "expectation"), plural(tally.n_failed, "fails", "fail"));
        let text = "The tables concerned keep the rows that they had before, and what reads them was not run.";
        return verdict(Tone::Fail, headline, text);
    }
    if tally.n_checked() == 0 && report.summary.n_built == 0 {
        let text = "The project was never run in this environment. Build its tables and check them with";
        return Verdict {
            command: Some("medc apply"),
            ..verdict(Tone::Idle, "No table was built yet".to_owned(), text)
        };
    }
    if tally.n_checked() == 0 {
        let text = "The tables are there, but no expectation of theirs was checked.";
        return verdict(Tone::Idle, "Nothing was checked yet".to_owned(), text);
    }
    if tally.n_set_aside > 0 {
        let headline = format!("Published, with rows set aside by {}", ui::count(tally.n_set_aside, "expectation"));
        return verdict(
            Tone::Aside,
            headline,
            "All blocking expectations hold. Rows that broke others were left out of their tables.",
        );
    }
    if tally.n_warned > 0 {
        let headline = format!("Published, with {}", ui::count(tally.n_warned, "warning"));
        return verdict(Tone::Warn, headline, "All blocking expectations hold. What only warns does not all hold.");
    }
    let headline = match tally.n_passed {
        1 => "The one expectation holds".to_owned(),
        n => format!("All {} expectations hold", ui::grouped(n)),
    };
    verdict(Tone::Pass, headline, "Every expectation that was checked holds on the newest rows.")
}

fn plural(n: u64, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

fn figures(report: &Report) -> Vec<Figure> {
    let summary = &report.summary;
    let tally = summary.expectations;
    let held = match tally.n_checked() {
        0 => "–".to_owned(),
        n => format!("{} of {}", ui::grouped(tally.n_passed), ui::grouped(n)),
    };
    let rate = match (tally.n_checked(), tally.n_unchecked) {
        (0, _) => "none checked".to_owned(),
        (n, 0) => words::percent(words::ratio(tally.n_passed, n)),
        (n, open) => {
            format!("{}, {} not checked", words::percent(words::ratio(tally.n_passed, n)), ui::grouped(open))
        }
    };
    let mut figures = vec![
        Figure { name: "Expectations that hold", value: held, note: rate },
        Figure {
            name: "Tables built",
            value: format!("{} of {}", ui::grouped(summary.n_built), ui::grouped(summary.n_tables)),
            note: format!("in {}", ui::count(report.layers.len() as u64, "layer")),
        },
        Figure { name: "Rows", value: ui::grouped(summary.n_rows), note: "in stored tables".to_owned() },
        Figure {
            name: "Rows quarantined",
            value: ui::grouped(summary.n_quarantined),
            note: "kept beside their tables".to_owned(),
        },
    ];
    if let Some(run) = report.runs.last() {
        let value = match run.status.as_deref() {
            Some("succeeded") => "Succeeded",
            Some("failed") => "Failed",
            Some("died") => "Died",
            Some("restored") => "Restored",
            Some(_) | None => "Tested",
        };
        let note = run.started_at.as_deref().map(words::moment).unwrap_or_default();
        figures.push(Figure { name: "Newest run", value: value.to_owned(), note });
    }
    figures
}

fn dimensions(report: &Report) -> Vec<DimensionCard> {
    let card = |score: &super::view::DimensionScore| {
        let (name, about) = words_of(score.dimension);
        let tally = score.expectations;
        let n_checked = tally.n_checked();
        // Aggregates judge the table as a whole: where they alone speak, they are counted.
        let n_judged = score.n_considered;
        let n_holding = n_judged.saturating_sub(score.n_violating);
        let (share, judged) = if n_judged > 0 {
            (words::ratio(n_holding, n_judged), ui::count(n_judged, "check"))
        } else {
            (words::ratio(tally.n_passed, n_checked), ui::count(n_checked, "expectation"))
        };
        let tone = match (n_checked, tally.n_failed, tally.n_set_aside, tally.n_warned) {
            (0, ..) => Tone::Idle,
            (_, 1.., ..) => Tone::Fail,
            (_, 0, 1.., _) => Tone::Aside,
            (_, 0, 0, 1..) => Tone::Warn,
            (_, 0, 0, 0) => Tone::Pass,
        };
        let expectations = match (n_checked, tally.n_unchecked) {
            (0, 0) => "No expectation speaks of it.".to_owned(),
            (0, n) => format!("{} declared, none checked.", ui::count(n, "expectation")),
            (n, _) => format!("{} of {} expectations hold", ui::grouped(tally.n_passed), ui::grouped(n)),
        };
        DimensionCard {
            name,
            about,
            tone,
            score: (n_checked > 0).then(|| words::percent(share)),
            judged,
            width: width(share),
            expectations,
            spark: charts::sparkline(&score.trend, name).map(Jinja::from_safe_string),
        }
    };
    report.dimensions.iter().map(card).collect()
}

fn words_of(dimension: Dimension) -> (&'static str, &'static str) {
    match dimension {
        Dimension::Completeness => ("Completeness", "Values are there."),
        Dimension::Accuracy => ("Accuracy", "Values are plausible: in their ranges, distributed as known."),
        Dimension::Consistency => ("Consistency", "Columns, rows and tables agree with each other."),
        Dimension::Validity => ("Validity", "Values have the form and the type that they should have."),
        Dimension::Timeliness => ("Timeliness", "Rows are new enough, and as many as usual."),
        Dimension::Uniqueness => ("Uniqueness", "Nothing stands twice."),
    }
}

/// A share as a width in percent. What is not all is not drawn as all.
fn width(share: f64) -> String {
    let tenths = (share * 1000.0).clamp(0.0, 1000.0);
    format!("{:.1}", if share < 1.0 { tenths.floor() } else { tenths } / 10.0)
}

fn trend(report: &Report) -> Option<Jinja> {
    let points: Vec<charts::Point> = report
        .runs
        .iter()
        .map(|run| {
            let started = run.started_at.as_deref().map(words::moment).unwrap_or_default();
            charts::Point {
                share: (run.n_checked > 0).then(|| words::ratio(run.n_passed, run.n_checked)),
                label: format!(
                    "{started}: {} of {} expectations hold",
                    ui::grouped(run.n_passed),
                    ui::grouped(run.n_checked)
                ),
                is_bad: matches!(run.status.as_deref(), Some("failed" | "died")),
            }
        })
        .collect();
    let n_known = points.iter().filter(|point| point.share.is_some()).count();
    (n_known > 1).then(|| Jinja::from_safe_string(charts::trend(&points)))
}

fn run_row(run: &super::view::Run) -> RunRow {
    let badge = match run.status.as_deref() {
        Some("succeeded") => Badge { tone: Tone::Pass, word: "succeeded" },
        Some("failed") => Badge { tone: Tone::Fail, word: "failed" },
        Some("died") => Badge { tone: Tone::Fail, word: "died" },
        Some("restored") => Badge { tone: Tone::Idle, word: "restored" },
        Some(_) | None => Badge { tone: Tone::Idle, word: "tested" },
    };
    let held = match run.n_checked {
        0 => "–".to_owned(),
        n => format!("{} of {}", ui::grouped(run.n_passed), ui::grouped(n)),
    };
    RunRow {
        started: run.started_at.as_deref().map(words::moment).unwrap_or_default(),
        badge,
        held,
        n_done: ui::grouped(run.n_done),
        n_failed: ui::grouped(run.n_failed),
        n_skipped: ui::grouped(run.n_skipped),
        took: run.duration_s.map(words::seconds).unwrap_or_default(),
        commit: run.git_sha.as_deref().unwrap_or("–").chars().take(10).collect(),
        // Its random part: the rest is the time.
        id: run.run_id.rsplit('-').next().unwrap_or_default().to_owned(),
    }
}

fn picture(report: &Report, checked: &Checked, tables: &BTreeSet<NodeId>) -> Jinja {
    let states: BTreeMap<&str, State> = report.tables.iter().map(|table| (table.name.as_str(), table.state)).collect();
    let signpost = |id: NodeId| {
        let name = checked.graph.node(id).name.to_string();
        let badge = table::state_badge(states.get(name.as_str()).copied().unwrap_or(State::NotBuilt));
        Signpost { href: format!("#{}", table::anchor(&name)), class: badge.tone.class(), word: badge.word }
    };
    Jinja::from_safe_string(lineage::picture(checked, tables, &signpost))
}

fn status_badge(status: Status) -> Badge {
    match status {
        Status::Failed => Badge { tone: Tone::Fail, word: "fails" },
        Status::SetAside => Badge { tone: Tone::Aside, word: "rows set aside" },
        Status::Warned => Badge { tone: Tone::Warn, word: "warns" },
        Status::Unchecked => Badge { tone: Tone::Idle, word: "not checked" },
        Status::Passed => Badge { tone: Tone::Pass, word: "holds" },
    }
}

fn notes(report: &Report, is_big: bool) -> Vec<String> {
    let mut notes = vec![
        "Results are those of the newest run that checked a table, as quality.results keeps them; a table that failed \
         keeps its older rows, so what is said of its columns may be of other rows than its results."
            .to_owned(),
        "The share that holds is of the rows or values that an expectation judged: most kinds leave NULLs to not_null. \
         A dimension's share is of all its checks of rows, values and groups together."
            .to_owned(),
        "Times are in UTC.".to_owned(),
    ];
    if report.is_profiled {
        notes.push(
            "Counts of rows and NULLs, least and greatest values, means and deviations are exact. Quantiles and \
             histograms are exact up to 20,000 values a column and from a uniform sample of 20,000 above; quantiles are \
             by nearest rank. Frequent values and the number of different values are exact up to 2,048 different \
             values and estimated above, which is marked with ≈ or ≥."
                .to_owned(),
        );
        notes.push(
            "Columns tagged pii, and those that are computed from them, show counts only, here and in examples."
                .to_owned(),
        );
    } else {
        notes.push("Rows were not read (--no-profile): columns have no histograms, quantiles and counts.".to_owned());
    }
    if is_big {
        notes.push(format!(
            "With more than {MANY_TABLES} tables, columns are listed without histograms and frequent values; --select \
             shows some tables with all of them."
        ));
    }
    notes
}
