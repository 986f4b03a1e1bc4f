//! `of_type`: the column is of a type.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pattern::OneOrMore;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::diagnostic::code;
use crate::ir::{ColumnsTest, DataType, Dimension, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "of_type",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Columns,
    schema: schema_of::<OfType>,
    short: Short::Key("types"),
    lower,
    example: Example { column: Some(("amount", "double")), expect: &["of_type: double", "of_type: [float, double]"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_be_of_type, expect_column_values_to_be_in_type_list"),
        (Tool::Dbt, "dbt_expectations.expect_column_values_to_be_of_type"),
        (Tool::Odcs, "`physicalType`"),
    ],
};

/// The column is of one of some types, whatever its contract says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct OfType {
    /// The types, as Databricks spells them; a text for one. Example: `[int, bigint]`.
    types: OneOrMore,
}

/// # Errors
/// `resolve::expectation` without a column, or for a type that there is not.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let OfType { types } = super::body(value)?;
    let column = subject.column()?;
    let (names, listed) = match types {
        OneOrMore::One(name) => (vec![name], false),
        OneOrMore::More(names) => (names, true),
    };
    if names.is_empty() {
        return Err(Problem::new(code::EXPECTATION, "/types", "no type is given").help("give at least one type"));
    }
    let mut any_of: Vec<DataType> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let pointer = if listed { format!("/types/{index}") } else { "/types".to_owned() };
        let data_type = DataType::parse(name).map_err(|reason| {
            let (what, help) =
                reason.split_once("; ").unwrap_or((reason.as_str(), "types are spelled as in Databricks SQL"));
            Problem::new(code::EXPECTATION, pointer.clone(), what).help(help)
        })?;
        if any_of.contains(&data_type) {
            let problem = format!("the type `{data_type}` stands twice");
            return Err(Problem::new(code::EXPECTATION, pointer, problem).help("remove it"));
        }
        any_of.push(data_type);
    }
    Ok(Sentence {
        label: format!("{column} is {}", any_of.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")),
        columns: vec![column.to_owned()],
        test: Test::Columns(ColumnsTest::Type { column: column.to_owned(), any_of }),
    })
}
