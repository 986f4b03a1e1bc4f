//! YAML events as a flat list of nodes with byte ranges.
//!
//! In: a text. Out: a [`Tape`], the nodes in document order; a collection knows where its subtree ends, so walking needs
//! no recursion and stepping over a subtree is one jump. In a mapping, keys and values alternate. Aliases stay aliases
//! here. Nothing is resolved: scalars are texts, keys may repeat.
//!
//! Kept: at most `MAX_DEPTH` levels and two entries per allowed value, so a tape's memory is bounded whatever the file.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::scalar::Tag;
use super::{MAX_DEPTH, MAX_NODES, raw_site, syntax};
use crate::diagnostic::{Diagnostic, SourceId, code};

/// All nodes of one document; the first is the root.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Node {
    start: u32,
    end: u32,
    pub(super) tag: Tag,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        style: ScalarStyle,
        content: Content,
    },
    /// `next` is the first node after the subtree.
    Sequence {
        next: u32,
    },
    Mapping {
        next: u32,
    },
    Alias {
        target: u32,
    },
}

/// A scalar's text after unescaping.
#[derive(Debug)]
pub(super) enum Content {
    /// It stands in the file as it is.
    Slice(u32, u32),
    Owned(Box<str>),
}

impl Node {
    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Content {
    /// The text, given the file's.
    pub(super) fn text<'a>(&'a self, file: &'a str) -> &'a str {
        match self {
            Content::Slice(start, end) => file.get(*start as usize..*end as usize).unwrap_or_default(),
            Content::Owned(text) => text,
        }
    }
}

impl Tape {
    pub(super) fn get(&self, index: u32) -> &Node {
        self.nodes.get(index as usize).expect("indices come from the tape itself")
    }

    /// The index after the subtree at `index`.
    pub(super) fn after(&self, index: u32) -> u32 {
        match self.get(index).kind {
            Kind::Scalar { .. } | Kind::Alias { .. } => index + 1,
            Kind::Sequence { next } | Kind::Mapping { next } => next,
        }
    }

    /// The node that an alias stands for; any other node stands for itself.
    pub(super) fn resolve(&self, index: u32) -> u32 {
        match self.get(index).kind {
            Kind::Alias { target } => target,
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Mapping { .. } => index,
        }
    }

    /// The subtrees directly within the collection at `index`; none for other nodes.
    pub(super) fn children(&self, index: u32) -> impl Iterator<Item = u32> + '_ {
        let end = match self.get(index).kind {
            Kind::Sequence { next } | Kind::Mapping { next } => next,
            Kind::Scalar { .. } | Kind::Alias { .. } => 0,
        };
        let in_bounds = move |child: u32| (child < end).then_some(child);
        std::iter::successors(in_bounds(index + 1), move |child| in_bounds(self.after(*child)))
    }

    /// Key and value of each member of the mapping at `index`; none for other nodes.
    pub(super) fn members(&self, index: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let is_mapping = matches!(self.get(index).kind, Kind::Mapping { .. });
        let mut children = self.children(index);
        std::iter::from_fn(move || if is_mapping { children.next().zip(children.next()) } else { None })
    }
}

/// Reads the only document of a text.
///
/// # Errors
/// The first thing that is wrong: `source::syntax`, `source::too-deep`, `source::too-large`,
/// `source::several-documents`, `source::empty-file` or `source::unsupported-value`.
pub(super) fn read(text: &str, source: SourceId) -> Result<Tape, Box<Diagnostic>> {
    let options = granit_parser::options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    let mut reading = Reading { text, source, tape: Tape::default(), open: Vec::new(), anchors: BTreeMap::new() };
    let mut n_documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => return Err(Box::new(syntax::diagnose(&error, text, source, &reading.tape))),
        };
        if let Event::DocumentStart(..) = event {
            n_documents += 1;
            if n_documents > 1 {
                return Err(Box::new(several_documents(source, bytes(&span))));
            }
        }
        reading.take(event, &span)?;
    }
    if is_empty(&reading.tape, text) {
        return Err(Box::new(empty_file(source)));
    }
    Ok(reading.tape)
}

struct Reading<'t> {
    text: &'t str,
    source: SourceId,
    tape: Tape,
    /// The collections that are not closed yet.
    open: Vec<u32>,
    /// Anchor ids and their nodes.
    anchors: BTreeMap<usize, u32>,
}

impl Reading<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Box<Diagnostic>> {
        let range = bytes(span);
        match event {
            Event::Scalar(content, style, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), span)?;
                let content = match content {
                    std::borrow::Cow::Borrowed(slice) => self.slice(slice),
                    std::borrow::Cow::Owned(owned) => Content::Owned(owned.into_boxed_str()),
                };
                self.push(&range, anchor, tag, Kind::Scalar { style, content })?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), span)?;
                let index = self.push(&range, anchor, tag, Kind::Sequence { next: 0 })?;
                self.enter(index)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), span)?;
                let index = self.push(&range, anchor, tag, Kind::Mapping { next: 0 })?;
                self.enter(index)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&range),
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied().unwrap_or_default();
                if self.open.contains(&target) {
                    return Err(Box::new(self.unsupported(range, "an alias inside of what it stands for")));
                }
                self.push(&range, 0, Tag::None, Kind::Alias { target })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, range: &Range<usize>, anchor: usize, tag: Tag, kind: Kind) -> Result<u32, Box<Diagnostic>> {
        let index = offset(self.tape.nodes.len());
        if self.tape.nodes.len() >= 2 * MAX_NODES {
            return Err(Box::new(
                Diagnostic::error(code::TOO_LARGE, format!("the file holds more than {MAX_NODES} values"))
                    .at(raw_site(self.source, range.clone()), "too many from here")
                    .help("split it into several files and `include` them"),
            ));
        }
        self.tape.nodes.push(Node { start: offset(range.start), end: offset(range.end), tag, kind });
        if anchor > 0 {
            self.anchors.insert(anchor, index);
        }
        Ok(index)
    }

    fn enter(&mut self, index: u32) -> Result<(), Box<Diagnostic>> {
        self.open.push(index);
        if self.open.len() > MAX_DEPTH {
            return Err(Box::new(syntax::too_deep(self.source, self.tape.get(index).range())));
        }
        Ok(())
    }

    fn close(&mut self, range: &Range<usize>) {
        let after = offset(self.tape.nodes.len());
        let open = self.open.pop().and_then(|index| self.tape.nodes.get_mut(index as usize));
        if let Some(node) = open {
            node.end = offset(range.end);
            if let Kind::Sequence { next } | Kind::Mapping { next } = &mut node.kind {
                *next = after;
            }
        }
    }

    /// Where a borrowed scalar stands in the file.
    fn slice(&self, slice: &str) -> Content {
        let start = (slice.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        match self.text.get(start..start.saturating_add(slice.len())) {
            // The parser's own constant for an absent value (`~`) is not in the file.
            Some(same) if std::ptr::eq(same, slice) => Content::Slice(offset(start), offset(start + slice.len())),
            _ => Content::Owned(slice.into()),
        }
    }

    fn tag(&self, tag: Option<&granit_parser::Tag>, span: &Span) -> Result<Tag, Box<Diagnostic>> {
        let Some(tag) = tag else { return Ok(Tag::None) };
        let known = tag.core_suffix().and_then(Tag::from_suffix);
        // `!` alone means: not resolved, so a scalar is text.
        let non_specific = (tag.original() == "!").then_some(Tag::Str);
        known.or(non_specific).ok_or_else(|| {
            let range = span.tag_span().map_or(bytes(span), |tag| bytes(&tag));
            let message = format!("the tag `{}` means nothing here", tag.original());
            Box::new(
                self.unsupported(range, message).help("remove the tag; only the core tags such as `!!str` are known"),
            )
        })
    }

    fn unsupported(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code::UNSUPPORTED_VALUE, message).at(raw_site(self.source, range), "")
    }
}

/// Files are at most 64 MiB and tapes at most two million nodes.
fn offset(value: usize) -> u32 {
    u32::try_from(value).expect("files and tapes are shorter than 4 GiB")
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().expect("a parser over a string knows byte offsets")
}

/// Nothing at all, or an absent value after `---`.
fn is_empty(tape: &Tape, text: &str) -> bool {
    match tape.nodes.first() {
        None => true,
        Some(Node { kind: Kind::Scalar { style: ScalarStyle::Plain, content }, start, end, .. }) => {
            start == end && matches!(content.text(text), "" | "~")
        }
        Some(_) => false,
    }
}

fn empty_file(source: SourceId) -> Diagnostic {
    Diagnostic::error(code::EMPTY_FILE, "the file holds nothing but comments or blanks")
        .at(raw_site(source, 0..0), "nothing here")
        .help("write at least one key, or remove the file")
}

fn several_documents(source: SourceId, range: Range<usize>) -> Diagnostic {
    Diagnostic::error(code::SEVERAL_DOCUMENTS, "the file holds more than one YAML document")
        .at(raw_site(source, range), "a second document begins here")
        .help("put each document into a file of its own; `include` takes patterns")
}
