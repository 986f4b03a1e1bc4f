//! `is_null`: the column has a value in no row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::{Dimension, Test};
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "is_null",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<IsNull>,
    short: Short::Word,
    lower,
    example: Example { column: Some(("note", "string")), expect: &["is_null"] },
    alike: &[(Tool::GreatExpectations, "expect_column_values_to_be_null")],
};

/// The column has a value in no row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct IsNull {}

/// # Errors
/// `resolve::expectation` without a column.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let IsNull {} = super::body(value)?;
    let column = subject.column()?;
    let violated = subject.sql(format!("{} IS NOT NULL", kind::column(column)), "");
    Ok(Sentence {
        label: format!("{column} is null"),
        columns: vec![column.to_owned()],
        test: Test::Row { considered: None, violated },
    })
}
