//! Probabilities from the sums of support vector machines.
//!
//! The sigmoid is fitted by Newton's method with the targets of Platt (2000) as corrected by Lin, Lin and Weng (2007); the
//! coupling of pairs is the second method of Wu, Lin and Weng (2004). Both are what libsvm does.

use crate::ml::rows::real;

/// `1 / (1 + e^(slope × sum + shift))` without overflow.
pub(crate) fn sigmoid(sum: f64, slope: f64, shift: f64) -> f64 {
    crate::ml::linear::logistic(-(slope * sum + shift))
}

/// Slope and shift for sums of rows that are (`true`) or are not of the first class.
pub(crate) fn fit_sigmoid(sums: &[f64], first: &[bool]) -> (f64, f64) {
    let n_first = real(first.iter().filter(|first| **first).count());
    let n_second = real(first.len()) - n_first;
    let high = (n_first + 1.0) / (n_first + 2.0);
    let low = 1.0 / (n_second + 2.0);
    let targets: Vec<f64> = first.iter().map(|first| if *first { high } else { low }).collect();
    let loss = |slope: f64, shift: f64| -> f64 {
        sums.iter()
            .zip(&targets)
            .map(|(sum, target)| {
                let x = sum * slope + shift;
                if x >= 0.0 { target * x + (-x).exp().ln_1p() } else { (target - 1.0) * x + x.exp().ln_1p() }
            })
            .sum()
    };
    let (mut slope, mut shift) = (0.0, ((n_second + 1.0) / (n_first + 1.0)).ln());
    let mut value = loss(slope, shift);
    for _ in 0..100 {
        // Gradient and Hessian, with a ridge of 1e-12.
        let (mut h11, mut h22, mut h21, mut g1, mut g2) = (1e-12, 1e-12, 0.0, 0.0, 0.0);
        for (sum, target) in sums.iter().zip(&targets) {
            let p = sigmoid(*sum, slope, shift);
            let d2 = p * (1.0 - p);
            h11 += sum * sum * d2;
            h22 += d2;
            h21 += sum * d2;
            let d1 = target - p;
            g1 += sum * d1;
            g2 += d1;
        }
        if g1.abs() < 1e-5 && g2.abs() < 1e-5 {
            break;
        }
        let determinant = h11 * h22 - h21 * h21;
        let d_slope = -(h22 * g1 - h21 * g2) / determinant;
        let d_shift = -(-h21 * g1 + h11 * g2) / determinant;
        let descent = g1 * d_slope + g2 * d_shift;
        let mut step = 1.0;
        while step >= 1e-10 {
            let (next_slope, next_shift) = (slope + step * d_slope, shift + step * d_shift);
            let next = loss(next_slope, next_shift);
            if next < value + 1e-4 * step * descent {
                (slope, shift, value) = (next_slope, next_shift, next);
                break;
            }
            step /= 2.0;
        }
        if step < 1e-10 {
            break;
        }
    }
    (slope, shift)
}

/// One probability per class from those of each pair: `pairwise[i][j]` is that of `i` among `i` and `j`.
pub(super) fn couple(pairwise: &[Vec<f64>]) -> Vec<f64> {
    let n = pairwise.len();
    let mut q = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..n {
            if i != j {
                q[i][i] += pairwise[j][i] * pairwise[j][i];
                q[i][j] = -pairwise[j][i] * pairwise[i][j];
            }
        }
    }
    let mut p = vec![1.0 / real(n); n];
    let enough = 0.005 / real(n);
    for _ in 0..n.max(100) {
        let mut qp: Vec<f64> = q.iter().map(|row| crate::ml::rows::dot(row, &p)).collect();
        let mut pqp = crate::ml::rows::dot(&p, &qp);
        if qp.iter().all(|value| (value - pqp).abs() < enough) {
            break;
        }
        for t in 0..n {
            let change = (pqp - qp[t]) / q[t][t];
            p[t] += change;
            pqp = (pqp + change * (change * q[t][t] + 2.0 * qp[t])) / (1.0 + change) / (1.0 + change);
            for j in 0..n {
                qp[j] = (qp[j] + change * q[t][j]) / (1.0 + change);
                p[j] /= 1.0 + change;
            }
        }
    }
    p
}
