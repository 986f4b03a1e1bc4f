//! The tables' promises in other tools' words.
//!
//! In: `Checked`. Out: [`Exported`], files as texts and all that the dialect cannot say. Writes nothing to disk; the same
//! project gives the same bytes. Only core forms are read: a kind is known by its name and the arguments that its assertion
//! keeps for this.

use crate::diagnostic::Site;
use crate::name::TableName;

pub mod dbt;
pub mod dqx;
pub mod great_expectations;
pub mod json_schema;
pub mod odcs;
mod sentence;
mod sql;
pub(crate) mod yaml;

/// What was exported, and what was not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exported {
    pub files: Vec<File>,
    pub left_out: Vec<LeftOut>,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Relative to the folder that is exported to, with `/`.
    pub path: String,
    pub text: String,
}

/// A sentence that the dialect cannot say.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    pub table: TableName,
    /// What is left out, for people: an assertion's label in backticks, or a phrase.
    pub sentence: String,
    /// Why, as a phrase.
    pub reason: String,
    /// Where it is written.
    pub site: Site,
}
