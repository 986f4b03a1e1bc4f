//! A table in core form.

use std::collections::BTreeMap;

use super::contract::{self, Lowered};
use super::feature_table;
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Reported, code};
use crate::ir::{
    Body, Ingest, Ingestion, Input, Node, OnDatabricks, OnViolation, Reader, Relation, SchemaEvolution, Write,
    WriteMode,
};
use crate::name::{self, TableName};
use crate::resolve::{Place, Resolved, Table};
use crate::spec;

/// # Errors
/// `resolve::table-form`, `resolve::write-mode`, `resolve::unknown-layer`, `resolve::unknown-contract`,
/// `resolve::unknown-table`, and what its kinds report.
pub(super) fn lower(
    table_name: &TableName,
    table: &Table,
    resolved: &Resolved,
    contracts: &BTreeMap<String, Option<Lowered>>,
    diagnostics: &mut Diagnostics,
) -> Result<Node, Reported> {
    let spec = &table.entity.spec;
    let origin = &table.entity.origin;
    let layer = resolved.layers.get(&table_name.layer);
    if layer.is_none() {
        let known = resolved.layers.keys().map(String::as_str);
        let near = name::nearest(&table_name.layer, known.clone());
        let found = Diagnostic::error(code::UNKNOWN_LAYER, format!("there is no layer `{}`", table_name.layer))
            .at(origin.site.clone().key(), "");
        let fix = near.map(|near| Fix::Value(format!("{near}.{}", table_name.name)));
        let help = name::did_you_mean(&table_name.layer, known)
            .unwrap_or_else(|| format!("declare it: `layers: {{{}: {{}}}}`", table_name.layer));
        return Err(diagnostics.error(Diagnostic { fix, ..found.help(help) }));
    }
    let lowered_contract = find_contract(spec, table, contracts, diagnostics)?;
    let body = lower_body(table_name, table, resolved, diagnostics)?;
    let write = lower_write(table_name, table, &body, lowered_contract, diagnostics)?;
    let on_databricks = on_databricks(table, &write, &body, diagnostics);
    let columns = lowered_contract.map_or(&[][..], |lowered| &lowered.contract.columns);
    let mut assertions = lowered_contract.map(|lowered| lowered.assertions.clone()).unwrap_or_default();
    contract::table_assertions(
        &spec.expect,
        columns,
        &|pointer| origin.site(&format!("/expect{pointer}")),
        &mut assertions,
        diagnostics,
    );
    contract::imported_assertions(&table.imported, columns, &mut assertions, diagnostics);
    let defaults = defaults(&spec.write, &write);
    let feature_table = spec
        .feature_table
        .as_ref()
        .and_then(|declared| feature_table::lower(declared, columns, origin, &mut assertions, diagnostics));
    if write.mode == WriteMode::View {
        refuse_rows_of_view(table_name, &assertions, lowered_contract, diagnostics);
    }
    Ok(Node {
        name: table_name.clone(),
        site: origin.site.clone(),
        description: spec.description.clone(),
        tags: spec.tags.clone(),
        owner: spec.owner.clone().or_else(|| layer.and_then(|layer| layer.spec.owner.clone())),
        body,
        contract: lowered_contract.map(|lowered| lowered.contract.clone()),
        write,
        assertions: assertions.into_iter().map(|assertion| assertion.of_table(table_name)).collect(),
        dataset: None,
        feature_table,
        prevent_destroy: spec.prevent_destroy,
        defaults,
        on_databricks,
    })
}

fn find_contract<'a>(
    spec: &spec::Table,
    table: &Table,
    contracts: &'a BTreeMap<String, Option<Lowered>>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<&'a Lowered>, Reported> {
    let Some(wanted) = &spec.contract else { return Ok(None) };
    match contracts.get(&wanted.to_lowercase()) {
        Some(Some(lowered)) => Ok(Some(lowered)),
        // It has errors of its own, which are reported there.
        Some(None) => Err(diagnostics.stop_on_error().expect_err("a contract without core form was reported")),
        None => {
            let known = contracts.keys().map(String::as_str);
            let fix = name::nearest(wanted, known.clone()).map(Fix::value);
            let help = name::did_you_mean(wanted, known)
                .unwrap_or_else(|| format!("declare it below `contracts`, or remove `contract: {wanted}`"));
            let found = Diagnostic::error(code::UNKNOWN_CONTRACT, format!("there is no contract `{wanted}`"))
                .at(table.entity.origin.site("/contract"), "")
                .help(help);
            Err(diagnostics.error(Diagnostic { fix, ..found }))
        }
    }
}

fn lower_body(
    table_name: &TableName,
    table: &Table,
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) -> Result<Body, Reported> {
    let spec = &table.entity.spec;
    let origin = &table.entity.origin;
    let form = |message: String| Diagnostic::error(code::TABLE_FORM, message).at(origin.site.clone().key(), "");
    match (&spec.source, &spec.from, &table.sql) {
        (Some(source), None, None) => {
            refuse_steps(table, "source", diagnostics)?;
            let reader = source.lower().map_err(|problem| {
                diagnostics.error(problem.at(|pointer| origin.site(&format!("/source{pointer}"))))
            })?;
            let is_database = matches!(reader, Reader::Database(_));
            if is_database && matches!(resolved.environment.place, Place::Local { .. }) {
                return Err(diagnostics.error(
                    Diagnostic::error(code::SOURCE_OPTION, "the local engine does not read databases yet")
                        .at(origin.site("/source/format"), "")
                        .help(format!(
                            "give the environment files instead: `environments: {{{}: {{tables: {{{table_name}: {{source: {{format: csv, path: …}}}}}}}}}}`",
                            resolved.environment.name
                        )),
                ));
            }
            Ok(Body::Ingest(Ingest {
                location: source.location().into_owned(),
                location_site: origin.site(if is_database { "/source" } else { "/source/path" }),
                reader,
                metadata_columns: spec.metadata_columns.clone(),
            }))
        }
        (None, Some(from), None) => {
            refuse_metadata(table, diagnostics)?;
            let name = input_name(from, table_name, table, resolved, diagnostics)?;
            let mut operations = Vec::new();
            let mut failed = None;
            for (index, step) in spec.steps.iter().enumerate() {
                let here = |pointer: &str| origin.site(&format!("/steps/{index}{pointer}"));
                match step.lower(&here) {
                    Ok(lowered) => operations.extend(lowered),
                    Err(problem) => failed = Some(diagnostics.error(problem.at(here))),
                }
            }
            match failed {
                Some(reported) => Err(reported),
                None => Ok(Body::Relation(Relation {
                    input: Input::Table { name, site: origin.site("/from") },
                    operations,
                })),
            }
        }
        (None, None, Some(sql)) => {
            refuse_metadata(table, diagnostics)?;
            refuse_steps(table, "sql", diagnostics)?;
            Ok(Body::Relation(Relation { input: Input::Query(sql.clone()), operations: Vec::new() }))
        }
        (None, None, None) => Err(diagnostics.error(
            form(format!("`{table_name}` says nowhere where its rows come from"))
                .help("add one of `source` (files), `from` (a table and steps) and `sql` (a query)"),
        )),
        (source, from, sql) => {
            let given: Vec<&str> = [("source", source.is_some()), ("from", from.is_some()), ("sql", sql.is_some())]
                .into_iter()
                .filter(|(_, given)| *given)
                .map(|(word, _)| word)
                .collect();
            let last = given.last().expect("at least two are given");
            let message = format!("`{table_name}` has {} at once", name::list(&given));
            Err(diagnostics.error(
                Diagnostic::error(code::TABLE_FORM, message)
                    .at(origin.site(&format!("/{last}")).key(), "one of them too many")
                    .note("a table's rows come from one place")
                    .help("keep one; a second table can read this one"),
            ))
        }
    }
}

fn refuse_steps(table: &Table, beside: &str, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
    if table.entity.spec.steps.is_empty() {
        return Ok(());
    }
    let help = if beside == "source" {
        "put the steps into a table of the next layer that reads this one with `from`"
    } else {
        "write them into the query, or use `from` instead of `sql`"
    };
    Err(diagnostics.error(
        Diagnostic::error(code::TABLE_FORM, format!("`steps` go with `from`, not with `{beside}`"))
            .at(table.entity.origin.site("/steps").key(), "")
            .help(help),
    ))
}

fn refuse_metadata(table: &Table, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
    if table.entity.spec.metadata_columns.is_empty() {
        return Ok(());
    }
    Err(diagnostics.error(
        Diagnostic::error(code::TABLE_FORM, "`metadata_columns` go with `source` only")
            .at(table.entity.origin.site("/metadata_columns").key(), "")
            .note("they tell which file a row was read from")
            .help("remove them here; select the input's own if they are needed"),
    ))
}

/// The table that `from` names.
fn input_name(
    from: &str,
    table_name: &TableName,
    table: &Table,
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) -> Result<TableName, Reported> {
    let site = table.entity.origin.site("/from");
    let known: Vec<String> = resolved.tables.keys().map(ToString::to_string).collect();
    let parsed = TableName::parse(from);
    if let Some(parsed) = parsed.filter(|parsed| resolved.tables.contains_key(parsed)) {
        return Ok(parsed);
    }
    let others = known.iter().map(String::as_str).filter(|other| *other != table_name.to_string());
    let found = Diagnostic::error(code::UNKNOWN_TABLE, format!("there is no table `{from}`")).at(site, "");
    let fix = name::nearest(from, others.clone()).map(Fix::value);
    Err(diagnostics.error(Diagnostic { help: name::did_you_mean(from, others), fix, ..found }))
}

fn lower_write(
    table_name: &TableName,
    table: &Table,
    body: &Body,
    contract: Option<&Lowered>,
    diagnostics: &mut Diagnostics,
) -> Result<Write, Reported> {
    let origin = &table.entity.origin;
    let spec::Write { mode, keys, cluster_by, partition_by, schema_evolution } = &table.entity.spec.write;
    let cluster_by: &[String] = match cluster_by {
        spec::ClusterBy::Columns(columns) => columns,
        spec::ClusterBy::Word(spec::ClusterByWord::Auto) => &[],
    };
    let wrong = |pointer: &str, message: String| {
        Diagnostic::error(code::WRITE_MODE, message).at(origin.site(&format!("/write{pointer}")), "")
    };
    let mut failed = None;
    for (key, columns) in [("keys", keys.as_slice()), ("cluster_by", cluster_by), ("partition_by", partition_by)] {
        for (index, column) in columns.iter().enumerate() {
            let known = contract.map(|lowered| lowered.contract.columns.iter().map(|known| known.column.name.as_str()));
            if let Some(known) = known
                && !known.clone().any(|name| name::same(name, column))
            {
                let found = wrong(&format!("/{key}/{index}"), format!("the contract has no column `{column}`"));
                let fix = name::nearest(column, known.clone()).map(Fix::value);
                failed = Some(diagnostics.error(Diagnostic { help: name::did_you_mean(column, known), fix, ..found }));
            }
        }
    }
    let mode = match mode.unwrap_or_default() {
        spec::Mode::Merge if keys.is_empty() => {
            return Err(diagnostics.error(
                wrong("/mode", format!("`{table_name}` merges without `keys`"))
                    .note("a merge has to know which row a new one replaces")
                    .help("add the columns by which a row is known, e.g. `keys: [order_id]`"),
            ));
        }
        spec::Mode::Merge => WriteMode::Merge { keys: keys.clone() },
        spec::Mode::Overwrite => WriteMode::Overwrite,
        spec::Mode::Append if matches!(body, Body::Relation(_)) => {
            return Err(diagnostics.error(
                wrong("/mode", "only a table with a `source` can be appended to".to_owned())
                    .note("what is new is known of files; a query gives all its rows each time")
                    .help("use `merge` with `keys`, or `overwrite`"),
            ));
        }
        spec::Mode::Append if matches!(body, Body::Ingest(Ingest { reader: Reader::Database(_), .. })) => {
            return Err(diagnostics.error(
                wrong("/mode", "a database's rows cannot be appended".to_owned())
                    .note("it gives all of its rows each time")
                    .help("use `overwrite`, and `merge` in a table that reads this one")
                    .fix("overwrite"),
            ));
        }
        spec::Mode::Append => WriteMode::Append,
        spec::Mode::View if matches!(body, Body::Ingest(_)) => {
            return Err(diagnostics.error(
                wrong("/mode", "a table with a `source` cannot be a view".to_owned())
                    .help("use `overwrite` or `append`")
                    .fix("overwrite"),
            ));
        }
        spec::Mode::View => WriteMode::View,
    };
    if !keys.is_empty() && !matches!(mode, WriteMode::Merge { .. }) {
        failed = Some(
            diagnostics.error(
                Diagnostic::error(code::WRITE_MODE, format!("`keys` mean nothing for `{}`", mode.word()))
                    .at(origin.site("/write/keys").key(), "")
                    .help("add `mode: merge`, or remove `keys`"),
            ),
        );
    }
    if table.entity.spec.prevent_destroy && mode == WriteMode::View {
        failed = Some(
            diagnostics.error(
                Diagnostic::error(code::WRITE_MODE, "`prevent_destroy` means nothing for `view`")
                    .at(origin.site("/prevent_destroy").key(), "")
                    .note("a view stores no rows that could be lost")
                    .help("remove it, or store the table"),
            ),
        );
    }
    if schema_evolution.is_some() && mode == WriteMode::View {
        failed = Some(
            diagnostics.error(
                Diagnostic::error(code::WRITE_MODE, "`schema_evolution` means nothing for `view`")
                    .at(origin.site("/write/schema_evolution").key(), "")
                    .note("a view stores no columns that could differ from the declared ones")
                    .help("remove it, or store the table"),
            ),
        );
    }
    match failed {
        Some(reported) => Err(reported),
        None => Ok(Write {
            schema_evolution: schema_evolution.unwrap_or_else(|| default_evolution(&mode)),
            mode,
            cluster_by: cluster_by.to_vec(),
            partition_by: partition_by.clone(),
        }),
    }
}

/// What of it the project left to medc.
fn defaults(written: &spec::Write, write: &Write) -> Vec<String> {
    let mut defaults = Vec::new();
    if written.mode.is_none() {
        defaults.push(format!("write.mode: {}", write.mode.word()));
    }
    if written.schema_evolution.is_none() && write.schema_evolution == SchemaEvolution::Fail {
        defaults.push(format!("write.schema_evolution: {}", write.schema_evolution.word()));
    }
    defaults
}

/// What only Databricks is told of the table.
fn on_databricks(table: &Table, write: &Write, body: &Body, diagnostics: &mut Diagnostics) -> OnDatabricks {
    let spec = &table.entity.spec;
    let origin = &table.entity.origin;
    for key in spec.properties.keys() {
        let taken = ["medc.", "delta.constraints."].iter().find(|taken| key.to_lowercase().starts_with(**taken));
        if let Some(taken) = taken {
            diagnostics.error(
                Diagnostic::error(code::TABLE_FORM, format!("properties that begin with `{taken}` are medc's own"))
                    .at(origin.site("/properties").member(key).key(), "")
                    .help("give it another name"),
            );
        }
    }
    let is_view = write.mode == WriteMode::View;
    if is_view && !spec.properties.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::WRITE_MODE, "`properties` mean nothing for `view`")
                .at(origin.site("/properties").key(), "")
                .help("remove them, or store the table"),
        );
    }
    let clusters_itself = matches!(spec.write.cluster_by, spec::ClusterBy::Word(spec::ClusterByWord::Auto));
    if clusters_itself && (is_view || !write.partition_by.is_empty()) {
        let why = if is_view { "`view`, which stores nothing" } else { "`partition_by`, which decides where rows lie" };
        diagnostics.error(
            Diagnostic::error(code::WRITE_MODE, format!("`cluster_by: auto` does not go with {why}"))
                .at(origin.site("/write/cluster_by").key(), "")
                .help("remove one of them"),
        );
    }
    let ingestion = spec.source.as_ref().and_then(crate::connectors::Source::ingestion);
    if let Some(ingestion) = ingestion {
        let (word, wanted) = match ingestion {
            Ingestion::AutoLoader => ("auto_loader", WriteMode::Append),
            Ingestion::CopyInto => ("copy_into", WriteMode::Append),
            Ingestion::ReadFiles => ("read_files", WriteMode::Overwrite),
        };
        if write.mode != wanted {
            let reads = if wanted == WriteMode::Append { "each file once" } else { "all files each time" };
            diagnostics.error(
                Diagnostic::error(
                    code::WRITE_MODE,
                    format!("`{word}` reads {reads}, and this table is to `{}`", write.mode.word()),
                )
                .at(origin.site("/source/ingestion"), "")
                .help(format!("write `mode: {}`, or remove `ingestion`", wanted.word())),
            );
        }
        let is_text = matches!(body, Body::Ingest(Ingest { reader: Reader::Delimited(_) | Reader::JsonLines, .. }));
        if ingestion != Ingestion::AutoLoader && !is_text {
            diagnostics.error(
                Diagnostic::error(code::SOURCE_OPTION, format!("`{word}` reads text files here"))
                    .at(origin.site("/source/ingestion"), "")
                    .help("remove it, or use `auto_loader` with `mode: append`"),
            );
        }
    }
    let properties = spec.properties.iter().map(|(key, value)| (key.clone(), value.to_string())).collect();
    OnDatabricks { properties, clusters_itself, ingestion }
}

/// What an overwritten table had is replaced by every run. The others keep rows that the inputs may no longer give, so that
/// their columns change only when somebody says so.
fn default_evolution(mode: &WriteMode) -> SchemaEvolution {
    match mode {
        WriteMode::Overwrite | WriteMode::View => SchemaEvolution::Evolve,
        WriteMode::Append | WriteMode::Merge { .. } => SchemaEvolution::Fail,
    }
}

/// A view stores nothing, so there is nowhere to keep rows back.
fn refuse_rows_of_view(
    table_name: &TableName,
    assertions: &[crate::ir::Assertion],
    contract: Option<&Lowered>,
    diagnostics: &mut Diagnostics,
) {
    let taken_out = |on_violation| matches!(on_violation, OnViolation::Drop | OnViolation::Quarantine);
    for assertion in assertions.iter().filter(|assertion| taken_out(assertion.on_violation)) {
        diagnostics.error(
            Diagnostic::error(code::WRITE_MODE, format!("the view `{table_name}` cannot take rows out"))
                .at(assertion.site.clone(), "")
                .note("a view stores nothing, so there is no moment at which its rows are judged")
                .help("store the table (`write: {mode: overwrite}`), or filter in its query"),
        );
    }
    if let Some(lowered) = contract.filter(|lowered| taken_out(lowered.contract.on_cast_failure)) {
        diagnostics.error(
            Diagnostic::error(code::WRITE_MODE, format!("the view `{table_name}` cannot take rows out"))
                .at(lowered.contract.site.member("on_cast_failure"), "")
                .help("store the table (`write: {mode: overwrite}`), or use `fail`"),
        );
    }
}
