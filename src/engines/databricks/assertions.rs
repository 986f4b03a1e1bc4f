//! Assertions as the checks of the shared package, one call each.
//!
//! In: a node's assertions. Out: Python expressions of the classes in `checks.py`. In their SQL the node's own name is the view
//! `rows_under_test`, as the rows are judged before they are published.

use crate::engines::databricks::python::Py;
use crate::engines::databricks::queries;
use crate::ir::{Assertion, ColumnsTest, Distribution, Measure, Node, OnViolation, Reference, Severity, Sql, Test};
use crate::name::TableName;
use crate::sql::literals;
use crate::sql::rename::{self, Kind, NewName};

/// The view that holds the rows which are judged.
const ROWS: &str = "rows_under_test";

/// The classes that the checks of a node are made of.
pub(super) fn classes(node: &Node) -> Vec<&'static str> {
    let mut classes = Vec::new();
    for assertion in &node.assertions {
        classes.push(class(&assertion.test));
        if let Test::Distribution(distribution) = &assertion.test {
            classes.push(reference_class(&distribution.reference));
            classes.push(measure_class(&distribution.measure));
        }
    }
    classes
}

fn class(test: &Test) -> &'static str {
    match test {
        Test::Row { .. } => "Row",
        Test::Holds(_) => "Holds",
        Test::Window { .. } => "Window",
        Test::Unique { .. } => "Unique",
        Test::Reference { .. } => "References",
        Test::Aggregate { .. } => "Aggregate",
        Test::Query(_) => "Violations",
        Test::Distribution(_) => "Distribution",
        Test::Columns(_) => "ColumnsMatch",
    }
}

fn reference_class(reference: &Reference) -> &'static str {
    match reference {
        Reference::Column { .. } => "TableColumn",
        Reference::Categories(_) => "Categories",
        Reference::Bins { .. } => "Bins",
    }
}

fn measure_class(measure: &Measure) -> &'static str {
    match measure {
        Measure::KolmogorovSmirnov => "KolmogorovSmirnov",
        Measure::ChiSquared => "ChiSquared",
        Measure::Psi { .. } => "Psi",
        Measure::JensenShannon { .. } => "JensenShannon",
        Measure::KullbackLeibler { .. } => "KullbackLeibler",
    }
}

/// An assertion as a call. `is_proven` says of a uniqueness that nobody has to look.
pub(super) fn check(node: &Node, assertion: &Assertion, is_proven: bool) -> Py {
    let sql = |sql: &Sql, kind| Py::Text(of_rows(node, sql, kind));
    let columns = match &assertion.test {
        Test::Unique { columns } | Test::Reference { columns, .. } => columns,
        Test::Row { .. }
        | Test::Holds(_)
        | Test::Window { .. }
        | Test::Aggregate { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => &assertion.columns,
    };
    let mut arguments = vec![
        (Some("kind"), Py::text(assertion.kind)),
        (Some("label"), Py::text(&assertion.label)),
        (Some("columns"), Py::texts(columns)),
        (Some("dimension"), Py::Text(word(assertion.dimension))),
    ];
    match &assertion.test {
        Test::Row { considered, violated } | Test::Window { considered, violated } => {
            if let Some(considered) = considered {
                arguments.push((Some("considered"), sql(considered, Kind::Expression)));
            }
            arguments.push((Some("violated"), sql(violated, Kind::Expression)));
        }
        Test::Holds(condition) => arguments.push((Some("condition"), sql(condition, Kind::Expression))),
        Test::Unique { .. } => {
            if is_proven {
                arguments.push((Some("proven"), Py::Bool(true)));
            }
        }
        Test::Reference { table, referenced, .. } => {
            arguments.push((Some("table"), other_table(node, &table.name)));
            arguments.push((Some("referenced"), Py::texts(referenced)));
        }
        Test::Aggregate { by, value, holds } => {
            if !by.is_empty() {
                arguments.push((Some("by"), Py::texts(by)));
            }
            arguments.push((Some("value"), sql(value, Kind::Expression)));
            arguments.push((Some("holds"), sql(holds, Kind::Expression)));
        }
        Test::Query(query) => arguments.push((Some("sql"), sql(query, Kind::Query))),
        Test::Distribution(compared) => arguments.extend(distribution(node, compared)),
        Test::Columns(columns) => arguments.extend(columns_match(columns)),
    }
    if assertion.on_violation != OnViolation::Fail {
        arguments.push((Some("on_violation"), Py::Text(word(assertion.on_violation))));
    }
    if let Some(severity) = assertion.severity {
        arguments.push((Some("severity"), Py::Text(word::<Severity>(severity))));
    }
    if assertion.mostly < 1.0 {
        arguments.push((Some("mostly"), Py::float(assertion.mostly)));
    }
    if let Some(filter) = &assertion.filter {
        arguments.push((Some("where"), sql(filter, Kind::Expression)));
    }
    Py::Call(class(&assertion.test), arguments)
}

/// A word of the project file, as serde spells it.
pub(super) fn word<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn of_rows(node: &Node, sql: &Sql, kind: Kind) -> String {
    let new_name = |table: &TableName| {
        if *table == node.name {
            NewName { text: ROWS.to_owned(), keeps_name: false }
        } else {
            NewName { text: queries::reference(table), keeps_name: true }
        }
    };
    let renamed = rename::rename(&sql.text, kind, &new_name).unwrap_or_else(|_| sql.text.to_string());
    literals::unsubstituted(&renamed).into_owned()
}

/// A table that a check names; its own name is the rows under test.
fn other_table(node: &Node, table: &TableName) -> Py {
    if *table == node.name { Py::text(ROWS) } else { Py::Text(table.to_string()) }
}

fn distribution(node: &Node, compared: &Distribution) -> Vec<(Option<&'static str>, Py)> {
    let Distribution { column, reference, measure, at_most, p_value_at_least } = compared;
    let pairs = |pairs: &[(String, f64)]| {
        Py::Dict(pairs.iter().map(|(name, share)| (name.clone(), Py::float(*share))).collect())
    };
    let numbers = |numbers: &[f64]| Py::List(numbers.iter().map(|number| Py::float(*number)).collect());
    let whence = match reference {
        Reference::Column { table, column } => {
            vec![(None, other_table(node, &table.name)), (None, Py::text(column))]
        }
        Reference::Categories(shares) => vec![(None, pairs(shares))],
        Reference::Bins { edges, shares, below, above } => vec![
            (Some("edges"), numbers(edges)),
            (Some("shares"), numbers(shares)),
            (Some("below"), Py::float(*below)),
            (Some("above"), Py::float(*above)),
        ],
    };
    let how = match measure {
        Measure::KolmogorovSmirnov | Measure::ChiSquared => Vec::new(),
        Measure::Psi { bins } | Measure::JensenShannon { bins } => {
            vec![(Some("bins"), Py::Number(bins.to_string()))]
        }
        Measure::KullbackLeibler { tail_holdout, internal_holdout } => vec![
            (Some("tail_holdout"), Py::float(*tail_holdout)),
            (Some("internal_holdout"), Py::float(*internal_holdout)),
        ],
    };
    let bound = |bound: &Option<f64>| bound.map(Py::float);
    let mut arguments = vec![
        (Some("column"), Py::text(column)),
        (Some("reference"), Py::Call(reference_class(reference), whence)),
        (Some("measure"), Py::Call(measure_class(measure), how)),
    ];
    arguments.extend(bound(at_most).map(|bound| (Some("at_most"), bound)));
    arguments.extend(bound(p_value_at_least).map(|bound| (Some("p_value_at_least"), bound)));
    arguments
}

fn columns_match(columns: &ColumnsTest) -> Vec<(Option<&'static str>, Py)> {
    match columns {
        ColumnsTest::InOrder(names) => vec![(Some("in_order"), Py::texts(names))],
        ColumnsTest::Among { names, exact } => {
            vec![(Some("among"), Py::texts(names)), (Some("exact"), Py::Bool(*exact))]
        }
        ColumnsTest::Count { min, max } => {
            let bound = |bound: &Option<u64>| bound.map_or(Py::None, |bound| Py::Number(bound.to_string()));
            vec![(Some("count"), Py::Tuple(vec![bound(min), bound(max)]))]
        }
        ColumnsTest::Type { column, any_of } => {
            let types: Vec<String> = any_of.iter().map(ToString::to_string).collect();
            vec![(Some("typed"), Py::Tuple(vec![Py::text(column), Py::texts(&types)]))]
        }
    }
}
