//! Rows as trainers see them: columns of numbers.

/// Features as numbers, column by column. A missing value is NaN. A column of categories holds their codes, from 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    pub n_rows: usize,
    /// Each of `n_rows` values.
    pub columns: Vec<Vec<f64>>,
    /// By column: the number of categories, if its values are codes of categories without an order.
    pub categories: Vec<Option<u32>>,
}

/// What is to be learned, a value a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome<'a> {
    /// Codes of classes, each below `n_classes`.
    Class {
        codes: &'a [u32],
        n_classes: usize,
    },
    Number(&'a [f64]),
}
