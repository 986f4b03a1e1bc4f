//! What a rule compares its number with.
//!
//! ODCS's operators as one conjunction. `mustBeBetween` leaves its ends out: the standard says that it is the same as
//! `mustBeGreaterThan` and `mustBeLessThan` together.

use serde_json::Value;

use super::form::Quality;
use crate::kind;

/// A conjunction of comparisons of one number.
pub(super) struct Condition {
    comparisons: Vec<Comparison>,
    /// Whether the number is a share of the rows, 0 to 100.
    pub(super) is_percent: bool,
}

enum Comparison {
    Equal(Value),
    NotEqual(Value),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Outside(f64, f64),
}

impl Condition {
    /// The condition of a rule.
    ///
    /// # Errors
    /// A pointer into the rule, and what is wrong.
    pub(super) fn of(rule: &Quality) -> Result<Condition, (&'static str, String, String)> {
        let is_percent = match rule.unit.as_deref().map(str::to_lowercase).as_deref() {
            None | Some("rows" | "row") => false,
            Some("percent" | "%") => true,
            Some(other) => {
                let what = format!("`{other}` is no unit of a rule");
                return Err(("/unit", what, "write `rows` or `percent`".to_owned()));
            }
        };
        let numbers = [
            rule.must_be_greater_than.map(Comparison::Above),
            rule.must_be_greater_or_equal_to.map(Comparison::AtLeast),
            rule.must_be_less_than.map(Comparison::Below),
            rule.must_be_less_or_equal_to.map(Comparison::AtMost),
            rule.must_be_between.map(|[low, _]| Comparison::Above(low)),
            rule.must_be_between.map(|[_, high]| Comparison::Below(high)),
            rule.must_not_be_between.map(|[low, high]| Comparison::Outside(low, high)),
        ];
        let values = [rule.must_be.clone().map(Comparison::Equal), rule.must_not_be.clone().map(Comparison::NotEqual)];
        let comparisons: Vec<Comparison> = values.into_iter().chain(numbers).flatten().collect();
        if comparisons.is_empty() {
            let help = "add an operator, e.g. `mustBe: 0` or `mustBeLessThan: 100`".to_owned();
            return Err(("", "the rule does not say what its number must be".to_owned(), help));
        }
        for (pointer, pair) in
            [("/mustBeBetween", rule.must_be_between), ("/mustNotBeBetween", rule.must_not_be_between)]
        {
            if let Some([low, high]) = pair
                && low > high
            {
                let what = format!("nothing lies between {} and {}", number(low), number(high));
                return Err((pointer, what, format!("swap them: `[{}, {}]`", number(high), number(low))));
            }
        }
        Ok(Condition { comparisons, is_percent })
    }

    /// Whether it says that a count is zero.
    pub(super) fn is_none(&self) -> bool {
        match self.comparisons.as_slice() {
            [Comparison::Equal(Value::Number(zero))] => zero.as_f64() == Some(0.0),
            [Comparison::AtMost(most)] => *most == 0.0 || (!self.is_percent && (0.0..1.0).contains(most)),
            [Comparison::Below(below)] => !self.is_percent && *below > 0.0 && *below <= 1.0,
            _ => false,
        }
    }

    /// The least share of rows that hold, if it says that at most so many percent do not.
    pub(super) fn mostly(&self) -> Option<f64> {
        match self.comparisons.as_slice() {
            [Comparison::AtMost(percent)] if self.is_percent && *percent > 0.0 && *percent < 100.0 => {
                Some((100.0 - percent) / 100.0)
            }
            _ => None,
        }
    }

    /// The least and the greatest integer that keep it, if these say all of it.
    pub(super) fn integers(&self) -> Option<(u64, Option<u64>)> {
        let (mut low, mut high) = (0_u64, None);
        for comparison in &self.comparisons {
            match comparison {
                Comparison::Equal(value) => {
                    let exact = value.as_u64()?;
                    low = low.max(exact);
                    high = Some(high.map_or(exact, |high: u64| high.min(exact)));
                }
                Comparison::Above(above) => low = low.max(whole((above.floor() + 1.0).max(0.0))?),
                Comparison::AtLeast(least) => low = low.max(whole(least.ceil().max(0.0))?),
                Comparison::Below(below) => {
                    let most = whole(below.ceil() - 1.0)?;
                    high = Some(high.map_or(most, |high| high.min(most)));
                }
                Comparison::AtMost(most) => {
                    let most = whole(most.floor())?;
                    high = Some(high.map_or(most, |high| high.min(most)));
                }
                Comparison::NotEqual(_) | Comparison::Outside(..) => return None,
            }
        }
        high.is_none_or(|high| low <= high).then_some((low, high))
    }

    /// The condition on a SQL expression.
    pub(super) fn sql(&self, observed: &str) -> String {
        let parts = self.comparisons.iter().map(|comparison| match comparison {
            Comparison::Equal(value) => format!("{observed} = {}", literal(value)),
            Comparison::NotEqual(value) => format!("{observed} <> {}", literal(value)),
            Comparison::Above(bound) => format!("{observed} > {}", number(*bound)),
            Comparison::AtLeast(bound) => format!("{observed} >= {}", number(*bound)),
            Comparison::Below(bound) => format!("{observed} < {}", number(*bound)),
            Comparison::AtMost(bound) => format!("{observed} <= {}", number(*bound)),
            Comparison::Outside(low, high) => {
                format!("({observed} <= {} OR {observed} >= {})", number(*low), number(*high))
            }
        });
        parts.collect::<Vec<_>>().join(" AND ")
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => kind::text_literal(text),
        other => other.to_string(),
    }
}

/// A number as SQL and as people write it: without `.0`.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9e15 { format!("{value:.0}") } else { value.to_string() }
}

/// A float that is a count.
fn whole(value: f64) -> Option<u64> {
    // Beyond 2^53 a float is no exact count.
    (0.0..9e15).contains(&value).then(|| format!("{value:.0}").parse().ok()).flatten()
}
