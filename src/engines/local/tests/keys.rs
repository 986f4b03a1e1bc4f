//! Uniqueness and references from what was known while the rows streamed by, whatever the hash: the answers are those of the
//! queries over all rows.

use deltalake::arrow::array::{Array, ArrayRef, RecordBatch};
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::datafusion::common::DFSchema;
use deltalake::datafusion::datasource::MemTable;

use super::*;
use crate::engines::local::assertions::keys::{HASH, Hash};
use crate::engines::local::assertions::known;
use crate::engines::local::assertions::rows::{self, Around};
use crate::engines::local::staged::streamed::Totals;
use crate::engines::local::staged::{self, Passed};
use crate::ir::TableRef;

/// 3000 rows: every hundredth id stands thrice, some are NULL; every fifth `b` is NULL.
const ROWS: &str = "SELECT CASE WHEN i % 701 = 0 THEN NULL WHEN i < 2940 THEN i ELSE (i % 30) * 100 END AS id, \
    CASE WHEN i % 5 > 0 THEN concat('b', CAST(i % 50 AS STRING)) END AS b, CAST(i % 7 AS DOUBLE) / 2 AS x \
    FROM (SELECT CAST(value AS BIGINT) AS i FROM generate_series(0, 2999)) AS numbers";

fn asserted() -> Vec<Assertion> {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let unique = |names: &[&str]| Assertion {
        test: Test::Unique { columns: columns(names) },
        columns: columns(names),
        ..row_test(&names.join(", "), OnViolation::Warn)
    };
    let given = |filter: &str, one: Assertion| Assertion { filter: Some(sql(filter)), ..one };
    let table = TableRef { name: name("bronze.known"), site: site() };
    let test = Test::Reference { columns: columns(&["b"]), table, referenced: columns(&["name"]) };
    vec![
        unique(&["ID"]),
        unique(&["b", "id"]),
        given("x > 1", unique(&["id"])),
        given("x > 1", unique(&["x", "id"])),
        given("id < 2900", unique(&["id"])),
        given("10 / NULLIF(id, 0) > 1", unique(&["id"])),
        given("b = 'nothing'", unique(&["b", "x"])),
        unique(&["b", "x"]),
        Assertion { test, ..row_test("reference", OnViolation::Warn) },
    ]
}

/// How the rows are looked at as they come.
struct Look {
    hash: Hash,
    bound_bytes: usize,
    reads_known: bool,
}

/// `label: n_rows n_considered n_violating n_examples` of each assertion.
async fn judged(batches: &[RecordBatch], known_rows: &[RecordBatch], look: &Look) -> Vec<String> {
    let context = session::context(session::Options::default());
    let schema: SchemaRef = batches[0].schema();
    let mut table = node("silver.t", query(ROWS), &[("id", "bigint"), ("b", "string"), ("x", "double")]);
    table.assertions = asserted();
    let catalog = context.catalog("datafusion").expect("a catalog");
    let layer = Arc::new(deltalake::datafusion::catalog::MemorySchemaProvider::new());
    catalog.register_schema("bronze", layer).expect("a schema");
    let known_table = MemTable::try_new(known_rows[0].schema(), vec![known_rows.to_vec()]).expect("a table");
    context.register_table("bronze.known", Arc::new(known_table)).expect("registered");

    let Look { hash, bound_bytes, reads_known } = *look;
    let own = DFSchema::try_from(Arc::clone(&schema)).expect("a schema");
    let mut known = known::of_references(&context, &table, &own, hash, 1 << 20).await;
    known.retain(|_| reads_known);
    assert_eq!(known.len(), usize::from(reads_known));
    let around = Around { marked: Vec::new(), known, proven: Vec::new(), hash, bound_bytes };
    let tests = rows::compile(&context.state(), &table, &schema, &around, None).expect("compiled");
    for batch in batches {
        tests.check(batch.clone()).expect("checked");
    }
    let keyed = tests.keyed(2).await.expect("joined");
    let n_rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let rows = Arc::new(MemTable::try_new(schema, vec![batches.to_vec()]).expect("a table"));
    let staged = staged::stored(&context, rows, n_rows, 1 << 24).expect("registered");
    let columns = table.contract.as_deref().map(Contract::schema).expect("a contract");
    let mut outcomes: std::collections::BTreeMap<_, _> = tests.outcomes().into_iter().collect();
    let passed = Passed { keyed, totals: Totals::new() };
    staged.judge(&table, &columns, |_| false, &passed, &mut outcomes).await.expect("judged");
    let shown = outcomes.values().map(|outcome| {
        let AssertionOutcome { label, n_rows, n_considered, n_violating, examples, .. } = outcome;
        format!("{label}: {n_rows} {n_considered} {n_violating} {}", examples.len())
    });
    shown.collect()
}

async fn batches(text: &str) -> Vec<RecordBatch> {
    let context = session::context(session::Options::default());
    let query = crate::sql::parse::parse_query(text).expect("a query");
    let plan = session::plan_query(&context.state(), &query).await.expect("a plan");
    let all = context.execute_logical_plan(plan).await.expect("a frame").collect().await.expect("rows");
    let all = deltalake::arrow::compute::concat_batches(&all[0].schema(), &all).expect("one batch");
    (0..all.num_rows()).step_by(512).map(|row| all.slice(row, 512.min(all.num_rows() - row))).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "a hash may fail")]
fn same<'a>(keys: &[ArrayRef], hashes: &'a mut Vec<u64>) -> deltalake::datafusion::common::Result<&'a [u64]> {
    hashes.clear();
    hashes.resize(keys.first().map_or(0, Array::len), 42);
    Ok(hashes)
}

fn coarse<'a>(keys: &[ArrayRef], hashes: &'a mut Vec<u64>) -> deltalake::datafusion::common::Result<&'a [u64]> {
    HASH(keys, hashes)?;
    for hash in hashes.iter_mut() {
        *hash %= 512;
    }
    Ok(hashes)
}

#[test]
fn answers_do_not_depend_on_the_hash() {
    let threads = tokio::runtime::Runtime::new().expect("threads");
    threads.block_on(async {
        let rows = batches(ROWS).await;
        let known = "SELECT concat('b', CAST(n AS STRING)) AS name FROM (SELECT value AS n FROM generate_series(0, 47)) AS numbers";
        let known = batches(known).await;
        let exactly = Look { hash: HASH, bound_bytes: 0, reads_known: false };
        let expected = judged(&rows, &known, &exactly).await;
        assert!(expected[0].starts_with("ID: 3000 2995 "), "{expected:#?}");
        assert!(expected.iter().any(|shown| shown.ends_with(" 0 0")), "{expected:#?}");
        for hash in [HASH, same, coarse] {
            for bound_bytes in [1 << 24, 40_000] {
                let look = Look { hash, bound_bytes, reads_known: true };
                let found = judged(&rows, &known, &look).await;
                assert_eq!(found, expected, "{bound_bytes}");
            }
        }
    });
}

/// The table `silver.t` of three rows, `z` not in `bronze.known`: counts of each assertion and the ids that are left.
fn applied(assertions: Vec<Assertion>) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let known = query("SELECT * FROM (VALUES ('a'), ('b'), (NULL)) AS known (name)");
    let known = node("bronze.known", known, &[("name", "string")]);
    let rows = query("SELECT * FROM (VALUES ('a', 1), ('b', 2), ('z', 0), (NULL, 4)) AS rows (b, n)");
    let mut table = node("silver.t", rows, &[("b", "string"), ("n", "int")]);
    table.assertions = assertions;
    let mut checked = checked(vec![(known, &[]), (table, &[])]);
    checked.graph.compared[1] = vec![NodeId(0)];
    let report = go(&checked, folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    let shown = report.nodes[1].assertions.iter().map(|outcome| {
        let AssertionOutcome { label, n_rows, n_considered, n_violating, .. } = outcome;
        format!("{label}: {n_rows} {n_considered} {n_violating}")
    });
    (shown.collect(), ask(folder.path(), "SELECT n FROM silver.t ORDER BY 1").replace('\n', " "))
}

#[test]
fn a_reference_is_of_the_rows_that_stay_and_may_take_rows_out_itself() {
    let reference = |on_violation| Assertion { on_violation, ..asserted().pop().expect("a reference") };
    let dropping = row_test("n = 0", OnViolation::Drop);
    // The division fails on the row that is dropped.
    let given = Assertion { filter: Some(sql("10 / n > 1")), ..reference(OnViolation::Fail) };
    let (shown, left) = applied(vec![dropping, reference(OnViolation::Fail), given]);
    assert_eq!(shown, ["n = 0: 4 4 1", "reference: 3 2 0", "reference: 3 2 0"]);
    assert_eq!(left, "1 2 4");
    let (shown, left) = applied(vec![reference(OnViolation::Quarantine)]);
    assert_eq!((shown, left.as_str()), (vec!["reference: 4 3 1".to_owned()], "1 2 4"));
}
