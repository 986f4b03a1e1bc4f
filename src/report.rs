//! Diagnostics for people and machines.
//!
//! In: [`Diagnostics`] and the [`Sources`] that they speak of. Out: a text in one of five forms: [`human`] with the lines
//! of the files, [`short`] with one line each, [`json`] (stable, `format_version`), [`github`] annotations, [`sarif`].
//! All keep the order in which the stages reported, and say the same thing at the same place once, also when an alias
//! brought it there several times. Pure; the caller writes. Only lines of spec files are shown, never values of variables.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Part};
use crate::source::{Location, Source, Sources};

mod excerpt;
mod human;
mod machine;

pub use human::human;
pub use machine::{github, json, sarif, short};

/// How reports for people look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// Lines and arrows as box characters rather than ASCII.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// How many errors and warnings there are, e.g. `2 errors, 1 warning`; empty when there are none.
pub fn summary(diagnostics: &Diagnostics) -> String {
    let count = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let counts = [count(diagnostics.n_errors(), "error"), count(diagnostics.n_warnings(), "warning")];
    counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A diagnostic and where its labels are. The first place is the primary one.
struct Located<'a> {
    diagnostic: &'a Diagnostic,
    places: Vec<Place<'a>>,
}

struct Place<'a> {
    source: &'a Source,
    location: Location,
    text: &'a str,
}

/// Each finding once: two with the same words at the same places are one to a reader.
fn located<'a>(diagnostics: &'a Diagnostics, sources: &'a Sources) -> Vec<Located<'a>> {
    let mut seen = BTreeSet::new();
    let located = diagnostics.iter().map(|diagnostic| {
        let places = diagnostic.labels.iter().filter_map(|label| {
            let location = sources.locate(&label.site)?;
            Some(Place { source: sources.get(label.site.source), location, text: &label.text })
        });
        Located { diagnostic, places: places.collect() }
    });
    located
        .filter(|located| {
            let places: Vec<_> = located.places.iter().map(Place::key).collect();
            seen.insert((located.diagnostic.code, located.diagnostic.message.clone(), places))
        })
        .collect()
}

impl Located<'_> {
    /// The fix as text of the file: a value is quoted as the one that it replaces.
    fn fix(&self) -> Option<String> {
        let value = match self.diagnostic.fix.as_ref()? {
            Fix::Source(text) => return Some(text.clone()),
            Fix::Value(value) => value,
        };
        let place = self.places.first()?;
        let written = place.source.text.get(place.location.range.clone()).unwrap_or_default();
        let inside = self.diagnostic.labels.first().is_some_and(|label| matches!(label.site.part, Part::Text(_)));
        let quoted = match written.chars().next() {
            _ if inside => value.clone(),
            Some('"') => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
            Some('\'') => format!("'{}'", value.replace('\'', "''")),
            // Within `[…]` and `{…}` these would end the text.
            _ if value.contains("${") => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
            _ => value.clone(),
        };
        Some(quoted)
    }
}

impl Place<'_> {
    fn key(&self) -> (String, usize, usize, String) {
        (self.source.name.clone(), self.location.range.start, self.location.range.end, self.text.to_owned())
    }
}

#[cfg(test)]
mod tests;
