//! Models' datasets as tables: `<layer>.<model>_v<version>`, cut from one table.

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, code};
use crate::ir::{Body, Dataset, Input, Node, Relation, SchemaEvolution, Sql, Write, WriteMode};
use crate::kind;
use crate::name::{self, TableName};
use crate::resolve::{Datasets, Entity, Resolved};
use crate::spec;

/// Adds the datasets' nodes.
pub(super) fn lower_all(
    datasets: &Datasets,
    resolved: &Resolved,
    nodes: &mut IndexMap<TableName, Node>,
    diagnostics: &mut Diagnostics,
) {
    if !resolved.layers.contains_key(&datasets.layer) {
        let known = resolved.layers.keys().map(String::as_str);
        let found = Diagnostic::error(code::UNKNOWN_LAYER, format!("there is no layer `{}`", datasets.layer))
            .at(datasets.origin.site("/layer"), "");
        let fix = name::nearest(&datasets.layer, known.clone()).map(Fix::value);
        diagnostics.error(Diagnostic { help: name::did_you_mean(&datasets.layer, known), fix, ..found });
        return;
    }
    for entry in &datasets.entries {
        let Some(node) = lower(entry, datasets, resolved, diagnostics) else { continue };
        if let Some(other) = nodes.get(&node.name) {
            let dataset = node.dataset.as_ref().expect("lowered as a dataset");
            let found = if other.dataset.is_some() {
                Diagnostic::error(
                    code::DATASET_DUPLICATE,
                    format!("version {} of `{}` is declared twice", dataset.version, dataset.model),
                )
                .at(node.site.member("version"), "here again")
                .at(other.site.member("version"), "first here")
                .help("give it the next version, or remove one of them")
            } else {
                Diagnostic::error(code::DUPLICATE_NAME, format!("`{}` is a table already", node.name))
                    .at(node.site.member("model_name"), "this dataset would be it too")
                    .at(other.site.clone().key(), "declared here")
                    .help("rename one of them")
            };
            diagnostics.error(found);
            continue;
        }
        nodes.insert(node.name.clone(), node);
    }
}

fn lower(
    entry: &Entity<spec::Dataset>,
    datasets: &Datasets,
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let Entity { spec, origin } = entry;
    if !name::is_identifier(&spec.model_name) {
        diagnostics.error(
            Diagnostic::error(code::BAD_NAME, format!("`{}` is no name for a model", spec.model_name))
                .at(origin.site("/model_name"), "")
                .help("use letters, digits and underscores, not a digit first"),
        );
        return None;
    }
    let n_errors = diagnostics.n_errors();
    features(entry, diagnostics);
    let source = source_table(entry, datasets, resolved, diagnostics);
    if diagnostics.n_errors() > n_errors {
        return None;
    }
    let source = source?;
    let columns: Vec<String> =
        spec.feature_columns.iter().chain([&spec.target_column]).map(|column| kind::column(column)).collect();
    let text = format!("SELECT {} FROM {source}", columns.join(", "));
    Some(Node {
        name: TableName::new(&datasets.layer, &format!("{}_v{}", spec.model_name, spec.version)),
        site: origin.site.clone(),
        description: spec.description.clone(),
        tags: Vec::new(),
        owner: spec.owner.clone(),
        body: Body::Relation(Relation {
            input: Input::Query(Sql { text: text.into(), site: origin.site.clone(), authored: false }),
            operations: Vec::new(),
        }),
        contract: None,
        write: Write {
            mode: WriteMode::Overwrite,
            cluster_by: Vec::new(),
            partition_by: Vec::new(),
            schema_evolution: SchemaEvolution::Evolve,
        },
        assertions: Vec::new(),
        feature_table: None,
        prevent_destroy: false,
        defaults: Vec::new(),
        on_databricks: crate::ir::OnDatabricks::default(),
        dataset: Some(Dataset {
            model: spec.model_name.clone(),
            version: spec.version,
            source_table: source,
            features: spec.feature_columns.clone(),
            target: spec.target_column.clone(),
        }),
    })
}

/// Each feature once, and the target not among them.
fn features(entry: &Entity<spec::Dataset>, diagnostics: &mut Diagnostics) {
    let Entity { spec, origin } = entry;
    for (index, feature) in spec.feature_columns.iter().enumerate() {
        let site = origin.site("/feature_columns").element(index);
        if let Some(first) = spec.feature_columns[..index].iter().position(|earlier| name::same(earlier, feature)) {
            diagnostics.error(
                Diagnostic::error(code::SQL_DUPLICATE_COLUMN, format!("the feature `{feature}` stands twice"))
                    .at(site, "here again")
                    .at(origin.site("/feature_columns").element(first), "first here")
                    .help("remove one of them"),
            );
        } else if name::same(feature, &spec.target_column) {
            diagnostics.error(
                Diagnostic::error(
                    code::TARGET_AMONG_FEATURES,
                    format!("the target `{feature}` of `{}` is one of its features", spec.model_name),
                )
                .at(site, "this feature")
                .at(origin.site("/target_column"), "is the target")
                .note("a model that sees its target has nothing to learn, and the table would have the column twice")
                .help("remove it from `feature_columns`, or predict another column"),
            );
        }
    }
}

/// The table that the dataset is cut from: one that the datasets' layer reads, other than itself.
fn source_table(
    entry: &Entity<spec::Dataset>,
    datasets: &Datasets,
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) -> Option<TableName> {
    let Entity { spec, origin } = entry;
    let site = origin.site("/source_table");
    let written = &spec.source_table;
    let source = TableName::parse(written).filter(|name| resolved.tables.contains_key(name));
    let Some(source) = source else {
        let known: Vec<String> = resolved.tables.keys().map(ToString::to_string).collect();
        let known = known.iter().map(String::as_str);
        let found =
            Diagnostic::error(code::DATASET_SOURCE_UNKNOWN, format!("there is no table `{written}`")).at(site, "");
        let fix = name::nearest(written, known.clone()).map(Fix::value);
        diagnostics.error(Diagnostic { help: name::did_you_mean(written, known), fix, ..found });
        return None;
    };
    let readable: Vec<String> = super::layers::readable(&datasets.layer, resolved)
        .into_iter()
        .filter(|layer| *layer != datasets.layer)
        .collect();
    if !readable.contains(&source.layer) {
        diagnostics.error(
            Diagnostic::error(
                code::DATASET_SOURCE_LAYER,
                format!("`{}` is cut from `{source}`, outside {}", spec.model_name, name::list(&readable)),
            )
            .at(site, format!("in the layer `{}`", source.layer))
            .note(format!("datasets of `{}` come from the layers that it reads, other than itself", datasets.layer))
            .help(format!("build a table in {} that has these columns, and name it here", name::list(&readable))),
        );
        return None;
    }
    Some(source)
}
