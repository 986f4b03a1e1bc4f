//! Open Data Contract Standard files as contracts.
//!
//! In: a file that has the form of [`DataContract`], and which of its objects is meant. Out: the [`spec::Contract`] that a
//! person would have written for it, and the place in the file of each of its parts. Nothing is passed over in silence:
//! a key that medc does not use is a warning, told once with its first place; a rule that medc cannot check is an
//! error, except for those of other tools, which are warnings. `docs/odcs.md` is the table of what becomes what.
//!
//! What medc alone can say stands in the custom property `medc`, and in custom rules of the engine `medc`: medc's export
//! writes these, so that the way there and back loses nothing.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code, join_pointer};
use crate::expectations::{Expectation, Options};
use crate::ir::OnViolation;
use crate::kind::Problem;
use crate::name::{self, TableName};
use crate::spec;

mod columns;
mod condition;
mod form;
mod quality;
mod relationships;
mod service_levels;
mod types;

pub use form::DataContract;
use form::{CustomProperty, Object, Team, Unused};

/// The custom property, and the engine of custom rules, for what ODCS has no words for.
pub const MEDC: &str = "medc";

/// The version of a contract that has none.
pub const NO_VERSION: &str = "0.0.0";

/// Versions of the standard that are known; all of 3.x have this form.
const VERSIONS: [&str; 4] = ["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"];

/// A contract that was read.
#[derive(Debug)]
pub struct Imported {
    pub contract: spec::Contract,
    /// Pointers into the contract, and where these parts stand in the file.
    pub places: Vec<(String, Site)>,
}

/// What the project knows of the file's objects.
pub struct Surroundings<'a> {
    /// The tables that keep the contract.
    pub tables: &'a [TableName],
    /// The table that keeps the contract of another object of the same file.
    pub table_of: &'a dyn Fn(&str) -> Option<TableName>,
}

/// The object that is wanted, and where that is said.
pub struct Wanted<'a> {
    pub object: Option<&'a str>,
    /// Where the file is named.
    pub site: Site,
    /// Where the object is named.
    pub object_site: Site,
}

/// Reads one object of a file as a contract.
///
/// # Errors
/// `resolve::odcs-version`, `resolve::odcs-object`, `resolve::odcs-rule`, `resolve::bad-type`.
pub fn import(
    file: &Value,
    root: &Site,
    wanted: &Wanted<'_>,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Imported, Reported> {
    let contract = DataContract::deserialize(file).map_err(|error| {
        let message = format!("the file cannot be read as a data contract: {error}");
        diagnostics.error(Diagnostic::error(code::WRONG_VALUE, message).at(root.clone(), "").help("correct it"))
    })?;
    check_version(&contract, root, diagnostics)?;
    let index = find(&contract.schema, wanted, root, diagnostics)?;
    let object = &contract.schema[index];
    let mut reader = Reader {
        root: root.clone(),
        here: root.member("schema").element(index),
        object,
        surroundings,
        read: spec::Contract {
            odcs: None,
            object: None,
            version: None,
            description: object.description.clone(),
            owner: None,
            columns: IndexMap::new(),
            on_cast_failure: OnViolation::Fail,
            timezone: None,
            freshness: None,
            expect: Vec::new(),
        },
        places: Vec::new(),
        ignored: IndexMap::new(),
        diagnostics,
    };
    let n_errors = reader.diagnostics.n_errors();
    reader.head(&contract);
    reader.columns();
    reader.object();
    reader.service_levels(&contract);
    reader.tell_ignored();
    let Reader { read, places, diagnostics, .. } = reader;
    if diagnostics.n_errors() > n_errors {
        return Err(diagnostics.stop_on_error().expect_err("an error was reported"));
    }
    Ok(Imported { contract: read, places })
}

fn check_version(contract: &DataContract, root: &Site, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
    let version = contract.api_version.as_str();
    if VERSIONS.contains(&version) {
        return Ok(());
    }
    let site = root.member("apiVersion");
    let message = format!("`{version}` of the Open Data Contract Standard is not known");
    if version.starts_with("v3.") {
        diagnostics.warn(
            Diagnostic::warning(code::ODCS_VERSION, message)
                .at(site, "")
                .note("it is read as v3.1.0; what is new in it is told as unused")
                .help("write `v3.1.0` if the file keeps that"),
        );
        return Ok(());
    }
    Err(diagnostics.error(
        Diagnostic::error(code::ODCS_VERSION, message)
            .at(site, "")
            .note("medc reads v3.0.0 to v3.1.0, whose form differs from earlier ones")
            .help("bring the file to the form of `v3.1.0`"),
    ))
}

/// The place of the wanted object.
fn find(
    objects: &[Object],
    wanted: &Wanted<'_>,
    root: &Site,
    diagnostics: &mut Diagnostics,
) -> Result<usize, Reported> {
    let names: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    let found = match (wanted.object, objects) {
        (_, []) => {
            let missing = Diagnostic::error(code::ODCS_OBJECT, "the file describes no object");
            return Err(diagnostics.error(
                missing
                    .at(root.clone(), "")
                    .at(wanted.site.clone(), "its columns are wanted here")
                    .help("add the table below `schema`, with its columns below `properties`"),
            ));
        }
        (None, [_]) => return Ok(0),
        (None, _) => Diagnostic::error(code::ODCS_OBJECT, "the file describes several objects, and none is named")
            .at(wanted.site.clone(), "")
            .help(format!("add `object`, one of {}", name::list(&names))),
        (Some(object), _) => {
            let is_meant = |other: &Object| {
                let others = [Some(&other.name), other.physical_name.as_ref(), other.id.as_ref()];
                others.into_iter().flatten().any(|other| name::same(other, object))
            };
            if let Some(index) = objects.iter().position(is_meant) {
                return Ok(index);
            }
            let fix = name::nearest(object, names.iter().copied()).map(crate::diagnostic::Fix::value);
            let help = name::did_you_mean(object, names.iter().copied())
                .unwrap_or_else(|| format!("the file has {}", name::list(&names)));
            let missing = Diagnostic::error(code::ODCS_OBJECT, format!("the file has no object `{object}`"));
            Diagnostic { fix, ..missing.at(wanted.object_site.clone(), "").help(help) }
        }
    };
    Err(diagnostics.error(found))
}

/// One object on its way to a contract.
struct Reader<'a> {
    /// The file.
    root: Site,
    /// The object.
    here: Site,
    object: &'a Object,
    surroundings: &'a Surroundings<'a>,
    read: spec::Contract,
    places: Vec<(String, Site)>,
    /// What is not used, in words, with its first place and how often it stands there.
    ignored: IndexMap<String, (Site, usize)>,
    diagnostics: &'a mut Diagnostics,
}

/// What an expectation is added to.
#[derive(Clone, Copy)]
enum Target<'a> {
    Table,
    Column(&'a str),
}

impl Reader<'_> {
    /// What the file says of all its objects.
    fn head(&mut self, contract: &DataContract) {
        self.unused("the contract", &contract.unused, &self.root.clone());
        let parts: Vec<&str> = contract.version.split('.').collect();
        let is_semantic = parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.parse::<u32>().is_ok());
        let version = self.root.member("version");
        if contract.version == NO_VERSION {
            // What medc writes for a contract that has none, since the standard demands one.
        } else if is_semantic {
            self.read.version = Some(contract.version.clone());
            self.places.push(("/version".to_owned(), version));
        } else {
            self.ignore(format!("the version `{}` (it is not three numbers, e.g. `1.0.0`)", contract.version), version);
        }
        if !contract.status.eq_ignore_ascii_case("active") {
            let status = format!("the status `{}` (medc holds every contract that a table names)", contract.status);
            self.ignore(status, self.root.member("status"));
        }
        if let Some(description) = &contract.description {
            let site = self.root.member("description");
            self.unused("the description", &description.unused, &site);
            match (&description.purpose, &self.read.description) {
                (Some(purpose), None) => self.read.description = Some(purpose.trim().to_owned()),
                (Some(_), Some(_)) => {
                    self.ignore(
                        "the contract's `purpose` (the object has its own description)",
                        site.member("purpose"),
                    );
                }
                (None, _) => {}
            }
        }
        self.read.owner = contract.team.as_ref().and_then(|team| self.owner(team));
    }

    /// The member whose role is to own, else the team.
    fn owner(&mut self, team: &Team) -> Option<String> {
        let site = self.root.member("team");
        let (team_name, members, members_site) = match team {
            Team::Named { name, members, unused } => {
                self.unused("the team", unused, &site);
                (name.clone(), members, site.member("members"))
            }
            Team::Members(members) => (None, members, site),
        };
        let owns = |role: &Option<String>| role.as_ref().is_some_and(|role| role.to_lowercase().contains("owner"));
        let owner = members.iter().find(|member| owns(&member.role)).and_then(|member| member.username.clone());
        for (index, member) in members.iter().enumerate() {
            if member.username != owner || owner.is_none() {
                self.ignore("a member of the team who is not its owner", members_site.element(index));
            }
        }
        owner.or(team_name)
    }

    /// The object's own keys, rules and relationships.
    fn object(&mut self) {
        let object = self.object;
        let here = self.here.clone();
        self.unused("an object", &object.unused, &here);
        if let Some((value, site)) = self.own(&object.custom_properties, &here) {
            for (key, value) in value {
                match (key.as_str(), OnViolation::deserialize(value), value.as_str()) {
                    ("on_cast_failure", Ok(on_violation), _) => self.read.on_cast_failure = on_violation,
                    ("timezone", _, Some(timezone)) => self.read.timezone = Some(timezone.to_owned()),
                    _ => {
                        self.wrong_own(key, &site);
                        continue;
                    }
                }
                self.places.push((format!("/{key}"), site.member(key)));
            }
        }
        self.relationships(&object.relationships, &here.member("relationships"), None);
        self.rules(&object.quality, &here.member("quality"), Target::Table);
    }

    /// The mapping below the custom property `medc`; all other custom properties are not used.
    fn own<'p>(&mut self, properties: &'p [CustomProperty], site: &Site) -> Option<(&'p Map<String, Value>, Site)> {
        let mut own = None;
        for (index, custom) in properties.iter().enumerate() {
            let here = site.member("customProperties").element(index);
            if custom.property != MEDC {
                self.ignore(format!("the custom property `{}`", custom.property), here);
                continue;
            }
            match &custom.value {
                Value::Object(value) => own = Some((value, here.member("value"))),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    self.rule_error(
                        &here.member("value"),
                        "the custom property `medc` is a mapping",
                        "write a mapping",
                    );
                }
            }
        }
        own
    }

    fn wrong_own(&mut self, key: &str, site: &Site) {
        let message = format!("`{key}` has no such meaning in the custom property `medc`");
        self.rule_error(&site.member(key), &message, "remove it, or write it as in a project file");
    }

    /// Adds an expectation that was read at `site`.
    fn add(&mut self, target: Target<'_>, expectation: Expectation, site: &Site) {
        let (list, pointer) = match target {
            Target::Table => (&mut self.read.expect, "/expect".to_owned()),
            Target::Column(column) => {
                let known = self.read.columns.get_mut(column).expect("columns are read before their rules");
                (&mut known.expect, format!("{}/expect", join_pointer("/columns", column)))
            }
        };
        self.places.push((format!("{pointer}/{}", list.len()), site.clone()));
        list.push(expectation);
    }

    /// Adds an expectation of a kind.
    fn expect(&mut self, target: Target<'_>, kind: &str, body: Value, options: Options, site: &Site) {
        let Value::Object(body) = body else { return };
        match Expectation::new(kind, body, options) {
            Some(expectation) => self.add(target, expectation, site),
            None => self.rule_error(site, &format!("medc has no expectation `{kind}`"), "remove the rule"),
        }
    }

    /// Says where a part of the last expectation of a target stands.
    fn place_last(&mut self, target: Target<'_>, pointer: &str, site: Site) {
        let last = match target {
            Target::Table => format!("/expect/{}", self.read.expect.len().saturating_sub(1)),
            Target::Column(column) => {
                let n_expectations = self.read.columns.get(column).map_or(0, |column| column.expect.len());
                format!("{}/expect/{}", join_pointer("/columns", column), n_expectations.saturating_sub(1))
            }
        };
        self.places.push((format!("{last}{pointer}"), site));
    }

    fn rule_error(&mut self, site: &Site, message: &str, help: &str) {
        self.problem(site, Problem::new(code::ODCS_RULE, "", message).help(help));
    }

    fn problem(&mut self, site: &Site, problem: Problem) {
        self.diagnostics.error(problem.at(|pointer| site.descend(pointer)));
    }

    /// Notes that something is not used.
    fn ignore(&mut self, what: impl Into<String>, site: Site) {
        self.ignored.entry(what.into()).and_modify(|(_, n_places)| *n_places += 1).or_insert((site, 1));
    }

    fn unused(&mut self, of: &str, unused: &Unused, site: &Site) {
        for key in unused.keys() {
            self.ignore(format!("`{key}` of {of}"), site.member(key).key());
        }
    }

    fn tell_ignored(&mut self) {
        for (what, (site, n_places)) in std::mem::take(&mut self.ignored) {
            let mut warning = Diagnostic::warning(code::ODCS_UNUSED, format!("medc does not use {what}"))
                .at(site, "")
                .help("leave it for those who use it; medc neither checks nor exports it");
            if n_places > 1 {
                warning.note = Some(format!("it stands here and in {} more places", n_places - 1));
            }
            self.diagnostics.warn(warning);
        }
    }
}
