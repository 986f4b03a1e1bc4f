//! Values and columns that a body lists: that each stands once and is of the column's type, and their SQL.
//!
//! In: scalars as written and, where it is known, the type of the column. Out: literals, or a `Problem` that names the
//! first value that no row could equal. A text is a value of a number's, date's or timestamp's column if it reads as one.

use regex::Regex;

use crate::diagnostic::{Fix, code};
use crate::ir::DataType;
use crate::kind::{self, Problem, Scalar};
use crate::name;

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::String)
}

pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

pub(super) fn is_moment(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date | DataType::Timestamp | DataType::TimestampNtz)
}

/// Whether values have an order that bounds make sense in.
pub(super) fn is_ordered(data_type: &DataType) -> bool {
    is_text(data_type) || is_number(data_type) || is_moment(data_type)
}

/// Whether values are compared as a whole: all but nested ones.
pub(super) fn is_simple(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Array(_) | DataType::Map(..) | DataType::Struct(_) | DataType::Binary)
}

/// What values of a type are called.
fn called(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "true or false",
        DataType::String => "texts",
        DataType::Date => "dates",
        DataType::Timestamp | DataType::TimestampNtz => "timestamps",
        DataType::Binary => "bytes",
        DataType::Array(_) => "lists",
        DataType::Map(..) => "maps",
        DataType::Struct(_) => "structs",
        DataType::Tinyint
        | DataType::Smallint
        | DataType::Int
        | DataType::Bigint
        | DataType::Float
        | DataType::Double
        | DataType::Decimal { .. } => "numbers",
    }
}

/// Holds a value against the type of the column that it is compared with.
///
/// # Errors
/// `resolve::expectation` at `pointer` if it is none of the type's values.
pub(super) fn check(value: &Scalar, pointer: &str, column: &str, data_type: Option<&DataType>) -> Result<(), Problem> {
    let Some(data_type) = data_type else { return Ok(()) };
    let (is_value, fix) = match (value, data_type) {
        (Scalar::Text(_), DataType::String) | (Scalar::Boolean(_), DataType::Boolean) => (true, None),
        (Scalar::Number(_), known) if known.is_numeric() => (true, None),
        (Scalar::Text(text), known) if known.is_numeric() => (text.trim().parse::<f64>().is_ok(), None),
        (Scalar::Text(text), DataType::Date) => (is_date(text), None),
        (Scalar::Text(text), DataType::Timestamp | DataType::TimestampNtz) => (is_timestamp(text), None),
        (other, DataType::String) => (false, Some(Fix::Source(format!("\"{other}\"")))),
        (Scalar::Text(text), DataType::Boolean) if text == "true" || text == "false" => {
            (false, Some(Fix::Source(text.clone())))
        }
        _ => (false, None),
    };
    if is_value {
        return Ok(());
    }
    let shown = match value {
        Scalar::Text(text) => format!("the text `{text}`"),
        Scalar::Number(number) => format!("the number {number}"),
        Scalar::Boolean(flag) => format!("`{flag}`"),
    };
    let message = format!("{shown} is no {data_type}, and `{column}` holds {}", called(data_type));
    let problem = Problem::new(code::EXPECTATION, pointer, message);
    let problem = match &fix {
        Some(fix) => problem.help(format!("write `{}`", fix.text())),
        None => problem.help(match data_type {
            DataType::Date => "write a date, e.g. `2024-01-31`",
            DataType::Timestamp | DataType::TimestampNtz => "write a timestamp, e.g. `2024-01-31 10:00:00`",
            _ => "write a value of the column's type",
        }),
    };
    Err(Problem { fix, ..problem })
}

/// Whether a text is an ISO 8601 date.
pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |part: &str, n_digits: usize| {
        let digits = part.len() == n_digits && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let n_days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=n_days).contains(&day)
}

/// Whether a text is an ISO 8601 timestamp, or a date.
fn is_timestamp(text: &str) -> bool {
    let time = Regex::new(&format!("^{}$", super::moment::TIME)).expect("a constant pattern");
    match text.split_at_checked(10) {
        Some((date, "")) => is_date(date),
        Some((date, rest)) => is_date(date) && time.is_match(rest),
        None => false,
    }
}

/// Checks a list of values and gives their literals.
///
/// # Errors
/// `resolve::expectation` if the list is empty, a value stands twice, or is of another type than the column.
pub(super) fn literals(
    values: &[Scalar],
    pointer: &str,
    column: &str,
    data_type: Option<&DataType>,
) -> Result<Vec<String>, Problem> {
    if values.is_empty() {
        return Err(Problem::new(code::EXPECTATION, pointer, "no value is given").help("give at least one value"));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        let here = format!("{pointer}/{index}");
        if !seen.insert(format!("{value:?}")) {
            return Err(
                Problem::new(code::EXPECTATION, here, format!("the value `{value}` stands twice")).help("remove it")
            );
        }
        check(value, &here, column, data_type)?;
    }
    Ok(values.iter().map(|value| kind::scalar_literal(value, data_type)).collect())
}

/// The literals as an array of the column's type.
pub(super) fn array(literals: &[String], data_type: Option<&DataType>) -> String {
    let typed = |literal: &String| match data_type {
        Some(known) if known.is_numeric() => format!("CAST({literal} AS {})", known.to_string().to_uppercase()),
        Some(_) | None => literal.clone(),
    };
    format!("array({})", literals.iter().map(typed).collect::<Vec<_>>().join(", "))
}

/// Values for people, at most six.
pub(super) fn shown<V: ToString>(values: &[V]) -> String {
    let first: Vec<String> = values.iter().take(6).map(ToString::to_string).collect();
    let more = if values.len() > 6 { ", …" } else { "" };
    format!("({}{more})", first.join(", "))
}

/// # Errors
/// `resolve::expectation` if a column is named twice.
pub(super) fn refuse_repeated_columns(columns: &[String], pointer: &str) -> Result<(), Problem> {
    for (index, column) in columns.iter().enumerate() {
        if columns.iter().take(index).any(|earlier| name::same(earlier, column)) {
            let problem = format!("the column `{column}` is named twice");
            return Err(Problem::new(code::EXPECTATION, format!("{pointer}/{index}"), problem).help("remove it"));
        }
    }
    Ok(())
}

/// A column's values for statistics: those of floating point without NaN, which is no number.
pub(super) fn numbers(column: &str, data_type: Option<&DataType>) -> String {
    let quoted = kind::column(column);
    match data_type {
        Some(DataType::Float | DataType::Double) => format!("CASE WHEN NOT isnan({quoted}) THEN {quoted} END"),
        Some(_) | None => quoted,
    }
}

/// A table of the project as SQL names it.
///
/// # Errors
/// `resolve::expectation` if the text is no table's name.
pub(super) fn table(text: &str, pointer: &str) -> Result<name::TableName, Problem> {
    name::TableName::parse(text).ok_or_else(|| {
        Problem::new(code::EXPECTATION, pointer, format!("`{text}` is no table's name"))
            .help("write its layer, too: `layer.table`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_timestamps_are_read_as_iso() {
        assert!(is_date("2024-02-29") && !is_date("2023-02-29") && !is_date("2024-1-1"));
        assert!(is_timestamp("2024-01-01") && is_timestamp("2024-01-01T10:00:00Z"));
        assert!(is_timestamp("2024-01-01 10:00:00.5+02:00") && !is_timestamp("2024-01-01 25:00"));
    }
}
