//! `medc plan --why TABLE`: what a table's state was decided by, part by part, as it was and as it is.
//!
//! In: a plan with its state. Out: [`Why`], for people and for machines. Where a commit does not tell a part, it says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::Shown;
use super::words::explain;
use crate::cli::Failure;
use crate::cli::lineage::find_table;
use crate::cli::ui::{Paint, Tone};
use crate::ir::{Body, WriteMode};
use crate::plan::{definition, fingerprints, source_stamp, stored_inputs};
use crate::state::Commit;

const FORMAT_VERSION: u32 = 1;

/// A text longer than this is cut for people.
const LONG: usize = 160;

/// Everything that decides whether a table is built.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Why {
    table: String,
    verdict: String,
    fingerprint: Then<String>,
    definition: Vec<Part>,
    /// Versions of the stored tables that it reads.
    inputs: Vec<Part>,
    /// The source's files, where it has one.
    files: Vec<Part>,
    /// Whether the definition's former parts are known.
    is_told: bool,
    written: Option<Written>,
}

/// Something as it was and as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Then<T> {
    from: Option<T>,
    to: Option<T>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Part {
    #[serde(rename = "part")]
    name: String,
    from: Option<String>,
    to: Option<String>,
    changed: bool,
}

/// The commit that all is compared with.
#[derive(Debug, Clone, Serialize)]
struct Written {
    version: i64,
    /// The table's version now.
    version_now: i64,
    run_id: String,
    git_sha: Option<String>,
    by_others_since: bool,
}

/// Gathers it.
///
/// # Errors
/// A table that the project does not have.
pub(super) fn of(shown: &Shown, table: &str) -> Result<Why, Failure> {
    let id = find_table(table, &shown.loaded)?;
    let graph = &shown.loaded.checked.graph;
    let node = graph.node(id);
    let action = shown.plan().actions.iter().find(|action| action.node == id);
    let verdict = match (action, &node.write.mode) {
        (Some(action), _) => explain(action, &shown.causes),
        (None, WriteMode::View) => "a view: nothing is stored, its parts are its readers' parts".to_owned(),
        (None, _) if !shown.planned.selected.contains(&id) => "not selected".to_owned(),
        (None, _) => "up to date".to_owned(),
    };
    let state = shown.planned.state.tables.get(&node.name);
    let commit = state.and_then(|table| table.commit.as_ref());
    let former = commit.and_then(Commit::parts);
    let now = definition::definition(graph, id);
    let names: BTreeSet<&String> = former.iter().flat_map(|parts| parts.definition.keys()).chain(now.keys()).collect();
    let part = |name: &&String| {
        let from = former.as_ref().and_then(|parts| parts.definition.get(*name)).cloned();
        let to = now.get(*name).cloned();
        Part { name: (*name).clone(), changed: former.is_some() && from != to, from, to }
    };
    let mut read: BTreeSet<String> = commit.iter().flat_map(|commit| commit.inputs.keys().cloned()).collect();
    read.extend(stored_inputs(graph, id).into_iter().map(|input| graph.node(input).name.to_string()));
    let input = |name: String| {
        let from = commit.and_then(|commit| commit.inputs.get(&name)).map(ToString::to_string);
        let now = crate::name::TableName::parse(&name).and_then(|name| shown.planned.state.tables.get(&name));
        let to = now.map(|table| table.version.to_string());
        Part { changed: commit.is_some() && from != to, name, from, to }
    };
    Ok(Why {
        table: node.name.to_string(),
        verdict,
        fingerprint: Then {
            from: commit.map(|commit| commit.fingerprint.clone()),
            to: fingerprints(graph).into_iter().nth(id.index()),
        },
        definition: names.iter().map(part).collect(),
        inputs: read.into_iter().map(input).collect(),
        files: match node.body {
            Body::Ingest(_) => files(shown, id),
            Body::Relation(_) => Vec::new(),
        },
        is_told: commit.is_none() || former.is_some(),
        written: state.zip(commit).map(|(table, commit)| Written {
            version: commit.version,
            version_now: table.version,
            run_id: commit.run_id.clone(),
            git_sha: commit.git_sha.clone(),
            by_others_since: table.written_by_others,
        }),
    })
}

/// Each file of an appended table; of another one all files together, which is what it remembers.
fn files(shown: &Shown, id: crate::ir::NodeId) -> Vec<Part> {
    let node = shown.loaded.checked.graph.node(id);
    let now = shown.planned.state.sources.get(&node.name).map_or(&[][..], Vec::as_slice);
    let table = shown.planned.state.tables.get(&node.name);
    let known = table.map(|table| &table.ingested).filter(|known| !known.is_empty());
    let Some(known) = known else {
        let from = table.and_then(|table| table.commit.as_ref()?.source_stamp.clone());
        let to = Some(source_stamp(now));
        let part = format!("all {} together", crate::cli::ui::count(now.len() as u64, "file"));
        return vec![Part { name: part, changed: from.is_some() && from != to, from, to }];
    };
    let names: BTreeSet<&String> = known.keys().chain(now.iter().map(|file| &file.path)).collect();
    let part = |name: &String| {
        let from = known.get(name).map(|stamp| format!("{stamp:016x}"));
        let to = now.iter().find(|file| file.path == *name).map(|file| format!("{:016x}", file.stamp));
        Part { name: name.clone(), changed: from != to, from, to }
    };
    names.into_iter().map(part).collect()
}

/// For people: what changed stands with both texts, the rest with one.
pub(super) fn human(why: &Why, paint: Paint) -> String {
    let mut text = format!("{}  {}\n", paint.tone(Tone::Strong, &why.table), why.verdict);
    let short = |fingerprint: &str| fingerprint.chars().take(14).collect::<String>();
    let _ = match (&why.fingerprint.from, &why.fingerprint.to) {
        (Some(from), Some(to)) if from == to => writeln!(text, "fingerprint {} as it was", short(to)),
        (Some(from), Some(to)) => writeln!(text, "fingerprint {} → {}", short(from), short(to)),
        (None, Some(to)) => writeln!(text, "fingerprint {}", short(to)),
        (_, None) => Ok(()),
    };
    if !why.is_told {
        text.push_str("the medc that wrote it did not write down the parts of its fingerprint; the next write does\n");
    }
    for (title, parts) in [("definition", &why.definition), ("inputs, by version", &why.inputs), ("files", &why.files)]
    {
        if parts.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}", paint.tone(Tone::Faint, title));
        for part in parts {
            let cut = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), cut);
            if part.changed {
                let symbol = paint.tone(Tone::Caution, "~");
                let name = paint.tone(Tone::Strong, &part.name);
                let _ = writeln!(text, "  {symbol} {name}  {} → {}", cut(&part.from), cut(&part.to));
            } else {
                let _ = writeln!(text, "  = {}  {}", part.name, paint.tone(Tone::Faint, &cut(&part.to)));
            }
        }
    }
    if let Some(Written { version, version_now, run_id, git_sha, by_others_since }) = &why.written {
        let sha = git_sha.as_ref().map(|sha| format!(", commit {}", short(sha))).unwrap_or_default();
        let others =
            if *by_others_since { format!("; others wrote since (version {version_now})") } else { String::new() };
        let _ = writeln!(text, "compared with version {version}, run {run_id}{sha}{others}");
    }
    text
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONG {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(LONG).collect::<String>())
}

/// For machines.
pub(super) fn machine(why: &Why) -> Value {
    let mut written = json!(why);
    if let Some(members) = written.as_object_mut() {
        members.insert("format_version".to_owned(), FORMAT_VERSION.into());
    }
    written
}
