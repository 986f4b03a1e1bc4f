//! Makes a support vector machine of rows: a machine per pair of classes with its sigmoid, or one machine for a number.
//!
//! A pair's sigmoid is fitted on sums that machines give for rows which they have not seen, over five folds, as in libsvm.
//! Pairs and folds are trained side by side and share kernel values; each has its own stream of the seed.

use rayon::prelude::*;

use crate::ml::kernel::gram::Gram;
use crate::ml::kernel::solver::{Problem, solve};
use crate::ml::kernel::{Answer, Function, Kernel, Machine, Pair, probability};
use crate::ml::random::Random;
use crate::ml::rows::{Rows, add_scaled};

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub function: Function,
    /// The bound of a row's influence, above 0.
    pub c: f64,
    /// For numbers: how far a prediction may be off at no cost.
    pub epsilon: f64,
    pub tolerance: f64,
    pub seed: u64,
}

const FOLDS: usize = 5;

/// Weights of all rows of a pair, by place, and the offset.
struct Fitted {
    weights: Vec<f64>,
    offset: f64,
}

/// Fits classes; at least two occur in `codes`.
pub fn classes(settings: Settings, rows: &Rows, codes: &[u32], n_classes: usize, weights: Option<&[f64]>) -> Kernel {
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (i, code) in codes.iter().enumerate() {
        by_class[*code as usize].push(i);
    }
    let present: Vec<usize> = (0..n_classes).filter(|class| !by_class[*class].is_empty()).collect();
    let pairs: Vec<(usize, usize)> = present
        .iter()
        .enumerate()
        .flat_map(|(k, first)| present[k + 1..].iter().map(|second| (*first, *second)))
        .collect();
    let fitted: Vec<(Vec<usize>, Fitted, (f64, f64))> = pairs
        .par_iter()
        .enumerate()
        .map(|(stream, (first, second))| {
            let members = [by_class[*first].as_slice(), &by_class[*second]].concat();
            let n_first = by_class[*first].len();
            let (fitted, sigmoid) = pair(settings, rows, &members, n_first, weights, stream as u64);
            (members, fitted, sigmoid)
        })
        .collect();
    let mut vectors = Vectors::new(settings.function, rows);
    let pairs = pairs
        .iter()
        .zip(fitted)
        .map(|((first, second), (members, fitted, (slope, shift)))| Pair {
            first: code(*first),
            second: code(*second),
            machine: vectors.machine(&members, &fitted),
            slope,
            shift,
        })
        .collect();
    Kernel { function: settings.function, vectors: vectors.kept, answer: Answer::Classes { n_classes, pairs } }
}

fn code(class: usize) -> u32 {
    u32::try_from(class).expect("codes are 32 bits")
}

/// Fits one pair; the first `n_first` members are of the first class.
fn pair(
    settings: Settings,
    rows: &Rows,
    members: &[usize],
    n_first: usize,
    weights: Option<&[f64]>,
    stream: u64,
) -> (Fitted, (f64, f64)) {
    let own = rows.select(members);
    let gram = Gram::new(&own, settings.function);
    let n = members.len();
    let signs: Vec<f64> = (0..n).map(|k| if k < n_first { 1.0 } else { -1.0 }).collect();
    let bounds: Vec<f64> =
        members.iter().map(|row| settings.c * weights.map_or(1.0, |weights| weights[*row])).collect();
    let mut order: Vec<usize> = (0..n).collect();
    Random::new(settings.seed, stream).shuffle(&mut order);
    // The last of the parts is the whole.
    let parts: Vec<Fitted> = (0..=FOLDS)
        .into_par_iter()
        .map(|fold| {
            let mut places: Vec<usize> =
                (0..n).filter(|k| fold == FOLDS || k * FOLDS / n != fold).map(|k| order[k]).collect();
            places.sort_unstable();
            machine(&gram, &places, &signs, &bounds, settings.tolerance)
        })
        .collect();
    let mut sums = vec![0.0; n];
    for (k, place) in order.iter().enumerate() {
        let fitted = &parts[k * FOLDS / n];
        let row = gram.row(*place);
        let sum: f64 = fitted.weights.iter().zip(row.iter()).map(|(weight, value)| weight * f64::from(*value)).sum();
        sums[*place] = sum - fitted.offset;
    }
    let first: Vec<bool> = signs.iter().map(|sign| *sign > 0.0).collect();
    let sigmoid = probability::fit_sigmoid(&sums, &first);
    let whole = parts.into_iter().next_back().expect("the whole is there");
    (whole, sigmoid)
}

fn machine(gram: &Gram, places: &[usize], signs: &[f64], bounds: &[f64], tolerance: f64) -> Fitted {
    let pick = |values: &[f64]| -> Vec<f64> { places.iter().map(|place| values[*place]).collect() };
    let (own_signs, own_bounds) = (pick(signs), pick(bounds));
    let linear = vec![-1.0; places.len()];
    let problem = Problem { rows: places, signs: &own_signs, linear: &linear, bounds: &own_bounds };
    let solution = solve(&problem, gram, tolerance);
    let mut weights = vec![0.0; signs.len()];
    for ((place, alpha), sign) in places.iter().zip(&solution.alphas).zip(&own_signs) {
        weights[*place] = alpha * sign;
    }
    // A fold that lost a class whole speaks for the other.
    let offset = if solution.offset.is_finite() { solution.offset } else { -own_signs.first().copied().unwrap_or(0.0) };
    Fitted { weights, offset }
}

/// Fits numbers with the epsilon-insensitive loss.
pub fn numbers(settings: Settings, rows: &Rows, outcome: &[f64], weights: Option<&[f64]>) -> Kernel {
    let n = rows.n_rows;
    let gram = Gram::new(rows, settings.function);
    // Two variables per row: how far it pulls up, and how far down.
    let places: Vec<usize> = (0..n).chain(0..n).collect();
    let signs: Vec<f64> = (0..2 * n).map(|t| if t < n { 1.0 } else { -1.0 }).collect();
    let linear: Vec<f64> =
        outcome.iter().map(|y| settings.epsilon - y).chain(outcome.iter().map(|y| settings.epsilon + y)).collect();
    let bounds: Vec<f64> = places.iter().map(|row| settings.c * weights.map_or(1.0, |weights| weights[*row])).collect();
    let problem = Problem { rows: &places, signs: &signs, linear: &linear, bounds: &bounds };
    let solution = solve(&problem, &gram, settings.tolerance);
    let weights = (0..n).map(|row| solution.alphas[row] - solution.alphas[n + row]).collect();
    let fitted = Fitted { weights, offset: solution.offset };
    let members: Vec<usize> = (0..n).collect();
    let mut vectors = Vectors::new(settings.function, rows);
    let machine = vectors.machine(&members, &fitted);
    Kernel { function: settings.function, vectors: vectors.kept, answer: Answer::Number(machine) }
}

/// The training rows that machines need, each once.
struct Vectors<'a> {
    function: Function,
    rows: &'a Rows,
    kept: Rows,
    places: Vec<Option<u32>>,
}

impl<'a> Vectors<'a> {
    fn new(function: Function, rows: &'a Rows) -> Self {
        let kept = Rows { n_rows: 0, n_columns: rows.n_columns, values: Vec::new() };
        Vectors { function, rows, kept, places: vec![None; rows.n_rows] }
    }

    fn keep(&mut self, row: &[f64]) -> u32 {
        self.kept.values.extend_from_slice(row);
        self.kept.n_rows += 1;
        code(self.kept.n_rows - 1)
    }

    fn machine(&mut self, members: &[usize], fitted: &Fitted) -> Machine {
        let rows = self.rows;
        let supporting = members.iter().zip(&fitted.weights).filter(|(_, weight)| **weight != 0.0);
        match self.function {
            Function::Linear => {
                let mut sum = vec![0.0; rows.n_columns];
                supporting.for_each(|(row, weight)| add_scaled(&mut sum, *weight, rows.row(*row)));
                Machine { vectors: vec![self.keep(&sum)], weights: vec![1.0], offset: fitted.offset }
            }
            Function::Rbf { .. } => {
                let (mut vectors, mut weights) = (Vec::new(), Vec::new());
                for (row, weight) in supporting {
                    let place = match self.places[*row] {
                        Some(place) => place,
                        None => self.keep(rows.row(*row)),
                    };
                    self.places[*row] = Some(place);
                    vectors.push(place);
                    weights.push(*weight);
                }
                Machine { vectors, weights, offset: fitted.offset }
            }
        }
    }
}
