//! `volume`: as many rows as in recent runs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::duration::Share;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "volume",
    of_column: false,
    dimension: Dimension::Timeliness,
    form: Form::Table,
    schema: schema_of::<Volume>,
    short: Short::WordOrKey("max_change"),
    lower,
    example: Example { column: None, expect: &["volume: {runs: 14, max_change: 30%}"] },
    alike: &[(Tool::Dbt, "elementary.volume_anomalies")],
};

/// The number of rows is about that of recent runs: the mean of those in which this held, from `quality.results`.
/// Without any it holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Volume {
    /// How many recent runs are looked at. Default: 7.
    #[serde(default = "seven")]
    #[schemars(range(min = 1))]
    runs: u32,
    /// How far it may be from their mean, as a share of the mean. Default: `50%`. Example: `20%`.
    #[serde(default = "half")]
    max_change: Share,
}

fn seven() -> u32 {
    7
}

fn half() -> Share {
    Share::Number(0.5)
}

/// # Errors
/// `resolve::expectation` for a change that is no share.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Volume { runs, max_change } = super::body(value)?;
    let change = max_change.value("/max_change")?;
    if !subject.groups.is_empty() {
        return Err(Problem::new(
            code::EXPECTATION,
            "/group_by",
            "`volume` counts all rows: runs are not kept by group",
        )
        .help("remove `group_by`"));
    }
    let mean = format!(
        "(SELECT avg(CAST(observed AS DOUBLE)) FROM (SELECT observed FROM quality.results \
         WHERE table_name = '{{table}}' AND kind = 'volume' AND success ORDER BY checked_at DESC LIMIT {runs}) AS recent)"
    );
    let holds = format!("coalesce(abs(observed - {mean}) <= {change} * {mean}, true)");
    let label = format!("row count within {}% of the mean of {runs} runs", change * 100.0);
    Ok(subject.aggregate(&[], label, "count(*)".to_owned(), holds))
}
