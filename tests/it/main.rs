//! The integration tests: one binary, since each links DataFusion. A module a subject.

mod console;
mod contract_diff;
mod deployment;
mod databricks;
mod evolution;
mod examples;
mod expectations;
mod finance;
mod history;
mod iris;
mod mistakes;
mod odcs;
mod packaging;
mod pages;
mod pipeline;
mod plan_is_true;
mod plans;
mod project;
mod quality;
mod recovery;
mod report;
mod sales;
mod schemas;
mod statistics;
mod tidy;
mod types;
