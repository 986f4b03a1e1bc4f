//! Texts that are dates or timestamps, as conditions that both engines evaluate alike.
//!
//! Databricks and the local engine parse by other rules, so nothing is left to them but the calendar: the form is a
//! regular expression, the place of each field is fixed, and `TRY_CAST` of `yyyy-MM-dd` decides whether the day exists. A
//! pattern with fields of one or two digits (`d/M/yyyy`) becomes one condition a combination of lengths.

use crate::diagnostic::code;
use crate::kind::{self, Problem};

/// The time of an ISO timestamp behind its date.
pub(super) const TIME: &str =
    r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?";

/// That `expression`, a text, is an ISO 8601 date or timestamp.
pub(super) fn is_iso(expression: &str) -> String {
    let form = format!(r"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({TIME})?\z");
    format!(
        "regexp_like({expression}, {}) AND TRY_CAST(substring({expression}, 1, 10) AS DATE) IS NOT NULL",
        kind::text_literal(&form)
    )
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    /// A letter of the pattern, and how many digits it has at least and at most.
    Field(char, usize, usize),
    /// A month's English name in three letters.
    MonthName,
}

/// That `expression`, a text, has the form of a Java pattern (`DateTimeFormatter`) of `y M d H m s S`.
///
/// # Errors
/// `resolve::expectation` at `pointer` for letters that have another meaning, or no date.
pub(super) fn has_form(expression: &str, pattern: &str, pointer: &str) -> Result<String, Problem> {
    let parts = parse(pattern, pointer)?;
    let mut shapes: Vec<Vec<(Part, usize)>> = vec![Vec::new()];
    for part in parts {
        let lengths = match &part {
            Part::Literal(text) => text.chars().count()..=text.chars().count(),
            Part::Field(_, least, most) => *least..=*most,
            Part::MonthName => 3..=3,
        };
        shapes = shapes
            .into_iter()
            .flat_map(|shape| {
                let part = part.clone();
                lengths.clone().map(move |length| {
                    let mut longer = shape.clone();
                    longer.push((part.clone(), length));
                    longer
                })
            })
            .collect();
    }
    let conditions: Vec<String> = shapes.iter().map(|shape| condition(expression, shape)).collect();
    Ok(conditions.join(" OR "))
}

fn parse(pattern: &str, pointer: &str) -> Result<Vec<Part>, Problem> {
    let wrong = |problem: String| {
        Problem::new(code::EXPECTATION, pointer, problem)
            .note("the pattern is Java's, as on Databricks: `yyyy` year, `MM` month, `dd` day, `HH` hour, `mm` minute, `ss` second, `SSS` fraction")
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(letter) = characters.next() {
        if letter == '\'' {
            let mut text = String::new();
            loop {
                match characters.next() {
                    Some('\'') if characters.peek() == Some(&'\'') => {
                        characters.next();
                        text.push('\'');
                    }
                    Some('\'') => break,
                    Some(other) => text.push(other),
                    None => {
                        return Err(wrong("a quote in this pattern is not closed".to_owned()).help("close it with `'`"));
                    }
                }
            }
            parts.push(Part::Literal(if text.is_empty() { "'".to_owned() } else { text }));
            continue;
        }
        if !letter.is_ascii_alphabetic() {
            parts.push(Part::Literal(letter.to_string()));
            continue;
        }
        let mut n_letters = 1;
        while characters.next_if_eq(&letter).is_some() {
            n_letters += 1;
        }
        parts.push(match (letter, n_letters) {
            ('y', 4) => Part::Field('y', 4, 4),
            ('y', 2) => Part::Field('y', 2, 2),
            ('M', 3) => Part::MonthName,
            ('M' | 'd' | 'H' | 'm' | 's', 1) => Part::Field(letter, 1, 2),
            ('M' | 'd' | 'H' | 'm' | 's', 2) => Part::Field(letter, 2, 2),
            ('S', 1..=9) => Part::Field('S', n_letters, n_letters),
            _ => {
                let field: String = std::iter::repeat_n(letter, n_letters).collect();
                let help = match letter {
                    'Y' => "write `yyyy`; `Y` is the year of the week",
                    'D' => "write `dd`; `D` is the day of the year",
                    'h' => "write `HH`; `h` needs `a` beside it",
                    _ => "write `expression` with a regular expression for other forms",
                };
                return Err(wrong(format!("`{field}` in this pattern is not understood")).help(help));
            }
        });
    }
    for (letter, name) in [('y', "year"), ('M', "month"), ('d', "day")] {
        let n_times = parts
            .iter()
            .filter(|part| match part {
                Part::Field(field, ..) => *field == letter,
                Part::MonthName => letter == 'M',
                Part::Literal(_) => false,
            })
            .count();
        if n_times != 1 {
            let problem = if n_times == 0 {
                format!("this pattern has no {name}")
            } else {
                format!("this pattern has the {name} twice")
            };
            return Err(wrong(problem).help("a date has one year, one month and one day, e.g. `dd/MM/yyyy`"));
        }
    }
    Ok(parts)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// That the text has this shape, its fields these lengths, and is a day that exists.
fn condition(expression: &str, shape: &[(Part, usize)]) -> String {
    let mut form = String::from("^");
    let mut from = 1;
    let (mut year, mut month, mut day) = (String::new(), String::new(), String::new());
    for (part, length) in shape {
        let field = format!("substring({expression}, {from}, {length})");
        match part {
            Part::Literal(text) => form.push_str(&regex::escape(text)),
            Part::MonthName => {
                form.extend(["(", &MONTHS.join("|"), ")"]);
                let names = MONTHS.concat();
                month = format!("CAST((instr('{names}', {field}) + 2) DIV 3 AS STRING)");
                month = format!("lpad({month}, 2, '0')");
            }
            Part::Field(letter, ..) => {
                let digits = match (letter, length) {
                    ('H', 1) => "[0-9]".to_owned(),
                    ('H', _) => "([01][0-9]|2[0-3])".to_owned(),
                    ('m' | 's', 2) => "[0-5][0-9]".to_owned(),
                    (_, length) => format!("[0-9]{{{length}}}"),
                };
                form.push_str(&digits);
                match letter {
                    'y' if *length == 2 => year = format!("concat('20', {field})"),
                    'y' => year = field,
                    'M' => month = format!("lpad({field}, 2, '0')"),
                    'd' => day = format!("lpad({field}, 2, '0')"),
                    _ => {}
                }
            }
        }
        from += length;
    }
    form.push_str(r"\z");
    format!(
        "(regexp_like({expression}, {}) AND TRY_CAST(concat({year}, '-', {month}, '-', {day}) AS DATE) IS NOT NULL)",
        kind::text_literal(&form)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_mean_something_else_are_refused() {
        for (pattern, part) in [("YYYY-MM-dd", "YYYY"), ("dd/MM", "no year"), ("yyyy-MM-dd 'T", "not closed")] {
            let problem = has_form("x", pattern, "").expect_err(pattern);
            assert!(problem.message.contains(part), "{pattern}: {}", problem.message);
        }
        assert_eq!(has_form("x", "d/M/yyyy", "").map(|sql| sql.matches(" OR ").count()), Ok(3));
    }
}
