//! What each table reads, found from its own words.

use std::ops::Range;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::ir::{Body, Input, Node, NodeId, Sql};
use crate::name::{self, TableName};
use crate::resolve::Table;
use crate::source::memo::{self, Memo};
use crate::sql::parse;

/// One mention of a table by a node.
pub(super) struct Read {
    pub input: NodeId,
    pub site: Site,
}

/// Per node, its mentions of tables in order.
pub(super) fn find(
    nodes: &IndexMap<TableName, Node>,
    declared: &IndexMap<TableName, Table>,
    memo: &mut Memo,
    diagnostics: &mut Diagnostics,
) -> Vec<Vec<Read>> {
    nodes.values().map(|node| reads_of(node, nodes, declared, memo, diagnostics)).collect()
}

/// The nodes of some mentions, sorted, each once.
pub(super) fn distinct(reads: &[Read]) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = reads.iter().map(|read| read.input).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn reads_of(
    node: &Node,
    nodes: &IndexMap<TableName, Node>,
    declared: &IndexMap<TableName, Table>,
    memo: &mut Memo,
    diagnostics: &mut Diagnostics,
) -> Vec<Read> {
    let Body::Relation(relation) = &node.body else { return Vec::new() };
    match &relation.input {
        Input::Table { name, site } => match nodes.get_index_of(name) {
            Some(index) => vec![Read { input: super::node_id(index), site: site.clone() }],
            // Declared, but with an error of its own.
            None => Vec::new(),
        },
        Input::Query(sql) => reads_of_query(sql, nodes, declared, memo, diagnostics),
    }
}

fn reads_of_query(
    sql: &Sql,
    nodes: &IndexMap<TableName, Node>,
    declared: &IndexMap<TableName, Table>,
    memo: &mut Memo,
    diagnostics: &mut Diagnostics,
) -> Vec<Read> {
    let mut reads = Vec::new();
    for (parts, range) in mentions(&sql.text, memo) {
        let site = if sql.authored { sql.site.clone().text(range) } else { sql.site.clone() };
        let written = parts.join(".");
        let table = match parts.as_slice() {
            [layer, name] => Some(TableName::new(layer, name)),
            _ => None,
        };
        match table.as_ref().and_then(|table| nodes.get_index_of(table)) {
            Some(index) => reads.push(Read { input: super::node_id(index), site }),
            None if table.is_some_and(|table| declared.contains_key(&table)) => {}
            None => {
                diagnostics.error(unknown(&written, &parts, nodes, declared, site));
            }
        }
    }
    reads
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
    written: &str,
    parts: &[String],
    nodes: &IndexMap<TableName, Node>,
    declared: &IndexMap<TableName, Table>,
    site: Site,
) -> Diagnostic {
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
