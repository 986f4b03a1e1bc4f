//! From the tape to the JSON value: scalars resolved, aliases expanded, merge keys merged, keys unique.
//!
//! In: a text. Out: its value, or every independent error in it. Aliases are copies in the value, so what they expand to
//! is counted before it is made: `MAX_NODES` values and `MAX_DEPTH` levels, reported at the outermost alias. A merge key
//! (`<<`) gives its mapping's members to those keys that are not written; earlier mappings of a list win.

use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::{Map, Value};

use super::scalar::{self, Refusal, Tag};
use super::tape::{self, Kind, Tape};
use super::{MAX_DEPTH, MAX_NODES, raw_site, syntax};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, SourceId, code};

/// Nobody reads more from one file, and finding a key's first occurrence takes time.
const MAX_PROBLEMS: usize = 100;

/// Composes a YAML or JSON text.
///
/// # Errors
/// `source::*`, other than those of reading the file.
pub(super) fn compose(text: &str, source: SourceId, diagnostics: &mut Diagnostics) -> Result<Value, Reported> {
    let tape = tape::read(text, source).map_err(|diagnostic| diagnostics.error(*diagnostic))?;
    let mut composing =
        Composing { text, tape: &tape, source, diagnostics, n_nodes: 0, n_problems: 0, alias: None, reported: None };
    let value = composing.value(0, 0)?;
    composing.reported.map_or(Ok(value), Err)
}

/// Whether a mapping's key is the merge key.
pub(super) fn is_merge(tape: &Tape, key: u32, text: &str) -> bool {
    match &tape.get(key).kind {
        Kind::Scalar { style: ScalarStyle::Plain, content } => content.text(text) == "<<",
        Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => false,
    }
}

/// A key as text; `None` if it is neither text nor an integer nor a boolean.
pub(super) fn key_text<'a>(tape: &'a Tape, key: u32, text: &'a str) -> Option<&'a str> {
    let node = tape.get(tape.resolve(key));
    let Kind::Scalar { style, content } = &node.kind else { return None };
    let content = content.text(text);
    if *style != ScalarStyle::Plain {
        return Some(content);
    }
    match scalar::plain(content, node.tag) {
        Ok(Value::String(_) | Value::Bool(_)) => Some(content),
        Ok(Value::Number(number)) if !number.is_f64() => Some(content),
        _ => None,
    }
}

/// The mappings that a merge key's value names; `None` where it names something else.
pub(super) fn merged(tape: &Tape, value: u32) -> Vec<Option<u32>> {
    let mapping = |index: u32| {
        let target = tape.resolve(index);
        matches!(tape.get(target).kind, Kind::Mapping { .. }).then_some(target)
    };
    let target = tape.resolve(value);
    match tape.get(target).kind {
        Kind::Sequence { .. } => tape.children(target).map(mapping).collect(),
        Kind::Mapping { .. } | Kind::Scalar { .. } | Kind::Alias { .. } => vec![mapping(value)],
    }
}

struct Composing<'a> {
    text: &'a str,
    tape: &'a Tape,
    source: SourceId,
    diagnostics: &'a mut Diagnostics,
    n_nodes: usize,
    n_problems: usize,
    /// The outermost alias that is being expanded.
    alias: Option<Range<usize>>,
    reported: Option<Reported>,
}

impl Composing<'_> {
    /// The value of the node at `index`; `Err` only where going on would cost too much.
    fn value(&mut self, index: u32, depth: usize) -> Result<Value, Reported> {
        let (tape, text) = (self.tape, self.text);
        let node = tape.get(index);
        self.count(&node.range(), depth)?;
        match &node.kind {
            Kind::Scalar { style: ScalarStyle::Plain, content } => Ok(self.plain(index, content.text(text))),
            Kind::Scalar { content, .. } => {
                let content = content.text(text);
                match node.tag {
                    Tag::None | Tag::Str => Ok(Value::String(content.to_owned())),
                    Tag::Int | Tag::Float | Tag::Bool | Tag::Null | Tag::Map | Tag::Seq => {
                        Ok(self.plain(index, content))
                    }
                }
            }
            Kind::Sequence { .. } => {
                self.collection_tag(index, Tag::Seq);
                let mut values = Vec::new();
                for child in tape.children(index) {
                    values.push(self.value(child, depth + 1)?);
                }
                Ok(Value::Array(values))
            }
            Kind::Mapping { .. } => {
                self.collection_tag(index, Tag::Map);
                self.mapping(index, depth).map(Value::Object)
            }
            Kind::Alias { target } => {
                let is_outermost = self.alias.is_none();
                if is_outermost {
                    self.alias = Some(node.range());
                }
                let value = self.value(*target, depth)?;
                if is_outermost {
                    self.alias = None;
                }
                Ok(value)
            }
        }
    }

    fn mapping(&mut self, index: u32, depth: usize) -> Result<Map<String, Value>, Reported> {
        let (tape, text) = (self.tape, self.text);
        let mut map = Map::new();
        let mut merges: Option<(u32, u32)> = None;
        for (key, value) in tape.members(index) {
            if is_merge(tape, key, text) {
                if let Some((first, _)) = merges {
                    self.duplicate(key, first, "<<");
                }
                merges = Some((key, value));
                continue;
            }
            let Some(name) = key_text(tape, key, text) else {
                self.refuse_key(key);
                continue;
            };
            let value = self.value(value, depth + 1)?;
            if map.insert(name.to_owned(), value).is_some() {
                let first = tape.members(index).find(|(first, _)| key_text(tape, *first, text) == Some(name));
                self.duplicate(key, first.map_or(key, |(first, _)| first), name);
            }
        }
        if let Some((_, value)) = merges {
            self.merge(&mut map, value, depth)?;
        }
        Ok(map)
    }

    fn merge(&mut self, map: &mut Map<String, Value>, value: u32, depth: usize) -> Result<(), Reported> {
        let range = self.tape.get(value).range();
        let is_outermost = self.alias.is_none();
        if is_outermost {
            self.alias = Some(range.clone());
        }
        for mapping in merged(self.tape, value) {
            let Some(mapping) = mapping else {
                let problem = Diagnostic::error(code::UNSUPPORTED_VALUE, "`<<` takes a mapping or a list of mappings")
                    .at(raw_site(self.source, range.clone()), "")
                    .help("name an anchor on a mapping, e.g. `<<: *defaults`");
                self.report(problem);
                continue;
            };
            self.count(&range, depth)?;
            for (name, member) in self.mapping(mapping, depth)? {
                map.entry(name).or_insert(member);
            }
        }
        if is_outermost {
            self.alias = None;
        }
        Ok(())
    }

    fn count(&mut self, range: &Range<usize>, depth: usize) -> Result<(), Reported> {
        self.n_nodes += 1;
        if let (Some(reported), true) = (self.reported, self.n_problems >= MAX_PROBLEMS) {
            return Err(reported);
        }
        let range = self.alias.as_ref().unwrap_or(range);
        if depth > MAX_DEPTH {
            return Err(self.diagnostics.error(syntax::too_deep(self.source, range.clone())));
        }
        if self.n_nodes <= MAX_NODES {
            return Ok(());
        }
        let (message, help) = match self.alias {
            Some(_) => ("what the aliases stand for", "use fewer aliases of aliases"),
            None => ("the file", "split it into several files and `include` them"),
        };
        let message = format!("{message} makes more than {MAX_NODES} values");
        let site = raw_site(self.source, range.clone());
        Err(self.diagnostics.error(Diagnostic::error(code::TOO_LARGE, message).at(site, "too many here").help(help)))
    }

    fn plain(&mut self, index: u32, text: &str) -> Value {
        let node = self.tape.get(index);
        scalar::plain(text, node.tag).unwrap_or_else(|refusal| {
            let (message, help) = match refusal {
                Refusal::IntegerRange => ("an integer beyond 64 bits", "quote it if it is an identifier"),
                Refusal::FloatRange => ("a number beyond what a double holds", "quote it if it is text"),
                Refusal::NotFinite => ("infinity and NaN have no place in a project", "quote it if it is text"),
                Refusal::Tag => ("the value is not what its tag says", "correct the value or remove the tag"),
            };
            let problem = Diagnostic::error(code::UNSUPPORTED_VALUE, message)
                .at(raw_site(self.source, node.range()), "")
                .help(help);
            let is_quotable = refusal != Refusal::Tag && !node.range().is_empty();
            self.report(if is_quotable { problem.fix(format!("\"{text}\"")) } else { problem });
            Value::Null
        })
    }

    fn collection_tag(&mut self, index: u32, expected: Tag) {
        let node = self.tape.get(index);
        if node.tag != Tag::None && node.tag != expected && node.tag != Tag::Str {
            let problem = Diagnostic::error(code::UNSUPPORTED_VALUE, "the value is not what its tag says")
                .at(raw_site(self.source, node.range()), "")
                .help("remove the tag");
            self.report(problem);
        }
    }

    fn duplicate(&mut self, second: u32, first: u32, name: &str) {
        let site = |key: u32| raw_site(self.source, self.tape.get(key).range());
        let problem = Diagnostic::error(code::DUPLICATE_KEY, format!("the key `{name}` is here twice"))
            .at(site(second), "again here")
            .at(site(first), "first here")
            .help("remove one of them, or merge what they hold");
        self.report(problem);
    }

    fn refuse_key(&mut self, key: u32) {
        let range = self.tape.get(key).range();
        let is_template = self.text.get(range.start..).is_some_and(|rest| rest.starts_with('{'));
        let problem = match self.tape.get(self.tape.resolve(key)).kind {
            Kind::Scalar { .. } if range.is_empty() => {
                Diagnostic::error(code::UNSUPPORTED_VALUE, "a value without a key").help("write a key before the `:`")
            }
            Kind::Scalar { .. } => Diagnostic::error(code::UNSUPPORTED_VALUE, "a key must be text")
                .help("quote the key")
                .fix(format!("\"{}\"", self.text.get(range.clone()).unwrap_or_default())),
            Kind::Mapping { .. } if is_template => Diagnostic::error(code::UNSUPPORTED_VALUE, "a mapping as a key")
                .note("a text that begins with `{` is read as a mapping")
                .help("quote the text; variables are written `${var.name}`"),
            Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => {
                Diagnostic::error(code::UNSUPPORTED_VALUE, "a list or mapping as a key").help("write a text as the key")
            }
        };
        self.report(problem.at(raw_site(self.source, range), ""));
    }

    fn report(&mut self, problem: Diagnostic) {
        self.n_problems += 1;
        self.reported = Some(self.diagnostics.error(problem));
    }
}
