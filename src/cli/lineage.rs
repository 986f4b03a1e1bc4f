//! `medc lineage`: which tables and columns a table or column is made of, and what is made of it.
//!
//! In: the checked graph and a subject. Out: a [`Drawing`] (boxes with rows, edges between them), which each format
//! writes in its own way. Without a subject it is of tables; with a table or column it is of columns. Everything stands
//! in the graph's order, so the same project gives the same bytes.

use std::collections::BTreeSet;

use super::arguments::{Lineage, LineageFormat};
use super::stages::{Loaded, Session};
use super::{Done, Failure, Outcome};
use crate::check::Checked;
use crate::graph::select::Direction;
use crate::ir::NodeId;
use crate::name::{self, TableName};

mod drawing;
mod formats;
mod svg;
mod text;

use drawing::Drawing;

/// What lineage is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Everything,
    Table(NodeId),
    /// A column of a table, in the author's case.
    Column(NodeId, String),
}

/// Writes the lineage to stdout.
pub(super) fn run(options: &Lineage, session: &mut Session) -> Outcome {
    let loaded = session.load()?;
    let subject = match &options.subject {
        None => Subject::Everything,
        Some(asked) => find_subject(asked, &loaded)?,
    };
    let directions: &[Direction] = match (options.upstream, options.downstream) {
        (true, _) => &[Direction::Upstream],
        (_, true) => &[Direction::Downstream],
        (false, false) => &[Direction::Upstream, Direction::Downstream],
    };
    let checked = &loaded.checked;
    let draw = || Drawing::of(checked, &subject, directions);
    let written = match options.format {
        LineageFormat::Text => text::write(checked, &subject, directions, session.console.paint_data()),
        LineageFormat::Json => {
            let value = formats::json(checked, &draw());
            format!("{}\n", serde_json::to_string_pretty(&value).expect("plain JSON"))
        }
        LineageFormat::Mermaid => formats::mermaid(&draw()),
        LineageFormat::Dot => formats::dot(&draw()),
        LineageFormat::Svg => svg::write(&draw()),
    };
    session.console.data(&written)?;
    Ok(Done::Well)
}

/// What a table's box in a page's picture leads to and says.
pub(super) struct Signpost {
    pub(super) href: String,
    /// A class of the page's style, and the word that goes with it.
    pub(super) class: &'static str,
    pub(super) word: &'static str,
}

/// A picture of these tables for a page, which brings the style and gives each a signpost.
pub(super) fn picture(checked: &Checked, shown: &BTreeSet<NodeId>, signpost: &dyn Fn(NodeId) -> Signpost) -> String {
    svg::write_for_page(&Drawing::of_tables(checked, shown), signpost)
}

/// Finds a node by name.
///
/// # Errors
/// A message with the nearest name.
pub(super) fn find_table(asked: &str, loaded: &Loaded) -> Result<NodeId, Failure> {
    let graph = &loaded.checked.graph;
    if let Some(id) = TableName::parse(asked).and_then(|name| graph.find(&name)) {
        return Ok(id);
    }
    // A name without its layer will do where only one table has it.
    let lower = asked.to_lowercase();
    let mut named = graph.nodes.keys().filter(|name| name.name == lower);
    if let (Some(only), None) = (named.next(), named.next()) {
        return Ok(graph.find(only).expect("its own key"));
    }
    let tables: Vec<String> = graph.nodes.keys().map(ToString::to_string).collect();
    let help = name::did_you_mean(asked, tables.iter().map(String::as_str));
    Err(Failure::asked(format!("the project has no table `{asked}`"), help))
}

fn find_subject(asked: &str, loaded: &Loaded) -> Result<Subject, Failure> {
    let mut parts = asked.splitn(3, '.');
    let (Some(layer), Some(table), Some(column)) = (parts.next(), parts.next(), parts.next()) else {
        return find_table(asked, loaded).map(Subject::Table);
    };
    let id = find_table(&format!("{layer}.{table}"), loaded)?;
    let columns = drawing::columns(&loaded.checked, id);
    match columns.iter().find(|known| name::same(known, column)) {
        Some(known) => Ok(Subject::Column(id, known.clone())),
        None if columns.is_empty() => Err(Failure::asked(
            format!("the columns of `{layer}.{table}` are only known when it runs"),
            Some("give it a contract".to_owned()),
        )),
        None => Err(Failure::asked(
            format!("`{layer}.{table}` has no column `{column}`"),
            name::did_you_mean(column, columns.iter().map(String::as_str)),
        )),
    }
}
