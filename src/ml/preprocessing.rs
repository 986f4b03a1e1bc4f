//! Raw features made into numbers: gaps filled, categories coded, scales made alike. Part of the model.
//!
//! In: [`Features`] and a [`Recipe`] for training rows. Out: a [`Preprocessing`], which does to other rows what was learned
//! from these, and says what becomes of words and gaps that training never saw. It learns from training rows only: in
//! cross-validation each fold has its own. Words are in the order of their bytes, as in scikit-learn.

pub mod learn;

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::features::{Column, ColumnKind, Features};
use crate::ml::matrix::Matrix;

/// How features become numbers. What is not said depends on the trainer: trees take columns as they are, with missing
/// values and categories; the others get gaps filled, categories as columns of 0 and 1, and numbers standardised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// How numbers are scaled. Default: standard; none for trees.
    pub scale: Option<Scale>,
    /// How texts are coded. Default: `one_hot`; native for trees.
    pub encode: Option<Encode>,
    /// What fills missing numbers. Default: mean; keep for trees.
    pub impute: Option<Impute>,
    /// What fills missing texts and booleans. Default: `most_frequent`; keep for trees.
    pub impute_categories: Option<Impute>,
    /// Of a text column coded one-hot, how many words get a column, the most frequent first; others count as unknown.
    /// Default: 100.
    pub max_categories: Option<usize>,
    /// Columns that are treated otherwise. Example: `{age: {scale: min_max}, plan: {encode: ordinal}}`.
    pub columns: IndexMap<String, ColumnRecipe>,
}

/// How one feature becomes a number, where it differs from the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnRecipe {
    /// How it is scaled.
    pub scale: Option<Scale>,
    /// How its texts are coded.
    pub encode: Option<Encode>,
    /// What fills its gaps.
    pub impute: Option<Impute>,
}

/// How numbers are brought to one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Scale {
    /// As they are.
    None,
    /// Mean 0 and standard deviation 1.
    Standard,
    /// From 0 to 1.
    MinMax,
}

/// How texts become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Encode {
    /// A column of 0 and 1 per word; an unknown word is 0 in all.
    OneHot,
    /// The word's place in the order of words; an unknown word is -1.
    Ordinal,
    /// A category that trees split by sets; an unknown word counts as missing. For trees only.
    Native,
}

/// What fills gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Impute {
    /// The mean. For numbers.
    Mean,
    /// The median. For numbers.
    Median,
    /// The most frequent value; of equally frequent ones the first.
    MostFrequent,
    /// This value. Example: `{constant: unknown}`.
    Constant(Filling),
    /// Gaps stay: trees send them the better way; a text has 0 in all its columns.
    Keep,
}

/// A value that fills gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Filling {
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// What was learned, feature by feature, in the order of training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    pub features: Vec<Prepared>,
}

/// What becomes of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepared {
    pub name: String,
    pub kind: ColumnKind,
    pub form: Form,
}

/// The columns that a feature becomes. Words are in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `(x - shift) / scale`; a boolean is 0 or 1.
    Number { fill: Option<f64>, shift: f64, scale: f64 },
    /// A column per word.
    OneHot { words: Vec<String>, fill: Option<String> },
    /// `(place - shift) / scale`, an unknown word's place being -1.
    Ordinal { words: Vec<String>, fill: Option<String>, shift: f64, scale: f64 },
    /// The place as a category.
    Native { words: Vec<String>, fill: Option<String> },
}

/// Rows that don't have the features of training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    Missing { feature: String },
    Kind { feature: String, expected: ColumnKind, found: ColumnKind },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |kind: ColumnKind| match kind {
            ColumnKind::Number => "numbers",
            ColumnKind::Boolean => "booleans",
            ColumnKind::Text => "texts",
        };
        match self {
            Mismatch::Missing { feature } => write!(formatter, "the feature `{feature}` is not there"),
            Mismatch::Kind { feature, expected, found } => {
                write!(formatter, "the feature `{feature}` holds {}, the model wants {}", word(*found), word(*expected))
            }
        }
    }
}

impl std::error::Error for Mismatch {}

impl Preprocessing {
    /// The rows as numbers. Columns that training did not have are left alone.
    ///
    /// # Errors
    /// A feature that is not there, or holds something else.
    pub fn apply(&self, features: &Features) -> Result<Matrix, Mismatch> {
        let mut matrix = Matrix { n_rows: features.n_rows, ..Matrix::default() };
        for prepared in &self.features {
            let name = &prepared.name;
            let column = features.columns.get(name).ok_or_else(|| Mismatch::Missing { feature: name.clone() })?;
            if column.kind() != prepared.kind {
                let (expected, found) = (prepared.kind, column.kind());
                return Err(Mismatch::Kind { feature: name.clone(), expected, found });
            }
            prepared.form.apply(column, &mut matrix);
        }
        Ok(matrix)
    }

    /// The columns that `apply` makes: the feature's name, and behind `=` the word that a column is for.
    pub fn column_names(&self) -> Vec<String> {
        let names = |prepared: &Prepared| match &prepared.form {
            Form::Number { .. } | Form::Ordinal { .. } | Form::Native { .. } => vec![prepared.name.clone()],
            Form::OneHot { words, .. } => words.iter().map(|word| format!("{}={word}", prepared.name)).collect(),
        };
        self.features.iter().flat_map(names).collect()
    }
}

impl Form {
    fn apply(&self, column: &Column, matrix: &mut Matrix) {
        match self {
            Form::Number { fill, shift, scale } => {
                let value = |x: f64| (if x.is_finite() { x } else { fill.unwrap_or(f64::NAN) } - shift) / scale;
                matrix.columns.push(numeric(column).into_iter().map(value).collect());
                matrix.categories.push(None);
            }
            Form::OneHot { words, fill } => {
                let places = places(column, words, fill.as_deref());
                let start = matrix.columns.len();
                matrix.columns.resize(start + words.len(), vec![0.0; matrix.n_rows]);
                matrix.categories.resize(start + words.len(), None);
                for (row, place) in places.into_iter().enumerate() {
                    if let Place::Known(place) = place {
                        matrix.columns[start + place as usize][row] = 1.0;
                    }
                }
            }
            Form::Ordinal { words, fill, shift, scale } => {
                let value = |place: Place| match place {
                    Place::Known(place) => (f64::from(place) - shift) / scale,
                    Place::Unknown => (-1.0 - shift) / scale,
                    Place::Missing => f64::NAN,
                };
                matrix.columns.push(places(column, words, fill.as_deref()).into_iter().map(value).collect());
                matrix.categories.push(None);
            }
            Form::Native { words, fill } => {
                let value = |place: Place| match place {
                    Place::Known(place) => f64::from(place),
                    Place::Unknown | Place::Missing => f64::NAN,
                };
                matrix.columns.push(places(column, words, fill.as_deref()).into_iter().map(value).collect());
                matrix.categories.push(Some(u32::try_from(words.len()).expect("fewer words than 2^32")));
            }
        }
    }
}

/// Where a text stands among the words of training.
#[derive(Debug, Clone, Copy)]
enum Place {
    Known(u32),
    Unknown,
    Missing,
}

fn places(column: &Column, words: &[String], fill: Option<&str>) -> Vec<Place> {
    let place = |word: &str| match words.binary_search_by(|known| known.as_str().cmp(word)) {
        Ok(place) => Place::Known(u32::try_from(place).expect("fewer words than 2^32")),
        Err(_) => Place::Unknown,
    };
    let gap = fill.map_or(Place::Missing, place);
    match column {
        Column::Texts { words, codes } => {
            let own: Vec<Place> = words.iter().map(|word| place(word)).collect();
            codes.iter().map(|code| code.map_or(gap, |code| own[code as usize])).collect()
        }
        Column::Numbers(_) | Column::Booleans(_) => unreachable!("the kind was checked"),
    }
}

/// Numbers, and booleans as 0 and 1; what is missing or infinite is NaN.
fn numeric(column: &Column) -> Vec<f64> {
    match column {
        Column::Numbers(numbers) => numbers.iter().map(|x| if x.is_finite() { *x } else { f64::NAN }).collect(),
        Column::Booleans(flags) => {
            flags.iter().map(|flag| flag.map_or(f64::NAN, |flag| f64::from(u8::from(flag)))).collect()
        }
        Column::Texts { .. } => unreachable!("the kind was checked"),
    }
}
