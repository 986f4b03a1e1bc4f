//! What a scalar means: the YAML 1.2 core schema (section 10.3.2), with one deviation.
//!
//! In: a scalar's text and tag. Out: a JSON value, or why there is none. A number with a leading zero (`001`, `-007`,
//! `00.5`) stays text, because such texts are identifiers and `001` must not become 1. `NO`, `yes`, `on`, dates and times
//! are text in YAML 1.2 anyway.

use serde_json::{Number, Value};

/// An explicit core tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    None,
    Str,
    Int,
    Float,
    Bool,
    Null,
    Map,
    Seq,
}

impl Tag {
    /// The tag for a core suffix, e.g. `int`.
    pub(super) fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "str" => Tag::Str,
            "int" => Tag::Int,
            "float" => Tag::Float,
            "bool" => Tag::Bool,
            "null" => Tag::Null,
            "map" => Tag::Map,
            "seq" => Tag::Seq,
            _ => return None,
        })
    }
}

/// Why a scalar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An integer beyond 64 bits.
    IntegerRange,
    /// A float beyond 64 bits.
    FloatRange,
    /// `.inf` or `.nan`.
    NotFinite,
    /// The text is not what its tag says.
    Tag,
}

/// Resolves a plain scalar.
pub(super) fn plain(text: &str, tag: Tag) -> Result<Value, Refusal> {
    let value = match tag {
        Tag::Str => return Ok(Value::String(text.to_owned())),
        Tag::Map | Tag::Seq => return Err(Refusal::Tag),
        Tag::Int if has_leading_zero(text) => {
            let digits = text.trim_start_matches(['+', '-']);
            if !is_all(digits, |byte| byte.is_ascii_digit()) {
                return Err(Refusal::Tag);
            }
            integer(digits, 10, text.starts_with('-'))?
        }
        Tag::None | Tag::Int | Tag::Float | Tag::Bool | Tag::Null => untagged(text)?,
    };
    let fits = match tag {
        Tag::None | Tag::Str | Tag::Map | Tag::Seq => true,
        Tag::Int => value.is_i64() || value.is_u64(),
        Tag::Float => return value.as_f64().and_then(Number::from_f64).map(Value::Number).ok_or(Refusal::Tag),
        Tag::Bool => value.is_boolean(),
        Tag::Null => value.is_null(),
    };
    if fits { Ok(value) } else { Err(Refusal::Tag) }
}

fn untagged(text: &str) -> Result<Value, Refusal> {
    let string = || Ok(Value::String(text.to_owned()));
    match text.as_bytes().first() {
        None => return Ok(Value::Null),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {}
        Some(b'n' | b'N' | b'~' | b't' | b'T' | b'f' | b'F') => {
            return match text {
                "null" | "Null" | "NULL" | "~" => Ok(Value::Null),
                "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
                "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
                _ => string(),
            };
        }
        Some(_) => return string(),
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return if is_all(digits, |byte| byte.is_ascii_hexdigit()) { integer(digits, 16, false) } else { string() };
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return if is_all(digits, |byte| (b'0'..=b'7').contains(&byte)) { integer(digits, 8, false) } else { string() };
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(Refusal::NotFinite);
    }
    if has_leading_zero(text) {
        return string();
    }
    if is_all(unsigned, |byte| byte.is_ascii_digit()) {
        return integer(unsigned, 10, text.starts_with('-'));
    }
    if is_float(unsigned) {
        let float: f64 = text.parse().map_err(|_| Refusal::FloatRange)?;
        return Number::from_f64(float).map(Value::Number).ok_or(Refusal::FloatRange);
    }
    string()
}

fn is_all(digits: &str, accepts: impl Fn(u8) -> bool) -> bool {
    !digits.is_empty() && digits.bytes().all(accepts)
}

/// A zero followed by another digit, after the sign.
fn has_leading_zero(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned.as_bytes(), [b'0', b'0'..=b'9', ..])
}

fn integer(digits: &str, radix: u32, is_negative: bool) -> Result<Value, Refusal> {
    let magnitude = u64::from_str_radix(digits, radix).map_err(|_| Refusal::IntegerRange)?;
    if !is_negative {
        return Ok(Value::from(magnitude));
    }
    0_i64.checked_sub_unsigned(magnitude).map(Value::from).ok_or(Refusal::IntegerRange)
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |part: &str| is_all(part, |byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    mantissa_fits && exponent.is_none_or(|digits| is_digits(digits.strip_prefix(['+', '-']).unwrap_or(digits)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_resolve_by_the_core_schema_except_leading_zeros() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("tRue", json!("tRue")),
            ("NO", json!("NO")),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("2024-01-01", json!("2024-01-01")),
            ("12:30:45", json!("12:30:45")),
            ("1_000", json!("1_000")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("-12", json!(-12)),
            ("001", json!("001")),
            ("-007", json!("-007")),
            ("00.5", json!("00.5")),
            ("01e5", json!("01e5")),
            ("0.5", json!(0.5)),
            ("-.5", json!(-0.5)),
            ("1.", json!(1.0)),
            (".", json!(".")),
            ("-", json!("-")),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            ("1.2.0", json!("1.2.0")),
            ("0x1F", json!(31)),
            ("0x", json!("0x")),
            ("0o17", json!(15)),
            ("0o8", json!("0o8")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("null1", json!("null1")),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text, Tag::None), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        assert_eq!(plain("18446744073709551616", Tag::None), Err(Refusal::IntegerRange));
        assert_eq!(plain("-9223372036854775809", Tag::None), Err(Refusal::IntegerRange));
        assert_eq!(plain("1e999", Tag::None), Err(Refusal::FloatRange));
        assert_eq!(plain("-.inf", Tag::None), Err(Refusal::NotFinite));
        assert_eq!(plain(".NaN", Tag::None), Err(Refusal::NotFinite));
    }

    #[test]
    fn a_core_tag_overrides_or_refuses() {
        assert_eq!(plain("12", Tag::Str), Ok(json!("12")));
        assert_eq!(plain("007", Tag::Int), Ok(json!(7)));
        assert_eq!(plain("1", Tag::Float), Ok(json!(1.0)));
        assert_eq!(plain("x", Tag::Int), Err(Refusal::Tag));
        assert_eq!(plain("1", Tag::Bool), Err(Refusal::Tag));
        assert_eq!(plain("x", Tag::Map), Err(Refusal::Tag));
    }
}
