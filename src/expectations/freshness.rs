//! `freshness`: the newest value is not older than a duration.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, duration, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "freshness",
    of_column: true,
    dimension: Dimension::Timeliness,
    form: Form::Groups,
    schema: schema_of::<Freshness>,
    short: Short::Key("within"),
    lower,
    example: Example { column: Some(("ordered_at", "timestamp")), expect: &["freshness: 24h"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_max_to_be_between"),
        (Tool::Dbt, "source freshness"),
        (Tool::Odcs, "slaProperties `latency`"),
    ],
};

/// The newest value of a date or timestamp is not older than a duration, at the time of the run. Without any value it
/// does not hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Freshness {
    /// The greatest age: whole numbers with `s`, `m`, `h`, `d` or `w`. Example: `24h`.
    within: String,
}

/// # Errors
/// `resolve::expectation` without a column of dates or timestamps, or for a text that is no duration.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Freshness { within } = super::body(value)?;
    let column = subject.column_of("freshness", values::is_moment, "dates or timestamps")?;
    let seconds = duration::seconds(&within, "/within")?;
    let age = "unix_seconds(current_timestamp()) - unix_seconds(CAST(observed AS TIMESTAMP))";
    let label = format!("newest {column} within {within}");
    let newest = format!("max({})", kind::column(column));
    Ok(subject.aggregate(&[column], label, newest, format!("{age} <= {seconds}")))
}
