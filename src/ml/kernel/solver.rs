//! The quadratic programme of a support vector machine, by sequential minimal optimisation.
//!
//! It minimises `½ aᵀQa + pᵀa` with `0 ≤ a ≤ C` and `yᵀa = 0`, where `Q` is the kernel times the signs `y`. Pairs are chosen
//! by second order information (Fan, Chen and Lin 2005), as in libsvm; without shrinking.

use crate::ml::kernel::gram::Gram;

/// The variables; slices of one length.
pub(super) struct Problem<'a> {
    /// The gram row of each variable.
    pub(super) rows: &'a [usize],
    /// 1 or -1.
    pub(super) signs: &'a [f64],
    pub(super) linear: &'a [f64],
    pub(super) bounds: &'a [f64],
}

pub(super) struct Solution {
    pub(super) alphas: Vec<f64>,
    pub(super) offset: f64,
}

const TINY: f64 = 1e-12;

/// Solves until no pair violates optimality by more than `tolerance`.
pub(super) fn solve(problem: &Problem, gram: &Gram, tolerance: f64) -> Solution {
    let n = problem.rows.len();
    let mut alphas = vec![0.0; n];
    // The gradient times the sign: of this alone the search speaks.
    let mut slopes: Vec<f64> = problem.linear.iter().zip(problem.signs).map(|(p, y)| p * y).collect();
    let diagonal: Vec<f64> = problem.rows.iter().map(|row| gram.diagonal(*row)).collect();
    let may_rise = |alphas: &[f64], t: usize| {
        if problem.signs[t] > 0.0 { alphas[t] < problem.bounds[t] } else { alphas[t] > 0.0 }
    };
    let may_fall = |alphas: &[f64], t: usize| {
        if problem.signs[t] > 0.0 { alphas[t] > 0.0 } else { alphas[t] < problem.bounds[t] }
    };
    for _ in 0..(100 * n).max(10_000_000) {
        let mut steepest = f64::NEG_INFINITY;
        let mut first = None;
        for (t, slope) in slopes.iter().enumerate() {
            if -slope >= steepest && may_rise(&alphas, t) {
                steepest = -slope;
                first = Some(t);
            }
        }
        let Some(i) = first else { break };
        let row_i = gram.row(problem.rows[i]);
        let mut lowest = f64::NEG_INFINITY;
        let mut best = 0.0;
        let mut second = None;
        for t in 0..n {
            if !may_fall(&alphas, t) {
                continue;
            }
            lowest = lowest.max(slopes[t]);
            let violation = steepest + slopes[t];
            if violation > 0.0 {
                let curvature = diagonal[i] + diagonal[t] - 2.0 * f64::from(row_i[problem.rows[t]]);
                let gain = violation * violation / curvature.max(TINY);
                if gain >= best {
                    best = gain;
                    second = Some(t);
                }
            }
        }
        let Some(j) = second else { break };
        if steepest + lowest < tolerance {
            break;
        }
        let row_j = gram.row(problem.rows[j]);
        let curvature = (diagonal[i] + diagonal[j] - 2.0 * f64::from(row_i[problem.rows[j]])).max(TINY);
        let step = (steepest + slopes[j]) / curvature;
        let (rise, fall) = moved(problem, &mut alphas, (i, j), step);
        for (slope, row) in slopes.iter_mut().zip(problem.rows) {
            *slope += rise * f64::from(row_i[*row]) + fall * f64::from(row_j[*row]);
        }
    }
    let offset = offset(problem, &alphas, &slopes);
    Solution { alphas, offset }
}

/// Moves two variables along the constraint as far as their bounds allow; gives the changes times their signs.
#[expect(clippy::float_cmp, reason = "the length is one of the three, not near it")]
fn moved(problem: &Problem, alphas: &mut [f64], (i, j): (usize, usize), step: f64) -> (f64, f64) {
    // The signed values: `i` rises and `j` falls by the same.
    let room = |t: usize, rises: bool| {
        if (problem.signs[t] > 0.0) == rises { problem.bounds[t] - alphas[t] } else { alphas[t] }
    };
    let (room_i, room_j) = (room(i, true), room(j, false));
    let length = step.min(room_i).min(room_j);
    // A variable that reaches its bound is set to it, not to something near.
    let put = |alphas: &mut [f64], t: usize, change: f64, whole: bool| {
        alphas[t] = match (whole, change > 0.0) {
            (true, true) => problem.bounds[t],
            (true, false) => 0.0,
            (false, _) => alphas[t] + change,
        };
    };
    put(alphas, i, problem.signs[i] * length, length == room_i);
    put(alphas, j, -problem.signs[j] * length, length == room_j);
    (length, -length)
}

/// The offset by the free variables' slopes, or between the bounds that the others set.
fn offset(problem: &Problem, alphas: &[f64], slopes: &[f64]) -> f64 {
    let (mut sum, mut n_free) = (0.0, 0u32);
    let (mut upper, mut lower) = (f64::INFINITY, f64::NEG_INFINITY);
    for (t, slope) in slopes.iter().enumerate() {
        let positive = problem.signs[t] > 0.0;
        if alphas[t] >= problem.bounds[t] {
            if positive { lower = lower.max(*slope) } else { upper = upper.min(*slope) }
        } else if alphas[t] <= 0.0 {
            if positive { upper = upper.min(*slope) } else { lower = lower.max(*slope) }
        } else {
            sum += slope;
            n_free += 1;
        }
    }
    if n_free > 0 { sum / f64::from(n_free) } else { 0.5 * (upper + lower) }
}
