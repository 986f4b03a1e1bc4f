//! Expectations as CHECK constraints of Delta tables, where the project asks for them.
//!
//! In: a node. Out: conditions by name. Only what every row that is published keeps, by itself and at any time: a test of a row, without
//! `mostly`, whose rows that break it fail, go or are set aside. Delta refuses a row for which a constraint is NULL, where an
//! expectation lets it pass, so that no condition is ever NULL. The name has a digest of the condition in it: the package
//! tells by the name alone whether a table has the constraint.

use std::collections::BTreeSet;

use crate::check::Checked;
use crate::engines::databricks::queries;
use crate::ir::{Assertion, NodeId, OnViolation, Sql, Test, WriteMode};
use crate::sql::rename::Kind;
use crate::sql::row_condition::is_of_one_row;

/// The constraints of a table, in the order of its expectations.
pub(super) fn of(checked: &Checked, id: NodeId) -> Vec<(String, String)> {
    let node = checked.graph.node(id);
    let bundle = &checked.graph.deployment.bundle;
    if !bundle.check_constraints || bundle.pipeline.is_some() || node.write.mode == WriteMode::View {
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let found = node.assertions.iter().filter_map(|assertion| {
        let condition = condition(assertion)?;
        let name = name(assertion, &condition);
        names.insert(name.clone()).then_some((name, condition))
    });
    found.collect()
}

fn condition(assertion: &Assertion) -> Option<String> {
    let holds_for_all = match assertion.on_violation {
        OnViolation::Fail | OnViolation::Drop | OnViolation::Quarantine => assertion.mostly >= 1.0,
        OnViolation::Warn => false,
    };
    if !holds_for_all {
        return None;
    }
    let text = |sql: &Sql| is_of_one_row(&sql.text).then(|| queries::renamed(sql.text.trim(), Kind::Expression));
    let (violated, considered) = match &assertion.test {
        Test::Row { considered, violated } => (text(violated)?, considered.as_ref()),
        Test::Holds(condition) => (format!("NOT (\n{}\n)", text(condition)?), None),
        Test::Window { .. }
        | Test::Unique { .. }
        | Test::Reference { .. }
        | Test::Aggregate { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => return None,
    };
    let guards: Vec<String> = assertion.filter.iter().chain(considered).map(text).collect::<Option<Vec<String>>>()?;
    // What a guard leaves out may not even be looked at: it can be an error.
    let violated = guards.iter().rev().fold(violated, |inner, guard| format!("CASE WHEN {guard}\nTHEN {inner}\nEND"));
    Some(format!("NOT coalesce({violated}\n, false)"))
}

fn name(assertion: &Assertion, condition: &str) -> String {
    let words: String = assertion
        .label
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' })
        .collect();
    let words: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    let mut words = words.join("_");
    words.truncate(40);
    format!("medc_{words}_{}", &blake3::hash(condition.as_bytes()).to_hex()[..8])
}
