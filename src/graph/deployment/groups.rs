//! Tasks that build several tables: which ones, and in which notebook.
//!
//! In: a job's tasks with `tables`. Out: each one's tables in the graph's order, and the name of the notebook that medc writes
//! for them. A job builds a table once: in a task of its own or in one group. What a group waits for follows from its
//! tables' inputs (`tasks`), so that two groups which need each other are a circle as any other.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::tasks::{UNITY_CATALOG, table_key};
use super::{Context, values};
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code};
use crate::graph::select;
use crate::ir::NodeId;
use crate::ir::deployment::{Job, TaskBody};
use crate::resolve::Entity;
use crate::spec;

/// The tables of a task, and their notebook.
pub(super) struct Group {
    /// In the graph's order.
    pub(super) nodes: Vec<NodeId>,
    pub(super) notebook: String,
}

/// The groups of a job by the index of their task. `selected`: the tables with a task of their own.
pub(super) fn find(
    key: &str,
    job: &Entity<spec::Job>,
    selected: &BTreeSet<NodeId>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<usize, Group> {
    let mut groups = BTreeMap::new();
    let select = job.origin.site("/select");
    let mut built: BTreeMap<NodeId, Site> = selected.iter().map(|id| (*id, select.clone())).collect();
    for (index, task) in job.spec.tasks.iter().enumerate() {
        let Some(tables) = &task.tables else { continue };
        let site = job.origin.site(&format!("/tasks/{index}/tables"));
        let mut nodes: BTreeMap<usize, NodeId> = BTreeMap::new();
        for (pointer, selector) in tables.selectors() {
            let site = site.descend(&pointer);
            let found = match select::select(context.graph, &[selector.to_owned()]) {
                Ok(found) => found.unwrap_or_default(),
                Err(nothing) => {
                    let error = Diagnostic::error(code::JOB_SELECTION, nothing.message).at(site, "");
                    diagnostics.error(Diagnostic { help: nothing.help, ..error });
                    continue;
                }
            };
            for id in found {
                let place = context.places[id.index()];
                if nodes.insert(place, id).is_some() {
                    continue;
                }
                if let Some(first) = built.insert(id, site.clone()) {
                    let name = &context.graph.node(id).name;
                    diagnostics.error(
                        Diagnostic::error(code::DUPLICATE_TASK, format!("the job builds `{name}` twice"))
                            .at(site.clone(), "here again")
                            .at(first, "first here")
                            .help(format!("leave it out of one of them; `{selector}` can name tables one by one")),
                    );
                }
            }
        }
        let own = match tables {
            spec::TablesTask::Select(_) => None,
            spec::TablesTask::Named(named) => named.notebook.clone(),
        };
        let notebook = own.unwrap_or_else(|| format!("{key}_{}", task.task_key));
        groups.insert(index, Group { nodes: nodes.into_values().collect(), notebook });
    }
    groups
}

/// Every notebook of a group has a name that is one, and that no other has.
pub(super) fn notebooks(jobs: &IndexMap<String, Job>, context: &Context<'_>, diagnostics: &mut Diagnostics) {
    let of_tables: BTreeSet<String> = context.graph.nodes.keys().map(table_key).collect();
    let mut first_of: BTreeMap<String, (&[NodeId], Site)> = BTreeMap::new();
    for (key, job) in jobs {
        let written = context.deployment.jobs.get(key).map(|entity| entity.spec.tasks.as_slice()).unwrap_or_default();
        for task in &job.tasks {
            let TaskBody::Tables { nodes, notebook } = &task.body else { continue };
            let index = written.iter().position(|one| one.task_key == task.key).unwrap_or_default();
            let site = job.site.member("tasks").element(index).member("tables");
            let is_named = matches!(
                written.get(index).and_then(|one| one.tables.as_ref()),
                Some(spec::TablesTask::Named(named)) if named.notebook.is_some()
            );
            let site = if is_named { site.member("notebook") } else { site };
            if !values::is_key(notebook) || notebook.len() > 100 {
                diagnostics.error(
                    Diagnostic::error(
                        code::TASK_FORM,
                        format!("`{}` is no name for a notebook", notebook.escape_debug()),
                    )
                    .at(site.clone(), "")
                    .help("use letters, digits, `_` and `-`, at most 100, without `.py`")
                    .fix(values::key_from(notebook.trim_end_matches(".py"))),
                );
                continue;
            }
            let lower = notebook.to_lowercase();
            if lower == UNITY_CATALOG || of_tables.contains(&lower) {
                diagnostics.error(
                    Diagnostic::error(
                        code::TASK_FORM,
                        format!("`{notebook}` is the name of a notebook that medc writes"),
                    )
                    .at(site.clone(), "")
                    .help("give it another name with `tables: {select: …, notebook: NAME}`"),
                );
            }
            match first_of.get(&lower) {
                Some((others, first)) if *others != nodes.as_slice() => {
                    diagnostics.error(
                        Diagnostic::error(
                            code::TASK_FORM,
                            format!("two tasks have the notebook `{notebook}`, with other tables"),
                        )
                        .at(site, "here again")
                        .at(first.clone(), "first here")
                        .help("give one of them another name with `tables: {select: …, notebook: NAME}`"),
                    );
                }
                Some(_) => {}
                None => {
                    first_of.insert(lower, (nodes, site));
                }
            }
        }
    }
}
