//! From sites to lines and columns.
//!
//! In: a source and a [`Site`]. Out: a [`Location`] in its text. A [`Layout`] is what has to be known of a text for that
//! (its nodes, line starts and character counts); it is made once per source, when the first site is asked for. A site
//! always has a location: a node that is not there (a missing key) is shown at its nearest ancestor, one that came from
//! an alias or a merge key where that stands.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::compose::{is_merge, key_text, merged};
use super::tape::{self, Kind, Tape};
use super::{Source, SourceKind, unquote};
use crate::diagnostic::{Part, Site, pointer_tokens};

/// A range of a text. Lines and columns count from 1; columns count characters, and the end is exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// Byte offsets in `Source::text`, on character boundaries.
    pub range: Range<usize>,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

/// Every how many bytes characters are counted ahead, so that a column in a line of 50 MB needs no long count.
const STRIDE: usize = 1024;

#[derive(Debug)]
pub(super) struct Layout {
    /// `None` for SQL and for what is not well-formed; such sources only have raw sites.
    tape: Option<Tape>,
    line_starts: Vec<usize>,
    /// Characters before byte `n * STRIDE`.
    n_characters: Vec<usize>,
}

/// A node and, in a mapping, its key.
struct Found {
    node: u32,
    key: Option<u32>,
}

impl Layout {
    pub(super) fn of(source: &Source) -> Self {
        let text = &source.text;
        let tape = match source.kind {
            SourceKind::Document => tape::read(text, crate::diagnostic::SourceId(0)).ok(),
            SourceKind::Text => None,
        };
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(newlines).collect();
        let mut n_characters = vec![0];
        let mut n = 0;
        for chunk in text.as_bytes().chunks(STRIDE) {
            n += count_characters(chunk);
            n_characters.push(n);
        }
        Layout { tape, line_starts, n_characters }
    }

    pub(super) fn locate(&self, source: &Source, site: &Site) -> Location {
        let text: &str = &source.text;
        let range = match (&self.tape, &site.part) {
            (None, Part::Text(range)) => range.clone(),
            (_, Part::Text(range)) if site.pointer.is_empty() => range.clone(),
            (None, Part::Value | Part::Key) => 0..first_line(text, 0, text.len()),
            (Some(tape), part) => match find(tape, text, &site.pointer) {
                (found, true) => part_range(tape, text, &found, part),
                (found, false) => part_range(tape, text, &found, &Part::Value),
            },
        };
        self.location(text, range)
    }

    fn location(&self, text: &str, range: Range<usize>) -> Location {
        let start = floor(text, range.start);
        let end = floor(text, range.end).max(start);
        let (line, column) = self.position(text, start);
        let (end_line, end_column) = self.position(text, end);
        Location { range: start..end, line, column, end_line, end_column }
    }

    fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        (line, self.characters_before(text, offset) - self.characters_before(text, start) + 1)
    }

    fn characters_before(&self, text: &str, offset: usize) -> usize {
        let stride = offset / STRIDE;
        let counted = self.n_characters.get(stride).copied().unwrap_or_default();
        counted + text.as_bytes().get(stride * STRIDE..offset).map_or(0, count_characters)
    }
}

/// All bytes that do not continue a character.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Follows a pointer as far as it leads; the flag says whether to its end.
fn find(tape: &Tape, text: &str, pointer: &str) -> (Found, bool) {
    let mut found = Found { node: 0, key: None };
    for token in pointer_tokens(pointer) {
        let next = match tape.get(found.node).kind {
            // What an alias stands for has other places; the alias is where this use of it is.
            Kind::Alias { .. } => return (Found { key: None, ..found }, true),
            Kind::Scalar { .. } => None,
            Kind::Sequence { .. } => {
                let index = token.parse().ok();
                index
                    .and_then(|index| tape.children(found.node).nth(index))
                    .map(|node| (Found { node, key: None }, true))
            }
            Kind::Mapping { .. } => member(tape, text, found.node, &token),
        };
        match next {
            Some((next, true)) => found = next,
            Some((merge, false)) => return (merge, true),
            None => return (found, false),
        }
    }
    (found, true)
}

/// A mapping's member, or (flag unset) the merge key that brings it.
fn member(tape: &Tape, text: &str, mapping: u32, name: &str) -> Option<(Found, bool)> {
    let mut merge = None;
    for (key, node) in tape.members(mapping) {
        if is_merge(tape, key, text) {
            merge = merge.or(Some((key, node)));
        } else if key_text(tape, key, text) == Some(name) {
            return Some((Found { node, key: Some(key) }, true));
        }
    }
    let (_, value) = merge?;
    let brings =
        |index: u32| merged(tape, index).into_iter().flatten().any(|from| has_member(tape, text, from, name, 0));
    // In a list of mappings, the one that brings it.
    let node = match tape.get(value).kind {
        Kind::Sequence { .. } => tape.children(value).find(|index| brings(*index))?,
        Kind::Scalar { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => brings(value).then_some(value)?,
    };
    match tape.get(node).kind {
        // Written in place (`<<: {a: 1}`): its own key can be shown.
        Kind::Mapping { .. } => member(tape, text, node, name),
        Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Alias { .. } => Some((Found { node, key: None }, false)),
    }
}

fn has_member(tape: &Tape, text: &str, mapping: u32, name: &str, depth: usize) -> bool {
    depth < super::MAX_DEPTH
        && tape.members(mapping).any(|(key, value)| {
            if is_merge(tape, key, text) {
                merged(tape, value).into_iter().flatten().any(|from| has_member(tape, text, from, name, depth + 1))
            } else {
                key_text(tape, key, text) == Some(name)
            }
        })
}

fn part_range(tape: &Tape, text: &str, found: &Found, part: &Part) -> Range<usize> {
    let key = found.key.map(|key| tape.get(key).range());
    let node = tape.get(found.node);
    let range = node.range();
    match (part, &node.kind) {
        (Part::Key, _) => key.unwrap_or_else(|| short(text, &range)),
        (Part::Text(within), Kind::Scalar { style, content }) => {
            let mapped = unquote::map(text, &range, *style, content.text(text), within);
            mapped.unwrap_or_else(|| scalar(text, range, *style))
        }
        (Part::Value, Kind::Scalar { style, .. }) if !range.is_empty() => scalar(text, range, *style),
        (Part::Value | Part::Text(_), Kind::Alias { .. }) => range,
        (Part::Value, Kind::Scalar { .. })
        | (Part::Value | Part::Text(_), Kind::Sequence { .. } | Kind::Mapping { .. }) => {
            key.unwrap_or_else(|| short(text, &range))
        }
    }
}

/// A scalar without the line ends that follow a block.
fn scalar(text: &str, range: Range<usize>, style: ScalarStyle) -> Range<usize> {
    match style {
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => range,
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let content = text.get(range.clone()).unwrap_or_default().trim_end();
            range.start..range.start + content.len()
        }
    }
}

/// The first line of a collection.
fn short(text: &str, range: &Range<usize>) -> Range<usize> {
    range.start..first_line(text, range.start, range.end.max(range.start))
}

/// Where the line at `start` ends, without blanks, at most at `end`.
fn first_line(text: &str, start: usize, end: usize) -> usize {
    let line = text.get(start..end).unwrap_or_default().lines().next().unwrap_or_default();
    start + line.trim_end().len()
}
