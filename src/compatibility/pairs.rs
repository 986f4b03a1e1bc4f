//! Which contract is compared with which, and what happened to the tables that keep it.
//!
//! A contract is known by its name, and each table by its own: a table that now keeps another contract is held to what
//! it promised before, so a renamed contract is compared with its former self. A file of contracts knows no tables,
//! and what it lacks is not gone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::consumers::Consumers;
use super::{Change, Grade};
use super::{Compared, Consumer, Found, Promise, Promises, Reads, Rule, Subject, columns, expectations};
use crate::name::TableName;

/// What is compared.
pub(super) struct Pair {
    what: What,
    /// The tables whose readers count.
    tables: BTreeSet<TableName>,
}

enum What {
    Added(String),
    /// With the tables that kept it and now keep none, or are gone.
    Removed(String),
    Kept(String),
    /// Tables went from the first to the second.
    Moved(String, String),
}

/// Every contract of either side, with what to compare it with.
pub(super) fn find(before: &Promises, after: &Promises) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let moves = moves(before, after);
    for name in before.contracts.keys() {
        let moved: BTreeSet<&TableName> =
            moves.iter().filter(|((from, _), _)| from == name).flat_map(|(_, tables)| tables).collect();
        if after.contracts.contains_key(name) {
            let tables = before.tables(name).chain(after.tables(name)).filter(|table| !moved.contains(table));
            pairs.push(Pair { what: What::Kept(name.clone()), tables: tables.cloned().collect() });
        } else if after.bindings.is_some() || before.bindings.is_none() {
            let left: BTreeSet<TableName> =
                before.tables(name).filter(|table| !moved.contains(table)).cloned().collect();
            if moved.is_empty() || !left.is_empty() {
                pairs.push(Pair { what: What::Removed(name.clone()), tables: left });
            }
        }
    }
    for name in after.contracts.keys().filter(|name| !before.contracts.contains_key(*name)) {
        let is_successor = moves.keys().any(|(_, to)| to == name);
        if !is_successor && (before.bindings.is_some() || after.bindings.is_none()) {
            pairs.push(Pair { what: What::Added(name.clone()), tables: BTreeSet::new() });
        }
    }
    pairs.extend(moves.into_iter().map(|((from, to), tables)| Pair { what: What::Moved(from, to), tables }));
    pairs
}

/// The tables that keep another contract than before, by both names.
fn moves(before: &Promises, after: &Promises) -> BTreeMap<(String, String), BTreeSet<TableName>> {
    let mut moves: BTreeMap<(String, String), BTreeSet<TableName>> = BTreeMap::new();
    for (table, from) in before.bindings.iter().flatten() {
        let to = after.bindings.as_ref().and_then(|bindings| bindings.get(table)).and_then(Option::as_ref);
        if let (Some(from), Some(to)) = (from, to)
            && from != to
            && before.contracts.contains_key(from)
            && after.contracts.contains_key(to)
        {
            moves.entry((from.clone(), to.clone())).or_default().insert(table.clone());
        }
    }
    moves
}

/// Grades what is different.
pub(super) fn compare(pair: &Pair, before: &Promises, after: &Promises) -> Compared {
    let Pair { what, tables } = pair;
    let (contract, renamed_from, old, new) = match what {
        What::Added(name) => (name, None, None, after.contracts.get(name)),
        What::Removed(name) => (name, None, before.contracts.get(name), None),
        What::Kept(name) => (name, None, before.contracts.get(name), after.contracts.get(name)),
        What::Moved(from, to) => (to, Some(from.clone()), before.contracts.get(from), after.contracts.get(to)),
    };
    let mut found = Vec::new();
    match what {
        What::Added(name) => found.push(contract_change(name, Rule::ContractAdded, "added", new)),
        What::Removed(name) => found.push(removed(name, tables, before)),
        What::Kept(name) => bindings(name, before, after, new, &mut found),
        What::Moved(from, to) => {
            let is_rename = !after.contracts.contains_key(from) && !before.contracts.contains_key(to);
            let words = if is_rename { "renamed" } else { "another contract" };
            found.extend(tables.iter().map(|table| Found {
                subject: Subject::Table(table.to_string()),
                rule: Rule::ContractRenamed,
                what: format!("{words}: {from} → {to}"),
                hint: None,
                site: new.map(|new| new.contract.site.clone().key()),
                reads: Reads::OneTable(table.clone()),
            }));
        }
    }
    if let (Some(old), Some(new)) = (old, new) {
        if renamed_from.is_none() {
            found.extend(version(contract, old, new));
        }
        columns::compare(old, new, &mut found);
        expectations::compare(old, new, &mut found);
        if is_described_otherwise(old, new, "") {
            found.push(contract_change(contract, Rule::WordsChanged, "described otherwise", Some(new)));
        }
    }
    let mut changes: Vec<Change> =
        found.into_iter().map(|found| with_consumers(found, tables, before, after)).collect();
    changes.sort_by_key(|change| Reverse(change.grade()));
    Compared {
        contract: contract.clone(),
        renamed_from,
        before: old.and_then(|old| old.version),
        after: new.and_then(|new| new.version),
        changes,
        site: new.map(|new| new.contract.site.clone()),
        is_kept: old.is_some() && new.is_some(),
    }
}

/// Whether the words about a column, or about the contract itself, are others. Not for what is new or gone.
pub(super) fn is_described_otherwise(old: &Promise, new: &Promise, column: &str) -> bool {
    matches!((old.words.get(column), new.words.get(column)), (Some(old), Some(new)) if old != new)
}

fn contract_change(name: &str, rule: Rule, what: &str, new: Option<&Promise>) -> Found {
    Found {
        subject: Subject::Contract(name.to_owned()),
        rule,
        what: what.to_owned(),
        hint: None,
        site: new.map(|new| new.contract.site.clone().key()),
        reads: Reads::Table,
    }
}

fn removed(name: &str, tables: &BTreeSet<TableName>, before: &Promises) -> Found {
    if tables.is_empty() && before.bindings.is_some() {
        return contract_change(name, Rule::UnboundContractRemoved, "removed", None);
    }
    let mut found = contract_change(name, Rule::ContractRemoved, "removed", None);
    if !tables.is_empty() {
        let kept: Vec<String> = tables.iter().map(ToString::to_string).collect();
        found.what = format!("removed; {} kept it", kept.join(", "));
    }
    found
}

/// The tables that begin or cease to keep a contract that is still there.
fn bindings(name: &str, before: &Promises, after: &Promises, new: Option<&Promise>, found: &mut Vec<Found>) {
    let (Some(was), Some(is)) = (&before.bindings, &after.bindings) else { return };
    let mut push = |table: &TableName, rule, what: &str| {
        found.push(Found {
            subject: Subject::Table(table.to_string()),
            rule,
            what: what.to_owned(),
            hint: None,
            site: new.map(|new| new.contract.site.clone().key()),
            reads: Reads::OneTable(table.clone()),
        });
    };
    for table in before.tables(name) {
        match is.get(table) {
            None => push(table, Rule::TableRemoved, "removed"),
            Some(None) => push(table, Rule::TableUnbound, "keeps no contract any more"),
            // Another contract is compared with this one as a pair of its own.
            Some(Some(_)) => {}
        }
    }
    for table in after.tables(name) {
        if was.get(table).and_then(Option::as_ref).is_none() {
            push(table, Rule::TableBound, "keeps it now");
        }
    }
}

fn version(name: &str, old: &Promise, new: &Promise) -> Option<Found> {
    let before = old.version?;
    let what = match new.version {
        None => format!("version {before} taken away"),
        Some(after) if after < before => format!("version lowered: {before} → {after}"),
        Some(_) => return None,
    };
    Some(contract_change(name, Rule::VersionLowered, &what, Some(new)))
}

/// Who reads what changed, as the project was and as it is: who was adapted relied on it until now.
fn with_consumers(found: Found, tables: &BTreeSet<TableName>, before: &Promises, after: &Promises) -> Change {
    let Found { subject, rule, what, hint, site, reads } = found;
    let consumers = match rule.grade() {
        Grade::Compatible => Vec::new(),
        Grade::Risky | Grade::Breaking => consumers(&reads, tables, before, after),
    };
    Change { subject, rule, what, hint, consumers, site }
}

fn consumers(reads: &Reads, tables: &BTreeSet<TableName>, before: &Promises, after: &Promises) -> Vec<Consumer> {
    let mut consumers = Consumers::default();
    for readers in [&before.readers, &after.readers] {
        match reads {
            Reads::ByPosition => {}
            Reads::OneTable(table) => readers.of_table(table, &mut consumers),
            Reads::Table => {
                for table in tables {
                    readers.of_table(table, &mut consumers);
                }
            }
            Reads::Columns(columns) => {
                for table in tables {
                    readers.of_columns(table, columns, &mut consumers);
                }
            }
        }
    }
    consumers.listed()
}
