//! Sums of gradients by bin.
//!
//! Gradients are rounded to whole numbers before they are added: 30 bits of the greatest one, which is more than the 24 of the
//! floats that others use. Sums of whole numbers are exact and have no order. Hence the same bytes on any number of threads,
//! and the histogram of a sibling is the difference of two, exactly.

use rayon::prelude::*;

use crate::ml::trees::boosting::bins::{Bins, LANES};
use crate::ml::trees::form::real;

/// The sum of the gradients; above `n_count_bits` that of the curvatures, below it the number of rows.
pub(super) type Sum = [i64; 2];

/// By bin of all features.
pub(super) type Histogram = Vec<Sum>;

/// Rounded gradients, and what they are rounded to.
pub(super) struct Gradients {
    /// By row: gradient and curvature.
    pub(super) rounded: Vec<[i32; 2]>,
    pub(super) units: Units,
}

/// What the whole numbers count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Units {
    gradient: f64,
    curvature: f64,
    n_count_bits: u32,
}

/// A sum in floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Total {
    pub(super) gradient: f64,
    pub(super) curvature: f64,
    pub(super) n_rows: usize,
}

const BLOCK: usize = 1 << 9;

/// Fewer looks at four bins than this are not worth a second thread.
const ALONE: usize = 1 << 14;

impl Gradients {
    /// Rounds the gradient and curvature of each row.
    pub(super) fn round(n_rows: usize, gradient: impl Fn(usize) -> (f64, f64) + Sync) -> Self {
        let blocks = || (0..n_rows.div_ceil(BLOCK)).into_par_iter();
        let rows = |block: usize| block * BLOCK..((block + 1) * BLOCK).min(n_rows);
        let greatest = |block: usize| {
            rows(block).map(&gradient).fold((0.0_f64, 0.0_f64), |most, (g, h)| (most.0.max(g.abs()), most.1.max(h)))
        };
        let (g, h) = blocks().map(greatest).reduce(|| (0.0, 0.0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
        let n_count_bits = usize::BITS - n_rows.leading_zeros();
        // The sum of the curvatures and the count share 63 bits.
        let n_bits = 63_u32.saturating_sub(2 * n_count_bits).clamp(1, 30);
        let units = Units { gradient: unit(g, 30), curvature: unit(h, n_bits), n_count_bits };
        let (per_gradient, per_curvature) = (1.0 / units.gradient, 1.0 / units.curvature);
        let mut rounded = vec![[0; 2]; n_rows];
        rounded.par_chunks_mut(BLOCK).enumerate().for_each(|(block, rounded)| {
            for (row, rounded) in rows(block).zip(rounded) {
                let (g, h) = gradient(row);
                *rounded = [whole(g * per_gradient), whole(h * per_curvature).max(1)];
            }
        });
        Gradients { rounded, units }
    }
}

/// The nearest whole number. 3 · 2^51 leaves no bits for a fraction; without SSE 4.1 `round_ties_even` is a call.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "31 bits, which are the lowest")]
fn whole(value: f64) -> i32 {
    (value + 6_755_399_441_055_744.0).to_bits() as u32 as i32
}

/// A power of two, of which the greatest value has `n_bits`.
fn unit(greatest: f64, n_bits: u32) -> f64 {
    if greatest < f64::MIN_POSITIVE {
        return 1.0;
    }
    let exponent = greatest.log2().floor() + 1.0 - f64::from(n_bits);
    exponent.exp2()
}

impl Units {
    fn sum(self, [gradient, curvature]: [i32; 2]) -> Sum {
        [i64::from(gradient), i64::from(curvature) << self.n_count_bits | 1]
    }

    pub(super) fn n_rows(self, sum: Sum) -> usize {
        usize::try_from(sum[1] & ((1 << self.n_count_bits) - 1)).expect("a count")
    }

    #[expect(clippy::cast_precision_loss, reason = "the sum of floats that were rounded")]
    pub(super) fn total(self, sum: Sum) -> Total {
        Total {
            gradient: sum[0] as f64 * self.gradient,
            curvature: (sum[1] >> self.n_count_bits) as f64 * self.curvature,
            n_rows: self.n_rows(sum),
        }
    }
}

pub(super) fn add(a: Sum, b: Sum) -> Sum {
    [a[0] + b[0], a[1] + b[1]]
}

pub(super) fn subtract(a: Sum, b: Sum) -> Sum {
    [a[0] - b[0], a[1] - b[1]]
}

/// The sums over these rows, of the groups of features that are wanted; the others stay 0.
pub(super) fn build(bins: &Bins, wanted: &[bool], gradients: &Gradients, rows: &[u32]) -> Histogram {
    let groups: Vec<usize> = (0..bins.n_groups).filter(|group| wanted[*group]).collect();
    let mut histogram = vec![[0; 2]; bins.n_bins];
    // Sums have no order: the tasks may depend on the number of threads.
    let n_tasks = if rows.len() * groups.len() < ALONE { 1 } else { 2 * rayon::current_num_threads() };
    let n_parts = n_tasks.min(rows.len().div_ceil(8 * BLOCK)).max(1);
    let n_shares = n_tasks.div_ceil(n_parts).min(groups.len()).max(1);
    if n_parts * n_shares == 1 {
        merge(bins, &groups, &sums(bins, &groups, gradients, rows), &mut histogram);
        return histogram;
    }
    let (size, width) = (rows.len().div_ceil(n_parts), groups.len().div_ceil(n_shares));
    let tasks: Vec<(&[usize], &[u32])> =
        groups.chunks(width).flat_map(|groups| rows.chunks(size).map(move |rows| (groups, rows))).collect();
    let parts: Vec<_> =
        tasks.into_par_iter().map(|(groups, rows)| (groups, sums(bins, groups, gradients, rows))).collect();
    for (groups, part) in &parts {
        merge(bins, groups, part, &mut histogram);
    }
    histogram
}

type Lanes = [[Sum; 256]; LANES];

/// By group, the sums of its features by bin.
fn sums(bins: &Bins, groups: &[usize], gradients: &Gradients, rows: &[u32]) -> Vec<Lanes> {
    let mut sums: Vec<Lanes> = vec![[[[0; 2]; 256]; LANES]; groups.len()];
    let mut own = Vec::with_capacity(BLOCK.min(rows.len()));
    let mut fetched = Vec::with_capacity(BLOCK.min(rows.len()));
    // Block by block: the gradients are fetched once and a row's bins come into the cache with its first group. Fetching
    // apart from adding lets the processor wait for many rows at a time.
    for rows in rows.chunks(BLOCK) {
        own.clear();
        own.extend(rows.iter().map(|row| gradients.units.sum(gradients.rounded[*row as usize])));
        for (group, lanes) in groups.iter().zip(&mut sums) {
            let of_group = &bins.rows[*group..];
            fetched.clear();
            fetched.extend(rows.iter().map(|row| of_group[*row as usize * bins.n_groups]));
            for (bins, sum) in fetched.iter().zip(&own) {
                for (lane, bin) in lanes.iter_mut().zip(bins) {
                    let entry = &mut lane[*bin as usize];
                    *entry = add(*entry, *sum);
                }
            }
        }
    }
    sums
}

fn merge(bins: &Bins, groups: &[usize], sums: &[Lanes], histogram: &mut Histogram) {
    for (group, lanes) in groups.iter().zip(sums) {
        for (feature, lane) in bins.features[group * LANES..].iter().zip(lanes) {
            let own = &mut histogram[feature.start..=feature.start + feature.n_values];
            for (to, from) in own.iter_mut().zip(lane) {
                *to = add(*to, *from);
            }
        }
    }
}

impl Total {
    /// What the rows weigh in a tree's explanation.
    pub(super) fn cover(self) -> f64 {
        real(self.n_rows)
    }
}
