//! Dates and timestamps, from text and between each other.
//!
//! In: a text without blanks around it, or a column of times. Out: days or microseconds since 1970-01-01, in the proleptic
//! Gregorian calendar, `None` where there is none. Source of the formats: Spark 4, `SparkDateTimeUtils.stringToDate` and
//! `parseTimestampString`. A time without a date is refused: Spark would put today's in front of it.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use deltalake::arrow::compute::{CastOptions, cast_with_options};
use deltalake::arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use deltalake::arrow::error::ArrowError;

use crate::sql::zone::Zone;

const DAY_US: i64 = 86_400_000_000;

/// Casts between dates, wall-clock times and instants; `None` when that is not what the two types are.
pub(super) fn between(column: &ArrayRef, wanted: &DataType, zone: Zone) -> Result<Option<ArrayRef>, ArrowError> {
    let micros = |column: &ArrayRef| {
        let unit = match column.data_type() {
            DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            other => other.clone(),
        };
        cast_with_options(column, &unit, &CastOptions { safe: true, ..CastOptions::default() })
    };
    let times = |column: &ArrayRef, compute: &dyn Fn(i64) -> Option<i64>| -> Result<_, ArrowError> {
        let column = micros(column)?;
        let column = column.as_primitive::<TimestampMicrosecondType>();
        Ok(column.iter().map(|value| compute(value?)).collect::<TimestampMicrosecondArray>())
    };
    let days = |column: &ArrayRef, compute: &dyn Fn(i64) -> Option<i64>| -> Result<ArrayRef, ArrowError> {
        let column = micros(column)?;
        let column = column.as_primitive::<TimestampMicrosecondType>();
        let day = |us: i64| i32::try_from(compute(us)?.div_euclid(DAY_US)).ok();
        Ok(Arc::new(column.iter().map(|value| day(value?)).collect::<Date32Array>()))
    };
    Ok(Some(match (column.data_type(), wanted) {
        (DataType::Timestamp(_, None), DataType::Timestamp(TimeUnit::Microsecond, Some(utc))) => {
            Arc::new(times(column, &|us| zone.instant(us))?.with_timezone(Arc::clone(utc)))
        }
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(TimeUnit::Microsecond, None)) => {
            Arc::new(times(column, &|us| zone.wall_clock(us))?)
        }
        (DataType::Timestamp(_, Some(_)), DataType::Date32) => days(column, &|us| zone.wall_clock(us))?,
        (DataType::Timestamp(_, None), DataType::Date32) => days(column, &Some)?,
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, utc)) => {
            let column = column.as_primitive::<Date32Type>();
            let midnight = |day: i32| {
                let wall = i64::from(day).checked_mul(DAY_US)?;
                if utc.is_some() { zone.instant(wall) } else { Some(wall) }
            };
            let values: TimestampMicrosecondArray = column.iter().map(|day| midnight(day?)).collect();
            Arc::new(values.with_timezone_opt(utc.clone()))
        }
        _ => return Ok(None),
    }))
}

/// Reads `least` to `most` digits from the front.
fn digits(text: &[u8], least: usize, most: usize) -> Option<(i64, &[u8])> {
    let n = text.iter().take(most + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if n < least || n > most {
        return None;
    }
    let (front, rest) = text.split_at(n);
    Some((front.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest))
}

/// A date at the front as days since 1970-01-01, and what follows it.
fn leading_date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] | rest => (1, rest),
    };
    let (year, rest) = digits(text, 4, 6)?;
    let (month, rest) = match rest {
        [b'-', rest @ ..] => digits(rest, 1, 2)?,
        rest => (1, rest),
    };
    let (day, rest) = match rest {
        [b'-', rest @ ..] => digits(rest, 1, 2)?,
        rest => (1, rest),
    };
    Some((days(sign * year, month, day)?, rest))
}

/// The day that a text begins with, which may be followed by a time that does not count.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let (day, rest) = leading_date(text)?;
    let is_hour = |rest: &[u8]| matches!(rest, [_] | [_, _]) && rest.iter().all(u8::is_ascii_digit);
    match rest {
        [] => Some(day),
        [b' ' | b'T', rest @ ..] if is_hour(rest) => Some(day),
        _ => timestamp(text, None).map(|_| day),
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; `None` for a day that does not exist. Source: H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > last {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Microseconds since 1970-01-01: of an instant, read in `zone` where the text names none; without `zone` of the wall
/// clock, for which a zone in the text does not count.
pub(super) fn timestamp(text: &[u8], zone: Option<Zone>) -> Option<i64> {
    let (day, rest) = leading_date(text)?;
    let midnight = day.checked_mul(DAY_US)?;
    let (time_us, rest) = match rest {
        [] => (0, rest),
        [b' ' | b'T', rest @ ..] => time_of_day(rest)?,
        _ => return None,
    };
    let wall_us = midnight.checked_add(time_us)?;
    let named = match rest {
        [] => None,
        _ => Some(Zone::parse(std::str::from_utf8(rest).ok()?)?),
    };
    match zone {
        Some(zone) => named.unwrap_or(zone).instant(wall_us),
        None => Some(wall_us),
    }
}

/// Microseconds since midnight, and what follows them. Digits behind the sixth of a second are cut off, as in Spark.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = digits(text, 1, 2)?;
    let (minute, rest) = match rest {
        [b':', rest @ ..] => digits(rest, 1, 2)?,
        _ => return None,
    };
    let (second, rest) = match rest {
        [b':', rest @ ..] => digits(rest, 1, 2)?,
        rest => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = match rest {
        [b'.', rest @ ..] => {
            let n = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, rest) = rest.split_at(n);
            let padded = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(6);
            (padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest)
        }
        rest => (0, rest),
    };
    Some(((hour * 3600 + minute * 60 + second) * 1_000_000 + micros, rest))
}
