//! Quartz cron expressions, held against the rules that Databricks' scheduler keeps.
//!
//! In: a text. Out: nothing, or what is wrong with it and, where it can be told, the expression that was meant. Six or
//! seven fields: second, minute, hour, day of month, month, day of week, year. Lists, ranges (`22-2` goes around), steps,
//! names, and `?`, `L`, `W`, `#`, as the documentation of Quartz' `CronExpression` describes them; what it calls not
//! implemented is refused. Beyond Quartz, an expression that names a day which its months do not have is refused.

use std::collections::BTreeSet;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) help: String,
    /// The whole expression as it was probably meant.
    pub(super) meant: Option<String>,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// February with its leap day.
const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A field's name and values.
struct Field {
    name: &'static str,
    from: u32,
    to: u32,
    names: &'static [&'static str],
    example: &'static str,
}

const SECOND: Field = Field { name: "second", from: 0, to: 59, names: &[], example: "0" };
const MINUTE: Field = Field { name: "minute", from: 0, to: 59, names: &[], example: "45" };
const HOUR: Field = Field { name: "hour", from: 0, to: 23, names: &[], example: "11" };
const DAY_OF_MONTH: Field = Field { name: "day of month", from: 1, to: 31, names: &[], example: "1" };
const MONTH: Field = Field { name: "month", from: 1, to: 12, names: &MONTHS, example: "JAN" };
const DAY_OF_WEEK: Field = Field { name: "day of week", from: 1, to: 7, names: &DAYS, example: "MON-FRI" };
const YEAR: Field = Field { name: "year", from: 1970, to: 2099, names: &[], example: "2027" };

/// Holds an expression against the rules.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let upper = text.to_ascii_uppercase();
    let fields: Vec<&str> = upper.split_ascii_whitespace().collect();
    let (second, minute, hour, day, month, weekday, year) = match fields.as_slice() {
        [second, minute, hour, day, month, weekday] => (second, minute, hour, day, month, weekday, None),
        [second, minute, hour, day, month, weekday, year] => (second, minute, hour, day, month, weekday, Some(year)),
        other => return Err(wrong_count(text, other)),
    };
    values(second, &SECOND)?;
    values(minute, &MINUTE)?;
    values(hour, &HOUR)?;
    let days = day_of_month(day)?;
    let months = values(month, &MONTH)?;
    day_of_week(weekday)?;
    if let Some(year) = year {
        values(year, &YEAR)?;
    }
    one_question_mark(&fields, day, weekday)?;
    if let (Some(first), Some(longest)) =
        (days.first(), months.iter().filter_map(|month| LONGEST.get(*month as usize - 1)).max())
        && first > longest
    {
        return Err(Fault {
            message: format!("`{text}` never fires: its months have no day {first}"),
            help: "name a day that the months have; `L` is a month's last day".to_owned(),
            meant: Some(with_field(&fields, 3, "L")),
        });
    }
    Ok(())
}

fn with_field(fields: &[&str], index: usize, value: &str) -> String {
    fields.iter().enumerate().map(|(at, field)| if at == index { value } else { field }).collect::<Vec<_>>().join(" ")
}

/// Five fields are a cron of Unix, whose days of the week count from 0.
fn wrong_count(text: &str, fields: &[&str]) -> Fault {
    let meant = match fields {
        [minute, hour, day, month, weekday] => from_unix(minute, hour, day, month, weekday),
        _ => None,
    }
    .filter(|meant| check(meant).is_ok());
    let n = fields.len();
    let help = match &meant {
        Some(meant) => format!("write `{meant}`: the second comes first, and one of the two days is `?`"),
        None => "write second, minute, hour, day of month, month, day of week, e.g. `0 45 11 * * ?`".to_owned(),
    };
    Fault {
        message: format!("`{text}` has {n} field{}, and Quartz wants 6 or 7", if n == 1 { "" } else { "s" }),
        help,
        meant,
    }
}

fn from_unix(minute: &str, hour: &str, day: &str, month: &str, weekday: &str) -> Option<String> {
    if weekday == "*" || weekday == "?" {
        let day = if day == "?" { "*" } else { day };
        return Some(format!("0 {minute} {hour} {day} {month} ?"));
    }
    if day != "*" && day != "?" {
        return None;
    }
    let named: Option<Vec<String>> = weekday
        .split(',')
        .map(|part| {
            let ends: Option<Vec<&str>> = part
                .split('-')
                .map(|end| match end.parse::<usize>() {
                    Ok(number) => DAYS.get(number % 7).copied(),
                    Err(_) => DAYS.iter().find(|name| **name == end).copied(),
                })
                .collect();
            ends.map(|ends| ends.join("-"))
        })
        .collect();
    named.map(|named| format!("0 {minute} {hour} ? {month} {}", named.join(",")))
}

fn one_question_mark(fields: &[&str], day: &str, weekday: &str) -> Result<(), Fault> {
    match (day == "?", weekday == "?") {
        (true, false) | (false, true) => Ok(()),
        (true, true) => Err(Fault {
            message: "both days are `?`".to_owned(),
            help: format!("write `{}` for every day", with_field(fields, 3, "*")),
            meant: Some(with_field(fields, 3, "*")),
        }),
        (false, false) => {
            let meant = match (day, weekday) {
                (_, "*") => Some(with_field(fields, 5, "?")),
                ("*", _) => Some(with_field(fields, 3, "?")),
                _ => None,
            };
            let help = meant.as_ref().map_or_else(
                || "choose one of the two and write `?` for the other, or make two jobs".to_owned(),
                |meant| format!("write `{meant}`"),
            );
            Err(Fault { message: "neither day is `?`: Quartz takes only one of them".to_owned(), help, meant })
        }
    }
}

/// The values that a field names.
fn values(text: &str, field: &Field) -> Result<BTreeSet<u32>, Fault> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        if part == "?" {
            return Err(Fault {
                message: format!("the {} cannot be `?`", field.name),
                help: "`?` is only for one of the two days; write `*` for every".to_owned(),
                meant: None,
            });
        }
        all.extend(part_values(part, field)?);
    }
    Ok(all)
}

fn part_values(part: &str, field: &Field) -> Result<Vec<u32>, Fault> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step_of(part, step, field)?)),
        None => (part, None),
    };
    let (from, to) = match range {
        "*" => (field.from, field.to),
        // Quartz reads `/5` as `*/5`.
        "" if step.is_some() => (field.from, field.to),
        range => {
            if let Some((from, to)) = range.split_once('-') {
                (number(from, field)?, number(to, field)?)
            } else {
                let from = number(range, field)?;
                (from, if step.is_some() { field.to } else { from })
            }
        }
    };
    if from > to && field.from == YEAR.from {
        return Err(fault(part, field, "ends before it begins"));
    }
    let length = field.to - field.from + 1;
    let span = (to + length - from) % length;
    let step = step.unwrap_or(1);
    Ok((0..=span).step_by(step as usize).map(|n| field.from + (from - field.from + n) % length).collect())
}

fn step_of(part: &str, step: &str, field: &Field) -> Result<u32, Fault> {
    let most = field.to - field.from + 1;
    match step.parse::<u32>() {
        Ok(step) if (1..=most).contains(&step) => Ok(step),
        Ok(_) => Err(fault(part, field, &format!("has a step that is not from 1 to {most}"))),
        Err(_) => Err(fault(part, field, "has a step that is no number")),
    }
}

fn number(text: &str, field: &Field) -> Result<u32, Fault> {
    if let Some(place) = field.names.iter().position(|name| *name == text) {
        return Ok(field.from + u32::try_from(place).expect("a dozen names"));
    }
    match text.parse::<u32>() {
        Ok(value) if (field.from..=field.to).contains(&value) && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(value)
        }
        Ok(_) => Err(fault(text, field, &format!("is not from {} to {}", field.from, field.to))),
        Err(_) => Err(fault(text, field, "is no value of it")),
    }
}

fn fault(part: &str, field: &Field, why: &str) -> Fault {
    let or_names = match field.names {
        [first, .., last] => format!(", or `{first}` to `{last}`"),
        _ => String::new(),
    };
    Fault {
        message: format!("`{part}` as the {} {why}", field.name),
        help: format!("write {} to {}{or_names}, e.g. `{}`", field.from, field.to, field.example),
        meant: None,
    }
}

/// The days that are named by number; none for `?`, `L` and `W`, which every month has.
fn day_of_month(text: &str) -> Result<BTreeSet<u32>, Fault> {
    let none = Ok(BTreeSet::new());
    let only =
        |what: &str| Err(fault(text, &DAY_OF_MONTH, &format!("joins {what} with other days, which Quartz does not")));
    match text {
        "?" | "L" | "LW" => return none,
        _ if text.contains('?') => return only("`?`"),
        _ if text.contains(',') && text.contains('L') => return only("`L`"),
        _ if (text.contains(',') || text.contains('-')) && text.contains('W') => return only("`W`"),
        _ => {}
    }
    if let Some(before) = text.strip_prefix("L-") {
        let before = before.strip_suffix('W').unwrap_or(before);
        return match before.parse::<u32>() {
            Ok(days) if days <= 30 => none,
            Ok(_) | Err(_) => Err(fault(text, &DAY_OF_MONTH, "is more than 30 days before the last")),
        };
    }
    if let Some(day) = text.strip_suffix('W') {
        // The weekday nearest to it.
        return number(day, &DAY_OF_MONTH).map(|day| BTreeSet::from([day]));
    }
    values(text, &DAY_OF_MONTH)
}

fn day_of_week(text: &str) -> Result<(), Fault> {
    let alone = |what: &str| fault(text, &DAY_OF_WEEK, &format!("joins {what} with other days, which Quartz does not"));
    match text {
        "?" | "L" => return Ok(()),
        _ if text.contains('?') => return Err(alone("`?`")),
        _ if text.contains(',') && text.contains('#') => return Err(alone("`#`")),
        _ => {}
    }
    if let Some((day, which)) = text.split_once('#') {
        number(day, &DAY_OF_WEEK)?;
        return match which.parse::<u32>() {
            Ok(1..=5) => Ok(()),
            Ok(_) | Err(_) => Err(fault(text, &DAY_OF_WEEK, "is not the first to fifth of a month")),
        };
    }
    if let Some(day) = text.strip_suffix('L') {
        if day.contains(',') || day.contains('-') {
            return Err(alone("`L`"));
        }
        return number(day, &DAY_OF_WEEK).map(drop);
    }
    if text.contains('0') && text.split([',', '-', '/']).any(|part| part == "0") {
        return Err(Fault {
            message: "`0` as the day of week is not from 1 to 7".to_owned(),
            help: "Quartz counts from 1, which is Sunday; write `SUN` to `SAT`".to_owned(),
            meant: None,
        });
    }
    values(text, &DAY_OF_WEEK).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_quartz_documents_is_taken() {
        for cron in [
            "0 0 12 * * ?",
            "0 15 10 ? * *",
            "0 15 10 * * ? 2026",
            "0 0/5 14,18 * * ?",
            "0 0-5 14 * * ?",
            "0 10,44 14 ? 3 WED",
            "0 15 10 ? * MON-FRI",
            "0 15 10 15 * ?",
            "0 15 10 L * ?",
            "0 15 10 L-2 * ?",
            "0 15 10 ? * 6L",
            "0 15 10 ? * 6L 2026-2028",
            "0 15 10 ? * 6#3",
            "0 0 12 1/5 * ?",
            "0 11 11 11 11 ?",
            "0 45 11 * * ?",
            "*/30 * * * * ?",
            "0 0 22-2 * * ?",
            "0 0 0 LW * ?",
            "0 0 0 15W * ?",
            "0 0 0 ? * fri#2",
            "0 0 0 ? JAN-MAR,dec SAT,SUN",
            "0 0 6 29 FEB ?",
            "0 0 0 ? * FRI-MON",
            "0 0 0 ? * L",
            "0/15 0 0 1 1 ? *",
        ] {
            assert_eq!(check(cron), Ok(()), "{cron}");
        }
    }

    #[test]
    fn what_quartz_refuses_is_refused() {
        for cron in [
            "",
            "0 6 * * *",
            "0 0 6 * *  * * * ",
            "60 0 6 * * ?",
            "0 60 6 * * ?",
            "0 0 24 * * ?",
            "0 0 6 32 * ?",
            "0 0 6 0 * ?",
            "0 0 6 * 13 ?",
            "0 0 6 ? * 8",
            "0 0 6 ? * 0",
            "0 0 6 * * *",
            "0 0 6 ? * ?",
            "? 0 6 * * ?",
            "0 0 6 * ? MON",
            "0 0 6 L,15 * ?",
            "0 0 6 1-5W * ?",
            "0 0 6 ? * MON#6",
            "0 0 6 ? * MON#1,TUE",
            "0 */0 6 * * ?",
            "0 0/61 6 * * ?",
            "0 0 x * * ?",
            "0 0 6 30 FEB ?",
            "0 0 6 31 4,6 ?",
            "0 0 6 * * ? 2028-2026",
            "0 0 6 * * ? 1960",
            "0 0 6 ? * MO",
            "0 0 -6 * * ?",
            "0 0 +6 * * ?",
            "0 0 6 L-31 * ?",
            "@daily",
            "0 0 6 ,1 * ?",
            "0 0 6 ? * MON-WEDL",
        ] {
            assert!(check(cron).is_err(), "{cron}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        let meant = |cron: &str| check(cron).expect_err("a fault").meant;
        assert_eq!(meant("0 6 * * *").as_deref(), Some("0 0 6 * * ?"));
        assert_eq!(meant("30 2 * * 1-5").as_deref(), Some("0 30 2 ? * MON-FRI"));
        assert_eq!(meant("30 2 1 * 1"), None);
        assert_eq!(meant("0 0 6 * * *").as_deref(), Some("0 0 6 * * ?"));
        assert_eq!(meant("0 0 6 ? * ?").as_deref(), Some("0 0 6 * * ?"));
        assert_eq!(meant("0 0 6 * * MON").as_deref(), Some("0 0 6 ? * MON"));
        assert_eq!(meant("0 0 6 31 FEB ?").as_deref(), Some("0 0 6 L FEB ?"));
    }
}
