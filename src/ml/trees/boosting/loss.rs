//! What boosting lowers: losses, their gradients and where the scores start.
//!
//! Scores are row by row, one each or one a class. A response is a score after its link: what a gradient is computed from.

use crate::ml::matrix::Outcome;
use crate::ml::trees::form::{Link, real};
use crate::ml::trees::predict::{logistic, softmax};

/// A loss with what is to be learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target<'a> {
    /// The log loss of two classes.
    Binary(&'a [u32]),
    /// The log loss of more.
    Classes(&'a [u32], usize),
    Squared(&'a [f64]),
    Absolute(&'a [f64]),
    /// The pinball loss at this level.
    Quantile(&'a [f64], f64),
}

impl<'a> Target<'a> {
    pub(super) fn n_scores(self) -> usize {
        match self {
            Target::Classes(_, n_classes) => n_classes,
            Target::Binary(_) | Target::Squared(_) | Target::Absolute(_) | Target::Quantile(..) => 1,
        }
    }

    pub(super) fn link(self) -> Link {
        match self {
            Target::Binary(_) => Link::Logistic,
            Target::Classes(..) => Link::Softmax,
            Target::Squared(_) | Target::Absolute(_) | Target::Quantile(..) => Link::Identity,
        }
    }

    /// The classes, of which there are as many as said, or the numbers by this loss.
    pub(super) fn of_classes(outcome: Outcome<'a>) -> Result<Self, &'a [f64]> {
        match outcome {
            Outcome::Class { codes, n_classes: 2 } => Ok(Target::Binary(codes)),
            Outcome::Class { codes, n_classes } => Ok(Target::Classes(codes, n_classes)),
            Outcome::Number(numbers) => Err(numbers),
        }
    }

    /// The scores, the same for all rows, that have the least loss over these rows.
    pub(super) fn start(self, rows: &[u32], weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let total: f64 = rows.iter().map(|row| weight(*row as usize)).sum();
        let share = |codes: &[u32], class: u32| {
            let of_class: f64 =
                rows.iter().filter(|row| codes[**row as usize] == class).map(|row| weight(*row as usize)).sum();
            // A class without a row keeps a probability: its logarithm has to be a number.
            (of_class / total).clamp(1e-9, 1.0 - 1e-9)
        };
        match self {
            Target::Binary(codes) => {
                let second = share(codes, 1);
                vec![(second / (1.0 - second)).ln()]
            }
            Target::Classes(codes, n_classes) => (0..n_classes)
                .map(|class| share(codes, u32::try_from(class).expect("classes are counted in 32 bits")).ln())
                .collect(),
            Target::Squared(numbers) => {
                vec![rows.iter().map(|row| weight(*row as usize) * numbers[*row as usize]).sum::<f64>() / total]
            }
            Target::Absolute(numbers) => {
                vec![quantile(rows.iter().map(|row| (numbers[*row as usize], weight(*row as usize))).collect(), 0.5)]
            }
            Target::Quantile(numbers, level) => {
                vec![quantile(rows.iter().map(|row| (numbers[*row as usize], weight(*row as usize))).collect(), level)]
            }
        }
    }

    /// Turns a row's scores into responses, in place.
    pub(super) fn respond(self, scores: &mut [f64]) {
        match self {
            Target::Binary(_) => scores[0] = logistic(scores[0]),
            Target::Classes(..) => softmax(scores),
            Target::Squared(_) | Target::Absolute(_) | Target::Quantile(..) => {}
        }
    }

    /// The derivative of the loss by this score, and how steep it is.
    pub(super) fn gradient(self, row: usize, score: usize, response: f64) -> (f64, f64) {
        match self {
            Target::Binary(codes) => (response - f64::from(codes[row]), response * (1.0 - response)),
            Target::Classes(codes, _) => {
                let is_class = f64::from(u8::from(codes[row] as usize == score));
                (response - is_class, response * (1.0 - response))
            }
            Target::Squared(numbers) => (response - numbers[row], 1.0),
            Target::Absolute(numbers) => (if response >= numbers[row] { 1.0 } else { -1.0 }, 1.0),
            Target::Quantile(numbers, level) => (if response >= numbers[row] { 1.0 - level } else { -level }, 1.0),
        }
    }

    /// The level of the quantile that a leaf takes of what its rows lack, where the gradient says too little.
    pub(super) fn renewal(self) -> Option<(&'a [f64], f64)> {
        match self {
            Target::Absolute(numbers) => Some((numbers, 0.5)),
            Target::Quantile(numbers, level) => Some((numbers, level)),
            Target::Binary(_) | Target::Classes(..) | Target::Squared(_) => None,
        }
    }

    /// The loss of a row with these responses.
    pub(super) fn loss(self, row: usize, responses: &[f64]) -> f64 {
        let log_loss = |probability: f64| -probability.max(1e-15).ln();
        match self {
            Target::Binary(codes) => log_loss(if codes[row] == 1 { responses[0] } else { 1.0 - responses[0] }),
            Target::Classes(codes, _) => log_loss(responses[codes[row] as usize]),
            Target::Squared(numbers) => (responses[0] - numbers[row]).powi(2),
            Target::Absolute(numbers) => (responses[0] - numbers[row]).abs(),
            Target::Quantile(numbers, level) => {
                let lack = numbers[row] - responses[0];
                if lack > 0.0 { level * lack } else { (level - 1.0) * lack }
            }
        }
    }
}

/// The weighted quantile of these values with their weights: interpolated between the two next to it if all weigh the same
/// (Hyndman and Fan 1996, definition 7), else the least value up to which the level's share of the weight lies.
pub(super) fn quantile(mut values: Vec<(f64, f64)>, level: f64) -> f64 {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let Some(last) = values.last() else { return 0.0 };
    if values.iter().all(|(_, weight)| weight.to_bits() == last.1.to_bits()) {
        let place = level * real(values.len() - 1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the values")]
        let below = place as usize;
        let above = (below + 1).min(values.len() - 1);
        return values[below].0 + (place - real(below)) * (values[above].0 - values[below].0);
    }
    let wanted = level * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut held = 0.0;
    let reached = values.iter().find(|(_, weight)| {
        held += weight;
        held >= wanted
    });
    reached.map_or(last.0, |(value, _)| *value)
}
