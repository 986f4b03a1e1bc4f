//! `medc plan`: what `apply` would change, for people and for machines.
//!
//! A plan is rendered from values alone, so `apply` shows the same lines. Tables stand in the order of execution, under
//! the layer in which each run of them lies; unchanged ones are counted. Nothing here writes to a warehouse.

use std::collections::BTreeMap;

use super::arguments::{self, PlanFormat};
use super::environments::compared;
use super::stages::{self, Loaded, Planned, Session};
use super::{Done, Failure, Outcome};
use crate::ir::NodeId;
use crate::plan::downstream::{self, Consequences};
use crate::plan::drift::{self, Drift};
use crate::plan::{Action, Change, Options, Plan, destruction, refusal};
use crate::report;
use crate::resolve::Place;
use crate::state::{Orphan, SourceFile};

pub(super) mod deployed;
mod human;
mod machine;
mod markdown;
pub(super) mod saved;
mod why;
mod words;

pub(super) use human::{done, no_changes};
use words::Causes;

/// A plan with all that is shown of it.
pub(super) struct Shown {
    pub(super) loaded: Loaded,
    pub(super) planned: Planned,
    consequences: BTreeMap<NodeId, Consequences>,
    drift: Vec<Drift>,
    causes: Causes,
}

impl Shown {
    pub(super) fn of(loaded: Loaded, planned: Planned) -> Self {
        let (checked, Planned { plan, state, .. }) = (&loaded.checked, &planned);
        Shown {
            consequences: downstream::consequences(checked, state, plan),
            drift: drift::find(&checked.graph, state, |id| planned.selected.contains(&id)),
            causes: Causes::of(&checked.graph, state, plan),
            loaded,
            planned,
        }
    }

    fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    /// The files that an appended table has yet to read.
    fn waiting(&self, action: &Action) -> Vec<&SourceFile> {
        let name = &self.loaded.checked.graph.node(action.node).name;
        let state = &self.planned.state;
        match (action.change, state.tables.get(name), state.sources.get(name)) {
            (Change::Append { .. }, Some(table), Some(files)) => {
                files.iter().filter(|file| !table.ingested.contains_key(&file.path)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Tables that are declared no longer and stay.
    fn kept(&self) -> impl Iterator<Item = &Orphan> {
        self.planned.state.orphans.iter().filter(|orphan| !self.plan().drops.contains(orphan))
    }
}

/// Plans and writes the plan to stdout.
pub(super) fn run(options: &arguments::Plan, session: &mut Session) -> Outcome {
    if let Some(from) = &options.from {
        return compared::run(from, options.format(), options.exit_code, session);
    }
    let loaded = session.load();
    if let Ok(loaded) = &loaded
        && matches!(loaded.resolved.environment.place, Place::Databricks(_))
    {
        return deployed::run(options, session, loaded);
    }
    let shown = match loaded.map_err(Failure::from).and_then(|loaded| make(options, loaded, session)) {
        Ok(shown) => Some(shown),
        Err(Failure::Reported) => None,
        Err(failure) => return Err(failure),
    };
    if let (Some(table), Some(shown)) = (&options.why, &shown) {
        session.show_findings()?;
        let written = match options.format() {
            PlanFormat::Json => {
                let value = why::machine(&why::of(shown, table)?);
                format!("{}\n", serde_json::to_string_pretty(&value).expect("plain JSON"))
            }
            PlanFormat::Human | PlanFormat::Markdown => {
                why::human(&why::of(shown, table)?, session.console.paint_data())
            }
        };
        session.console.data(&written)?;
        return Ok(if session.diagnostics.n_errors() == 0 { Done::Well } else { Done::Unwell });
    }
    if let (Some(file), Some(shown)) = (&options.out, &shown) {
        saved::write(file, shown, options, session)?;
    }
    let is_well = session.diagnostics.n_errors() == 0;
    let has_changes = shown.as_ref().is_some_and(|shown| !shown.plan().is_empty());
    if options.github {
        session.findings_were_shown();
        let folder = session.folder_in_workspace();
        session.console.complain(&report::github(&session.diagnostics, &session.sources, &folder))?;
    }
    match options.format() {
        PlanFormat::Human => {
            session.show_findings()?;
            if let Some(shown) = shown.filter(|_| is_well || has_changes) {
                session.console.data(&human::plan(&shown, session.console.paint_data()))?;
            }
            if has_changes {
                let file = options.out.as_ref().map(|file| format!(" {}", file.display())).unwrap_or_default();
                session.console.hint(&format!("run `medc apply{file}` to make these changes"))?;
            }
        }
        PlanFormat::Markdown => {
            session.show_findings()?;
            let written = match &shown {
                Some(shown) => markdown::plan(shown),
                None => markdown::no_plan(&session.diagnostics),
            };
            session.console.data(&written)?;
        }
        PlanFormat::Json => {
            session.findings_were_shown();
            let written = machine::plan(shown.as_ref(), &session.findings());
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
    }
    Ok(match (is_well, options.exit_code && has_changes) {
        (false, _) => Done::Unwell,
        (true, true) => Done::Changes,
        (true, false) => Done::Well,
    })
}

/// What is asked of a plan on the command line.
pub(super) fn asked(
    loaded: &Loaded,
    selection: &arguments::Selection,
    allow_destructive: bool,
) -> Result<Options, Failure> {
    // Who selects tables means these, and a table that is not declared cannot be selected.
    let drops = allow_destructive && selection.select.is_empty();
    Ok(Options {
        full_refresh: selection.full_refresh,
        selection: stages::selected(loaded, &selection.select)?,
        drop_of: drops.then(|| loaded.resolved.project.name.clone()),
        named: stages::named(loaded, &selection.select),
    })
}

fn make(options: &arguments::Plan, loaded: Loaded, session: &mut Session) -> Result<Shown, Failure> {
    let planning = asked(&loaded, &options.selection, options.allow_destructive)?;
    let planned = session.plan(&loaded, &planning)?;
    let graph = &loaded.checked.graph;
    let refused = planned.plan.actions.iter().filter_map(|action| refusal(graph.node(action.node), action));
    for refusal in refused.chain(destruction::prevented(graph, &planned.plan)) {
        session.diagnostics.error(refusal);
    }
    Ok(Shown::of(loaded, planned))
}
