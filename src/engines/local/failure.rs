//! Errors of DataFusion, Arrow and Delta as diagnostics: what was being done to what, and the cause below.

use std::io::ErrorKind;

use deltalake::DeltaTableError;
use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::DataFusionError;
use deltalake::parquet::errors::ParquetError;

use crate::diagnostic::{Diagnostic, Site, code};
use crate::engines::local::ingest;
use crate::ir::{Assertion, Body, Input, Node, Relation};

/// A diagnostic that travels through DataFusion as an error, e.g. a file that cannot be read.
#[derive(Debug)]
pub(crate) struct Carried(pub(crate) Diagnostic);

impl std::fmt::Display for Carried {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Carried {}

/// `doing` is a phrase such as `computing its rows`.
pub(super) fn execution(node: &Node, doing: &str, error: &DataFusionError) -> Diagnostic {
    if let Some(carried) = carried(error).or_else(|| ingest::diagnostic_of(error).cloned()) {
        return carried;
    }
    let message = format!("`{}` failed while {doing}", node.name);
    if let Some(of_disk) = of_disk(error) {
        return no_room(message, of_disk).at(rows_site(node), "this table keeps its old rows");
    }
    let code = if is_of_file(error) { code::TABLE_BROKEN } else { code::EXECUTION };
    explained(Diagnostic::error(code, message).at(rows_site(node), "this table keeps its old rows"), error)
}

/// Whether a query failed because a Parquet file is not one.
fn is_of_file(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ParquetError(_) => true,
        DataFusionError::ArrowError(arrow, _) => matches!(arrow.as_ref(), ArrowError::ParquetError(_)),
        _ => false,
    }
}

/// The error of the file system below another one, if the disk is full or must not be written.
fn of_disk<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e std::io::Error> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        let io =
            current.downcast_ref::<std::io::Error>().or_else(|| match current.downcast_ref::<DataFusionError>()? {
                DataFusionError::IoError(io) => Some(io),
                DataFusionError::External(inner) => of_disk(inner.as_ref()),
                DataFusionError::ParquetError(inner) => of_disk(inner.as_ref()),
                _ => None,
            });
        let io = io.or_else(|| match current.downcast_ref::<ParquetError>()? {
            ParquetError::External(inner) => of_disk(inner.as_ref()),
            _ => None,
        });
        if let Some(io) = io {
            return is_of_disk(io.kind()).then_some(io);
        }
        cause = current.source();
    }
    None
}

fn is_of_disk(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
    )
}

fn no_room(message: String, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(code::WAREHOUSE, message)
        .note(error.to_string())
        .help("make room, or correct the permissions of the warehouse, and apply again: it goes on where it stopped")
}

/// An expectation that cannot be computed on the rows.
pub(super) fn assertion(node: &Node, assertion: &Assertion, error: &DataFusionError) -> Diagnostic {
    if let Some(carried) = carried(error) {
        return carried;
    }
    let message = format!("the expectation `{}` of `{}` failed on the data", assertion.label, node.name);
    let diagnostic =
        Diagnostic::error(code::EXECUTION, message).at(assertion.site.clone(), "the table keeps its old rows");
    explained(diagnostic, error)
}

/// [`assertion`] as an error that travels through DataFusion.
pub(super) fn carry(node: &Node, assertion: &Assertion, error: &DataFusionError) -> DataFusionError {
    DataFusionError::External(Box::new(Carried(self::assertion(node, assertion, error))))
}

fn explained(diagnostic: Diagnostic, error: &DataFusionError) -> Diagnostic {
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero => {
                diagnostic.note("a number is divided by zero").help("guard the divisor, e.g. `a / NULLIF(b, 0)`")
            }
            ArrowError::CastError(cause) | ArrowError::ParseError(cause) => diagnostic
                .note(format!("a value cannot be cast: {}", lower(cause)))
                .help("use `try_cast` where such values may occur"),
            ArrowError::ArithmeticOverflow(cause) => diagnostic
                .note(format!("a number does not fit its type: {}", lower(cause)))
                .help("cast to a wider type before computing"),
            other => diagnostic.note(other.to_string()),
        },
        DataFusionError::ResourcesExhausted(cause) => {
            diagnostic.note(cause.clone()).help("allow more memory, or let the query keep fewer rows at a time")
        }
        other => diagnostic.note(other.strip_backtrace()),
    }
}

/// Where a table's rows are said: its query, or its name.
fn rows_site(node: &Node) -> Site {
    match &node.body {
        Body::Relation(Relation { input: Input::Query(sql), .. }) => sql.site.clone(),
        Body::Relation(Relation { input: Input::Table { .. }, .. }) | Body::Ingest(_) => node.site.clone().key(),
    }
}

fn carried(error: &DataFusionError) -> Option<Diagnostic> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(carried) = current.downcast_ref::<Carried>() {
            return Some(carried.0.clone());
        }
        if let Some(DataFusionError::External(inner)) = current.downcast_ref::<DataFusionError>()
            && let Some(carried) = inner.downcast_ref::<Carried>()
        {
            return Some(carried.0.clone());
        }
        cause = current.source();
    }
    None
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// `doing` is a phrase such as `publishing its rows`.
pub(super) fn delta(node: &Node, doing: &str, error: &DeltaTableError) -> Diagnostic {
    if let Some(of_disk) = of_disk(error) {
        let message = format!("`{}` failed while {doing}", node.name);
        return no_room(message, of_disk).at(node.site.clone().key(), "this table keeps its old rows");
    }
    Diagnostic::error(code::EXECUTION, format!("`{}` failed while {doing}", node.name))
        .at(node.site.clone().key(), "this table keeps its old rows")
        .note(error.to_string())
}

/// An error of the file system.
pub(super) fn io(doing: &str, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(code::WAREHOUSE, format!("the warehouse failed while {doing}"))
        .note(error.to_string())
        .help("check that the folder exists, is writable and has space")
}

/// As [`io`], for a node.
pub(super) fn node_io(node: &Node, doing: &str, error: &std::io::Error) -> Diagnostic {
    io(&format!("{doing} of `{}`", node.name), error).at(node.site.clone().key(), "")
}
