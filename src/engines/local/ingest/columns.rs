//! Which column of a file becomes which column of the rows, and the columns that medc adds.
//!
//! In: a file's column names and the contract's. Out: a position per wanted column, or a diagnostic that names what is
//! missing and what is too much. Names are compared as Databricks does, without regard to case.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array};
use deltalake::arrow::datatypes::{DataType, Field, TimeUnit};

use super::Outcome;
use crate::diagnostic::{Diagnostic, code};
use crate::ir::MetadataColumn;
use crate::name;

/// Where each wanted column stands in a file.
pub(super) fn positions(shown: &str, found: &[String], wanted: &[String], by_contract: bool) -> Outcome<Vec<usize>> {
    if let Some(twice) = duplicate(found) {
        return Err(Box::new(
            header_error(format!("`{shown}` has the column `{twice}` twice"))
                .note("Databricks compares column names without regard to case"),
        ));
    }
    let place = |wanted: &String| found.iter().position(|found| name::same(found, wanted));
    let missing: Vec<&str> = wanted.iter().filter(|wanted| place(wanted).is_none()).map(String::as_str).collect();
    let extra: Vec<&str> = found
        .iter()
        .filter(|found| !wanted.iter().any(|wanted| name::same(wanted, found)))
        .map(String::as_str)
        .collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(wanted.iter().filter_map(place).collect());
    }
    Err(Box::new(mismatch(shown, &missing, &extra, by_contract)))
}

/// A name that is there twice.
pub(super) fn duplicate(names: &[String]) -> Option<&String> {
    let mut seen = std::collections::BTreeSet::new();
    names.iter().find(|name| !seen.insert(name.to_lowercase()))
}

pub(super) fn header_error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::SOURCE_HEADER, message)
}

fn mismatch(shown: &str, missing: &[&str], extra: &[&str], by_contract: bool) -> Diagnostic {
    let other = if by_contract { "its contract" } else { "the source's first file" };
    let plural = |names: &[&str]| if names.len() == 1 { "column" } else { "columns" };
    let message = match (missing, extra) {
        (missing, []) => format!("`{shown}` lacks the {} {} of {other}", plural(missing), name::list(missing)),
        ([], extra) => format!("`{shown}` has the {} {} that {other} lacks", plural(extra), name::list(extra)),
        (missing, extra) => {
            format!("`{shown}` lacks {} of {other} and has {} instead", name::list(missing), name::list(extra))
        }
    };
    let near =
        missing.iter().find_map(|wanted| name::nearest(wanted, extra.iter().copied()).map(|near| (wanted, near)));
    let help = match near {
        Some((wanted, near)) => {
            format!("did you mean `{near}`? `{wanted}` in the contract or in the file is to be renamed")
        }
        None if by_contract => "let the contract name exactly the file's columns".to_owned(),
        None => "all files of a source have the same columns, in any order".to_owned(),
    };
    header_error(message).help(help)
}

/// What medc adds to each row.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    pub(super) columns: Vec<MetadataColumn>,
    pub(super) run_id: String,
    /// Microseconds since 1970, UTC.
    pub(super) started_at: i64,
}

impl Metadata {
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.columns.iter().map(|column| Field::new(column.name(), arrow_type(*column), true))
    }

    /// The values for `n_rows` rows of one file.
    pub(super) fn arrays<'a>(
        &'a self,
        shown: &'a str,
        lines: Option<&'a [i64]>,
        n_rows: usize,
    ) -> impl Iterator<Item = ArrayRef> + 'a {
        self.columns.iter().map(move |column| -> ArrayRef {
            match column {
                MetadataColumn::SourceFile => Arc::new(StringArray::new_repeated(shown, n_rows)),
                MetadataColumn::SourceLine => match lines {
                    Some(lines) => Arc::new(Int64Array::from(lines.to_vec())),
                    None => new_null_array(&DataType::Int64, n_rows),
                },
                MetadataColumn::IngestedAt => {
                    Arc::new(TimestampMicrosecondArray::from_value(self.started_at, n_rows).with_timezone("UTC"))
                }
                MetadataColumn::RunId => Arc::new(StringArray::new_repeated(&self.run_id, n_rows)),
            }
        })
    }
}

fn arrow_type(column: MetadataColumn) -> DataType {
    match column {
        MetadataColumn::SourceFile | MetadataColumn::RunId => DataType::Utf8,
        MetadataColumn::SourceLine => DataType::Int64,
        MetadataColumn::IngestedAt => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}
