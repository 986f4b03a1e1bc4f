//! `references`: the values stand in a column of another table.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::{Dimension, TableRef, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "references",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Rows,
    schema: schema_of::<References>,
    short: Short::Key("table"),
    lower,
    example: Example {
        column: Some(("customer_id", "string")),
        expect: &["references: {table: silver.customers, column: id}"],
    },
    alike: &[
        (Tool::Dbt, "relationships"),
        (Tool::Odcs, "relationships"),
        (Tool::GreatExpectations, "unexpected_rows_expectation"),
    ],
};

/// The values stand in a column of another table. Rows with a NULL are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct References {
    /// The other table, `layer.name`. Example: `silver.customers`.
    table: String,
    /// The other table's column, for the column that this stands below. Default: the same name. Example: `id`.
    column: Option<String>,
    /// For several columns together, in a table's `expect`: their names here, each with the other table's; or a list, where
    /// they have the same names. Example: `{store: store_id, day: day}`.
    columns: Option<Columns>,
}

/// Columns here and in the other table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Columns {
    /// The same names in both.
    Same(Vec<String>),
    /// The name here, and the one there.
    Pairs(IndexMap<String, String>),
}

/// # Errors
/// `resolve::expectation` without columns, or for a table's name that is none.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let References { table, column: referenced, columns } = super::body(value)?;
    let name = values::table(&table, "/table")?;
    let (own, referenced): (Vec<String>, Vec<String>) = match (columns, referenced) {
        (None, referenced) => {
            let column = subject.column().map_err(|problem| {
                problem.help("put it below the column's `expect`, or write `columns: {here: there}`")
            })?;
            (vec![column.to_owned()], vec![referenced.unwrap_or_else(|| column.to_owned())])
        }
        (Some(_), Some(_)) => {
            return Err(
                Problem::new(code::EXPECTATION, "/column", "`column` stands beside `columns`").help("keep one of them")
            );
        }
        (Some(Columns::Same(columns)), None) => (columns.clone(), columns),
        (Some(Columns::Pairs(pairs)), None) => pairs.into_iter().unzip(),
    };
    if own.is_empty() {
        return Err(Problem::new(code::EXPECTATION, "/columns", "no column is named").help("name at least one"));
    }
    values::refuse_repeated_columns(&own, "/columns")?;
    for column in &own {
        subject.other(column, "/columns")?;
    }
    Ok(Sentence {
        label: format!("{} references {name} ({})", own.join(", "), referenced.join(", ")),
        columns: own.clone(),
        test: Test::Reference { columns: own, table: TableRef { name, site: (subject.site_of)("/table") }, referenced },
    })
}
