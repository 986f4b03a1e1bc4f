//! `most_common`: the most common value is one of these.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::{Dimension, Test};
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "most_common",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Groups,
    schema: schema_of::<MostCommon>,
    short: Short::Key("values"),
    lower,
    example: Example { column: Some(("status", "string")), expect: &["most_common: [paid]"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_most_common_value_to_be_in_set"),
        (Tool::Dbt, "dbt_expectations.expect_column_most_common_value_to_be_in_set"),
    ],
};

/// The most common value is one of these. NULLs are not looked at. Where several values are equally common it does
/// not hold, unless `ties_okay`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct MostCommon {
    /// The values, of the column's type. Example: `[paid]`.
    #[schemars(length(min = 1))]
    values: Vec<Scalar>,
    /// Whether several values may be equally common if one of them is among `values`. Default: false.
    #[serde(default)]
    ties_okay: bool,
}

/// # Errors
/// `resolve::expectation` without a column, or when a value stands twice or is of another type.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let MostCommon { values, ties_okay } = super::body(value)?;
    let column = subject.column_of("most_common", values::is_simple, "simple values")?;
    let literals = values::literals(&values, "/values", column, subject.data_type)?;
    let quoted = kind::column(column);
    let is_in = format!("{quoted} IN ({})", literals.join(", "));
    let groups: Vec<String> = subject.groups.iter().map(|group| kind::column(group)).collect();
    let all = if groups.is_empty() { String::new() } else { format!("PARTITION BY {}", groups.join(", ")) };
    let ties = groups.iter().map(String::as_str).chain(["observed"]).collect::<Vec<_>>().join(", ");
    // A group is a value and how often it stands; those that stand less often than another one hold.
    let top_holds = if ties_okay {
        format!("max(CASE WHEN {is_in} THEN 1 ELSE 0 END) OVER (PARTITION BY {ties}) = 1")
    } else {
        format!("count(*) OVER (PARTITION BY {ties}) = 1 AND {is_in}")
    };
    let holds = format!("observed < max(observed) OVER ({all}) OR ({top_holds})");
    let label = format!("most common {column} in {}", values::shown(&values));
    let counted = format!("count({quoted})");
    let mut sentence = subject.aggregate(&[column], label, counted, holds);
    if let Test::Aggregate { by, .. } = &mut sentence.test {
        by.push(column.to_owned());
    }
    Ok(sentence)
}
