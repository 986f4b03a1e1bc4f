//! Columns: there or not, where, of which type, with or without NULL; and the primary key.

use super::pairs::is_described_otherwise;
use super::promises::same_set;
use super::{Found, Promise, Reads, Rule, Subject, data_type};
use crate::ir::{Column, ContractColumn, OnViolation};
use crate::name;
use crate::sql::zone::Zone;

/// Grades what is different.
pub(super) fn compare(before: &Promise, after: &Promise, found: &mut Vec<Found>) {
    let (old, new) = (&before.contract.columns, &after.contract.columns);
    let find = |columns: &'_ [ContractColumn], name: &str| {
        columns.iter().position(|other| name::same(&other.column.name, name))
    };
    let kept: Vec<usize> = old.iter().filter_map(|column| find(new, &column.column.name)).collect();
    let added: Vec<usize> = (0..new.len()).filter(|place| find(old, &new[*place].column.name).is_none()).collect();
    for column in old {
        match find(new, &column.column.name) {
            None => found.push(removed(&column.column, &added, new)),
            Some(place) => one(&column.column, &new[place], [before, after], found),
        }
    }
    found.extend(moved(&kept, new));
    let last_kept = kept.iter().max();
    for place in added {
        let column = &new[place];
        let name = &column.column.name;
        let is_last = last_kept.is_none_or(|last| place > *last);
        let (rule, what) = if is_last {
            (Rule::ColumnAdded, "added at the end".to_owned())
        } else {
            let next = new.get(place + 1).map(|next| next.column.name.as_str()).unwrap_or_default();
            (Rule::ColumnInserted, format!("added before {next}"))
        };
        found.push(Found {
            reads: Reads::ByPosition,
            ..Found::column(name, rule, what, Some(column.site.clone().key()))
        });
    }
    key(before, after, found);
    cast_failure(before, after, found);
    found.extend(timezone(before, after));
}

fn removed(column: &Column, added: &[usize], new: &[ContractColumn]) -> Found {
    let mut alike = added.iter().map(|place| &new[*place].column).filter(|other| other.data_type == column.data_type);
    let hint = match (alike.next(), alike.next()) {
        (Some(only), None) => Some(format!("perhaps renamed to {}, which has the same type", only.name)),
        (Some(_), Some(_)) | (None, _) => None,
    };
    Found { hint, ..Found::column(&column.name, Rule::ColumnRemoved, "removed", None) }
}

/// A column that is in both.
fn one(old: &Column, new: &ContractColumn, sides: [&Promise; 2], found: &mut Vec<Found>) {
    let column = &new.column;
    let site = || Some(new.site.clone());
    if old.name != column.name {
        let what = format!("spelled {} → {}", old.name, column.name);
        found.push(Found::column(&column.name, Rule::ColumnRespelled, what, site().map(crate::diagnostic::Site::key)));
    }
    if let Some(rule) = data_type::rule(&old.data_type, &column.data_type) {
        let what = format!("{} → {}", old.data_type, column.data_type);
        found.push(Found::column(&column.name, rule, what, Some(new.site.member("type"))));
    }
    let [was_never_null, is_never_null] = [(sides[0], old), (sides[1], column)].map(|(side, column)| {
        !column.nullable
            || side.sentences.iter().any(|sentence| {
                sentence.kind == "not_null"
                    && sentence.is_certain()
                    && matches!(sentence.columns.as_slice(), [only] if name::same(only, &column.name))
            })
    });
    match (was_never_null, is_never_null) {
        (true, false) => {
            found.push(Found::column(&column.name, Rule::NullAllowed, "never NULL → may be NULL", site()));
        }
        (false, true) => {
            found.push(Found::column(&column.name, Rule::NullForbidden, "may be NULL → never NULL", site()));
        }
        (true, true) | (false, false) => {}
    }
    if is_described_otherwise(sides[0], sides[1], &column.name.to_lowercase()) {
        found.push(Found::column(&column.name, Rule::WordsChanged, "described otherwise", site()));
    }
}

/// The kept columns that stand elsewhere among themselves: the fewest whose moving explains the order.
fn moved(kept: &[usize], new: &[ContractColumn]) -> Vec<Found> {
    let still = longest_ascending(kept);
    let moved = kept.iter().filter(|place| !still.contains(place));
    moved
        .map(|place| {
            let column = &new[*place];
            let before = place.checked_sub(1).and_then(|previous| new.get(previous));
            let what = match before {
                Some(previous) => format!("moved behind {}", previous.column.name),
                None => "moved to the front".to_owned(),
            };
            let found = Found::column(&column.column.name, Rule::ColumnMoved, what, Some(column.site.clone().key()));
            Found { reads: Reads::ByPosition, ..found }
        })
        .collect()
}

/// The members of a longest ascending subsequence.
fn longest_ascending(places: &[usize]) -> Vec<usize> {
    let mut best: Vec<Vec<usize>> = Vec::with_capacity(places.len());
    for (index, place) in places.iter().enumerate() {
        let before = best.iter().zip(&places[..index]).filter(|(_, other)| *other < place).map(|(chain, _)| chain);
        let mut chain = before.max_by_key(|chain| chain.len()).cloned().unwrap_or_default();
        chain.push(*place);
        best.push(chain);
    }
    best.into_iter().max_by_key(Vec::len).unwrap_or_default()
}

fn key(before: &Promise, after: &Promise, found: &mut Vec<Found>) {
    let (old, new) = (&before.key, &after.key);
    if same_set(old, new) {
        return;
    }
    let (rule, what, subject) = match (old.is_empty(), new.is_empty()) {
        (true, _) => (Rule::KeyAdded, "added".to_owned(), new),
        (false, true) => (Rule::KeyRemoved, "removed".to_owned(), old),
        (false, false) => (Rule::KeyChanged, format!("changed to {}", new.join(", ")), old),
    };
    let columns = after.contract.columns.iter();
    let site = columns.clone().find(|column| subject.iter().any(|name| name::same(name, &column.column.name)));
    found.push(Found {
        subject: Subject::Key(subject.clone()),
        rule,
        what,
        hint: None,
        site: site.map(|column| column.site.clone().key()),
        reads: Reads::Columns(old.clone()),
    });
}

fn cast_failure(before: &Promise, after: &Promise, found: &mut Vec<Found>) {
    let (old, new) = (before.contract.on_cast_failure, after.contract.on_cast_failure);
    let rank = |on_violation| match on_violation {
        OnViolation::Fail => 2,
        OnViolation::Drop | OnViolation::Quarantine => 1,
        OnViolation::Warn => 0,
    };
    let rule = match rank(new).cmp(&rank(old)) {
        std::cmp::Ordering::Less => Rule::CastFailureWeakened,
        std::cmp::Ordering::Greater => Rule::CastFailureStrengthened,
        std::cmp::Ordering::Equal => return,
    };
    found.push(Found {
        subject: Subject::Contract(after.contract.name.clone()),
        rule,
        what: format!("on_cast_failure: {} → {}", super::expectations::word(old), super::expectations::word(new)),
        hint: None,
        site: Some(after.contract.site.member("on_cast_failure")),
        reads: Reads::Table,
    });
}

/// Told where columns of both depend on it.
fn timezone(before: &Promise, after: &Promise) -> Option<Found> {
    let written = |promise: &Promise| promise.contract.timezone.clone().unwrap_or_else(|| "UTC".to_owned());
    let (old, new) = (written(before), written(after));
    let depends = |column: &&ContractColumn| {
        let spelled = column.column.data_type.to_string();
        spelled.contains("timestamp") || spelled.contains("date")
    };
    let columns = before.contract.columns.iter().filter(depends).map(|column| column.column.name.clone());
    let columns: Vec<String> = columns.collect();
    if Zone::parse(&old) == Zone::parse(&new) || columns.is_empty() {
        return None;
    }
    Some(Found {
        subject: Subject::Contract(after.contract.name.clone()),
        rule: Rule::TimezoneChanged,
        what: format!("timezone: {old} → {new}"),
        hint: None,
        site: Some(after.contract.site.member("timezone")),
        reads: Reads::Columns(columns),
    })
}
