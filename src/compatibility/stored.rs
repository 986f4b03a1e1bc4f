//! A table's promise as it is written down beside its rows, so that a later project can be held against it.
//!
//! In: a node of the graph. Out: [`Stored`], plain values for a commit, and back to what [`super::compare`] takes. Columns
//! are not repeated: a commit tells them anyway. Words for people (description, owner, tags) are left out, since no table is
//! written anew for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::consumers::Consumers;
use super::promises::{Promise, Sentence};
use super::{Compared, Consumer, Promises, Readers, Version, compare};
use crate::diagnostic::{Site, SourceId};
use crate::ir::{Assertion, Contract, ContractColumn, Node, OnViolation, Schema};
use crate::name::TableName;

/// What a contract promised when a table was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub contract: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    key: Vec<String>,
    #[serde(default)]
    on_cast_failure: OnViolation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    expectations: Vec<StoredSentence>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredSentence {
    kind: String,
    label: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    arguments: Value,
    on_violation: OnViolation,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    mostly: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(mostly: &f64) -> bool {
    *mostly >= 1.0
}

impl Stored {
    /// The promise of a table; `None` where it keeps no contract.
    pub fn of(node: &Node) -> Option<Self> {
        let contract = node.contract.as_ref()?;
        let sentences = promised(node, contract).map(|assertion| {
            let Sentence { kind, label, columns, arguments, on_violation, mostly, filter, site: _ } =
                Sentence::of(assertion);
            StoredSentence { kind, label, columns, arguments, on_violation, mostly, filter }
        });
        Some(Stored {
            contract: contract.name.clone(),
            version: contract.version.clone(),
            key: contract.primary_key.clone(),
            on_cast_failure: contract.on_cast_failure,
            timezone: contract.timezone.clone(),
            expectations: sentences.collect(),
        })
    }

    fn promise(&self, columns: &Schema) -> Promise {
        let site = Site::root(SourceId(0));
        let column = |column: &crate::ir::Column| ContractColumn {
            column: column.clone(),
            description: None,
            tags: Vec::new(),
            site: site.clone(),
        };
        let contract = Contract {
            name: self.contract.clone(),
            version: self.version.clone(),
            description: None,
            owner: None,
            primary_key: self.key.clone(),
            columns: columns.columns.iter().map(column).collect(),
            on_cast_failure: self.on_cast_failure,
            timezone: self.timezone.clone(),
            site: site.clone(),
        };
        let sentence = |sentence: &StoredSentence| Sentence {
            kind: sentence.kind.clone(),
            label: sentence.label.clone(),
            columns: sentence.columns.clone(),
            arguments: sentence.arguments.clone(),
            on_violation: sentence.on_violation,
            mostly: sentence.mostly,
            filter: sentence.filter.clone(),
            site: site.clone(),
        };
        Promise {
            version: self.version.as_deref().and_then(Version::parse),
            contract: Arc::new(contract),
            key: self.key.clone(),
            sentences: self.expectations.iter().map(sentence).collect(),
            words: BTreeMap::new(),
        }
    }
}

/// The assertions that come from the contract; what a table expects besides is no promise.
fn promised<'a>(node: &'a Node, contract: &'a Contract) -> impl Iterator<Item = &'a Assertion> {
    let within = format!("{}/", contract.site.pointer);
    let is_promised = move |assertion: &&Assertion| {
        assertion.site.source == contract.site.source && assertion.site.pointer.starts_with(&within)
    };
    node.assertions.iter().filter(is_promised)
}

/// What a table promised, with its columns then, and what it promises now.
pub struct Table<'a> {
    pub node: &'a Node,
    pub before: (&'a Stored, &'a Schema),
}

/// Grades what each table's contract promises otherwise than when the table was written; tables whose contracts say the
/// same are left out. Consumers are those of the project as it is.
pub fn compare_tables(tables: &[Table<'_>], readers: Readers) -> BTreeMap<TableName, Compared> {
    let mut before = Promises::default();
    let mut after = Promises { readers, ..Promises::default() };
    let (mut bound_before, mut bound_after) = (BTreeMap::new(), BTreeMap::new());
    for Table { node, before: (stored, columns) } in tables {
        // Tables that share a contract may have been written at different times, so each is compared by itself.
        let key = node.name.to_string();
        before.contracts.insert(key.clone(), stored.promise(columns));
        bound_before.insert(node.name.clone(), Some(key.clone()));
        let now = node.contract.as_ref().zip(Stored::of(node));
        if let Some((contract, now)) = now {
            let mut promise = now.promise(&contract.schema());
            promise.contract = Arc::clone(contract);
            for (sentence, assertion) in promise.sentences.iter_mut().zip(promised(node, contract)) {
                sentence.site = assertion.site.clone();
            }
            after.contracts.insert(key.clone(), promise);
        }
        bound_after.insert(node.name.clone(), after.contracts.contains_key(&key).then_some(key));
    }
    (before.bindings, after.bindings) = (Some(bound_before), Some(bound_after));
    let names: BTreeMap<String, &Table<'_>> = tables.iter().map(|table| (table.node.name.to_string(), table)).collect();
    let compared = compare(&before, &after).changed.into_iter().filter_map(|compared| {
        let table = names.get(&compared.contract)?;
        let now = table.node.contract.as_ref().map(|contract| contract.name.clone());
        let was = &table.before.0.contract;
        let renamed_from = now.as_ref().filter(|now| *now != was).map(|_| was.clone());
        let contract = now.unwrap_or_else(|| was.clone());
        Some((table.node.name.clone(), Compared { contract, renamed_from, ..compared }))
    });
    compared.collect()
}

impl Readers {
    /// Those that read any of the columns of a table, near or far; all that read it where no column is given.
    pub fn feeling(&self, table: &TableName, columns: &BTreeSet<String>) -> Vec<Consumer> {
        let mut found = Consumers::default();
        if columns.is_empty() {
            self.of_table(table, &mut found);
        } else {
            self.of_columns(table, &columns.iter().cloned().collect::<Vec<_>>(), &mut found);
        }
        found.listed()
    }
}

/// Whether every value of one type has a counterpart in another, so that a column can change in place without a loss.
pub fn keeps_values(from: &crate::ir::DataType, to: &crate::ir::DataType) -> bool {
    *to == crate::ir::DataType::String
        || match super::data_type::rule(from, to) {
            None => true,
            Some(rule) => matches!(
                rule,
                super::Rule::TypeWidened
                    | super::Rule::TypeConverted
                    | super::Rule::FieldAdded
                    | super::Rule::FieldMoved
                    | super::Rule::ColumnRespelled
            ),
        }
}
