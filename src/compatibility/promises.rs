//! What the contracts of a project promise, and which tables keep them.
//!
//! In: a resolved project and its contracts in core form; its checked graph, where it has one. Out: [`Promises`]. Needed
//! of a project are only its contracts and which table names which; that its SQL still types is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Readers, Version};
use crate::check::Checked;
use crate::diagnostic::{Diagnostics, Site};
use crate::graph;
use crate::ir::{Assertion, Contract, OnViolation};
use crate::name::{self, TableName};
use crate::resolve::Resolved;

/// The contracts of a project at one time.
#[derive(Debug, Clone, Default)]
pub struct Promises {
    /// By name, in lower case.
    pub contracts: BTreeMap<String, Promise>,
    /// The contract of every table. `None` for files of contracts, which say nothing of tables nor of contracts that
    /// they do not hold.
    pub bindings: Option<BTreeMap<TableName, Option<String>>>,
    /// Who reads what; empty where the project does not type.
    pub readers: Readers,
}

/// One contract.
#[derive(Debug, Clone)]
pub struct Promise {
    pub contract: Arc<Contract>,
    pub version: Option<Version>,
    /// The columns of the primary key, in the contract's order.
    pub key: Vec<String>,
    /// The expectations, those that `key` and NULL rules imply among them.
    pub sentences: Vec<Sentence>,
    /// Description, owner and tags: of each column by its name in lower case, and of the contract by none. Compared,
    /// never interpreted.
    pub words: BTreeMap<String, Vec<String>>,
}

/// An expectation, as far as it can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    pub kind: String,
    /// For people, e.g. `amount between 0 and 10`.
    pub label: String,
    pub columns: Vec<String>,
    /// The long body as written; NULL where the columns say all.
    pub arguments: Value,
    pub on_violation: OnViolation,
    pub mostly: f64,
    pub filter: Option<String>,
    pub site: Site,
}

impl Promises {
    /// The promises of a project. What is wrong with a contract is reported, and the contract left out.
    pub fn of(resolved: &Resolved, checked: Option<&Checked>, diagnostics: &mut Diagnostics) -> Self {
        let lowered = graph::contracts(resolved, diagnostics);
        let contracts = lowered
            .into_iter()
            .filter_map(|(name, (contract, assertions))| {
                let spec = &resolved.contracts.get(&name)?.spec;
                let keys = spec.columns.iter().filter(|(_, column)| column.primary_key);
                let key = keys.map(|(column, _)| column.clone()).collect();
                let own = [&spec.description, &spec.owner].map(|words| words.clone().unwrap_or_default());
                let of_columns = contract.columns.iter().map(|column| {
                    let described = column.description.clone().unwrap_or_default();
                    (column.column.name.to_lowercase(), vec![described, column.tags.join(" ")])
                });
                let words = std::iter::once((String::new(), own.to_vec())).chain(of_columns).collect();
                Some((name, Promise::new(contract, key, &assertions, words)))
            })
            .collect();
        let bindings = resolved.tables.iter().map(|(table, declared)| {
            let contract = declared.entity.spec.contract.as_ref().map(|contract| contract.to_lowercase());
            (table.clone(), contract)
        });
        Promises {
            contracts,
            bindings: Some(bindings.collect()),
            readers: checked.map(Readers::of).unwrap_or_default(),
        }
    }

    /// The same without tables: all that a file of contracts says.
    pub fn without_tables(self) -> Self {
        Promises { bindings: None, readers: Readers::default(), ..self }
    }

    /// The tables that keep a contract, in the order of their names.
    pub fn tables<'a>(&'a self, contract: &'a str) -> impl Iterator<Item = &'a TableName> + 'a {
        let bound = self.bindings.iter().flatten();
        bound.filter(move |(_, kept)| kept.as_deref() == Some(contract)).map(|(table, _)| table)
    }
}

impl Promise {
    fn new(
        contract: Arc<Contract>,
        key: Vec<String>,
        assertions: &[Assertion],
        words: BTreeMap<String, Vec<String>>,
    ) -> Self {
        let sentences = assertions.iter().map(Sentence::of).collect();
        let version = contract.version.as_deref().and_then(Version::parse);
        Promise { contract, version, key, sentences, words }
    }
}

impl Sentence {
    /// Whether rows that violate it never reach the table.
    pub(super) fn is_enforced(&self) -> bool {
        match self.on_violation {
            OnViolation::Fail | OnViolation::Drop | OnViolation::Quarantine => true,
            OnViolation::Warn => false,
        }
    }

    /// Whether it is enforced for every row.
    pub(super) fn is_certain(&self) -> bool {
        self.is_enforced() && self.mostly >= 1.0 && self.filter.is_none()
    }

    pub(super) fn of(assertion: &Assertion) -> Self {
        // What a key or a NULL rule implies says the same as the word or the long form of it.
        let columns_say_all = matches!(assertion.kind, "not_null" | "unique");
        Sentence {
            kind: assertion.kind.to_owned(),
            label: assertion.label.clone(),
            columns: assertion.columns.clone(),
            arguments: if columns_say_all { Value::Null } else { assertion.arguments.clone() },
            on_violation: assertion.on_violation,
            mostly: assertion.mostly,
            filter: assertion.filter.as_ref().map(|filter| crate::sql::parse::fingerprint_text(&filter.text)),
            site: assertion.site.clone(),
        }
    }
}

/// Whether two lists name the same columns, in whatever order.
pub(super) fn same_set(left: &[String], right: &[String]) -> bool {
    let within =
        |some: &[String], all: &[String]| some.iter().all(|one| all.iter().any(|other| name::same(one, other)));
    within(left, right) && within(right, left)
}
