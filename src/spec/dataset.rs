//! The file of models' datasets, in the form that is in use with medallion pipelines and taken as it stands.

use schemars::JsonSchema;
use serde::Deserialize;

/// The datasets that models are trained on.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// One entry a model and version.
    pub models: Vec<Dataset>,
}

/// One version of a model's dataset: the table `<layer>.<model_name>_v<version>`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// The model's name: letters, digits and underscores.
    pub model_name: String,
    /// The dataset's version, from 1. Another definition needs another version.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// The table that it is cut from, `layer.name`.
    pub source_table: String,
    /// The columns that the model sees, in order.
    #[schemars(length(min = 1))]
    pub feature_columns: Vec<String>,
    /// The column that the model predicts.
    pub target_column: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
}
