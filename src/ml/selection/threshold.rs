//! From which probability on the answer is yes, chosen by predictions for rows that training had not seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::rows::real;

/// What the threshold is to bring about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// The greatest F1.
    F1,
    /// The most right answers.
    Accuracy,
    /// The greatest mean of the shares found of both classes.
    BalancedAccuracy,
    /// The greatest precision at which at least this share of the positive is found. Example: `{recall_at_least: 0.9}`.
    RecallAtLeast(f64),
    /// The greatest recall at which at least this share of the answers is right. Example: `{precision_at_least: 0.9}`.
    PrecisionAtLeast(f64),
}

/// The threshold that serves the aim best, of equally good ones the highest: rows with at least this probability are
/// called positive. None where no threshold serves it, or the rows are of one class.
pub fn choose(aim: Aim, truth: &[bool], probabilities: &[f64]) -> Option<f64> {
    let n_true = real(truth.iter().filter(|truth| **truth).count());
    let n_false = real(truth.len()) - n_true;
    if n_true == 0.0 || n_false == 0.0 {
        return None;
    }
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    let mut best: Option<(f64, f64)> = None;
    let (mut found, mut wrong) = (0.0, 0.0);
    for rows in order.chunk_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]).is_eq()) {
        let n_found = real(rows.iter().filter(|row| truth[**row]).count());
        found += n_found;
        wrong += real(rows.len()) - n_found;
        let (recall, precision) = (found / n_true, found / (found + wrong));
        let value = match aim {
            Aim::F1 => 2.0 * found / (found + wrong + n_true),
            Aim::Accuracy => found + n_false - wrong,
            Aim::BalancedAccuracy => recall + (n_false - wrong) / n_false,
            Aim::RecallAtLeast(least) if recall >= least => precision,
            Aim::PrecisionAtLeast(least) if precision >= least => recall,
            Aim::RecallAtLeast(_) | Aim::PrecisionAtLeast(_) => continue,
        };
        if best.is_none_or(|(known, _)| value > known) {
            best = Some((value, probabilities[rows[0]]));
        }
    }
    best.map(|(_, threshold)| threshold)
}
