//! Several columns of one row: which rows are looked at when values are missing, and that the columns are there.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::code;
use crate::ir::{DataType, Test};
use crate::kind::{self, Problem};

use super::{Sentence, Subject, unfit, values};

/// Which rows are not looked at for their missing values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum IgnoreRowIf {
    /// Rows in which all of the columns are NULL.
    #[default]
    AllNull,
    /// Rows in which any of the columns is NULL.
    AnyNull,
    /// None: every row is looked at.
    Never,
}

impl IgnoreRowIf {
    /// The default of kinds that take a missing value for no value.
    pub(super) fn any_null() -> Self {
        IgnoreRowIf::AnyNull
    }
}

/// The columns of a test, at least two, each once, and of a type that `fits`.
///
/// # Errors
/// `resolve::expectation` for the first that is wrong.
pub(super) fn check(
    kind: &str,
    columns: &[String],
    subject: &Subject<'_>,
    fits: fn(&DataType) -> bool,
    holds: &str,
) -> Result<(), Problem> {
    if columns.len() < 2 {
        return Err(Problem::new(code::EXPECTATION, "/columns", format!("`{kind}` compares several columns"))
            .help("name at least two"));
    }
    values::refuse_repeated_columns(columns, "/columns")?;
    for (index, column) in columns.iter().enumerate() {
        let pointer = format!("/columns/{index}");
        if let Some(data_type) = subject.other(column, &pointer)?
            && !fits(data_type)
        {
            return Err(unfit(kind, &pointer, column, data_type, holds));
        }
    }
    Ok(())
}

/// The condition for a row to be looked at; `None` if every row is.
pub(super) fn considered(columns: &[String], ignore_row_if: IgnoreRowIf) -> Option<String> {
    let present: Vec<String> = columns.iter().map(|column| format!("{} IS NOT NULL", kind::column(column))).collect();
    match ignore_row_if {
        IgnoreRowIf::AllNull => Some(present.join(" OR ")),
        IgnoreRowIf::AnyNull => Some(present.join(" AND ")),
        IgnoreRowIf::Never => None,
    }
}

/// A test of several columns of each row.
pub(super) fn sentence(
    subject: &Subject<'_>,
    columns: &[String],
    ignore_row_if: IgnoreRowIf,
    label: String,
    violated: String,
) -> Sentence {
    let considered = considered(columns, ignore_row_if);
    Sentence {
        label,
        columns: columns.to_vec(),
        test: Test::Row {
            considered: considered.map(|text| subject.sql(text, "")),
            violated: subject.sql(violated, ""),
        },
    }
}
