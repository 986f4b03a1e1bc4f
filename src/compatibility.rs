//! Whether what contracts promise now keeps what they promised before.
//!
//! In: two [`Promises`], the contracts of a project at two times. Out: a [`Comparison`]: per contract every [`Change`] with
//! its grade, the reason, and the consumers that may break, by column lineage; and whether the contract's version was
//! raised as its worst change asks. The rules and their reasons stand in one table, [`Rule`]. Grades are those of a
//! consumer that reads the table by its contract, not of who produces it.
//!
//! Pure: nothing here reads a file or a table. What a table expects besides its contract is no promise and is not
//! compared.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::Site;
use crate::name::TableName;

mod columns;
mod consumers;
mod data_type;
mod expectations;
mod findings;
mod pairs;
mod promises;
mod rules;
pub mod stored;
#[cfg(test)]
mod tests;
mod version;

pub use consumers::{Consumer, Readers};
pub use findings::report;
pub use promises::{Promise, Promises, Sentence};
pub use rules::Rule;
pub use version::{Raise, Version};

/// What a change means to who reads the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nobody has to do anything.
    Compatible,
    /// Some consumers may have to; it depends on how they read.
    Risky,
    /// Consumers that rely on the promise stop working, or compute something else.
    Breaking,
}

impl Grade {
    /// All grades, the worst first.
    pub const ALL: [Grade; 3] = [Grade::Breaking, Grade::Risky, Grade::Compatible];

    pub fn word(self) -> &'static str {
        match self {
            Grade::Compatible => "compatible",
            Grade::Risky => "risky",
            Grade::Breaking => "breaking",
        }
    }
}

/// The part of a contract that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Subject {
    Contract(String),
    Table(String),
    Column(String),
    /// The columns of the primary key.
    Key(Vec<String>),
    /// An expectation, as people read it.
    Expectation(String),
}

impl Subject {
    /// What it is called, without its kind.
    pub fn name(&self) -> String {
        match self {
            Subject::Contract(name) | Subject::Table(name) | Subject::Column(name) | Subject::Expectation(name) => {
                name.clone()
            }
            Subject::Key(columns) => columns.join(", "),
        }
    }

    /// For people, e.g. `primary key order_id`; columns and expectations go by their names.
    pub fn phrase(&self) -> String {
        match self {
            Subject::Contract(name) => format!("contract {name}"),
            Subject::Table(name) => format!("table {name}"),
            Subject::Column(name) | Subject::Expectation(name) => name.clone(),
            Subject::Key(columns) => format!("primary key {}", columns.join(", ")),
        }
    }
}

/// One difference between two promises.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub subject: Subject,
    pub rule: Rule,
    /// What happened, in a phrase, e.g. `int → string`.
    pub what: String,
    /// A guess for people, e.g. that a removed column is perhaps renamed.
    pub hint: Option<String>,
    /// Who reads what changed. Empty for compatible changes, and where lineage is not known.
    pub consumers: Vec<Consumer>,
    /// Where it stands in the newer project; `None` for what is gone.
    pub site: Option<Site>,
}

impl Change {
    pub fn grade(&self) -> Grade {
        self.rule.grade()
    }
}

/// A contract at two times.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Its name now; the former one if it is gone.
    pub contract: String,
    /// Its former name, where that was another.
    pub renamed_from: Option<String>,
    pub before: Option<Version>,
    pub after: Option<Version>,
    /// The worst first, then in the contract's order.
    pub changes: Vec<Change>,
    /// Where its name stands in the newer project.
    pub site: Option<Site>,
    /// Whether it is in both.
    pub is_kept: bool,
}

impl Compared {
    /// The grade of the worst change; `None` without changes.
    pub fn grade(&self) -> Option<Grade> {
        self.changes.iter().map(Change::grade).max()
    }

    /// The part of the version that its changes ask to be raised and that was not.
    pub fn lacking(&self) -> Option<Raise> {
        version::lacking(self.before, self.after, self.grade()?)
    }

    /// The version that would do.
    pub fn next_version(&self, raise: Raise) -> Version {
        version::next(self.before, raise)
    }
}

/// Every contract at two times.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Those with changes, by name.
    pub changed: Vec<Compared>,
    /// The names of the others.
    pub unchanged: Vec<String>,
}

impl Comparison {
    /// How many changes have each grade, the worst first.
    pub fn counts(&self) -> [(Grade, usize); 3] {
        Grade::ALL.map(|grade| {
            let changes = self.changed.iter().flat_map(|compared| &compared.changes);
            (grade, changes.filter(|change| change.grade() == grade).count())
        })
    }

    /// Whether a contract breaks its promise and its major version does not say so.
    pub fn breaks(&self) -> bool {
        self.changed.iter().any(|compared| compared.lacking() == Some(Raise::Major))
    }
}

/// Grades what is different in `after` from `before`.
pub fn compare(before: &Promises, after: &Promises) -> Comparison {
    let mut comparison = Comparison::default();
    let mut compared: BTreeMap<(String, Option<String>), Compared> = BTreeMap::new();
    for pair in pairs::find(before, after) {
        let result = pairs::compare(&pair, before, after);
        compared.insert((result.contract.clone(), result.renamed_from.clone()), result);
    }
    for ((name, _), result) in compared {
        if result.changes.is_empty() {
            comparison.unchanged.push(name);
        } else {
            comparison.changed.push(result);
        }
    }
    comparison
}

/// A change before its consumers are known, and what they would read.
struct Found {
    subject: Subject,
    rule: Rule,
    what: String,
    hint: Option<String>,
    site: Option<Site>,
    reads: Reads,
}

/// What a consumer of a changed part reads.
enum Reads {
    /// The table as a whole.
    Table,
    /// Any of these columns.
    Columns(Vec<String>),
    /// One table of those that keep the contract.
    OneTable(TableName),
    /// Columns by their place, which no table of a project does: queries name what they read.
    ByPosition,
}

impl Found {
    fn column(column: &str, rule: Rule, what: impl Into<String>, site: Option<Site>) -> Self {
        Found {
            subject: Subject::Column(column.to_owned()),
            rule,
            what: what.into(),
            hint: None,
            site,
            reads: Reads::Columns(vec![column.to_owned()]),
        }
    }
}
