//! Relationships of ODCS 3.1 as references to other tables.
//!
//! A relationship names an object and its properties: `customers.id`, or `schema/customers/properties/id`. Which table of
//! the project that is can be known where that table's contract is read from the same file; medc's own export says it in
//! the custom property `medc`. What cannot be known is told as unused.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::form::Relationship;
use super::{Reader, Target};
use crate::diagnostic::Site;
use crate::expectations::{Expectation, Options};

impl Reader<'_> {
    /// Reads the relationships of an object, or of its property `column`.
    pub(super) fn relationships(&mut self, relationships: &[Relationship], site: &Site, column: Option<&str>) {
        for (index, relationship) in relationships.iter().enumerate() {
            self.relationship(relationship, &site.element(index), column);
        }
    }

    fn relationship(&mut self, relationship: &Relationship, site: &Site, column: Option<&str>) {
        let target = column.map_or(Target::Table, Target::Column);
        let type_of = relationship.unused.get("type").and_then(Value::as_str);
        if type_of.is_some_and(|written| written != "foreignKey") {
            return self.ignore("a relationship that is no foreign key", site.member("type"));
        }
        if let Some((own, own_site)) = self.own(&relationship.custom_properties, site)
            && let Some(written) = own.get("expectation")
        {
            let site = own_site.member("expectation");
            match Expectation::deserialize(written) {
                Ok(expectation) => self.add(target, expectation, &site),
                Err(error) => self.rule_error(&site, &format!("{error}"), "write it as in a project file"),
            }
            return;
        }
        let to: Option<Vec<(&str, &str)>> = relationship.to.all().iter().map(|to| parts(to)).collect();
        let from: Vec<&str> = match (column, &relationship.from) {
            (Some(column), _) => vec![column],
            (None, Some(from)) => {
                from.all().iter().map(|from| parts(from).map_or(from.as_str(), |(_, own)| own)).collect()
            }
            (None, None) => {
                return self.rule_error(site, "the relationship says nowhere which properties it is of", "add `from`");
            }
        };
        let object = to.as_ref().and_then(|to| {
            let (object, _) = to.first()?;
            to.iter().all(|(other, _)| other == object).then_some(*object)
        });
        let table = object.and_then(|object| (self.surroundings.table_of)(object));
        let (Some(to), Some(table)) = (to, table) else {
            let what = format!("a relationship to `{}`, which no table keeps", relationship.to.all().join(", "));
            return self.ignore(what, site.member("to"));
        };
        if to.len() != from.len() {
            let message = "the relationship has not as many properties here as there";
            return self.rule_error(&site.member("to"), message, "name as many in `from` as in `to`");
        }
        let body = if let (Some(_), [(_, there)]) = (column, to.as_slice()) {
            json!({"table": table.to_string(), "column": there})
        } else {
            let mut columns = Map::new();
            for (own, (_, there)) in from.iter().zip(&to) {
                let Some(own) = self.column_called(own, &site.member("from")) else { return };
                columns.insert(own, Value::String((*there).to_owned()));
            }
            json!({"table": table.to_string(), "columns": columns})
        };
        self.expect(target, "references", body, Options::default(), site);
        self.place_last(target, "/references", site.member("to"));
    }
}

/// The object and the property of a reference within a file.
fn parts(reference: &str) -> Option<(&str, &str)> {
    let path = reference.rsplit_once('#').map_or(reference, |(_, path)| path).trim_start_matches('/');
    if let Some(path) = path.strip_prefix("schema/") {
        return path.split_once("/properties/");
    }
    path.split_once('.')
}
