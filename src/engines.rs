//! What runs or writes down a checked project.

pub mod local;
