//! How a report writes numbers, shares and times.
//!
//! In: values. Out: text for people, the same for the same value everywhere; no locale, no clock. Escaping is the page's.

use std::fmt::Write as _;

use deltalake::arrow::temporal_conversions::timestamp_us_to_datetime;
use serde_json::Value;

use crate::cli::ui;

/// `2025-06-01T12:00:00Z`, from microseconds since 1970.
pub(super) fn rfc3339(micros: i64) -> String {
    let whole_seconds = micros.div_euclid(1_000_000).saturating_mul(1_000_000);
    let time = timestamp_us_to_datetime(whole_seconds).map(|time| time.to_string());
    time.map(|time| format!("{}Z", time.replace(' ', "T"))).unwrap_or_default()
}

/// `2025-06-01 12:00:00 UTC`, from [`rfc3339`].
pub(super) fn moment(rfc3339: &str) -> String {
    rfc3339.replace('T', " ").replace('Z', " UTC")
}

/// `part` of `whole`; 1 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// `99.2%`. 100% and 0% are only said of all and none.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if share >= 1.0 {
        "100%".to_owned()
    } else if share <= 0.0 {
        "0%".to_owned()
    } else if percent >= 99.95 {
        if percent >= 99.995 { ">99.99%".to_owned() } else { format!("{percent:.2}%") }
    } else if percent < 0.05 {
        if percent < 0.005 { "<0.01%".to_owned() } else { format!("{percent:.2}%") }
    } else {
        format!("{percent:.1}%")
    }
}

/// Six significant digits, thousands grouped.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.4e}");
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -4 and 15")]
    let magnitude = size.log10().floor() as i32;
    let decimals = usize::try_from(5 - magnitude).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (sign, digits) = trimmed.strip_prefix('-').map_or(("", trimmed), |digits| ("−", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), ui::grouped);
    fraction.map_or_else(|| format!("{sign}{whole}"), |fraction| format!("{sign}{whole}.{fraction}"))
}

/// A value of a column, of an example, or observed. Whole numbers are grouped from 10,000 on: `2024` may be a year.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(written) => match (written.as_u64(), written.as_i64(), written.as_f64()) {
            (Some(n), ..) if n < 10_000 => n.to_string(),
            (Some(n), ..) => ui::grouped(n),
            (_, Some(n), _) => format!("−{}", ui::grouped(n.unsigned_abs())),
            (.., Some(float)) => number(float),
            (None, None, None) => written.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// `0.42 s`, `3 min 05 s`.
pub(super) fn seconds(seconds: f64) -> String {
    ui::seconds(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A word of the project file, as serde spells it.
pub(super) fn serde_word(value: impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// Text with what cannot be seen made visible: control characters, and those that turn the direction of what follows, by
/// which text can be made to look like other text.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\u{0}'..='\u{1f}' => {
                let picture = char::from_u32(0x2400 + u32::from(character));
                shown.push(picture.unwrap_or('\u{fffd}'));
            }
            '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => {
                let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(character));
            }
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_keep_six_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (1234.5, "1,234.5"),
            (-1_234_567.891, "−1,234,568"),
            (0.001_234_567, "0.00123457"),
            (99.999_999_9, "100"),
            (1e-7, "1.0000e-7"),
            (f64::INFINITY, "inf"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(value(&json!(2024)), "2024");
        assert_eq!(value(&json!(-12345)), "−12,345");
    }

    #[test]
    fn all_and_none_are_only_said_where_they_are() {
        assert_eq!([percent(1.0), percent(0.0), percent(0.5)], ["100%", "0%", "50.0%"]);
        assert_eq!([percent(0.999_999), percent(0.9996), percent(0.000_001)], [">99.99%", "99.96%", "<0.01%"]);
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(rfc3339(1_500_000), "1970-01-01T00:00:01Z");
        assert_eq!(moment(&rfc3339(1_717_243_200_000_000)), "2024-06-01 12:00:00 UTC");
    }

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{1b}[31m"), "a⟨U+202E⟩b␀c␛[31m");
        assert_eq!(visible("Ação 日本 🌸"), "Ação 日本 🌸");
    }
}
