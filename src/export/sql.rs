//! Assertions as SQL for dialects that evaluate it.
//!
//! In: an assertion. Out: a condition that is true of a violating row, or a query that counts violations, in Databricks SQL.

use crate::ir::{Assertion, Test};
use crate::kind;

/// A condition that is TRUE of a violating row and looks at its own row only.
pub(super) fn violating(assertion: &Assertion) -> Option<String> {
    let condition = match &assertion.test {
        Test::Row { considered, violated } => {
            let parts = considered.iter().chain([violated]).map(|sql| &*sql.text);
            conjunction(parts.collect::<Vec<_>>().as_slice())
        }
        Test::Holds(sql) => format!("NOT ({})", sql.text.trim()),
        Test::Window { .. }
        | Test::Unique { .. }
        | Test::Reference { .. }
        | Test::Aggregate { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => return None,
    };
    Some(condition)
}

/// A condition that is TRUE of every row that holds, also of one that is not considered.
pub(super) fn holding(assertion: &Assertion) -> Option<String> {
    match &assertion.test {
        Test::Holds(sql) => Some(format!("coalesce({}, true)", sql.text.trim())),
        Test::Row { .. } => violating(assertion).map(|violating| format!("NOT coalesce({violating}, false)")),
        Test::Window { .. }
        | Test::Unique { .. }
        | Test::Reference { .. }
        | Test::Aggregate { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => None,
    }
}

/// A query that gives the number of violations among the rows of `table`; `None` for what SQL does not count.
pub(super) fn count(assertion: &Assertion, table: &str) -> Option<String> {
    let filter = assertion.filter.as_ref().map(|sql| sql.text.trim().to_owned());
    let rows = |more: &[&str]| {
        let all: Vec<&str> = filter.as_deref().into_iter().chain(more.iter().copied()).collect();
        if all.is_empty() { String::new() } else { format!("\nWHERE {}", conjunction(&all)) }
    };
    Some(match &assertion.test {
        Test::Row { .. } | Test::Holds(_) => {
            let violating = violating(assertion)?;
            format!("SELECT COUNT(*)\nFROM {table}{}", rows(&[&violating]))
        }
        Test::Window { considered, violated } => {
            let considered: Vec<&str> = considered.iter().map(|sql| &*sql.text).collect();
            let inner = format!("SELECT {} AS violated\nFROM {table}{}", violated.text, rows(&considered));
            format!("SELECT COUNT(*)\nFROM ({inner}) AS judged\nWHERE violated")
        }
        Test::Unique { columns } => {
            let quoted: Vec<String> = columns.iter().map(|column| kind::column(column)).collect();
            let present: Vec<String> = quoted.iter().map(|column| format!("{column} IS NOT NULL")).collect();
            let present: Vec<&str> = present.iter().map(String::as_str).collect();
            let keys = quoted.join(", ");
            let groups =
                format!("SELECT COUNT(*) AS n\nFROM {table}{}\nGROUP BY {keys}\nHAVING COUNT(*) > 1", rows(&present));
            format!("SELECT COALESCE(SUM(n), 0)\nFROM ({groups}) AS repeated")
        }
        Test::Aggregate { by, value, holds } => {
            let groups: Vec<String> = by.iter().map(|column| kind::column(column)).collect();
            let group_by = if by.is_empty() { String::new() } else { format!("\nGROUP BY {}", groups.join(", ")) };
            // `holds` may speak of the groups' columns.
            let selected: Vec<&str> = groups.iter().map(String::as_str).collect();
            let comma = if by.is_empty() { "" } else { ", " };
            let inner = format!(
                "SELECT {}{comma}{} AS observed\nFROM {table}{}{group_by}",
                selected.join(", "),
                value.text,
                rows(&[])
            );
            format!("SELECT COUNT(*)\nFROM ({inner}) AS observation\nWHERE NOT COALESCE({}, FALSE)", holds.text)
        }
        Test::Query(sql) => format!("SELECT COUNT(*)\nFROM ({}) AS violations", sql.text.trim().trim_end_matches(';')),
        Test::Reference { .. } | Test::Distribution(_) | Test::Columns(_) => return None,
    })
}

/// Conditions that must all be true; parentheses where there are several.
fn conjunction(conditions: &[&str]) -> String {
    match conditions {
        [only] => only.trim().to_owned(),
        several => several.iter().map(|condition| format!("({})", condition.trim())).collect::<Vec<_>>().join(" AND "),
    }
}
