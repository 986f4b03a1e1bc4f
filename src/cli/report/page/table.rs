//! A table on the page: how it stands, what is expected of it, what its columns hold.
//!
//! In: a report's table. Out: texts and pictures in the order in which they are read. In a big report, and for a very wide table,
//! columns are rows of one table instead of cards.

use serde::Serialize;
use serde_json::Value;

use super::{Badge, Fact, Jinja, Tone, status_badge, width, words_of};
use crate::cli::report::view::{self, Expectation, Kind, State, Status, Table};
use crate::cli::report::{charts, words};
use crate::cli::ui;
use crate::engines::local::profile::{ColumnProfile, Frequency, Measure, Values};

/// Wider tables list their columns.
const MANY_COLUMNS: usize = 120;
const N_TOP: usize = 6;
const LONGEST_VALUE: usize = 60;
/// Longer values stand one a line.
const WIDE_VALUE: usize = 12;
/// A date without its time.
const DATE_LENGTH: usize = 10;

#[derive(Serialize)]
pub(super) struct TableEntry {
    id: String,
    name: String,
    full_name: String,
    /// What the filter looks through, in lower case.
    search: String,
    is_broken: bool,
    badge: Badge,
    rows: String,
    held: Option<String>,
    width: String,
    description: Option<String>,
    message: Option<String>,
    facts: Vec<Fact>,
    flows: Vec<Flow>,
    spark: Option<Jinja>,
    expectations: Vec<ExpectationRow>,
    is_compact: bool,
    columns: Vec<ColumnCard>,
}

#[derive(Serialize)]
struct Flow {
    name: &'static str,
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct ExpectationRow {
    badge: Badge,
    label: String,
    about: Option<String>,
    /// The finding that tells more.
    finding: Option<String>,
    dimension: &'static str,
    judged: String,
    broken: String,
    share: String,
    observed: String,
    trend: Option<Jinja>,
}

#[derive(Default, Serialize)]
struct ColumnCard {
    name: String,
    r#type: String,
    description: Option<String>,
    tags: Vec<String>,
    nulls: Option<String>,
    /// `None` without NULLs.
    null_width: Option<String>,
    distinct: Option<String>,
    is_masked: bool,
    histogram: Option<Jinja>,
    from: Option<String>,
    measure: Option<String>,
    to: Option<String>,
    min: Option<String>,
    median: Option<String>,
    max: Option<String>,
    measures: Vec<Fact>,
    is_wide: bool,
    top: Vec<TopRow>,
    top_caption: String,
}

#[derive(Serialize)]
struct TopRow {
    value: String,
    n: String,
    width: String,
    share: String,
}

/// The id of a table's entry.
pub(super) fn anchor(table: &str) -> String {
    format!("table-{table}")
}

/// How a table stands, in a word.
pub(super) fn state_badge(state: State) -> Badge {
    match state {
        State::Broken => Badge { tone: Tone::Fail, word: "unreadable" },
        State::Failing => Badge { tone: Tone::Fail, word: "fails" },
        State::Flawed => Badge { tone: Tone::Warn, word: "flawed" },
        State::NotBuilt => Badge { tone: Tone::Idle, word: "not built" },
        State::Unchecked => Badge { tone: Tone::Idle, word: "not checked" },
        State::Sound => Badge { tone: Tone::Pass, word: "sound" },
    }
}

/// `finding_of` knows where an expectation is told of at length.
pub(super) fn entry(
    table: &Table,
    is_big: bool,
    finding_of: &dyn Fn(&Table, &Expectation) -> Option<String>,
) -> TableEntry {
    let is_compact = is_big || table.columns.len() > MANY_COLUMNS;
    let n_rows = table.profile.as_ref().map(|profile| profile.n_rows);
    let n_rows = table.stored.as_ref().and_then(|stored| stored.n_rows).or(n_rows);
    let n_checked = table.tally.n_checked();
    let search = [table.name.as_str(), table.owner.as_deref().unwrap_or_default()].into_iter();
    let search = search.chain(table.tags.iter().map(String::as_str)).collect::<Vec<_>>().join(" ").to_lowercase();
    let own_name = table.name.split_once('.').map_or(table.name.as_str(), |(_, name)| name);
    TableEntry {
        id: anchor(&table.name),
        name: own_name.to_owned(),
        full_name: table.name.clone(),
        search,
        is_broken: match table.state {
            State::Broken | State::Failing | State::Flawed => true,
            State::NotBuilt | State::Unchecked | State::Sound => false,
        },
        badge: state_badge(table.state),
        rows: match (n_rows, table.kind) {
            (Some(n), _) => ui::count(n, "row"),
            (None, Kind::View) => "view".to_owned(),
            (None, Kind::Source | Kind::Table) => String::new(),
        },
        held: (n_checked > 0)
            .then(|| format!("{} of {} hold", ui::grouped(table.tally.n_passed), ui::grouped(n_checked))),
        width: width(words::ratio(table.tally.n_passed, n_checked)),
        description: table.description.clone(),
        message: message(table),
        facts: facts(table),
        flows: [("Reads", &table.reads), ("Read by", &table.read_by)]
            .into_iter()
            .filter(|(_, tables)| !tables.is_empty())
            .map(|(name, tables)| Flow {
                name,
                links: tables.iter().map(|one| Link { id: anchor(one), name: one.clone() }).collect(),
            })
            .collect(),
        spark: charts::sparkline(&table.trend, "Expectations that hold").map(Jinja::from_safe_string),
        expectations: expectation_rows(table, finding_of),
        columns: table.columns.iter().map(|column| card(table, column, is_compact)).collect(),
        is_compact,
    }
}

fn message(table: &Table) -> Option<String> {
    match table.state {
        State::Broken => table.problem.clone(),
        State::Failing if table.stored.is_none() => Some(
            "The table does not exist: the first rows that were made for it broke a blocking expectation.".to_owned(),
        ),
        State::Failing => Some("The newest rows were not published: a blocking expectation does not hold.".to_owned()),
        State::NotBuilt => Some(format!("Not built yet. Build it: medc apply --select +{}", table.name)),
        State::Flawed | State::Unchecked | State::Sound => None,
    }
}

fn facts(table: &Table) -> Vec<Fact> {
    let kind = match table.kind {
        Kind::Source => "read from a source",
        Kind::Table => "computed",
        Kind::View => "view",
    };
    let mut facts = vec![Fact { name: "Kind", value: kind.to_owned() }];
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| Fact { name, value }));
    if table.kind != Kind::View {
        add("Written by", Some(table.write_mode.to_owned()));
    }
    add(
        "Contract",
        table.contract.as_ref().map(|contract| match &contract.version {
            Some(version) => format!("{} {version}", contract.name),
            None => contract.name.clone(),
        }),
    );
    add("Owner", table.owner.clone());
    add("Tags", (!table.tags.is_empty()).then(|| table.tags.join(", ")));
    if let Some(stored) = &table.stored {
        add("Size", Some(ui::bytes(stored.size_bytes)));
        add("Version", Some(stored.version.to_string()));
    }
    add("Written", table.written_at.as_deref().map(words::moment));
    add("Checked", table.checked_at.as_deref().map(words::moment));
    add("In quarantine", table.n_quarantined.filter(|n| *n > 0).map(|n| ui::count(n, "row")));
    facts
}

/// The broken ones first.
fn expectation_rows(table: &Table, finding_of: &dyn Fn(&Table, &Expectation) -> Option<String>) -> Vec<ExpectationRow> {
    let mut sorted: Vec<&Expectation> = table.expectations.iter().collect();
    sorted.sort_by_key(|expectation| expectation.status);
    sorted.into_iter().map(|expectation| expectation_row(expectation, finding_of(table, expectation))).collect()
}

fn expectation_row(expectation: &Expectation, finding: Option<String>) -> ExpectationRow {
    let none = || "–".to_owned();
    let verdict = expectation.result.as_ref();
    let by_rows = |verdict: &&view::Verdict| expectation.status == Status::Passed || verdict.n_violating > 0;
    let judged = verdict.filter(|verdict| verdict.n_considered > 0).filter(by_rows);
    let on_violation = match expectation.on_violation.as_str() {
        "fail" => None,
        other => Some(format!("on violation: {other}")),
    };
    let mostly = (expectation.mostly < 1.0).then(|| format!("at least {}", words::percent(expectation.mostly)));
    let severity = expectation.severity.as_ref().map(|severity| format!("severity: {severity}"));
    let about: Vec<String> =
        [expectation.description.clone(), mostly, on_violation, severity].into_iter().flatten().collect();
    // A line that is level says nothing; there may be thousands.
    let known: Vec<f64> = expectation.trend.iter().flatten().copied().collect();
    let varies = known.windows(2).any(|pair| pair.first() != pair.last());
    ExpectationRow {
        badge: status_badge(expectation.status),
        label: expectation.label.clone(),
        about: (!about.is_empty()).then(|| about.join(" · ")),
        finding: finding.filter(|_| match expectation.status {
            Status::Failed | Status::SetAside | Status::Warned => true,
            Status::Unchecked | Status::Passed => false,
        }),
        dimension: expectation.dimension.map_or("", |dimension| words_of(dimension).0),
        judged: judged.map_or_else(none, |verdict| ui::grouped(verdict.n_considered)),
        broken: judged.map_or_else(none, |verdict| ui::grouped(verdict.n_violating)),
        share: judged.map_or_else(none, |verdict| words::percent(verdict.share)),
        observed: verdict
            .and_then(|verdict| verdict.observed.as_ref())
            .map(|observed| short(&words::value(observed)))
            .unwrap_or_default(),
        trend: (varies)
            .then(|| charts::sparkline(&expectation.trend, "Share that holds"))
            .flatten()
            .map(Jinja::from_safe_string),
    }
}

fn card(table: &Table, column: &view::Column, is_compact: bool) -> ColumnCard {
    let mut card = ColumnCard {
        name: column.name.clone(),
        r#type: column.data_type.clone(),
        description: column.description.clone(),
        tags: column.tags.clone(),
        is_masked: column.is_masked,
        ..ColumnCard::default()
    };
    let Some(profile) = &table.profile else { return card };
    let Some(found) = profile.columns.iter().find(|found| crate::name::same(&found.name, &column.name)) else {
        return card;
    };
    let null_share = words::ratio(found.n_null, profile.n_rows);
    card.null_width = (found.n_null > 0).then(|| width(null_share));
    card.nulls = Some(match found.n_null {
        0 if is_compact => "0".to_owned(),
        0 => "no NULLs".to_owned(),
        n if is_compact => words::percent(words::ratio(n, profile.n_rows)),
        n => format!("{} NULL ({})", ui::grouped(n), words::percent(null_share)),
    });
    card.distinct = found.n_distinct.map(|distinct| {
        let sign = if distinct.is_exact { "" } else { "≈ " };
        let noun = if is_compact { "" } else { " different" };
        format!("{sign}{}{noun}", ui::grouped(distinct.n))
    });
    if let Some(values) = &found.values {
        describe(&mut card, values, found, profile.n_rows, is_compact);
    }
    card
}

fn describe(card: &mut ColumnCard, values: &Values, found: &ColumnProfile, n_rows: u64, is_compact: bool) {
    let shown = |value: &Value| short(&words::value(value));
    card.min = values.min.as_ref().map(shown);
    card.max = values.max.as_ref().map(shown);
    let quantile =
        |share: f64| values.quantiles.iter().find(|one| (one.share - share).abs() < 1e-9).map(|one| shown(&one.value));
    card.median = quantile(0.5);
    if is_compact {
        return;
    }
    // Texts with few different values are told by these; lengths would say less.
    let few = found.n_distinct.is_some_and(|distinct| distinct.is_exact && distinct.n <= N_TOP as u64);
    let histogram = values.histogram.as_ref().filter(|histogram| histogram.bins.len() > 1);
    if let Some(histogram) = histogram.filter(|histogram| !(few && histogram.measure == Measure::Length)) {
        card.histogram = Some(Jinja::from_safe_string(charts::histogram(histogram)));
        let is_time = card.r#type.starts_with("timestamp");
        let end = |value: &Value| {
            let text = shown(value);
            if is_time { text.chars().take(DATE_LENGTH).collect() } else { text }
        };
        card.from = histogram.bins.first().map(|bin| end(&bin.from));
        card.to = histogram.bins.last().map(|bin| end(&bin.to));
        let of = match histogram.measure {
            Measure::Value => "",
            Measure::Length => "characters",
            Measure::Bytes => "bytes",
            Measure::Elements => "elements",
        };
        let sampled = if histogram.is_exact { "" } else { "sampled" };
        card.measure = Some([of, sampled].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", "));
    }
    let mut add = |name, value: Option<String>| card.measures.extend(value.map(|value| Fact { name, value }));
    add("Least", values.min.as_ref().map(shown));
    add("5%", quantile(0.05));
    add("25%", quantile(0.25));
    add("Median", quantile(0.5));
    add("75%", quantile(0.75));
    add("95%", quantile(0.95));
    add("Greatest", values.max.as_ref().map(shown));
    add("Mean", values.mean.map(words::number));
    add("Deviation", values.stddev.map(words::number));
    add("Blank", (values.n_blank > 0).then(|| ui::grouped(values.n_blank)));
    add("NaN, ∞", (values.n_not_finite > 0).then(|| ui::grouped(values.n_not_finite)));
    card.is_wide = card.measures.iter().any(|fact| fact.value.chars().count() > WIDE_VALUE);
    // A value that one row in a hundred has tells something.
    let n_values = n_rows.saturating_sub(found.n_null);
    let is_frequent = |first: &Frequency| first.n > 1 && first.n.saturating_mul(100) >= n_values;
    let is_telling = few || values.top.first().is_some_and(is_frequent);
    if is_telling {
        let sign = if values.top_slack > 0 { "≥ " } else { "" };
        card.top = values
            .top
            .iter()
            .take(N_TOP)
            .map(|one| {
                let share = words::ratio(one.n, n_rows);
                TopRow {
                    value: blank(&shown(&one.value)),
                    n: format!("{sign}{}", ui::grouped(one.n)),
                    width: width(share),
                    share: words::percent(share),
                }
            })
            .collect();
        card.top_caption = if few { "Values".to_owned() } else { "Frequent values".to_owned() };
    }
}

/// An empty text is nothing to look at.
fn blank(text: &str) -> String {
    if text.is_empty() {
        "(empty)".to_owned()
    } else if text.trim().is_empty() {
        format!("({})", ui::count(text.chars().count() as u64, "space"))
    } else {
        text.to_owned()
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST_VALUE {
        return text.to_owned();
    }
    text.chars().take(LONGEST_VALUE - 1).chain(['…']).collect()
}
