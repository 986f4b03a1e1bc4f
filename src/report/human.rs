//! Reports with the lines of the files, drawn by miette.
//!
//! A diagnostic's code is its title, its note the cause of its message, its fix part of its help. Labels in other files
//! than the primary one follow as related snippets, in the order of the labels.

use std::fmt;

use indexmap::IndexMap;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters, ThemeStyles};

use super::excerpt::{Excerpt, printable};
use super::{Located, Place, Style, located};
use crate::diagnostic::{Diagnostics, Severity};
use crate::source::Sources;

/// A fix that is longer than a line is not repeated in the help.
const MAX_FIX: usize = 80;

/// Draws all diagnostics; empty when there are none.
pub fn human(diagnostics: &Diagnostics, sources: &Sources, style: Style) -> String {
    let theme = GraphicalTheme {
        characters: if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(style.width.max(40));
    let mut reports = String::new();
    for located in located(diagnostics, sources) {
        for (index, drawing) in drawings(&located).into_iter().enumerate() {
            if index > 0 {
                reports.push('\n');
            }
            handler.render_report(&mut reports, &drawing).expect("a String takes all, and excerpts hold their places");
        }
        reports.push('\n');
    }
    reports
}

/// What miette draws: a diagnostic's places in one file.
#[derive(Default)]
struct Drawing {
    message: String,
    severity: Option<miette::Severity>,
    code: Option<String>,
    note: Option<Note>,
    help: Option<String>,
    excerpt: Option<Excerpt>,
    labels: Vec<LabeledSpan>,
}

/// The diagnostic with its primary file, then one drawing for each other file. miette's own related diagnostics are not
/// used: it gives each a heading of its own.
fn drawings(located: &Located<'_>) -> Vec<Drawing> {
    let diagnostic = located.diagnostic;
    let mut by_file: IndexMap<&str, Vec<&Place<'_>>> = IndexMap::new();
    for place in &located.places {
        by_file.entry(place.source.name.as_str()).or_default().push(place);
    }
    let mut files = by_file.into_values();
    let (excerpt, labels) = files.next().map(|places| snippet(&places, true)).unzip();
    let primary = Drawing {
        message: printable(&diagnostic.message),
        severity: Some(match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        }),
        code: Some(diagnostic.code.to_string()),
        note: diagnostic.note.as_deref().map(|note| Note(printable(note))),
        help: help(diagnostic.help.as_deref(), located.fix().as_deref()),
        excerpt,
        labels: labels.unwrap_or_default(),
    };
    std::iter::once(primary).chain(files.map(|places| related(&places))).collect()
}

fn related(places: &[&Place<'_>]) -> Drawing {
    let (excerpt, labels) = snippet(places, false);
    let text = places.iter().map(|place| place.text).find(|text| !text.is_empty()).unwrap_or("see also");
    Drawing {
        message: printable(text),
        severity: Some(miette::Severity::Advice),
        excerpt: Some(excerpt),
        labels,
        ..Drawing::default()
    }
}

fn snippet(places: &[&Place<'_>], is_primary: bool) -> (Excerpt, Vec<LabeledSpan>) {
    let (excerpt, spans) = Excerpt::of(places);
    let labels = spans.into_iter().zip(places).enumerate().map(|(index, (span, place))| {
        let text = (!place.text.is_empty()).then(|| printable(place.text));
        if is_primary && index == 0 {
            LabeledSpan::new_primary_with_span(text, span)
        } else {
            LabeledSpan::new_with_span(text, span)
        }
    });
    (excerpt, labels.collect())
}

fn help(help: Option<&str>, fix: Option<&str>) -> Option<String> {
    let is_worth_showing = |fix: &&str| !fix.trim().is_empty() && !fix.contains('\n') && fix.chars().count() <= MAX_FIX;
    let fix = fix.filter(is_worth_showing).filter(|fix| !help.is_some_and(|help| help.contains(*fix)));
    let written = fix.map(|fix| format!("write `{}`", fix.trim()));
    match (help, written) {
        (Some(help), Some(written)) => Some(printable(&format!("{help}\n{written}"))),
        (help, written) => help.map(printable).or(written.as_deref().map(printable)),
    }
}

/// miette draws the chain of causes under the message.
#[derive(Debug)]
struct Note(String);

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Note {}

impl fmt::Display for Drawing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl fmt::Debug for Drawing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Drawing {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.note.as_ref().map(|note| note as &(dyn std::error::Error + 'static))
    }
}

impl miette::Diagnostic for Drawing {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.severity
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}
