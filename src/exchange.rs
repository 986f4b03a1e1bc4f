//! Promises written in other tools' words, read as medc's own.
//!
//! In: documents of a dialect. Out: [`Imported`] expectations of the catalogue, each with the places in its own file that
//! its parts come from, so that what later stages find leads to what the author wrote. What medc does not know is an error
//! at its place; nothing is skipped in silence.

use crate::diagnostic::Site;
use crate::expectations::Expectation;

pub mod great_expectations;
pub mod odcs;

/// An expectation that was written in another dialect.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    pub expectation: Expectation,
    /// Where it is written.
    pub site: Site,
    /// Pointers into the long body, e.g. `/min`, with the site of what they were made from.
    pub places: Vec<(String, Site)>,
}

impl Imported {
    /// The site of a pointer into the expectation as medc has it, e.g. `/between/min`: that of the longest known prefix, and
    /// the whole expectation's for what it does not have itself.
    pub fn site(&self, pointer: &str) -> Site {
        let own = format!("/{}", self.expectation.kind());
        let inner = pointer.strip_prefix(own.as_str()).unwrap_or(pointer);
        let known = self.places.iter().filter_map(|(prefix, site)| {
            let rest = inner.strip_prefix(prefix.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((prefix.len(), site, rest))
        });
        match known.max_by_key(|(length, ..)| *length) {
            Some((_, site, rest)) => site.descend(rest),
            None => self.site.clone(),
        }
    }
}
