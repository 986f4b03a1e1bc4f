//! Numbers and booleans from text.
//!
//! In: a text without blanks around it. Out: the value, `None` where it is none. Source of the formats: Spark 4,
//! `UTF8String.toLongExact`, `Cast.processFloatingPointSpecialLiterals`, `Decimal.fromString`, `StringUtils.isTrueString`.
//! Narrower than Spark: Java's suffixes (`1d`, `1.0f`) and hexadecimal floats are refused, and so is a finite number that
//! would become infinite.

use std::str::FromStr;

pub(super) fn integer<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
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

/// `inf`, `infinity` and `nan` in any case, and numbers with or without exponent.
pub(super) fn float<T: Float>(text: &[u8]) -> Option<T> {
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let is_finite = unsigned.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_signed_nan = unsigned.len() < text.len() && unsigned.eq_ignore_ascii_case(b"nan");
    let value: T = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!is_signed_nan && (!is_finite || value.is_finite())).then_some(value)
}

/// The two float types.
pub(super) trait Float: FromStr {
    fn is_finite(&self) -> bool;
}

impl Float for f32 {
    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }
}

impl Float for f64 {
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

/// The number times 10 to the `scale`, rounded half up at the last digit; exact before that, whatever the exponent.
pub(super) fn decimal(text: &[u8], scale: i8) -> Option<i128> {
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

pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["t", "true", "y", "yes", "1"]) {
        Some(true)
    } else if is_one_of(&["f", "false", "n", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}
