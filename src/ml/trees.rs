//! Decision trees, alone and in numbers: forests, extra trees and gradient boosting.
//!
//! In: a [`Matrix`](crate::ml::Matrix) in which NaN is a missing value and some columns are codes of categories, an
//! [`Outcome`](crate::ml::Outcome), weights, a seed. Out: one form, [`Trees`], whichever trainer made it; it predicts,
//! explains ([`shap`]) and is stored. The same seed gives the same bytes on any number of threads: a forest's tree is grown by
//! one thread from its own sequence of random numbers, and boosting adds up integers, whose sum has no order.
//!
//! Why not a crate: in November 2026 `smartcore` and `linfa` give labels without probabilities, `forust-ml` and `perpetual`
//! have no forests (the latter needs a nightly compiler), the bindings to `LightGBM` and `XGBoost` need C++ and libclang. `hessboost`
//! 0.4.6 is as fast as what is here and as reproducible, but narrows features to `f32`, is a hundred thousand lines by one
//! author in its first year, and has no trees with exact splits, so that the form, its predictions and values would be needed
//! all the same.

pub mod boosting;
mod exact;
pub mod forest;
mod form;
mod predict;
pub mod shap;
#[cfg(test)]
mod tests;

pub use form::{Combination, Link, Trees};
