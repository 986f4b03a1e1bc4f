//! YAML as a careful person writes it.
//!
//! In: a JSON value. Out: block style, short lists of scalars on one line, long texts as literal blocks, quotes only where a
//! YAML 1.1 or 1.2 reader would otherwise see something else than the text (`no`, `007`, `2024-01-01`).

use std::fmt::Write;

use serde_json::Value;

/// The longest list on one line.
const LINE: usize = 100;

/// A document, with comment lines above it.
pub(crate) fn document(comments: &[String], value: &Value) -> String {
    let mut out = String::new();
    for comment in comments {
        let _ = writeln!(out, "# {}", comment.replace('\n', " "));
    }
    block(&mut out, value, 0);
    out
}

/// A value that begins a line at `indent`.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str(&scalar_text(key, true));
                out.push(':');
                after_key(out, member, indent);
            }
        }
        Value::Array(elements) if !elements.is_empty() && flow(value).is_none() => {
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                block(out, element, indent + 2);
            }
        }
        other => {
            inline(out, other, indent);
        }
    }
}

/// What stands behind `key:`.
fn after_key(out: &mut String, value: &Value, indent: usize) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(_) => flow(value).is_none(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        out.push('\n');
        pad(out, indent + 2);
        block(out, value, indent + 2);
    } else {
        out.push(' ');
        inline(out, value, indent);
    }
}

fn inline(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if is_literal(text) => {
            out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
            for line in text.lines() {
                out.push('\n');
                if !line.is_empty() {
                    pad(out, indent + 2);
                    out.push_str(line);
                }
            }
            out.push('\n');
        }
        other => {
            out.push_str(&flow(other).unwrap_or_default());
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Several lines that a literal block keeps as they are.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.chars().all(|character| character == '\n' || is_printable(character))
        && text.lines().all(|line| !line.ends_with(' '))
}

/// The value on one line; `None` for what has no place there.
fn flow(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(scalar_text(text, false)),
        Value::Object(members) => members.is_empty().then(|| "{}".to_owned()),
        Value::Array(elements) => {
            let mut parts = Vec::with_capacity(elements.len());
            for element in elements {
                match element {
                    Value::String(text) => parts.push(scalar_text(text, true)),
                    Value::Null | Value::Bool(_) | Value::Number(_) => parts.push(flow(element)?),
                    Value::Array(_) | Value::Object(_) => return None,
                }
            }
            let line = format!("[{}]", parts.join(", "));
            (line.len() <= LINE || elements.is_empty()).then_some(line)
        }
    }
}

/// A text, quoted where it must be. Within a list, commas and brackets count.
fn scalar_text(text: &str, in_list: bool) -> String {
    if is_plain(text, in_list) {
        return text.to_owned();
    }
    if !text.chars().all(is_printable) {
        return escaped(text);
    }
    if text.contains(['\\', '"']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    format!("\"{text}\"")
}

/// Whether all readers take a character as it stands, and show it where it is. They disagree on whether U+2028 and U+2029 end a
/// line.
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// In double quotes, with escapes that YAML 1.1 and 1.2 share.
fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other if is_printable(other) => out.push(other),
            other => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}

fn is_plain(text: &str, in_list: bool) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    (first.is_alphanumeric() || matches!(first, '_' | '/') || text.starts_with("../"))
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(|character| !is_printable(character))
        && !(in_list && text.contains([',', '[', ']', '{', '}', ':', '"', '\'', '#']))
        && !words.contains(&text.to_lowercase().as_str())
        && !is_like_a_number(text)
}

/// Whether some reader takes it for a number, a date or a time. Three numbers with dots are a version to all of them.
fn is_like_a_number(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let is_digit = text.starts_with(|character: char| character.is_ascii_digit());
    is_digit && text.chars().all(|character| character.is_ascii_hexdigit() || "+-.:_xXoOTtZz ".contains(character))
        || ["inf", "nan", ".inf", ".nan"].contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_quoted_where_a_reader_would_see_something_else() {
        for text in ["no", "007", "1.5", "2024-01-01", "12:30", "null", "", " a", "a: b", "-x", "*", "1e5", "0x1F"] {
            assert_ne!(scalar_text(text, false), text);
        }
        for text in [
            "paid",
            "1.0.0",
            "v3.1.0",
            "layer.table",
            "../a/b.py",
            "/a/b",
            "Só texto",
            "4 days",
            "decimal(18,2)",
            "a, b",
        ] {
            assert_eq!(scalar_text(text, false), text);
        }
        assert_eq!(scalar_text("a, b", true), "\"a, b\"");
        assert_eq!(scalar_text("a\u{2028}b\u{1}", false), r#""a\u2028b\u0001""#);
        assert_eq!(scalar_text(r"^\d+'$", false), r"'^\d+''$'");
    }

    #[test]
    fn blocks_and_lists_read_well() {
        let value = json!({"a": [1, "no"], "b": [{"c": "x\ny\n", "d": {}}, []], "e": [[1], [2]]});
        let expected =
            "# top\na: [1, \"no\"]\nb:\n  - c: |\n      x\n      y\n    d: {}\n  - []\ne:\n  - [1]\n  - [2]\n";
        assert_eq!(document(&["top".to_owned()], &value), expected);
    }
}
