//! `medc` compiles a declarative medallion lakehouse and runs it. Each stage is a function from one type to the next:
//!
//! | # | entry | in → out |
//! |---|---|---|
//! | 1 | [`source::read`] | path → `Document` |
//! | 2 | [`schema::validate`] | `Document` → `ValidDocument` |
//! | 3 | [`project::load`] | documents → `Project` |
//! | 4 | [`resolve::resolve`] | `Project` + environment → `Resolved` |
//! | 5 | [`graph::build`] | `Resolved` → `Graph` |
//! | 6 | [`check::check`] | `Graph` → `Checked` |
//! | – | [`compatibility::compare`] | two times `Promises` → `Comparison` |
//! | 7 | [`plan::plan`] | `Checked` + `State` → `Plan` |
//! | 8 | [`engines::local::apply`] | `Plan` → `RunReport` and the tables |
//!
//! Imports point one way, from the first line below to the last; `tests/it/tidy.rs` holds that.

pub mod diagnostic;
pub mod source;
pub mod report;
pub mod name;
pub mod statistics;
pub mod ml;
pub mod ir;
pub mod sql;
pub mod kind;
pub mod connectors;
pub mod expectations;
pub mod steps;
pub mod spec;
pub mod exchange;
pub mod schema;
pub mod project;
pub mod resolve;
pub mod graph;
pub mod check;
pub mod export;
pub mod compatibility;
pub mod state;
pub mod plan;
pub mod engines;
pub mod cli;
