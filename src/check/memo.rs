//! What an earlier check found, so that unchanged nodes are neither parsed nor planned again.
//!
//! A key is a hash of all that a node's typing depends on: its texts, contract, assertions and what its inputs look like.
//! Only nodes without any finding are remembered. The bytes hold each distinct string once; a reader of other bytes, or
//! of another version's, gets an empty memo and never an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexSet;

use crate::check::{ColumnLineage, ColumnSource, Transformation, Typed};
use crate::graph::Graph;
use crate::ir::{Body, Column, Contract, DataType, Input, NodeId, OnViolation, Operation, Part, Schema, Sql};

/// Remembered nodes, by key.
#[derive(Debug, Clone, Default)]
pub struct Memo {
    known: BTreeMap<Key, Arc<Typed>>,
    used: BTreeSet<Key>,
}

/// A node's key.
pub(super) type Key = [u8; 32];

const HEAD: &str = concat!("medc check ", env!("CARGO_PKG_VERSION"), " 1\n");

impl Memo {
    /// Reads what [`Memo::to_bytes`] wrote; empty for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let known = bytes.strip_prefix(HEAD.as_bytes()).and_then(|rest| Reader { rest, strings: Vec::new() }.memo());
        let known = known.unwrap_or_default().into_iter().map(|(key, typed)| (key, Arc::new(typed)));
        Memo { known: known.collect(), used: BTreeSet::new() }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(self.known.len());
        for (key, typed) in &self.known {
            writer.body.extend_from_slice(key);
            writer.typed(typed);
        }
        let mut bytes = HEAD.as_bytes().to_vec();
        let mut table = Writer::default();
        table.number(writer.strings.len());
        for string in &writer.strings {
            table.number(string.len());
            table.body.extend_from_slice(string.as_bytes());
        }
        bytes.extend(table.body);
        bytes.extend(writer.body);
        bytes
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn find(&mut self, key: &Key) -> Option<Arc<Typed>> {
        let typed = Arc::clone(self.known.get(key)?);
        self.used.insert(*key);
        Some(typed)
    }

    pub(super) fn remember(&mut self, key: Key, typed: &Arc<Typed>) {
        self.known.insert(key, Arc::clone(typed));
        self.used.insert(key);
    }

    pub(super) fn forget_unused(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.known.retain(|key, _| used.contains(key));
    }
}

/// What the nodes that read a node see of it.
pub(super) fn digest(typed: &Typed) -> Key {
    let mut hash = Hash::default();
    match &typed.schema {
        None => hash.text("unknown"),
        Some(schema) => {
            hash.number(schema.columns.len());
            for column in &schema.columns {
                hash.column(column);
            }
        }
    }
    for set in &typed.unique {
        hash.number(set.len());
        for column in set {
            hash.text(column);
        }
    }
    hash.finish()
}

/// All that a node's typing depends on; `digests` are those of the nodes before it.
pub(super) fn key(graph: &Graph, id: NodeId, digests: &[Key]) -> Key {
    let node = graph.node(id);
    let mut hash = Hash::default();
    let may_aggregate = graph.layer(&node.name.layer).is_none_or(|layer| layer.aggregate);
    hash.number(usize::from(may_aggregate));
    for input in &graph.inputs[id.index()] {
        hash.text(&graph.node(*input).name.to_string());
        hash.0.update(&digests[input.index()]);
    }
    hash.number(graph.compared[id.index()].len());
    for compared in &graph.compared[id.index()] {
        hash.text(&graph.node(*compared).name.to_string());
        hash.0.update(&digests[compared.index()]);
    }
    match &node.body {
        Body::Ingest(ingest) => {
            hash.text("ingest");
            ingest.metadata_columns.iter().for_each(|column| hash.text(column.name()));
        }
        Body::Relation(relation) => {
            match &relation.input {
                Input::Query(sql) => {
                    hash.text("query");
                    hash.sql(sql);
                }
                Input::Table { name, .. } => {
                    hash.text("table");
                    hash.text(&name.to_string());
                }
            }
            hash.number(relation.operations.len());
            relation.operations.iter().for_each(|operation| hash.operation(operation));
        }
    }
    if let Some(contract) = &node.contract {
        hash.contract(contract);
    }
    for assertion in &node.assertions {
        hash.text(assertion.kind);
        hash.number(usize::from(assertion.on_violation == OnViolation::Fail));
        for column in &assertion.columns {
            hash.text(column);
        }
        hash.number(assertion.columns.len());
        hash.number(usize::from(assertion.filter.is_some()));
        assertion.filter.iter().for_each(|sql| hash.sql(sql));
        for part in assertion.test.parts() {
            match part {
                Part::Word(word) => hash.text(&word),
                Part::Sql(sql) => hash.sql(sql),
            }
        }
    }
    hash.finish()
}

#[derive(Default)]
struct Hash(blake3::Hasher);

impl Hash {
    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: usize) {
        self.0.update(&(number as u64).to_le_bytes());
    }

    fn sql(&mut self, sql: &Sql) {
        self.text(&sql.text);
    }

    fn column(&mut self, column: &Column) {
        self.text(&column.name);
        self.text(&column.data_type.to_string());
        self.number(usize::from(column.nullable));
    }

    fn contract(&mut self, contract: &Contract) {
        self.text("contract");
        self.number(contract.columns.len());
        contract.columns.iter().for_each(|promised| self.column(&promised.column));
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::Filter(sql) => {
                self.text("filter");
                self.sql(sql);
            }
            Operation::Extend(computed) => {
                self.text("extend");
                self.number(computed.len());
                for column in computed {
                    self.text(&column.name);
                    self.sql(&column.expression);
                }
            }
            Operation::Rename(renamed) => {
                self.text("rename");
                self.number(renamed.len());
                for pair in renamed {
                    self.text(&pair.from);
                    self.text(&pair.to);
                }
            }
            Operation::Latest { keys, order, .. } => {
                self.text("latest");
                self.number(keys.len());
                for key in keys {
                    self.text(key);
                }
                for ordering in order {
                    self.text(&ordering.column);
                    self.number(usize::from(ordering.descending));
                }
            }
        }
    }

    fn finish(&self) -> Key {
        *self.0.finalize().as_bytes()
    }
}

/// Numbers are LEB128; a string is its place in the table in front.
#[derive(Default)]
struct Writer {
    strings: IndexSet<String>,
    body: Vec<u8>,
}

impl Writer {
    fn number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.body.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
            number >>= 7;
        }
        self.body.push(u8::try_from(number).expect("seven bits"));
    }

    fn string(&mut self, string: &str) {
        let place = match self.strings.get_index_of(string) {
            Some(place) => place,
            None => self.strings.insert_full(string.to_owned()).0,
        };
        self.number(place);
    }

    fn typed(&mut self, typed: &Typed) {
        self.number(usize::from(typed.aggregates) | usize::from(typed.schema.is_some()) << 1);
        if let Some(schema) = &typed.schema {
            self.number(schema.columns.len());
            for column in &schema.columns {
                self.string(&column.name);
                self.string(&column.data_type.to_string());
                self.number(usize::from(column.nullable));
            }
        }
        self.number(typed.lineage.len());
        for lineage in &typed.lineage {
            self.string(&lineage.column);
            self.number(match lineage.transformation {
                Transformation::Identity => 0,
                Transformation::Expression => 1,
                Transformation::Aggregation => 2,
            });
            self.number(lineage.sources.len());
            for source in &lineage.sources {
                self.string(&source.table);
                self.string(&source.column);
            }
        }
        self.number(typed.unique.len());
        for set in &typed.unique {
            self.number(set.len());
            for column in set {
                self.string(column);
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    strings: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn memo(mut self) -> Option<BTreeMap<Key, Typed>> {
        for _ in 0..self.number()? {
            let length = self.number()?;
            let (string, rest) = self.rest.split_at_checked(length)?;
            self.strings.push(std::str::from_utf8(string).ok()?);
            self.rest = rest;
        }
        let mut types = BTreeMap::new();
        let mut known = BTreeMap::new();
        for _ in 0..self.number()? {
            let (key, rest) = self.rest.split_at_checked(32)?;
            self.rest = rest;
            let typed = self.typed(&mut types)?;
            known.insert(key.try_into().ok()?, typed);
        }
        self.rest.is_empty().then_some(known)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn string(&mut self) -> Option<&'a str> {
        let place = self.number()?;
        self.strings.get(place).copied()
    }

    fn typed(&mut self, types: &mut BTreeMap<&'a str, DataType>) -> Option<Typed> {
        let flags = self.number()?;
        let schema = if flags & 2 == 2 {
            let mut columns = Vec::new();
            for _ in 0..self.number()? {
                let name = self.string()?.to_owned();
                let text = self.string()?;
                let data_type = match types.get(text) {
                    Some(known) => known.clone(),
                    None => types.entry(text).or_insert(DataType::parse(text).ok()?).clone(),
                };
                columns.push(Column { name, data_type, nullable: self.number()? == 1 });
            }
            Some(Schema { columns })
        } else {
            None
        };
        let mut lineage = Vec::new();
        for _ in 0..self.number()? {
            let column = self.string()?.to_owned();
            let transformation = match self.number()? {
                0 => Transformation::Identity,
                1 => Transformation::Expression,
                2 => Transformation::Aggregation,
                _ => return None,
            };
            let mut sources = Vec::new();
            for _ in 0..self.number()? {
                sources.push(ColumnSource { table: self.string()?.to_owned(), column: self.string()?.to_owned() });
            }
            lineage.push(ColumnLineage { column, sources, transformation });
        }
        let mut unique = Vec::new();
        for _ in 0..self.number()? {
            let n_columns = self.number()?;
            unique.push((0..n_columns).map(|_| self.string().map(str::to_owned)).collect::<Option<_>>()?);
        }
        Some(Typed { schema, lineage, unique, aggregates: flags & 1 == 1 })
    }
}
