//! Edges through expectations, on nodes made by hand.

use super::edges::By;
use super::*;
use crate::diagnostic::{Site, SourceId};
use crate::ir::{Assertion, Body, Dimension, Input, OnViolation, Relation, Sql, TableRef, Test, Write, WriteMode};

fn site(pointer: &str) -> Site {
    Site::root(SourceId(0)).member(pointer)
}

fn sql(text: &str, pointer: &str) -> Sql {
    Sql { text: text.into(), site: site(pointer), authored: true }
}

fn name(text: &str) -> TableName {
    TableName::parse(text).expect("a name")
}

fn node(table: &str, query: &str, tests: Vec<Test>) -> Node {
    let assertion = |test| Assertion {
        kind: "query",
        label: String::new(),
        columns: Vec::new(),
        arguments: serde_json::Value::Null,
        dimension: Dimension::Consistency,
        test,
        on_violation: OnViolation::Fail,
        severity: None,
        mostly: 1.0,
        filter: None,
        description: None,
        owner: None,
        site: site("expect"),
    };
    Node {
        name: name(table),
        site: site(table),
        description: None,
        tags: Vec::new(),
        owner: None,
        body: Body::Relation(Relation { input: Input::Query(sql(query, "sql")), operations: Vec::new() }),
        contract: None,
        write: Write {
            mode: WriteMode::Overwrite,
            cluster_by: Vec::new(),
            partition_by: Vec::new(),
            schema_evolution: crate::ir::SchemaEvolution::Fail,
        },
        assertions: tests.into_iter().map(assertion).collect(),
        dataset: None,
        feature_table: None,
        prevent_destroy: false,
        defaults: Vec::new(),
        on_databricks: crate::ir::OnDatabricks::default(),
    }
}

fn reference(table: &str) -> Test {
    let table = TableRef { name: name(table), site: site("references") };
    Test::Reference { columns: vec!["a".to_owned()], table, referenced: vec!["a".to_owned()] }
}

type Built = (Vec<Vec<u32>>, Vec<Vec<u32>>, Vec<u32>);

/// The nodes' inputs, what they are compared with and their order, or what is wrong.
fn built(nodes: Vec<Node>) -> Result<Built, Vec<crate::diagnostic::Diagnostic>> {
    let nodes: IndexMap<TableName, Node> = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
    let mut diagnostics = Diagnostics::new();
    let reads = edges::find(&nodes, &IndexMap::new(), &mut Memo::default(), &mut diagnostics);
    let order = match diagnostics.stop_on_error() {
        Ok(()) => order::topological(&nodes, &reads, &mut diagnostics),
        Err(reported) => Err(reported),
    };
    let numbers = |ids: &[NodeId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    let by = |by| reads.iter().map(|of_node| numbers(&edges::distinct(of_node, by))).collect::<Vec<_>>();
    match order {
        Ok(order) => Ok((by(By::Rows), by(By::Assertion), numbers(&order))),
        Err(_) => Err(diagnostics.iter().cloned().collect()),
    }
}

#[test]
fn what_expectations_look_at_comes_first_and_is_no_input() {
    let holds = sql("observed = (SELECT count(*) FROM b.four)", "holds");
    let count = Test::Aggregate { by: Vec::new(), value: sql("count(*)", "value"), holds };
    let own = Test::Query(sql("SELECT * FROM a.one JOIN quality.results ON true JOIN b.three ON true", "query"));
    let nodes = vec![
        node("a.one", "SELECT 1 AS a", vec![reference("a.two"), own, count]),
        node("a.two", "SELECT 1 AS a", Vec::new()),
        node("b.three", "SELECT 1 AS a FROM a.two", Vec::new()),
        node("b.four", "SELECT 1 AS a FROM a.two", Vec::new()),
    ];
    let (inputs, compared, order) = built(nodes).expect("no circle");
    assert_eq!(inputs, [vec![], vec![], vec![1], vec![1]]);
    assert_eq!(compared, [vec![1, 2, 3], vec![], vec![], vec![]]);
    assert_eq!(order, [1, 2, 3, 0]);
}

#[test]
fn a_circle_through_an_expectation_says_so() {
    let nodes = vec![
        node("a.one", "SELECT 1 AS a", vec![reference("b.two")]),
        node("b.two", "SELECT a FROM a.one", Vec::new()),
    ];
    let found = built(nodes).expect_err("a circle");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code.as_str(), "graph::cycle");
    assert!(found[0].labels.iter().any(|label| label.site == site("references")), "{found:#?}");
    assert!(found[0].note.as_deref().is_some_and(|note| note.contains("expectation")), "{found:#?}");
}

#[test]
fn an_unknown_table_is_marked_where_it_stands() {
    let holds = sql("observed = (SELECT count(*) FROM b.tvo)", "holds");
    let count = Test::Aggregate { by: Vec::new(), value: sql("count(*)", "value"), holds };
    let nodes = vec![
        node("a.one", "SELECT 1 AS a", vec![reference("b.tow"), count]),
        node("b.two", "SELECT 1 AS a", Vec::new()),
    ];
    let found = built(nodes).expect_err("unknown");
    let places: Vec<_> = found.iter().map(|one| (one.code.as_str(), one.labels[0].site.clone())).collect();
    assert_eq!(
        places,
        [("check::unknown-table", site("references")), ("check::unknown-table", site("holds").text(33..38)),]
    );
}
