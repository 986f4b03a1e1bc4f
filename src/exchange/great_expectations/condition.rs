//! `row_condition`: which rows are looked at, as Databricks SQL.
//!
//! Spark's conditions are Databricks SQL already. Those of pandas (`DataFrame.query`) and of the library's own language
//! (`col("a") > 1`) are parsed and written anew, with pandas' rule that a comparison with a missing value is false, and
//! `!=` and `not in` true. Conditions of 1.x may also be mappings. What cannot be translated is an error, never left out.

use serde_json::{Map, Value};

use super::arguments::{self, given};
use super::vocabulary::Word;
use crate::diagnostic::code;
use crate::kind::{self, Problem};

mod syntax;

const POINTER: &str = "/row_condition";

/// The condition of an expectation's option `where`.
///
/// # Errors
/// `exchange::argument` for a condition that cannot be translated.
pub(super) fn filter(word: &Word, kwargs: &Map<String, Value>) -> Result<Option<String>, Problem> {
    // A query filters its batch itself, and columns and types are the same for any rows.
    let without_rows = word.name == "unexpected_rows_expectation"
        || word.name.starts_with("expect_table_column")
        || matches!(word.name, "expect_column_to_exist" | "expect_column_type_to_be")
        || word.name.ends_with("_of_type")
        || word.name.ends_with("_in_type_list");
    let translated = sql(kwargs)?;
    Ok(if without_rows { None } else { translated })
}

/// The condition as Databricks SQL.
///
/// # Errors
/// `exchange::argument`.
pub(super) fn sql(kwargs: &Map<String, Value>) -> Result<Option<String>, Problem> {
    let Some(condition) = given(kwargs, "row_condition") else { return Ok(None) };
    let text = match condition {
        Value::String(text) => text,
        Value::Object(members) => return of_mapping(members, POINTER).map(Some),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(arguments::wrong("row_condition", "a text or a mapping", condition));
        }
    };
    let own = ["great_expectations", "great_expectations__experimental__"];
    match given(kwargs, "condition_parser").map(|parser| parser.as_str().unwrap_or_default()) {
        Some("spark") => Ok(Some(text.trim().to_owned())),
        Some("pandas" | "python") => syntax::translate(text, syntax::Language::Pandas).map(Some),
        Some(parser) if own.contains(&parser) => syntax::translate(text, syntax::Language::Own).map(Some),
        None if text.contains("col(") => syntax::translate(text, syntax::Language::Own).map(Some),
        None => Err(Problem::new(code::EXCHANGE_ARGUMENT, POINTER, "`condition_parser` is missing")
            .note("the same text means different things to pandas and to Spark")
            .help("add `\"condition_parser\": \"spark\"` or `\"pandas\"` to `kwargs`")),
        Some(_) => {
            Err(Problem::new(code::EXCHANGE_ARGUMENT, "/condition_parser", "medc knows no such `condition_parser`")
                .help("use `pandas`, `spark` or `great_expectations`"))
        }
    }
}

fn of_mapping(members: &Map<String, Value>, pointer: &str) -> Result<String, Problem> {
    let wrong = |message: &str| {
        Problem::new(code::EXCHANGE_ARGUMENT, pointer, message)
            .help("write it as SQL: `\"row_condition\": \"a > 1\", \"condition_parser\": \"spark\"`")
    };
    let column = || {
        let column = members.get("column");
        let name = column.and_then(|column| column.get("name")).or(column).and_then(Value::as_str);
        name.map(kind::column).ok_or_else(|| wrong("this condition names no column"))
    };
    match members.get("type").and_then(Value::as_str) {
        Some("nullity") => {
            let not = if members.get("is_null").and_then(Value::as_bool) == Some(false) { "NOT " } else { "" };
            Ok(format!("{} IS {not}NULL", column()?))
        }
        Some("comparison") => comparison(&column()?, members, &wrong),
        Some(word @ ("and" | "or")) => {
            let list = members.get("conditions").and_then(Value::as_array).filter(|list| !list.is_empty());
            let parts: Vec<String> = list
                .ok_or_else(|| wrong("this condition has no `conditions`"))?
                .iter()
                .enumerate()
                .map(|(index, part)| {
                    let members = part.as_object().ok_or_else(|| wrong("a condition is a mapping"))?;
                    of_mapping(members, &format!("{pointer}/conditions/{index}"))
                })
                .collect::<Result<_, _>>()?;
            Ok(format!("({})", parts.join(&format!(" {} ", word.to_uppercase()))))
        }
        Some("pass_through") => match members.get("pass_through_filter").and_then(Value::as_str) {
            Some(text) => syntax::translate(text, syntax::Language::Pandas),
            None => Err(wrong("this condition has no `pass_through_filter`")),
        },
        Some(_) | None => Err(wrong("medc does not know this kind of condition")),
    }
}

fn comparison(column: &str, members: &Map<String, Value>, wrong: &dyn Fn(&str) -> Problem) -> Result<String, Problem> {
    let value = members.get("parameter").unwrap_or(&Value::Null);
    let literal = |value: &Value| match value {
        Value::Bool(flag) => Ok(flag.to_string().to_uppercase()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(kind::text_literal(text)),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(wrong("medc cannot compare with this `parameter`")),
    };
    match members.get("operator").and_then(Value::as_str) {
        Some("==") => Ok(format!("{column} = {}", literal(value)?)),
        Some("!=") => Ok(format!("{column} IS DISTINCT FROM {}", literal(value)?)),
        Some(operator @ ("<" | "<=" | ">" | ">=")) => Ok(format!("{column} {operator} {}", literal(value)?)),
        Some(operator @ ("IN" | "NOT_IN")) => {
            let list = value.as_array().ok_or_else(|| wrong("`IN` takes a list"))?;
            let literals: Vec<String> = list.iter().map(literal).collect::<Result<_, _>>()?;
            Ok(syntax::within(column, &literals, operator == "IN"))
        }
        Some(_) | None => Err(wrong("medc does not know this `operator`")),
    }
}
