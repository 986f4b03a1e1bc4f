//! `format: csv`: delimited text. Every field is read as text; the contract casts.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::code;
use crate::ir::{Delimited, Ingestion, OnViolation, Reader};
use crate::kind::Problem;

/// Delimited text files.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// A file, a folder (all its `.csv` files) or a glob such as `data/2024-*.csv`, relative to the project's folder.
    pub path: String,
    /// Whether the first line of each file holds the column names. Default: true.
    #[serde(default = "yes")]
    pub header: bool,
    /// The character between fields; `\t` for a tab. Default: a comma.
    #[serde(default = "comma")]
    pub delimiter: String,
    /// The character around fields that hold delimiters or line ends; an empty text for none. Default: `"`.
    #[serde(default = "double_quote")]
    pub quote: String,
    /// A character that takes the next one literally inside quotes. Doubled quotes always work. Default: none.
    pub escape: Option<String>,
    /// The text encoding, by its WHATWG label, e.g. `utf-8`, `windows-1252`, `utf-16le`. Default: utf-8.
    #[serde(default = "utf8")]
    pub encoding: String,
    /// Texts that stand for NULL, besides the empty unquoted field, e.g. `["NA", "\\N"]`.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// What happens to a row with more or fewer fields than there are columns. Default: fail.
    #[serde(default)]
    pub on_ragged_row: OnViolation,
    /// How Databricks reads the files: `auto_loader` and `copy_into` each file once, for tables that are appended to;
    /// `read_files` all of them, for tables that are overwritten. Default: `auto_loader` for `append`, Spark's reader
    /// otherwise. The local engine reads both as it always does.
    pub ingestion: Option<Ingestion>,
}

fn yes() -> bool {
    true
}

fn comma() -> String {
    ",".to_owned()
}

fn double_quote() -> String {
    "\"".to_owned()
}

fn utf8() -> String {
    "utf-8".to_owned()
}

impl Csv {
    /// # Errors
    /// `resolve::source-option` when a character option is not one ASCII character, two are the same, or the encoding is
    /// unknown.
    pub fn lower(&self) -> Result<Reader, Problem> {
        let delimiter = single_byte("delimiter", &self.delimiter)?.ok_or_else(|| {
            Problem::new(code::SOURCE_OPTION, "/delimiter", "the delimiter is empty")
                .help("give one character, e.g. `delimiter: \";\"`")
        })?;
        let quote = single_byte("quote", &self.quote)?;
        let escape = self.escape.as_deref().map_or(Ok(None), |escape| single_byte("escape", escape))?;
        if quote == Some(delimiter) {
            return Err(Problem::new(
                code::SOURCE_OPTION,
                "/quote",
                "the quote and the delimiter are the same character",
            )
            .help("give one of them another character; `quote: \"\"` turns quoting off"));
        }
        if encoding_rs::Encoding::for_label(self.encoding.as_bytes()).is_none() {
            return Err(Problem::new(
                code::SOURCE_OPTION,
                "/encoding",
                format!("`{}` is no text encoding that is known", self.encoding),
            )
            .help(
                crate::name::nearest(&self.encoding, ENCODINGS.iter().copied())
                    .map_or("use a WHATWG label, e.g. `windows-1252`".to_owned(), |near| {
                        format!("did you mean `{near}`?")
                    }),
            ));
        }
        if self.on_ragged_row == OnViolation::Warn {
            return Err(Problem::new(
                code::SOURCE_OPTION,
                "/on_ragged_row",
                "a ragged row cannot be kept with a warning",
            )
            .note("its fields cannot be told apart, so there is no row to keep")
            .help("use `fail`, `drop` or `quarantine`"));
        }
        Ok(Reader::Delimited(Delimited {
            header: self.header,
            delimiter,
            quote,
            escape,
            encoding: self.encoding.to_lowercase(),
            null_values: self.null_values.clone(),
            on_ragged_row: self.on_ragged_row,
        }))
    }
}

const ENCODINGS: &[&str] =
    &["utf-8", "utf-16le", "utf-16be", "windows-1252", "iso-8859-1", "iso-8859-15", "shift_jis", "gb18030"];

fn single_byte(option: &str, text: &str) -> Result<Option<u8>, Problem> {
    match text {
        "" => Ok(None),
        "\\t" | "tab" => Ok(Some(b'\t')),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(Some(*byte)),
            _ => Err(Problem::new(
                code::SOURCE_OPTION,
                format!("/{option}"),
                format!("the {option} must be one ASCII character, not `{}`", text.escape_debug()),
            )),
        },
    }
}
