//! Selectors: which tables a command is for, in dbt's way of saying it.
//!
//! In: the graph and what `--select` or a job's `select` was given. Out: a set of nodes, never empty. A selector is a term with an optional
//! `+` in front (and all that it reads) and behind (and all that reads it); a term is `layer.name` or `name` with the
//! wildcards `*` and `?`, `tag:t`, or `layer:l`. Several selectors are joined; the parts of one separated by commas are
//! intersected. A selector that finds nothing is an error, since it is most often misspelt.

use std::collections::BTreeSet;

use super::Graph;
use crate::ir::{Node, NodeId};
use crate::name::{self, TableName};

/// Why a selector cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchSelection {
    pub message: String,
    pub help: Option<String>,
}

/// The nodes that any of the selectors names; `None` for no selector, which means all.
///
/// # Errors
/// When a selector finds nothing.
pub fn select(graph: &Graph, selectors: &[String]) -> Result<Option<BTreeSet<NodeId>>, NoSuchSelection> {
    let mut selected = BTreeSet::new();
    for selector in selectors.iter().flat_map(|selectors| selectors.split_whitespace()) {
        let mut parts = selector.split(',').map(|part| matching(graph, part));
        let mut common = parts.next().expect("a split gives at least one part")?;
        for part in parts {
            let part = part?;
            common.retain(|id| part.contains(id));
        }
        if common.is_empty() {
            return Err(NoSuchSelection {
                message: format!("no table is in all parts of `{selector}`"),
                help: Some("a comma intersects; put a space between selectors to join them".to_owned()),
            });
        }
        selected.extend(common);
    }
    Ok((!selectors.is_empty()).then_some(selected))
}

/// All nodes that `from` is made of, or that are made of it; with itself.
pub fn reach(graph: &Graph, from: impl IntoIterator<Item = NodeId>, direction: Direction) -> BTreeSet<NodeId> {
    let readers = match direction {
        Direction::Upstream => None,
        Direction::Downstream => Some(readers(graph)),
    };
    let next = readers.as_ref().unwrap_or(&graph.inputs);
    let mut open: Vec<NodeId> = from.into_iter().collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(&next[id.index()]);
        }
    }
    reached
}

/// Which way to follow edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Upstream,
    Downstream,
}

/// Which nodes read each node.
pub fn readers(graph: &Graph) -> Vec<Vec<NodeId>> {
    let mut readers = vec![Vec::new(); graph.nodes.len()];
    for &id in &graph.order {
        for input in &graph.inputs[id.index()] {
            readers[input.index()].push(id);
        }
    }
    readers
}

fn matching(graph: &Graph, part: &str) -> Result<BTreeSet<NodeId>, NoSuchSelection> {
    let (upstream, term) = part.strip_prefix('+').map_or((false, part), |term| (true, term));
    let (downstream, term) = term.strip_suffix('+').map_or((false, term), |term| (true, term));
    let lower = term.to_lowercase();
    let ids = || (0..u32::try_from(graph.nodes.len()).unwrap_or(u32::MAX)).map(NodeId);
    let found: BTreeSet<NodeId> = match TableName::parse(&lower) {
        // A table's full name is looked up; projects of a thousand jobs name a thousand.
        Some(name) => graph.find(&name).into_iter().collect(),
        None => ids().filter(|id| names(&lower, graph.node(*id))).collect(),
    };
    if found.is_empty() {
        return Err(nothing_found(graph, part, &lower));
    }
    let mut selected = found.clone();
    if upstream {
        selected.extend(reach(graph, found.iter().copied(), Direction::Upstream));
    }
    if downstream {
        selected.extend(reach(graph, found, Direction::Downstream));
    }
    Ok(selected)
}

fn names(term: &str, node: &Node) -> bool {
    if let Some(tag) = term.strip_prefix("tag:") {
        node.tags.iter().any(|own| own.to_lowercase() == tag)
    } else if let Some(layer) = term.strip_prefix("layer:") {
        like(layer, &node.name.layer)
    } else if term.contains('.') {
        like(term, &node.name.to_string())
    } else {
        like(term, &node.name.name)
    }
}

/// Whether `text` has the form of `pattern`: `*` is any text, `?` any character.
fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the newest `*` stands, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(expected) if *expected == '?' || text.get(t) == Some(expected) => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == '*')
}

fn nothing_found(graph: &Graph, part: &str, term: &str) -> NoSuchSelection {
    let nodes = || graph.nodes.values();
    let message = format!("`{part}` selects no table");
    let help = if let Some(tag) = term.strip_prefix("tag:") {
        let tags: BTreeSet<&str> = nodes().flat_map(|node| node.tags.iter().map(String::as_str)).collect();
        name::did_you_mean(tag, tags).or_else(|| Some("no table has a tag".to_owned()))
    } else if let Some(layer) = term.strip_prefix("layer:") {
        let layers: BTreeSet<&str> = nodes().map(|node| node.name.layer.as_str()).collect();
        name::did_you_mean(layer, layers)
    } else if nodes().any(|node| node.name.layer == term) {
        Some(format!("that is a layer: write `layer:{term}` or `{term}.*`"))
    } else {
        let full = term.contains('.');
        let tables: BTreeSet<String> =
            nodes().map(|node| if full { node.name.to_string() } else { node.name.name.clone() }).collect();
        name::did_you_mean(term, tables.iter().map(String::as_str))
    };
    NoSuchSelection { message, help }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::diagnostic::{Site, SourceId};
    use crate::ir::{Body, Input, Relation, SchemaEvolution, Sql, Write, WriteMode};

    /// bronze.a, bronze.b → silver.a (tag daily) → gold.c
    fn graph() -> Graph {
        let node = |table: &str, tags: &[&str]| {
            let site = Site::root(SourceId(0));
            let sql = Sql { text: "SELECT 1".into(), site: site.clone(), authored: true };
            let node = Node {
                name: TableName::parse(table).expect("a table name"),
                site,
                description: None,
                tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
                owner: None,
                body: Body::Relation(Relation { input: Input::Query(sql), operations: Vec::new() }),
                contract: None,
                write: Write {
                    mode: WriteMode::Overwrite,
                    cluster_by: Vec::new(),
                    partition_by: Vec::new(),
                    schema_evolution: SchemaEvolution::Evolve,
                },
                assertions: Vec::new(),
                dataset: None,
                feature_table: None,
                prevent_destroy: false,
                defaults: Vec::new(),
                on_databricks: crate::ir::OnDatabricks::default(),
            };
            (node.name.clone(), node)
        };
        let nodes: IndexMap<_, _> =
            [node("bronze.a", &[]), node("bronze.b", &[]), node("silver.a", &["daily"]), node("gold.c", &[])]
                .into_iter()
                .collect();
        Graph {
            layers: Vec::new(),
            deployment: crate::ir::deployment::Deployment::default(),
            nodes,
            inputs: vec![vec![], vec![], vec![NodeId(0), NodeId(1)], vec![NodeId(2)]],
            compared: vec![Vec::new(); 4],
            order: [0, 1, 2, 3].map(NodeId).to_vec(),
        }
    }

    fn selected(selectors: &[&str]) -> Result<Vec<u32>, NoSuchSelection> {
        let selectors: Vec<String> = selectors.iter().map(|&selector| selector.to_owned()).collect();
        let ids = select(&graph(), &selectors)?.unwrap_or_default();
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    #[test]
    fn selectors_are_joined_and_their_parts_intersected() {
        assert_eq!(selected(&["silver.a"]), Ok(vec![2]));
        assert_eq!(selected(&["a"]), Ok(vec![0, 2]));
        assert_eq!(selected(&["bronze.*", "gold.?"]), Ok(vec![0, 1, 3]));
        assert_eq!(selected(&["+silver.a"]), Ok(vec![0, 1, 2]));
        assert_eq!(selected(&["bronze.b+"]), Ok(vec![1, 2, 3]));
        assert_eq!(selected(&["+tag:daily+"]), Ok(vec![0, 1, 2, 3]));
        assert_eq!(selected(&["layer:bronze,+gold.c"]), Ok(vec![0, 1]));
        assert_eq!(select(&graph(), &[]), Ok(None));
    }

    #[test]
    fn a_selector_that_finds_nothing_says_what_there_is() {
        let help = |selector: &str| selected(&[selector]).expect_err("nothing is found").help;
        assert_eq!(help("silver.b+").as_deref(), Some("did you mean `silver.a`?"));
        assert_eq!(help("bronze").as_deref(), Some("that is a layer: write `layer:bronze` or `bronze.*`"));
        assert_eq!(help("tag:dayly").as_deref(), Some("did you mean `daily`?"));
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        assert!(like("*", ""));
        assert!(like("silver.*_clean", "silver.sales_clean"));
        assert!(like("*a*b", "xaxbab"));
        assert!(!like("silver.?", "silver.ab"));
    }
}
