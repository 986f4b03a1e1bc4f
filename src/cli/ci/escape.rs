//! Rendering of the pipeline's templates: a bare `<< x >>` is safe where it stands.
//!
//! The file's ending chooses how text is written: a YAML scalar, Markdown that means nothing, the value of an `.env` file.
//! Three filters are for what endings cannot know: `word`, one word of a shell (also in Markdown's code), `code`, Markdown's
//! code, and `comment`, the rest of a line. Delimiters are `<< >>` and `<% %>`, since pipelines have `{{ }}` of their own.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior};
use serde::Serialize;

use crate::cli::markdown;

/// Renders a template of ours, whose file is called `name`.
pub(super) fn render(name: &str, template: &'static str, view: &impl Serialize) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .block_delimiters("<%", "%>")
        .variable_delimiters("<<", ">>")
        .comment_delimiters("<#", "#>")
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("delimiters that differ");
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|name| match name.rsplit('.').next() {
        Some("yml") => AutoEscape::Custom("yaml".into()),
        Some("md") => AutoEscape::Custom("markdown".into()),
        Some("example") => AutoEscape::Custom("assignment".into()),
        Some(_) | None => AutoEscape::Custom("word".into()),
    });
    environment.set_formatter(write);
    environment.add_filter("word", |text: String| Value::from_safe_string(word(&text)));
    environment.add_filter("code", |text: String| Value::from_safe_string(markdown::code(&text)));
    environment.add_filter("comment", |text: String| Value::from_safe_string(line(&text)));
    environment
        .render_named_str(name, template, Value::from(minijinja::value::Serde(view)))
        .expect("a template of ours renders; a test renders all")
}

fn write(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let text = value.to_string();
    let escaped = match state.auto_escape() {
        _ if value.is_safe() || value.is_number() => text,
        AutoEscape::Custom(kind) => match kind.as_ref() {
            "yaml" => scalar(&text),
            "markdown" => markdown::cell(&text),
            "assignment" => assigned(&text),
            _ => word(&text),
        },
        _ => word(&text),
    };
    out.write_str(&escaped).map_err(Error::from)
}

/// A YAML scalar: plain where that reads as this text, otherwise quoted.
fn scalar(text: &str) -> String {
    let begins = text.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_');
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '/' | '-' | ' ' | '→');
    // What YAML 1.1, which some pipelines still read, takes for something else than text.
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_word = begins
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !reserved.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_word || is_version(text) {
        text.to_owned()
    } else {
        serde_json::to_string(text).expect("a text is JSON, and JSON's strings are YAML's")
    }
}

/// `1.2.3` or a commit: digits first, and no number.
fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '.')
        && text.parse::<f64>().is_err()
}

/// One word of a shell's command; nothing for nothing.
fn word(text: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '/' | '-' | ':' | '+');
    if text.chars().all(plain) {
        return text.to_owned();
    }
    let text: String = text
        .chars()
        .map(|character| if character.is_control() || character == '`' { ' ' } else { character })
        .collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The rest of a line.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Whether a value can stand in an `.env` file so that medc, shells and most tools read the same.
pub(super) fn is_assignable(text: &str) -> bool {
    !text.contains(|character: char| character == '\'' || character.is_control())
}

/// What stands behind `NAME=` in an `.env` file. The view brings only what [`is_assignable`].
fn assigned(text: &str) -> String {
    let plain =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '/' | '-' | ':' | ',' | '@');
    let text = line(text);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', " ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, template: &'static str, text: &str) -> String {
        render(name, template, &std::collections::BTreeMap::from([("x", text)]))
    }

    #[test]
    fn a_bare_value_is_text_in_every_file() {
        assert_eq!(shown("a.yml", "k: << x >>", "prod"), "k: prod");
        assert_eq!(shown("a.yml", "k: << x >>", "no"), "k: \"no\"");
        assert_eq!(shown("a.yml", "k: << x >>", "1.0"), "k: \"1.0\"");
        assert_eq!(shown("a.yml", "k: << x >>", "0.1.0"), "k: 0.1.0");
        assert_eq!(shown("a.yml", "k: << x >>", "a: b\n#"), "k: \"a: b\\n#\"");
        assert_eq!(shown("a.md", "<< x >>", "<b>|`_"), "&lt;b>\\|\\`\\_");
        assert_eq!(shown("a.md", "`<< x | word >>`", "gold.a_b"), "`gold.a_b`");
        assert_eq!(shown("a.md", "<< x | code >>", "a`b|c"), "`a'b\\|c`");
        assert_eq!(shown("env.example", "A=<< x >>", "data/a.csv"), "A=data/a.csv");
        assert_eq!(shown("env.example", "A=<< x >>", "a # b\nC=d"), "A='a # b C=d'");
        assert_eq!(shown("Makefile", "run-<< x >>:", "silver"), "run-silver:");
        assert_eq!(shown("Makefile", "\tmedc << x >>", "a;b'c"), "\tmedc 'a;b'\\''c'");
    }
}
