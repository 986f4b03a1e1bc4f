//! `medc contract diff`: what contracts promise now and what they promised before, for people, machines and pull requests.
//!
//! In: two words of the command line. Out: a comparison in three views. Contracts stand by name, changes the worst first;
//! what is unchanged is counted. Nothing but colour is lost without colour.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arguments::{Contract, ContractCommand, ContractDiff, DiffFormat};
use super::baseline::{Named, Side};
use super::markdown::{cell, code};
use super::stages::Session;
use super::ui::{self, Paint, Tone};
use super::{Done, Failure, Outcome};
use crate::compatibility::{self, Change, Compared, Comparison, Consumer, Grade};

const FORMAT_VERSION: u32 = 1;

/// Runs the command of contracts that was asked for.
pub(super) fn run(options: &Contract, session: &mut Session) -> Outcome {
    match &options.command {
        ContractCommand::Diff(options) => diff(options, session),
    }
}

/// Compares two times and writes the changes to stdout.
fn diff(options: &ContractDiff, session: &mut Session) -> Outcome {
    let before = session.meaning(&options.before);
    let after = options.after.as_ref().map_or(Named::Now, |word| session.meaning(word));
    let [old, new] = [side(&before, session)?, side(&after, session)?];
    let comparison = compatibility::compare(&old.promises, &new.promises);
    let written = match options.format {
        DiffFormat::Human => human(&comparison, session.console.paint_data()),
        DiffFormat::Json => {
            let value = machine(&comparison, [&before, &after]);
            format!("{}\n", serde_json::to_string_pretty(&value).expect("plain JSON"))
        }
        DiffFormat::Markdown => markdown(&comparison, [&old.title, &new.title]),
    };
    session.console.data(&written)?;
    if !comparison.breaks() {
        return Ok(Done::Well);
    }
    if options.format == DiffFormat::Human {
        let raised = comparison.changed.iter().filter_map(|compared| {
            let raise = compared.lacking().filter(|raise| *raise == compatibility::Raise::Major)?;
            compared.site.as_ref()?;
            Some(format!("`{}` to {}", compared.contract, compared.next_version(raise)))
        });
        let raised: Vec<String> = raised.collect();
        if !raised.is_empty() {
            session.console.hint(&format!("raise the version of {}", raised.join(", of ")))?;
        }
    }
    Ok(Done::Unwell)
}

fn side(named: &Named, session: &mut Session) -> Result<Side, Failure> {
    session.side(named)?.ok_or_else(|| {
        let message = format!("there is no project in this folder at `{}`", named.title());
        Failure::asked(message, Some("name a revision that has its `medc.yml`".to_owned()))
    })
}

/// For people.
fn human(comparison: &Comparison, paint: Paint) -> String {
    let n_unchanged = comparison.unchanged.len() as u64;
    if comparison.changed.is_empty() {
        let verb = if n_unchanged == 1 { "promises" } else { "promise" };
        return format!("No changes. {} {verb} the same.\n", ui::count(n_unchanged, "contract"));
    }
    let mut text = String::new();
    for compared in &comparison.changed {
        let _ = write!(text, "{}", paint.tone(Tone::Strong, &title(compared)));
        let versions = versions(compared);
        if !versions.is_empty() {
            let _ = write!(text, "  {versions}");
        }
        let verdict = verdict(compared);
        if !verdict.is_empty() {
            let _ = write!(text, "  {}", paint.tone(Tone::Bad, &verdict));
        }
        text.push('\n');
        for change in &compared.changes {
            one(change, paint, &mut text);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{}", summary(comparison));
    text
}

/// A change with its grade, its reason and who reads what changed.
pub(super) fn one(change: &Change, paint: Paint, text: &mut String) {
    let grade = change.grade();
    let mark = paint.tone(tone(grade), &format!("{} {:<10}", symbol(grade), grade.word()));
    let hint = change.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let _ = writeln!(text, "  {mark}  {}: {}{hint}", change.subject.phrase(), change.what);
    if grade != Grade::Compatible {
        let _ = writeln!(text, "                {}", paint.tone(Tone::Faint, change.rule.reason()));
    }
    if !change.consumers.is_empty() {
        let consumers: Vec<String> = change.consumers.iter().map(consumer).collect();
        let _ = writeln!(text, "                read by {}", consumers.join(", "));
    }
}

fn title(compared: &Compared) -> String {
    match &compared.renamed_from {
        Some(former) => format!("{} (was {former})", compared.contract),
        None => compared.contract.clone(),
    }
}

/// `1.0.0 → 1.1.0`, or the one version that there is.
pub(super) fn versions(compared: &Compared) -> String {
    let shown = |version: Option<compatibility::Version>| {
        version.map_or_else(|| "no version".to_owned(), |version| version.to_string())
    };
    match (compared.before, compared.after) {
        _ if !compared.is_kept => String::new(),
        (before, after) if before == after => shown(after),
        (before, after) => format!("{} → {}", shown(before), shown(after)),
    }
}

/// What its version should be, where it is not enough.
fn verdict(compared: &Compared) -> String {
    match compared.lacking() {
        Some(_) if !compared.is_kept => String::new(),
        Some(raise) => format!("needs {}, the next {} version", compared.next_version(raise), raise.word()),
        None => String::new(),
    }
}

/// `gold.daily (total, n)`.
fn consumer(consumer: &Consumer) -> String {
    match consumer.columns.as_slice() {
        [] => consumer.table.clone(),
        columns => format!("{} ({})", consumer.table, columns.join(", ")),
    }
}

fn symbol(grade: Grade) -> &'static str {
    match grade {
        Grade::Breaking => "×",
        Grade::Risky => "!",
        Grade::Compatible => "✓",
    }
}

fn tone(grade: Grade) -> Tone {
    match grade {
        Grade::Breaking => Tone::Bad,
        Grade::Risky => Tone::Caution,
        Grade::Compatible => Tone::Good,
    }
}

/// `Contracts: 1 breaking change, 2 risky; 3 contracts unchanged.`
fn summary(comparison: &Comparison) -> String {
    let counts = comparison.counts().into_iter().filter(|(_, n)| *n > 0);
    let changes: Vec<String> = counts.map(|(grade, n)| format!("{} {}", ui::grouped(n as u64), grade.word())).collect();
    let unchanged = match comparison.unchanged.len() as u64 {
        0 => String::new(),
        n => format!("; {} unchanged", ui::count(n, "contract")),
    };
    let n_contracts = ui::count(comparison.changed.len() as u64, "contract");
    format!("Changes of {n_contracts}: {}{unchanged}.", changes.join(", "))
}

/// For machines.
fn machine(comparison: &Comparison, sides: [&Named; 2]) -> Value {
    let [before, after] = sides.map(|named| json!({ "kind": named.kind(), "name": named.title() }));
    let contracts: Vec<Value> = comparison.changed.iter().map(compared).collect();
    let counts: serde_json::Map<String, Value> =
        comparison.counts().into_iter().map(|(grade, n)| (format!("n_{}", grade.word()), n.into())).collect();
    let mut written = json!({
        "format_version": FORMAT_VERSION,
        "before": before,
        "after": after,
        "contracts": contracts,
        "unchanged": comparison.unchanged,
        "breaks": comparison.breaks(),
    });
    if let Some(members) = written.as_object_mut() {
        members.extend(counts);
    }
    written
}

/// One contract for machines.
pub(super) fn compared(compared: &Compared) -> Value {
    let lacking = compared.lacking();
    json!({
        "contract": compared.contract,
        "renamed_from": compared.renamed_from,
        "version_before": compared.before,
        "version_after": compared.after,
        "grade": compared.grade(),
        "raise": lacking,
        "next_version": lacking.filter(|_| compared.is_kept).map(|raise| compared.next_version(raise)),
        "changes": compared.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn change(change: &Change) -> Value {
    json!({
        "subject": change.subject,
        "rule": change.rule.name(),
        "what": change.what,
        "hint": change.hint,
        "grade": change.grade(),
        "reason": change.rule.reason(),
        "consumers": change.consumers,
    })
}

/// For a pull request.
fn markdown(comparison: &Comparison, [before, after]: [&str; 2]) -> String {
    let mut text = format!("### Contracts: {} → {}\n\n", code(before), code(after));
    if comparison.changed.is_empty() {
        let _ = writeln!(text, "{}", human(comparison, Paint { colored: false }).trim_end());
        return text;
    }
    let _ = writeln!(text, "{}", summary(comparison));
    for compared in &comparison.changed {
        let versions = versions(compared);
        let _ = write!(text, "\n**{}** {versions}", cell(&title(compared)));
        let verdict = verdict(compared);
        if !verdict.is_empty() {
            let _ = write!(text, ": {verdict}");
        }
        text.push_str("\n\n| grade | what | change | why | read by |\n|---|---|---|---|---|\n");
        for change in &compared.changes {
            let hint = change.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let consumers: Vec<String> = change.consumers.iter().map(|one| cell(&consumer(one))).collect();
            let _ = writeln!(
                text,
                "| {} {} | {} | {} | {} | {} |",
                emoji(change.grade()),
                change.grade().word(),
                code(&change.subject.phrase()),
                cell(&format!("{}{hint}", change.what)),
                cell(change.rule.reason()),
                consumers.join("<br>"),
            );
        }
    }
    text
}

pub(super) fn emoji(grade: Grade) -> &'static str {
    match grade {
        Grade::Breaking => "❌",
        Grade::Risky => "⚠️",
        Grade::Compatible => "✅",
    }
}
