//! Probabilities that mean what they say: a curve per class, fitted on predictions for rows that training had not seen.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::kernel::probability::{fit_sigmoid, sigmoid};
use crate::ml::metrics::ranking::column;
use crate::ml::rows::real;

/// A way to calibrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A sigmoid over the log-odds (Platt): two numbers, good for few rows.
    Sigmoid,
    /// A rising step function with lines between the steps: for a thousand rows and more.
    Isotonic,
}

/// One curve per class; with two classes the second's alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    Sigmoid(Vec<Sigmoid>),
    Isotonic(Vec<Isotonic>),
}

/// `1 / (1 + e^(slope × log-odds + shift))`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {
    pub slope: f64,
    pub shift: f64,
}

/// Lines between points, level beyond them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isotonic {
    /// Ascending.
    pub from: Vec<f64>,
    /// As many, never falling.
    pub to: Vec<f64>,
}

/// Fits curves to probabilities, `n_rows × n_classes`, of rows with these classes.
pub fn fit(method: Method, codes: &[u32], n_classes: usize, probabilities: &[f64]) -> Calibration {
    let classes = if n_classes == 2 { vec![1] } else { (0..n_classes).collect() };
    let of_class = |class: usize| {
        let truth: Vec<bool> = codes.iter().map(|code| *code as usize == class).collect();
        (column(probabilities, n_classes, class), truth)
    };
    match method {
        Method::Sigmoid => Calibration::Sigmoid(
            classes
                .into_par_iter()
                .map(|class| {
                    let (scores, truth) = of_class(class);
                    let odds: Vec<f64> = scores.into_iter().map(log_odds).collect();
                    let (slope, shift) = fit_sigmoid(&odds, &truth);
                    Sigmoid { slope, shift }
                })
                .collect(),
        ),
        Method::Isotonic => Calibration::Isotonic(
            classes
                .into_par_iter()
                .map(|class| {
                    let (scores, truth) = of_class(class);
                    Isotonic::fit(&scores, &truth)
                })
                .collect(),
        ),
    }
}

/// Kept within what 15 digits can tell from 0 and 1.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    (p / (1.0 - p)).ln()
}

impl Calibration {
    /// Puts other probabilities in their place, row by row; each row sums to one.
    pub fn apply(&self, probabilities: &mut [f64], n_classes: usize) {
        let curve = |place: usize, p: f64| match self {
            Calibration::Sigmoid(curves) => {
                curves.get(place).map_or(p, |curve| sigmoid(log_odds(p), curve.slope, curve.shift))
            }
            Calibration::Isotonic(curves) => curves.get(place).map_or(p, |curve| curve.at(p)),
        };
        for row in probabilities.chunks_exact_mut(n_classes.max(1)) {
            if let [first, second] = row {
                *second = curve(0, *second);
                *first = 1.0 - *second;
                continue;
            }
            for (place, p) in row.iter_mut().enumerate() {
                *p = curve(place, *p);
            }
            let sum: f64 = row.iter().sum();
            let n = real(row.len());
            for p in row.iter_mut() {
                *p = if sum > 0.0 { *p / sum } else { 1.0 / n };
            }
        }
    }
}

impl Isotonic {
    /// The nearest rising function by squares: neighbours that fall are pooled (Ayer and others 1955).
    fn fit(scores: &[f64], truth: &[bool]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        // Pools of rows: least and greatest score, sum and number of the positive.
        let mut pools: Vec<(f64, f64, f64, f64)> = Vec::new();
        for rows in order.chunk_by(|a, b| scores[*a].total_cmp(&scores[*b]).is_eq()) {
            let score = scores[rows[0]];
            let n_true = rows.iter().filter(|row| truth[**row]).count();
            let mut pool = (score, score, real(n_true), real(rows.len()));
            while let Some(last) = pools.pop_if(|last| last.2 / last.3 >= pool.2 / pool.3) {
                pool = (last.0, pool.1, last.2 + pool.2, last.3 + pool.3);
            }
            pools.push(pool);
        }
        let mut curve = Isotonic { from: Vec::new(), to: Vec::new() };
        for (least, greatest, n_true, n) in pools {
            curve.from.push(least);
            curve.to.push(n_true / n);
            if greatest > least {
                curve.from.push(greatest);
                curve.to.push(n_true / n);
            }
        }
        curve
    }

    fn at(&self, p: f64) -> f64 {
        let above = self.from.partition_point(|from| *from < p);
        let (Some(last), Some(first)) = (self.to.last(), self.to.first()) else { return p };
        if above == 0 {
            return *first;
        }
        let (Some(right), Some(to_right)) = (self.from.get(above), self.to.get(above)) else { return *last };
        let (left, to_left) = (self.from[above - 1], self.to[above - 1]);
        to_left + (to_right - to_left) * (p - left) / (right - left)
    }
}
