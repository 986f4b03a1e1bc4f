//! Changes that a contract's version does not tell, as findings about the newer project.
//!
//! In: a [`Comparison`] whose sites are of the project that is checked. Out: one finding a contract, at its version, with
//! the places of the changes that ask for more.

use super::{Change, Compared, Comparison, Grade, Raise};
use crate::diagnostic::{Diagnostic, Diagnostics, Label, code};

/// So many changes are told of; the others are counted.
const MOST_TOLD: usize = 5;

/// Reports `compatibility::breaking-change` (an error) and `compatibility::risky-change` (a warning). `baseline` is what
/// the older project is called.
pub fn report(comparison: &Comparison, baseline: &str, diagnostics: &mut Diagnostics) {
    for compared in &comparison.changed {
        match compared.lacking() {
            Some(Raise::Major) => drop(diagnostics.error(finding(compared, Raise::Major, baseline))),
            Some(Raise::Minor) => diagnostics.warn(finding(compared, Raise::Minor, baseline)),
            None => {}
        }
    }
}

fn finding(compared: &Compared, raise: Raise, baseline: &str) -> Diagnostic {
    let name = &compared.contract;
    let (grade, does) = match raise {
        Raise::Major => (Grade::Breaking, "breaks what it promised"),
        Raise::Minor => (Grade::Risky, "risks what it promised"),
    };
    let told: Vec<&Change> = compared.changes.iter().filter(|change| change.grade() == grade).collect();
    let message = match (compared.is_kept, compared.before, compared.after) {
        (false, ..) => format!("the contract `{name}` is gone, and tables kept it at {baseline}"),
        (true, _, None) => format!("`{name}` {does} at {baseline}, and has no version to say so"),
        (true, Some(before), Some(after)) if before == after => {
            format!("`{name}` {does} at {baseline}, and its version is still `{after}`")
        }
        (true, before, Some(after)) => {
            let before = before.map(|before| format!(" from `{before}`")).unwrap_or_default();
            format!("`{name}` {does} at {baseline}, and its version goes{before} to `{after}` only")
        }
    };
    let mut diagnostic = match raise {
        Raise::Major => Diagnostic::error(code::BREAKING_CHANGE, message),
        Raise::Minor => Diagnostic::warning(code::RISKY_CHANGE, message),
    };
    let next = compared.next_version(raise).to_string();
    match (&compared.site, compared.after) {
        (None, _) => {
            let help = "keep it with its tables until nobody reads them; then this is merged as it is";
            diagnostic = diagnostic.help(help);
        }
        (Some(site), None) => {
            diagnostic = diagnostic
                .at(site.clone().key(), "no `version` here")
                .help(format!("add `version: {next}` to the contract"));
        }
        (Some(site), Some(_)) => {
            diagnostic = diagnostic
                .at(site.member("version"), "")
                .help(format!("raise it to `{next}`, or take the change back"))
                .fix(next);
        }
    }
    let places = told.iter().take(MOST_TOLD).filter_map(|change| {
        let text = format!("{}: {}", change.subject.phrase(), change.what);
        change.site.clone().map(|site| Label { site, text })
    });
    diagnostic.labels.extend(places);
    diagnostic.note(sentences(&told, grade))
}

/// The changes in words, with the reasons and who reads what changed.
fn sentences(told: &[&Change], grade: Grade) -> String {
    let mut words: Vec<String> = told.iter().take(MOST_TOLD).map(|change| sentence(change)).collect();
    if told.len() > MOST_TOLD {
        words.push(format!("and {} more {} changes", told.len() - MOST_TOLD, grade.word()));
    }
    words.join("; ")
}

fn sentence(change: &Change) -> String {
    let consumers: Vec<String> = change
        .consumers
        .iter()
        .take(MOST_TOLD)
        .map(|consumer| match consumer.columns.as_slice() {
            [] => format!("`{}`", consumer.table),
            columns => format!("`{}` ({})", consumer.table, columns.join(", ")),
        })
        .collect();
    let more = match change.consumers.len().saturating_sub(MOST_TOLD) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let read = if consumers.is_empty() { String::new() } else { format!(", read by {}{more}", consumers.join(", ")) };
    let hint = change.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("`{}` {}{hint}: {}{read}", change.subject.phrase(), change.what, change.rule.reason())
}
