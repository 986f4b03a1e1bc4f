//! `not_matches`: the column's texts contain no match of a regular expression.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pattern::{self, Patterns};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "not_matches",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<NotMatches>,
    short: Short::Key("regex"),
    lower,
    example: Example { column: Some(("email", "string")), expect: &["not_matches: '\\\\s'"] },
    alike: &[
        (
            Tool::GreatExpectations,
            "expect_column_values_to_not_match_regex, expect_column_values_to_not_match_regex_list",
        ),
        (Tool::Dbt, "dbt_expectations.expect_column_values_to_not_match_regex"),
    ],
};

/// The column's texts contain no match of a regular expression. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NotMatches {
    /// The regular expression, in the syntax that Java and Rust share: no look-around, no back-references.
    /// Example: `\\s`.
    regex: Option<String>,
    /// Several, none of which may match.
    #[serde(default)]
    any_of: Vec<String>,
}

/// # Errors
/// `resolve::expectation` without a column of texts, without a pattern, or for one that cannot be used.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NotMatches { regex, any_of } = super::body(value)?;
    let column = subject.column_of("not_matches", values::is_text, "texts")?;
    let patterns = Patterns::one_of("not_matches", ("regex", regex), any_of, Vec::new())?;
    patterns.each(pattern::check_regex)?;
    let quoted = kind::column(column);
    let matched = patterns.condition(&|pattern| format!("regexp_like({quoted}, {pattern})"));
    Ok(subject.each_value(column, format!("{column} does not match {}", patterns.label()), matched))
}
