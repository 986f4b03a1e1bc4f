//! Trainers: what can be asked to learn, one file each, and how it is written in a project file.
//!
//! A trainer is its parameters, with scikit-learn's meaning and defaults. It is written as a name, `knn`, or as a mapping
//! with that one key, `knn: {k: 7}`. In: a [`Matrix`], an [`Outcome`], weights and a seed. Out: an [`Estimator`]. What a
//! trainer cannot do with these is an [`Unfit`].

pub mod decision_tree;
pub mod extra_trees;
pub mod gradient_boosting;
pub mod knn;
pub mod last_value;
pub mod lasso;
pub mod linear_regression;
pub mod logistic_regression;
pub mod majority;
pub mod mean;
pub mod mlp;
pub mod naive_bayes;
pub mod random_forest;
pub mod ridge;
pub mod svm;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::ml::constant::Constant;
use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trees::{boosting, forest};

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    Classification,
    Regression,
}

/// In which form a trainer wants its features, unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Diet {
    /// As they are, missing values and categories too: it splits by order or by sets.
    Raw,
    /// Numbers without gaps on one scale: it adds or measures distances.
    Scaled,
}

/// A trainer with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Trainer {
    RandomForest(forest::RandomForest),
    GradientBoosting(boosting::GradientBoosting),
    ExtraTrees(forest::ExtraTrees),
    DecisionTree(forest::DecisionTree),
    LogisticRegression(logistic_regression::LogisticRegression),
    LinearRegression(linear_regression::LinearRegression),
    Ridge(ridge::Ridge),
    Lasso(lasso::Lasso),
    Svm(svm::Svm),
    Knn(knn::Knn),
    NaiveBayes(naive_bayes::NaiveBayes),
    Mlp(mlp::Mlp),
    Majority(majority::Majority),
    Mean(mean::Mean),
    LastValue(last_value::LastValue),
}

/// What every trainer answers for itself.
pub(crate) trait Kind {
    fn name(&self) -> &'static str;

    fn does(&self, task: Task) -> bool;

    fn diet(&self) -> Diet;

    /// The parameters that are outside their ranges.
    fn faults(&self) -> Vec<Fault>;

    /// Fits rows that were checked: at least one, no gap where the diet allows none, a task it does, two classes or more.
    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Result<Estimator, Unfit>;
}

/// A parameter that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub parameter: &'static str,
    /// What it must be.
    pub must: &'static str,
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    NoRows,
    NoFeatures,
    /// The trainer does the other task only.
    Task {
        trainer: &'static str,
        task: Task,
    },
    /// A feature has a missing or infinite value, which this trainer does not take.
    Gap {
        trainer: &'static str,
    },
    /// An outcome or a weight is not a finite number, or no weight is above 0.
    Outcome,
    Parameter {
        trainer: &'static str,
        fault: Fault,
    },
    /// The search for parameters left the range of numbers.
    Diverged {
        trainer: &'static str,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NoRows => formatter.write_str("there are no rows to learn from"),
            Unfit::NoFeatures => formatter.write_str("there are no features to learn from"),
            Unfit::Task { trainer, task: Task::Classification } => {
                write!(formatter, "`{trainer}` predicts numbers only")
            }
            Unfit::Task { trainer, task: Task::Regression } => write!(formatter, "`{trainer}` predicts classes only"),
            Unfit::Gap { trainer } => write!(formatter, "`{trainer}` takes no missing values"),
            Unfit::Outcome => formatter.write_str("an outcome or a weight is no finite number"),
            Unfit::Parameter { trainer, fault } => {
                write!(formatter, "`{}` of `{trainer}` must be {}", fault.parameter, fault.must)
            }
            Unfit::Diverged { trainer } => write!(formatter, "the training of `{trainer}` diverged"),
        }
    }
}

impl std::error::Error for Unfit {}

impl Trainer {
    fn kind(&self) -> &dyn Kind {
        match self {
            Trainer::RandomForest(own) => own,
            Trainer::GradientBoosting(own) => own,
            Trainer::ExtraTrees(own) => own,
            Trainer::DecisionTree(own) => own,
            Trainer::LogisticRegression(own) => own,
            Trainer::LinearRegression(own) => own,
            Trainer::Ridge(own) => own,
            Trainer::Lasso(own) => own,
            Trainer::Svm(own) => own,
            Trainer::Knn(own) => own,
            Trainer::NaiveBayes(own) => own,
            Trainer::Mlp(own) => own,
            Trainer::Majority(own) => own,
            Trainer::Mean(own) => own,
            Trainer::LastValue(own) => own,
        }
    }

    /// As written in a project file.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Whether it can do this task.
    pub fn does(&self, task: Task) -> bool {
        self.kind().does(task)
    }

    /// The form of features that it wants.
    pub fn diet(&self) -> Diet {
        self.kind().diet()
    }

    /// The parameters that are outside their ranges.
    pub fn faults(&self) -> Vec<Fault> {
        self.kind().faults()
    }

    /// Learns. `weights` say how much each row counts. Where the rows have one class only, the answer is that class.
    ///
    /// # Errors
    /// What this trainer cannot do with these rows.
    pub fn fit(
        &self,
        matrix: &Matrix,
        outcome: Outcome,
        weights: Option<&[f64]>,
        seed: u64,
    ) -> Result<Estimator, Unfit> {
        let trainer = self.name();
        if let Some(fault) = self.faults().into_iter().next() {
            return Err(Unfit::Parameter { trainer, fault });
        }
        if matrix.n_rows == 0 {
            return Err(Unfit::NoRows);
        }
        let sound = |values: &[f64]| values.iter().all(|value| value.is_finite());
        if weights.is_some_and(|weights| !sound(weights) || !weights.iter().any(|weight| *weight > 0.0)) {
            return Err(Unfit::Outcome);
        }
        let task = match outcome {
            Outcome::Class { .. } => Task::Classification,
            Outcome::Number(numbers) if !sound(numbers) => return Err(Unfit::Outcome),
            Outcome::Number(_) => Task::Regression,
        };
        if !self.does(task) {
            return Err(Unfit::Task { trainer, task });
        }
        let baseline = matches!(self, Trainer::Majority(_) | Trainer::Mean(_) | Trainer::LastValue(_));
        if !baseline && matrix.columns.is_empty() {
            return Err(Unfit::NoFeatures);
        }
        if !baseline && self.diet() == Diet::Scaled && !matrix.columns.iter().all(|column| sound(column)) {
            return Err(Unfit::Gap { trainer });
        }
        if let Outcome::Class { codes, n_classes } = outcome
            && !baseline
            && codes.windows(2).all(|pair| pair[0] == pair[1])
        {
            return Ok(Estimator::Constant(Constant::shares(codes, n_classes, weights)));
        }
        self.kind().fit(matrix, outcome, weights, seed)
    }

    /// The same trainer with some parameters set to other values.
    ///
    /// # Errors
    /// What serde says of a name or value that is not a parameter's.
    pub fn with(&self, parameters: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut written = serde_json::to_value(self)?;
        if let Some(body) = written.get_mut(self.name()).and_then(Value::as_object_mut) {
            body.extend(parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        serde_json::from_value(written)
    }
}

impl Serialize for Trainer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Trainer::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Trainer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = match Value::deserialize(deserializer)? {
            Value::String(name) => Value::Object(Map::from_iter([(name, Value::Object(Map::new()))])),
            other => other,
        };
        Trainer::deserialize(written).map_err(D::Error::custom)
    }
}

impl JsonSchema for Trainer {
    fn schema_name() -> Cow<'static, str> {
        "Trainer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bodies: [(&str, Schema); 15] = [
            ("random_forest", generator.subschema_for::<forest::RandomForest>()),
            ("gradient_boosting", generator.subschema_for::<boosting::GradientBoosting>()),
            ("extra_trees", generator.subschema_for::<forest::ExtraTrees>()),
            ("decision_tree", generator.subschema_for::<forest::DecisionTree>()),
            ("logistic_regression", generator.subschema_for::<logistic_regression::LogisticRegression>()),
            ("linear_regression", generator.subschema_for::<linear_regression::LinearRegression>()),
            ("ridge", generator.subschema_for::<ridge::Ridge>()),
            ("lasso", generator.subschema_for::<lasso::Lasso>()),
            ("svm", generator.subschema_for::<svm::Svm>()),
            ("knn", generator.subschema_for::<knn::Knn>()),
            ("naive_bayes", generator.subschema_for::<naive_bayes::NaiveBayes>()),
            ("mlp", generator.subschema_for::<mlp::Mlp>()),
            ("majority", generator.subschema_for::<majority::Majority>()),
            ("mean", generator.subschema_for::<mean::Mean>()),
            ("last_value", generator.subschema_for::<last_value::LastValue>()),
        ];
        let names: Vec<&str> = bodies.iter().map(|(name, _)| *name).collect();
        let properties: Map<String, Value> =
            bodies.into_iter().map(|(name, body)| (name.to_owned(), body.to_value())).collect();
        json_schema!({
            "description": "What learns: a name, or a mapping with that one key and its parameters.",
            "oneOf": [
                {"type": "string", "enum": names},
                {
                    "type": "object",
                    "properties": properties,
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        })
    }
}

/// The fault, if the value is not above 0.
fn positive(parameter: &'static str, value: f64) -> Option<Fault> {
    (!(value > 0.0 && value.is_finite())).then_some(Fault { parameter, must: "above 0" })
}

/// The fault, if the count is 0.
fn counted(parameter: &'static str, value: usize) -> Option<Fault> {
    (value == 0).then_some(Fault { parameter, must: "at least 1" })
}

/// Codes and number of classes; a trainer of classes is asked for nothing else.
fn classes(outcome: Outcome<'_>) -> (&[u32], usize) {
    match outcome {
        Outcome::Class { codes, n_classes } => (codes, n_classes),
        Outcome::Number(_) => unreachable!("the task was checked"),
    }
}

/// Numbers; a trainer of numbers is asked for nothing else.
fn numbers(outcome: Outcome<'_>) -> &[f64] {
    match outcome {
        Outcome::Number(numbers) => numbers,
        Outcome::Class { .. } => unreachable!("the task was checked"),
    }
}
