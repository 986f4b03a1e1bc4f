//! Every form of assertion on small tables: counts, observed values, and rows set aside.

use super::*;
use crate::ir::{ColumnsTest, Distribution, Measure, Reference, TableRef};

const COLUMNS: &[(&str, &str)] = &[("id", "bigint"), ("kind", "string"), ("x", "double"), ("d", "decimal(18,2)")];

/// Ten rows: ids 1 to 8, 8 again and NULL; x has a NULL and a NaN.
const ROWS: &str = "SELECT * FROM (VALUES \
    (1, 'a', CAST(1 AS DOUBLE), CAST(1.10 AS DECIMAL(18,2))), (2, 'a', CAST(2 AS DOUBLE), 2.20), \
    (3, 'a', CAST(3 AS DOUBLE), 3.30), (4, 'b', CAST(4 AS DOUBLE), 4.40), (5, 'b', CAST(5 AS DOUBLE), 5.50), \
    (6, 'b', CAST(6 AS DOUBLE), 6.60), (7, 'c', CAST(7 AS DOUBLE), 7.70), (8, 'c', CAST('NaN' AS DOUBLE), 8.80), \
    (8, NULL, CAST(9 AS DOUBLE), 9.90), (NULL, 'c', NULL, NULL)) AS rows (id, kind, x, d)";

fn assertion(label: &str, test: Test) -> Assertion {
    Assertion { test, ..row_test(label, OnViolation::Warn) }
}

fn aggregate(value: &str, holds: &str) -> Test {
    Test::Aggregate { by: Vec::new(), value: sql(value), holds: sql(holds) }
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn reference() -> Test {
    let table = TableRef { name: name("bronze.known"), site: site() };
    Test::Reference { columns: columns(&["ID"]), table, referenced: columns(&["number"]) }
}

/// The table `silver.t` of `rows`, held against `bronze.known` with the numbers 1 to 7.
fn tested(rows: &str, assertions: Vec<Assertion>) -> (tempfile::TempDir, RunReport) {
    let folder = tempfile::tempdir().expect("a folder");
    let known = "SELECT * FROM (VALUES (1, CAST(1 AS DOUBLE)), (2, CAST(2 AS DOUBLE)), (3, CAST(3 AS DOUBLE)), \
        (4, CAST(4 AS DOUBLE)), (5, CAST(5 AS DOUBLE)), (6, CAST(6 AS DOUBLE)), (7, CAST(7 AS DOUBLE))) AS k (number, x)";
    let known = node("bronze.known", query(known), &[("number", "int"), ("x", "double")]);
    let mut table = node("silver.t", query(rows), COLUMNS);
    table.assertions = assertions;
    let mut checked = checked(vec![(known, &[]), (table, &[])]);
    checked.graph.compared[1] = vec![NodeId(0)];
    let report = go(&checked, folder.path());
    (folder, report)
}

/// `label: n_rows n_considered n_violating observed success` of each assertion.
fn outcomes(rows: &str, assertions: Vec<Assertion>) -> Vec<String> {
    let (_folder, report) = tested(rows, assertions);
    assert!(report.is_success(), "{:#?}", failures(&report));
    let shown = report.nodes[1].assertions.iter().map(|outcome| {
        assert_eq!(outcome.examples.is_empty(), outcome.n_violating == 0, "{outcome:?}");
        let observed = outcome.observed.as_ref().map_or("-".to_owned(), ToString::to_string);
        let AssertionOutcome { label, n_rows, n_considered, n_violating, success, .. } = outcome;
        format!("{label}: {n_rows} {n_considered} {n_violating} {observed} {success}")
    });
    shown.collect()
}

fn every_form() -> Vec<Assertion> {
    let given = |violated: &str| Test::Row { considered: Some(sql("x IS NOT NULL")), violated: sql(violated) };
    let window = "x > 2 * avg(x) OVER (PARTITION BY kind)";
    let filtered = |test, filter| Assertion { filter: Some(sql(filter)), ..assertion("where", test) };
    vec![
        assertion("row", given("x > 6")),
        assertion("holds", Test::Holds(sql("x < 6"))),
        filtered(given("x > 6"), "kind = 'b'"),
        assertion("unique", Test::Unique { columns: columns(&["id"]) }),
        filtered(Test::Unique { columns: columns(&["id"]) }, "id < 5"),
        assertion("unique pair", Test::Unique { columns: columns(&["kind", "Id"]) }),
        assertion("reference", reference()),
        filtered(reference(), "id > 7"),
        assertion("window", Test::Window { considered: Some(sql("x < 10")), violated: sql(window) }),
        assertion(
            "outliers",
            Test::Window {
                considered: Some(sql("id > 0")),
                violated: sql("id - avg(id) OVER () > stddev_samp(id) OVER ()"),
            },
        ),
        assertion("count", aggregate("count(*)", "observed = 10")),
        assertion("sum", aggregate("sum(d)", "observed > 50")),
        assertion("max", aggregate("max(id)", "observed = (SELECT max(number) FROM bronze.known)")),
        assertion("median", aggregate("median(id)", "observed IS NOT NULL")),
        assertion("array", aggregate("array_sort(array_agg(DISTINCT kind))", "array_contains(observed, 'c')")),
        filtered(aggregate("count(*)", "observed = 3"), "kind = 'b'"),
        assertion(
            "groups",
            Test::Aggregate { by: columns(&["kind"]), value: sql("count(*)"), holds: sql("observed >= 3") },
        ),
        assertion("query", Test::Query(sql("SELECT t.id FROM silver.t AS t WHERE t.id > 6"))),
        filtered(Test::Query(sql("SELECT t.id FROM silver.t AS t WHERE t.id > 6")), "id < 8"),
        assertion("columns", Test::Columns(ColumnsTest::InOrder(columns(&["ID", "kind", "x", "d"])))),
        assertion("other columns", Test::Columns(ColumnsTest::Count { min: Some(5), max: None })),
    ]
}

#[test]
fn every_form_counts_as_it_says() {
    assert_eq!(
        outcomes(ROWS, every_form()),
        [
            // NaN is greater than any number, in Spark and here.
            "row: 10 9 3 - false",
            "holds: 10 10 4 - false",
            "where: 3 3 0 - true",
            "unique: 10 9 2 - false",
            "where: 4 4 0 - true",
            "unique pair: 10 8 0 - true",
            "reference: 10 9 2 - false",
            "where: 2 2 2 - false",
            "window: 10 8 0 - true",
            // The ids' mean is 4.9, their deviation 2.6.
            "outliers: 10 9 2 - false",
            "count: 10 10 0 10 true",
            "sum: 10 10 0 49.5 false",
            "max: 10 10 0 8 false",
            "median: 10 10 0 5.0 true",
            "array: 10 10 0 [null,\"a\",\"b\",\"c\"] true",
            "where: 3 3 0 3 true",
            "groups: 10 4 1 - false",
            "query: 10 10 3 - false",
            "where: 7 7 1 - false",
            "columns: 10 0 0 [\"id\",\"kind\",\"x\",\"d\"] true",
            "other columns: 10 0 0 4 false",
        ]
    );
}

#[test]
fn an_empty_table_violates_nothing_by_its_rows() {
    let none = format!("SELECT * FROM ({ROWS}) AS all_rows WHERE id > 100");
    let found = outcomes(&none, every_form());
    let failing: Vec<_> = found.iter().filter(|shown| shown.ends_with("false")).collect();
    assert_eq!(
        failing,
        [
            "count: 0 0 0 0 false",
            "sum: 0 0 0 - false",
            "max: 0 0 0 - false",
            "median: 0 0 0 - false",
            "array: 0 0 0 - false",
            "where: 0 0 0 0 false",
            "other columns: 0 0 0 4 false",
        ]
    );
}

#[test]
fn nulls_alone_are_not_considered() {
    let nulls = "SELECT CAST(NULL AS BIGINT) AS id, CAST(NULL AS STRING) AS kind, CAST(NULL AS DOUBLE) AS x, \
        CAST(NULL AS DECIMAL(18,2)) AS d FROM bronze.known";
    let forms = vec![
        assertion("row", Test::Row { considered: Some(sql("x IS NOT NULL")), violated: sql("x > 6") }),
        assertion("holds", Test::Holds(sql("x < 6"))),
        assertion("unique", Test::Unique { columns: columns(&["id"]) }),
        assertion("reference", reference()),
        assertion("null", Test::Row { considered: None, violated: sql("id IS NULL") }),
        assertion("distinct", aggregate("count(DISTINCT id)", "observed = 0")),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let known = node("bronze.known", query("SELECT * FROM (VALUES (1), (2)) AS k (number)"), &[("number", "int")]);
    let mut table = node("silver.t", query(nulls), COLUMNS);
    table.assertions = forms;
    let mut checked = checked(vec![(known, &[]), (table, &[0])]);
    checked.graph.compared[1] = vec![NodeId(0)];
    let report = go(&checked, folder.path());
    let shown =
        report.nodes[1].assertions.iter().map(|one| (one.n_rows, one.n_considered, one.n_violating, one.success));
    let shown: Vec<_> = shown.collect();
    let (none, all) = ((2, 0, 0, true), (2, 2, 0, true));
    assert_eq!(shown, [none, all, none, none, (2, 2, 2, false), all], "{:#?}", failures(&report));
}

#[test]
fn mostly_holds_at_the_border_and_bounds_what_is_taken_out() {
    let mostly = |mostly, on_violation| Assertion {
        on_violation,
        mostly,
        ..assertion("mostly", Test::Row { considered: None, violated: sql("id = 1") })
    };
    assert_eq!(outcomes(ROWS, vec![mostly(0.9, OnViolation::Fail)]), ["mostly: 10 10 1 - true"]);
    assert_eq!(outcomes(ROWS, vec![mostly(0.9, OnViolation::Drop)]), ["mostly: 10 10 1 - true"]);
    assert_eq!(outcomes(ROWS, vec![mostly(1.0, OnViolation::Drop)]), ["mostly: 10 10 1 - false"]);
    for on_violation in [OnViolation::Fail, OnViolation::Drop, OnViolation::Quarantine] {
        let (_folder, report) = tested(ROWS, vec![mostly(0.91, on_violation)]);
        let codes: Vec<_> = failures(&report).iter().map(|found| found.code).collect();
        assert_eq!(codes, [code::EXPECTATION_FAILED]);
    }
}

#[test]
fn rows_are_split_exactly_by_tests_that_look_at_other_rows() {
    let quarantined = |label: &str, test| Assertion { on_violation: OnViolation::Quarantine, ..assertion(label, test) };
    let dropped = |label: &str, test| Assertion { on_violation: OnViolation::Drop, ..assertion(label, test) };
    let (folder, report) = tested(
        ROWS,
        vec![
            quarantined("unique", Test::Unique { columns: columns(&["id"]) }),
            quarantined("reference", reference()),
            quarantined("large", Test::Row { considered: None, violated: sql("d > 9") }),
            dropped("first", Test::Window { considered: None, violated: sql("row_number() OVER (ORDER BY id) = 2") }),
            assertion("left", aggregate("count(*)", "observed = 7")),
        ],
    );
    assert!(report.is_success(), "{:#?}", failures(&report));
    assert_eq!(report.nodes[1].outcome, Outcome::Done { n_rows: 7, version: Some(0), n_quarantined: 2, n_dropped: 1 },);
    let counts = report.nodes[1].assertions.iter().map(|one| (one.n_rows, one.n_considered, one.n_violating));
    assert_eq!(counts.collect::<Vec<_>>(), [(10, 9, 2), (10, 9, 2), (10, 10, 1), (10, 10, 1), (7, 7, 0)]);
    let example = &report.nodes[1].assertions[0].examples[0];
    assert!(example.contains("\"id\":\"8\"") && !example.contains("_medc"), "{example}");
    assert_eq!(ask(folder.path(), "SELECT COUNT(*), COUNT(id), MAX(id) FROM silver.t"), "7 6 7");
    assert_eq!(
        ask(folder.path(), "SELECT d, _reasons FROM silver.t_quarantine ORDER BY d"),
        "8.80 [unique, reference]\n9.90 [unique, reference, large]"
    );
    let left = std::fs::read_dir(folder.path().join("warehouse/silver/t")).expect("listed").flatten();
    let left = left.filter(|entry| entry.file_name() == "_medc_spool").count();
    assert_eq!(left, 0, "the spool is removed");
}

#[test]
fn distributions_are_compared() {
    let of = |label: &str, column: &str, reference, measure, at_most| {
        let distribution = Distribution {
            column: column.to_owned(),
            reference,
            measure,
            at_most: Some(at_most),
            p_value_at_least: None,
        };
        assertion(label, Test::Distribution(distribution))
    };
    let known =
        || Reference::Column { table: TableRef { name: name("bronze.known"), site: site() }, column: "x".into() };
    let shares = || Reference::Categories(vec![("a".into(), 0.5), ("b".into(), 0.25), ("c".into(), 0.25)]);
    let found = outcomes(
        ROWS,
        vec![
            // 1 to 7 and 9 against 1 to 7: the distribution functions differ most at 7, by 1/8.
            of("ks", "x", known(), Measure::KolmogorovSmirnov, 0.1),
            of("kl", "kind", shares(), Measure::KullbackLeibler { tail_holdout: 0.0, internal_holdout: 0.0 }, 1.0),
            of("chi", "kind", shares(), Measure::ChiSquared, 1.0),
            of("none", "kind", Reference::Categories(vec![("z".into(), 1.0)]), Measure::ChiSquared, 1.0),
        ],
    );
    assert_eq!(found[0], "ks: 10 8 0 0.125 false");
    // Each of the three has a third of the nine: ln(1/3 / 1/2)/3 + 2 ln(1/3 / 1/4)/3.
    let kl = (1.0_f64 / 3.0 / 0.5).ln() / 3.0 + 2.0 * (1.0_f64 / 3.0 / 0.25).ln() / 3.0;
    let shown: f64 = found[1].split(' ').nth(4).and_then(|shown| shown.parse().ok()).expect("a number");
    assert!((shown - kl).abs() < 1e-12, "{shown} {kl}");
    // (3 − 4.5)²/4.5 + 2 (3 − 2.25)²/2.25 = 1.
    assert_eq!(found[2], "chi: 10 9 0 1.0 true");
    assert!(found[3].starts_with("none: 10 9 0 \"Infinity\" false"), "{}", found[3]);
}

#[test]
fn what_fails_on_the_data_names_the_expectation_and_publishes_nothing() {
    let cast = "CAST(kind AS INT) > 5";
    for test in [
        Test::Row { considered: None, violated: sql(cast) },
        aggregate("sum(CAST(kind AS INT))", "observed > 1"),
        Test::Query(sql("SELECT CAST(t.kind AS INT) AS n FROM silver.t AS t")),
        Test::Window { considered: None, violated: sql("sum(CAST(kind AS INT)) OVER () > 1") },
    ] {
        let fine = assertion("fine", aggregate("count(*)", "observed = 10"));
        let (folder, report) = tested(ROWS, vec![fine, assertion("a number", test)]);
        let found = failures(&report);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].message.contains("the expectation `a number` of `silver.t`"), "{found:#?}");
        assert!(!folder.path().join("warehouse/silver/t").exists(), "nothing is left");
    }
    // What `where` or the test itself leaves out may be anything.
    let guarded = Test::Row { considered: Some(sql("kind < 'a'")), violated: sql(cast) };
    assert_eq!(outcomes(ROWS, vec![assertion("guarded", guarded)]), ["guarded: 10 0 0 - true"]);
}

#[test]
fn earlier_results_can_be_read_and_have_the_columns_that_are_promised() {
    let volume = || {
        let earlier = "SELECT r.n_rows FROM quality.results AS r WHERE r.table_name = 'silver.t' AND r.n_rows > 20";
        assertion("volume", Test::Query(sql(earlier)))
    };
    let (folder, report) = tested(ROWS, vec![volume()]);
    assert!(report.is_success(), "{:#?}", failures(&report));
    assert_eq!(report.nodes[1].assertions[0].n_violating, 0);
    let threads = tokio::runtime::Runtime::new().expect("threads");
    let opened = threads.block_on(table::open(&folder.path().join("warehouse/quality/results")));
    let opened = opened.expect("readable").expect("a table");
    let stored = opened.snapshot().expect("a snapshot").snapshot().arrow_schema();
    let stored = crate::sql::types::from_arrow_schema(&stored).expect("known types");
    assert_eq!(stored, crate::ir::results::schema());
}

#[test]
fn a_table_waits_for_what_it_is_held_against_and_is_no_reader_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let numbers = |rows: &str| node("bronze.known", query(rows), &[("number", "int")]);
    let project = |rows: &str| {
        let mut table = node("silver.t", query(ROWS), COLUMNS);
        table.assertions = vec![Assertion { on_violation: OnViolation::Fail, ..assertion("reference", reference()) }];
        let mut checked = checked(vec![(numbers(rows), &[]), (table, &[])]);
        checked.graph.compared[1] = vec![NodeId(0)];
        checked
    };
    let report = go(&project("SELECT CAST('x' AS INT) AS number"), folder.path());
    assert!(matches!(report.nodes[1].outcome, Outcome::Skipped { because: NodeId(0) }), "{report:#?}");
    let report = go(&project("SELECT * FROM (VALUES (1)) AS k (number)"), folder.path());
    assert!(matches!(report.nodes[1].outcome, Outcome::Failed { .. }), "{report:#?}");
    let all = "SELECT * FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) AS k (number)";
    assert!(go(&project(all), folder.path()).is_success());
    let report = go(&project("SELECT * FROM (VALUES (1), (2)) AS k (number)"), folder.path());
    assert_eq!(report.nodes.len(), 1, "only the changed table is written: {report:#?}");
}

#[test]
fn a_view_is_tested_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = |bound: &str| {
        let source = node("bronze.rows", query(&ROWS.replace("8.80", bound)), COLUMNS);
        let mut view = node("silver.seen", query("SELECT * FROM bronze.rows WHERE kind = 'c'"), COLUMNS);
        view.write.mode = WriteMode::View;
        let fails = |test| Assertion { on_violation: OnViolation::Fail, ..assertion("whole", test) };
        view.assertions = vec![
            fails(aggregate("max(d)", "observed <= 9")),
            fails(Test::Unique { columns: columns(&["id"]) }),
            fails(Test::Row { considered: None, violated: sql("d > 9") }),
        ];
        checked(vec![(source, &[]), (view, &[0])])
    };
    let report = go(&project("8.80"), folder.path());
    assert!(report.is_success(), "{:#?}", failures(&report));
    let counts = report.nodes[1].assertions.iter().map(|one| (one.n_rows, one.n_considered, one.n_violating));
    assert_eq!(counts.collect::<Vec<_>>(), [(3, 3, 0), (3, 2, 0), (3, 3, 0)]);
    assert!(!folder.path().join("warehouse/silver/seen").exists());
    let report = go(&project("9.10"), folder.path());
    assert_eq!(failures(&report).len(), 2, "{:#?}", failures(&report));
    assert!(!folder.path().join("warehouse/silver/seen").exists());
}
