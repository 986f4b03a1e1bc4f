//! Learning: trainers, what they learn, and how it is judged.
//!
//! In: rows as numbers ([`Matrix`]) and what is to be learned ([`Outcome`]). Out: estimators that give the same bytes
//! for the same seed on any number of threads. Pure: no files, no clock, no randomness but the seed's.

pub mod bayes;
pub mod constant;
pub mod estimator;
pub mod features;
pub mod kernel;
pub mod linear;
pub mod matrix;
pub mod metrics;
mod minimise;
pub mod model;
pub mod neighbours;
pub mod network;
pub mod preprocessing;
pub mod random;
pub mod rows;
pub mod selection;
pub mod splits;
pub mod target;
pub mod trainers;
pub mod trees;

pub use matrix::{Matrix, Outcome};
