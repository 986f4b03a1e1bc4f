//! Values cast to a contract's type, NULL where they cannot be.
//!
//! In: a column. Out: the column in the wanted type; a value without a counterpart becomes NULL, so a violation is a value
//! that was there before and is not after. Text is read as Spark's ANSI casts read it: blanks around a number, date,
//! timestamp or boolean don't count, a fraction is no integer, decimals round half up and never overflow, times without a
//! zone are UTC. Source of the formats: Spark 4, `UTF8String`, `SparkDateTimeUtils.stringToDate` and
//! `parseTimestampString`. Zones given by region are not read.

use std::sync::Arc;

use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, PrimitiveArray, StringArray,
};
use deltalake::arrow::compute::{CastOptions, cast_with_options};
use deltalake::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use deltalake::arrow::error::ArrowError;

/// Casts `column` to `wanted`.
///
/// # Errors
/// When there is no cast between the two types at all.
pub(super) fn try_cast(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    if let DataType::Utf8View | DataType::LargeUtf8 = column.data_type() {
        return try_cast(&cast_with_options(column, &DataType::Utf8, &CastOptions::default())?, wanted);
    }
    let Some(text) = column.as_string_opt::<i32>() else {
        return cast_with_options(column, wanted, &CastOptions { safe: true, ..CastOptions::default() });
    };
    Ok(match wanted {
        DataType::Int8 => primitive::<Int8Type>(text, integer),
        DataType::Int16 => primitive::<Int16Type>(text, integer),
        DataType::Int32 => primitive::<Int32Type>(text, integer),
        DataType::Int64 => primitive::<Int64Type>(text, integer),
        DataType::Float32 => primitive::<Float32Type>(text, float::<f32>),
        DataType::Float64 => primitive::<Float64Type>(text, float::<f64>),
        DataType::Decimal128(precision, scale) => {
            let bound = 10_i128.pow(u32::from(*precision));
            let scale = *scale;
            let values: Decimal128Array =
                text.iter().map(|text| decimal(text?, scale).filter(|value| value.abs() < bound)).collect();
            Arc::new(values.with_precision_and_scale(*precision, scale)?)
        }
        DataType::Boolean => Arc::new(text.iter().map(|text| boolean(text?)).collect::<BooleanArray>()),
        DataType::Date32 => {
            let day = |text| i32::try_from(date(trim(text))?).ok();
            Arc::new(text.iter().map(|text| day(text?)).collect::<Date32Array>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let has_zone = zone.is_some();
            let values: PrimitiveArray<TimestampMicrosecondType> =
                text.iter().map(|text| timestamp(trim(text?), has_zone)).collect();
            Arc::new(values.with_timezone_opt(zone.clone()))
        }
        _ => return cast_with_options(column, wanted, &CastOptions { safe: true, ..CastOptions::default() }),
    })
}

fn primitive<T: ArrowPrimitiveType>(text: &StringArray, parse: impl Fn(&[u8]) -> Option<T::Native>) -> ArrayRef {
    Arc::new(text.iter().map(|text| parse(trim(text?))).collect::<PrimitiveArray<T>>())
}

/// Without the characters up to U+0020 at both ends, as `UTF8String.trimAll`.
fn trim(text: &str) -> &[u8] {
    text.trim_matches(|character: char| character <= ' ').as_bytes()
}

fn integer<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Summed below zero, because only there is the least bigint reached.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    let value = if negative { value } else { value.checked_neg()? };
    T::try_from(value).ok()
}

fn float<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The digits of a number without its point, and the power of ten that its first digit stands below.
fn decimal(text: &str, scale: i8) -> Option<i128> {
    let text = trim(text);
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let (number, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(place) => (&text[..place], integer::<i32>(&text[place + 1..])?),
        None => (text, 0),
    };
    let point = number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
    let (whole, fraction) = (&number[..point], number.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    // How many digits belong to the result; the next one decides the rounding.
    let wanted = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value = 0_i128;
    for (index, byte) in (0_i64..).zip(whole.iter().chain(fraction)) {
        if index == wanted && *byte >= b'5' {
            value = value.checked_add(1)?;
        }
        if index >= wanted {
            break;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let given = i64::try_from(whole.len() + fraction.len()).ok()?;
    if wanted > given && value != 0 {
        value = value.checked_mul(10_i128.checked_pow(u32::try_from(wanted - given).ok()?)?)?;
    }
    Some(if negative { -value } else { value })
}

fn boolean(text: &str) -> Option<bool> {
    let text = trim(text);
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["t", "true", "y", "yes", "1"]) {
        Some(true)
    } else if is_one_of(&["f", "false", "n", "no", "0"]) {
        Some(false)
    } else {
        None
    }
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

fn date(text: &[u8]) -> Option<i64> {
    match leading_date(text)? {
        (day, [] | [b' ' | b'T', ..]) => Some(day),
        _ => None,
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

/// Microseconds since 1970-01-01 UTC. Without `has_zone` a zone in the text does not count, as for `timestamp_ntz`.
fn timestamp(text: &[u8], has_zone: bool) -> Option<i64> {
    let (day, rest) = leading_date(text)?;
    let midnight = day.checked_mul(86_400_000_000)?;
    let rest = match rest {
        [] => return Some(midnight),
        [b' ' | b'T', rest @ ..] => rest,
        _ => return None,
    };
    let (hour, rest) = digits(rest, 1, 2)?;
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
    let offset_s = if rest.is_empty() { 0 } else { zone(rest)? };
    let seconds = hour * 3600 + minute * 60 + second - if has_zone { offset_s } else { 0 };
    midnight.checked_add(seconds * 1_000_000 + micros)
}

/// Seconds east of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let text = ["UTC", "GMT", "UT"].iter().find_map(|name| text.strip_prefix(name.as_bytes())).unwrap_or(text);
    let (sign, rest) = match text {
        [] | [b'Z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [a, b, c, d] if rest.iter().all(u8::is_ascii_digit) => (digits(&[*a, *b], 2, 2)?.0, digits(&[*c, *d], 2, 2)?.0),
        _ => {
            let (hours, rest) = digits(rest, 1, 2)?;
            match rest {
                [] => (hours, 0),
                [b':', rest @ ..] => match digits(rest, 1, 2)? {
                    (minutes, []) => (hours, minutes),
                    _ => return None,
                },
                _ => return None,
            }
        }
    };
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(text: &str, wanted: &DataType) -> Option<String> {
        let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
        let cast = try_cast(&column, wanted).expect("a cast exists");
        cast.is_valid(0).then(|| deltalake::arrow::util::display::array_value_to_string(&cast, 0).expect("shown"))
    }

    #[test]
    fn numbers_are_read_as_spark_reads_them() {
        for (text, wanted, expected) in [
            (" 42 ", DataType::Int32, Some("42")),
            ("-9223372036854775808", DataType::Int64, Some("-9223372036854775808")),
            ("9223372036854775808", DataType::Int64, None),
            ("300", DataType::Int8, None),
            ("1.0", DataType::Int32, None),
            ("", DataType::Int32, None),
            ("1.005", DataType::Decimal128(10, 2), Some("1.01")),
            ("-1.005", DataType::Decimal128(10, 2), Some("-1.01")),
            ("12e3", DataType::Decimal128(10, 2), Some("12000.00")),
            ("125e-3", DataType::Decimal128(10, 2), Some("0.13")),
            ("4e-3", DataType::Decimal128(10, 2), Some("0.00")),
            ("99999.995", DataType::Decimal128(7, 2), None),
            (".", DataType::Decimal128(7, 2), None),
            ("+.5", DataType::Decimal128(7, 2), Some("0.50")),
            ("1e3", DataType::Float64, Some("1000.0")),
            (" YES ", DataType::Boolean, Some("true")),
            ("2", DataType::Boolean, None),
        ] {
            assert_eq!(cast(text, &wanted).as_deref(), expected, "{text} as {wanted}");
        }
    }

    #[test]
    fn dates_and_times_are_read_as_spark_reads_them() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
        let local = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (text, wanted, expected) in [
            ("2024-2-9", DataType::Date32, Some("2024-02-09")),
            ("2024-02-29T10", DataType::Date32, Some("2024-02-29")),
            ("2023-02-29", DataType::Date32, None),
            ("2023-13-45 99:00:00", DataType::Date32, None),
            ("20240101", DataType::Date32, None),
            ("2024-01-02 03:04:05", zoned.clone(), Some("2024-01-02T03:04:05Z")),
            ("2024-01-02T03:04:05.123456789Z", zoned.clone(), Some("2024-01-02T03:04:05.123456Z")),
            ("2024-01-02 03:04:05+02:00", zoned.clone(), Some("2024-01-02T01:04:05Z")),
            ("2024-01-02 03:04:05+02:00", local, Some("2024-01-02T03:04:05")),
            ("1969-12-31 23:59:59.5", zoned.clone(), Some("1969-12-31T23:59:59.500Z")),
            ("2023-13-45 99:00:00", zoned.clone(), None),
            ("not-a-date", zoned, None),
        ] {
            assert_eq!(cast(text, &wanted).as_deref(), expected, "{text} as {wanted}");
        }
    }
}
