//! Whole nodes: contracts, steps, assertions, and what is left alone.

use std::sync::Arc;

use indexmap::IndexMap;

use super::*;
use crate::diagnostic::{Part, Site, SourceId};
use crate::ir::deployment::Deployment;
use crate::ir::{
    Assertion, Body, Column, ColumnsTest, Computed, Contract, ContractColumn, DataType, Delimited, Dimension,
    Distribution, Ingest, Input, Measure, Node, OnViolation, Operation, Ordering, Reader, Reference, Relation, Renamed,
    SchemaEvolution, Sql, TableRef, Test, Write, WriteMode,
};
use crate::name::TableName;

fn site(pointer: &str) -> Site {
    Site::root(SourceId(0)).descend(pointer)
}

fn sql(text: &str) -> Sql {
    Sql { text: Arc::from(text), site: site("/sql"), authored: true }
}

fn made(text: &str) -> Sql {
    Sql { authored: false, ..sql(text) }
}

fn contract(columns: &str) -> Contract {
    let columns = columns.split(", ").map(|column| {
        let (name, rest) = column.split_once(' ').expect("a name and a type");
        let (text, nullable) = rest.strip_suffix('!').map_or((rest, true), |text| (text, false));
        ContractColumn {
            column: Column { name: name.to_owned(), data_type: DataType::parse(text).expect("a type"), nullable },
            description: None,
            tags: Vec::new(),
            site: site(&format!("/columns/{name}")),
        }
    });
    Contract {
        name: "c".to_owned(),
        version: None,
        description: None,
        owner: None,
        primary_key: Vec::new(),
        columns: columns.collect(),
        on_cast_failure: OnViolation::Fail,
        timezone: None,
        site: site("/contract"),
    }
}

fn node(name: &str, body: Body, columns: Option<&str>) -> Node {
    Node {
        name: TableName::parse(name).expect("a name"),
        site: site("/table"),
        description: None,
        tags: Vec::new(),
        owner: None,
        body,
        contract: columns.map(contract).map(std::sync::Arc::new),
        write: Write {
            mode: WriteMode::Overwrite,
            cluster_by: Vec::new(),
            partition_by: Vec::new(),
            schema_evolution: SchemaEvolution::Evolve,
        },
        assertions: Vec::new(),
        dataset: None,
        feature_table: None,
        prevent_destroy: false,
        defaults: Vec::new(),
        on_databricks: crate::ir::OnDatabricks::default(),
    }
}

fn source(name: &str, columns: Option<&str>) -> Node {
    let reader = Reader::Delimited(Delimited {
        header: true,
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        encoding: "utf-8".to_owned(),
        null_values: Vec::new(),
        on_ragged_row: OnViolation::Fail,
    });
    let ingest = Ingest {
        location: "x.csv".to_owned(),
        location_site: site("/path"),
        reader,
        metadata_columns: vec![crate::ir::MetadataColumn::SourceFile],
    };
    node(name, Body::Ingest(ingest), columns)
}

fn query(name: &str, text: &str, columns: Option<&str>) -> Node {
    node(name, Body::Relation(Relation { input: Input::Query(sql(text)), operations: Vec::new() }), columns)
}

fn steps(name: &str, input: &str, operations: Vec<Operation>, columns: Option<&str>) -> Node {
    let input = Input::Table { name: TableName::parse(input).expect("a name"), site: site("/from") };
    node(name, Body::Relation(Relation { input, operations }), columns)
}

/// A graph whose nodes read the ones before them that their text names.
fn graph(nodes: Vec<Node>) -> Graph {
    let nodes: IndexMap<TableName, Node> = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
    let inputs = nodes.values().map(|node| {
        let mut read = Vec::new();
        if let Body::Relation(relation) = &node.body {
            let text = match &relation.input {
                Input::Query(sql) => sql.text.to_string(),
                Input::Table { name, .. } => name.to_string(),
            };
            for (index, name) in nodes.keys().enumerate() {
                if text.contains(&name.to_string()) {
                    read.push(NodeId(u32::try_from(index).expect("few")));
                }
            }
        }
        read
    });
    let inputs = inputs.collect();
    let order = (0..u32::try_from(nodes.len()).expect("few")).map(NodeId).collect();
    Graph {
        compared: vec![Vec::new(); nodes.len()],
        nodes,
        inputs,
        order,
        layers: Vec::new(),
        deployment: Deployment::default(),
    }
}

const RAW: &str = "order_id string, amount string, at string, n bigint, price double";

fn raw() -> Node {
    source("bronze.raw", Some(RAW))
}

/// The findings as `code | marked text or pointer | fix`.
fn findings(nodes: Vec<Node>) -> Vec<String> {
    let texts: Vec<Arc<str>> = nodes
        .iter()
        .filter_map(|node| match &node.body {
            Body::Relation(Relation { input: Input::Query(sql), .. }) => Some(Arc::clone(&sql.text)),
            _ => None,
        })
        .collect();
    let mut diagnostics = Diagnostics::new();
    let _ = check(graph(nodes), &mut diagnostics);
    let shown = diagnostics.iter().map(|found| {
        let primary = &found.labels[0].site;
        let place = match &primary.part {
            Part::Text(range) => texts.last().and_then(|text| text.get(range.clone())).unwrap_or("outside").to_owned(),
            Part::Key => format!("key {}", primary.pointer),
            Part::Value => primary.pointer.clone(),
        };
        format!("{} | {place} | {}", found.code, found.fix.as_ref().map_or("-", super::super::diagnostic::Fix::text))
    });
    shown.collect()
}

/// The findings of one query with a contract.
fn held(text: &str, columns: &str) -> Vec<String> {
    findings(vec![raw(), query("silver.t", text, Some(columns))])
}

const NONE: [&str; 0] = [];

#[test]
fn a_query_gives_its_contract() {
    assert_eq!(held("select order_id, n from bronze.raw", "order_id string, n bigint"), NONE);
    // Widening, literals, anything to text, and NULL into a nullable column.
    assert_eq!(
        held(
            "select order_id, n as a, 1 as b, n + n as c, null as d, cast('2024-01-01' as date) as e, n as f from bronze.raw",
            "order_id string, a decimal(20,0), b int, c double, d date, e timestamp, f string"
        ),
        NONE
    );
    assert_eq!(held("select ORDER_ID from bronze.raw", "order_id string"), NONE);
}

#[test]
fn a_column_of_another_type_is_cast() {
    assert_eq!(
        held("select order_id, n as x from bronze.raw", "order_id string, x int"),
        ["check::contract-column-type | n as x | CAST(n AS INT) AS x"]
    );
    assert_eq!(
        held("select sum(amount + 1) as s from bronze.raw", "s int"),
        ["check::type-mismatch | amount + 1 | CAST(amount AS BIGINT) + 1"]
    );
    assert_eq!(
        held(
            "select * from bronze.raw",
            "order_id int, amount string, at string, n bigint, price double, _source_file string"
        ),
        ["check::contract-column-type | * | -"]
    );
    assert_eq!(held("select null as x from bronze.raw", "x int!"), ["check::contract-column-type | null as x | -"]);
}

#[test]
fn missing_extra_and_reordered_columns_are_marked() {
    assert_eq!(
        held("select order_id, n as totl from bronze.raw", "order_id string, total bigint"),
        ["check::contract-missing-column | n as totl | n AS total"]
    );
    assert_eq!(
        held("select order_id from bronze.raw", "order_id string, total bigint"),
        ["check::contract-missing-column | order_id | order_id, CAST(NULL AS BIGINT) AS total"]
    );
    assert_eq!(
        held("select order_id, n, at from bronze.raw", "order_id string, at string"),
        ["check::contract-extra-column | n, | "]
    );
    assert_eq!(
        held("select order_id, n from bronze.raw", "order_id string"),
        ["check::contract-extra-column | , n | "]
    );
    assert_eq!(
        held("select * from bronze.raw", "order_id string, at string"),
        ["check::contract-extra-column | * | order_id, at"]
    );
    assert_eq!(
        held("select n, order_id, at as t from bronze.raw", "order_id string, n bigint, t string"),
        ["check::contract-column-order | n, order_id | order_id, n"]
    );
}

#[test]
fn a_table_is_cast_stepped_and_projected() {
    let latest = Operation::Latest {
        keys: vec!["order_id".to_owned()],
        order: vec![Ordering { column: "at".to_owned(), descending: true }],
        site: site("/steps/1"),
    };
    let total = Operation::Extend(vec![Computed { name: "total".to_owned(), expression: sql("amount * n") }]);
    let nodes = vec![
        raw(),
        steps(
            "silver.t",
            "bronze.raw",
            vec![Operation::Filter(sql("amount > 0 AND at >= '2024-01-01'")), latest, total],
            Some("order_id string!, amount decimal(10,2), at timestamp, total decimal(38,2)"),
        ),
    ];
    let mut diagnostics = Diagnostics::new();
    let checked = check(graph(nodes), &mut diagnostics).unwrap_or_else(|_| panic!("{diagnostics:#?}"));
    let typed = &checked.typed[1];
    assert_eq!(typed.unique, [["order_id".to_owned()].into()]);
    assert_eq!(
        typed.lineage[3].sources,
        [
            ColumnSource { table: "bronze.raw".to_owned(), column: "amount".to_owned() },
            ColumnSource { table: "bronze.raw".to_owned(), column: "n".to_owned() },
        ]
    );
    assert_eq!(typed.lineage[0].transformation, Transformation::Identity);
    assert_eq!(typed.lineage[1].transformation, Transformation::Expression);
}

#[test]
fn wrong_steps_are_marked() {
    let stepped =
        |operations, columns| findings(vec![raw(), steps("silver.t", "bronze.raw", operations, Some(columns))]);
    assert_eq!(stepped(vec![Operation::Filter(sql("n"))], "n bigint"), ["check::type-mismatch | outside | (n) <> 0"]);
    let rename = |from: &str, to: &str| {
        Operation::Rename(vec![Renamed { from: from.to_owned(), to: to.to_owned(), site: site("/steps/0") }])
    };
    assert_eq!(stepped(vec![rename("m", "x")], "n bigint"), ["check::unknown-column | /steps/0 | -"]);
    assert_eq!(stepped(vec![rename("n", "price")], "n bigint"), ["check::duplicate-column | /steps/0 | -"]);
    assert_eq!(stepped(vec![rename("n", "m")], "m bigint"), NONE);
    assert_eq!(
        stepped(Vec::new(), "n bigint, pric double"),
        ["check::contract-missing-column | key /columns/pric | price"]
    );
    assert_eq!(
        stepped(vec![Operation::Extend(vec![Computed { name: "d".to_owned(), expression: sql("n / 2") }])], "d int"),
        ["check::contract-column-type | outside | CAST(n / 2 AS INT)"]
    );
}

fn assertion(test: Test, columns: &[&str]) -> Assertion {
    Assertion {
        kind: "between",
        label: String::new(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        arguments: serde_json::Value::Null,
        dimension: Dimension::Consistency,
        test,
        on_violation: OnViolation::Fail,
        severity: None,
        mostly: 1.0,
        filter: None,
        description: None,
        owner: None,
        site: site("/expect/0"),
    }
}

#[test]
fn assertions_are_typed() {
    let expecting = |test, columns: &[&str]| {
        let mut node = steps("silver.t", "bronze.raw", Vec::new(), Some("order_id string, n bigint"));
        node.assertions.push(assertion(test, columns));
        findings(vec![raw(), node])
    };
    let row = |text| Test::Row { considered: Some(made("n IS NOT NULL")), violated: text };
    assert_eq!(expecting(row(made("NOT (n BETWEEN 0 AND 10)")), &["n"]), NONE);
    assert_eq!(expecting(row(made("n + 1")), &["n"]), ["resolve::expectation | /expect/0 | -"]);
    assert_eq!(expecting(row(sql("m > 1")), &[]), ["check::unknown-column | outside | n"]);
    assert_eq!(expecting(row(made("m IS NULL")), &["m"]), ["check::unknown-column | /expect/0 | -"]);
    assert_eq!(
        expecting(Test::Unique { columns: vec!["nn".to_owned()] }, &[]),
        ["check::unknown-column | /expect/0 | -"]
    );
    let aggregate = |text| Test::Aggregate { by: Vec::new(), value: made(text), holds: made("observed >= 1") };
    assert_eq!(expecting(aggregate("count(*)"), &[]), NONE);
    assert_eq!(expecting(aggregate("max(m)"), &[]), ["check::unknown-column | /expect/0 | -"]);
    let number = Test::Aggregate { by: Vec::new(), value: made("count(*)"), holds: made("observed + 1") };
    assert_eq!(expecting(number, &[]), ["resolve::expectation | /expect/0 | -"]);
}

#[test]
fn assertions_that_look_around_are_typed() {
    let expecting = |test| {
        let other = source("silver.other", Some("id string, day date"));
        let mut node = steps("silver.t", "bronze.raw", Vec::new(), Some("order_id string, n bigint"));
        node.assertions.push(assertion(test, &[]));
        findings(vec![raw(), other, node])
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let table = || TableRef { name: TableName::parse("silver.other").expect("a name"), site: site("/table") };
    let window = |text| Test::Window { considered: None, violated: made(text) };
    assert_eq!(expecting(window("n < lag(n) OVER (ORDER BY order_id)")), NONE);
    assert_eq!(expecting(window("n - lag(m) OVER (ORDER BY n) > 1")), ["check::unknown-column | /expect/0 | -"]);
    assert_eq!(expecting(window("lag(n) OVER (ORDER BY n)")), ["resolve::expectation | /expect/0 | -"]);

    let reference = |own: &[&str], other: &[&str]| Test::Reference {
        columns: names(own),
        table: table(),
        referenced: names(other),
    };
    assert_eq!(expecting(reference(&["order_id"], &["ID"])), NONE);
    assert_eq!(expecting(reference(&["order_id"], &["idd"])), ["check::unknown-column | /table | -"]);
    assert_eq!(expecting(reference(&["order"], &["id"])), ["check::unknown-column | /expect/0 | -"]);
    assert_eq!(expecting(reference(&["n"], &["id"])), ["resolve::expectation | /expect/0 | -"]);
    assert_eq!(expecting(reference(&["order_id", "n"], &["id"])), ["resolve::expectation | /expect/0 | -"]);

    let same = |query: &str| Test::Query(sql(query));
    assert_eq!(expecting(same("select t.n from silver.t t join silver.other o on o.id = t.order_id")), NONE);
    assert_eq!(expecting(same("select 1 from quality.results r where r.n_rows > 1")), NONE);
    assert_eq!(expecting(same("select m from silver.t")), ["check::unknown-column | outside | n"]);
    let count = |holds| Test::Aggregate { by: Vec::new(), value: made("count(*)"), holds: sql(holds) };
    assert_eq!(expecting(count("observed = (select count(*) from silver.other)")), NONE);
    assert_eq!(
        expecting(count("observed = (select max(m) from silver.other)")),
        ["check::unknown-column | outside | -"]
    );

    let columns = |test| expecting(Test::Columns(test));
    assert_eq!(columns(ColumnsTest::InOrder(names(&["Order_id", "n"]))), NONE);
    assert_eq!(columns(ColumnsTest::InOrder(names(&["n", "order_id"]))), ["resolve::expectation | /expect/0 | -"]);
    assert_eq!(columns(ColumnsTest::Among { names: names(&["n"]), exact: false }), NONE);
    assert_eq!(
        columns(ColumnsTest::Among { names: names(&["n"]), exact: true }),
        ["resolve::expectation | /expect/0 | -"]
    );
    let distribution = |column: &str, measure| {
        Test::Distribution(Distribution {
            column: column.to_owned(),
            reference: Reference::Column { table: table(), column: "id".to_owned() },
            measure,
            at_most: Some(0.1),
            p_value_at_least: None,
        })
    };
    assert_eq!(expecting(distribution("order_id", Measure::ChiSquared)), NONE);
    assert_eq!(
        expecting(distribution("order_id", Measure::KolmogorovSmirnov)),
        ["resolve::expectation | /expect/0 | -"]
    );
}

#[test]
fn what_is_unknown_or_a_consequence_is_left_alone() {
    assert_eq!(
        findings(vec![source("bronze.raw", None), query("silver.t", "select nonsense + 1 as x from bronze.raw", None)]),
        NONE
    );
    assert_eq!(
        findings(vec![source("bronze.raw", None), query("silver.t", "select , from bronze.raw", None)]).len(),
        1
    );
    let nodes = vec![
        raw(),
        query("silver.t", "select oder_id from bronze.raw", None),
        query("silver.u", "select anything from silver.t", None),
    ];
    assert_eq!(findings(nodes).len(), 1);
}

#[test]
fn a_memo_comes_back_and_skips_unchanged_nodes() {
    let nodes = || {
        vec![
            raw(),
            query(
                "silver.t",
                "select order_id as id, sum(n) as n from bronze.raw group by order_id",
                Some("id string!, n bigint"),
            ),
            query("gold.u", "select *, n * 2 as m from silver.t", None),
        ]
    };
    let mut memo = Memo::default();
    let mut diagnostics = Diagnostics::new();
    let first = check_with(graph(nodes()), &mut memo, &mut diagnostics).expect("types");
    assert_eq!(memo.len(), 3);
    let bytes = memo.to_bytes();
    let mut read = Memo::from_bytes(&bytes);
    assert_eq!(read.to_bytes(), bytes);
    let second = check_with(graph(nodes()), &mut read, &mut diagnostics).expect("types");
    assert_eq!(second.typed, first.typed);
    assert!(Memo::from_bytes(&bytes[..bytes.len() - 1]).is_empty());
    assert!(Memo::from_bytes(b"other").is_empty());
}

#[test]
#[ignore = "measures; run with --nocapture"]
#[expect(clippy::print_stdout, reason = "its output is the measurement")]
fn speed() {
    let columns = "id bigint!, k1 bigint, k2 bigint, ts timestamp, v1 double, v2 double, v3 double, v4 bigint, v5 bigint, name string";
    let mut nodes = vec![source("raw.r", Some(columns))];
    for index in 0..2000 {
        let mut cast = query(
            &format!("b.c{index}"),
            "select cast(id as bigint) as id, cast(k1 as bigint) as k1, cast(k2 as bigint) as k2, cast(ts as timestamp) as ts, cast(v1 as double) as v1, cast(v2 as double) as v2, cast(v3 as double) as v3, cast(v4 as bigint) as v4, cast(v5 as bigint) as v5, trim(name) as name from raw.r where id is not null",
            Some(columns),
        );
        let violated = made("id IS NULL");
        cast.assertions.push(assertion(Test::Row { considered: None, violated }, &["id"]));
        nodes.push(cast);
    }
    for index in 0..2000 {
        let text = format!(
            "select a.id as id, a.k1 as k1, b.k2 as k2, a.ts as ts, a.v1 + b.v1 as v1, a.v2 * b.v2 as v2, coalesce(a.v3, b.v3, 0.0) as v3, a.v4 as v4, b.v5 as v5, case when a.v1 > 0.0 then upper(a.name) else b.name end as name from b.c{index} as a join b.c{} as b on a.k1 = b.k1",
            (index + 7) % 2000
        );
        nodes.push(query(&format!("s.j{index}"), &text, Some(columns)));
    }
    for index in 0..1000 {
        let text = format!(
            "select min(s.id) as id, s.k1 as k1, max(s.k2) as k2, max(s.ts) as ts, sum(s.v1) as v1, avg(s.v2) as v2, max(s.v3) as v3, count(*) as v4, count(distinct s.v5) as v5, max(s.name) as name from s.j{index} as s group by s.k1"
        );
        nodes.push(query(&format!("g.a{index}"), &text, Some(columns)));
    }
    let nodes: IndexMap<TableName, Node> = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
    let order: Vec<NodeId> = (0..u32::try_from(nodes.len()).expect("few")).map(NodeId).collect();
    let graph = Graph {
        inputs: vec![Vec::new(); nodes.len()],
        compared: vec![Vec::new(); nodes.len()],
        nodes,
        order,
        layers: Vec::new(),
        deployment: Deployment::default(),
    };
    let mut memo = Memo::default();
    let mut diagnostics = Diagnostics::new();
    for label in ["cold", "warm"] {
        let started = std::time::Instant::now();
        let result = check_with(graph.clone(), &mut memo, &mut diagnostics);
        println!("{label}: {:?}", started.elapsed());
        assert!(result.is_ok(), "{:#?}", diagnostics.iter().next());
    }
    let started = std::time::Instant::now();
    let bytes = memo.to_bytes();
    println!("write: {:?}, {} bytes", started.elapsed(), bytes.len());
    let started = std::time::Instant::now();
    assert_eq!(Memo::from_bytes(&bytes).len(), memo.len());
    println!("read: {:?}", started.elapsed());
}
