//! `matches`: the column's texts contain a match of a regular expression.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pattern::{self, Patterns};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "matches",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<Matches>,
    short: Short::Key("regex"),
    lower,
    example: Example {
        column: Some(("email", "string")),
        expect: &["matches: '^[^@]+@[^@]+$'", "matches: {any_of: ['[.]com$', '[.]org$']}"],
    },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_match_regex, expect_column_values_to_match_regex_list"),
        (Tool::Dbt, "dbt_expectations.expect_column_values_to_match_regex"),
        (Tool::Odcs, "logicalTypeOptions `pattern`"),
    ],
};

/// The column's texts contain a match of a regular expression; anchor it with `^` and `$` for the whole text. NULLs
/// are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Matches {
    /// The regular expression, in the syntax that Java and Rust share: no look-around, no back-references.
    /// Example: `^[^@]+@[^@]+$`.
    regex: Option<String>,
    /// Several, one of which matches at least.
    #[serde(default)]
    any_of: Vec<String>,
    /// Several, each of which matches.
    #[serde(default)]
    all_of: Vec<String>,
}

/// # Errors
/// `resolve::expectation` without a column of texts, without a pattern, or for one that cannot be used.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Matches { regex, any_of, all_of } = super::body(value)?;
    let column = subject.column_of("matches", values::is_text, "texts")?;
    let patterns = Patterns::one_of("matches", ("regex", regex), any_of, all_of)?;
    patterns.each(pattern::check_regex)?;
    let quoted = kind::column(column);
    let matched = patterns.condition(&|pattern| format!("regexp_like({quoted}, {pattern})"));
    Ok(subject.each_value(column, format!("{column} matches {}", patterns.label()), format!("NOT ({matched})")))
}
