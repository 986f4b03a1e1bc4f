//! What all surface kinds share: connectors, steps and expectations are open sets, one file each.
//!
//! A kind is a serde struct (its fields' docs become the JSON Schema) and a pure `lower` into core forms of `ir`. What is
//! wrong with it is a [`Problem`], relative to the kind's own body; the caller knows the body's site. Kinds know nothing
//! of each other, of files or of engines, and later stages know nothing of kinds.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Fix, Site};
use crate::ir::{DataType, Sql};

/// What is wrong with a kind's body.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub code: Code,
    /// A JSON pointer relative to the body.
    pub pointer: String,
    pub message: String,
    pub note: Option<String>,
    pub help: Option<String>,
    pub fix: Option<Fix>,
}

impl Problem {
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { code, pointer: pointer.into(), message: message.into(), note: None, help: None, fix: None }
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// The diagnostic at `site_of(pointer)`.
    pub fn at(self, site_of: impl Fn(&str) -> Site) -> Diagnostic {
        Diagnostic {
            note: self.note,
            help: self.help,
            fix: self.fix,
            ..Diagnostic::error(self.code, self.message).at(site_of(&self.pointer), "")
        }
    }
}

/// SQL that a kind wrote, attributed to the site of what it was made from.
pub fn generated(text: impl Into<Arc<str>>, site: &Site) -> Sql {
    Sql { text: text.into(), site: site.clone(), authored: false }
}

/// SQL that the author wrote at `site`.
pub fn authored(text: &str, site: Site) -> Sql {
    Sql { text: text.into(), site, authored: true }
}

/// A column name as Databricks SQL, in backticks; lower case, which is the same to Databricks and to the local engine.
pub fn column(name: &str) -> String {
    format!("`{}`", name.to_lowercase().replace('`', "``"))
}

/// A text as a SQL string literal.
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A JSON scalar as a literal to compare with a column of `data_type`; text becomes a date or an instant for columns that
/// hold these, so that both engines compare values and not spellings.
pub fn scalar_literal(value: &Scalar, data_type: Option<&DataType>) -> String {
    match (value, data_type) {
        (Scalar::Boolean(flag), _) => flag.to_string(),
        (Scalar::Number(number), Some(DataType::String)) => text_literal(&number.to_string()),
        (Scalar::Number(number), _) => number.to_string(),
        (Scalar::Text(text), Some(DataType::Date)) => format!("DATE {}", text_literal(text)),
        (Scalar::Text(text), Some(DataType::Timestamp)) => format!("TIMESTAMP {}", text_literal(text)),
        (Scalar::Text(text), Some(DataType::TimestampNtz)) => format!("TIMESTAMP_NTZ {}", text_literal(text)),
        (Scalar::Text(text), Some(numeric)) if numeric.is_numeric() => {
            format!("CAST({} AS {})", text_literal(text), numeric.to_string().to_uppercase())
        }
        (Scalar::Text(text), _) => text_literal(text),
    }
}

/// A value in a project file that stands for one SQL value.
#[derive(Debug, Clone, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Scalar {
    Boolean(bool),
    Number(serde_json::Number),
    /// A text; a date or timestamp as ISO 8601.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Boolean(flag) => write!(formatter, "{flag}"),
            Scalar::Number(number) => write!(formatter, "{number}"),
            Scalar::Text(text) => formatter.write_str(text),
        }
    }
}
