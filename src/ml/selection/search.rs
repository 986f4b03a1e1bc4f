//! Candidates from ranges of parameters: all combinations, some drawn at random, or many of which the worse drop out early.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::ml::random::Random;
use crate::ml::rows::real;
use crate::ml::selection::{Cancelled, Candidate, Examples, Trial, Validated, Watch, cross_validate};
use crate::ml::trainers::Trainer;

/// A search over a trainer's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Which combinations are tried. Default: grid.
    #[serde(default)]
    pub method: Method,
    /// How many combinations random and halving draw. Default: 20.
    #[serde(default = "twenty")]
    pub trials: usize,
    /// Values by parameter. Example: `{trees: [100, 300], learning_rate: {between: [0.01, 0.3], scale: log}}`.
    pub parameters: IndexMap<String, Choice>,
}

fn twenty() -> usize {
    20
}

/// Which combinations are tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Method {
    /// All combinations of listed values.
    #[default]
    Grid,
    /// `trials` combinations drawn by the seed.
    Random,
    /// `trials` combinations on a part of the rows; the better third goes on with three times as many, until all rows
    /// are used: a budget of about one training on all rows per round.
    Halving,
}

/// The values that a parameter may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Choice {
    Values(Vec<Value>),
    Range(Range),
}

/// Numbers between two bounds. For random and halving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Range {
    /// The least and the greatest. If both are whole numbers, so are the values.
    pub between: (Number, Number),
    /// How values are spread. Default: linear.
    #[serde(default)]
    pub scale: Spread,
}

/// How drawn values are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Spread {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly by orders of magnitude; the bounds are above 0.
    Log,
}

/// A search that cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsearchable {
    /// A grid needs listed values.
    RangeInGrid { parameter: String },
    /// No values, or bounds in the wrong order or at or below 0 on a log scale.
    Empty { parameter: String },
    /// What serde says of a combination that the trainer does not take.
    Parameters(String),
    /// The grid has more combinations than this.
    TooMany(usize),
}

const MOST: usize = 10_000;

impl fmt::Display for Unsearchable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsearchable::RangeInGrid { parameter } => {
                write!(formatter, "`{parameter}` is a range, and a grid needs listed values")
            }
            Unsearchable::Empty { parameter } => write!(formatter, "`{parameter}` has no value to try"),
            Unsearchable::Parameters(error) => formatter.write_str(error),
            Unsearchable::TooMany(most) => write!(formatter, "the grid has more than {most} combinations"),
        }
    }
}

impl std::error::Error for Unsearchable {}

impl Search {
    /// The trainers to try, each once.
    ///
    /// # Errors
    /// A range that is none, or a parameter that the trainer does not have.
    pub fn trainers(&self, trainer: &Trainer, seed: u64) -> Result<Vec<Trainer>, Unsearchable> {
        if let Some((parameter, _)) = self.parameters.iter().find(|(_, choice)| choice.is_empty()) {
            return Err(Unsearchable::Empty { parameter: parameter.clone() });
        }
        let combinations = match self.method {
            Method::Grid => self.grid()?,
            Method::Random | Method::Halving => {
                let mut random = Random::new(seed, 0);
                let mut draw = || -> Map<String, Value> {
                    self.parameters.iter().map(|(name, choice)| (name.clone(), choice.draw(&mut random))).collect()
                };
                (0..self.trials.max(1)).map(|_| draw()).collect()
            }
        };
        let mut trainers = Vec::with_capacity(combinations.len());
        for combination in combinations {
            let trainer = trainer.with(&combination).map_err(|error| Unsearchable::Parameters(error.to_string()))?;
            if !trainers.contains(&trainer) {
                trainers.push(trainer);
            }
        }
        Ok(trainers)
    }

    fn grid(&self) -> Result<Vec<Map<String, Value>>, Unsearchable> {
        let mut combinations = vec![Map::new()];
        for (name, choice) in &self.parameters {
            let Choice::Values(values) = choice else {
                return Err(Unsearchable::RangeInGrid { parameter: name.clone() });
            };
            if combinations.len() * values.len() > MOST {
                return Err(Unsearchable::TooMany(MOST));
            }
            let with = |combination: &Map<String, Value>, value: &Value| {
                let mut longer = combination.clone();
                longer.insert(name.clone(), value.clone());
                longer
            };
            combinations = combinations
                .iter()
                .flat_map(|combination| values.iter().map(move |value| with(combination, value)))
                .collect();
        }
        Ok(combinations)
    }
}

impl Choice {
    fn is_empty(&self) -> bool {
        match self {
            Choice::Values(values) => values.is_empty(),
            Choice::Range(Range { between: (low, high), scale }) => {
                let (Some(low), Some(high)) = (low.as_f64(), high.as_f64()) else { return true };
                low > high || (*scale == Spread::Log && low <= 0.0)
            }
        }
    }

    fn draw(&self, random: &mut Random) -> Value {
        match self {
            Choice::Values(values) => {
                let place = usize::try_from(random.below(values.len() as u64)).expect("below a length");
                values[place].clone()
            }
            Choice::Range(range) => range.draw(random),
        }
    }
}

impl Range {
    fn draw(&self, random: &mut Random) -> Value {
        let (low, high) = &self.between;
        let whole = low.as_i64().zip(high.as_i64());
        let bounds = (low.as_f64().unwrap_or(0.0), high.as_f64().unwrap_or(0.0));
        // A whole number stands for the half on either side, so that the bounds are as likely as the others.
        let (low, high) = if whole.is_some() { (bounds.0 - 0.5, bounds.1 + 0.5) } else { bounds };
        let share = random.unit();
        let value = match self.scale {
            Spread::Linear => low + share * (high - low),
            Spread::Log => {
                let low = if low > 0.0 { low } else { bounds.0 };
                (low.ln() + share * (high.ln() - low.ln())).exp()
            }
        };
        match whole {
            #[expect(clippy::cast_possible_truncation, reason = "between two whole numbers")]
            Some((low, high)) => Value::from((value.round() as i64).clamp(low, high)),
            None => Value::from(value),
        }
    }
}

/// The candidates that halving keeps to the end, with how they did on all rows: places in `candidates`, best first.
///
/// # Errors
/// When it was cancelled.
pub fn halve(
    candidates: &[Candidate],
    examples: Examples,
    trial: Trial,
    watch: Watch,
) -> Result<Vec<(usize, Validated)>, Cancelled> {
    const FACTOR: usize = 3;
    let higher = trial.metrics.first().is_none_or(|metric| metric.higher_is_better());
    let all = trial.folds.iter().map(|fold| fold.train.len()).max().unwrap_or(0);
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    let n_rounds = {
        let (mut left, mut n_rounds) = (places.len(), 0u32);
        while left > 1 {
            left = left.div_ceil(FACTOR);
            n_rounds += 1;
        }
        n_rounds
    };
    for round in 0..=n_rounds {
        let parts = FACTOR.pow(n_rounds - round);
        let most_rows = (parts > 1).then(|| (all / parts).max(20));
        let running: Vec<Candidate> = places.iter().map(|place| candidates[*place].clone()).collect();
        let validated = cross_validate(&running, examples, Trial { most_rows, ..trial }, watch)?;
        let mut ranked: Vec<(usize, Validated)> = places.iter().copied().zip(validated).collect();
        let value = |validated: &Validated| {
            let mean = validated.mean(0).filter(|mean| !mean.is_nan());
            mean.map_or(f64::NEG_INFINITY, |mean| if higher { mean } else { -mean })
        };
        ranked.sort_by(|a, b| value(&b.1).total_cmp(&value(&a.1)).then(a.0.cmp(&b.0)));
        if round == n_rounds {
            return Ok(ranked);
        }
        places = ranked.iter().take(places.len().div_ceil(FACTOR)).map(|(place, _)| *place).collect();
    }
    unreachable!("the last round returns");
}

/// How many trainings on all rows a search costs, by fold: for a plan to show.
pub fn cost(method: Method, n_candidates: usize) -> f64 {
    match method {
        Method::Grid | Method::Random => real(n_candidates),
        Method::Halving => {
            let (mut left, mut n_rounds) = (n_candidates, 0);
            while left > 1 {
                left = left.div_ceil(3);
                n_rounds += 1;
            }
            let mut left = real(n_candidates);
            (0..=n_rounds)
                .map(|round| {
                    let spent = left / 3f64.powi(n_rounds - round);
                    left = (left / 3.0).ceil();
                    spent
                })
                .sum()
        }
    }
}
