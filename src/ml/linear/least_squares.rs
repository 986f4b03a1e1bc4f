//! Linear and ridge regression in closed form.
//!
//! Features and outcome are centred by their weighted means, so that the intercept carries no penalty. Without a penalty
//! the coefficients come from a QR decomposition with column pivoting (Golub and Van Loan 2013, 5.4.2), which gives
//! columns that depend on others a coefficient of 0; with one from the Cholesky factor of the normal equations.

use crate::ml::linear::{Linear, Link};
use crate::ml::rows::{add_scaled, dot, real};

/// Centred columns, scaled by the square roots of the weights.
pub struct Centred {
    pub columns: Vec<Vec<f64>>,
    pub outcome: Vec<f64>,
    means: Vec<f64>,
    outcome_mean: f64,
}

/// Takes the weighted means away.
pub fn centre(columns: &[Vec<f64>], outcome: &[f64], weights: Option<&[f64]>) -> Centred {
    let total: f64 = weights.map_or(real(outcome.len()), |weights| weights.iter().sum());
    let mean = |column: &[f64]| match weights {
        None => column.iter().sum::<f64>() / total,
        Some(weights) => dot(column, weights) / total,
    };
    let centred = |column: &[f64], mean: f64| match weights {
        None => column.iter().map(|x| x - mean).collect(),
        Some(weights) => column.iter().zip(weights).map(|(x, weight)| (x - mean) * weight.sqrt()).collect(),
    };
    let means: Vec<f64> = columns.iter().map(|column| mean(column)).collect();
    let outcome_mean = mean(outcome);
    Centred {
        columns: columns.iter().zip(&means).map(|(column, mean)| centred(column, *mean)).collect(),
        outcome: centred(outcome, outcome_mean),
        means,
        outcome_mean,
    }
}

impl Centred {
    /// The model with these coefficients for the columns as they were.
    pub fn model(&self, coefficients: Vec<f64>) -> Linear {
        let intercept = self.outcome_mean - dot(&coefficients, &self.means);
        Linear { coefficients: vec![coefficients], intercepts: vec![intercept], link: Link::Identity }
    }
}

/// Least squares without a penalty.
pub fn ordinary(columns: &[Vec<f64>], outcome: &[f64], weights: Option<&[f64]>) -> Linear {
    let centred = centre(columns, outcome, weights);
    let coefficients = triangular_fit(centred.columns.clone(), centred.outcome.clone());
    centred.model(coefficients)
}

/// Least squares plus `penalty` times the sum of the squared coefficients; `penalty` is above 0.
pub fn ridge(columns: &[Vec<f64>], outcome: &[f64], weights: Option<&[f64]>, penalty: f64) -> Linear {
    let centred = centre(columns, outcome, weights);
    let n = columns.len();
    let mut normal = vec![vec![0.0; n]; n];
    for (i, row) in normal.iter_mut().enumerate() {
        for (value, column) in row.iter_mut().zip(&centred.columns[..=i]) {
            *value = dot(&centred.columns[i], column);
        }
        row[i] += penalty;
    }
    let right: Vec<f64> = centred.columns.iter().map(|column| dot(column, &centred.outcome)).collect();
    let coefficients = solve_positive(normal, right);
    centred.model(coefficients)
}

/// Householder QR of the columns with pivoting, then back substitution. Takes both apart.
fn triangular_fit(mut columns: Vec<Vec<f64>>, mut outcome: Vec<f64>) -> Vec<f64> {
    let n = columns.len();
    let n_rows = outcome.len();
    // Each column by its own scale: which one depends on others is a matter of angles, not of units.
    let lengths: Vec<f64> = columns.iter().map(|column| dot(column, column).sqrt()).collect();
    for (column, length) in columns.iter_mut().zip(&lengths) {
        if *length > 0.0 {
            for x in column.iter_mut() {
                *x /= length;
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    let mut rank = 0;
    for k in 0..n.min(n_rows) {
        let left = |column: &Vec<f64>| dot(&column[k..], &column[k..]);
        let (pivot, most) = (k..n)
            .map(|j| (j, left(&columns[j])))
            .fold((k, -1.0), |best, next| if next.1 > best.1 { next } else { best });
        if most.sqrt() <= 1e-12 * real(n_rows.max(n)).sqrt() {
            break;
        }
        columns.swap(k, pivot);
        order.swap(k, pivot);
        reflect(&mut columns, &mut outcome, k, most.sqrt());
        rank = k + 1;
    }
    let mut solved = vec![0.0; rank];
    for k in (0..rank).rev() {
        let known: f64 = (k + 1..rank).map(|j| columns[j][k] * solved[j]).sum();
        solved[k] = (outcome[k] - known) / columns[k][k];
    }
    let mut coefficients = vec![0.0; n];
    for (k, value) in solved.into_iter().enumerate() {
        coefficients[order[k]] = value / lengths[order[k]];
    }
    coefficients
}

/// Turns column `k` below its diagonal to zeros by a reflection, and all that follows with it.
fn reflect(columns: &mut [Vec<f64>], outcome: &mut [f64], k: usize, length: f64) {
    let (head, tail) = columns.split_at_mut(k + 1);
    let column = &mut head[k];
    let diagonal = if column[k] > 0.0 { -length } else { length };
    let mut normal = column[k..].to_vec();
    normal[0] -= diagonal;
    let square = dot(&normal, &normal);
    column[k..].fill(0.0);
    column[k] = diagonal;
    if square > 0.0 {
        for other in tail.iter_mut().map(Vec::as_mut_slice).chain([outcome]) {
            let factor = 2.0 * dot(&normal, &other[k..]) / square;
            add_scaled(&mut other[k..], -factor, &normal);
        }
    }
}

/// Solves a symmetric positive definite system, given by its lower half.
fn solve_positive(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let known = dot(&matrix[i][..j], &matrix[j][..j]);
            let value = matrix[i][j] - known;
            matrix[i][j] = if i == j { value.max(f64::MIN_POSITIVE).sqrt() } else { value / matrix[j][j] };
        }
    }
    for i in 0..n {
        right[i] = (right[i] - dot(&matrix[i][..i], &right[..i])) / matrix[i][i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| matrix[j][i] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_with_a_column_twice() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let z: Vec<f64> = x.iter().map(|x| (x * 1.7).sin()).collect();
        let y: Vec<f64> = x.iter().zip(&z).map(|(x, z)| 3.0 + 2.0 * x - z).collect();
        let model = ordinary(&[x.clone(), z.clone(), x.clone()], &y, None);
        let matrix =
            crate::ml::matrix::Matrix { n_rows: 20, columns: vec![x.clone(), z, x], categories: vec![None; 3] };
        assert!(model.predict(&matrix).iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}
