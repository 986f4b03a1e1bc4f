//! The engine's speed on generated sales rows, without the rest of medc.

#![expect(clippy::print_stderr, reason = "a measurement is shown")]

use super::*;

/// The sales medallion on a file of any size: `MEDC_BENCH_CSV=… cargo test --release sales_bench -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn sales_bench() {
    let file = std::env::var("MEDC_BENCH_CSV").expect("a file");
    let folder = std::path::PathBuf::from(std::env::var("MEDC_BENCH_OUT").expect("a folder"));
    let names =
        ["order_id", "customer_id", "order_ts", "product_id", "quantity", "unit_price", "amount", "status", "country"];
    let types = ["bigint", "bigint", "timestamp", "bigint", "int", "double", "double", "string", "string"];
    let text: Vec<_> = names.iter().map(|name| (*name, "string")).collect();
    let typed: Vec<_> = names.iter().copied().zip(types).collect();
    let key = |column: &str| Key { column: column.to_owned(), descending: true };
    let trim = |name: &str| crate::ir::Computed { name: name.to_owned(), expression: sql(&format!("trim({name})")) };
    let operations = vec![
        Operation::Filter(sql(
            "order_id IS NOT NULL AND customer_id IS NOT NULL AND order_ts IS NOT NULL AND amount >= 0",
        )),
        Operation::Latest {
            keys: vec!["order_id".to_owned()],
            order: vec![key("order_ts"), key("status")],
            site: site(),
        },
        Operation::Extend(vec![trim("status"), trim("country")]),
    ];
    let mut silver = node("silver.sales", from("bronze.sales", operations), &typed);
    Arc::make_mut(silver.contract.as_mut().expect("a contract")).on_cast_failure = OnViolation::Warn;
    silver.assertions =
        vec![row_test("order_id IS NULL", OnViolation::Fail), row_test("amount < 0", OnViolation::Fail)];
    if std::env::var("MEDC_BENCH_CLUSTER").is_ok() {
        silver.write.cluster_by.push("order_ts".to_owned());
    }
    if std::env::var("MEDC_BENCH_UNIQUE").is_ok() {
        let test = Test::Unique { columns: vec!["order_id".to_owned()] };
        silver.assertions.push(Assertion { test, ..row_test("unique", OnViolation::Fail) });
    }
    let gold = "SELECT customer_id, COUNT(*) AS orders, SUM(amount) AS total_amount, AVG(amount) AS avg_amount, \
        MAX(order_ts) AS last_order_ts FROM silver.sales GROUP BY customer_id";
    let gold_columns = [
        ("customer_id", "bigint"),
        ("orders", "bigint"),
        ("total_amount", "double"),
        ("avg_amount", "double"),
        ("last_order_ts", "timestamp"),
    ];
    let checked = checked(vec![
        (node("bronze.sales", csv(&file), &text), &[]),
        (silver, &[0]),
        (node("gold.customers", query(gold), &gold_columns), &[1]),
    ]);
    let begun = std::time::Instant::now();
    let mut settings = settings(&folder);
    settings.memory_bytes = default_memory_bytes();
    let mut diagnostics = Diagnostics::new();
    let mut state = state::read(&checked, &settings.warehouse, &mut diagnostics).expect("a readable warehouse");
    list_sources(&checked, &folder, &mut state).expect("sources");
    let options = plan::Options { full_refresh: true, ..plan::Options::default() };
    let plan = plan::plan(&checked, &state, &options, &mut diagnostics).expect("a plan");
    let report = apply(&checked, &plan, &state, &settings, &Quiet, &hold(&settings, &Quiet).expect("a warehouse"));
    let total = begun.elapsed();
    for node in &report.nodes {
        eprintln!("{} {:?} {:?}", checked.graph.node(node.node).name, node.duration, node.outcome);
    }
    eprintln!("total {total:?}");
    assert!(report.is_success(), "{:#?}", failures(&report));
    eprintln!("{}", ask(&folder, "SELECT COUNT(*), SUM(orders), SUM(total_amount) FROM gold.customers"));
}
