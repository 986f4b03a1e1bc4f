//! Each kind's SQL on rows: which of them it considers, and which of them violate.

use deltalake::arrow::array::{AsArray, RecordBatch};
use deltalake::arrow::datatypes::Int64Type;
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::SourceId;
use crate::ir::Column;
use crate::sql::bind::{Aggregates, Row, Typer, type_expression};
use crate::sql::parse::{parse_expression, parse_query};
use crate::sql::session;

/// The rows under test, as a table of literals, and another table.
const ROWS: &str = "SELECT * FROM VALUES
    ('a', 'x@y.com', '{\"k\": 1}', '2024-02-29', '31/1/2024', '1.50', 1, 10, CAST(1.5 AS DOUBLE), CAST(1.50 AS DECIMAL(18,2)), DATE '2024-01-01', TIMESTAMP '2024-01-01 10:00:00', 1),
    ('b', 'no mail', '[1, 2', '2023-02-29', '1/13/2024', '1,50', 2, 20, CAST(2.5 AS DOUBLE), CAST(2.50 AS DECIMAL(18,2)), DATE '2024-01-02', TIMESTAMP '2024-01-02 10:00:00', 2),
    ('a', NULL, 'null', '2024-01-01T25:00:00', '01/02/2024', ' 1', 3, 30, CAST('NaN' AS DOUBLE), CAST(-1.00 AS DECIMAL(18,2)), DATE '2024-01-03', TIMESTAMP '2024-01-03 10:00:00', 3),
    (NULL, 'p@q.org', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 4)
    AS t(code, email, payload, day_text, other_day, price_text, n, m, score, amount, day, at, line)";

fn columns() -> Vec<ContractColumn> {
    let types = [
        ("code", "string"),
        ("email", "string"),
        ("payload", "string"),
        ("day_text", "string"),
        ("other_day", "string"),
        ("price_text", "string"),
        ("n", "int"),
        ("m", "int"),
        ("score", "double"),
        ("amount", "decimal(18,2)"),
        ("day", "date"),
        ("at", "timestamp"),
        ("line", "bigint"),
    ];
    let site = Site::root(SourceId(0));
    types
        .into_iter()
        .map(|(name, data_type)| ContractColumn {
            column: Column {
                name: name.to_owned(),
                data_type: DataType::parse(data_type).expect("a type"),
                nullable: true,
            },
            description: None,
            tags: Vec::new(),
            site: site.clone(),
        })
        .collect()
}

fn lowered(column: Option<&str>, written: &Value) -> Result<Assertion, Problem> {
    let expectation: Expectation = serde_json::from_value(written.clone()).expect("an expectation");
    let columns = columns();
    let known = column.map(|name| {
        let found = columns.iter().find(|known| known.column.name == name).expect("a column");
        (name, Some(&found.column.data_type))
    });
    expectation.lower(known, &columns, &|pointer| Site::root(SourceId(0)).descend(pointer))
}

async fn context() -> SessionContext {
    let context = session::context(session::Options::default());
    let rows = ROWS.replace("SELECT * FROM VALUES", "SELECT * FROM (VALUES").replace("AS t(", ") AS t(");
    context.sql(&format!("CREATE TABLE sample AS {rows}")).await.expect("plans").collect().await.expect("runs");
    context
        .sql("CREATE TABLE other AS SELECT * FROM (VALUES ('a'), ('c')) AS t(code)")
        .await
        .expect("plans")
        .collect()
        .await
        .expect("runs");
    context
}

/// Runs a query as the engine does: parsed and planned with Databricks' rules.
async fn run(context: &SessionContext, query: &str) -> Vec<RecordBatch> {
    let parsed = parse_query(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let planned = session::plan_query(&context.state(), &parsed).await;
    let planned = planned.unwrap_or_else(|error| panic!("{query}: {error}"));
    let frame = context.execute_logical_plan(planned).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    frame.collect().await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Considered and violating rows, or groups.
async fn counts(context: &SessionContext, assertion: &Assertion) -> (i64, i64) {
    let query = match &assertion.test {
        Test::Row { considered, violated } | Test::Window { considered, violated } => {
            let considered = considered.as_ref().map_or("true", |sql| &sql.text);
            format!(
                "SELECT count(*), count(CASE WHEN v THEN 1 END) \
                 FROM (SELECT ({}) AS v FROM (SELECT * FROM sample WHERE {considered}))",
                violated.text
            )
        }
        Test::Aggregate { by, value, holds } => {
            let by: Vec<String> = by.iter().map(|column| kind::column(column)).collect();
            let listed = by.iter().flat_map(|column| [column.as_str(), ", "]).collect::<String>();
            let grouped = if by.is_empty() { String::new() } else { format!(" GROUP BY {}", by.join(", ")) };
            let holds = holds.text.replace("silver.other", "other");
            format!(
                "SELECT count(*), count(CASE WHEN h IS NOT TRUE THEN 1 END) FROM (SELECT ({holds}) AS h \
                 FROM (SELECT {listed}{} AS observed FROM sample{grouped}))",
                value.text
            )
        }
        other => panic!("no SQL over the rows: {other:?}"),
    };
    let batch = &run(context, &query).await[0];
    let number = |place: usize| batch.column(place).as_primitive::<Int64Type>().value(0);
    (number(0), number(1))
}

#[tokio::test]
async fn kinds_consider_and_judge_as_they_say() {
    let context = context().await;
    let cases = [
        (Some("code"), json!("not_null"), (4, 1)),
        (Some("code"), json!("is_null"), (4, 3)),
        (Some("code"), json!({"accepted_values": ["a"]}), (3, 1)),
        (Some("code"), json!({"not_in": ["a"]}), (3, 2)),
        (Some("n"), json!({"accepted_values": [1, 2]}), (3, 1)),
        (Some("day"), json!({"accepted_values": ["2024-01-01"]}), (3, 2)),
        (Some("score"), json!({"between": {"min": 0, "max": 2}}), (3, 2)),
        (Some("amount"), json!({"between": {"min": 0, "max": 2.5, "exclusive_max": true}}), (3, 2)),
        (Some("at"), json!({"between": {"min": "2024-01-02"}}), (3, 1)),
        (Some("n"), json!({"greater_than": 1}), (3, 1)),
        (Some("n"), json!({"less_than": {"value": 2, "or_equal": true}}), (3, 1)),
        (Some("email"), json!({"matches": "^[^@]+@[^@]+$"}), (3, 1)),
        (Some("email"), json!({"matches": {"any_of": ["com$", "org$"]}}), (3, 1)),
        (Some("email"), json!({"matches": {"all_of": ["@", "org$"]}}), (3, 2)),
        (Some("email"), json!({"not_matches": {"any_of": ["\\s", "org$"]}}), (3, 2)),
        (Some("email"), json!({"like": "%@%"}), (3, 1)),
        (Some("email"), json!({"not_like": {"any_of": ["%com", "%org"]}}), (3, 2)),
        (Some("email"), json!({"length": 7}), (3, 0)),
        (Some("email"), json!({"length": {"min": 8}}), (3, 3)),
        (Some("payload"), json!("json_parseable"), (3, 1)),
        (Some("day_text"), json!("date_parseable"), (3, 2)),
        (Some("other_day"), json!({"date_parseable": "d/M/yyyy"}), (3, 1)),
        (Some("other_day"), json!({"date_parseable": "dd/MM/yyyy"}), (3, 2)),
        (Some("price_text"), json!({"numeric_parseable": "decimal(18,2)"}), (3, 2)),
        (None, json!({"columns_equal": ["n", "line"]}), (4, 1)),
        (None, json!({"columns_equal": {"columns": ["n", "m"], "ignore_row_if": "never"}}), (4, 3)),
        (Some("n"), json!({"column_greater": {"than": "line", "or_equal": true}}), (4, 1)),
        (Some("n"), json!({"column_greater": {"than": "line", "ignore_row_if": "any_null"}}), (3, 3)),
        (None, json!({"column_pair_in": {"columns": ["code", "n"], "pairs": [["a", 1], ["b", 2], [null, 4]]}}), (3, 1)),
        (None, json!({"columns_distinct": ["n", "m", "line"]}), (4, 4)),
        (None, json!({"unique": {"columns": ["code", "n"], "ignore_row_if": "all_null"}}), (3, 0)),
        (Some("code"), json!({"unique": {"ignore_row_if": "never"}}), (4, 2)),
        (None, json!({"columns_sum": {"columns": ["n", "m"], "equal": 11}}), (3, 2)),
        (Some("n"), json!({"increasing": {"order_by": ["line"]}}), (3, 0)),
        (Some("amount"), json!({"increasing": {"order_by": ["line"]}}), (3, 1)),
        (Some("n"), json!({"decreasing": {"order_by": ["line"], "strictly": true}}), (3, 2)),
        (Some("n"), json!("outliers"), (3, 0)),
        (Some("amount"), json!({"outliers": {"threshold": 1}}), (3, 1)),
        (Some("amount"), json!({"outliers": {"threshold": 1, "double_sided": false}}), (3, 0)),
        (Some("amount"), json!({"outliers": {"method": "iqr", "threshold": 0.5}}), (3, 1)),
        (Some("score"), json!("outliers"), (2, 0)),
        (None, json!({"row_count": {"between": [4, 4]}}), (1, 0)),
        (None, json!({"row_count": {"equal": 3}}), (1, 1)),
        (None, json!({"row_count": {"equal_to": "silver.other"}}), (1, 1)),
        (None, json!({"row_count": {"equal": 1, "group_by": ["code"]}}), (3, 1)),
        (Some("code"), json!({"distinct_count": {"min": 2, "max": 2}}), (1, 0)),
        (Some("code"), json!({"distinct_values": {"equal": ["b", "a"]}}), (1, 0)),
        (Some("code"), json!({"distinct_values": {"equal": ["a"]}}), (1, 1)),
        (Some("code"), json!({"distinct_values": {"contain": ["a"]}}), (1, 0)),
        (Some("n"), json!({"distinct_values": {"within": [1, 2, 3, 4]}}), (1, 0)),
        (Some("n"), json!({"distinct_values": {"within": [1, 2]}}), (1, 1)),
        (Some("amount"), json!({"distinct_values": {"within": [1.5, 2.5, -1]}}), (1, 0)),
        (Some("day"), json!({"distinct_values": {"contain": ["2024-01-03"]}}), (1, 0)),
        (Some("code"), json!({"distinct_values": {"within": {"table": "silver.other", "column": "code"}}}), (1, 1)),
        (Some("day"), json!({"min": {"min": "2024-01-01"}}), (1, 0)),
        (Some("at"), json!({"max": {"max": "2024-01-03 09:00:00"}}), (1, 1)),
        (Some("score"), json!({"max": {"max": 2.5}}), (1, 0)),
        (Some("score"), json!({"mean": {"min": 2, "max": 2}}), (1, 0)),
        (Some("n"), json!({"mean": {"min": 2, "exclusive_min": true}}), (1, 1)),
        (Some("score"), json!({"median": {"min": 2, "max": 2}}), (1, 0)),
        (Some("n"), json!({"stdev": {"min": 1, "max": 1}}), (1, 0)),
        (Some("amount"), json!({"sum": {"min": 3, "max": 3}}), (1, 0)),
        (Some("m"), json!({"quantile": {"at": 0.25, "min": 15, "max": 15}}), (1, 0)),
        (Some("m"), json!({"quantile": {"at": 0.25, "min": 10, "max": 10, "interpolation": "nearest"}}), (1, 0)),
        (Some("code"), json!({"unique_share": {"min": 0.66, "max": 0.67}}), (1, 0)),
        (Some("code"), json!({"non_null_share": {"min": 0.75, "max": 0.75}}), (1, 0)),
        (Some("code"), json!({"most_common": ["a"]}), (3, 0)),
        (Some("code"), json!({"most_common": ["b"]}), (3, 1)),
        (Some("n"), json!({"most_common": [1]}), (4, 3)),
        (Some("n"), json!({"most_common": {"values": [1], "ties_okay": true}}), (4, 0)),
        (Some("n"), json!({"most_common": {"values": [1, 2], "group_by": ["line"]}}), (4, 2)),
        (Some("at"), json!({"freshness": "1d"}), (1, 1)),
        (Some("day"), json!({"freshness": "9999w"}), (1, 0)),
        (Some("n"), json!({"mean": {"max": 2, "group_by": ["code"]}}), (3, 1)),
    ];
    let mut failures = Vec::new();
    for (column, written, expected) in cases {
        let assertion = lowered(column, &written).unwrap_or_else(|problem| panic!("{written}: {problem:?}"));
        let form = KINDS.iter().find(|kind| kind.name == assertion.kind).expect("a kind").form;
        let is_as_said = match &assertion.test {
            Test::Row { .. } => form == Form::Row,
            Test::Window { .. } => form == Form::Rows,
            Test::Aggregate { .. } => form == Form::Groups,
            _ => false,
        };
        assert!(is_as_said, "{written} is of another form than its page says");
        let found = counts(&context, &assertion).await;
        if found != expected {
            failures.push(format!("{written}: expected {expected:?}, found {found:?}\n{:?}", assertion.test));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Without values, statistics do not hold, but sums and shares are 0, as in Great Expectations with pandas.
#[tokio::test]
async fn empty_tables_are_judged() {
    let context = context().await;
    context.sql("CREATE TABLE full AS SELECT * FROM sample").await.expect("plans").collect().await.expect("runs");
    context.sql("DROP TABLE sample").await.expect("plans").collect().await.expect("runs");
    let empty = "CREATE TABLE sample AS SELECT * FROM full WHERE false";
    context.sql(empty).await.expect("plans").collect().await.expect("runs");
    for (kind, n_violating) in
        [("min", 1), ("max", 1), ("mean", 1), ("median", 1), ("stdev", 1), ("sum", 0), ("unique_share", 0)]
    {
        let assertion = lowered(Some("score"), &json!({kind: {"min": 0}})).expect("lowers");
        assert_eq!(counts(&context, &assertion).await, (1, n_violating), "{kind}");
    }
    for (written, n_violating) in [
        (json!({"quantile": {"at": 0.5, "min": 0}}), 1),
        (json!({"quantile": {"at": 0.5, "min": 0, "interpolation": "nearest"}}), 1),
        (json!({"distinct_values": {"within": [1]}}), 0),
        (json!({"distinct_values": {"contain": [1]}}), 1),
        (json!({"non_null_share": {"max": 0}}), 0),
    ] {
        let assertion = lowered(Some("score"), &written).expect("lowers");
        assert_eq!(counts(&context, &assertion).await, (1, n_violating), "{written}");
    }
}

#[test]
fn what_kinds_write_is_portable() {
    let schema = crate::ir::Schema { columns: columns().into_iter().map(|column| column.column).collect() };
    let (typer, row) = (Typer::default(), Row::new(&schema));
    for (column, written) in [
        (Some("payload"), json!("json_parseable")),
        (Some("m"), json!({"quantile": {"at": 0.25, "min": 15, "interpolation": "nearest"}})),
        (Some("m"), json!({"quantile": {"at": 0.25, "min": 15}})),
        (Some("code"), json!({"distinct_values": {"equal": ["a"]}})),
        (Some("other_day"), json!({"date_parseable": "d/MMM/yyyy HH:mm"})),
    ] {
        let assertion = lowered(column, &written).expect("lowers");
        let sql = match &assertion.test {
            Test::Row { violated: sql, .. } | Test::Aggregate { value: sql, .. } => sql,
            other => panic!("{other:?}"),
        };
        let parsed = parse_expression(&sql.text).expect("parses");
        let typed = type_expression(&typer, &parsed, &row, Aggregates::Allowed);
        assert!(typed.is_ok(), "{written}: {typed:?}");
    }
}

/// What is no VARIANT here must not be taken for one.
#[test]
fn parsed_json_can_only_be_tested_for_null() {
    let schema = crate::ir::Schema { columns: columns().into_iter().map(|column| column.column).collect() };
    let (typer, row) = (Typer::default(), Row::new(&schema));
    for (text, is_usable) in [
        ("try_parse_json(payload) IS NULL", true),
        ("upper(payload) IS NOT NULL AND try_parse_json(payload) IS NOT NULL", true),
        ("try_parse_json(payload) = payload", false),
        ("upper(try_parse_json(payload)) IS NULL", false),
    ] {
        let parsed = parse_expression(text).expect("parses");
        let typed = type_expression(&typer, &parsed, &row, Aggregates::Refused);
        assert_eq!(typed.is_ok(), is_usable, "{text}: {typed:?}");
    }
}

#[test]
fn contradictions_are_found() {
    for (column, written, part) in [
        (Some("code"), json!({"accepted_values": ["a", "a"]}), "stands twice"),
        (Some("code"), json!({"accepted_values": [1]}), "holds texts"),
        (Some("n"), json!({"accepted_values": ["a"]}), "holds numbers"),
        (Some("day"), json!({"between": {"min": "2024-13-01"}}), "holds dates"),
        (Some("n"), json!({"between": {"min": 2, "max": 1}}), "nothing lies between"),
        (Some("n"), json!({"between": {"min": 1, "max": 1, "exclusive_min": true}}), "without the bounds"),
        (Some("n"), json!({"matches": "a"}), "judges texts"),
        (Some("code"), json!({"mean": {"min": 0}}), "judges numbers"),
        (Some("n"), json!({"between": {"min": 0, "group_by": ["code"]}}), "no groups"),
        (Some("n"), json!({"mean": {"min": 0, "group_by": ["cod"]}}), "no column `cod`"),
        (Some("n"), json!({"column_greater": {"than": "n"}}), "with itself"),
        (Some("n"), json!({"quantile": {"at": 0.5}}), "neither"),
        (Some("at"), json!({"freshness": "yesterday"}), "no duration"),
        (Some("n"), json!({"of_type": "intt"}), "no type"),
        (Some("n"), json!({"distribution": {"measure": "ks", "reference": {"categories": {"a": 1}}}}), "compares all"),
        (
            Some("n"),
            json!({"distribution": {"measure": "psi", "reference": {"edges": [0, 1], "shares": [0.5]}}}),
            "add up",
        ),
        (None, json!({"columns_equal": ["n", "x"]}), "no column `x`"),
        (None, json!({"volume": {"group_by": ["code"]}}), "counts all rows"),
    ] {
        let problem = lowered(column, &written).expect_err(&written.to_string());
        assert!(problem.message.contains(part), "{written}: {}", problem.message);
        assert!(problem.help.is_some(), "{written}: no help");
    }
}

#[tokio::test]
async fn the_observed_value_of_distinct_values_is_sorted() {
    let context = context().await;
    let assertion = lowered(Some("n"), &json!({"distinct_values": {"equal": [3, 1, 2]}})).expect("lowers");
    let Test::Aggregate { value, .. } = &assertion.test else { panic!("{assertion:?}") };
    let query = format!("SELECT {} FROM (SELECT * FROM sample ORDER BY line DESC)", value.text);
    let batches = run(&context, &query).await;
    assert_eq!(array_value_to_string(batches[0].column(0), 0).expect("a list"), "[1, 2, 3]");
}
