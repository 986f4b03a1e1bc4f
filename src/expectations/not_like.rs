//! `not_like`: the column's texts are not like an SQL pattern.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pattern::{self, Patterns};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "not_like",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<NotLike>,
    short: Short::Key("pattern"),
    lower,
    example: Example { column: Some(("order_id", "string")), expect: &["not_like: 'TEST%'"] },
    alike: &[(
        Tool::GreatExpectations,
        "expect_column_values_to_not_match_like_pattern, expect_column_values_to_not_match_like_pattern_list",
    )],
};

/// The column's texts are not like an SQL pattern. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NotLike {
    /// The pattern: `%` stands for any characters, `_` for one, a backslash before either for itself.
    /// Example: `TEST%`.
    pattern: Option<String>,
    /// Several, none of which may match.
    #[serde(default)]
    any_of: Vec<String>,
}

/// # Errors
/// `resolve::expectation` without a column of texts, without a pattern, or for one that cannot be used.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NotLike { pattern, any_of } = super::body(value)?;
    let column = subject.column_of("not_like", values::is_text, "texts")?;
    let patterns = Patterns::one_of("not_like", ("pattern", pattern), any_of, Vec::new())?;
    patterns.each(pattern::check_like)?;
    let quoted = kind::column(column);
    let matched = patterns.condition(&|pattern| format!("{quoted} LIKE {pattern}"));
    Ok(subject.each_value(column, format!("{column} not like {}", patterns.label()), matched))
}
