//! Time zones: what a wall-clock time is an instant of.
//!
//! In: a zone's name, as a contract or a text gives it. Out: [`Zone`], which turns wall-clock times into instants and back.
//! Names are those of the IANA time zone database, offsets from UTC, and `Z`. A wall-clock time that the zone's clocks
//! skipped or showed twice is no instant: it is never guessed.

use chrono::{DateTime, LocalResult, Offset, TimeZone};
use chrono_tz::Tz;

const MICROS: i64 = 1_000_000;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Seconds east of UTC, the same all year.
    Fixed { east_s: i64 },
    /// Rules of a region, e.g. `America/Sao_Paulo`.
    Region(Tz),
}

impl Zone {
    pub const UTC: Zone = Zone::Fixed { east_s: 0 };

    /// Reads `UTC`, `Z`, `+02:00`, `-0300`, `UTC+2`, `America/Sao_Paulo`. At most 18 hours from UTC, as in Java's
    /// `ZoneOffset`.
    pub fn parse(text: &str) -> Option<Zone> {
        let text = text.trim_ascii();
        let offset = ["UTC", "GMT", "UT"].iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
        if text.is_empty() {
            return None;
        }
        if matches!(offset, "" | "Z") {
            return Some(Zone::UTC);
        }
        match parse_offset(offset.as_bytes()) {
            Some(east_s) => Some(Zone::Fixed { east_s }),
            None => text.parse().ok().map(Zone::Region),
        }
    }

    /// The instant of a wall-clock time, both in microseconds since 1970-01-01; `None` where the zone's clocks skipped it
    /// or showed it twice.
    pub fn instant(self, wall_us: i64) -> Option<i64> {
        let east_s = match self {
            Zone::Fixed { east_s } => east_s,
            Zone::Region(region) => {
                let wall = DateTime::from_timestamp_micros(wall_us)?.naive_utc();
                match region.offset_from_local_datetime(&wall) {
                    LocalResult::Single(offset) => i64::from(offset.fix().local_minus_utc()),
                    LocalResult::Ambiguous(..) | LocalResult::None => return None,
                }
            }
        };
        wall_us.checked_sub(east_s * MICROS)
    }

    /// What the zone's clocks show at an instant, both in microseconds since 1970-01-01.
    pub fn wall_clock(self, instant_us: i64) -> Option<i64> {
        let east_s = match self {
            Zone::Fixed { east_s } => east_s,
            Zone::Region(region) => {
                let instant = DateTime::from_timestamp_micros(instant_us)?.naive_utc();
                i64::from(region.offset_from_utc_datetime(&instant).fix().local_minus_utc())
            }
        };
        instant_us.checked_add(east_s * MICROS)
    }
}

/// A zone's name that looks like `text`, for suggestions.
pub fn nearest_name(text: &str) -> Option<&'static str> {
    crate::name::nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
}

/// Seconds east of UTC of `+hh:mm`, `+h`, `+hhmm`, `+hh:mm:ss`.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let number = |digits: &[u8]| {
        let is_number = matches!(digits.len(), 1 | 2) && digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    };
    let parts: Vec<&[u8]> = match rest {
        [_, _, _, _] if !rest.contains(&b':') => rest.chunks(2).collect(),
        _ => rest.split(|byte| *byte == b':').collect(),
    };
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours] => (number(hours)?, 0, 0),
        [hours, minutes] => (number(hours)?, number(minutes)?, 0),
        [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
        _ => return None,
    };
    let east_s = hours * 3600 + minutes * 60 + seconds;
    (minutes < 60 && seconds < 60 && east_s <= 18 * 3600).then_some(sign * east_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Microseconds of a wall-clock time, whatever the zone.
    fn wall(text: &str) -> i64 {
        format!("{text}Z").parse::<DateTime<chrono::Utc>>().expect(text).timestamp_micros()
    }

    #[test]
    fn zones_are_known_by_region_and_by_offset() {
        for (text, east_s) in
            [("UTC", 0), ("Z", 0), ("+02:00", 7200), ("-0330", -12_600), ("GMT-3", -10_800), ("+5", 18_000)]
        {
            assert_eq!(Zone::parse(text), Some(Zone::Fixed { east_s }), "{text}");
        }
        for text in ["", "Mars/Olympus", "+19", "+2:60", "--2", "2", "+"] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
        assert_eq!(nearest_name("America/Sao_Paolo"), Some("America/Sao_Paulo"));
    }

    #[test]
    fn a_time_that_was_skipped_or_shown_twice_is_no_instant() {
        let berlin = Zone::parse("Europe/Berlin").expect("a region");
        assert_eq!(berlin.instant(wall("2024-01-01T12:00:00")), Some(wall("2024-01-01T11:00:00")));
        assert_eq!(berlin.instant(wall("2024-07-01T12:00:00")), Some(wall("2024-07-01T10:00:00")));
        assert_eq!(berlin.instant(wall("2024-03-31T02:30:00")), None);
        assert_eq!(berlin.instant(wall("2024-10-27T02:30:00")), None);
        assert_eq!(berlin.wall_clock(wall("2024-10-27T00:30:00")), Some(wall("2024-10-27T02:30:00")));
        assert_eq!(berlin.wall_clock(wall("2024-10-27T01:30:00")), Some(wall("2024-10-27T02:30:00")));
    }
}
