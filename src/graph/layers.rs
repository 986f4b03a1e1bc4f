//! Layer rules: who may read whom, and what a layer's tables may do.

use indexmap::IndexMap;

use super::edges::{By, Read};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, code};
use crate::ir::{Body, Node};
use crate::name::{self, TableName};
use crate::resolve::Resolved;

/// The layers that a layer's tables may read: those it names, or itself and all before it.
pub(super) fn readable(layer: &str, resolved: &Resolved) -> Vec<String> {
    if let Some(reads) = resolved.layers.get(layer).and_then(|declared| declared.spec.reads.as_ref()) {
        reads.iter().map(|read| read.to_lowercase()).collect()
    } else {
        let last = resolved.layers.get_index_of(layer).map_or(0, |index| index + 1);
        resolved.layers.keys().take(last).cloned().collect()
    }
}

/// Reports every break of a layer's `reads` and `policy`.
pub(super) fn hold(
    nodes: &IndexMap<TableName, Node>,
    reads: &[Vec<Read>],
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) {
    for layer in resolved.layers.values() {
        for (index, read) in layer.spec.reads.iter().flatten().enumerate() {
            if !resolved.layers.contains_key(&read.to_lowercase()) {
                let known = resolved.layers.keys().map(String::as_str);
                let found = Diagnostic::error(code::UNKNOWN_LAYER, format!("there is no layer `{read}`"))
                    .at(layer.origin.site(&format!("/reads/{index}")), "");
                let fix = name::nearest(read, known.clone()).map(Fix::value);
                diagnostics.error(Diagnostic { help: name::did_you_mean(read, known), fix, ..found });
            }
        }
    }
    for (node, reads) in nodes.values().zip(reads) {
        policy(node, resolved, diagnostics);
        let allowed = readable(&node.name.layer, resolved);
        // What an assertion is compared with gives the table no rows.
        for read in reads.iter().filter(|read| read.by == By::Rows) {
            let (input, _) = nodes.get_index(read.input.index()).expect("an edge leads to a node");
            if !allowed.contains(&input.layer) {
                diagnostics.error(forbidden(node, input, &allowed, read, resolved));
            }
        }
    }
}

fn forbidden(node: &Node, input: &TableName, allowed: &[String], read: &Read, resolved: &Resolved) -> Diagnostic {
    let layer = &node.name.layer;
    let may = if allowed.is_empty() { "nothing".to_owned() } else { name::list(allowed) };
    let mut found = Diagnostic::error(
        code::LAYER_ORDER,
        format!("`{}` reads `{input}`, which the layer `{layer}` may not", node.name),
    )
    .at(read.site.clone(), format!("in the layer `{}`", input.layer));
    if let Some(declared) = resolved.layers.get(layer) {
        let site = match declared.spec.reads {
            Some(_) => declared.origin.site("/reads"),
            None => declared.origin.site.clone().key(),
        };
        found = found.at(site, format!("`{layer}` reads {may}"));
    }
    found.help(format!("read a table of {may}, or add `{}` to the layer's `reads`", input.layer))
}

/// What can be told without typing; `aggregate` is held by `check`.
fn policy(node: &Node, resolved: &Resolved, diagnostics: &mut Diagnostics) {
    let Some(layer) = resolved.layers.get(&node.name.layer) else { return };
    let policy = &layer.spec.policy;
    if !policy.transform
        && let Body::Relation(relation) = &node.body
    {
        let (site, what) = match (&relation.input, relation.operations.is_empty()) {
            (crate::ir::Input::Query(_), _) => (node.site.member("sql").key(), "a query"),
            (crate::ir::Input::Table { .. }, false) => (node.site.member("steps").key(), "steps"),
            (crate::ir::Input::Table { .. }, true) => return,
        };
        diagnostics.error(
            Diagnostic::error(
                code::LAYER_POLICY,
                format!("`{}` has {what}, and `{}` may not transform", node.name, node.name.layer),
            )
            .at(site, "")
            .at(layer.origin.site("/policy/transform"), "forbidden here")
            .help("move it to a table of a later layer"),
        );
    }
    if policy.contract && node.contract.is_none() && node.dataset.is_none() {
        diagnostics.error(
            Diagnostic::error(
                code::LAYER_POLICY,
                format!("`{}` has no contract, and `{}` demands one", node.name, node.name.layer),
            )
            .at(node.site.clone().key(), "")
            .at(layer.origin.site("/policy/contract"), "demanded here")
            .help("declare its columns below `contracts` and name them with `contract: NAME`"),
        );
    }
}
