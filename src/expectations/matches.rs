//! `matches`: the column's texts contain a match of a regular expression.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::diagnostic::code;
use crate::ir::Test;
use crate::kind::{self, Problem};

/// The column's texts contain a match of a regular expression; anchor it with `^` and `$` for the whole text. NULLs are
/// not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Matches {
    /// The regular expression, in the syntax that Java and Rust share: no look-around, no back-references.
    regex: String,
}

/// # Errors
/// `resolve::expectation` without a column or when the expression cannot be compiled.
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Matches { regex } = super::body(value)?;
    let column = subject.column()?;
    if let Err(error) = regex::Regex::new(&regex) {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return Err(Problem::new(code::EXPECTATION, "/regex", format!("this is no regular expression: {last}"))
            .note("the syntax is what Java and Rust share, so that both engines find the same matches")
            .help(if reason.contains("unclosed") {
                "close what is open, or write a backslash before a character that means itself"
            } else {
                "correct it; a backslash before a character makes it mean itself"
            }));
    }
    let quoted = kind::column(column);
    let site = (subject.site_of)("/regex");
    Ok(Sentence {
        label: format!("{column} matches {regex}"),
        columns: vec![column.to_owned()],
        test: Test::Row {
            considered: Some(kind::generated(format!("{quoted} IS NOT NULL"), &site)),
            violated: kind::generated(format!("NOT regexp_like({quoted}, {})", kind::text_literal(&regex)), &site),
        },
    })
}
