//! What runs or writes down a checked project.

pub mod databricks;
pub mod local;
