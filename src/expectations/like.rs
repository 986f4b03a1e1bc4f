//! `like`: the column's texts are like an SQL pattern.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pattern::{self, Patterns};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "like",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<Like>,
    short: Short::Key("pattern"),
    lower,
    example: Example {
        column: Some(("order_id", "string")),
        expect: &["like: 'A-%'", "like: {any_of: ['A-%', 'B-%'], on_violation: warn}"],
    },
    alike: &[(
        Tool::GreatExpectations,
        "expect_column_values_to_match_like_pattern, expect_column_values_to_match_like_pattern_list",
    )],
};

/// The column's texts are like an SQL pattern. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Like {
    /// The pattern: `%` stands for any characters, `_` for one, a backslash before either for itself.
    /// Example: `A-%`.
    pattern: Option<String>,
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
    let Like { pattern, any_of, all_of } = super::body(value)?;
    let column = subject.column_of("like", values::is_text, "texts")?;
    let patterns = Patterns::one_of("like", ("pattern", pattern), any_of, all_of)?;
    patterns.each(pattern::check_like)?;
    let quoted = kind::column(column);
    let matched = patterns.condition(&|pattern| format!("{quoted} LIKE {pattern}"));
    Ok(subject.each_value(column, format!("{column} like {}", patterns.label()), format!("NOT ({matched})")))
}
