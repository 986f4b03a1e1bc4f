//! Text literals in SQL: where they stand, and how they are spelled so that no reader puts something else in.
//!
//! In: a query or an expression. Out: places of its literals, or the text with the same meaning. Spark replaces `${…}` anywhere in
//! a statement before it reads it (`spark.sql.variable.substitute`, on by default and not to be set on serverless compute): by
//! settings, by process variables, by properties of its Java. Within a literal `$\{` says the same and is left alone.

use std::borrow::Cow;
use std::ops::Range;

use deltalake::datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::sql::dialect::Databricks;
use crate::sql::position;

/// Where the text literals of a query or an expression stand, quotes included; none where it does not parse.
pub fn ranges(text: &str) -> Vec<Range<usize>> {
    let Ok(tokens) = Tokenizer::new(&Databricks, text).with_unescape(false).tokenize_with_location() else {
        return Vec::new();
    };
    let is_literal = |token: &Token| matches!(token, Token::SingleQuotedString(_) | Token::DoubleQuotedString(_));
    let literals = tokens.iter().filter(|token| is_literal(&token.token));
    literals.filter_map(|token| position::range(text, token.span)).collect()
}

/// The text with no `${` left in its literals, and the same meaning to Spark.
pub fn unsubstituted(text: &str) -> Cow<'_, str> {
    if !text.contains("${") {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 2);
    let mut end = 0;
    for range in ranges(text) {
        written.push_str(&text[end..range.start]);
        written.push_str(&text[range.clone()].replace("${", "$\\{"));
        end = range.end;
    }
    written.push_str(&text[end..]);
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_change() {
        let text = "SELECT '${x} \\'${y}', \"$\\{z} ${a}\", `${b}` -- ${c}\nFROM t WHERE a = 'é''${d}'";
        let expected = "SELECT '$\\{x} \\'$\\{y}', \"$\\{z} $\\{a}\", `${b}` -- ${c}\nFROM t WHERE a = 'é''$\\{d}'";
        assert_eq!(unsubstituted(text), expected);
    }

    #[test]
    fn a_literal_may_have_several_lines() {
        let text = "SELECT 'a\n  b', 1";
        let places: Vec<&str> = ranges(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(places, ["'a\n  b'"]);
    }
}
