//! A least and a greatest value: that something lies between them, and their SQL.

use crate::diagnostic::code;
use crate::ir::DataType;
use crate::kind::{self, Problem, Scalar};

use super::values;

/// Bounds as written, each possibly excluded itself.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) min: Option<Scalar>,
    pub(super) max: Option<Scalar>,
    pub(super) exclusive_min: bool,
    pub(super) exclusive_max: bool,
}

impl Bounds {
    pub(super) fn of_numbers(
        min: Option<serde_json::Number>,
        max: Option<serde_json::Number>,
        exclusive_min: bool,
        exclusive_max: bool,
    ) -> Self {
        Bounds { min: min.map(Scalar::Number), max: max.map(Scalar::Number), exclusive_min, exclusive_max }
    }

    pub(super) fn inclusive(min: Option<serde_json::Number>, max: Option<serde_json::Number>) -> Self {
        Bounds::of_numbers(min, max, false, false)
    }

    /// # Errors
    /// `resolve::expectation` when there is no bound, one is of another type than what it bounds, or nothing lies between
    /// them.
    pub(super) fn check(&self, kind: &str, subject: &str, data_type: Option<&DataType>) -> Result<(), Problem> {
        let Bounds { min, max, exclusive_min, exclusive_max } = self;
        if min.is_none() && max.is_none() {
            let problem = format!("`{kind}` has neither `min` nor `max`");
            return Err(Problem::new(code::EXPECTATION, "", problem)
                .help(format!("give at least one bound, e.g. `{kind}: {{min: 0}}`")));
        }
        for (bound, pointer) in [(min, "/min"), (max, "/max")] {
            if let Some(bound) = bound {
                values::check(bound, pointer, subject, data_type)?;
            }
        }
        for (bound, excluded, pointer) in
            [(min, *exclusive_min, "/exclusive_min"), (max, *exclusive_max, "/exclusive_max")]
        {
            if bound.is_none() && excluded {
                let key = pointer.trim_start_matches("/exclusive_");
                let problem = format!("`exclusive_{key}` without `{key}` says nothing");
                return Err(
                    Problem::new(code::EXPECTATION, pointer, problem).help(format!("remove it, or add `{key}`"))
                );
            }
        }
        let (Some(low), Some(high)) = (min, max) else { return Ok(()) };
        match order(low, high) {
            Some(std::cmp::Ordering::Greater) => {
                Err(Problem::new(code::EXPECTATION, "/min", format!("nothing lies between {low} and {high}"))
                    .help(format!("swap them: `min: {high}, max: {low}`")))
            }
            Some(std::cmp::Ordering::Equal) if *exclusive_min || *exclusive_max => {
                let pointer = if *exclusive_min { "/exclusive_min" } else { "/exclusive_max" };
                let problem = format!("nothing lies between {low} and {high} without the bounds themselves");
                Err(Problem::new(code::EXPECTATION, pointer, problem)
                    .help("write `false`")
                    .fix(crate::diagnostic::Fix::Source("false".to_owned())))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// That `expression` lies within the bounds.
    pub(super) fn holds(&self, expression: &str, data_type: Option<&DataType>) -> String {
        let [min, max] = self.sides().map(|(bound, word, _)| {
            bound.map(|bound| format!("{expression} {word} {}", kind::scalar_literal(bound, data_type)))
        });
        [min, max].into_iter().flatten().collect::<Vec<_>>().join(" AND ")
    }

    /// That `expression` lies outside of them.
    pub(super) fn violated(&self, expression: &str, data_type: Option<&DataType>) -> String {
        let [min, max] = self.sides().map(|(bound, _, word)| {
            bound.map(|bound| format!("{expression} {word} {}", kind::scalar_literal(bound, data_type)))
        });
        [min, max].into_iter().flatten().collect::<Vec<_>>().join(" OR ")
    }

    /// For people, e.g. `amount >= 0 and <= 10`.
    pub(super) fn label(&self, what: &str) -> String {
        let [min, max] = self.sides().map(|(bound, word, _)| bound.map(|bound| format!("{word} {bound}")));
        let sides: Vec<String> = [min, max].into_iter().flatten().collect();
        format!("{what} {}", sides.join(" and "))
    }

    /// Per side the bound, the comparison that keeps it and the one that breaks it.
    fn sides(&self) -> [(Option<&Scalar>, &'static str, &'static str); 2] {
        let (above, not_above) = if self.exclusive_min { (">", "<=") } else { (">=", "<") };
        let (below, not_below) = if self.exclusive_max { ("<", ">=") } else { ("<=", ">") };
        [(self.min.as_ref(), above, not_above), (self.max.as_ref(), below, not_below)]
    }
}

/// How two bounds of one sort stand to each other; texts by their characters, which is right for ISO dates.
fn order(low: &Scalar, high: &Scalar) -> Option<std::cmp::Ordering> {
    match (low, high) {
        (Scalar::Number(low), Scalar::Number(high)) => low.as_f64()?.partial_cmp(&high.as_f64()?),
        (Scalar::Text(low), Scalar::Text(high)) => match (low.parse::<f64>(), high.parse::<f64>()) {
            (Ok(low), Ok(high)) => low.partial_cmp(&high),
            _ => Some(low.cmp(high)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_become_conditions_on_both_sides() {
        let number = |value: i64| Some(serde_json::Number::from(value));
        let bounds = Bounds::of_numbers(number(0), number(10), false, true);
        assert_eq!(bounds.holds("x", None), "x >= 0 AND x < 10");
        assert_eq!(bounds.violated("x", None), "x < 0 OR x >= 10");
        assert_eq!(bounds.label("amount"), "amount >= 0 and < 10");
        assert!(bounds.check("between", "x", None).is_ok());
        assert!(Bounds::of_numbers(number(3), number(3), true, false).check("between", "x", None).is_err());
    }
}
