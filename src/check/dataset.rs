//! Datasets held against the table that they are cut from: their columns exist, and their target is not a function of
//! their features.

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Reported, code};
use crate::ir::{Body, Dataset, Input, Node, Operation, Schema};
use crate::name;
use crate::sql::determination::{self, OutputExpression};
use crate::sql::parse;

/// Reports features and targets that the source table lacks.
///
/// # Errors
/// `datasets::unknown-column`.
pub(super) fn columns_exist(
    node: &Node,
    dataset: &Dataset,
    source: &Schema,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let features_site = node.site.member("feature_columns");
    let mut wanted: Vec<_> = dataset
        .features
        .iter()
        .enumerate()
        .map(|(index, feature)| ("feature", feature, features_site.element(index)))
        .collect();
    wanted.push(("target", &dataset.target, node.site.member("target_column")));
    let mut missing = None;
    for (role, column, site) in wanted {
        if source.column(column).is_some() {
            continue;
        }
        let found = Diagnostic::error(
            code::FEATURE_UNKNOWN,
            format!("`{}` has no column `{column}`, the {role} of `{}`", dataset.source_table, dataset.model),
        )
        .at(site, "");
        let fix = name::nearest(column, source.names()).map(Fix::value);
        missing =
            Some(diagnostics.error(Diagnostic { help: name::did_you_mean(column, source.names()), fix, ..found }));
    }
    missing.map_or(Ok(()), Err)
}

/// Warns of a target that can be computed from the features.
pub(super) fn target_is_free(node: &Node, dataset: &Dataset, source: &Node, diagnostics: &mut Diagnostics) {
    let Some(columns) = expressions(source) else { return };
    if !determination::determines(&columns, &dataset.features, &dataset.target) {
        return;
    }
    diagnostics.warn(
        Diagnostic::warning(
            code::TARGET_DETERMINED,
            format!("the target `{}` of `{}` can be computed from its features", dataset.target, dataset.model),
        )
        .at(node.site.member("target_column"), "")
        .note(format!(
            "by the way `{}` is built, {} determine it; a model would learn that formula and nothing else",
            dataset.source_table,
            name::list(&dataset.features)
        ))
        .help("predict another column, or leave out a feature that it is computed from"),
    );
}

/// The output expressions of a table, where they can be told from its text.
fn expressions(source: &Node) -> Option<Vec<OutputExpression>> {
    let Body::Relation(relation) = &source.body else { return None };
    match &relation.input {
        Input::Query(sql) => determination::output_expressions(&parse::parse_query(&sql.text).ok()?),
        Input::Table { .. } => {
            let contract = source.contract.as_ref()?;
            let mut columns: Vec<OutputExpression> = contract
                .columns
                .iter()
                .filter_map(|column| {
                    let name = &column.column.name;
                    let expression = parse::parse_expression(&crate::kind::column(name)).ok()?;
                    Some(determination::computed(name, &expression))
                })
                .collect();
            for operation in &relation.operations {
                let Operation::Extend(computed) = operation else { continue };
                for one in computed {
                    let expression = parse::parse_expression(&one.expression.text).ok()?;
                    let (name, ast) = determination::computed(&one.name, &expression);
                    columns.retain(|(column, _)| *column != name);
                    columns.push((name, ast));
                }
            }
            Some(columns)
        }
    }
}
