//! A point in a table's history as one writes it: a version, or a time.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::state::versions::{Version, at_time};

/// What `--to`, `--at` and `--and` take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Version(i64),
    /// Milliseconds since 1970, UTC.
    Time(i64),
}

/// Reads `3`, `2026-11-20`, `2026-11-20 10:30`, `2026-11-20T10:30:00Z`. Without an offset it is UTC.
pub(super) fn parse(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(version) = text.parse::<u32>() {
        return Ok(Moment::Version(version.into()));
    }
    let spaced = text.replacen(' ', "T", 1);
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let time = DateTime::parse_from_rfc3339(&spaced)
        .map(|time| time.timestamp_millis())
        .ok()
        .or_else(|| {
            let read = |format: &&str| NaiveDateTime::parse_from_str(&spaced, format).ok();
            local.iter().find_map(read).map(|time| time.and_utc().timestamp_millis())
        })
        .or_else(|| {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
        });
    time.map(Moment::Time).ok_or_else(|| "write a version, e.g. `3`, or a time, e.g. `2026-11-20 10:30`".to_owned())
}

impl Moment {
    /// The version that is meant; why there is none, otherwise.
    pub(super) fn of(self, versions: &[Version]) -> Result<i64, String> {
        let (Some(first), Some(last)) = (versions.first(), versions.last()) else {
            return Err("it has no versions".to_owned());
        };
        match self {
            Moment::Version(version) if versions.iter().any(|known| known.version == version) => Ok(version),
            Moment::Version(version) => {
                Err(format!("it has no version {version}, but {} to {}", first.version, last.version))
            }
            Moment::Time(at_ms) => at_time(versions, at_ms).map(|found| found.version).ok_or_else(|| {
                format!("it has no version that old: the oldest, {}, is of {}", first.version, written(first.at_ms))
            }),
        }
    }
}

/// A time for people, in UTC.
pub(super) fn written(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms).map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_times_are_read() {
        assert_eq!(parse("3"), Ok(Moment::Version(3)));
        for text in ["2026-11-20", "2026-11-20 00:00", "2026-11-20T00:00:00Z", "2026-11-20T02:00:00+02:00"] {
            assert_eq!(parse(text), Ok(Moment::Time(1_795_132_800_000)), "{text}");
        }
        assert!(parse("yesterday").is_err() && parse("-1").is_err());
    }
}
