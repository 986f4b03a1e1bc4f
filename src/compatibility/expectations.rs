//! Expectations: said, no longer said, or said otherwise, and what a violation leads to.
//!
//! Two sentences are about the same thing if they are of one kind and speak of the same columns; several such are paired
//! with the equal one first, then in order. Whether one says more than the other is read from bounds, sets of values,
//! `mostly` and `where`; where that cannot be known they are different. Sentences about a column that is new or gone, and
//! those that a changed NULL rule or key implies, are told of there.

use std::cmp::Ordering;

use serde_json::Value;

use super::promises::same_set;
use super::{Found, Promise, Reads, Rule, Sentence, Subject};
use crate::expectations::duration;
use crate::ir::OnViolation;
use crate::name;

/// Kinds that joins, merges and arithmetic rely on: without them results are wrong, not only unusual.
const GUARANTEES: &[&str] = &["not_null", "unique", "references"];

/// Grades what is different.
pub(super) fn compare(before: &Promise, after: &Promise, found: &mut Vec<Found>) {
    let mut new: Vec<&Sentence> = after.sentences.iter().filter(|sentence| is_own(sentence, before, after)).collect();
    let mut left: Vec<&Sentence> = Vec::new();
    for sentence in before.sentences.iter().filter(|sentence| is_own(sentence, before, after)) {
        match new.iter().position(|other| says_the_same(sentence, other)) {
            Some(place) => drop(new.remove(place)),
            None => left.push(sentence),
        }
    }
    for sentence in left {
        match new.iter().position(|other| is_about_the_same(sentence, other)) {
            Some(place) => changed(sentence, new.remove(place), found),
            None => found.push(removed(sentence)),
        }
    }
    for sentence in new {
        let rule = if sentence.is_enforced() { Rule::ExpectationAdded } else { Rule::WarningChanged };
        found.push(of(sentence, rule, "added", Some(sentence)));
    }
}

/// Whether a change of it is not the consequence of another that is told anyway.
fn is_own(sentence: &Sentence, before: &Promise, after: &Promise) -> bool {
    let has = |promise: &Promise, name: &str| {
        promise.contract.columns.iter().find(|column| name::same(&column.column.name, name)).map(|c| c.column.nullable)
    };
    let columns = || sentence.columns.iter().map(|column| (has(before, column), has(after, column)));
    // Columns that the contract never had are those of the source's lines.
    let is_kept = columns().all(|(old, new)| old.is_some() == new.is_some());
    let is_null_rule = sentence.kind == "not_null" && columns().any(|(old, new)| old != new);
    let is_key = sentence.kind == "unique"
        && !same_set(&before.key, &after.key)
        && (same_set(&sentence.columns, &before.key) || same_set(&sentence.columns, &after.key));
    is_kept && !is_null_rule && !is_key
}

fn is_about_the_same(left: &Sentence, right: &Sentence) -> bool {
    // A uniqueness of fewer columns is another one; so is the order of other kinds' columns.
    let is_same_columns = if left.kind == "unique" {
        same_set(&left.columns, &right.columns)
    } else {
        left.columns.len() == right.columns.len()
            && left.columns.iter().zip(&right.columns).all(|(left, right)| name::same(left, right))
    };
    left.kind == right.kind && is_same_columns
}

fn says_the_same(left: &Sentence, right: &Sentence) -> bool {
    let is_same = if left.arguments.is_null() && right.arguments.is_null() {
        left.label.eq_ignore_ascii_case(&right.label)
    } else {
        left.arguments == right.arguments
    };
    is_about_the_same(left, right)
        && is_same
        && left.on_violation == right.on_violation
        && (left.mostly - right.mostly).abs() < f64::EPSILON
        && left.filter == right.filter
}

fn removed(sentence: &Sentence) -> Found {
    let rule = match (sentence.is_enforced(), GUARANTEES.contains(&sentence.kind.as_str())) {
        (false, _) => Rule::WarningChanged,
        (true, true) => Rule::GuaranteeRemoved,
        (true, false) => Rule::ExpectationRemoved,
    };
    of(sentence, rule, "removed", None)
}

fn changed(before: &Sentence, after: &Sentence, found: &mut Vec<Found>) {
    let direction = sentence(before, after);
    let says = || {
        let mut parts = Vec::new();
        if before.label != after.label {
            parts.push(format!("now {}", after.label));
        } else if before.arguments != after.arguments {
            parts.push("with other values".to_owned());
        }
        if (before.mostly - after.mostly).abs() >= f64::EPSILON {
            parts.push(format!("mostly: {} → {}", before.mostly, after.mostly));
        }
        if before.filter != after.filter {
            let shown = |filter: &Option<String>| filter.clone().unwrap_or_else(|| "all rows".to_owned());
            parts.push(format!("where: {} → {}", shown(&before.filter), shown(&after.filter)));
        }
        if parts.is_empty() { "changed".to_owned() } else { parts.join("; ") }
    };
    if !before.is_enforced() && !after.is_enforced() {
        found.push(of(before, Rule::WarningChanged, says(), Some(after)));
        return;
    }
    let rule = match direction {
        Direction::Same => None,
        Direction::Tighter => Some(Rule::ExpectationTightened),
        Direction::Other => Some(Rule::ExpectationChanged),
        Direction::Looser if before.kind == "freshness" => Some(Rule::FreshnessLoosened),
        Direction::Looser if before.kind == "accepted_values" && before.arguments != after.arguments => {
            Some(Rule::ValuesWidened)
        }
        Direction::Looser => Some(Rule::ExpectationLoosened),
    };
    found.extend(rule.map(|rule| of(before, rule, says(), Some(after))));
    let rule = match (before.on_violation, after.on_violation) {
        (OnViolation::Fail | OnViolation::Drop | OnViolation::Quarantine, OnViolation::Warn)
            if GUARANTEES.contains(&before.kind.as_str()) =>
        {
            Rule::GuaranteeRemoved
        }
        (OnViolation::Fail | OnViolation::Drop | OnViolation::Quarantine, OnViolation::Warn) => {
            Rule::EnforcementWeakened
        }
        (OnViolation::Fail, OnViolation::Drop | OnViolation::Quarantine) => Rule::RowsLeftOut,
        (OnViolation::Warn, OnViolation::Fail | OnViolation::Drop | OnViolation::Quarantine)
        | (OnViolation::Drop | OnViolation::Quarantine, OnViolation::Fail) => Rule::EnforcementStrengthened,
        (OnViolation::Fail, OnViolation::Fail)
        | (OnViolation::Warn, OnViolation::Warn)
        | (OnViolation::Drop | OnViolation::Quarantine, OnViolation::Drop | OnViolation::Quarantine) => return,
    };
    let what = format!("on_violation: {} → {}", word(before.on_violation), word(after.on_violation));
    found.push(of(before, rule, what, Some(after)));
}

fn of(sentence: &Sentence, rule: Rule, what: impl Into<String>, after: Option<&Sentence>) -> Found {
    let columns = sentence.columns.clone();
    Found {
        subject: Subject::Expectation(sentence.label.clone()),
        rule,
        what: what.into(),
        hint: None,
        site: after.map(|after| after.site.clone()),
        reads: if columns.is_empty() { Reads::Table } else { Reads::Columns(columns) },
    }
}

/// The word of a project file.
pub(super) fn word(on_violation: OnViolation) -> &'static str {
    match on_violation {
        OnViolation::Fail => "fail",
        OnViolation::Drop => "drop",
        OnViolation::Quarantine => "quarantine",
        OnViolation::Warn => "warn",
    }
}

/// Which rows a sentence lets through, compared with a former one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Same,
    Tighter,
    Looser,
    /// Some that it did not, and not all that it did; or unknown.
    Other,
}

impl Direction {
    fn and(self, other: Direction) -> Direction {
        match (self, other) {
            (Direction::Same, direction) | (direction, Direction::Same) => direction,
            (Direction::Tighter, Direction::Tighter) => Direction::Tighter,
            (Direction::Looser, Direction::Looser) => Direction::Looser,
            (Direction::Other, _)
            | (_, Direction::Other)
            | (Direction::Tighter, Direction::Looser)
            | (Direction::Looser, Direction::Tighter) => Direction::Other,
        }
    }

    fn reversed(self) -> Direction {
        match self {
            Direction::Tighter => Direction::Looser,
            Direction::Looser => Direction::Tighter,
            Direction::Same => Direction::Same,
            Direction::Other => Direction::Other,
        }
    }

    /// Of a bound whose growth is `growing`.
    fn of(order: Ordering, growing: Direction) -> Direction {
        match order {
            Ordering::Less => growing,
            Ordering::Equal => Direction::Same,
            Ordering::Greater => growing.reversed(),
        }
    }
}

fn sentence(before: &Sentence, after: &Sentence) -> Direction {
    let mostly = before.mostly.partial_cmp(&after.mostly).unwrap_or(Ordering::Equal);
    let filter = match (&before.filter, &after.filter) {
        (before, after) if before == after => Direction::Same,
        (Some(_), None) => Direction::Tighter,
        (None, Some(_)) => Direction::Looser,
        (None | Some(_), _) => Direction::Other,
    };
    let arguments = match (&before.arguments, &after.arguments) {
        (Value::Null, Value::Null) if before.label.eq_ignore_ascii_case(&after.label) => Direction::Same,
        (Value::Null, Value::Null) => Direction::Other,
        (old, new) => bodies(&before.kind, old, new),
    };
    Direction::of(mostly, Direction::Tighter).and(filter).and(arguments)
}

/// Long bodies, key by key.
fn bodies(kind: &str, before: &Value, after: &Value) -> Direction {
    let empty = serde_json::Map::new();
    let members = |value: &Value| value.as_object().cloned().unwrap_or_else(|| empty.clone());
    let (old, new) = (members(before), members(after));
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    keys.map(|key| member(kind, key, old.get(key), new.get(key))).fold(Direction::Same, Direction::and)
}

/// What a key of a body means for the rows that are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A bound from below: more is stricter.
    Least,
    /// A bound from above: less is stricter.
    Greatest,
    /// The least and the greatest value.
    Range,
    /// True is stricter.
    Strict,
    /// True is less strict.
    Lenient,
    /// What is let through: more is less strict.
    Allowed,
    /// What is not, or what is asked for: more is stricter.
    Demanded,
    /// An age: more is less strict.
    Age,
    Unknown,
}

fn meaning(kind: &str, key: &str) -> Meaning {
    match (kind, key) {
        ("greater_than", "value") | (_, "min" | "p_value_at_least") => Meaning::Least,
        ("less_than", "value") | ("volume", "max_change") | (_, "max" | "at_most") => Meaning::Greatest,
        (_, "between") => Meaning::Range,
        (_, "exclusive_min" | "exclusive_max" | "strictly") => Meaning::Strict,
        (_, "or_equal" | "ties_okay") => Meaning::Lenient,
        ("accepted_values" | "most_common", "values")
        | ("distinct_values", "within")
        | ("of_type", "types")
        | ("column_pair_in", "pairs")
        | ("matches" | "like", "any_of") => Meaning::Allowed,
        ("not_in", "values")
        | ("distinct_values", "contain")
        | ("matches" | "like", "all_of")
        | ("not_matches" | "not_like", "any_of") => Meaning::Demanded,
        ("freshness", "within") => Meaning::Age,
        _ => Meaning::Unknown,
    }
}

fn member(kind: &str, key: &str, old: Option<&Value>, new: Option<&Value>) -> Direction {
    if old == new {
        return Direction::Same;
    }
    match meaning(kind, key) {
        Meaning::Least => bound(old, new, Direction::Tighter),
        Meaning::Greatest => bound(old, new, Direction::Looser),
        Meaning::Range => match (ends(old), ends(new)) {
            (Some([old_low, old_high]), Some([new_low, new_high])) => bound(
                Some(old_low),
                Some(new_low),
                Direction::Tighter,
            )
            .and(bound(Some(old_high), Some(new_high), Direction::Looser)),
            (Some(_) | None, _) => Direction::Other,
        },
        Meaning::Strict => Direction::of(flag(old).cmp(&flag(new)), Direction::Tighter),
        Meaning::Lenient => Direction::of(flag(old).cmp(&flag(new)), Direction::Looser),
        Meaning::Allowed => set(old, new, Direction::Looser),
        Meaning::Demanded => set(old, new, Direction::Tighter),
        Meaning::Age => match (old.and_then(age_s), new.and_then(age_s)) {
            (Some(old), Some(new)) => Direction::of(old.cmp(&new), Direction::Looser),
            (Some(_) | None, _) => Direction::Other,
        },
        Meaning::Unknown => Direction::Other,
    }
}

fn ends(value: Option<&Value>) -> Option<[&Value; 2]> {
    match value?.as_array()?.as_slice() {
        [low, high] => Some([low, high]),
        _ => None,
    }
}

/// A flag that is not there is not set.
fn flag(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool).unwrap_or(false)
}

/// A bound that is not there, or NULL, is none.
fn bound(old: Option<&Value>, new: Option<&Value>, growing: Direction) -> Direction {
    let there = |value: &&Value| !value.is_null();
    match (old.filter(there), new.filter(there)) {
        (Some(old), Some(new)) => values(old, new).map_or(Direction::Other, |order| Direction::of(order, growing)),
        (None, Some(_)) => Direction::Tighter,
        (Some(_), None) => Direction::Looser,
        (None, None) => Direction::Same,
    }
}

/// Values in whatever order.
fn set(old: Option<&Value>, new: Option<&Value>, growing: Direction) -> Direction {
    let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new) else { return Direction::Other };
    let within = |some: &[Value], all: &[Value]| some.iter().all(|value| all.contains(value));
    match (within(old, new), within(new, old)) {
        (true, true) => Direction::Same,
        (true, false) => growing,
        (false, true) => growing.reversed(),
        (false, false) => Direction::Other,
    }
}

/// Numbers by value; dates and times as ISO 8601 by their text, which orders them. Other texts are not compared.
fn values(old: &Value, new: &Value) -> Option<Ordering> {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => old.as_f64()?.partial_cmp(&new.as_f64()?),
        (Value::String(old), Value::String(new)) => {
            // Numbers and percentages as text.
            let number = |text: &str| text.trim().trim_end_matches('%').trim_end().parse::<f64>().ok();
            if let (Some(old), Some(new), true) = (number(old), number(new), old.ends_with('%') == new.ends_with('%')) {
                return old.partial_cmp(&new);
            }
            let is_date = |text: &str| {
                let shape = text.bytes().take(10).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
                shape.eq(*b"0000-00-00")
            };
            (is_date(old) && is_date(new) && old.len() == new.len()).then(|| old.cmp(new))
        }
        _ => None,
    }
}

fn age_s(value: &Value) -> Option<u64> {
    duration::seconds(value.as_str()?, "").ok()
}
