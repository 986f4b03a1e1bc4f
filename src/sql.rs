//! Databricks SQL on DataFusion: parsing, typing, lineage, and the session that runs it.
//!
//! In: the author's text. Out: a parsed [`parse::Query`], what it reads ([`relations`]), and once the inputs' schemas are
//! known its columns, their types and where they come from ([`bind`]). The same session settings type a statement and
//! run it ([`session`]), so what was checked is what runs. Errors carry byte ranges of the text; nothing here knows of
//! sites, files or diagnostics' codes. A construct that would compute something else than on Spark is refused
//! ([`portability`]), never run with another meaning.

pub mod bind;
pub mod determination;
pub(crate) mod blame;
mod avg;
mod dialect;
mod doubles;
pub mod expression;
mod json;
pub mod lineage;
mod keywords;
pub mod literals;
mod locate;
mod operators;
pub mod parse;
mod parts;
pub mod portability;
mod percentile;
mod position;
mod relations;
pub mod rename;
pub mod session;
pub mod row_condition;
mod spans;
mod spelling;
mod sum;
#[cfg(test)]
mod tests;
pub mod types;
pub mod zone;
