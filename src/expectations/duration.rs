//! Durations and shares as texts: `24h`, `1d12h`, `50%`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::diagnostic::code;
use crate::kind::Problem;

/// The seconds of a duration: whole numbers with `s`, `m`, `h`, `d` or `w`, one after the other.
///
/// # Errors
/// `resolve::expectation` at `pointer` if it is none, or nothing.
pub(crate) fn seconds(text: &str, pointer: &str) -> Result<u64, Problem> {
    let wrong = || {
        Problem::new(code::EXPECTATION, pointer, format!("`{text}` is no duration"))
            .help("write whole numbers with `s`, `m`, `h`, `d` or `w`, e.g. `24h` or `1d12h`")
    };
    let mut total: u64 = 0;
    let mut digits = String::new();
    for character in text.trim().chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        digits.clear();
    }
    if digits.is_empty() && total > 0 { Ok(total) } else { Err(wrong()) }
}

/// A share of a whole: a number from 0, or a percentage as text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Share {
    Number(f64),
    Text(String),
}

impl Share {
    /// # Errors
    /// `resolve::expectation` at `pointer` if it is none.
    pub(super) fn value(&self, pointer: &str) -> Result<f64, Problem> {
        let value = match self {
            Share::Number(number) => Some(*number),
            Share::Text(text) => {
                text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok()).map(|n| n / 100.0)
            }
        };
        let shown = match self {
            Share::Number(number) => number.to_string(),
            Share::Text(text) => text.clone(),
        };
        value.filter(|value| value.is_finite() && *value >= 0.0).ok_or_else(|| {
            Problem::new(code::EXPECTATION, pointer, format!("`{shown}` is no share"))
                .help("write a percentage, e.g. `50%`, or a number, e.g. `0.5`")
        })
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_shares_are_read() {
        assert_eq!(seconds("1d12h", "").ok(), Some(129_600));
        assert!(["", "24", "h", "0h", "-1h", "1y"].iter().all(|text| seconds(text, "").is_err()));
        assert_eq!(Share::Text("50%".to_owned()).value("").ok(), Some(0.5));
        assert!(Share::Text("half".to_owned()).value("").is_err());
    }
}
