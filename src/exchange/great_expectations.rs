//! Suites and checkpoints of Great Expectations, 0.x and 1.x, as they stand.
//!
//! In: a suite's document, the parameters' values and the project's tables. Out: [`Imported`] expectations, or errors at
//! their lines. What a type and its arguments mean follows the library's behaviour on pandas, versions 0.18 and 1.x;
//! where medc means something else is written down in `docs/great-expectations.md` and held by a parity test. Reads no file.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::Imported;
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::expectations::{Expectation, Options};
use crate::ir::{OnViolation, Severity};
use crate::kind::Problem;
use crate::name::{self, TableName};
use crate::source::Document;

mod arguments;
mod checkpoint;
mod condition;
mod parameters;
mod shape;
mod translate;
mod type_names;
mod vocabulary;

pub use checkpoint::{Validation, checkpoint};

/// What a suite is read with.
pub struct Binding<'a> {
    /// The table whose rows keep it.
    pub table: &'a TableName,
    /// All tables of the project.
    pub tables: &'a [TableName],
    /// What a violation leads to, whatever the suite says.
    pub on_violation: Option<OnViolation>,
    /// The columns that order the rows, for expectations that look at the row before.
    pub order_by: &'a [String],
    /// Values of `$PARAMETER`s, given with the suite's name.
    pub parameters: &'a IndexMap<String, Value>,
    /// The project's variables, which fill other parameters.
    pub variables: &'a BTreeMap<String, String>,
}

/// Reads the expectations of a suite.
///
/// # Errors
/// `schema::*` for what is no suite, `exchange::unknown-expectation`, `exchange::argument`, `exchange::parameter`; all of them.
pub fn suite(
    document: &Document,
    binding: &Binding<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<Imported>, Reported> {
    let site = Site::root(document.source);
    let suite = shape::suite(&document.value, &site, diagnostics)?;
    let known = parameters::Known { given: binding.parameters, variables: binding.variables, own: suite.parameters };
    let list = site.member("expectations");
    let mut imported = Vec::with_capacity(suite.expectations.len());
    let mut failed = None;
    for (index, written) in suite.expectations.iter().enumerate() {
        match entry(written, &list.element(index), &known, binding, diagnostics) {
            Ok(read) => imported.extend(read),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(imported), Err)
}

fn entry(
    written: &Value,
    site: &Site,
    known: &parameters::Known<'_>,
    binding: &Binding<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<Imported>, Reported> {
    let shape::Entry { type_key, type_name, kwargs, notes, severity } = shape::entry(written, site, diagnostics)?;
    let Some(word) = vocabulary::WORDS.iter().find(|word| word.name == type_name) else {
        return Err(diagnostics.error(unknown(&type_name, site.member(type_key))));
    };
    let kwargs_site = site.member("kwargs");
    let at = |problem: Problem| {
        // An unknown argument is wrong in its name, everything else in its value.
        let is_name = problem.code == code::EXCHANGE_UNKNOWN_ARGUMENT;
        problem.at(|pointer| {
            let site = kwargs_site.descend(pointer);
            if is_name { site.key() } else { site }
        })
    };
    let filled = parameters::fill(kwargs, known).map_err(|problems| {
        let reported = problems.into_iter().map(|problem| diagnostics.error(at(problem))).last();
        reported.expect("a failure has a problem")
    })?;
    let kwargs = filled.as_ref();
    let sentences = vocabulary::check(word, kwargs)
        .and_then(|()| translate::translate(word, kwargs, binding))
        .map_err(|problem| diagnostics.error(at(problem)))?;
    let options = options(word, kwargs, notes, severity, binding).map_err(|problem| diagnostics.error(at(problem)))?;
    let mut imported = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        let options = Options { column: sentence.column, ..options.clone() };
        let Some(expectation) = Expectation::new(sentence.kind, sentence.body, options) else {
            let message = format!("medc cannot check `{type_name}` yet");
            return Err(diagnostics.error(
                Diagnostic::error(code::EXCHANGE_UNKNOWN, message)
                    .at(site.member(type_key), "")
                    .help("remove it from the suite, or say it with `expression` or `query` in the table's `expect`"),
            ));
        };
        let of_options = [("/mostly", "/mostly"), ("/where", "/row_condition")];
        let own = sentence.places.iter().map(|(to, from)| (to.clone(), kwargs_site.descend(from)));
        let shared = of_options.iter().map(|(to, from)| ((*to).to_owned(), kwargs_site.descend(from)));
        imported.push(Imported { expectation, site: site.clone(), places: own.chain(shared).collect() });
    }
    Ok(imported)
}

fn unknown(type_name: &str, site: Site) -> Diagnostic {
    if let Some((_, why)) = vocabulary::WITHOUT_EQUAL.iter().find(|(name, _)| *name == type_name) {
        return Diagnostic::error(code::EXCHANGE_UNKNOWN, format!("medc has no equal of `{type_name}`"))
            .at(site, "")
            .note(*why)
            .help("remove it from the suite, or say it with `expression` or `query` in the table's `expect`");
    }
    let names = vocabulary::WORDS.iter().map(|word| word.name);
    let found =
        Diagnostic::error(code::EXCHANGE_UNKNOWN, format!("Great Expectations has no expectation `{type_name}`"))
            .at(site, "");
    match name::nearest(type_name, names) {
        Some(near) => found.help(format!("did you mean `{near}`?")).fix(near),
        None => found
            .help("docs/great-expectations.md lists those that medc knows; say others with `expression` or `query`"),
    }
}

/// What all expectations take, from where Great Expectations has it.
fn options(
    word: &vocabulary::Word,
    kwargs: &Map<String, Value>,
    notes: Option<String>,
    severity: Option<Severity>,
    binding: &Binding<'_>,
) -> Result<Options, Problem> {
    let asked = match binding.on_violation {
        Some(OnViolation::Drop | OnViolation::Quarantine) if !word.of_rows => Some(OnViolation::Fail),
        other => other,
    };
    let by_severity = match severity {
        Some(Severity::Warning | Severity::Info) => Some(OnViolation::Warn),
        Some(Severity::Critical) | None => None,
    };
    Ok(Options {
        on_violation: asked.or(by_severity),
        mostly: arguments::number(kwargs, "mostly")?.filter(|mostly| *mostly < 1.0),
        filter: condition::filter(word, kwargs)?,
        severity,
        description: notes,
        owner: None,
        column: None,
        group_by: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
