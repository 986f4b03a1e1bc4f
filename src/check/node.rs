//! One node: its rows typed, then held against its contract, then its assertions.
//!
//! In: the graph, and what is known of the nodes before this one. Out: what is known of this one. A node that reads a
//! table of unknown columns is parsed, but not judged; its schema is then its contract's.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::check::row::{Alias, Origin, Row, RowColumn};
use crate::check::{
    ColumnLineage, ColumnSource, Transformation, Typed, assertions, contract, dataset, operations, report,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Reported, Site, code};
use crate::graph::Graph;
use crate::ir::{Body, Column, Contract, Ingest, Input, Node, NodeId, Relation, Schema, Sql};
use crate::name::{self, TableName};
use crate::sql::bind::{Typer, type_query};
use crate::sql::parse::{ErrorKind, parse_expression, parse_query, relations};
use crate::sql::types;

/// Types a node.
///
/// # Errors
/// After having reported all that is wrong with it.
pub(super) fn check(
    typer: &Typer,
    graph: &Graph,
    id: NodeId,
    typed: &[Arc<Typed>],
    diagnostics: &mut Diagnostics,
) -> Result<Typed, Reported> {
    let node = graph.node(id);
    if let Some(dataset) = &node.dataset
        && let Some(source) = graph.find(&dataset.source_table)
    {
        if let Some(schema) = &typed[source.index()].schema {
            dataset::columns_exist(node, dataset, schema, diagnostics)?;
        }
        dataset::target_is_free(node, dataset, graph.node(source), diagnostics);
    }
    let known = match &node.body {
        Body::Ingest(ingest) => ingested(node, ingest),
        Body::Relation(relation) => related(typer, graph, node, relation, typed, diagnostics)?,
    };
    if known.aggregates && !graph.layer(&node.name.layer).is_none_or(|layer| layer.aggregate) {
        return Err(forbidden_aggregate(node, diagnostics));
    }
    if let Some(schema) = &known.schema {
        assertions::check(&assertions::Scope { typer, graph, typed, node, schema }, diagnostics)?;
    }
    Ok(known)
}

fn forbidden_aggregate(node: &Node, diagnostics: &mut Diagnostics) -> Reported {
    let site = match &node.body {
        Body::Relation(Relation { input: Input::Query(sql), .. }) if sql.authored => sql.site.clone(),
        Body::Relation(_) | Body::Ingest(_) => node.site.clone().key(),
    };
    diagnostics.error(
        Diagnostic::error(
            code::LAYER_POLICY,
            format!("`{}` aggregates, and the layer `{}` may not", node.name, node.name.layer),
        )
        .at(site, "")
        .note("the layer's policy says `aggregate: false`")
        .help("move it to a table of a later layer"),
    )
}

fn ingested(node: &Node, ingest: &Ingest) -> Typed {
    let schema = node.contract.as_ref().map(|contract| {
        let mut schema = contract.schema();
        for added in &ingest.metadata_columns {
            if schema.column(added.name()).is_none() {
                schema.columns.push(Column {
                    name: added.name().to_owned(),
                    data_type: added.data_type(),
                    nullable: true,
                });
            }
        }
        schema
    });
    let lineage = schema.iter().flat_map(Schema::names).map(|column| ColumnLineage {
        column: column.to_owned(),
        sources: Vec::new(),
        transformation: Transformation::Identity,
    });
    Typed { lineage: lineage.collect(), schema, unique: Vec::new(), aggregates: false }
}

fn related(
    typer: &Typer,
    graph: &Graph,
    node: &Node,
    relation: &Relation,
    typed: &[Arc<Typed>],
    diagnostics: &mut Diagnostics,
) -> Result<Typed, Reported> {
    let contract = node.contract.as_deref();
    let unknown = Typed { schema: contract.map(Contract::schema), ..Typed::default() };
    let (row, mut unique, aggregates) = match &relation.input {
        Input::Query(sql) => match queried(typer, graph, sql, typed, diagnostics)? {
            Some(queried) => queried,
            None => return parsed(&relation.operations, unknown, diagnostics),
        },
        Input::Table { name, site } => {
            let Some(input) = graph.find(name) else {
                return Err(unknown_table(graph, name, site, diagnostics));
            };
            let Some(schema) = &typed[input.index()].schema else {
                return parsed(&relation.operations, unknown, diagnostics);
            };
            (read(name, schema, contract, diagnostics)?, typed[input.index()].unique.clone(), false)
        }
    };
    let Some(row) = operations::apply(typer, &relation.operations, row, &mut unique, diagnostics)? else {
        return Ok(unknown);
    };
    let row = match (contract, &relation.input) {
        (Some(contract), Input::Query(sql)) => contract::hold_query(contract, row, sql, diagnostics)?,
        (Some(contract), Input::Table { name, .. }) => contract::hold_table(contract, &row, name, diagnostics)?,
        (None, _) => row,
    };
    let schema = match contract {
        Some(contract) => Some(contract.schema()),
        None => row.schema(),
    };
    unique.retain(|set| !set.is_empty() && set.iter().all(|column| row.position(column).is_some()));
    Ok(Typed { schema, lineage: row.columns.into_iter().map(|column| column.lineage).collect(), unique, aggregates })
}

type Queried = (Row, Vec<BTreeSet<String>>, bool);

/// A query's columns; `None` when it reads a table of unknown columns.
fn queried(
    typer: &Typer,
    graph: &Graph,
    sql: &Sql,
    typed: &[Arc<Typed>],
    diagnostics: &mut Diagnostics,
) -> Result<Option<Queried>, Reported> {
    let query = parse_query(&sql.text).map_err(|error| report::one(sql, error, diagnostics))?;
    let reads_unknown = relations(&query).iter().any(|mention| match mention.parts.as_slice() {
        [layer, table] => {
            graph.find(&TableName::new(layer, table)).is_some_and(|input| typed[input.index()].schema.is_none())
        }
        _ => false,
    });
    if reads_unknown {
        return Ok(None);
    }
    let tables = |name: &TableName| graph.find(name).and_then(|input| typed[input.index()].schema.as_ref());
    let result = type_query(typer, &query, &tables).map_err(|mut errors| {
        for error in errors.iter_mut().filter(|error| error.kind == ErrorKind::UnknownTable && error.help.is_none()) {
            let written = sql.text.get(error.range.clone()).unwrap_or_default();
            let names: Vec<String> = graph.nodes.keys().map(ToString::to_string).collect();
            error.help = name::did_you_mean(written, names.iter().map(String::as_str));
            error.fix = name::nearest(written, names.iter().map(String::as_str)).map(str::to_owned);
        }
        report::all(sql, errors, diagnostics)
    })?;
    let columns = result.columns.into_iter().map(|column| {
        let site = if sql.authored { sql.site.clone().text(column.range) } else { sql.site.clone() };
        let origin = if !sql.authored {
            Origin::Made { site }
        } else if column.from_wildcard {
            Origin::Star { site }
        } else {
            let expression = sql.text.get(column.expression_range).unwrap_or_default().to_owned();
            Origin::Expression { site, expression, alias: Alias::Inline }
        };
        RowColumn {
            name: column.name,
            data_type: column.data_type,
            nullable: column.nullable,
            null: column.null,
            declared: column.declared,
            lineage: column.lineage,
            origin,
        }
    });
    Ok(Some((Row { columns: columns.collect() }, result.unique, result.aggregates)))
}

/// The columns of a table of the project, cast to the types that the contract gives them.
fn read(
    table: &TableName,
    schema: &Schema,
    contract: Option<&Contract>,
    diagnostics: &mut Diagnostics,
) -> Result<Row, Reported> {
    let mut failed = None;
    let mut columns = Vec::with_capacity(schema.columns.len());
    for column in &schema.columns {
        let promised = contract.and_then(|contract| {
            contract.columns.iter().find(|promised| name::same(&promised.column.name, &column.name))
        });
        let mut data_type = column.data_type.clone();
        let mut transformation = Transformation::Identity;
        if let Some(promised) = promised
            && promised.column.data_type != data_type
        {
            if let Err(reason) = types::castable(&data_type, &promised.column.data_type) {
                failed = Some(diagnostics.error(contract::no_cast(promised, &data_type, reason)));
            }
            data_type = promised.column.data_type.clone();
            transformation = Transformation::Expression;
        }
        columns.push(RowColumn {
            name: column.name.clone(),
            data_type: Some(data_type),
            nullable: column.nullable,
            null: false,
            declared: true,
            lineage: ColumnLineage {
                column: column.name.clone(),
                sources: vec![ColumnSource::new(table, &column.name)],
                transformation,
            },
            origin: Origin::Input,
        });
    }
    failed.map_or(Ok(Row { columns }), Err)
}

/// Operations over unknown columns are only parsed.
fn parsed(
    operations: &[crate::ir::Operation],
    unknown: Typed,
    diagnostics: &mut Diagnostics,
) -> Result<Typed, Reported> {
    let mut failed = None;
    for sql in operations::texts(operations) {
        if let Err(error) = parse_expression(&sql.text) {
            failed = Some(report::one(sql, error, diagnostics));
        }
    }
    failed.map_or(Ok(unknown), Err)
}

fn unknown_table(graph: &Graph, table: &TableName, site: &Site, diagnostics: &mut Diagnostics) -> Reported {
    let names: Vec<String> = graph.nodes.keys().map(ToString::to_string).collect();
    let mut diagnostic =
        Diagnostic::error(code::SQL_UNKNOWN_TABLE, format!("there is no table `{table}`")).at(site.clone(), "");
    diagnostic.help = name::did_you_mean(&table.to_string(), names.iter().map(String::as_str));
    diagnostic.fix = name::nearest(&table.to_string(), names.iter().map(String::as_str)).map(Fix::value);
    diagnostics.error(diagnostic)
}
