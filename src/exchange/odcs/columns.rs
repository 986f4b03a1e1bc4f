//! An object's properties as a contract's columns.
//!
//! A column is called by its physical name, where it has one. `required` and the primary key become the column's own keys,
//! `unique` and the options of the logical type expectations; a classification becomes a tag, so that `pii` masks.

use serde_json::{Map, Value, json};

use super::form::{LogicalType, Property};
use super::{Reader, Target, types};
use crate::diagnostic::{Site, code, join_pointer};
use crate::expectations::Options;
use crate::kind::{self, Problem};
use crate::name;
use crate::spec::ContractColumn;

impl Reader<'_> {
    pub(super) fn columns(&mut self) {
        let object = self.object;
        let here = self.here.member("properties");
        for (index, property) in object.properties.iter().enumerate() {
            self.column(property, &here.element(index));
        }
        self.key_order();
    }

    fn column(&mut self, property: &Property, site: &Site) {
        let name = column_name(property).to_owned();
        if name.is_empty() {
            return self.problem(
                site,
                Problem::new(code::MISSING_KEY, "", "`name` is missing").help("add `name`, the column's name"),
            );
        }
        let name_site = site.member(if property.physical_name.is_some() { "physicalName" } else { "name" });
        if self.read.columns.keys().any(|other| name::same(other, &name)) {
            let twice = Problem::new(code::CONTRACT_FORM, "", format!("the column `{name}` stands twice"));
            return self.problem(&name_site, twice.help("rename or remove one of them"));
        }
        self.unused("a property", &property.unused, site);
        let typed = match types::of(property) {
            Ok(typed) => typed,
            Err((pointer, what, help)) => {
                return self.problem(site, Problem::new(code::BAD_TYPE, pointer, what).help(help));
            }
        };
        for (pointer, what) in typed.ignored {
            self.ignore(what, site.descend(&pointer));
        }
        let is_key = property.primary_key == Some(true);
        let pointer = join_pointer("/columns", &name);
        // An address below a scalar is shown as that scalar: the column's place is its name.
        self.places.push((pointer.clone(), name_site.member("column")));
        let type_key = if property.physical_type.is_some() { "physicalType" } else { "logicalType" };
        for (key, theirs) in [("type", type_key), ("primary_key", "primaryKey"), ("nullable", "required")] {
            self.places.push((join_pointer(&pointer, key), site.member(theirs)));
        }
        self.read.columns.insert(
            name.clone(),
            ContractColumn {
                data_type: typed.data_type.to_string(),
                nullable: (property.required == Some(true) && !is_key).then_some(false),
                primary_key: is_key,
                description: property.description.clone(),
                tags: tags(property),
                expect: Vec::new(),
            },
        );
        let target = Target::Column(&name);
        if property.unique == Some(true) {
            self.expect(target, "unique", json!({}), Options::default(), &site.member("unique"));
        }
        self.options(property, target, site);
        if self.own(&property.custom_properties, site).is_some() {
            self.rule_error(&site.member("customProperties"), "columns have no custom property `medc`", "remove it");
        }
        self.relationships(&property.relationships, &site.member("relationships"), Some(&name));
        self.rules(&property.quality, &site.member("quality"), target);
    }

    /// `primaryKeyPosition` says nothing that columns in another order could not contradict.
    fn key_order(&mut self) {
        let object = self.object;
        let keys = object.properties.iter().enumerate().filter(|(_, property)| property.primary_key == Some(true));
        let mut last = 0;
        for (index, property) in keys {
            let Some(position) = property.primary_key_position.filter(|position| *position > 0) else { continue };
            if position < last {
                let site = self.here.member("properties").element(index).member("primaryKeyPosition");
                self.ignore("an order of key columns other than that of the columns", site);
            }
            last = position;
        }
        for (index, property) in object.properties.iter().enumerate() {
            if property.primary_key != Some(true) && property.primary_key_position.is_some_and(|position| position > 0)
            {
                let site = self.here.member("properties").element(index).member("primaryKeyPosition");
                self.ignore("`primaryKeyPosition` of a property without `primaryKey: true`", site);
            }
        }
    }

    /// Bounds and forms of a column's values.
    fn options(&mut self, property: &Property, target: Target<'_>, site: &Site) {
        let Some(options) = &property.logical_type_options else { return };
        let here = site.member("logicalTypeOptions");
        self.bounds(options, target, &here);
        let length: Map<String, Value> = [("minLength", "min"), ("maxLength", "max")]
            .into_iter()
            .filter_map(|(theirs, ours)| Some((ours.to_owned(), options.get(theirs)?.clone())))
            .collect();
        if !length.is_empty() {
            self.expect(target, "length", Value::Object(length), Options::default(), &here);
            self.place_last(target, "/length/min", here.member("minLength"));
            self.place_last(target, "/length/max", here.member("maxLength"));
        }
        if let Some(pattern) = options.get("pattern") {
            self.expect(target, "matches", json!({"regex": pattern}), Options::default(), &here.member("pattern"));
            self.place_last(target, "/matches/regex", here.member("pattern"));
        }
        if let Some(divisor) = options.get("multipleOf") {
            let sql = format!("{} % {divisor} = 0", kind::column(column_name(property)));
            self.expect(target, "expression", json!({"sql": sql}), Options::default(), &here.member("multipleOf"));
        }
        let is_number = matches!(property.logical_type, Some(LogicalType::Integer | LogicalType::Number));
        for key in options.keys() {
            match key.as_str() {
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minLength" | "maxLength"
                | "pattern" | "multipleOf" => {}
                "defaultTimezone" => self.timezone(&options["defaultTimezone"], here.member("defaultTimezone")),
                // They chose the type.
                "timezone" => {}
                "format" if is_number => {}
                other => self.ignore(format!("`{other}` of a logical type"), here.member(other).key()),
            }
        }
    }

    /// A contract has one zone in which texts without one are read; the standard has one a column.
    fn timezone(&mut self, zone: &Value, site: Site) {
        match (zone.as_str(), &self.read.timezone) {
            (Some(zone), None) => {
                self.read.timezone = Some(zone.to_owned());
                self.places.push(("/timezone".to_owned(), site));
            }
            (Some(zone), Some(other)) if zone == other => {}
            _ => self.ignore("a `defaultTimezone` other than that of the first column", site),
        }
    }

    /// Since 3.1 an exclusive bound is a value; before, it said whether the other bound is.
    fn bounds(&mut self, options: &Map<String, Value>, target: Target<'_>, here: &Site) {
        let mut body = Map::new();
        let mut places = Vec::new();
        for (ours, theirs, exclusive) in
            [("min", "minimum", "exclusiveMinimum"), ("max", "maximum", "exclusiveMaximum")]
        {
            let (value, key, is_exclusive) = match (options.get(theirs), options.get(exclusive)) {
                (None, None | Some(Value::Bool(_) | Value::Null)) => continue,
                (Some(value), Some(Value::Bool(true))) => (value, theirs, true),
                (Some(value), None | Some(Value::Bool(false) | Value::Null)) => (value, theirs, false),
                (None, Some(value)) => (value, exclusive, true),
                (Some(_), Some(_)) => {
                    let message = format!("`{theirs}` and `{exclusive}` are two bounds on the same side");
                    self.rule_error(&here.member(exclusive), &message, "keep one of them");
                    continue;
                }
            };
            body.insert(ours.to_owned(), value.clone());
            if is_exclusive {
                body.insert(format!("exclusive_{ours}"), Value::Bool(true));
            }
            places.push((format!("/between/{ours}"), here.member(key)));
        }
        if body.is_empty() {
            return;
        }
        self.expect(target, "between", Value::Object(body), Options::default(), here);
        for (pointer, site) in places {
            self.place_last(target, &pointer, site);
        }
    }

    /// The column that a name in the file means; `None` after having reported that there is none.
    pub(super) fn column_called(&mut self, wanted: &str, site: &Site) -> Option<String> {
        let object = self.object;
        let is_meant = |property: &&Property| {
            let names = [Some(&property.name), property.physical_name.as_ref(), property.id.as_ref()];
            names.into_iter().flatten().any(|other| name::same(other, wanted))
        };
        if let Some(found) = object.properties.iter().find(is_meant) {
            return Some(column_name(found).to_owned());
        }
        let names = object.properties.iter().map(|property| property.name.as_str());
        let missing = Problem::new(code::ODCS_RULE, "", format!("the object has no property `{wanted}`"));
        let help = name::did_you_mean(wanted, names.clone()).unwrap_or_else(|| "name one of its properties".to_owned());
        let fix = name::nearest(wanted, names).map(crate::diagnostic::Fix::value);
        self.problem(site, Problem { fix, ..missing.help(help) });
        None
    }
}

fn column_name(property: &Property) -> &str {
    property.physical_name.as_deref().unwrap_or(&property.name)
}

/// The tags, with the classification as one of them.
fn tags(property: &Property) -> Vec<String> {
    let mut tags = property.tags.clone().unwrap_or_default();
    if let Some(classification) = &property.classification {
        let word = classification.to_lowercase();
        if !tags.iter().any(|tag| tag.to_lowercase() == word) {
            tags.push(word);
        }
    }
    tags
}
