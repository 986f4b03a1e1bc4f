//! `column_pair_in`: two columns together hold nothing but these pairs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::several::{self, IgnoreRowIf};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "column_pair_in",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Row,
    schema: schema_of::<ColumnPairIn>,
    short: Short::Long,
    lower,
    example: Example {
        column: None,
        expect: &["column_pair_in: {columns: [country, currency], pairs: [[BR, BRL], [US, USD]]}"],
    },
    alike: &[(Tool::GreatExpectations, "expect_column_pair_values_to_be_in_set")],
};

/// Two columns together hold nothing but these pairs of values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnPairIn {
    /// The two columns. Example: `[country, currency]`.
    #[schemars(length(min = 2, max = 2))]
    columns: Vec<String>,
    /// The pairs; `null` stands for a missing value. Example: `[[BR, BRL], [US, USD]]`.
    #[schemars(length(min = 1))]
    pairs: Vec<[Option<Scalar>; 2]>,
    /// Which rows are not looked at: those in which `all_null` (default) or `any_null` of the columns are NULL, or `never`
    /// any.
    #[serde(default)]
    ignore_row_if: IgnoreRowIf,
}

/// # Errors
/// `resolve::expectation` for other than two columns, or pairs that are none of theirs.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnPairIn { columns, pairs, ignore_row_if } = super::body(value)?;
    several::check("column_pair_in", &columns, subject, values::is_simple, "simple values")?;
    let [first, second] = columns.as_slice() else {
        return Err(Problem::new(code::EXPECTATION, "/columns", "a pair has two columns").help("name two columns"));
    };
    if pairs.is_empty() {
        return Err(Problem::new(code::EXPECTATION, "/pairs", "no pair is given").help("give at least one pair"));
    }
    let mut conditions = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        if pairs.iter().take(index).any(|earlier| earlier == pair) {
            let problem = Problem::new(code::EXPECTATION, format!("/pairs/{index}"), "this pair stands twice");
            return Err(problem.help("remove it"));
        }
        let mut sides = Vec::new();
        for (side, (column, value)) in [first, second].into_iter().zip(pair).enumerate() {
            let data_type = subject.other(column, &format!("/columns/{side}"))?;
            let quoted = kind::column(column);
            sides.push(match value {
                None => format!("{quoted} IS NULL"),
                Some(value) => {
                    values::check(value, &format!("/pairs/{index}/{side}"), column, data_type)?;
                    format!("{quoted} = {}", kind::scalar_literal(value, data_type))
                }
            });
        }
        conditions.push(sides.join(" AND "));
    }
    let violated = format!("NOT coalesce({}, false)", conditions.join(" OR "));
    let label = format!("{first}, {second} in {} pairs", pairs.len());
    Ok(several::sentence(subject, &columns, ignore_row_if, label, violated))
}
