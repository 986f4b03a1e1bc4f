//! Expectations: sentences of a contract that can be true or false of the rows. One file each.
//!
//! An expectation is written as its kind alone (`not_null`), or as a mapping with one key, the kind, and its body in a
//! short form (`unique: [order_id]`) or a long one with the options that all kinds share (`on_violation`, `mostly`,
//! `where`, `description`). [`Expectation`] holds kind, options and long body; `lower` gives the `ir::Assertion`. The set
//! is open: a new expectation is a file here and a row of [`KINDS`]; no engine knows it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::diagnostic::{Fix, Site, code};
use crate::ir::{Assertion, ContractColumn, DataType, Dimension, MetadataColumn, OnViolation, Severity, Sql, Test};
use crate::kind::{self, Problem};
use crate::name;

pub mod accepted_values;
pub mod between;
pub mod column_count;
pub mod column_exists;
pub mod column_greater;
pub mod column_pair_in;
pub mod columns;
pub mod columns_distinct;
pub mod columns_equal;
pub mod columns_sum;
pub mod date_parseable;
pub mod decreasing;
pub mod distinct_count;
pub mod distinct_values;
pub mod distribution;
pub mod expression;
pub mod freshness;
pub mod greater_than;
pub mod increasing;
pub mod is_null;
pub mod json_parseable;
pub mod length;
pub mod less_than;
pub mod like;
pub mod matches;
pub mod max;
pub mod mean;
pub mod median;
pub mod min;
pub mod most_common;
pub mod non_null_share;
pub mod not_in;
pub mod not_like;
pub mod not_matches;
pub mod not_null;
pub mod numeric_parseable;
pub mod of_type;
pub mod outliers;
pub mod quantile;
pub mod query;
pub mod references;
pub mod row_count;
pub mod stdev;
pub mod sum;
pub mod unique;
pub mod unique_share;
pub mod volume;

mod bounds;
pub(crate) mod duration;
mod moment;
mod pattern;
mod reference;
mod sequence;
mod several;
mod values;
mod written;

pub use reference::{Page, pages};

/// One kind of expectation.
pub struct Kind {
    pub name: &'static str,
    /// Whether it speaks of one column; it then stands below a column or names one with `column`.
    pub of_column: bool,
    pub dimension: Dimension,
    form: Form,
    /// The JSON Schema of the long body, with the struct's docs.
    schema: fn(&mut SchemaGenerator) -> Schema,
    short: Short,
    lower: fn(&Value, &Subject<'_>) -> Result<Sentence, Problem>,
    example: Example,
    /// What other tools call it.
    alike: &'static [(Tool, &'static str)],
}

/// What a kind judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Each row by itself.
    Row,
    /// Each row beside others.
    Rows,
    /// An aggregate of the table, or of each group of rows.
    Groups,
    /// The table as a whole.
    Table,
    /// What columns there are.
    Columns,
}

/// What may be written instead of the long body.
#[derive(Debug, Clone, Copy)]
enum Short {
    /// The kind's name alone; all of the long body is optional.
    Word,
    /// The long body's value under this key.
    Key(&'static str),
    /// Either.
    WordOrKey(&'static str),
    /// Nothing: only the long body.
    Long,
}

impl Short {
    fn is_word(self) -> bool {
        match self {
            Short::Word | Short::WordOrKey(_) => true,
            Short::Key(_) | Short::Long => false,
        }
    }

    fn key(self) -> Option<&'static str> {
        match self {
            Short::Key(key) | Short::WordOrKey(key) => Some(key),
            Short::Word | Short::Long => None,
        }
    }
}

/// An example for the reference, which a test validates: elements of an `expect`.
struct Example {
    /// The column that it stands below, and its type; `None` for a table's `expect`.
    column: Option<(&'static str, &'static str)>,
    /// Elements in YAML, one a line.
    expect: &'static [&'static str],
}

/// Another tool that has expectations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    GreatExpectations,
    Dbt,
    Odcs,
}

/// All kinds, in the order of the reference.
pub const KINDS: &[Kind] = &[
    not_null::KIND,
    is_null::KIND,
    accepted_values::KIND,
    not_in::KIND,
    between::KIND,
    greater_than::KIND,
    less_than::KIND,
    matches::KIND,
    not_matches::KIND,
    like::KIND,
    not_like::KIND,
    length::KIND,
    date_parseable::KIND,
    json_parseable::KIND,
    numeric_parseable::KIND,
    columns_equal::KIND,
    column_greater::KIND,
    column_pair_in::KIND,
    columns_distinct::KIND,
    columns_sum::KIND,
    expression::KIND,
    increasing::KIND,
    decreasing::KIND,
    outliers::KIND,
    unique::KIND,
    references::KIND,
    row_count::KIND,
    distinct_count::KIND,
    distinct_values::KIND,
    min::KIND,
    max::KIND,
    mean::KIND,
    median::KIND,
    stdev::KIND,
    sum::KIND,
    quantile::KIND,
    unique_share::KIND,
    non_null_share::KIND,
    most_common::KIND,
    freshness::KIND,
    volume::KIND,
    columns::KIND,
    column_exists::KIND,
    column_count::KIND,
    of_type::KIND,
    distribution::KIND,
    query::KIND,
];

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// The options that every kind takes.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct Options {
    /// What a violation leads to: `fail` (default) keeps the table as it was and stops what depends on it; `drop` leaves
    /// the rows out; `quarantine` moves them to `<table>_quarantine`; `warn` only records.
    #[serde(default)]
    pub on_violation: Option<OnViolation>,
    /// The least share of the rows that must hold, above 0 and at most 1. Default: 1. Example: `0.99`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub mostly: Option<f64>,
    /// Only rows for which this Databricks SQL expression is true are looked at.
    #[serde(default, rename = "where")]
    pub filter: Option<String>,
    /// How grave a violation is: `critical`, `warning` or `info`. For people and other tools; `on_violation` decides what
    /// happens.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// For people: why this must hold.
    #[serde(default)]
    pub description: Option<String>,
    /// Who answers for it. Default: the table's owner.
    #[serde(default)]
    pub owner: Option<String>,
    /// The column, where the expectation does not stand below one.
    #[serde(default)]
    pub column: Option<String>,
    /// Columns whose equal values make a group; each group is judged by itself. For kinds that aggregate only. Example:
    /// `[species]`.
    #[serde(default)]
    pub group_by: Vec<String>,
}

const OPTION_KEYS: [&str; 8] =
    ["on_violation", "mostly", "where", "severity", "description", "owner", "column", "group_by"];

/// What an expectation speaks of, for `lower`.
pub struct Subject<'a> {
    /// The column, as the contract spells it.
    pub column: Option<&'a str>,
    pub data_type: Option<&'a DataType>,
    /// The contract's columns; none where there is no contract, so that nothing is known.
    pub columns: &'a [ContractColumn],
    /// The columns whose equal values make a group, for kinds that aggregate.
    pub groups: &'a [String],
    /// The site of a JSON pointer relative to the long body.
    pub site_of: &'a dyn Fn(&str) -> Site,
}

impl Subject<'_> {
    /// The column, for kinds that need one.
    fn column(&self) -> Result<&str, Problem> {
        self.column.ok_or_else(|| {
            Problem::new(code::EXPECTATION, "", "this expectation speaks of a column and none is named")
                .help("put it below the column's `expect`, or add `column: NAME`")
        })
    }

    /// The column, which must be of a type that `fits`; `holds` says what such columns hold, e.g. `numbers`.
    fn column_of(&self, kind: &str, fits: fn(&DataType) -> bool, holds: &str) -> Result<&str, Problem> {
        let column = self.column()?;
        match self.data_type {
            Some(other) if !fits(other) => Err(unfit(kind, "", column, other, holds)),
            Some(_) | None => Ok(column),
        }
    }

    /// The type of another column that the body names at `pointer`; `None` if nothing is known of it.
    ///
    /// # Errors
    /// `resolve::expectation` if the contract has no such column.
    fn other(&self, column: &str, pointer: &str) -> Result<Option<&DataType>, Problem> {
        let is_metadata = MetadataColumn::ALL.iter().any(|known| name::same(known.name(), column));
        let known = self.columns.iter().find(|known| name::same(&known.column.name, column));
        if known.is_some() || is_metadata || self.columns.is_empty() {
            return Ok(known.map(|known| &known.column.data_type));
        }
        let names = self.columns.iter().map(|known| known.column.name.as_str());
        let problem = Problem::new(code::EXPECTATION, pointer, format!("the contract has no column `{column}`"));
        let fix = name::nearest(column, names.clone()).map(Fix::value);
        Err(Problem { help: name::did_you_mean(column, names), fix, ..problem })
    }

    /// SQL that was made from what stands at `pointer`.
    fn sql(&self, text: impl Into<std::sync::Arc<str>>, pointer: &str) -> Sql {
        kind::generated(text, &(self.site_of)(pointer))
    }

    /// A test of each value of `column` by itself; NULLs are not considered.
    fn each_value(&self, column: &str, label: String, violated: String) -> Sentence {
        let considered = format!("{} IS NOT NULL", kind::column(column));
        let test = Test::Row { considered: Some(self.sql(considered, "")), violated: self.sql(violated, "") };
        Sentence { label, columns: vec![column.to_owned()], test }
    }

    /// A condition on one number of the table, or of each group.
    fn aggregate(&self, columns: &[&str], label: String, value: String, holds: String) -> Sentence {
        let test = Test::Aggregate { by: Vec::new(), value: self.sql(value, ""), holds: self.sql(holds, "") };
        Sentence { label, columns: columns.iter().map(|column| (*column).to_owned()).collect(), test }
    }
}

fn unfit(kind: &str, pointer: &str, column: &str, data_type: &DataType, holds: &str) -> Problem {
    let message = format!("`{kind}` judges {holds}, and `{column}` is {data_type}");
    Problem::new(code::EXPECTATION, pointer, message)
        .help(format!("say it of a column of {holds}, or give the column another type in the contract"))
}

/// A column of a table of the project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct TableColumn {
    /// The table, `layer.name`. Example: `silver.countries`.
    table: String,
    /// The column. Example: `code`.
    column: String,
}

/// What a kind lowers to; the options are added by [`Expectation::lower`].
pub struct Sentence {
    /// For people, e.g. `amount between 0 and 10`.
    pub label: String,
    pub columns: Vec<String>,
    pub test: Test,
}

impl Sentence {
    /// With the condition of an aggregate at another site: that of the table which it looks at.
    fn comparing(mut self, site: Site) -> Self {
        if let Test::Aggregate { holds, .. } = &mut self.test {
            holds.site = site;
        }
        self
    }
}

/// An expectation as written.
#[derive(Clone)]
pub struct Expectation {
    kind: &'static Kind,
    pub options: Options,
    /// The long body without the options.
    body: Value,
    /// Where the long body's members stand, relative to the expectation: `/between`, or for a short form the key that it
    /// stands for and the pointer of its value.
    short_key: Option<&'static str>,
}

impl Expectation {
    /// An expectation in its long form, as other dialects are read into. `None` for an unknown kind.
    pub fn new(kind: &str, body: Map<String, Value>, options: Options) -> Option<Self> {
        let kind = KINDS.iter().find(|known| known.name == kind)?;
        Some(Expectation { kind, options, body: Value::Object(body), short_key: None })
    }

    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// The long body without the options.
    pub fn body(&self) -> &Value {
        &self.body
    }

    pub fn of_column(&self) -> bool {
        self.kind.of_column
    }

    /// The expectation as an assertion on a column of the contract, or on the table. `site_of` gives the site of a JSON
    /// pointer relative to the expectation.
    ///
    /// # Errors
    /// What is wrong with it, relative to it.
    pub fn lower(
        &self,
        column: Option<(&str, Option<&DataType>)>,
        columns: &[ContractColumn],
        site_of: &dyn Fn(&str) -> Site,
    ) -> Result<Assertion, Problem> {
        let here = |pointer: &str| self.outer_pointer(pointer);
        let body_site = |pointer: &str| site_of(&here(pointer));
        let subject = Subject {
            column: column.map(|(name, _)| name),
            data_type: column.and_then(|(_, data_type)| data_type),
            columns,
            groups: &self.options.group_by,
            site_of: &body_site,
        };
        if self.options.mostly.is_some_and(|mostly| mostly <= 0.0) {
            return Err(Problem::new(code::EXPECTATION, here("/mostly"), "`mostly: 0` is true of any rows")
                .help("give the least share that must hold, e.g. `0.99`, or remove the expectation"));
        }
        let mut sentence = (self.kind.lower)(&self.body, &subject)
            .map_err(|problem| Problem { pointer: here(&problem.pointer), ..problem })?;
        self.group(&mut sentence, &subject)
            .map_err(|problem| Problem { pointer: here(&problem.pointer), ..problem })?;
        let on_violation = self.options.on_violation.unwrap_or_default();
        match &sentence.test {
            Test::Row { .. } | Test::Holds(_) | Test::Window { .. } | Test::Unique { .. } | Test::Reference { .. } => {}
            Test::Aggregate { .. } | Test::Query(_) | Test::Distribution(_) | Test::Columns(_) => {
                self.refuse_row_options(on_violation, &here)?;
            }
        }
        let arguments = self.arguments(subject.column, &sentence.columns);
        Ok(Assertion {
            kind: self.kind.name,
            label: sentence.label,
            columns: sentence.columns,
            arguments,
            dimension: self.kind.dimension,
            test: sentence.test,
            on_violation,
            severity: self.options.severity,
            mostly: self.options.mostly.unwrap_or(1.0),
            filter: self.options.filter.as_deref().map(|text| kind::authored(text, body_site("/where"))),
            description: self.options.description.clone(),
            owner: self.options.owner.clone(),
            site: site_of(""),
        })
    }

    /// The long body, with the options that shape the test: the groups, and a column that the sentence does not speak of.
    fn arguments(&self, column: Option<&str>, columns: &[String]) -> Value {
        let mut arguments = self.body.as_object().cloned().unwrap_or_default();
        if !self.options.group_by.is_empty() {
            arguments.insert("group_by".to_owned(), json!(self.options.group_by));
        }
        if let Some(column) = column
            && self.kind.of_column
            && !columns.iter().any(|other| other == column)
        {
            arguments.insert("column".to_owned(), json!(column));
        }
        Value::Object(arguments)
    }

    /// Adds `group_by` to an aggregate.
    fn group(&self, sentence: &mut Sentence, subject: &Subject<'_>) -> Result<(), Problem> {
        let groups = &self.options.group_by;
        if groups.is_empty() {
            return Ok(());
        }
        let Test::Aggregate { by, .. } = &mut sentence.test else {
            let problem = format!("`{}` has no groups: it does not aggregate", self.kind.name);
            return Err(Problem::new(code::EXPECTATION, "/group_by", problem)
                .help("remove `group_by`; `where` looks at some of the rows"));
        };
        values::refuse_repeated_columns(groups, "/group_by")?;
        for (index, group) in groups.iter().enumerate() {
            subject.other(group, &format!("/group_by/{index}"))?;
        }
        let own = std::mem::take(by);
        *by = groups.iter().cloned().chain(own).collect();
        sentence
            .columns
            .extend(groups.iter().filter(|group| !sentence.columns.contains(group)).cloned().collect::<Vec<_>>());
        sentence.label = format!("{} per {}", sentence.label, groups.join(", "));
        Ok(())
    }

    fn refuse_row_options(&self, on_violation: OnViolation, here: &dyn Fn(&str) -> String) -> Result<(), Problem> {
        if matches!(on_violation, OnViolation::Drop | OnViolation::Quarantine) {
            let problem = format!("`{}` is about the table and has no rows to take out", self.kind.name);
            return Err(Problem::new(code::EXPECTATION, here("/on_violation"), problem).help("use `fail` or `warn`"));
        }
        if self.options.mostly.is_some() {
            let problem = format!("`mostly` counts rows, and `{}` is about the table", self.kind.name);
            return Err(Problem::new(code::EXPECTATION, here("/mostly"), problem).help("remove `mostly`"));
        }
        Ok(())
    }

    /// A pointer into the long body as a pointer into what was written.
    fn outer_pointer(&self, pointer: &str) -> String {
        match self.short_key {
            None if self.body.is_null() => String::new(),
            None => format!("/{}{pointer}", self.kind.name),
            Some(key) => {
                let inner = pointer.strip_prefix('/').and_then(|rest| rest.strip_prefix(key)).unwrap_or("");
                format!("/{}{inner}", self.kind.name)
            }
        }
    }
}

/// Reads a long body that the JSON Schema has let through; an absent one is an empty mapping.
fn body<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, Problem> {
    let empty = Value::Object(Map::new());
    let value = if value.is_null() { &empty } else { value };
    T::deserialize(value)
        .map_err(|error| Problem::new(code::EXPECTATION, "", format!("this expectation cannot be read: {error}")))
}

#[cfg(test)]
mod tests;
