//! Lineage for other programs: JSON, Mermaid and Graphviz.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::drawing::{Drawing, Kind, Port};
use crate::check::{Checked, Transformation};

const FORMAT_VERSION: u32 = 1;

/// Tables with their inputs, and every column shown with what flows into it. A drawing of tables comes with all columns.
pub(super) fn json(checked: &Checked, drawing: &Drawing) -> Value {
    let graph = &checked.graph;
    let of_columns = drawing.boxes.iter().any(|table| !table.columns.is_empty());
    let mut tables = Vec::new();
    let mut columns = Vec::new();
    for shown in &drawing.boxes {
        let inputs = &graph.inputs[shown.node.index()];
        let kind = match shown.kind {
            Kind::Source => "source",
            Kind::Table => "table",
            Kind::View => "view",
        };
        tables.push(json!({
            "table": shown.name.to_string(),
            "layer": shown.name.layer,
            "kind": kind,
            "inputs": inputs.iter().map(|input| graph.node(*input).name.to_string()).collect::<Vec<_>>(),
        }));
        for lineage in &checked.typed(shown.node).lineage {
            if !of_columns || shown.columns.iter().any(|column| crate::name::same(column, &lineage.column)) {
                columns.push(json!({
                    "table": shown.name.to_string(),
                    "column": lineage.column,
                    "transformation": lineage.transformation,
                    "sources": lineage.sources,
                }));
            }
        }
    }
    json!({ "format_version": FORMAT_VERSION, "tables": tables, "columns": columns })
}

/// A flowchart from left to right; GitHub and GitLab draw it in Markdown.
pub(super) fn mermaid(drawing: &Drawing) -> String {
    let mut text = "flowchart LR\n".to_owned();
    let of_columns = drawing.boxes.iter().any(|table| !table.columns.is_empty());
    if of_columns {
        for (index, table) in drawing.boxes.iter().enumerate() {
            let _ = writeln!(text, "  subgraph t{index}[\"{}\"]", table.name);
            for (place, column) in table.columns.iter().enumerate() {
                let _ = writeln!(text, "    t{index}c{place}[\"{}\"]", mermaid_text(column));
            }
            text.push_str("  end\n");
        }
    } else {
        for (place, layer) in layers(drawing).into_iter().enumerate() {
            let _ = writeln!(text, "  subgraph l{place}[\"{layer}\"]");
            for (index, table) in drawing.boxes.iter().enumerate().filter(|(_, table)| table.name.layer == layer) {
                let (open, close) = match table.kind {
                    Kind::Source => ("[(", ")]"),
                    Kind::Table => ("[", "]"),
                    Kind::View => ("([", "])"),
                };
                let _ = writeln!(text, "    t{index}{open}\"{}\"{close}", table.name.name);
            }
            text.push_str("  end\n");
        }
    }
    for edge in &drawing.edges {
        let arrow = match edge.transformation {
            None | Some(Transformation::Identity) => "-->",
            Some(Transformation::Expression) => "-. expression .->",
            Some(Transformation::Aggregation) => "== aggregation ==>",
        };
        let _ = writeln!(text, "  {} {arrow} {}", mermaid_port(edge.from), mermaid_port(edge.to));
    }
    text
}

fn mermaid_port(port: Port) -> String {
    match port.column {
        None => format!("t{}", port.table),
        Some(column) => format!("t{}c{column}", port.table),
    }
}

fn mermaid_text(text: &str) -> String {
    text.replace('#', "#35;").replace('"', "#quot;")
}

/// A digraph for `dot`.
pub(super) fn dot(drawing: &Drawing) -> String {
    let mut text = "digraph lineage {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    for (place, layer) in layers(drawing).into_iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{place} {{\n    label=\"{layer}\";");
        for (index, table) in drawing.boxes.iter().enumerate().filter(|(_, table)| table.name.layer == layer) {
            if table.columns.is_empty() {
                let style = if table.kind == Kind::View { ", style=dashed" } else { "" };
                let _ = writeln!(text, "    t{index} [label=\"{}\"{style}];", table.name.name);
            } else {
                let rows: Vec<String> = table
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(place, column)| format!("<c{place}> {}", dot_record(column)))
                    .collect();
                let _ =
                    writeln!(text, "    t{index} [shape=record, label=\"{}|{}\"];", table.name.name, rows.join("|"));
            }
        }
        text.push_str("  }\n");
    }
    for edge in &drawing.edges {
        let style = match edge.transformation {
            None | Some(Transformation::Identity) => "",
            Some(Transformation::Expression) => " [style=dashed]",
            Some(Transformation::Aggregation) => " [style=bold]",
        };
        let _ = writeln!(text, "  {} -> {}{style};", dot_port(edge.from), dot_port(edge.to));
    }
    text.push_str("}\n");
    text
}

fn dot_port(port: Port) -> String {
    match port.column {
        None => format!("t{}", port.table),
        Some(column) => format!("t{}:c{column}", port.table),
    }
}

/// Text inside a record's label (Graphviz, "Record-based nodes").
fn dot_record(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if "{}|<>\\\" ".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The layers in the order in which they first appear.
pub(super) fn layers(drawing: &Drawing) -> Vec<&str> {
    let mut layers: Vec<&str> = Vec::new();
    for table in &drawing.boxes {
        if !layers.contains(&table.name.layer.as_str()) {
            layers.push(&table.name.layer);
        }
    }
    layers
}
