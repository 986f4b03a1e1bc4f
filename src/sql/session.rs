//! The DataFusion session that types and runs every statement, set to Databricks' semantics.
//!
//! Kept: names without case, NULLs first ascending and last descending, decimal literals, casts that fail, UTC, and
//! strings as plain UTF-8. Statement and expression planning for the engine is here too, so that what was checked and
//! what runs are planned alike. It opens and registers no table.

use std::sync::Arc;

use datafusion_spark::SessionStateBuilderSpark;
use deltalake::datafusion::common::Result;
use deltalake::datafusion::common::config::Dialect;
use deltalake::datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::datafusion::execution::{SessionState, SessionStateBuilder};
use deltalake::datafusion::functions::{math, string, unicode};
use deltalake::datafusion::functions_aggregate::first_last::{first_value_udaf, last_value_udaf};
use deltalake::datafusion::functions_aggregate::stddev::stddev_udaf;
use deltalake::datafusion::functions_aggregate::variance::var_samp_udaf;
use deltalake::datafusion::functions_nested::extract::array_element_udf;
use deltalake::datafusion::functions_nested::sort::array_sort_udf;
use deltalake::datafusion::logical_expr::LogicalPlan;
use deltalake::datafusion::optimizer::Analyzer;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::datafusion::sql::parser::Statement;
use deltalake::datafusion::sql::sqlparser::ast;

use crate::sql::avg::avg;
use crate::sql::doubles::ComparedAsDoubles;
use crate::sql::operators::{SparkOperators, SparkTypes};
use crate::sql::parse::Query;
use crate::sql::sum::sum;
use crate::sql::{json, percentile};

/// What the engine chooses about a session. Typing needs none of it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Partitions that run side by side; DataFusion's default (the cores) if `None`.
    pub target_partitions: Option<usize>,
    /// Memory, disk and object stores; DataFusion's default (unbounded) if `None`.
    pub runtime: Option<Arc<RuntimeEnv>>,
}

/// A session's state with Databricks' semantics.
pub fn state(options: Options) -> SessionState {
    let mut config = SessionConfig::new().with_information_schema(false);
    if let Some(n_partitions) = options.target_partitions {
        config = config.with_target_partitions(n_partitions.max(1));
    }
    let settings = config.options_mut();
    settings.sql_parser.dialect = Dialect::Databricks;
    "nulls_min".clone_into(&mut settings.sql_parser.default_null_ordering);
    settings.sql_parser.enable_ident_normalization = true;
    settings.sql_parser.parse_float_as_decimal = true;
    settings.sql_parser.map_string_types_to_utf8view = false;
    settings.sql_parser.collect_spans = true;
    settings.execution.enable_ansi_mode = true;
    settings.execution.time_zone = Some("UTC".to_owned());
    settings.execution.parquet.schema_force_view_types = false;
    settings.optimizer.expand_views_at_output = true;

    let mut builder = SessionStateBuilder::new().with_config(config).with_default_features();
    if let Some(runtime) = options.runtime {
        builder = builder.with_runtime_env(runtime);
    }
    let mut builder = builder.with_spark_features().with_type_planner(Arc::new(SparkTypes));
    // In front, because the rules that coerce types come later.
    let rules = builder.analyzer().get_or_insert_with(Analyzer::new);
    rules.rules.insert(0, Arc::new(ComparedAsDoubles));
    alias_functions(&mut builder);
    builder.aggregate_functions().get_or_insert_with(Vec::new).extend([avg(), sum()]);
    // In front, because the first planner that plans an operator decides.
    builder.expr_planners().get_or_insert_with(Vec::new).insert(0, Arc::new(SparkOperators));
    builder.build()
}

/// A context over [`state`], to register tables in and run plans with.
pub fn context(options: Options) -> SessionContext {
    SessionContext::new_with_state(state(options))
}

/// Plans a parsed query over the tables registered with the state's catalog.
///
/// # Errors
/// As DataFusion's planner; none for a query that `bind` accepted over the same schemas.
pub async fn plan_query(state: &SessionState, query: &Query) -> Result<LogicalPlan> {
    let statement = Statement::Statement(Box::new(ast::Statement::Query(query.ast.clone())));
    state.statement_to_plan(statement).await
}

/// Functions that DataFusion has under another name than Databricks.
fn alias_functions(builder: &mut SessionStateBuilder) {
    let scalars = [
        (string::lower(), "lcase"),
        (string::upper(), "ucase"),
        (string::starts_with(), "startswith"),
        (string::ends_with(), "endswith"),
        (unicode::strpos(), "instr"),
        (math::signum(), "sign"),
        // Without more arguments both sort ascending, NULL first.
        (array_sort_udf(), "sort_array"),
        (array_element_udf(), "try_element_at"),
    ];
    let known = builder.scalar_functions().get_or_insert_with(Vec::new);
    known.push(json::function());
    known.extend(scalars.into_iter().map(|(udf, alias)| Arc::new(udf.as_ref().clone().with_aliases([alias]))));
    let aggregates = [
        (first_value_udaf(), "first"),
        (last_value_udaf(), "last"),
        (stddev_udaf(), "std"),
        (var_samp_udaf(), "variance"),
    ];
    let known = builder.aggregate_functions().get_or_insert_with(Vec::new);
    known.extend(percentile::functions());
    known.extend(aggregates.into_iter().map(|(udaf, alias)| Arc::new(udaf.as_ref().clone().with_aliases([alias]))));
}

#[cfg(test)]
mod tests;
