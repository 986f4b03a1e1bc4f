//! Assertions: what must be true of a table's rows, in core form.
//!
//! Every expectation of the catalogue, and every one read from another dialect, lowers into one [`Test`]. The set is closed: an
//! engine evaluates these and knows no kind. What a test says is SQL that both engines run, except for distributions, whose
//! distances are numbers that no SQL gives, and for columns, which are decided without rows.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Site;
use crate::ir::{DataType, Schema, Sql};
use crate::name::{self, TableName};

/// One sentence of a contract that can be true or false of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// The expectation's kind, e.g. `between`, and its name for people, e.g. `amount between 0 and 10`.
    pub kind: &'static str,
    pub label: String,
    /// The columns that it speaks of; empty for the table as a whole.
    pub columns: Vec<String>,
    /// The kind's long body without the options, as JSON; what other dialects are written from.
    pub arguments: serde_json::Value,
    pub dimension: Dimension,
    pub test: Test,
    pub on_violation: OnViolation,
    /// For people and for other tools; it decides nothing here.
    pub severity: Option<Severity>,
    /// The least share of considered rows that must hold, above 0 and at most 1.
    pub mostly: f64,
    /// Only rows for which this is TRUE are considered.
    pub filter: Option<Sql>,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub site: Site,
}

impl Assertion {
    /// The assertion about a table: where a contract's SQL, which knows no table yet, says `{table}`, it now says the name.
    pub fn of_table(mut self, table: &TableName) -> Self {
        if let Test::Aggregate { holds, .. } = &mut self.test
            && !holds.authored
            && holds.text.contains("{table}")
        {
            holds.text = holds.text.replace("{table}", &table.to_string()).into();
        }
        self
    }
}

/// What is tested. SQL is such that both engines run it; tables in it are tables of the project, and the table's own name
/// stands for the rows under test.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Of the rows for which `considered` is TRUE (all, without it), those for which `violated` is TRUE violate. Both look at
    /// their own row only.
    Row { considered: Option<Sql>, violated: Sql },
    /// The expression is not FALSE for any considered row (NULL holds). The author's own text.
    Holds(Sql),
    /// Like `Row`, but `violated` may look at other considered rows by window functions.
    Window { considered: Option<Sql>, violated: Sql },
    /// No two rows have equal values in `columns`: every row of a repeated key violates. Rows with a NULL among them are not
    /// considered.
    Unique { columns: Vec<String> },
    /// The values of `columns` stand in `referenced` columns of a row of `table`. Rows with a NULL among them are not
    /// considered.
    Reference { columns: Vec<String>, table: TableRef, referenced: Vec<String> },
    /// An aggregate over the considered rows, per group of equal values in `by` (all rows are one group if it is empty).
    /// `holds` is a condition on the column `observed`, the aggregate's value; it may contain scalar subqueries. A group for
    /// which it is not TRUE violates.
    Aggregate { by: Vec<String>, value: Sql, holds: Sql },
    /// The rows that a query gives violate.
    Query(Sql),
    /// What a column's values are distributed like.
    Distribution(Distribution),
    /// What columns there are. Decided without looking at rows.
    Columns(ColumnsTest),
}

/// A part of a test, for digests.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<'a> {
    Word(String),
    Sql(&'a Sql),
}

impl Test {
    /// All that the test says, in an order that is always the same; places are left out.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let word = |text: &str| Part::Word(text.to_owned());
        let words = |texts: &[String]| {
            let n_texts = Part::Word(texts.len().to_string());
            std::iter::once(n_texts).chain(texts.iter().map(|text| word(text))).collect::<Vec<_>>()
        };
        match self {
            Test::Row { considered, violated } => {
                std::iter::once(word("row")).chain([violated].into_iter().chain(considered).map(Part::Sql)).collect()
            }
            Test::Holds(sql) => vec![word("holds"), Part::Sql(sql)],
            Test::Window { considered, violated } => {
                std::iter::once(word("window")).chain([violated].into_iter().chain(considered).map(Part::Sql)).collect()
            }
            Test::Unique { columns } => std::iter::once(word("unique")).chain(words(columns)).collect(),
            Test::Reference { columns, table, referenced } => {
                let ends = words(columns).into_iter().chain(words(referenced));
                [word("reference"), Part::Word(table.name.to_string())].into_iter().chain(ends).collect()
            }
            Test::Aggregate { by, value, holds } => {
                let sql = [Part::Sql(value), Part::Sql(holds)];
                std::iter::once(word("aggregate")).chain(words(by)).chain(sql).collect()
            }
            Test::Query(sql) => vec![word("query"), Part::Sql(sql)],
            Test::Distribution(distribution) => vec![word("distribution"), Part::Word(distribution.digest())],
            Test::Columns(columns) => vec![word("columns"), Part::Word(format!("{columns:?}"))],
        }
    }
}

/// A table of the project where it is mentioned.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRef {
    pub name: TableName,
    pub site: Site,
}

/// What is said of a table's columns. Names are compared without regard to case.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnsTest {
    /// Exactly these, in this order.
    InOrder(Vec<String>),
    /// These, in any order, and no others if `exact`.
    Among { names: Vec<String>, exact: bool },
    /// So many, both bounds inclusive.
    Count { min: Option<u64>, max: Option<u64> },
    /// The column has one of these types.
    Type { column: String, any_of: Vec<DataType> },
}

impl ColumnsTest {
    /// Whether it is true of a table with these columns.
    pub fn holds(&self, schema: &Schema) -> bool {
        let has = |name: &String| schema.column(name).is_some();
        match self {
            ColumnsTest::InOrder(names) => {
                names.len() == schema.columns.len()
                    && names.iter().zip(schema.names()).all(|(name, column)| name::same(name, column))
            }
            ColumnsTest::Among { names, exact } => {
                let listed = |column: &str| names.iter().any(|name| name::same(name, column));
                names.iter().all(has) && (!exact || schema.names().all(listed))
            }
            ColumnsTest::Count { min, max } => {
                let n_columns = schema.columns.len() as u64;
                min.is_none_or(|min| n_columns >= min) && max.is_none_or(|max| n_columns <= max)
            }
            ColumnsTest::Type { column, any_of } => {
                schema.column(column).is_some_and(|column| any_of.contains(&column.data_type))
            }
        }
    }

    /// What it looks at: the columns' names, their number, or the column's type (NULL if there is no such column).
    pub fn observed(&self, schema: &Schema) -> serde_json::Value {
        match self {
            ColumnsTest::InOrder(_) | ColumnsTest::Among { .. } => schema.names().collect(),
            ColumnsTest::Count { .. } => schema.columns.len().into(),
            ColumnsTest::Type { column, .. } => schema.column(column).map(|column| column.data_type.to_string()).into(),
        }
    }
}

/// A column's distribution held against a reference's. NULLs, and NaN in numbers, are not considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    pub column: String,
    pub reference: Reference,
    pub measure: Measure,
    /// The greatest distance that holds.
    pub at_most: Option<f64>,
    /// The least p-value that holds, for measures that are tests.
    pub p_value_at_least: Option<f64>,
}

impl Distribution {
    fn digest(&self) -> String {
        let Distribution { column, reference, measure, at_most, p_value_at_least } = self;
        let reference = match reference {
            Reference::Column { table, column } => format!("{}.{column}", table.name),
            Reference::Categories(_) | Reference::Bins { .. } => format!("{reference:?}"),
        };
        format!("{column} {reference} {measure:?} {at_most:?} {p_value_at_least:?}")
    }
}

/// What a distribution is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// The values of a column of a table of the project.
    Column { table: TableRef, column: String },
    /// Shares of named categories.
    Categories(Vec<(String, f64)>),
    /// Shares of the bins between neighbouring `edges`, which ascend; `shares` has one fewer. `below` and `above` are the
    /// shares outside.
    Bins { edges: Vec<f64>, shares: Vec<f64>, below: f64, above: f64 },
}

/// How two distributions are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Kolmogorov-Smirnov, two samples, two-sided. Numbers only.
    KolmogorovSmirnov,
    /// Chi-squared goodness of fit of categories.
    ChiSquared,
    /// Population stability index over so many bins of the reference's quantiles, or over categories.
    Psi { bins: u32 },
    /// Jensen-Shannon distance to base 2 over equally wide bins, or over categories.
    JensenShannon { bins: u32 },
    /// Kullback-Leibler divergence of the rows from the reference, with the shares held out for values that one of them
    /// lacks, as Great Expectations has it.
    KullbackLeibler { tail_holdout: f64, internal_holdout: f64 },
}

/// What of quality a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Values are there.
    Completeness,
    /// Values are plausible: within ranges, distributed as known.
    Accuracy,
    /// Columns, rows and tables agree with each other.
    Consistency,
    /// Values have the form and the type that they should have.
    Validity,
    /// Rows are new enough, and as many as usual.
    Timeliness,
    /// Nothing stands twice.
    Uniqueness,
}

/// How grave a violation is, in Great Expectations' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Critical,
    Warning,
    Info,
}

/// What a violation leads to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// The table keeps its old rows, and what depends on it does not run.
    #[default]
    Fail,
    /// Violating rows are left out.
    Drop,
    /// Violating rows go to `<table>_quarantine` with the reasons.
    Quarantine,
    /// The violation is recorded; the rows are kept.
    Warn,
}
