//! Lineage for a terminal: a list of tables, or trees of columns.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Subject;
use super::drawing::{self, ColumnRef, Flow};
use crate::check::{Checked, Transformation};
use crate::cli::ui::{Paint, Tone};
use crate::graph::select::{self, Direction};
use crate::ir::{Body, NodeId};

/// Without a subject: each table with what it reads, by layer. With one: what it is made of, and what is made of it. What
/// was already spelled out above is not repeated.
pub(super) fn write(checked: &Checked, subject: &Subject, directions: &[Direction], paint: Paint) -> String {
    let starts = drawing::start(checked, subject);
    match subject {
        Subject::Everything => tables(checked, paint),
        Subject::Table(id) if starts.is_empty() => {
            let mut text = format!("{}\n", paint.tone(Tone::Strong, &name(checked, *id)));
            let _ = writeln!(text, "{}", paint.tone(Tone::Faint, "its columns are only known when it runs"));
            for &direction in directions {
                let next = match direction {
                    Direction::Upstream => checked.graph.inputs.clone(),
                    Direction::Downstream => select::readers(&checked.graph),
                };
                let tables = Tables { checked, next };
                text.push_str(&section(&tables, &[*id], direction, paint, false));
            }
            text
        }
        Subject::Table(id) => {
            let mut text = format!("{}\n", paint.tone(Tone::Strong, &name(checked, *id)));
            for &direction in directions {
                let columns = Columns { checked, flow: Flow::of(checked), direction };
                text.push_str(&section(&columns, &starts, direction, paint, true));
            }
            text
        }
        Subject::Column(id, column) => {
            let mut text = format!("{}\n", paint.tone(Tone::Strong, &format!("{}.{column}", name(checked, *id))));
            for &direction in directions {
                let columns = Columns { checked, flow: Flow::of(checked), direction };
                text.push_str(&section(&columns, &starts, direction, paint, false));
            }
            text
        }
    }
}

fn name(checked: &Checked, id: NodeId) -> String {
    checked.graph.node(id).name.to_string()
}

fn tables(checked: &Checked, paint: Paint) -> String {
    let graph = &checked.graph;
    let mut layers: Vec<&str> = Vec::new();
    for &id in &graph.order {
        let layer = graph.node(id).name.layer.as_str();
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    let width = graph.nodes.keys().map(|name| name.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for layer in layers {
        let _ = writeln!(text, "{}", paint.tone(Tone::Strong, layer));
        for &id in graph.order.iter().filter(|id| graph.node(**id).name.layer == layer) {
            let node = graph.node(id);
            let inputs: Vec<String> = graph.inputs[id.index()].iter().map(|input| name(checked, *input)).collect();
            let reads = match &node.body {
                Body::Ingest(ingest) => ingest.location.clone(),
                Body::Relation(_) => inputs.join(", "),
            };
            let gap = " ".repeat(width - node.name.name.chars().count());
            let reads = if reads.is_empty() { reads } else { paint.tone(Tone::Faint, &format!("{gap}  ← {reads}")) };
            let _ = writeln!(text, "  {}{reads}", node.name.name);
        }
    }
    text
}

/// Something that has a tree below it.
trait Tree {
    type Place: Copy + Ord;

    /// How the place is called, at the top of a tree and below.
    fn label(&self, place: Self::Place, top: bool) -> String;

    /// What comes next, with what is said of the step there.
    fn next(&self, place: Self::Place) -> Vec<(Self::Place, &'static str)>;
}

struct Tables<'a> {
    checked: &'a Checked,
    next: Vec<Vec<NodeId>>,
}

impl Tree for Tables<'_> {
    type Place = NodeId;

    fn label(&self, place: NodeId, _: bool) -> String {
        name(self.checked, place)
    }

    fn next(&self, place: NodeId) -> Vec<(NodeId, &'static str)> {
        self.next[place.index()].iter().map(|next| (*next, "")).collect()
    }
}

struct Columns<'a> {
    checked: &'a Checked,
    flow: Flow,
    direction: Direction,
}

impl Tree for Columns<'_> {
    type Place = ColumnRef;

    fn label(&self, (id, place): ColumnRef, top: bool) -> String {
        let column = drawing::columns(self.checked, id).get(place).cloned().unwrap_or_default();
        if top { column } else { format!("{}.{column}", name(self.checked, id)) }
    }

    fn next(&self, place: ColumnRef) -> Vec<(ColumnRef, &'static str)> {
        let word = |transformation| match transformation {
            Transformation::Identity => "",
            Transformation::Expression => "expression",
            Transformation::Aggregation => "aggregation",
        };
        self.flow.next(place, self.direction).iter().map(|(next, how)| (*next, word(*how))).collect()
    }
}

/// One direction's trees; nothing when there is nothing below any of the starts.
fn section<T: Tree>(tree: &T, starts: &[T::Place], direction: Direction, paint: Paint, named: bool) -> String {
    let title = match direction {
        Direction::Upstream => "made of",
        Direction::Downstream => "read by",
    };
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    // A column of a named table is listed also when nothing flows into it, such as a count of rows.
    let has_children = |start: &T::Place| !tree.next(*start).is_empty();
    let all = named && direction == Direction::Upstream;
    let shown: Vec<T::Place> = starts.iter().copied().filter(|start| all || has_children(start)).collect();
    if !shown.iter().any(has_children) {
        return text;
    }
    let _ = writeln!(text, "{}", paint.tone(Tone::Faint, title));
    for (index, &start) in shown.iter().enumerate() {
        if named {
            let last = index + 1 == shown.len();
            let (branch, indent) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let _ = writeln!(text, "{branch}{}", tree.label(start, true));
            below(tree, start, indent, &mut seen, paint, &mut text);
        } else {
            below(tree, start, "", &mut seen, paint, &mut text);
        }
    }
    text
}

fn below<T: Tree>(
    tree: &T,
    place: T::Place,
    indent: &str,
    seen: &mut BTreeSet<T::Place>,
    paint: Paint,
    text: &mut String,
) {
    let children = tree.next(place);
    for (index, (child, how)) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let (branch, deeper) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let has_children = !tree.next(*child).is_empty();
        let repeated = has_children && !seen.insert(*child);
        let how = match (*how, repeated) {
            ("", false) => String::new(),
            ("", true) => "  (see above)".to_owned(),
            (how, false) => format!("  {how}"),
            (how, true) => format!("  {how} (see above)"),
        };
        let how = if how.is_empty() { how } else { paint.tone(Tone::Faint, &how) };
        let _ = writeln!(text, "{indent}{branch}{}{how}", tree.label(*child, false));
        if !repeated {
            below(tree, *child, &format!("{indent}{deeper}"), seen, paint, text);
        }
    }
}
