//! Rules of ODCS as expectations.
//!
//! A metric that must be zero, or at most some percent, is the expectation that counts the same rows; any other condition on
//! it, and every `sql` rule, becomes a `query` that gives a row when the condition does not hold. A text is no rule, so it is
//! added to the description. Rules of other tools are told as unused.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::condition::Condition;
use super::form::{Form, Quality};
use super::{MEDC, Reader, Target};
use crate::diagnostic::{Fix, Site, code};
use crate::expectations::{Expectation, Options};
use crate::ir::Severity;
use crate::kind::{self, Problem};
use crate::name;

const METRICS: [&str; 5] = ["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"];
/// What options the custom property `medc` may give to a rule.
const OPTIONS: [&str; 4] = ["on_violation", "mostly", "where", "owner"];
/// The most rows that a table can have.
const MOST_ROWS: u64 = i64::MAX as u64;

impl Reader<'_> {
    pub(super) fn rules(&mut self, rules: &[Quality], site: &Site, target: Target<'_>) {
        for (index, rule) in rules.iter().enumerate() {
            self.rule(rule, &site.element(index), target);
        }
        if let Target::Table = target {
            self.join_row_counts();
        }
    }

    fn rule(&mut self, rule: &Quality, site: &Site, target: Target<'_>) {
        self.unused("a rule", &rule.unused, site);
        let own = self.own(&rule.custom_properties, site);
        if let Some((own, own_site)) = &own
            && let Some(expectation) = own.get("expectation")
        {
            return self.expectation(target, expectation, &own_site.member("expectation"));
        }
        let mut options = self.rule_options(rule, site);
        if let Some((own, own_site)) = own {
            for key in own.keys().filter(|key| !OPTIONS.contains(&key.as_str())) {
                self.wrong_own(key, &own_site);
            }
            match Options::deserialize(&Value::Object(own.clone())) {
                Ok(own) => {
                    options = Options {
                        on_violation: own.on_violation,
                        mostly: own.mostly,
                        filter: own.filter,
                        owner: own.owner,
                        ..options
                    };
                }
                Err(error) => self.rule_error(&own_site, &format!("{error}"), "write it as in a project file"),
            }
        }
        match rule.form {
            None | Some(Form::Library) => self.metric(rule, options, site, target),
            Some(Form::Sql) => self.sql(rule, options, site, target),
            Some(Form::Text) => self.text(rule, target),
            Some(Form::Custom) => self.custom(rule, site, target),
        }
    }

    fn rule_options(&mut self, rule: &Quality, site: &Site) -> Options {
        let word = rule.severity.as_deref().map(str::to_lowercase);
        let severity = match word.as_deref() {
            None => None,
            Some("critical" | "error" | "fatal" | "high" | "blocker") => Some(Severity::Critical),
            Some("warning" | "warn" | "medium" | "major") => Some(Severity::Warning),
            Some("info" | "low" | "minor") => Some(Severity::Info),
            Some(other) => {
                self.ignore(format!("the severity `{other}`"), site.member("severity"));
                None
            }
        };
        Options { severity, description: rule.description.clone(), ..Options::default() }
    }

    /// An expectation as a project file has it.
    fn expectation(&mut self, target: Target<'_>, written: &Value, site: &Site) {
        match Expectation::deserialize(written) {
            Ok(expectation) => self.add(target, expectation, site),
            Err(error) => {
                self.rule_error(site, &format!("{error}"), "write the expectation as in a project file");
            }
        }
    }

    fn text(&mut self, rule: &Quality, target: Target<'_>) {
        let Some(text) = &rule.description else { return };
        let description = match target {
            Target::Table => &mut self.read.description,
            Target::Column(column) => {
                let column = self.read.columns.get_mut(column).expect("columns are read before their rules");
                &mut column.description
            }
        };
        *description = Some(match description.take() {
            Some(before) => format!("{}\n{}", before.trim_end(), text.trim()),
            None => text.trim().to_owned(),
        });
    }

    fn custom(&mut self, rule: &Quality, site: &Site, target: Target<'_>) {
        let Some(engine) = &rule.engine else {
            return self.missing("engine", "the tool that evaluates the rule", site);
        };
        let Some(implementation) = &rule.implementation else {
            return self.missing("implementation", "the rule in the tool's language", site);
        };
        if engine.eq_ignore_ascii_case(MEDC) {
            return self.expectation(target, implementation, &site.member("implementation"));
        }
        self.ignore(format!("rules of the engine `{engine}`"), site.member("engine"));
    }

    fn missing(&mut self, key: &str, meaning: &str, site: &Site) {
        let problem = Problem::new(code::ODCS_RULE, "", format!("the rule has no `{key}`"));
        self.problem(site, problem.help(format!("add `{key}`: {meaning}")));
    }

    fn condition(&mut self, rule: &Quality, site: &Site) -> Option<Condition> {
        match Condition::of(rule) {
            Ok(condition) => Some(condition),
            Err((pointer, what, help)) => {
                self.problem(site, Problem::new(code::ODCS_RULE, pointer, what).help(help));
                None
            }
        }
    }

    fn metric(&mut self, rule: &Quality, options: Options, site: &Site, target: Target<'_>) {
        let (written, metric_site) = match (&rule.metric, &rule.rule) {
            (Some(metric), _) => (metric, site.member("metric")),
            (None, Some(rule)) => (rule, site.member("rule")),
            (None, None) => return self.missing("metric", &format!("one of {}", name::list(&METRICS)), site),
        };
        // The words of 3.0.
        let metric = match written.as_str() {
            "duplicateCount" | "uniqueCheck" => "duplicateValues",
            "nullCheck" | "nullCount" => "nullValues",
            "validValues" => "invalidValues",
            "countCheck" => "rowCount",
            other => other,
        };
        if !METRICS.contains(&metric) {
            let fix = name::nearest(metric, METRICS).map(Fix::value);
            let help = name::did_you_mean(metric, METRICS)
                .unwrap_or_else(|| format!("use one of {}, or a rule of `type: sql`", name::list(&METRICS)));
            let problem = Problem::new(code::ODCS_RULE, "", format!("the standard has no metric `{metric}`"));
            return self.problem(&metric_site, Problem { fix, ..problem.help(help) });
        }
        // Before 3.1 valid values were a rule without an operator.
        let condition = if written == "validValues" { None } else { Some(self.condition(rule, site)) };
        let condition = match condition {
            None => None,
            Some(Some(condition)) => Some(condition),
            Some(None) => return,
        };
        match (metric, target) {
            ("rowCount", Target::Table) => self.row_count(condition.as_ref(), options, site),
            ("duplicateValues", _) => self.duplicates(rule, condition.as_ref(), options, site, target),
            ("rowCount", Target::Column(_)) => self.rule_error(
                &metric_site,
                "`rowCount` counts the rows of an object and stands below a property",
                "move it to the object's `quality`",
            ),
            (_, Target::Column(column)) => self.values(metric, rule, column, condition.as_ref(), options, site),
            (_, Target::Table) => self.rule_error(
                &metric_site,
                &format!("`{metric}` counts the values of a property and stands below an object"),
                "move it to the property's `quality`",
            ),
        }
    }

    /// Metrics that count the rows whose value is wrong.
    fn values(
        &mut self,
        metric: &str,
        rule: &Quality,
        column: &str,
        condition: Option<&Condition>,
        options: Options,
        site: &Site,
    ) {
        let target = Target::Column(column);
        let none = condition.is_none_or(Condition::is_none);
        let mostly = options.mostly.or_else(|| condition.and_then(Condition::mostly));
        let holds = none || mostly.is_some();
        let with_mostly = Options { mostly, ..options.clone() };
        let quoted = kind::column(column);
        let arguments = rule.arguments.clone().unwrap_or_default();
        let here = site.member("arguments");
        for key in arguments.keys().filter(|key| !["missingValues", "validValues", "pattern"].contains(&key.as_str())) {
            self.ignore(format!("the argument `{key}` of `{metric}`"), here.member(key).key());
        }
        let wrong_rows = match metric {
            "nullValues" if holds => return self.expect(target, "not_null", json!({}), with_mostly, site),
            "nullValues" => format!("{quoted} IS NULL"),
            "missingValues" => {
                let Some(Value::Array(missing)) = arguments.get("missingValues") else {
                    return self.missing("arguments.missingValues", "the values that count as missing", site);
                };
                let (null, texts): (Vec<&Value>, Vec<&Value>) = missing.iter().partition(|value| value.is_null());
                if holds && mostly.is_none() {
                    if !null.is_empty() {
                        self.expect(target, "not_null", json!({}), with_mostly.clone(), site);
                    }
                    if !texts.is_empty() {
                        self.expect(target, "not_in", json!({"values": texts}), with_mostly, site);
                        self.place_last(target, "/not_in/values", here.member("missingValues"));
                    }
                    return;
                }
                let is_null = (!null.is_empty()).then(|| format!("{quoted} IS NULL"));
                let is_text = (!texts.is_empty()).then(|| format!("{quoted} IN ({})", literals(&texts)));
                let parts: Vec<String> = is_null.into_iter().chain(is_text).collect();
                if holds {
                    let sql = format!("NOT coalesce({}, false)", parts.join(" OR "));
                    return self.expect(target, "expression", json!({"sql": sql}), with_mostly, site);
                }
                parts.join(" OR ")
            }
            _ => {
                let valid =
                    rule.valid_values.clone().map(Value::Array).or_else(|| arguments.get("validValues").cloned());
                let pattern = arguments.get("pattern").or_else(|| rule.unused.get("pattern"));
                match (valid, pattern) {
                    (Some(valid), None) if holds => {
                        self.expect(target, "accepted_values", json!({"values": valid}), with_mostly, site);
                        let there = if rule.valid_values.is_some() { site.clone() } else { here };
                        return self.place_last(target, "/accepted_values/values", there.member("validValues"));
                    }
                    (None, Some(pattern)) if holds => {
                        self.expect(target, "matches", json!({"regex": pattern}), with_mostly, site);
                        return self.place_last(target, "/matches/regex", here.member("pattern"));
                    }
                    (Some(Value::Array(valid)), None) => {
                        format!("{quoted} NOT IN ({})", literals(&valid.iter().collect::<Vec<_>>()))
                    }
                    (None, Some(Value::String(pattern))) => {
                        format!("NOT regexp_like({quoted}, {})", kind::text_literal(pattern))
                    }
                    _ => {
                        let help = "add one of `validValues` (a list) and `pattern` (a text) to `arguments`";
                        return self.rule_error(site, "`invalidValues` does not say what is valid", help);
                    }
                }
            }
        };
        let Some(condition) = condition else { return };
        let Some(object) = self.own_table(site) else { return };
        let counted = if condition.is_percent {
            format!("100 * CAST(sum(CASE WHEN {wrong_rows} THEN 1 ELSE 0 END) AS DOUBLE) / nullif(count(*), 0)")
        } else {
            format!("count(CASE WHEN {wrong_rows} THEN 1 END)")
        };
        let sql = format!(
            "SELECT observed FROM (SELECT {counted} AS observed FROM {object}) AS counted WHERE NOT ({})",
            condition.sql("observed")
        );
        self.expect(target, "query", json!({"sql": sql}), options, site);
    }

    fn duplicates(
        &mut self,
        rule: &Quality,
        condition: Option<&Condition>,
        options: Options,
        site: &Site,
        target: Target<'_>,
    ) {
        let mut columns = Vec::new();
        if let Some(Value::Array(properties)) =
            rule.arguments.as_ref().and_then(|arguments| arguments.get("properties"))
        {
            let here = site.member("arguments").member("properties");
            for (index, property) in properties.iter().enumerate() {
                let wanted = property.as_str().unwrap_or_default();
                match self.column_called(wanted, &here.element(index)) {
                    Some(column) => columns.push(column),
                    None => return,
                }
            }
        }
        let body = match (target, columns.is_empty()) {
            (Target::Table, true) => {
                return self.missing("arguments.properties", "the properties that are unique together", site);
            }
            (Target::Column(column), true) => {
                columns.push(column.to_owned());
                json!({})
            }
            (_, false) => json!({"columns": columns}),
        };
        let mostly = options.mostly.or_else(|| condition.and_then(Condition::mostly));
        if condition.is_none_or(Condition::is_none) || mostly.is_some() {
            return self.expect(target, "unique", body, Options { mostly, ..options }, site);
        }
        let Some(condition) = condition else { return };
        let Some(object) = self.own_table(site) else { return };
        let quoted: Vec<String> = columns.iter().map(|column| kind::column(column)).collect();
        let keys = quoted.join(", ");
        let present: Vec<String> = quoted.iter().map(|column| format!("{column} IS NOT NULL")).collect();
        let repeated = format!("SELECT count(*) AS n FROM {object} WHERE {} GROUP BY {keys}", present.join(" AND "));
        let n_repeated = "sum(CASE WHEN n > 1 THEN n ELSE 0 END)";
        let counted = if condition.is_percent {
            format!("100 * CAST({n_repeated} AS DOUBLE) / nullif(sum(n), 0)")
        } else {
            format!("coalesce({n_repeated}, 0)")
        };
        let sql = format!(
            "SELECT observed FROM (SELECT {counted} AS observed FROM ({repeated}) AS keys) AS counted WHERE NOT ({})",
            condition.sql("observed")
        );
        self.expect(target, "query", json!({"sql": sql}), options, site);
    }

    fn row_count(&mut self, condition: Option<&Condition>, options: Options, site: &Site) {
        let Some(condition) = condition else { return };
        if condition.is_percent {
            return self.rule_error(&site.member("unit"), "a number of rows is no percentage", "remove `unit`");
        }
        let target = Target::Table;
        match condition.integers() {
            Some((exact, Some(high))) if exact == high => {
                self.expect(target, "row_count", json!({"equal": exact}), options, site);
            }
            Some((low, high)) => {
                let between = json!({"between": [low, high.unwrap_or(MOST_ROWS)]});
                self.expect(target, "row_count", between, options, site);
            }
            None => {
                let Some(object) = self.own_table(site) else { return };
                let sql = format!(
                    "SELECT observed FROM (SELECT count(*) AS observed FROM {object}) AS counted WHERE NOT ({})",
                    condition.sql("observed")
                );
                self.expect(target, "query", json!({"sql": sql}), options, site);
            }
        }
    }

    /// A least and a greatest number of rows in two rules, since a rule has one operator, are one expectation.
    fn join_row_counts(&mut self) {
        let bounds = |expectation: &Expectation| {
            let between = expectation.body().get("between")?.as_array()?;
            (expectation.kind() == "row_count").then_some((between.first()?.as_u64()?, between.get(1)?.as_u64()?))
        };
        let mut index = 0;
        while index + 1 < self.read.expect.len() {
            let (first, second) = (&self.read.expect[index], &self.read.expect[index + 1]);
            let joined = match (bounds(first), bounds(second)) {
                (Some((low, MOST_ROWS)), Some((0, high))) if high < MOST_ROWS && low <= high => Some((low, high)),
                _ => None,
            };
            if let Some((low, high)) = joined.filter(|_| first.options == second.options) {
                let body = Map::from_iter([("between".to_owned(), json!([low, high]))]);
                let options = first.options.clone();
                self.read.expect[index] = Expectation::new("row_count", body, options).expect("a known kind");
                self.read.expect.remove(index + 1);
                let (own, after) = (format!("/expect/{}", index + 1), index + 1);
                self.places.retain(|(pointer, _)| *pointer != own && !pointer.starts_with(&format!("{own}/")));
                for (pointer, _) in &mut self.places {
                    *pointer = moved_up(pointer, after);
                }
            }
            index += 1;
        }
    }

    fn sql(&mut self, rule: &Quality, options: Options, site: &Site, target: Target<'_>) {
        let Some(query) = &rule.query else {
            return self.missing("query", "a query that gives one number", site);
        };
        let Some(condition) = self.condition(rule, site) else { return };
        let mut query = query.trim().trim_end_matches(';').trim_end().to_owned();
        for word in ["object", "table", "schema.name"] {
            for placeholder in [format!("${{{word}}}"), format!("{{{word}}}")] {
                if query.contains(&placeholder) {
                    let Some(object) = self.own_table(site) else { return };
                    query = query.replace(&placeholder, &object);
                }
            }
        }
        if let Target::Column(column) = target {
            for word in ["property", "column"] {
                for placeholder in [format!("${{{word}}}"), format!("{{{word}}}")] {
                    query = query.replace(&placeholder, &kind::column(column));
                }
            }
        }
        let sql = format!(
            "SELECT observed FROM ({query}) AS observation(observed) WHERE NOT coalesce({}, false)",
            condition.sql("observed")
        );
        self.expect(target, "query", json!({"sql": sql}), options, site);
        // The query is part of a longer one, whose bytes are not those of the file: below the text there is no address, so
        // all of it is shown.
        self.place_last(target, "/query/sql", site.member("query").member("sql"));
    }

    /// The table that keeps the contract, for rules that name it.
    fn own_table(&mut self, site: &Site) -> Option<String> {
        match self.surroundings.tables {
            [only] => Some(only.to_string()),
            // No table keeps it, so the rule is never evaluated; it has a name all the same.
            [] => Some(self.object.physical_name.clone().unwrap_or_else(|| self.object.name.clone())),
            several => {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                let message = format!("the rule names its table, and {} keep the contract", name::list(&names));
                self.rule_error(site, &message, "give each table a contract of its own; both can name this file");
                None
            }
        }
    }
}

/// A pointer into `expect` after the element `removed` has gone.
fn moved_up(pointer: &str, removed: usize) -> String {
    let Some(rest) = pointer.strip_prefix("/expect/") else { return pointer.to_owned() };
    let (index, inner) = rest.split_once('/').map_or((rest, None), |(index, inner)| (index, Some(inner)));
    match (index.parse::<usize>(), inner) {
        (Ok(index), Some(inner)) if index > removed => format!("/expect/{}/{inner}", index - 1),
        (Ok(index), None) if index > removed => format!("/expect/{}", index - 1),
        _ => pointer.to_owned(),
    }
}

fn literals(values: &[&Value]) -> String {
    let literal = |value: &&Value| match value {
        Value::String(text) => kind::text_literal(text),
        other => other.to_string(),
    };
    values.iter().map(literal).collect::<Vec<_>>().join(", ")
}
