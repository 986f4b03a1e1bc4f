//! Trains networks: Adam over shuffled batches, until the loss (or the score of rows kept aside) stops to improve.
//!
//! Starting weights, batches, penalty and the rules for stopping are scikit-learn's; the random numbers are our own, so
//! that results are alike and not equal. One thread does it all: the bytes depend on the seed alone.

use crate::ml::linear::Link;
use crate::ml::matrix::Outcome;
use crate::ml::network::product::{product, transposed};
use crate::ml::network::{Activation, Layer, Network};
use crate::ml::random::Random;
use crate::ml::rows::{Rows, real};

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub hidden: Vec<usize>,
    pub activation: Activation,
    /// The strength of the L2 penalty.
    pub alpha: f64,
    pub learning_rate: f64,
    /// Rows per step, at least 1.
    pub batch_size: usize,
    pub max_epochs: u32,
    /// What counts as an improvement.
    pub tolerance: f64,
    /// Epochs without one after which it ends.
    pub patience: u32,
    /// The share of rows kept aside to judge by, if any.
    pub validation: Option<f64>,
    pub seed: u64,
}

/// Fits classes or numbers.
pub fn fit(settings: &Settings, rows: &Rows, outcome: Outcome, weights: Option<&[f64]>) -> Network {
    let mut random = Random::new(settings.seed, 0);
    let mut network = start(settings, rows.n_columns, outcome, &mut random);
    let mut order: Vec<usize> = (0..rows.n_rows).collect();
    let mut aside = Vec::new();
    if let Some(share) = settings.validation {
        random.shuffle(&mut order);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let n_aside = ((real(order.len()) * share).ceil() as usize).clamp(1, order.len().saturating_sub(1).max(1));
        aside = order.split_off(order.len() - n_aside);
    }
    let judged = rows.select(&aside);
    let mut adam = Adam::new(&network, settings.learning_rate);
    let mut best = f64::INFINITY;
    let mut best_network = None;
    let mut n_without = 0;
    for _ in 0..settings.max_epochs {
        random.shuffle(&mut order);
        let mut total = 0.0;
        for batch in order.chunks(settings.batch_size.max(1)) {
            let (loss, slopes) = gradient(&network, &rows.select(batch), batch, outcome, weights, settings.alpha);
            total += loss * real(batch.len());
            adam.step(&mut network, &slopes);
        }
        let now = match settings.validation {
            None => total / real(order.len()),
            Some(_) => shortfall(&network, &judged, &aside, outcome),
        };
        if !now.is_finite() {
            break;
        }
        n_without = if now > best - settings.tolerance { n_without + 1 } else { 0 };
        if now < best {
            best = now;
            best_network = settings.validation.map(|_| network.clone());
        }
        if n_without > settings.patience {
            break;
        }
    }
    best_network.unwrap_or(network)
}

/// Weights by Glorot and Bengio (2010): uniform within a bound by the layer's widths.
fn start(settings: &Settings, n_features: usize, outcome: Outcome, random: &mut Random) -> Network {
    let (n_outputs, link) = match outcome {
        Outcome::Number(_) => (1, Link::Identity),
        Outcome::Class { n_classes: 2, .. } => (1, Link::Logistic),
        Outcome::Class { n_classes, .. } => (n_classes, Link::Softmax),
    };
    let factor = if settings.activation == Activation::Logistic { 2.0 } else { 6.0 };
    let widths = [&[n_features], settings.hidden.as_slice(), &[n_outputs]].concat();
    let layers = widths
        .windows(2)
        .map(|pair| {
            let bound = (factor / real(pair[0] + pair[1])).sqrt();
            let mut drawn = |n: usize| (0..n).map(|_| (2.0 * random.unit() - 1.0) * bound).collect::<Vec<f64>>();
            let weights = Rows { n_rows: pair[0], n_columns: pair[1], values: drawn(pair[0] * pair[1]) };
            Layer { weights, offsets: drawn(pair[1]) }
        })
        .collect();
    Network { activation: settings.activation, layers, link }
}

/// The mean loss of a batch, and its gradient layer by layer.
fn gradient(
    network: &Network,
    inputs: &Rows,
    batch: &[usize],
    outcome: Outcome,
    weights: Option<&[f64]>,
    alpha: f64,
) -> (f64, Vec<Layer>) {
    let outputs = network.forward(inputs);
    let n = real(batch.len());
    let mut slopes = outputs.last().expect("a network has a layer").clone();
    let width = slopes.n_columns;
    let mut loss = 0.0;
    for (row, i) in slopes.values.chunks_exact_mut(width).zip(batch) {
        let weight = weights.map_or(1.0, |weights| weights[*i]);
        loss += weight * residuals(row, *i, outcome);
        for slope in row.iter_mut() {
            *slope *= weight;
        }
    }
    let mut layers = Vec::with_capacity(network.layers.len());
    for (depth, layer) in network.layers.iter().enumerate().rev() {
        let own = if depth == 0 { inputs } else { &outputs[depth - 1] };
        let mut change = product(&transposed(own), &slopes);
        for (change, weight) in change.values.iter_mut().zip(&layer.weights.values) {
            *change = (*change + alpha * weight) / n;
            loss += 0.5 * alpha * weight * weight;
        }
        let mut offsets = vec![0.0; layer.offsets.len()];
        for row in slopes.iter() {
            offsets.iter_mut().zip(row).for_each(|(offset, slope)| *offset += slope / n);
        }
        if depth > 0 {
            slopes = product(&slopes, &transposed(&layer.weights));
            network.activation.derive(&mut slopes.values, &own.values);
        }
        layers.push(Layer { weights: change, offsets });
    }
    layers.reverse();
    (loss / n, layers)
}

/// The loss of one row; turns its outputs into what they should be less of.
fn residuals(row: &mut [f64], i: usize, outcome: Outcome) -> f64 {
    match outcome {
        Outcome::Number(numbers) => {
            row[0] -= numbers[i];
            0.5 * row[0] * row[0]
        }
        Outcome::Class { codes, n_classes: 2 } => {
            let second = codes[i] == 1;
            let own = if second { row[0] } else { 1.0 - row[0] };
            row[0] -= f64::from(u8::from(second));
            -own.max(f64::EPSILON).ln()
        }
        Outcome::Class { codes, .. } => {
            let own = row[codes[i] as usize];
            row[codes[i] as usize] -= 1.0;
            -own.max(f64::EPSILON).ln()
        }
    }
}

/// One less the accuracy of rows kept aside, or their squared error as a share of their variance.
fn shortfall(network: &Network, rows: &Rows, aside: &[usize], outcome: Outcome) -> f64 {
    let outputs = network.forward(rows).pop().expect("a network has a layer");
    match outcome {
        Outcome::Number(numbers) => {
            let mean = aside.iter().map(|i| numbers[*i]).sum::<f64>() / real(aside.len());
            let variance: f64 = aside.iter().map(|i| (numbers[*i] - mean).powi(2)).sum();
            let error: f64 = aside.iter().zip(&outputs.values).map(|(i, y)| (numbers[*i] - y).powi(2)).sum();
            error / variance.max(f64::MIN_POSITIVE)
        }
        Outcome::Class { codes, .. } => {
            let wrong = aside.iter().zip(outputs.iter()).filter(|(i, row)| {
                let class = match row {
                    [second] => usize::from(*second > 0.5),
                    _ => crate::ml::rows::greatest(row),
                };
                class != codes[**i] as usize
            });
            real(wrong.count()) / real(aside.len())
        }
    }
}

/// Adam (Kingma and Ba 2015).
struct Adam {
    learning_rate: f64,
    n_steps: i32,
    /// First and second moments, layer by layer, weights then offsets.
    moments: Vec<(Vec<f64>, Vec<f64>)>,
}

const BETA: (f64, f64) = (0.9, 0.999);

impl Adam {
    fn new(network: &Network, learning_rate: f64) -> Self {
        let moments = network
            .layers
            .iter()
            .flat_map(|layer| [layer.weights.values.len(), layer.offsets.len()])
            .map(|n| (vec![0.0; n], vec![0.0; n]))
            .collect();
        Adam { learning_rate, n_steps: 0, moments }
    }

    fn step(&mut self, network: &mut Network, slopes: &[Layer]) {
        self.n_steps += 1;
        let rate = self.learning_rate * (1.0 - BETA.1.powi(self.n_steps)).sqrt() / (1.0 - BETA.0.powi(self.n_steps));
        let parameters = network.layers.iter_mut().flat_map(|layer| [&mut layer.weights.values, &mut layer.offsets]);
        let slopes = slopes.iter().flat_map(|layer| [&layer.weights.values, &layer.offsets]);
        for ((values, slopes), (first, second)) in parameters.zip(slopes).zip(&mut self.moments) {
            for (((value, slope), m), v) in values.iter_mut().zip(slopes).zip(first).zip(second) {
                *m = BETA.0 * *m + (1.0 - BETA.0) * slope;
                *v = BETA.1 * *v + (1.0 - BETA.1) * slope * slope;
                *value -= rate * *m / (v.sqrt() + 1e-8);
            }
        }
    }
}
