//! What the rows of a table look like, column by column, in one pass.
//!
//! In: a table of the warehouse or a view, and the columns whose values nobody may see. Out: a [`TableProfile`]: counts of rows and
//! NULLs, least and greatest values and means, which are exact; quantiles and histograms, which are from a sample once a column
//! has more than 20,000 values; the values that stand most often and the number of different ones, which are estimates
//! once there are more than some thousand. What is no longer exact says so. Rows pass in one stream, so that the memory is a few
//! megabytes however big the table is, and the same table gives the same profile. Writes nothing.

use std::sync::Arc;

use deltalake::arrow::datatypes::{DataType as ArrowType, Schema as ArrowSchema};
use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::Result as DataFusionResult;
use deltalake::datafusion::prelude::SessionContext;
use futures::StreamExt;
use serde::Serialize;
use serde_json::Value;

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::preview::{self, Refusal};
use crate::engines::local::{RunSettings, table};
use crate::ir::{NodeId, WriteMode};
use crate::name::TableName;
use crate::sql::session;
use crate::state::Warehouse;

mod column;
mod sketch;

use column::Column;

/// The profile of a table's rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableProfile {
    pub n_rows: u64,
    /// In the table's order.
    pub columns: Vec<ColumnProfile>,
}

/// What one column holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// In lower case, as tables are read.
    pub name: String,
    pub n_null: u64,
    /// Different values, NULL not among them; `None` for structs, lists and maps.
    pub n_distinct: Option<Estimate>,
    /// `None` where values are masked.
    pub values: Option<Values>,
}

/// A count that may be approximate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub n: u64,
    pub is_exact: bool,
}

/// What the values that are not NULL are like. Values are JSON numbers where JSON has them exactly, otherwise text: decimals,
/// dates (`2024-01-31`), instants (`2024-01-31 10:00:00 UTC`).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Values {
    pub min: Option<Value>,
    pub max: Option<Value>,
    pub mean: Option<f64>,
    /// Of a sample (divided by n − 1).
    pub stddev: Option<f64>,
    /// NaN and infinite numbers; they are in no other figure but the counts.
    pub n_not_finite: u64,
    /// Texts without a character that is no space.
    pub n_blank: u64,
    /// By nearest rank: each is a value that stands in the column.
    pub quantiles: Vec<Quantile>,
    pub histogram: Option<Histogram>,
    /// The most frequent first.
    pub top: Vec<Frequency>,
    /// Whether the counts in `top` are exact; otherwise each is at most so much too low.
    pub top_slack: u64,
}

/// A value below or at which a share of the values lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quantile {
    pub share: f64,
    pub value: Value,
}

/// How values are spread over equally wide bins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    pub measure: Measure,
    pub bins: Vec<Bin>,
    /// How many values were looked at; all of them, or a sample.
    pub n_sampled: u64,
    pub is_exact: bool,
}

/// What is measured of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    Value,
    /// Characters of a text.
    Length,
    Bytes,
    /// Elements of a list or entries of a map.
    Elements,
}

/// Values from `from` to `to`, both included for whole numbers, dates and times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    pub from: Value,
    pub to: Value,
    pub n: u64,
}

/// A value and how often it stands there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frequency {
    pub value: Value,
    pub n: u64,
}

/// A stored table as its log describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    pub version: i64,
    /// `None` when the log does not know.
    pub n_rows: Option<u64>,
    pub size_bytes: u64,
    /// Microseconds since 1970, UTC; of the newest data file. `None` for a table without files.
    pub written_at: Option<i64>,
}

/// Describes a stored table without reading rows; `None` when there is none.
///
/// # Errors
/// `run::table-broken` when its log cannot be read.
pub async fn stored(warehouse: &Warehouse, name: &TableName) -> Result<Option<Stored>, Diagnostic> {
    let broken = |cause: &dyn std::error::Error| {
        Diagnostic::error(code::TABLE_BROKEN, format!("the table `{name}` cannot be read")).note(cause.to_string())
    };
    let Ok(root) = warehouse.root.canonicalize() else { return Ok(None) };
    let folder = Warehouse { root }.folder(name);
    let Some(opened) = table::open(&folder).await.map_err(|error| broken(&error))? else { return Ok(None) };
    let state = opened.snapshot().map_err(|error| broken(&error))?;
    let mut stored = Stored {
        version: i64::try_from(state.version()).unwrap_or(i64::MAX),
        n_rows: Some(0),
        size_bytes: 0,
        written_at: None,
    };
    for file in state.log_data().iter() {
        stored.n_rows = stored.n_rows.zip(file.num_records()).map(|(sum, n)| sum + n as u64);
        stored.size_bytes += u64::try_from(file.size()).unwrap_or(0);
        stored.written_at = stored.written_at.max(Some(file.modification_time().saturating_mul(1000)));
    }
    Ok(Some(stored))
}

/// Profiles a table or view; `None` when it does not exist yet. Columns that are `masked` show counts only.
///
/// # Errors
/// What keeps its rows from being read.
pub async fn profile(
    checked: &Checked,
    settings: &RunSettings,
    id: NodeId,
    masked: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Option<TableProfile>, Diagnostic> {
    // One partition: rows come in one order, and nothing is held for merging. Tables are profiled side by side instead.
    let context = session::context(session::Options { target_partitions: Some(1), runtime: None });
    let node = checked.graph.node(id);
    let cannot =
        |cause: String| Diagnostic::error(code::EXECUTION, format!("`{}` cannot be profiled", node.name)).note(cause);
    let mut settings = settings.clone();
    let Ok(root) = settings.warehouse.root.canonicalize() else { return Ok(None) };
    settings.warehouse.root = root;
    let provider = if node.write.mode == WriteMode::View {
        if !are_inputs_built(checked, &settings.warehouse, id) {
            return Ok(None);
        }
        match preview::view_rows(checked, &settings, &context, id).await {
            Ok(provider) => provider,
            Err(Refusal::Engine(diagnostic)) => return Err(*diagnostic),
            Err(refusal) => return Err(cannot(format!("{refusal:?}"))),
        }
    } else {
        let folder = settings.warehouse.folder(&node.name);
        let Some(opened) = table::open(&folder).await.map_err(|error| cannot(error.to_string()))? else {
            return Ok(None);
        };
        let readable = table::readable(&context, &folder, &opened).await;
        readable.map_err(|error| cannot(error.strip_backtrace()))?.provider
    };
    rows(&context, provider, masked).await.map(Some).map_err(|error| cannot(error.strip_backtrace()))
}

/// Whether all tables behind a view lie in the warehouse.
fn are_inputs_built(checked: &Checked, warehouse: &Warehouse, id: NodeId) -> bool {
    checked.graph.inputs[id.index()].iter().all(|input| {
        let node = checked.graph.node(*input);
        if node.write.mode == WriteMode::View {
            are_inputs_built(checked, warehouse, *input)
        } else {
            warehouse.folder(&node.name).join("_delta_log").is_dir()
        }
    })
}

async fn rows(
    context: &SessionContext,
    provider: Arc<dyn TableProvider>,
    masked: &(dyn Fn(&str) -> bool + Sync),
) -> DataFusionResult<TableProfile> {
    let mut stream = context.read_table(provider)?.execute_stream().await?;
    let mut columns = begin(&stream.schema(), masked);
    let mut n_rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        n_rows += batch.num_rows() as u64;
        for (column, values) in columns.iter_mut().zip(batch.columns()) {
            column.add(values)?;
        }
    }
    Ok(TableProfile { n_rows, columns: columns.into_iter().map(Column::finish).collect() })
}

fn begin(schema: &ArrowSchema, masked: &(dyn Fn(&str) -> bool + Sync)) -> Vec<Column> {
    let column = |name: &str, data_type: &ArrowType| Column::new(name, data_type, masked(name));
    schema.fields().iter().map(|field| column(field.name(), field.data_type())).collect()
}

#[cfg(test)]
mod tests {
    use deltalake::arrow::array::{
        Array, ArrayRef, Decimal128Array, Float64Array, Int32Array, ListArray, StringArray, TimestampMicrosecondArray,
    };
    use deltalake::arrow::datatypes::Int32Type;
    use serde_json::json;

    use super::*;

    fn profiled(values: impl Array + 'static, masked: bool) -> ColumnProfile {
        let values: ArrayRef = Arc::new(values);
        let mut column = Column::new("c", values.data_type(), masked);
        column.add(&values).expect("a type that is known");
        column.finish()
    }

    #[test]
    fn whole_numbers_are_exact() {
        let found = profiled(Int32Array::from(vec![Some(1), Some(2), None, Some(2), Some(10)]), false);
        let values = found.values.expect("not masked");
        assert_eq!((found.n_null, found.n_distinct), (1, Some(Estimate { n: 3, is_exact: true })));
        assert_eq!((values.min, values.max, values.mean), (Some(json!(1)), Some(json!(10)), Some(3.75)));
        // numpy.std([1, 2, 2, 10], ddof=1)
        assert!((values.stddev.expect("four values") - 4.193_248_541_803_04).abs() < 1e-12);
        assert_eq!(values.top[0], Frequency { value: json!(2), n: 2 });
        let histogram = values.histogram.expect("numbers have one");
        assert_eq!(histogram.bins.len(), 10);
        assert_eq!(histogram.bins.iter().map(|bin| bin.n).sum::<u64>(), 4);
        assert_eq!(
            values.quantiles.iter().find(|one| (one.share - 0.5).abs() < 1e-9).expect("a median").value,
            json!(2)
        );
    }

    #[test]
    fn decimals_and_instants_keep_their_spelling() {
        let decimals = Decimal128Array::from(vec![Some(-5), Some(12_345)]).with_precision_and_scale(18, 2);
        let values = profiled(decimals.expect("digits that fit"), false).values.expect("not masked");
        assert_eq!((values.min, values.max), (Some(json!("-0.05")), Some(json!("123.45"))));
        let times = TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("UTC");
        let values = profiled(times, false).values.expect("not masked");
        assert_eq!(values.min, Some(json!("1970-01-01 00:00:00 UTC")));
        assert_eq!(values.max, Some(json!("1970-01-01 00:00:01.500 UTC")));
        assert_eq!(values.mean, None);
    }

    #[test]
    fn numbers_that_are_none_are_counted_and_left_out() {
        let floats = Float64Array::from(vec![1.0, f64::NAN, f64::INFINITY, 3.0, -0.0, 0.0]);
        let found = profiled(floats, false);
        let values = found.values.expect("not masked");
        assert_eq!((values.n_not_finite, values.mean), (2, Some(1.0)));
        assert_eq!((values.min, values.max), (Some(json!(0.0)), Some(json!(3.0))));
    }

    #[test]
    fn texts_and_lists_are_measured() {
        let values = profiled(StringArray::from(vec!["é", "", " ", "abc"]), false).values.expect("shown");
        assert_eq!((values.n_blank, values.min, values.max), (2, Some(json!("")), Some(json!("é"))));
        let histogram = values.histogram.expect("lengths");
        assert_eq!((histogram.measure, histogram.bins.len()), (Measure::Length, 4));
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
        let found = profiled(lists, false);
        assert_eq!((found.n_null, found.n_distinct), (1, None));
        assert_eq!(found.values.and_then(|values| values.max), Some(json!(2)));
    }

    #[test]
    fn a_masked_column_shows_no_value() {
        let found = profiled(StringArray::from(vec!["secret"]), true);
        assert_eq!((found.n_distinct, found.values), (Some(Estimate { n: 1, is_exact: true }), None));
    }
}
