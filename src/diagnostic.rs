//! What medc tells a user about what the user wrote or has.
//!
//! Every stage takes `&mut Diagnostics` and reports into it; a [`Diagnostic`] carries a [`Code`], the [`Site`]s that it
//! speaks of and what to do. Sites are addresses (source and JSON pointer), never offsets: `source` turns them into
//! lines and columns when `report` renders. [`Reported`] proves that an error was pushed, so a stage that returns
//! `Err(Reported)` cannot have failed in silence. Pure data; nothing here reads, prints or formats for a terminal.

use std::fmt;
use std::ops::Range;

use indexmap::IndexSet;

mod codes;

pub use codes::{ALL as ALL_CODES, Code, page};

/// The code constants, e.g. `code::UNKNOWN_TABLE`.
pub mod code {
    pub use super::codes::constants::*;
}

/// A file that was read, by its order of reading. Its path and text are in `source::Sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// Which part of the node at a site is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// The value itself.
    Value,
    /// The key in front of the value.
    Key,
    /// Bytes of a string value as medc sees it (after unescaping, folding and dedenting), e.g. a column inside SQL.
    Text(Range<usize>),
}

/// An address in a source: the file, a JSON pointer (RFC 6901) into it, and the part of that node.
///
/// For a plain text file (SQL) the pointer is empty and the part is `Text`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Site {
    pub source: SourceId,
    pub pointer: String,
    pub part: Part,
}

impl Site {
    /// The whole document of a source.
    pub fn root(source: SourceId) -> Self {
        Site { source, pointer: String::new(), part: Part::Value }
    }

    /// The member `key` of the mapping at this site.
    pub fn member(&self, key: &str) -> Self {
        Site { source: self.source, pointer: join_pointer(&self.pointer, key), part: Part::Value }
    }

    /// The element `index` of the sequence at this site.
    pub fn element(&self, index: usize) -> Self {
        Site { source: self.source, pointer: format!("{}/{index}", self.pointer), part: Part::Value }
    }

    /// The node that `relative` (a JSON pointer) leads to from here.
    pub fn descend(&self, relative: &str) -> Self {
        Site { source: self.source, pointer: format!("{}{relative}", self.pointer), part: Part::Value }
    }

    /// The key in front of this value.
    pub fn key(mut self) -> Self {
        self.part = Part::Key;
        self
    }

    /// Bytes `range` of the string value here.
    pub fn text(mut self, range: Range<usize>) -> Self {
        self.part = Part::Text(range);
        self
    }
}

/// Appends one reference token to a JSON pointer, escaping `~` and `/` (RFC 6901 section 3).
pub fn join_pointer(pointer: &str, token: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + token.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for character in token.chars() {
        match character {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// Splits a JSON pointer into its unescaped reference tokens.
pub fn pointer_tokens(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"))
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// A place and what it has to do with the matter. The first label of a diagnostic is where the error is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    pub site: Site,
    /// Empty when the message says it all.
    pub text: String,
}

/// One finding: what, where, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// One lower-case phrase with names in backticks.
    pub message: String,
    /// The first is the primary place; empty for findings without one (a missing project file, a disk error).
    pub labels: Vec<Label>,
    /// Why, where that is not obvious.
    pub note: Option<String>,
    /// What to do, imperative and concrete.
    pub help: Option<String>,
    /// What, put in place of the primary label's span, removes the error.
    pub fix: Option<Fix>,
}

/// A replacement for a span.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fix {
    /// Another value or key; it is quoted as the one that it replaces.
    Value(String),
    /// Text of the file as it stands.
    Source(String),
}

impl Fix {
    pub fn value(text: impl Into<String>) -> Self {
        Fix::Value(text.into())
    }

    /// The replacement, before any quoting.
    pub fn text(&self) -> &str {
        match self {
            Fix::Value(text) | Fix::Source(text) => text,
        }
    }
}

impl Diagnostic {
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            note: None,
            help: None,
            fix: None,
        }
    }

    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// Adds a place; the first one added is the primary.
    pub fn at(mut self, site: Site, text: impl Into<String>) -> Self {
        self.labels.push(Label { site, text: text.into() });
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Another value or key for the primary span.
    pub fn fix(mut self, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix::Value(replacement.into()));
        self
    }

    /// Text of the file for the primary span, e.g. a value with its quotes.
    pub fn fix_source(mut self, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix::Source(replacement.into()));
        self
    }
}

/// Proof that an error is in some [`Diagnostics`]. Only [`Diagnostics`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported(());

/// The findings so far, in the order in which they were reported; the same finding twice is kept once.
#[derive(Debug, Default)]
pub struct Diagnostics {
    reported: IndexSet<Diagnostic>,
    n_errors: usize,
}

impl Diagnostics {
    pub fn new() -> Self {
        Self::default()
    }

    /// Records an error (or a warning, which proves nothing and is counted as none).
    pub fn error(&mut self, diagnostic: Diagnostic) -> Reported {
        debug_assert_eq!(diagnostic.severity, Severity::Error, "a warning cannot stop a stage");
        self.push(diagnostic);
        Reported(())
    }

    /// Records a finding that stops nothing.
    pub fn warn(&mut self, diagnostic: Diagnostic) {
        debug_assert_eq!(diagnostic.severity, Severity::Warning, "use `error` for errors");
        self.push(diagnostic);
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        let is_error = diagnostic.severity == Severity::Error;
        if self.reported.insert(diagnostic) && is_error {
            self.n_errors += 1;
        }
    }

    pub fn n_errors(&self) -> usize {
        self.n_errors
    }

    pub fn n_warnings(&self) -> usize {
        self.reported.len() - self.n_errors
    }

    pub fn is_empty(&self) -> bool {
        self.reported.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.reported.iter()
    }

    /// `Err` if any error was recorded: a stage calls it last, after having reported all it could find.
    ///
    /// # Errors
    /// The token, when there are errors.
    pub fn stop_on_error(&self) -> Result<(), Reported> {
        if self.n_errors > 0 { Err(Reported(())) } else { Ok(()) }
    }

    /// Moves another stage's findings in, keeping their order.
    pub fn extend(&mut self, other: Diagnostics) {
        for diagnostic in other.reported {
            self.push(diagnostic);
        }
    }
}
