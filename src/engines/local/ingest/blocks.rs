//! Files cut into blocks of whole records, so that blocks can be parsed side by side.
//!
//! In: files in order. Out: [`Block`]s of about a given size, each beginning and ending at a record's boundary and
//! knowing its first line. Boundaries are exact: a quote opens a quoted section only at the beginning of a field (as
//! RFC 4180 and Spark have it), so that a stray quote inside a field doesn't turn rows around. Nothing here splits
//! fields or checks UTF-8.

use std::path::PathBuf;
use std::sync::Arc;

use encoding_rs::Encoding;
use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::Outcome;
use super::masks::{Separators, for_each_word};
use super::read::{Text, unreadable};
use crate::ir::Delimited;
use crate::state::SourceFile;

/// Bytes that are parsed at once. Fits the second-level cache together with what is made of it.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// The longest record.
const RECORD_BYTES: usize = 64 << 20;

/// Whole records of one file.
pub(super) struct Block {
    /// Index into the files.
    pub(super) file: usize,
    /// Where `text` begins in the file; `None` for a transcoded one.
    pub(super) offset: Option<u64>,
    /// The line on which `text` begins, from 1.
    pub(super) first_line: u64,
    pub(super) text: Vec<u8>,
    pub(super) quoting: Quoting,
}

/// What quotes are like in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// There is no quoted section.
    Absent,
    /// Every section begins at a field's beginning, so that the parity of quotes says what is inside.
    Regular { has_doubled: bool },
    /// There are stray quotes or escapes.
    Irregular,
}

/// How records are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framing {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
}

/// What a look through a text finds.
struct Found {
    /// Behind the last line feed outside quotes.
    boundary: Option<usize>,
    quoting: Quoting,
    /// Where a quoted section begins that does not end.
    open: Option<usize>,
}

impl Framing {
    pub(super) fn new(delimiter: u8, quote: Option<u8>, escape: Option<u8>) -> Self {
        Framing { delimiter, quote, escape }
    }

    pub(super) fn delimited(delimited: &Delimited) -> Self {
        Framing::new(delimited.delimiter, delimited.quote, delimited.escape)
    }

    /// Records are lines.
    pub(super) fn lines() -> Self {
        Framing::new(b'\n', None, None)
    }

    /// The next quoted section at or behind `from`, which is outside of quotes: its opening quote, and the byte behind
    /// its closing one unless it does not end.
    fn quoted_section(&self, text: &[u8], from: usize) -> Option<(usize, Option<usize>)> {
        let quote = self.quote?;
        let mut at = from;
        loop {
            at += memchr(quote, text.get(at..)?)?;
            if at == 0 || text[at - 1] == self.delimiter || text[at - 1] == b'\n' {
                return Some((at, section_end(text, at, quote, self.escape)));
            }
            at += 1;
        }
    }

    fn look_through(&self, text: &[u8]) -> Found {
        match self.quote {
            Some(quote) if memchr(quote, text).is_some() => {
                self.look_by_parity(text, quote).unwrap_or_else(|| self.look_by_section(text))
            }
            _ => Found { boundary: memrchr(b'\n', text).map(|at| at + 1), quoting: Quoting::Absent, open: None },
        }
    }

    /// Looks at 64 bytes at a time; `None` when a quote stands where parity does not tell what it means.
    fn look_by_parity(&self, text: &[u8], quote: u8) -> Option<Found> {
        if self.escape.is_some_and(|escape| escape != quote) {
            return None;
        }
        let (mut boundary, mut is_regular, mut has_doubled, mut ends_inside) = (None, true, false, false);
        // Whether the byte before the word was a separator, and whether it was a quote.
        let (mut after_separator, mut after_quote) = (1, 0);
        for_each_word(Separators { delimiter: self.delimiter, quote }, text, |begin, word| {
            let separators = word.delimiters | word.line_feeds;
            let opening = word.quotes & word.inside;
            let doubled = opening & (word.quotes << 1 | after_quote);
            has_doubled |= doubled != 0;
            is_regular &= opening & !(separators << 1 | after_separator) & !doubled == 0;
            (after_separator, after_quote) = (separators >> 63, word.quotes >> 63);
            let line_feeds = word.line_feeds & !word.inside;
            if line_feeds != 0 {
                boundary = Some(begin + 64 - line_feeds.leading_zeros() as usize);
            }
            ends_inside = word.inside >> 63 == 1;
        });
        is_regular.then_some(())?;
        // Where the section that stays open begins is looked up exactly, since it is rare.
        let open = if ends_inside { self.look_by_section(&text[boundary.unwrap_or(0)..]).open } else { None };
        let open = open.map(|open| open + boundary.unwrap_or(0));
        Some(Found { boundary, quoting: Quoting::Regular { has_doubled }, open })
    }

    fn look_by_section(&self, text: &[u8]) -> Found {
        let mut found = Found { boundary: None, quoting: Quoting::Irregular, open: None };
        let mut outside = 0;
        while let Some((open, close)) = self.quoted_section(text, outside) {
            if let Some(at) = memrchr(b'\n', &text[outside..open]) {
                found.boundary = Some(outside + at + 1);
            }
            let Some(close) = close else {
                found.open = Some(open);
                return found;
            };
            outside = close;
        }
        if let Some(at) = memrchr(b'\n', &text[outside..]) {
            found.boundary = Some(outside + at + 1);
        }
        found
    }

    /// The byte behind the first record that is not a blank line, and where that record begins.
    pub(super) fn first_record(&self, text: &[u8]) -> (usize, usize) {
        let begin = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
        let mut outside = begin;
        loop {
            let section = self.quoted_section(text, outside);
            let limit = section.map_or(text.len(), |(open, _)| open);
            if let Some(at) = memchr(b'\n', &text[outside..limit]) {
                return (begin, outside + at + 1);
            }
            match section {
                Some((_, Some(close))) => outside = close,
                Some((_, None)) | None => return (begin, text.len()),
            }
        }
    }
}

/// The byte behind the quote that closes the section which `open` opens.
pub(super) fn section_end(text: &[u8], open: usize, quote: u8, escape: Option<u8>) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let rest = text.get(at..)?;
        at += match escape {
            Some(escape) => memchr2(quote, escape, rest)?,
            None => memchr(quote, rest)?,
        };
        if text[at] == quote && text.get(at + 1) != Some(&quote) {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Cuts files into blocks.
pub(super) struct Blocks {
    files: Arc<[SourceFile]>,
    project_dir: PathBuf,
    encoding: &'static Encoding,
    framing: Framing,
    /// Whether each file's first record is left out.
    header: bool,
    block_bytes: usize,
    next_file: usize,
    current: Option<Current>,
}

struct Current {
    text: Text,
    /// Read, but not yet given out.
    rest: Vec<u8>,
    offset: u64,
    line: u64,
    at_header: bool,
}

impl Blocks {
    pub(super) fn new(
        files: Arc<[SourceFile]>,
        project_dir: PathBuf,
        encoding: &'static Encoding,
        framing: Framing,
        header: bool,
        block_bytes: usize,
    ) -> Self {
        Blocks { files, project_dir, encoding, framing, header, block_bytes, next_file: 0, current: None }
    }

    /// The next block; `None` when all files are read.
    pub(super) fn next(&mut self) -> Outcome<Option<Block>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(listed) = self.files.get(self.next_file) else { return Ok(None) };
                self.next_file += 1;
                let text = Text::open(listed, &self.project_dir, self.encoding)?;
                self.current = Some(Current { text, rest: Vec::new(), offset: 0, line: 1, at_header: self.header });
                continue;
            };
            let file = self.next_file - 1;
            let shown = &self.files[file].path;
            match current.next_block(&self.framing, self.block_bytes, file, shown)? {
                Some(block) if block.text.is_empty() => {}
                Some(block) => return Ok(Some(block)),
                None => self.current = None,
            }
        }
    }
}

impl Current {
    fn next_block(
        &mut self,
        framing: &Framing,
        block_bytes: usize,
        file: usize,
        shown: &str,
    ) -> Outcome<Option<Block>> {
        let mut text = Vec::with_capacity(block_bytes.max(self.rest.len()) + 64);
        text.append(&mut self.rest);
        let mut wanted = block_bytes;
        let (end, quoting) = loop {
            let n_wanted = wanted.saturating_sub(text.len()).max(1);
            let more = self.text.fill(&mut text, n_wanted)?;
            let found = framing.look_through(&text);
            match (found.boundary, more) {
                (_, false) => {
                    if let Some(open) = found.open {
                        return Err(self.unclosed(shown, &text[..open]));
                    }
                    break (text.len(), found.quoting);
                }
                (Some(boundary), true) => break (boundary, found.quoting),
                (None, true) if text.len() > RECORD_BYTES => {
                    return Err(match found.open {
                        Some(open) => self.unclosed(shown, &text[..open]),
                        None => Box::new(unreadable(format!(
                            "`{shown}` has a record of more than {} MiB at line {}",
                            RECORD_BYTES >> 20,
                            self.line
                        ))),
                    });
                }
                (None, true) => wanted = text.len() * 2,
            }
        };
        if text.is_empty() {
            return Ok(None);
        }
        self.rest = text.split_off(end);
        let mut block = Block { file, offset: None, first_line: self.line, quoting, text };
        let mut offset = self.offset;
        self.offset += end as u64;
        self.line += memchr_iter(b'\n', &block.text).count() as u64;
        if std::mem::take(&mut self.at_header) {
            let (_, behind) = framing.first_record(&block.text);
            block.first_line += memchr_iter(b'\n', &block.text[..behind]).count() as u64;
            offset += behind as u64;
            block.text.drain(..behind);
        }
        block.offset = self.text.file_offset(offset);
        Ok(Some(block))
    }

    fn unclosed(&self, shown: &str, before: &[u8]) -> Box<crate::diagnostic::Diagnostic> {
        let line = self.line + memchr_iter(b'\n', before).count() as u64;
        Box::new(
            unreadable(format!("`{shown}` has a quoted field that begins on line {line} and never ends"))
                .help("close the quote; if quotes are ordinary characters in this file, set `quote: none`"),
        )
    }
}
