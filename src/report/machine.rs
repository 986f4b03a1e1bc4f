//! Reports for programs: one line each, JSON, GitHub annotations, SARIF.
//!
//! Lines and columns count from 1 in characters, ends are exclusive. The JSON form is stable: keys are added, never
//! renamed or removed, unless `format_version` changes.

use std::fmt::Write as _;

use indexmap::IndexSet;
use serde_json::{Value, json};

use super::{Located, Place, located};
use crate::diagnostic::{ALL_CODES, Code, Diagnostics, Severity};
use crate::source::Sources;

/// One line each: `file:line:column: error[code]: message`.
pub fn short(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let mut lines = String::new();
    for Located { diagnostic, places } in located(diagnostics, sources) {
        if let Some(Place { source, location, .. }) = places.first() {
            write!(lines, "{}:{}:{}: ", source.name, location.line, location.column).expect("a String takes all");
        }
        let message = diagnostic.message.replace(['\n', '\r'], " ");
        writeln!(lines, "{}[{}]: {message}", diagnostic.severity, diagnostic.code).expect("a String takes all");
    }
    lines
}

/// `{"format_version": 1, "diagnostics": […]}`, with a line end.
pub fn json(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let listed: Vec<Value> = located(diagnostics, sources)
        .iter()
        .map(|located| {
            let Located { diagnostic, places } = located;
            json!({
                "code": diagnostic.code.as_str(),
                "severity": diagnostic.severity.to_string(),
                "message": diagnostic.message,
                "labels": places.iter().map(label).collect::<Vec<_>>(),
                "note": diagnostic.note,
                "help": diagnostic.help,
                "fix": located.fix(),
            })
        })
        .collect();
    pretty(&json!({"format_version": 1, "diagnostics": listed}))
}

fn label(Place { source, location, text }: &Place<'_>) -> Value {
    json!({
        "file": source.name,
        "line": location.line,
        "column": location.column,
        "end_line": location.end_line,
        "end_column": location.end_column,
        "text": text,
    })
}

/// GitHub workflow commands, one line each
/// (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>). `folder` is put before each
/// file's name: the project's folder within the repository, with a `/` at its end, or nothing.
pub fn github(diagnostics: &Diagnostics, sources: &Sources, folder: &str) -> String {
    let mut lines = String::new();
    for Located { diagnostic, places } in located(diagnostics, sources) {
        let mut properties = String::new();
        if let Some(Place { source, location, .. }) = places.first() {
            let file = escape_property(&format!("{folder}{}", source.name));
            write!(properties, "file={file},line={},col={},", location.line, location.column)
                .expect("a String takes all");
            // GitHub drops an annotation with columns on several lines.
            if location.end_line == location.line {
                write!(properties, "endColumn={},", location.end_column).expect("a String takes all");
            } else {
                write!(properties, "endLine={},", location.end_line).expect("a String takes all");
            }
        }
        let title = escape_property(diagnostic.code.as_str());
        let mut message = diagnostic.message.clone();
        for (name, text) in [("note", &diagnostic.note), ("help", &diagnostic.help)] {
            if let Some(text) = text {
                write!(message, "\n{name}: {text}").expect("a String takes all");
            }
        }
        let message = escape_message(&message);
        writeln!(lines, "::{} {properties}title={title}::{message}", diagnostic.severity).expect("a String takes all");
    }
    lines
}

fn escape_message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_message(text).replace(':', "%3A").replace(',', "%2C")
}

/// A SARIF 2.1.0 log (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).
pub fn sarif(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let located = located(diagnostics, sources);
    let codes: IndexSet<Code> = located.iter().map(|located| located.diagnostic.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = located.iter().map(|located| result(located, &codes)).collect();
    pretty(&json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "medc", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn rule(code: Code) -> Value {
    let meaning = ALL_CODES.iter().find(|(known, _)| *known == code).map_or("", |(_, meaning)| *meaning);
    json!({"id": code.as_str(), "shortDescription": {"text": meaning}})
}

fn result(located: &Located<'_>, codes: &IndexSet<Code>) -> Value {
    let Located { diagnostic, places } = located;
    let mut text = diagnostic.message.clone();
    for more in [&diagnostic.note, &diagnostic.help].into_iter().flatten() {
        write!(text, "\n{more}").expect("a String takes all");
    }
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": codes.get_index_of(&diagnostic.code),
        "level": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": {"text": text},
    });
    if let Some((primary, others)) = places.split_first() {
        result["locations"] = json!([place(primary)]);
        if !others.is_empty() {
            let numbered = others.iter().enumerate().map(|(id, other)| {
                let mut related = place(other);
                related["id"] = json!(id);
                related
            });
            result["relatedLocations"] = numbered.collect();
        }
        if let Some(fix) = located.fix() {
            result["fixes"] = json!([{"artifactChanges": [{
                "artifactLocation": {"uri": uri(&primary.source.name)},
                "replacements": [{"deletedRegion": region(primary), "insertedContent": {"text": fix}}],
            }]}]);
        }
    }
    result
}

fn place(place: &Place<'_>) -> Value {
    let mut location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.source.name)},
        "region": region(place),
    }});
    if !place.text.is_empty() {
        location["message"] = json!({"text": place.text});
    }
    location
}

fn region(Place { location, .. }: &Place<'_>) -> Value {
    json!({
        "startLine": location.line,
        "startColumn": location.column,
        "endLine": location.end_line,
        "endColumn": location.end_column,
    })
}

/// A relative URI reference (RFC 3986): what is not unreserved or `/` is percent-encoded.
fn uri(name: &str) -> String {
    let mut uri = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => write!(uri, "%{other:02X}").expect("a String takes all"),
        }
    }
    uri
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("values made of strings and numbers");
    text.push('\n');
    text
}
