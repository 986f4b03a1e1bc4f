//! What each table reads and what its assertions are compared with, found from its own words.
//!
//! An assertion's mention of its own table means the rows under test and is no edge; neither is `quality.results`, which every
//! warehouse has. A mention by an assertion orders tables, as what it is compared with has to be there, but no rows flow along it.

use std::ops::Range;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::ir::{Assertion, Body, Input, Node, NodeId, Reference, Sql, TableRef, Test, results};
use crate::name::{self, TableName};
use crate::resolve::Table;
use crate::source::memo::{self, Memo};
use crate::sql::parse;

/// One mention of a table by a node.
pub(super) struct Read {
    pub input: NodeId,
    pub site: Site,
    pub by: By,
}

/// What of a node mentions a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rows,
    Assertion,
}

/// The tables of a project, for looking names up.
struct Names<'a> {
    nodes: &'a IndexMap<TableName, Node>,
    /// Besides nodes also those with an error of their own.
    declared: &'a IndexMap<TableName, Table>,
}

/// Per node, its mentions of tables in order.
pub(super) fn find(
    nodes: &IndexMap<TableName, Node>,
    declared: &IndexMap<TableName, Table>,
    memo: &mut Memo,
    diagnostics: &mut Diagnostics,
) -> Vec<Vec<Read>> {
    let names = Names { nodes, declared };
    let reads = nodes.values().map(|node| {
        let mut reads = reads_of(node, &names, memo, diagnostics);
        for assertion in &node.assertions {
            reads.extend(reads_of_assertion(node, assertion, &names, memo, diagnostics));
        }
        reads
    });
    reads.collect()
}

/// The nodes of some mentions, sorted, each once.
pub(super) fn distinct(reads: &[Read], by: By) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = reads.iter().filter(|read| read.by == by).map(|read| read.input).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn reads_of(node: &Node, names: &Names<'_>, memo: &mut Memo, diagnostics: &mut Diagnostics) -> Vec<Read> {
    let Body::Relation(relation) = &node.body else { return Vec::new() };
    match &relation.input {
        Input::Table { name, site } => match names.nodes.get_index_of(name) {
            Some(index) => vec![Read { input: super::node_id(index), site: site.clone(), by: By::Rows }],
            // Declared, but with an error of its own.
            None => Vec::new(),
        },
        Input::Query(sql) => {
            let mentions = mentions(&sql.text, memo);
            mentions
                .into_iter()
                .filter_map(|(parts, range)| names.read(&parts, place(sql, range), By::Rows, diagnostics))
                .collect()
        }
    }
}

fn reads_of_assertion(
    node: &Node,
    assertion: &Assertion,
    names: &Names<'_>,
    memo: &mut Memo,
    diagnostics: &mut Diagnostics,
) -> Vec<Read> {
    let mentioned: Vec<(Vec<String>, Site)> = match &assertion.test {
        Test::Reference { table, .. } => vec![named(table)],
        Test::Distribution(distribution) => match &distribution.reference {
            Reference::Column { table, .. } => vec![named(table)],
            Reference::Categories(_) | Reference::Bins { .. } => Vec::new(),
        },
        Test::Query(sql) => {
            mentions(&sql.text, memo).into_iter().map(|(parts, range)| (parts, place(sql, range))).collect()
        }
        Test::Aggregate { holds, .. } => {
            // Only a query has tables; as one, the text stands behind this word.
            let select = "SELECT ";
            let found = mentions(&format!("{select}{}", holds.text), memo).into_iter();
            let shifted = |range: Range<usize>| range.start - select.len()..range.end - select.len();
            found.map(|(parts, range)| (parts, place(holds, shifted(range)))).collect()
        }
        Test::Row { .. } | Test::Holds(_) | Test::Window { .. } | Test::Unique { .. } | Test::Columns(_) => Vec::new(),
    };
    let reads = mentioned.into_iter().filter_map(|(parts, site)| {
        let is = |table: &TableName| parts == [table.layer.as_str(), table.name.as_str()];
        let is_ledger = is(&results::table()) && !names.nodes.contains_key(&results::table());
        if is(&node.name) || is_ledger { None } else { names.read(&parts, site, By::Assertion, diagnostics) }
    });
    reads.collect()
}

fn named(table: &TableRef) -> (Vec<String>, Site) {
    (vec![table.name.layer.clone(), table.name.name.clone()], table.site.clone())
}

fn place(sql: &Sql, range: Range<usize>) -> Site {
    if sql.authored { sql.site.clone().text(range) } else { sql.site.clone() }
}

impl Names<'_> {
    /// The mention of a table; reports one that does not exist.
    fn read(&self, parts: &[String], site: Site, by: By, diagnostics: &mut Diagnostics) -> Option<Read> {
        let table = match parts {
            [layer, name] => Some(TableName::new(layer, name)),
            _ => None,
        };
        match table.as_ref().and_then(|table| self.nodes.get_index_of(table)) {
            Some(index) => Some(Read { input: super::node_id(index), site, by }),
            None if table.is_some_and(|table| self.declared.contains_key(&table)) => None,
            None => {
                diagnostics.error(unknown(parts, self.nodes, self.declared, site));
                None
            }
        }
    }
}

/// A mention's name in parts, and its bytes of the text.
type Mention = (Vec<String>, Range<usize>);

/// The tables that a query mentions. A text that does not parse is `check`'s to report; it mentions none.
fn mentions(text: &str, memo: &mut Memo) -> Vec<Mention> {
    let key = memo::key(&["mentions", env!("CARGO_PKG_VERSION"), text]);
    if let Some(known) = memo.find(&key).and_then(|bytes| serde_json::from_slice(bytes).ok()) {
        return known;
    }
    let Ok(query) = parse::parse_query(text) else { return Vec::new() };
    let found: Vec<Mention> =
        parse::relations(&query).into_iter().map(|mention| (mention.parts, mention.range)).collect();
    if let Ok(bytes) = serde_json::to_vec(&found) {
        memo.remember(key, bytes);
    }
    found
}

fn unknown(
    parts: &[String],
    nodes: &IndexMap<TableName, Node>,
    declared: &IndexMap<TableName, Table>,
    site: Site,
) -> Diagnostic {
    let written = &parts.join(".");
    let found = Diagnostic::error(code::SQL_UNKNOWN_TABLE, format!("there is no table `{written}`")).at(site, "");
    let mut known: Vec<String> = nodes.keys().chain(declared.keys()).map(ToString::to_string).collect();
    known.sort_unstable();
    known.dedup();
    // A name without its layer is the likeliest slip.
    if let [only] = parts {
        let mut same = known.iter().filter(|table| table.split_once('.').is_some_and(|(_, name)| name == only));
        if let (Some(table), None) = (same.next(), same.next()) {
            return found.help(format!("name its layer: `{table}`")).fix(table.clone());
        }
    }
    if parts.len() > 2 {
        return found
            .note("tables of the project are named `layer.name`; the environment decides the catalog")
            .help("remove the catalog in front")
            .fix(parts[parts.len() - 2..].join("."));
    }
    let fix = name::nearest(written, known.iter().map(String::as_str)).map(Fix::value);
    Diagnostic { help: name::did_you_mean(written, known.iter().map(String::as_str)), fix, ..found }
}
