//! `not_null`: the column has a value in every row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::{Dimension, Test};
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "not_null",
    of_column: true,
    dimension: Dimension::Completeness,
    form: Form::Row,
    schema: schema_of::<NotNull>,
    short: Short::Word,
    lower,
    example: Example { column: Some(("customer_id", "string")), expect: &["not_null"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_not_be_null"),
        (Tool::Dbt, "not_null"),
        (Tool::Odcs, "nullValues"),
    ],
};

/// The column has a value in every row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NotNull {}

/// # Errors
/// `resolve::expectation` without a column.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NotNull {} = super::body(value)?;
    let column = subject.column()?;
    let violated = subject.sql(format!("{} IS NULL", kind::column(column)), "");
    Ok(Sentence {
        label: format!("{column} is not null"),
        columns: vec![column.to_owned()],
        test: Test::Row { considered: None, violated },
    })
}
