//! Named columns as they come from a table, before a trainer's eyes.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Columns of one length by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    pub n_rows: usize,
    pub columns: IndexMap<String, Column>,
}

/// One column. Dates and times are for the caller to turn into numbers or to leave out.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// NaN is missing; so is what is infinite.
    Numbers(Vec<f64>),
    Booleans(Vec<Option<bool>>),
    Texts {
        /// Distinct; some may occur in no row.
        words: Arc<[String]>,
        /// Places in `words`.
        codes: Vec<Option<u32>>,
    },
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    Number,
    Boolean,
    Text,
}

impl Column {
    /// Texts with their distinct words in order of appearance.
    pub fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut places: IndexMap<&str, ()> = IndexMap::new();
        let codes = values
            .into_iter()
            .map(|value| {
                value.map(|word| u32::try_from(places.insert_full(word, ()).0).expect("fewer words than 2^32"))
            })
            .collect();
        Column::Texts { words: places.keys().map(|word| (*word).to_owned()).collect(), codes }
    }

    pub fn kind(&self) -> ColumnKind {
        match self {
            Column::Numbers(_) => ColumnKind::Number,
            Column::Booleans(_) => ColumnKind::Boolean,
            Column::Texts { .. } => ColumnKind::Text,
        }
    }

    /// These rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Column::Numbers(numbers) => Column::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
            Column::Booleans(flags) => Column::Booleans(rows.iter().map(|row| flags[*row]).collect()),
            Column::Texts { words, codes } => {
                Column::Texts { words: Arc::clone(words), codes: rows.iter().map(|row| codes[*row]).collect() }
            }
        }
    }
}

impl Features {
    /// These rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|(name, column)| (name.clone(), column.select(rows))).collect();
        Features { n_rows: rows.len(), columns }
    }
}
