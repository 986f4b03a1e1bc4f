//! The tables as a Lakeflow declarative pipeline: a source file for each, and the pipeline that runs them.
//!
//! In: the checked project. Out: a Python file for a table with the same declaration as its notebook would have, which the
//! package's module `pipeline` turns into datasets, and the pipeline's resource. What a pipeline cannot do is reported
//! long before.

use serde_json::{Map, Value, json};

use crate::check::Checked;
use crate::engines::databricks::{Target, configuration, notebooks, pipeline_path, table_key};
use crate::graph::deployment::{pipeline, schemas};
use crate::ir::NodeId;

/// The file that defines a table's datasets.
pub(super) fn text(checked: &Checked, id: NodeId, package: &str, beside: &notebooks::Beside) -> String {
    let node = checked.graph.node(id);
    let sequence = pipeline::sequence(&checked.graph, id).unwrap_or_default();
    let heading: Vec<String> =
        notebooks::description(node).iter().map(|line| format!("# {line}").trim_end().to_owned()).collect();
    format!(
        "{}\n\nfrom pyspark.sql import SparkSession\n\n{}\nfrom {package}.pipeline import define\n\n{}\n\n\
         define(table, SparkSession.active())\n",
        heading.join("\n").replacen("# # ", "# ", 1),
        notebooks::import(package, &[node], &[], &[]),
        notebooks::declaration(checked, id, beside, &sequence)
    )
}

/// The source files: the folder, or where environments have files of their own, each of this one.
fn libraries(target: &Target<'_>) -> Vec<Value> {
    if target.differing.is_empty() {
        return vec![json!({ "glob": { "include": "../src/pipeline/**" } })];
    }
    let graph = &target.checked.graph;
    let path = |id: &NodeId| format!("../{}", target.path(pipeline_path(&graph.node(*id).name)));
    graph.order.iter().map(|id| json!({ "file": { "path": path(id) } })).collect()
}

/// The pipeline's resource. Where sources lie, and what schemas are called, its configuration says.
pub(super) fn body(target: &Target<'_>, key: &str) -> Value {
    let graph = &target.checked.graph;
    let schemas = schemas(graph);
    let mut given = Map::new();
    let mut put = |name: String, value: String| given.insert(name, value.into());
    put("catalog".to_owned(), "${var.catalog}".to_owned());
    put("environment".to_owned(), "${bundle.target}".to_owned());
    put("layers".to_owned(), schemas.join(","));
    for schema in &schemas {
        put(format!("schema_{schema}"), format!("${{resources.schemas.{schema}.name}}"));
    }
    for &id in &graph.order {
        let node = graph.node(id);
        if super::reads_files(node) {
            let key = table_key(&node.name);
            put(format!("path_{key}"), format!("${{var.{}}}", configuration::path_variable(&key)));
        }
    }
    // Texts are cast, and times shown, as the tables promise it: in UTC, failing where a value does not fit.
    put("spark.sql.ansi.enabled".to_owned(), "true".to_owned());
    put("spark.sql.session.timeZone".to_owned(), "UTC".to_owned());
    // Where the steps between lie, which nobody else sees.
    let default = schemas.first().map_or("default", String::as_str);
    json!({
        "name": key,
        "catalog": "${var.catalog}",
        "schema": format!("${{resources.schemas.{default}.name}}"),
        "serverless": true,
        "root_path": "../src",
        "libraries": libraries(target),
        "configuration": given,
    })
}
