//! `distribution`: the column's values are distributed as known.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, TableColumn, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::{DataType, Dimension, Distribution as Distributed, Measure, Reference, TableRef, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "distribution",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Table,
    schema: schema_of::<Distribution>,
    short: Short::Long,
    lower,
    example: Example {
        column: Some(("country", "string")),
        expect: &["distribution: {measure: psi, reference: {categories: {BR: 0.7, US: 0.3}}, at_most: 0.2}"],
    },
    alike: &[
        (Tool::GreatExpectations, "expect_column_kl_divergence_to_be_less_than (with `measure: kl_divergence`)"),
        (
            Tool::GreatExpectations,
            "expect_column_chisquare_test_p_value_to_be_greater_than, expect_column_bootstrapped_ks_test_p_value_to_be_greater_than",
        ),
    ],
};

/// The column's values are distributed as known: a distance from a reference is small, or a test does not tell them apart.
/// NULL and NaN are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Distribution {
    /// How the two are compared: `ks` (Kolmogorov-Smirnov, numbers), `chi_squared` (categories), `psi` (population
    /// stability index), `jensen_shannon` (distance to base 2) or `kl_divergence`.
    measure: MeasureName,
    /// What it is compared with: a column of a table, `{table, column}`; shares of categories, `{categories}`; or shares of
    /// bins, `{edges, shares}`.
    reference: Written,
    /// For `psi` and `jensen_shannon` of numbers: how many bins. Default: 10 for `psi`, 30 for `jensen_shannon`.
    #[schemars(range(min = 2, max = 10000))]
    bins: Option<u32>,
    /// The greatest distance that holds. Default: 0.2 for `psi`, 0.1 for `jensen_shannon` and `kl_divergence`; none for
    /// tests.
    #[schemars(range(min = 0))]
    at_most: Option<f64>,
    /// For `ks` and `chi_squared`: the least p-value that holds. Default: 0.05, unless `at_most` is given.
    #[schemars(range(min = 0, max = 1))]
    p_value_at_least: Option<f64>,
    /// For `kl_divergence`: the share that the reference leaves to values outside of its bins or categories. Default: 0.
    #[schemars(range(min = 0, max = 1))]
    tail_holdout: Option<f64>,
    /// For `kl_divergence` over bins: the share that the reference leaves to its empty bins. Default: 0.
    #[schemars(range(min = 0, max = 1))]
    internal_holdout: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum MeasureName {
    Ks,
    ChiSquared,
    Psi,
    JensenShannon,
    KlDivergence,
}

impl MeasureName {
    fn word(self) -> &'static str {
        match self {
            MeasureName::Ks => "ks",
            MeasureName::ChiSquared => "chi_squared",
            MeasureName::Psi => "psi",
            MeasureName::JensenShannon => "jensen_shannon",
            MeasureName::KlDivergence => "kl_divergence",
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Written {
    Column(TableColumn),
    Categories(Categories),
    Bins(Bins),
}

/// Shares of named categories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Categories {
    /// The share of each category; they add up to 1. Example: `{BR: 0.7, US: 0.3}`.
    categories: IndexMap<String, f64>,
}

/// Shares of bins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Bins {
    /// The bins' edges, ascending. Example: `[0, 10, 20]`.
    edges: Vec<f64>,
    /// The share of each bin between two edges; with `below` and `above` they add up to 1. Example: `[0.4, 0.6]`.
    shares: Vec<f64>,
    /// The share below the first edge. Default: 0.
    #[serde(default)]
    below: f64,
    /// The share above the last edge. Default: 0.
    #[serde(default)]
    above: f64,
}

/// # Errors
/// `resolve::expectation` for a measure that the column, the reference or another key does not go with, and for shares that
/// do not add up.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let written: Distribution = super::body(value)?;
    let name = written.measure;
    let column = match name {
        MeasureName::Ks => subject.column_of("distribution", values::is_number, "numbers for `ks`")?,
        MeasureName::ChiSquared | MeasureName::Psi | MeasureName::JensenShannon | MeasureName::KlDivergence => {
            subject.column_of("distribution", values::is_simple, "simple values")?
        }
    };
    let measure = measure(&written)?;
    let reference = reference(&written, column, subject)?;
    let (at_most, p_value_at_least) = limits(&written)?;
    let bounds: Vec<String> = [
        at_most.map(|limit| format!("{} of {column} <= {limit}", name.word())),
        p_value_at_least.map(|limit| format!("p-value of {} of {column} >= {limit}", name.word())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let column = column.to_owned();
    Ok(Sentence {
        label: bounds.join(" and "),
        columns: vec![column.clone()],
        test: Test::Distribution(Distributed { column, reference, measure, at_most, p_value_at_least }),
    })
}

fn problem(pointer: &str, message: impl Into<String>) -> Problem {
    Problem::new(code::EXPECTATION, pointer, message)
}

fn measure(written: &Distribution) -> Result<Measure, Problem> {
    let Distribution { measure, bins, tail_holdout, internal_holdout, .. } = written;
    let takes_bins = matches!(measure, MeasureName::Psi | MeasureName::JensenShannon);
    if bins.is_some() && !takes_bins {
        return Err(problem("/bins", format!("`{}` has no `bins`", measure.word())).help("remove `bins`"));
    }
    if bins.is_some() && !matches!(written.reference, Written::Column(_)) {
        return Err(problem("/bins", "the reference has its own bins or categories").help("remove `bins`"));
    }
    for (holdout, pointer) in [(tail_holdout, "/tail_holdout"), (internal_holdout, "/internal_holdout")] {
        let key = pointer.trim_start_matches('/');
        if holdout.is_some() && *measure != MeasureName::KlDivergence {
            return Err(problem(pointer, format!("`{key}` goes with `kl_divergence`")).help(format!("remove `{key}`")));
        }
    }
    if internal_holdout.is_some_and(|share| share > 0.0) && !matches!(written.reference, Written::Bins(_)) {
        return Err(problem("/internal_holdout", "categories have no empty bins").help("remove `internal_holdout`"));
    }
    let tail_holdout = tail_holdout.unwrap_or(0.0);
    let internal_holdout = internal_holdout.unwrap_or(0.0);
    if tail_holdout + internal_holdout >= 1.0 {
        return Err(
            problem("/tail_holdout", "the holdouts leave nothing to the reference").help("hold out less than 1")
        );
    }
    if let Written::Bins(Bins { below, above, .. }) = &written.reference
        && tail_holdout > 0.0
        && (*below > 0.0 || *above > 0.0)
    {
        return Err(problem("/tail_holdout", "the reference says itself what lies outside of its bins")
            .help("remove `tail_holdout`, or `below` and `above`"));
    }
    Ok(match measure {
        MeasureName::Ks => Measure::KolmogorovSmirnov,
        MeasureName::ChiSquared => Measure::ChiSquared,
        MeasureName::Psi => Measure::Psi { bins: bins.unwrap_or(10) },
        MeasureName::JensenShannon => Measure::JensenShannon { bins: bins.unwrap_or(30) },
        MeasureName::KlDivergence => Measure::KullbackLeibler { tail_holdout, internal_holdout },
    })
}

fn limits(written: &Distribution) -> Result<(Option<f64>, Option<f64>), Problem> {
    let Distribution { measure, at_most, p_value_at_least, .. } = written;
    if let Some(negative) = at_most.filter(|limit| *limit < 0.0 || !limit.is_finite()) {
        return Err(
            problem("/at_most", format!("{negative} is no distance")).help("write a number that is not negative")
        );
    }
    if let Some(wrong) = p_value_at_least.filter(|limit| !(0.0..=1.0).contains(limit)) {
        return Err(
            problem("/p_value_at_least", format!("{wrong} is no probability")).help("write a number from 0 to 1")
        );
    }
    match measure {
        MeasureName::Ks | MeasureName::ChiSquared => match (at_most, p_value_at_least) {
            (None, None) => Ok((None, Some(0.05))),
            given => Ok((*given.0, *given.1)),
        },
        MeasureName::Psi | MeasureName::JensenShannon | MeasureName::KlDivergence => {
            if p_value_at_least.is_some() {
                let message = format!("`{}` is a distance and has no p-value", measure.word());
                return Err(problem("/p_value_at_least", message).help("give `at_most` instead"));
            }
            let default = if *measure == MeasureName::Psi { 0.2 } else { 0.1 };
            Ok((Some(at_most.unwrap_or(default)), None))
        }
    }
}

fn reference(written: &Distribution, column: &str, subject: &Subject<'_>) -> Result<Reference, Problem> {
    let is_number = subject.data_type.map(DataType::is_numeric);
    match &written.reference {
        Written::Column(TableColumn { table, column }) => {
            let name = values::table(table, "/reference/table")?;
            let site = (subject.site_of)("/reference/table");
            Ok(Reference::Column { table: TableRef { name, site }, column: column.clone() })
        }
        Written::Categories(_) | Written::Bins(_) if written.measure == MeasureName::Ks => {
            Err(problem("/reference", "`ks` compares all values, and shares have none")
                .help("give `{table, column}`, or another measure, e.g. `psi`"))
        }
        Written::Categories(Categories { categories }) => {
            shares("/reference/categories", categories.values().copied())?;
            Ok(Reference::Categories(categories.iter().map(|(name, share)| (name.clone(), *share)).collect()))
        }
        Written::Bins(Bins { edges, shares: bins, below, above }) => {
            if is_number == Some(false) {
                return Err(problem("/reference", format!("bins are of numbers, and `{column}` has none"))
                    .help("give `categories` and their shares"));
            }
            if written.measure == MeasureName::ChiSquared {
                return Err(problem("/reference", "`chi_squared` compares categories, not bins")
                    .help("give `categories`, or another measure, e.g. `psi`"));
            }
            if edges.len() != bins.len() + 1 || bins.is_empty() {
                let message = format!(
                    "{} edges make {} bins, and there are {} shares",
                    edges.len(),
                    edges.len().saturating_sub(1),
                    bins.len()
                );
                return Err(problem("/reference/shares", message).help("give one share fewer than edges"));
            }
            if !edges.is_sorted_by(|low, high| low < high) {
                return Err(problem("/reference/edges", "the edges do not ascend").help("sort them, each once"));
            }
            shares("/reference/shares", bins.iter().copied().chain([*below, *above]))?;
            Ok(Reference::Bins { edges: edges.clone(), shares: bins.clone(), below: *below, above: *above })
        }
    }
}

/// That shares are within 0 to 1 and add up to 1, as nearly as five written digits can.
fn shares(pointer: &str, all: impl Iterator<Item = f64> + Clone) -> Result<(), Problem> {
    if let Some(wrong) = all.clone().find(|share| !(0.0..=1.0).contains(share)) {
        return Err(problem(pointer, format!("{wrong} is no share")).help("write numbers from 0 to 1"));
    }
    let total: f64 = all.sum();
    if (total - 1.0).abs() > 1e-5 {
        let total = (total * 1e6).round() / 1e6;
        return Err(problem(pointer, format!("the shares add up to {total}, not to 1")).help("make them add up to 1"));
    }
    Ok(())
}
