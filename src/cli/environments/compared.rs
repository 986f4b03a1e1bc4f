//! `medc plan --from staging -t prod`: what is in each of two environments, and what promotion would change in the second.
//!
//! Where a source lies is an environment's own and no difference.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Inventory, short};
use crate::cli::arguments::PlanFormat;
use crate::cli::markdown::{cell, code};
use crate::cli::promote;
use crate::cli::stages::Session;
use crate::cli::ui::{self, Paint, Tone};
use crate::cli::{Done, Outcome};
use crate::plan::definition::between;

const FORMAT_VERSION: u32 = 1;

/// One difference between two environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Difference {
    /// `code`, `contract`, `dataset`, `resource` or `table`.
    kind: &'static str,
    name: String,
    /// What it is in the target; none where it is not there.
    target: Option<String>,
    /// What it is in the source.
    source: Option<String>,
}

/// Compares and writes the differences to stdout.
pub(in crate::cli) fn run(from: &str, format: PlanFormat, exit_code: bool, session: &mut Session) -> Outcome {
    let target = session.load()?;
    let source = session.load_in(from)?;
    let passed = promote::gate(&source, session);
    let [before, after] = [Inventory::of(&target, session)?, Inventory::of(&source, session)?];
    let found = differences(&before, &after);
    let refusals: Vec<String> = passed.iter().map(|diagnostic| diagnostic.message.clone()).collect();
    session.show_findings()?;
    let written = match format {
        PlanFormat::Human => human(&found, &refusals, [&after, &before], session.console.paint_data()),
        PlanFormat::Markdown => markdown(&found, &refusals, [&after, &before]),
        PlanFormat::Json => {
            let value = machine(&found, &refusals, [&after, &before]);
            format!("{}\n", serde_json::to_string_pretty(&value).expect("plain JSON"))
        }
    };
    session.console.data(&written)?;
    if format == PlanFormat::Human && refusals.is_empty() && !found.is_empty() {
        let (from, to) = (&after.environment, &before.environment);
        session.console.hint(&format!("run `medc promote {from} -t {to}` to make these changes"))?;
    }
    Ok(if exit_code && !found.is_empty() { Done::Changes } else { Done::Well })
}

fn differences(target: &Inventory, source: &Inventory) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut put = |kind, name: &str, target: Option<String>, source: Option<String>| {
        if target != source {
            found.push(Difference { kind, name: name.to_owned(), target, source });
        }
    };
    put("code", "git commit", target.git_sha.clone(), source.git_sha.clone());
    let names: BTreeSet<&String> = target.contracts.keys().chain(source.contracts.keys()).collect();
    for name in names {
        put("contract", name, target.contracts.get(name).cloned(), source.contracts.get(name).cloned());
    }
    let names: BTreeSet<&String> = target.datasets.keys().chain(source.datasets.keys()).collect();
    for name in names {
        let of = |inventory: &Inventory| {
            inventory.datasets.get(name).map(|dataset| format!("{} #{}", dataset.table, hash(&dataset.definition)))
        };
        put("dataset", name, of(target), of(source));
    }
    let names: BTreeSet<&String> = target.tables.keys().chain(source.tables.keys()).collect();
    for name in names {
        let parts = |inventory: &Inventory| inventory.tables.get(name).map(|built| built.parts.clone());
        match (parts(target), parts(source)) {
            (Some(Some(before)), Some(Some(after))) => {
                let mut parts = between(&before.definition, &after.definition);
                parts.retain(|part| part.part != "source");
                if !parts.is_empty() {
                    let words = parts.iter().map(|part| part.part.clone()).collect::<Vec<_>>().join(", ");
                    put("table", name, Some("as it is".to_owned()), Some(format!("other {words}")));
                }
            }
            (None, Some(_)) => put("table", name, None, Some("there".to_owned())),
            (Some(_), None) => put("table", name, Some("there".to_owned()), None),
            // Of one that an older medc wrote nothing is known.
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    let are_deployed = !target.resources.is_empty() && !source.resources.is_empty();
    let names: BTreeSet<&String> = target.resources.keys().chain(source.resources.keys()).collect();
    for name in names.into_iter().filter(|_| are_deployed) {
        match (target.resources.get(name), source.resources.get(name)) {
            (Some(before), Some(after)) => {
                let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let keys = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
                let keys = keys.cloned().collect::<Vec<_>>().join(", ");
                if !keys.is_empty() {
                    put("resource", name, Some("as it is".to_owned()), Some(format!("other {keys}")));
                }
            }
            (before, after) => {
                put("resource", name, before.map(|_| "there".to_owned()), after.map(|_| "there".to_owned()));
            }
        }
    }
    found
}

/// The first digits of a fingerprint.
fn hash(fingerprint: &str) -> String {
    fingerprint.split_once(':').map_or(fingerprint, |(_, hex)| hex).chars().take(8).collect()
}

fn value(difference: &Difference, side: Option<&str>) -> String {
    match (difference.kind, side) {
        ("code", side) => short(side),
        (_, Some(text)) => text.to_owned(),
        (_, None) => "none".to_owned(),
    }
}

fn human(found: &[Difference], refusals: &[String], [from, to]: [&Inventory; 2], paint: Paint) -> String {
    let mut text = format!("{} → {}\n", from.environment, to.environment);
    let mut kind = "";
    for difference in found {
        if difference.kind != kind {
            kind = difference.kind;
            let _ = writeln!(text, "{}", paint.tone(Tone::Faint, kind));
        }
        let name = paint.tone(Tone::Strong, &difference.name);
        let (target, source) =
            (value(difference, difference.target.as_deref()), value(difference, difference.source.as_deref()));
        let _ = writeln!(text, "  {name}  {target} → {source}");
    }
    for inventory in [from, to] {
        if let Some(note) = &inventory.note {
            let _ = writeln!(text, "  {}: {}", inventory.environment, paint.tone(Tone::Caution, note));
        }
    }
    if found.is_empty() {
        text.push_str("The two are the same.\n");
    } else {
        let _ = writeln!(text, "\n{} differ.", ui::count(found.len() as u64, "thing"));
    }
    for refusal in refusals {
        let _ = writeln!(text, "{} {refusal}", paint.tone(Tone::Bad, "not to be promoted:"));
    }
    text
}

fn markdown(found: &[Difference], refusals: &[String], [from, to]: [&Inventory; 2]) -> String {
    let mut text = format!("### {} → {}\n\n", code(&from.environment), code(&to.environment));
    if found.is_empty() {
        text.push_str("The two are the same.\n");
    } else {
        let _ =
            writeln!(text, "| | what | {} | {} |\n|---|---|---|---|", cell(&to.environment), cell(&from.environment));
    }
    for difference in found {
        let (target, source) =
            (value(difference, difference.target.as_deref()), value(difference, difference.source.as_deref()));
        let name = code(&difference.name);
        let _ = writeln!(text, "| {} | {name} | {} | {} |", difference.kind, cell(&target), cell(&source));
    }
    for refusal in refusals {
        let _ = writeln!(text, "\n❌ Not to be promoted: {}", cell(refusal));
    }
    text.push('\n');
    text
}

fn machine(found: &[Difference], refusals: &[String], [from, to]: [&Inventory; 2]) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "source": from,
        "target": to,
        "differences": found,
        "refusals": refusals,
    })
}
