//! Features in at most 255 bins, a byte each.
//!
//! In: columns of numbers or of codes. Out: for each row and feature the number of a bin; what a bin stands for. The bins of a
//! column of numbers are in order and hold about as many rows each, a frequent value having one of its own; missing values
//! have the bin after the last. They are kept twice: row by row for sums, where one look at a row serves all features, and
//! column by column for splits, where a column fits into the cache.

use rayon::prelude::*;

use crate::ml::matrix::Matrix;
use crate::ml::random::Random;
use crate::ml::trees::exact::{between, finite};
use crate::ml::trees::form::short;

/// Features whose bins are read at once.
pub(super) const LANES: usize = 4;

/// The most bins for the values of a feature; one more is for missing ones.
pub(super) const MOST: usize = 255;

/// Rows that tell where a column's bins are; more would not move them noticeably.
const SAMPLE: usize = 200_000;

/// The stream of the seed that draws the sample.
const STREAM: u64 = u64::MAX;

const BLOCK: usize = 1 << 12;

/// All features that vary.
#[expect(clippy::struct_field_names, reason = "a count of bins is called so")]
pub(super) struct Bins {
    pub(super) n_rows: usize,
    pub(super) features: Vec<Feature>,
    /// By row, `n_groups` times the bins of four features.
    pub(super) rows: Vec<[u8; LANES]>,
    pub(super) n_groups: usize,
    /// By feature and row.
    pub(super) columns: Vec<Vec<u8>>,
    /// Bins of all features, those for missing values among them.
    pub(super) n_bins: usize,
}

/// What the bins of a feature stand for.
pub(super) struct Feature {
    /// The column in the matrix.
    pub(super) column: usize,
    /// Bins for values; the one for missing values has this number.
    pub(super) n_values: usize,
    /// Where its bins begin among those of all features.
    pub(super) start: usize,
    pub(super) meaning: Meaning,
}

/// What a bin holds.
pub(super) enum Meaning {
    /// Bin `b` holds values up to `cuts[b]`, the last one all above.
    Numbers { cuts: Vec<f64> },
    /// Bin `b` holds these categories: one, but for the last one where they are too many.
    Categories { n_categories: u32, bins: Vec<Vec<u32>> },
}

impl Bins {
    pub(super) fn of(matrix: &Matrix, most: usize, seed: u64) -> Self {
        let sample = sample(matrix.n_rows, seed);
        let meanings: Vec<(usize, Meaning, usize)> = (0..matrix.columns.len())
            .into_par_iter()
            .filter_map(|column| {
                let values = &matrix.columns[column];
                let meaning = match matrix.categories.get(column) {
                    Some(Some(n_categories)) => categories(values, *n_categories, most),
                    _ => Meaning::Numbers { cuts: cuts(values, &sample, most) },
                };
                let n_values = meaning.n_values();
                let varies = n_values > 1 || (n_values == 1 && values.iter().any(|value| value.is_nan()));
                varies.then_some((column, meaning, n_values))
            })
            .collect();
        let mut features = Vec::new();
        let mut start = 0;
        for (column, meaning, n_values) in meanings {
            features.push(Feature { column, n_values, start, meaning });
            start += n_values + 1;
        }
        let columns: Vec<Vec<u8>> = features.par_iter().map(|feature| assign(matrix, feature)).collect();
        let n_groups = features.len().div_ceil(LANES);
        let rows = interleave(&columns, n_groups, matrix.n_rows);
        Bins { n_rows: matrix.n_rows, features, rows, n_groups, columns, n_bins: start }
    }
}

impl Meaning {
    fn n_values(&self) -> usize {
        match self {
            Meaning::Numbers { cuts } => cuts.len() + 1,
            Meaning::Categories { bins, .. } => bins.len(),
        }
    }
}

/// Rows spread evenly, one drawn from each stretch.
fn sample(n_rows: usize, seed: u64) -> Vec<u32> {
    if n_rows <= SAMPLE {
        return (0..short(n_rows)).collect();
    }
    let mut random = Random::new(seed, STREAM);
    let place = |i: usize| i * n_rows / SAMPLE;
    let draw = |i: usize| place(i) as u64 + random.below((place(i + 1) - place(i)) as u64);
    (0..SAMPLE).map(draw).map(|row| u32::try_from(row).expect("rows are counted in 32 bits")).collect()
}

/// Where the bins of a column end, such that they hold about as many rows each.
fn cuts(values: &[f64], sample: &[u32], most: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> =
        sample.iter().map(|row| values[*row as usize]).filter(|v| !v.is_nan()).map(finite).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let runs: Vec<(f64, usize)> = sorted.chunk_by(|a, b| a >= b).map(|run| (run[0], run.len())).collect();
    if runs.len() <= most {
        return runs.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect();
    }
    // A value with more rows than a bin should have gets a bin; the others share what is left.
    let fair = sorted.len() / most;
    let is_big = |run: (f64, usize)| run.1 > fair;
    let (mut n_left, mut bins_left) = (sorted.len(), most);
    for run in runs.iter().filter(|run| is_big(**run)) {
        n_left -= run.1;
        bins_left -= 1;
    }
    let mut cuts = Vec::new();
    let mut held = 0;
    for pair in runs.windows(2) {
        if cuts.len() + 1 == most {
            break;
        }
        let big = is_big(pair[0]);
        held += pair[0].1;
        let full = held * bins_left.max(1) >= n_left;
        if big || full || (is_big(pair[1]) && 2 * held * bins_left.max(1) >= n_left) {
            cuts.push(between(pair[0].0, pair[1].0));
            if !big {
                n_left = n_left.saturating_sub(held);
                bins_left = bins_left.saturating_sub(1);
            }
            held = 0;
        }
    }
    cuts
}

/// A bin a category; the rarest share one where there are too many.
fn categories(values: &[f64], n_categories: u32, most: usize) -> Meaning {
    let mut counts = vec![0_usize; n_categories as usize];
    for code in values.iter().filter_map(|value| code(*value, n_categories)) {
        counts[code as usize] += 1;
    }
    let mut known: Vec<u32> = (0..n_categories).filter(|code| counts[*code as usize] > 0).collect();
    if known.len() <= most {
        return Meaning::Categories { n_categories, bins: known.into_iter().map(|code| vec![code]).collect() };
    }
    known.sort_by_key(|code| (std::cmp::Reverse(counts[*code as usize]), *code));
    let rare = known.split_off(most - 1);
    known.sort_unstable();
    let mut bins: Vec<Vec<u32>> = known.into_iter().map(|code| vec![code]).collect();
    bins.push(rare);
    Meaning::Categories { n_categories, bins }
}

/// The category that a value is the code of.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the range")]
fn code(value: f64, n_categories: u32) -> Option<u32> {
    (0.0..f64::from(n_categories)).contains(&value).then_some(value as u32)
}

/// The bins of a feature, by row.
fn assign(matrix: &Matrix, feature: &Feature) -> Vec<u8> {
    let values = &matrix.columns[feature.column];
    let missing = byte(feature.n_values);
    let mut column = vec![0; values.len()];
    let blocks = column.par_chunks_mut(BLOCK).zip(values.par_chunks(BLOCK));
    match &feature.meaning {
        Meaning::Numbers { cuts } => blocks.for_each(|(column, values)| {
            for (bin, value) in column.iter_mut().zip(values) {
                let below = cuts.partition_point(|cut| cut < value);
                *bin = if value.is_nan() { missing } else { byte(below) };
            }
        }),
        Meaning::Categories { n_categories, bins } => {
            let by_code = bins_of_codes(*n_categories, bins, missing);
            blocks.for_each(|(column, values)| {
                for (bin, value) in column.iter_mut().zip(values) {
                    *bin = code(*value, *n_categories).map_or(missing, |code| by_code[code as usize]);
                }
            });
        }
    }
    column
}

fn bins_of_codes(n_categories: u32, bins: &[Vec<u32>], missing: u8) -> Vec<u8> {
    let mut by_code = vec![missing; n_categories as usize];
    for (bin, codes) in bins.iter().enumerate() {
        for code in codes {
            by_code[*code as usize] = byte(bin);
        }
    }
    by_code
}

fn interleave(columns: &[Vec<u8>], n_groups: usize, n_rows: usize) -> Vec<[u8; LANES]> {
    let mut rows = vec![[0; LANES]; n_rows * n_groups];
    if n_groups == 0 {
        return rows;
    }
    rows.par_chunks_mut(BLOCK * n_groups).enumerate().for_each(|(block, rows)| {
        for (feature, column) in columns.iter().enumerate() {
            let groups = rows[feature / LANES..].iter_mut().step_by(n_groups);
            for (group, bin) in groups.zip(&column[block * BLOCK..]) {
                group[feature % LANES] = *bin;
            }
        }
    });
    rows
}

fn byte(bin: usize) -> u8 {
    u8::try_from(bin).expect("256 bins at most")
}
