//! The manifest: what a bundle deploys to one environment, written down beside it, so that a later plan can be held against it.
//!
//! In: a target. Out: [`Manifest`], and the [`Changes`] between two. It is a file of the bundle and so goes where the bundle goes; no
//! other file remembers what is deployed. The same project gives the same bytes: the commit is the only thing in it that
//! does not come from the project's files, and only a deployment by medc writes it in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Target, configuration};
use crate::check::Checked;
use crate::compatibility::stored::{self, Table};
use crate::compatibility::{Compared, Readers};
use crate::ir::{Schema, WriteMode};
use crate::name::TableName;
use crate::plan::definition::{between, parts};
use crate::plan::downstream::{Felt, felt};
use crate::plan::{ColumnChange, PartChange, dataset_definition, differences, fingerprints};
use crate::state::{Parts, Stored};

const FORMAT_VERSION: u32 = 1;

/// What is deployed to one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format_version: u32,
    pub medc_version: String,
    pub project: String,
    pub environment: String,
    /// The commit that was deployed; none where something else than `medc apply` deployed the bundle.
    pub git_sha: Option<String>,
    /// By `layer.name`.
    pub tables: BTreeMap<String, DeployedTable>,
    /// By `model@version`.
    pub datasets: BTreeMap<String, DeployedDataset>,
    /// Hashes of each key of a resource's configuration, by `jobs.daily`.
    pub resources: BTreeMap<String, BTreeMap<String, String>>,
}

/// A table as its job builds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployedTable {
    pub fingerprint: String,
    pub parts: Parts,
    /// None where they are known at run time only.
    pub columns: Option<Schema>,
    partition_by: Vec<String>,
}

/// A version of a model's dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedDataset {
    pub table: String,
    pub definition: String,
}

/// The manifest's path in the bundle.
pub fn path(environment: &str) -> String {
    format!("manifests/{environment}.json")
}

impl Manifest {
    /// What the target deploys.
    pub fn of(project: &str, target: &Target<'_>, git_sha: Option<&str>) -> Self {
        let checked = target.checked;
        let graph = &checked.graph;
        let fingerprints = fingerprints(graph);
        let mut tables = BTreeMap::new();
        let mut datasets = BTreeMap::new();
        for &id in &graph.order {
            let node = graph.node(id);
            let table = DeployedTable {
                fingerprint: fingerprints[id.index()].clone(),
                parts: parts(graph, id),
                columns: checked.typed(id).schema.clone(),
                partition_by: node.write.partition_by.clone(),
            };
            tables.insert(node.name.to_string(), table);
            if let Some(dataset) = &node.dataset {
                let deployed =
                    DeployedDataset { table: node.name.to_string(), definition: dataset_definition(dataset) };
                datasets.insert(format!("{}@{}", dataset.model, dataset.version), deployed);
            }
        }
        let resources = configuration::resources(target).into_iter();
        Manifest {
            format_version: FORMAT_VERSION,
            medc_version: env!("CARGO_PKG_VERSION").to_owned(),
            project: project.to_owned(),
            environment: target.environment.name.clone(),
            git_sha: git_sha.map(str::to_owned),
            tables,
            datasets,
            resources: resources.map(|(kind, key, body)| (format!("{kind}.{key}"), hashes(&body))).collect(),
        }
    }

    /// Its text in the bundle.
    pub fn text(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).expect("plain JSON"))
    }

    /// Reads what [`Manifest::text`] wrote.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The version of each contract that a table keeps, by its name.
    pub fn contracts(&self) -> BTreeMap<String, String> {
        let promises = self.tables.values().filter_map(|table| table.parts.promise.as_ref());
        let version = |promise: &stored::Stored| promise.version.clone().unwrap_or_else(|| "no version".to_owned());
        promises.map(|promise| (promise.contract.clone(), version(promise))).collect()
    }
}

fn hashes(body: &Value) -> BTreeMap<String, String> {
    let hash = |value: &Value| blake3::hash(value.to_string().as_bytes()).to_hex()[..16].to_owned();
    body.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), hash(value))).collect()
}

/// What happens to one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Create,
    Change,
    Remove,
}

/// What a deployment changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    pub resources: Vec<ResourceChange>,
    pub tables: Vec<TableChange>,
    pub datasets: Vec<(String, How)>,
    pub n_unchanged_resources: usize,
    pub n_unchanged_tables: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceChange {
    /// `jobs.daily`.
    pub resource: String,
    pub how: How,
    /// The keys of its configuration that are others.
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableChange {
    pub table: String,
    pub how: How,
    pub definition: Vec<PartChange>,
    pub columns: Vec<ColumnChange>,
    pub contract: Option<Compared>,
    pub felt: Felt,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.tables.is_empty() && self.datasets.is_empty()
    }

    /// Holds what would be deployed against what is; `None` where nothing is.
    pub fn between(before: Option<&Manifest>, after: &Manifest, checked: &Checked) -> Self {
        let mut changes = Changes::default();
        changes.of_resources(before, after);
        changes.of_tables(before, after, checked);
        let former = before.map(|before| &before.datasets);
        for (dataset, deployed) in &after.datasets {
            match former.and_then(|former| former.get(dataset)) {
                None => changes.datasets.push((dataset.clone(), How::Create)),
                Some(former) if former != deployed => changes.datasets.push((dataset.clone(), How::Change)),
                Some(_) => {}
            }
        }
        let gone = former.into_iter().flat_map(BTreeMap::keys).filter(|dataset| !after.datasets.contains_key(*dataset));
        changes.datasets.extend(gone.map(|dataset| (dataset.clone(), How::Remove)));
        changes
    }

    fn of_resources(&mut self, before: Option<&Manifest>, after: &Manifest) {
        let empty = BTreeMap::new();
        let former = before.map_or(&empty, |before| &before.resources);
        let all: BTreeSet<&String> = former.keys().chain(after.resources.keys()).collect();
        for resource in all {
            let (how, keys) = match (former.get(resource), after.resources.get(resource)) {
                (None, _) => (How::Create, Vec::new()),
                (_, None) => (How::Remove, Vec::new()),
                (Some(former), Some(now)) => {
                    let keys: BTreeSet<&String> = former.keys().chain(now.keys()).collect();
                    let differing = keys.into_iter().filter(|key| former.get(*key) != now.get(*key));
                    (How::Change, differing.cloned().collect())
                }
            };
            if how == How::Change && keys.is_empty() {
                self.n_unchanged_resources += 1;
            } else {
                self.resources.push(ResourceChange { resource: resource.clone(), how, keys });
            }
        }
    }

    fn of_tables(&mut self, before: Option<&Manifest>, after: &Manifest, checked: &Checked) {
        let graph = &checked.graph;
        let empty = BTreeMap::new();
        let former = before.map_or(&empty, |before| &before.tables);
        let readers = Readers::of(checked);
        let mut promised: Vec<Table<'_>> = Vec::new();
        for &id in &graph.order {
            let node = graph.node(id);
            let name = node.name.to_string();
            let (Some(now), was) = (after.tables.get(&name), former.get(&name)) else { continue };
            if was == Some(now) {
                self.n_unchanged_tables += 1;
                continue;
            }
            let mut change = TableChange {
                table: name,
                how: if was.is_some() { How::Change } else { How::Create },
                definition: Vec::new(),
                columns: Vec::new(),
                contract: None,
                felt: Felt::default(),
            };
            if let Some(was) = was {
                change.definition = between(&was.parts.definition, &now.parts.definition);
                if let (Some(columns), Some(declared)) = (&was.columns, &now.columns)
                    && node.write.mode != WriteMode::View
                {
                    let stored =
                        Stored { schema: columns.clone(), partition_by: was.partition_by.clone(), by_others: false };
                    change.columns = differences(node, &stored, declared);
                }
                if !change.definition.is_empty() {
                    let columns = now.columns.iter().flat_map(Schema::names).map(str::to_owned).collect();
                    change.felt = felt(checked, &readers, id, &columns);
                }
                if let (Some(promise), Some(columns)) = (&was.parts.promise, &was.columns) {
                    promised.push(Table { node, before: (promise, columns) });
                }
            }
            self.tables.push(change);
        }
        let mut compared: BTreeMap<TableName, Compared> = stored::compare_tables(&promised, readers);
        for change in &mut self.tables {
            change.contract = TableName::parse(&change.table).and_then(|table| compared.remove(&table));
        }
        for table in former.keys().filter(|table| !after.tables.contains_key(*table)) {
            self.tables.push(TableChange {
                table: table.clone(),
                how: How::Remove,
                definition: Vec::new(),
                columns: Vec::new(),
                contract: None,
                felt: Felt::default(),
            });
        }
    }
}
