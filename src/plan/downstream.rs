//! Who feels a plan: the tables, columns, datasets and jobs below what changes, by column lineage; and whose contract breaks.
//!
//! In: the checked project, what is there, and a plan. Out: [`Consequences`] by node. Only for changes that start in this
//! plan: what merely follows an input stands in the plan itself. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::check::Checked;
use crate::compatibility::stored::{self, Table};
use crate::compatibility::{Compared, Consumer, Readers};
use crate::ir::deployment::TaskBody;
use crate::ir::{NodeId, Schema};
use crate::name::TableName;
use crate::plan::{Action, Change, ColumnChange, Plan, Reason};
use crate::state::State;

/// What a change means to others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consequences {
    /// What the contract promises otherwise; `None` where it says the same, or where the table's commit does not tell.
    pub contract: Option<Compared>,
    pub felt: Felt,
}

/// Who feels a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Felt {
    pub tables: Vec<Consumer>,
    /// Models' datasets among these, as `model@version`.
    pub datasets: Vec<String>,
    /// Jobs that build the table or any of these.
    pub jobs: Vec<String>,
}

impl Felt {
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.datasets.is_empty() && self.jobs.is_empty()
    }
}

/// The consequences of each action that is not only a consequence itself; actions without any are left out.
pub fn consequences(checked: &Checked, state: &State, plan: &Plan) -> BTreeMap<NodeId, Consequences> {
    let changing: Vec<(&Action, BTreeSet<String>)> =
        plan.actions.iter().filter_map(|action| Some((action, changed_columns(checked, action)?))).collect();
    if changing.is_empty() {
        return BTreeMap::new();
    }
    let readers = Readers::of(checked);
    let mut found: BTreeMap<NodeId, Consequences> = BTreeMap::new();
    for (action, columns) in &changing {
        let felt = felt(checked, &readers, action.node, columns);
        if !felt.is_empty() {
            found.entry(action.node).or_default().felt = felt;
        }
    }
    let before: Vec<(NodeId, stored::Stored, &Schema)> = changing
        .iter()
        .filter_map(|(action, _)| {
            let table = state.tables.get(&checked.graph.node(action.node).name)?;
            let promise = table.commit.as_ref()?.parts()?.promise?;
            Some((action.node, promise, &table.stored.as_ref()?.schema))
        })
        .collect();
    let tables: Vec<Table<'_>> = before
        .iter()
        .map(|(id, promise, columns)| Table { node: checked.graph.node(*id), before: (promise, columns) })
        .collect();
    for (table, compared) in stored::compare_tables(&tables, readers) {
        if let Some(id) = checked.graph.find(&table) {
            found.entry(id).or_default().contract = Some(compared);
        }
    }
    found
}

/// The columns whose values or types are others by the table's own doing, none for all of them; `None` where it only
/// follows its inputs, or where nobody can have read it yet.
fn changed_columns(checked: &Checked, action: &Action) -> Option<BTreeSet<String>> {
    if action.change == Change::Create {
        return None;
    }
    let is_own = action.reasons.iter().any(|reason| match reason {
        Reason::DefinitionChanged | Reason::ColumnsChanged => true,
        Reason::Missing
        | Reason::InputChanged { .. }
        | Reason::InputPlanned { .. }
        | Reason::FilesChanged { .. }
        | Reason::WrittenByOthers { .. }
        | Reason::Unfinished
        | Reason::Requested => false,
    });
    if !is_own {
        return None;
    }
    let only_columns = !action.definition.is_empty()
        && action.definition.iter().all(|part| {
            part.part == "columns" || part.part.starts_with("expectation ") || part.part.starts_with("write.")
        });
    let all = || {
        let schema = checked.typed(action.node).schema.as_ref();
        schema.iter().flat_map(|schema| schema.names()).map(str::to_owned).collect()
    };
    let gone = action.columns.iter().filter_map(|change| match change {
        ColumnChange::Dropped { column, .. } => Some(column.clone()),
        ColumnChange::Retyped { column, .. } | ColumnChange::Nullability { column, .. } => Some(column.clone()),
        ColumnChange::Added { .. } | ColumnChange::Partitioning { .. } => None,
    });
    let gone: BTreeSet<String> = gone.collect();
    match (only_columns, gone.is_empty()) {
        (true, false) => Some(gone),
        // A column more is felt by nobody, and neither is where rows lie.
        (true, true) => None,
        (false, _) => Some(gone.into_iter().chain::<BTreeSet<String>>(all()).collect()),
    }
}

/// Who feels a change of these columns of a table.
pub fn felt(checked: &Checked, readers: &Readers, id: NodeId, columns: &BTreeSet<String>) -> Felt {
    let graph = &checked.graph;
    let tables = readers.feeling(&graph.node(id).name, columns);
    let nodes: BTreeSet<NodeId> = tables
        .iter()
        .filter_map(|consumer| graph.find(&TableName::parse(&consumer.table)?))
        .chain(std::iter::once(id))
        .collect();
    let dataset = |node: &NodeId| {
        let dataset = graph.node(*node).dataset.as_ref()?;
        Some(format!("{}@{}", dataset.model, dataset.version))
    };
    let builds = |body: &TaskBody| matches!(body, TaskBody::Table(node) if nodes.contains(node));
    let jobs = graph.deployment.jobs.iter();
    let jobs = jobs.filter(|(_, job)| job.tasks.iter().any(|task| builds(&task.body)));
    Felt {
        datasets: nodes.iter().filter_map(dataset).collect(),
        jobs: jobs.map(|(key, _)| key.clone()).collect(),
        tables,
    }
}
