use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use deltalake::arrow::util::pretty::pretty_format_batches;
use indexmap::IndexMap;

use super::*;
use crate::check::Typed;
use crate::diagnostic::{Diagnostics, Site, SourceId};
use crate::graph::Graph;
use crate::ir::deployment::Deployment;
use crate::ir::{
    Assertion, Column, Contract, ContractColumn, DataType, Delimited, Dimension, Ingest, Input, Node, OnViolation,
    Operation, Ordering as Key, Reader, Relation, SchemaEvolution, Sql, Test, Write, WriteMode,
};
use crate::name::TableName;
use crate::plan;
use crate::sql::session;
use crate::state;

mod assertions;
mod keys;
mod speed;

struct Quiet;

impl Progress for Quiet {
    fn waiting(&self, _: &str) {}
    fn started(&self, _: NodeId) {}
    fn advanced(&self, _: NodeId, _: u64) {}
    fn finished(&self, _: &NodeReport) {}
}

fn site() -> Site {
    Site::root(SourceId(0))
}

fn sql(text: &str) -> Sql {
    Sql { text: Arc::from(text), site: site(), authored: true }
}

fn name(text: &str) -> TableName {
    TableName::parse(text).expect("a name")
}

fn node(table: &str, body: Body, columns: &[(&str, &str)]) -> Node {
    let column = |(name, data_type): &(&str, &str)| ContractColumn {
        column: Column {
            name: (*name).to_owned(),
            data_type: DataType::parse(data_type).expect("a type"),
            nullable: true,
        },
        description: None,
        tags: Vec::new(),
        site: site(),
    };
    Node {
        name: name(table),
        site: site(),
        description: Some(format!("about {table}")),
        tags: Vec::new(),
        owner: None,
        body,
        contract: Some(Arc::new(Contract {
            name: table.to_owned(),
            version: None,
            description: None,
            owner: None,
            primary_key: Vec::new(),
            columns: columns.iter().map(column).collect(),
            on_cast_failure: OnViolation::Fail,
            timezone: None,
            site: site(),
        })),
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

fn csv(location: &str) -> Body {
    Body::Ingest(Ingest {
        location: location.to_owned(),
        location_site: site(),
        reader: Reader::Delimited(Delimited {
            header: true,
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            encoding: "utf-8".to_owned(),
            null_values: Vec::new(),
            on_ragged_row: OnViolation::Fail,
        }),
        metadata_columns: Vec::new(),
    })
}

fn query(text: &str) -> Body {
    Body::Relation(Relation { input: Input::Query(sql(text)), operations: Vec::new() })
}

fn from(table: &str, operations: Vec<Operation>) -> Body {
    Body::Relation(Relation { input: Input::Table { name: name(table), site: site() }, operations })
}

fn row_test(violated: &str, on_violation: OnViolation) -> Assertion {
    Assertion {
        kind: "expression",
        label: violated.to_owned(),
        columns: Vec::new(),
        arguments: serde_json::Value::Null,
        dimension: Dimension::Consistency,
        test: Test::Row { considered: None, violated: sql(violated) },
        on_violation,
        severity: None,
        mostly: 1.0,
        filter: None,
        description: None,
        owner: None,
        site: site(),
    }
}

/// A project of nodes, each reading those named beside it.
fn checked(nodes: Vec<(Node, &[u32])>) -> Checked {
    let mut graph = Graph {
        nodes: IndexMap::new(),
        inputs: Vec::new(),
        compared: Vec::new(),
        order: Vec::new(),
        layers: Vec::new(),
        deployment: Deployment::default(),
    };
    let mut typed = Vec::new();
    for (node, inputs) in nodes {
        graph.order.push(NodeId(u32::try_from(graph.nodes.len()).expect("few")));
        graph.compared.push(Vec::new());
        graph.inputs.push(inputs.iter().map(|input| NodeId(*input)).collect());
        typed.push(Typed { schema: node.contract.as_deref().map(Contract::schema), ..Typed::default() });
        graph.nodes.insert(node.name.clone(), node);
    }
    Checked { graph, typed: typed.into_iter().map(Arc::new).collect() }
}

static N_RUNS: AtomicUsize = AtomicUsize::new(0);

fn settings(folder: &Path) -> RunSettings {
    RunSettings {
        warehouse: Warehouse { root: folder.join("warehouse") },
        project_dir: folder.to_owned(),
        run_id: format!("run{}", N_RUNS.fetch_add(1, Ordering::Relaxed)),
        started_at: 1_700_000_000_000_000,
        git_sha: Some("abc".to_owned()),
        environment: "local".to_owned(),
        project: "shop".to_owned(),
        memory_bytes: 256 << 20,
        n_threads: 2,
        lock_wait: Duration::ZERO,
        cancelled: Arc::default(),
    }
}

/// Reads, plans and applies.
fn go(checked: &Checked, folder: &Path) -> RunReport {
    go_with(checked, folder, false, &settings(folder))
}

fn go_with(checked: &Checked, folder: &Path, full_refresh: bool, settings: &RunSettings) -> RunReport {
    let mut diagnostics = Diagnostics::new();
    let mut state = state::read(checked, &settings.warehouse, &mut diagnostics).expect("a readable warehouse");
    list_sources(checked, folder, &mut state).expect("sources");
    let options = plan::Options { full_refresh, ..plan::Options::default() };
    let plan = plan::plan(checked, &state, &options, &mut diagnostics).expect("a plan");
    apply(checked, &plan, &state, settings, &Quiet, &hold(settings, &Quiet).expect("a warehouse"))
}

fn ask(folder: &Path, text: &str) -> String {
    let threads = tokio::runtime::Runtime::new().expect("threads");
    threads.block_on(async {
        let context = session::context(session::Options::default());
        let root = folder.join("warehouse").canonicalize().expect("a warehouse");
        for layer in std::fs::read_dir(&root).expect("layers").flatten().filter(|entry| entry.path().is_dir()) {
            let layer_name = layer.file_name().into_string().expect("utf-8");
            let catalog = context.catalog("datafusion").expect("a catalog");
            let schema = Arc::new(deltalake::datafusion::catalog::MemorySchemaProvider::new());
            catalog.register_schema(&layer_name, schema).expect("a schema");
            for folder in std::fs::read_dir(layer.path()).expect("tables").flatten() {
                let Some(opened) = table::open(&folder.path()).await.expect("a table") else { continue };
                let readable = table::readable(&context, &folder.path(), &opened).await.expect("readable");
                let table = folder.file_name().into_string().expect("utf-8");
                context
                    .register_table(
                        deltalake::datafusion::common::TableReference::partial(layer_name.as_str(), table.as_str()),
                        readable.provider,
                    )
                    .expect("registered");
            }
        }
        let query = crate::sql::parse::parse_query(text).expect("a query");
        let plan = session::plan_query(&context.state(), &query).await.expect("a plan");
        let batches = context.execute_logical_plan(plan).await.expect("planned").collect().await.expect("rows");
        let table = pretty_format_batches(&batches).expect("shown").to_string();
        let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
        let cells = |line: &str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(" ");
        rows.map(cells).collect::<Vec<_>>().join("\n")
    })
}

fn failures(report: &RunReport) -> Vec<&Diagnostic> {
    report
        .nodes
        .iter()
        .flat_map(|node| match &node.outcome {
            Outcome::Failed { diagnostics } => diagnostics.iter().collect::<Vec<_>>(),
            Outcome::Done { .. } | Outcome::Skipped { .. } => Vec::new(),
        })
        .chain(&report.diagnostics)
        .collect()
}

const SALES: &str = "order_id,order_ts,amount,status\n\
    001,2024-01-01 10:00:00,10.50, paid \n\
    001,2024-01-02 10:00:00,11.50,paid\n\
    002,2024-01-01 10:00:00,5,refunded\n\
    ,2024-01-01 10:00:00,7,paid\n\
    003,2024-01-03,-1,paid\n";

fn sales() -> Vec<(Node, &'static [u32])> {
    let text: &[(&str, &str)] =
        &[("order_id", "string"), ("order_ts", "string"), ("amount", "string"), ("status", "string")];
    let silver: &[(&str, &str)] =
        &[("order_id", "string"), ("order_ts", "timestamp"), ("amount", "decimal(18,2)"), ("status", "string")];
    let operations = vec![
        Operation::Filter(sql("order_id IS NOT NULL AND amount >= 0")),
        Operation::Latest {
            keys: vec!["order_id".to_owned()],
            order: vec![Key { column: "order_ts".to_owned(), descending: true }],
            site: site(),
        },
        Operation::Extend(vec![crate::ir::Computed { name: "status".to_owned(), expression: sql("trim(status)") }]),
    ];
    vec![
        (node("bronze.sales", csv("sales.csv"), text), &[]),
        (node("silver.sales", from("bronze.sales", operations), silver), &[0]),
        (
            node(
                "gold.totals",
                query("SELECT status, COUNT(*) AS n, SUM(amount) AS total FROM silver.sales GROUP BY status"),
                &[("status", "string"), ("n", "bigint"), ("total", "decimal(18,2)")],
            ),
            &[1],
        ),
    ]
}

#[test]
fn a_project_is_built_once_and_then_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sales.csv"), SALES).expect("written");
    let checked = checked(sales());
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    assert_eq!(
        ask(folder.path(), "SELECT order_id, order_ts, amount, status FROM silver.sales ORDER BY order_id"),
        "001 2024-01-02T10:00:00Z 11.50 paid\n002 2024-01-01T10:00:00Z 5.00 refunded"
    );
    assert_eq!(
        ask(folder.path(), "SELECT status, n, total FROM gold.totals ORDER BY 1"),
        "paid 1 11.50\nrefunded 1 5.00"
    );
    assert_eq!(ask(folder.path(), "SELECT status, n_tables FROM medc.runs"), "succeeded 3");
    let again = go(&checked, folder.path());
    assert_eq!(again, RunReport::default());
    assert_eq!(ask(folder.path(), "SELECT COUNT(*) FROM medc.runs"), "1");
}

#[test]
fn a_blocking_violation_leaves_the_table_and_stops_its_readers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sales.csv");
    std::fs::write(&file, SALES).expect("written");
    let mut nodes = sales();
    nodes[1].0.assertions.push(row_test("amount > 100", OnViolation::Fail));
    let checked = checked(nodes);
    assert!(go(&checked, folder.path()).is_success());
    let n_files = || {
        let files = std::fs::read_dir(folder.path().join("warehouse/silver/sales")).expect("listed").flatten();
        files.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "parquet")).count()
    };
    let before = n_files();
    std::fs::write(&file, format!("{SALES}004,2024-01-04,500,paid\n")).expect("written");
    let report = go(&checked, folder.path());
    let codes: Vec<_> = failures(&report).iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [code::EXPECTATION_FAILED], "{:#?}", failures(&report));
    assert!(matches!(report.nodes[2].outcome, Outcome::Skipped { because: NodeId(1) }));
    assert_eq!(ask(folder.path(), "SELECT COUNT(*), MAX(amount) FROM silver.sales"), "2 11.50");
    assert_eq!(n_files(), before, "staged files are removed");
    std::fs::write(&file, SALES).expect("written");
    assert!(go(&checked, folder.path()).is_success());
}

#[test]
fn quarantine_splits_rows_exactly_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = "order_id,amount,day\n".to_owned();
    for row in 0..1000 {
        let amount = if row % 100 == 3 { "abc".to_owned() } else { format!("{}", row - 10) };
        text.extend([format!("o{row},{amount},2024-01-{:02}\n", row % 40 + 1)]);
    }
    std::fs::write(folder.path().join("orders.csv"), text).expect("written");
    let columns = &[("order_id", "string"), ("amount", "string"), ("day", "string")];
    let mut silver = node(
        "silver.orders",
        from("bronze.orders", vec![]),
        &[("order_id", "string"), ("Amount", "int"), ("day", "date")],
    );
    Arc::make_mut(silver.contract.as_mut().expect("a contract")).on_cast_failure = OnViolation::Quarantine;
    silver.assertions.push(row_test("amount < 0", OnViolation::Quarantine));
    silver.assertions.push(row_test("amount = 500", OnViolation::Drop));
    let checked = checked(vec![(node("bronze.orders", csv("orders.csv"), columns), &[]), (silver, &[0])]);
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    let bad_days = 25 * 9;
    let rows = ask(folder.path(), "SELECT COUNT(*) FROM silver.orders").parse::<i64>().expect("a number");
    let kept = ask(folder.path(), "SELECT COUNT(*) FROM silver.orders_quarantine").parse::<i64>().expect("a number");
    // abc: rows 3, 103, ..., 903, of which those at a day beyond 31 fail twice; below zero: 0 to 9 without 3.
    let twice = (0..10).filter(|hundred| (hundred * 100 + 3) % 40 + 1 > 31).map(|_| 1).sum::<i64>();
    assert_eq!(kept, 10 + bad_days - twice + 9);
    assert_eq!(rows + kept + 1, 1000);
    assert_eq!(
        ask(
            folder.path(),
            "SELECT amount, day, _reasons FROM silver.orders_quarantine WHERE order_id IN ('o3', 'o5') ORDER BY 1"
        ),
        "-5 2024-01-06 [amount < 0]\nabc 2024-01-04 [amount: `abc` is no int]"
    );
    assert_eq!(
        ask(folder.path(), "SELECT kind, n_violating FROM quality.results ORDER BY 1, 2"),
        format!("cast {}\nexpression 1\nexpression 9", 10 + bad_days - twice)
    );
}

#[test]
fn latest_equals_the_window_with_ties_and_nulls() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = "k,l,ts,v\n".to_owned();
    let mut seed = 7_u64;
    for _ in 0..60_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (k, ts, v) = ((seed >> 33) % 40_000, (seed >> 20) % 5, (seed >> 40) % 50);
        let k = if k % 97 == 0 { String::new() } else { k.to_string() };
        let ts = if ts == 4 { String::new() } else { ts.to_string() };
        text.extend([format!("{k},{},{ts},{v}\n", v % 2)]);
    }
    std::fs::write(folder.path().join("rows.csv"), text).expect("written");
    let text: &[(&str, &str)] = &[("k", "string"), ("l", "string"), ("ts", "string"), ("v", "string")];
    let typed: &[(&str, &str)] = &[("k", "bigint"), ("l", "int"), ("ts", "int"), ("v", "int")];
    let latest = Operation::Latest {
        keys: vec!["k".to_owned(), "L".to_owned()],
        order: vec![Key { column: "ts".to_owned(), descending: true }],
        site: site(),
    };
    let filtered = vec![Operation::Filter(sql("v < 40")), latest.clone()];
    let window = "SELECT k, l, ts, v FROM (SELECT *, row_number() OVER (PARTITION BY k, l ORDER BY ts DESC, v) AS n \
        FROM silver.typed WHERE v < 40) WHERE n = 1";
    let checked = checked(vec![
        (node("bronze.rows", csv("rows.csv"), text), &[]),
        (node("silver.latest", from("bronze.rows", filtered.clone()), typed), &[0]),
        (node("silver.typed", from("bronze.rows", vec![]), typed), &[0]),
        (node("silver.window", query(window), typed), &[2]),
        (
            node(
                "silver.computed",
                Body::Relation(Relation {
                    input: Input::Query(sql("SELECT * FROM silver.typed")),
                    operations: filtered,
                }),
                typed,
            ),
            &[2],
        ),
    ]);
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    let n = ask(folder.path(), "SELECT COUNT(*) FROM silver.window");
    assert!(n.parse::<u64>().expect("a number") > 20_000);
    for other in ["latest", "computed"] {
        assert_eq!(ask(folder.path(), &format!("SELECT COUNT(*) FROM silver.{other}")), n);
        let both = format!("SELECT COUNT(*) FROM (SELECT * FROM silver.{other} EXCEPT SELECT * FROM silver.window)");
        assert_eq!(ask(folder.path(), &both), "0", "{other}");
    }
}

#[test]
fn each_file_is_appended_exactly_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("in")).expect("made");
    std::fs::write(folder.path().join("in/a.csv"), "x\n1\n2\n").expect("written");
    let mut bronze = node("bronze.events", csv("in/*.csv"), &[("x", "string")]);
    bronze.write.mode = WriteMode::Append;
    let checked = checked(vec![(bronze, &[])]);
    assert!(go(&checked, folder.path()).is_success());
    std::fs::write(folder.path().join("in/b.csv"), "x\n3\n").expect("written");
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    assert_eq!(ask(folder.path(), "SELECT COUNT(*), SUM(CAST(x AS INT)) FROM bronze.events"), "3 6");
    assert_eq!(go(&checked, folder.path()), RunReport::default());
}

#[test]
fn a_merge_of_many_rows_updates_and_inserts() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |range: std::ops::Range<u32>, v: &str| {
        let mut text = "id,part,v\n".to_owned();
        for id in range {
            text.extend([format!("{id},{},{v}\n", id % 3)]);
        }
        std::fs::write(folder.path().join("rows.csv"), text).expect("written");
    };
    let columns: &[(&str, &str)] = &[("id", "string"), ("part", "string"), ("v", "string")];
    let merged = |table: &str, partition_by: Vec<String>| {
        let mut merged =
            node(table, from("bronze.rows", vec![]), &[("Id", "bigint"), ("part", "int"), ("v", "string")]);
        merged.write = Write {
            mode: WriteMode::Merge { keys: vec!["id".to_owned()] },
            cluster_by: Vec::new(),
            partition_by,
            schema_evolution: SchemaEvolution::Evolve,
        };
        merged
    };
    let checked = checked(vec![
        (node("bronze.rows", csv("rows.csv"), columns), &[]),
        (merged("silver.plain", Vec::new()), &[0]),
        (merged("silver.parted", vec!["part".to_owned()]), &[0]),
    ]);
    write(0..200_000, "old");
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    write(100_000..300_000, "new");
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    for table in ["plain", "parted"] {
        let text =
            format!("SELECT v, COUNT(*), COUNT(DISTINCT id), SUM(part) FROM silver.{table} GROUP BY v ORDER BY v");
        assert_eq!(ask(folder.path(), &text), "new 200000 200000 200001\nold 100000 100000 99999", "{table}");
    }
    std::fs::write(folder.path().join("rows.csv"), "id,part,v\n1,1,a\n1,1,b\n").expect("written");
    let report = go(&checked, folder.path());
    assert_eq!(failures(&report).len(), 2, "{:#?}", failures(&report));
    assert_eq!(ask(folder.path(), "SELECT COUNT(*) FROM silver.plain"), "300000");
}

#[test]
fn left_over_files_of_a_killed_run_are_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sales.csv");
    std::fs::write(&file, SALES).expect("written");
    let checked = checked(sales());
    assert!(go(&checked, folder.path()).is_success());
    let orphan = folder.path().join("warehouse/silver/sales/part-00000-medc-killed.snappy.parquet");
    std::fs::write(&orphan, "half a file").expect("written");
    let notes = orphan.with_file_name(crate::state::staged::NOTES);
    std::fs::create_dir_all(&notes).expect("a folder");
    std::fs::write(notes.join("killed"), "").expect("written");
    std::fs::write(&file, format!("{SALES}004,2024-01-04,500,paid\n")).expect("written");
    assert!(go(&checked, folder.path()).is_success() && !orphan.exists());
    assert_eq!(ask(folder.path(), "SELECT COUNT(*) FROM silver.sales"), "3");
}

#[test]
fn whole_table_assertions_and_views() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sales.csv"), SALES).expect("written");
    let mut nodes = sales();
    let mut view = node(
        "silver.paid",
        query("SELECT order_id, amount FROM silver.sales WHERE status = 'paid'"),
        &[("order_id", "string"), ("amount", "decimal(18,2)")],
    );
    view.write.mode = WriteMode::View;
    nodes.push((view, &[1]));
    let mut copy = node(
        "gold.copy",
        query("SELECT b.order_id, p.amount FROM bronze.sales b LEFT JOIN silver.paid p ON p.order_id = b.order_id"),
        &[("order_id", "string"), ("amount", "decimal(18,2)")],
    );
    let aggregate = |value, holds| Test::Aggregate { by: Vec::new(), value: sql(value), holds: sql(holds) };
    let whole = |test, on_violation| Assertion { test, ..row_test("whole", on_violation) };
    copy.assertions = vec![
        whole(Test::Unique { columns: vec!["order_id".to_owned()] }, OnViolation::Warn),
        whole(aggregate("COUNT(*)", "observed BETWEEN 1 AND 5"), OnViolation::Fail),
        whole(aggregate("SUM(amount)", "observed <= 1"), OnViolation::Warn),
    ];
    nodes.push((copy, &[0, 3]));
    let latest = Operation::Latest { keys: vec!["order_id".to_owned()], order: Vec::new(), site: site() };
    let mut deduplicated = node("silver.ids", from("bronze.sales", vec![latest]), &[("order_id", "string")]);
    deduplicated.write.mode = WriteMode::View;
    nodes.push((deduplicated, &[0]));
    let twice = "SELECT COUNT(*) AS n FROM silver.ids a JOIN silver.ids b ON a.order_id = b.order_id";
    nodes.push((node("gold.twice", query(twice), &[("n", "bigint")]), &[5]));
    let checked = checked(nodes);
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    let of_copy = &report.nodes.iter().find(|node| node.node == NodeId(4)).expect("reported").assertions;
    let found: Vec<_> =
        of_copy.iter().map(|one| (one.n_considered, one.n_violating, one.observed.clone(), one.success)).collect();
    assert_eq!(ask(folder.path(), "SELECT n FROM gold.twice"), "3", "a view may be read twice");
    assert_eq!(
        found,
        [(4, 2, None, false), (5, 0, Some(serde_json::json!(5)), true), (5, 0, Some(serde_json::json!(23.0)), false)]
    );
    assert_eq!(go(&checked, folder.path()), RunReport::default());
}

#[test]
fn a_division_by_zero_and_a_bad_cast_read_well() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sales.csv"), SALES).expect("written");
    let mut nodes = sales();
    nodes.push((node("gold.bad", query("SELECT 1 / (n - 1) AS x FROM gold.totals"), &[("x", "double")]), &[2]));
    nodes.push((node("gold.cast", query("SELECT CAST(status AS INT) AS x FROM silver.sales"), &[("x", "int")]), &[1]));
    let report = go(&checked(nodes), folder.path());
    let texts: BTreeSet<String> = failures(&report).iter().filter_map(|one| one.note.clone()).collect();
    let texts: Vec<_> = texts.into_iter().collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.iter().any(|text| text == "a number is divided by zero"), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("a value cannot be cast")), "{texts:?}");
}

#[test]
fn renamed_text_and_typed_sources_are_cast_as_the_contract_says() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows.csv"), "id,wert\n1, 5 \n2,x\n").expect("written");
    let columns: &[(&str, &str)] = &[("id", "int"), ("wert", "string")];
    let renamed = crate::ir::Renamed { from: "wert".to_owned(), to: "value".to_owned(), site: site() };
    let body = || from("bronze.rows", vec![Operation::Rename(vec![renamed.clone()])]);
    let typed: &[(&str, &str)] = &[("id", "int"), ("value", "int")];
    let mut dropping = node("silver.rows", body(), typed);
    Arc::make_mut(dropping.contract.as_mut().expect("a contract")).on_cast_failure = OnViolation::Drop;
    let mut view = node("silver.view", body(), typed);
    view.write.mode = WriteMode::View;
    let checked = checked(vec![
        (node("bronze.rows", csv("rows.csv"), columns), &[]),
        (dropping, &[0]),
        (view, &[0]),
        (node("gold.rows", query("SELECT id FROM silver.view WHERE value > 0"), &[("id", "int")]), &[2]),
    ]);
    let report = go(&checked, folder.path());
    assert_eq!(ask(folder.path(), "SELECT id, value FROM silver.rows"), "1 5");
    let notes: Vec<_> = failures(&report).iter().filter_map(|one| one.note.as_deref()).collect();
    assert_eq!(notes, ["a value cannot be cast: value: `x` is no int"]);
}

#[test]
fn ragged_rows_are_quarantined_and_a_full_refresh_adds_them_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows.csv"), "a,b\n1,2\n3\n4,5,6\n").expect("written");
    let mut bronze = node("bronze.rows", csv("rows.csv"), &[("a", "string"), ("b", "string")]);
    if let Body::Ingest(Ingest { reader: Reader::Delimited(delimited), .. }) = &mut bronze.body {
        delimited.on_ragged_row = OnViolation::Quarantine;
    }
    let checked = checked(vec![(bronze, &[])]);
    for _ in 0..2 {
        let report = go_with(&checked, folder.path(), true, &settings(folder.path()));
        assert!(report.is_success(), "{:#?}", failures(&report));
    }
    assert_eq!(
        ask(folder.path(), "SELECT _source_line, _row, _reasons FROM bronze.rows_quarantine ORDER BY 1"),
        "3 3 [1 fields instead of 2]\n4 4,5,6 [3 fields instead of 2]"
    );
}

#[test]
fn a_stopped_run_writes_nothing_and_a_locked_warehouse_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sales.csv"), SALES).expect("written");
    let checked = checked(sales());
    let stopped = settings(folder.path());
    stopped.cancelled.store(true, Ordering::Relaxed);
    let report = go_with(&checked, folder.path(), false, &stopped);
    assert!(failures(&report).iter().all(|one| one.code == code::INTERRUPTED));
    assert!(!folder.path().join("warehouse/bronze/sales").exists());

    let held = settings(folder.path());
    let lock = hold(&held, &Quiet).expect("free");
    assert_eq!(hold(&settings(folder.path()), &Quiet).expect_err("held").code, code::LOCKED);
    drop(lock);
    assert!(go(&checked, folder.path()).is_success());
}
