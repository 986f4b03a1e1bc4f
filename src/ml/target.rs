//! What is to be learned, as it comes from a table: labels of classes or numbers.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::ml::matrix::Outcome;
use crate::ml::trainers::Task;

/// The name of a class, of the target column's type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Label {
    Boolean(bool),
    Whole(i64),
    Text(String),
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Boolean(flag) => write!(formatter, "{flag}"),
            Label::Whole(number) => write!(formatter, "{number}"),
            Label::Text(text) => formatter.write_str(text),
        }
    }
}

/// True outcomes, a row each.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Classes {
        /// In order; a class's code is its place.
        labels: Vec<Label>,
        codes: Vec<u32>,
    },
    Numbers(Vec<f64>),
}

impl Target {
    /// Classes by their labels, which are brought into order.
    pub fn classes(values: &[Label]) -> Self {
        let mut labels: Vec<Label> = values.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let places: IndexMap<&Label, u32> = labels.iter().zip(0..).collect();
        let codes = values.iter().map(|value| places[value]).collect();
        Target::Classes { labels, codes }
    }

    pub fn task(&self) -> Task {
        match self {
            Target::Classes { .. } => Task::Classification,
            Target::Numbers(_) => Task::Regression,
        }
    }

    /// Labels, or none for numbers.
    pub fn labels(&self) -> &[Label] {
        match self {
            Target::Classes { labels, .. } => labels,
            Target::Numbers(_) => &[],
        }
    }

    /// Values that a model gives per row: one per class, or one.
    pub fn width(&self) -> usize {
        match self {
            Target::Classes { labels, .. } => labels.len(),
            Target::Numbers(_) => 1,
        }
    }

    pub fn outcome(&self) -> Outcome<'_> {
        match self {
            Target::Classes { labels, codes } => Outcome::Class { codes, n_classes: labels.len() },
            Target::Numbers(numbers) => Outcome::Number(numbers),
        }
    }

    /// These rows, in this order, with all labels.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Target::Classes { labels, codes } => {
                Target::Classes { labels: labels.clone(), codes: rows.iter().map(|row| codes[*row]).collect() }
            }
            Target::Numbers(numbers) => Target::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
        }
    }
}
