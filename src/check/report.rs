//! SQL errors as diagnostics at their sites.
//!
//! In: an error with bytes of a SQL text, and where the text is written. Out: a diagnostic with the code of its kind. In
//! the author's own text it points at the bytes; in SQL that a kind made, at what it was made from, without a fix.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Fix, Reported, code};
use crate::ir::Sql;
use crate::sql::parse::{ErrorKind, SqlError};

/// The code of an error's kind.
pub(super) fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Syntax => code::SQL_SYNTAX,
        ErrorKind::Statement => code::SQL_STATEMENT,
        ErrorKind::UnknownTable => code::SQL_UNKNOWN_TABLE,
        ErrorKind::UnknownColumn => code::SQL_UNKNOWN_COLUMN,
        ErrorKind::AmbiguousColumn => code::SQL_AMBIGUOUS_COLUMN,
        ErrorKind::UnknownFunction => code::SQL_UNKNOWN_FUNCTION,
        ErrorKind::FunctionArguments => code::SQL_FUNCTION_ARGUMENTS,
        ErrorKind::Type => code::SQL_TYPE,
        ErrorKind::NotGrouped => code::SQL_GROUP_BY,
        ErrorKind::DuplicateColumn => code::SQL_DUPLICATE_COLUMN,
        ErrorKind::Unsupported => code::SQL_UNSUPPORTED,
        ErrorKind::Invalid => code::SQL_INVALID,
    }
}

/// Reports every error of a text; there is at least one.
pub(super) fn all(sql: &Sql, errors: Vec<SqlError>, diagnostics: &mut Diagnostics) -> Reported {
    let mut errors = errors.into_iter();
    let first = errors.next().expect("a text that fails has an error");
    let reported = one(sql, first, diagnostics);
    for error in errors {
        one(sql, error, diagnostics);
    }
    reported
}

/// Reports one error of a text.
pub(super) fn one(sql: &Sql, error: SqlError, diagnostics: &mut Diagnostics) -> Reported {
    let mut diagnostic = Diagnostic::error(code_of(error.kind), error.message);
    diagnostic.note = error.note;
    diagnostic.help = error.help;
    if sql.authored {
        diagnostic = diagnostic.at(sql.site.clone().text(error.range), "");
        diagnostic.fix = error.fix.map(Fix::Value);
    } else {
        diagnostic = diagnostic.at(sql.site.clone(), "");
    }
    diagnostics.error(diagnostic)
}
