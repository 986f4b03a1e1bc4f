//! Service levels as expectations: `latency` is a freshness.
//!
//! The standard prefers `latency` to `freshness`; both say how old the newest value of an element may be. Other levels
//! are about how a table is served, not about its rows.

use serde_json::{Value, json};

use super::form::{DataContract, ServiceLevel};
use super::{Reader, Target};
use crate::diagnostic::Site;
use crate::expectations::Options;
use crate::name;

impl Reader<'_> {
    pub(super) fn service_levels(&mut self, contract: &DataContract) {
        let site = self.root.member("slaProperties");
        for (index, level) in contract.sla_properties.iter().enumerate() {
            let here = site.element(index);
            match level.property.to_lowercase().as_str() {
                "latency" | "ly" | "freshness" => {
                    let element = level.element.as_ref().or(contract.sla_default_element.as_ref());
                    self.latency(level, element.map(String::as_str), &here);
                }
                _ => self.ignore(format!("the service level `{}`", level.property), here.member("property")),
            }
        }
    }

    fn latency(&mut self, level: &ServiceLevel, element: Option<&str>, site: &Site) {
        let Some(element) = element else {
            return self
                .ignore(format!("the service level `{}` of no element", level.property), site.member("property"));
        };
        self.unused("a service level", &level.unused, site);
        for element in element.split(',').map(str::trim) {
            let wanted = match element.rsplit_once('.') {
                Some((object, _)) if !self.is_own(object) => continue,
                Some((_, property)) => property,
                None => element,
            };
            let at = site.member(if level.element.is_some() { "element" } else { "property" });
            let Some(column) = self.column_called(wanted, &at) else { continue };
            let Some(within) = duration(&level.value, level.unit.as_deref()) else {
                let message = format!("the service level `{}` is no duration that medc knows", level.property);
                self.rule_error(&site.member("value"), &message, "write a whole number, and `unit`: `d`, `h` or `m`");
                return;
            };
            let options = Options { description: level.description.clone(), ..Options::default() };
            let target = Target::Column(&column);
            self.expect(target, "freshness", json!({"within": within}), options, site);
            self.place_last(target, "/freshness/within", site.member("value"));
        }
    }

    fn is_own(&self, object: &str) -> bool {
        let names = [Some(&self.object.name), self.object.physical_name.as_ref(), self.object.id.as_ref()];
        names.into_iter().flatten().any(|own| name::same(own, object))
    }
}

/// A duration in medc's words. Days without a unit, as the standard's examples have them. A year is 365 days and a month
/// 30: how old data may be needs no calendar.
fn duration(value: &Value, unit: Option<&str>) -> Option<String> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| *number > 0)?;
    Some(match unit.unwrap_or("d").trim().to_lowercase().as_str() {
        "d" | "day" | "days" => format!("{number}d"),
        "h" | "hr" | "hrs" | "hour" | "hours" => format!("{number}h"),
        "m" | "min" | "mins" | "minute" | "minutes" => format!("{number}m"),
        "s" | "sec" | "secs" | "second" | "seconds" => format!("{number}s"),
        "w" | "wk" | "week" | "weeks" => format!("{number}w"),
        "mo" | "month" | "months" => format!("{}d", number.checked_mul(30)?),
        "y" | "yr" | "year" | "years" => format!("{}d", number.checked_mul(365)?),
        _ => return None,
    })
}
