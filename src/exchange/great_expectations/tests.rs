//! Suites in memory, read into the catalogue.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{Binding, checkpoint, suite};
use crate::diagnostic::Diagnostics;
use crate::exchange::Imported;
use crate::ir::OnViolation;
use crate::name::TableName;
use crate::source::{self, Document, SourceKind, Sources};

fn document(text: &str, sources: &mut Sources) -> Document {
    let id = sources.add("suite.json", text, SourceKind::Document);
    source::compose(id, sources, &mut Diagnostics::new()).expect("well-formed")
}

fn tables() -> Vec<TableName> {
    vec![TableName::new("bronze", "orders"), TableName::new("silver", "orders"), TableName::new("silver", "sales")]
}

/// What a suite with these expectations gives, or the messages of its errors.
#[expect(clippy::needless_pass_by_value, reason = "json! is written at the call")]
fn read(expectations: Value, on_violation: Option<OnViolation>) -> Result<Vec<Imported>, Vec<String>> {
    let mut sources = Sources::new();
    let text = json!({"name": "s", "expectations": expectations, "meta": {}}).to_string();
    let document = document(&text, &mut sources);
    let variables = BTreeMap::from([("least".to_owned(), "100".to_owned())]);
    let binding = Binding {
        table: &TableName::new("silver", "sales"),
        tables: &tables(),
        on_violation,
        order_by: &[],
        parameters: &IndexMap::new(),
        variables: &variables,
    };
    let mut diagnostics = Diagnostics::new();
    suite(&document, &binding, &mut diagnostics)
        .map_err(|_| diagnostics.iter().map(|found| found.message.clone()).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "json! is written at the call")]
fn one(type_name: &str, kwargs: Value) -> String {
    match read(json!([{"type": type_name, "kwargs": kwargs}]), None) {
        Ok(imported) => imported.iter().map(|one| format!("{:?}", one.expectation)).collect::<Vec<_>>().join("; "),
        Err(messages) => messages.join("; "),
    }
}

#[test]
fn both_forms_and_class_names_are_read() {
    let old = json!([{"expectation_type": "expect_column_values_to_be_unique", "kwargs": {"column": "a"}, "meta": {}}]);
    let new = json!([{"type": "ExpectColumnValuesToBeUnique", "kwargs": {"column": "a"}, "severity": "critical"}]);
    for written in [old, new] {
        let imported = read(written, None).expect("read");
        assert_eq!(imported[0].expectation.kind(), "unique");
        assert_eq!(imported[0].expectation.options.column.as_deref(), Some("a"));
    }
}

#[test]
fn parameters_are_filled_from_variables_as_numbers() {
    let written =
        one("expect_table_row_count_to_be_between", json!({"min_value": {"$PARAMETER": "least"}, "max_value": 200}));
    assert!(written.contains(r#"{"between":[100,200]}"#), "{written}");
    let missing = one("expect_table_row_count_to_equal", json!({"value": {"$PARAMETER": "leest"}}));
    assert_eq!(missing, "the parameter `leest` has no value");
}

#[test]
fn a_suites_on_violation_takes_rows_out_only_where_there_are_rows() {
    let written = json!([
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a"}, "severity": "info"},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "a", "min_value": 1}},
    ]);
    let imported = read(written, Some(OnViolation::Quarantine)).expect("read");
    assert_eq!(imported[0].expectation.options.on_violation, Some(OnViolation::Quarantine));
    assert_eq!(imported[1].expectation.options.on_violation, Some(OnViolation::Fail));
}

#[test]
fn what_is_not_known_is_an_error() {
    let column = |name: &str| json!({"column": name});
    assert!(one("expect_column_values_to_be_odd", column("a")).contains("has no expectation"));
    assert!(one("expect_column_values_to_match_json_schema", column("a")).contains("no equal"));
    let unknown = one("expect_column_values_to_be_unique", json!({"column": "a", "colum": 1}));
    assert!(unknown.contains("has no argument `colum`"), "{unknown}");
    let refused = one("expect_column_values_to_be_unique", json!({"column": "a", "auto": true}));
    assert_eq!(refused, "medc cannot honour `auto`");
    assert!(one("expect_column_values_to_be_of_type", json!({"column": "a", "type_": "flaot64"})).contains("no type"));
}

#[test]
fn a_query_is_a_format_string() {
    let query = |text: &str| one("unexpected_rows_expectation", json!({"unexpected_rows_query": text}));
    let written = query("SELECT * FROM {batch} WHERE a RLIKE '[0-9]{{3}}'");
    assert!(written.contains("SELECT * FROM silver.sales WHERE a RLIKE '[0-9]{3}'"), "{written}");
    for wrong in ["SELECT * FROM {batch} WHERE a RLIKE '[0-9]{3}'", "SELECT {x} FROM {batch}"] {
        assert!(query(wrong).contains("medc fills `{batch}`"), "{wrong}");
    }
}

#[test]
fn a_checkpoint_finds_tables_by_full_and_by_bare_names() {
    let mut sources = Sources::new();
    let read = |asset: &str, sources: &mut Sources| {
        let text = json!({
            "name": "c", "config_version": 1.0, "class_name": "SimpleCheckpoint",
            "validations": [{"batch_request": {"data_asset_name": asset}, "expectation_suite_name": "s"}],
        });
        let mut diagnostics = Diagnostics::new();
        let found = checkpoint(&document(&text.to_string(), sources), &tables(), &mut diagnostics);
        found
            .map(|found| found[0].table.to_string())
            .map_err(|_| diagnostics.iter().next().map(|first| first.message.clone()))
    };
    assert_eq!(read("sales", &mut sources), Ok("silver.sales".to_owned()));
    assert_eq!(read("main.bronze.orders", &mut sources), Ok("bronze.orders".to_owned()));
    assert_eq!(read("orders", &mut sources), Err(Some("`orders` is a table in several layers".to_owned())));
    assert_eq!(read("sale", &mut sources), Err(Some("there is no table `sale`".to_owned())));
}
