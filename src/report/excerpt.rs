//! The lines of a file around some places, as miette's source code.
//!
//! In: a source and places in it. Out: an [`Excerpt`] with only the lines that are shown, and the places as spans of it.
//! miette scans a text from its start for every label and prints whole lines; an excerpt keeps that cheap for a file of
//! 50 MB and cuts lines that no terminal should get. Control characters are replaced, so that a file cannot speak to the
//! terminal. Line numbers and columns stay those of the file.

use std::collections::BTreeSet;
use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::Place;

/// Characters of a line that are shown.
const MAX_LINE: usize = 160;
/// Characters shown before the first place of a line that is cut.
const LEAD: usize = 40;
/// A place over more lines is shown by its first.
const MAX_LINES: usize = 12;

pub(super) struct Excerpt {
    name: String,
    text: String,
    lines: Vec<Line>,
    /// Starts of places in `text` and their columns in the file, from 0.
    columns: Vec<(usize, usize)>,
}

struct Line {
    /// In the file, from 0.
    number: usize,
    /// In the excerpt's text, with the line end.
    range: Range<usize>,
}

impl Excerpt {
    /// The lines around places that are all in one source, and the places' spans in them.
    pub(super) fn of(places: &[&Place<'_>]) -> (Self, Vec<SourceSpan>) {
        let mut excerpt = Excerpt { name: String::new(), text: String::new(), lines: Vec::new(), columns: Vec::new() };
        let Some(source) = places.first().map(|place| place.source) else { return (excerpt, Vec::new()) };
        excerpt.name = printable(&source.name);
        let ranges: Vec<Range<usize>> = places.iter().map(|place| shown_range(&source.text, place)).collect();
        let mut written = Written { marks: Vec::new(), excerpt: &mut excerpt };
        for (number, range) in lines_around(&source.text, places, &ranges) {
            written.line(&source.text, number, range, &ranges);
        }
        let marks = written.marks;
        let at = |offset: usize| {
            let after = marks.partition_point(|(file, _)| *file <= offset);
            after.checked_sub(1).and_then(|index| marks.get(index)).map_or(0, |(_, excerpt)| *excerpt)
        };
        let spans: Vec<SourceSpan> = ranges
            .iter()
            .map(|range| (at(range.start), at(range.end).saturating_sub(at(range.start))).into())
            .collect();
        excerpt.columns =
            spans.iter().zip(places).map(|(span, place)| (span.offset(), place.location.column - 1)).collect();
        (excerpt, spans)
    }

    fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|line| line.range.start <= offset).saturating_sub(1)
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (first, last) = (self.line_at(span.offset()), self.line_at(span.offset() + span.len()));
        let follows = |left: usize, right: usize| match (self.lines.get(left), self.lines.get(right)) {
            (Some(left), Some(right)) => left.number + 1 == right.number,
            _ => false,
        };
        if (first..last).any(|index| !follows(index, index + 1)) {
            return Err(MietteError::OutOfBounds);
        }
        let (mut from, mut to) = (first, last);
        for _ in 0..context_lines_before {
            from = from.checked_sub(1).filter(|before| follows(*before, from)).unwrap_or(from);
        }
        for _ in 0..context_lines_after {
            to = if follows(to, to + 1) { to + 1 } else { to };
        }
        let (Some(head), Some(tail)) = (self.lines.get(from), self.lines.get(to)) else {
            return Err(MietteError::OutOfBounds);
        };
        let range = head.range.start..tail.range.end;
        let bytes = self.text.as_bytes().get(range.clone()).ok_or(MietteError::OutOfBounds)?;
        let is_place = context_lines_before == 0 && context_lines_after == 0;
        let column = self.columns.iter().find(|(start, _)| is_place && *start == span.offset());
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            bytes,
            (range.start, range.len()).into(),
            head.number,
            column.map_or(0, |(_, column)| *column),
            to - from + 1,
        )))
    }
}

/// Without characters that command a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if is_command(character) { '\u{fffd}' } else { character }).collect()
}

/// Control characters, and the marks that reorder text.
fn is_command(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A place's bytes, cut to its first line if they are many lines.
fn shown_range(text: &str, place: &Place<'_>) -> Range<usize> {
    let range = place.location.range.clone();
    if place.location.end_line - place.location.line < MAX_LINES {
        return range;
    }
    let line = text.get(range.clone()).and_then(|shown| shown.lines().next()).map_or(0, str::len);
    range.start..range.start + line
}

/// The lines of all places and one before and after each, with their numbers from 0, without line ends.
fn lines_around(text: &str, places: &[&Place<'_>], ranges: &[Range<usize>]) -> BTreeSet<(usize, Bounds)> {
    let mut lines = BTreeSet::new();
    for (place, range) in places.iter().zip(ranges) {
        let mut number = place.location.line - 1;
        let mut start = line_start(text, range.start);
        if let Some(before) = start.checked_sub(1) {
            start = line_start(text, before);
            number -= 1;
        }
        loop {
            let end = text.get(start..).and_then(|rest| rest.find('\n')).map(|at| start + at);
            let is_after = start > range.end;
            // What follows the last line end is no line, unless a place is there.
            if !is_after || start < text.len() {
                lines.insert((number, Bounds { start, end: end.unwrap_or(text.len()) }));
            }
            match end {
                Some(end) if !is_after => start = end + 1,
                _ => break,
            }
            number += 1;
        }
    }
    lines
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bounds {
    start: usize,
    end: usize,
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

struct Written<'a> {
    excerpt: &'a mut Excerpt,
    /// Offsets in the file and in the excerpt, of each character shown.
    marks: Vec<(usize, usize)>,
}

impl Written<'_> {
    fn line(&mut self, text: &str, number: usize, line: Bounds, ranges: &[Range<usize>]) {
        let start = self.excerpt.text.len();
        let first_place =
            ranges.iter().map(|range| range.start).filter(|at| (line.start..=line.end).contains(at)).min();
        let from = first_place.map_or(line.start, |place| lead(text, line.start, place));
        if from > line.start {
            self.excerpt.text.push('…');
        }
        let shown = text.get(from..line.end).unwrap_or_default().trim_end_matches('\r');
        let mut end = from;
        for (at, character) in shown.char_indices().take(MAX_LINE) {
            self.marks.push((from + at, self.excerpt.text.len()));
            self.excerpt.text.push(if is_command(character) { '\u{fffd}' } else { character });
            end = from + at + character.len_utf8();
        }
        self.marks.push((end, self.excerpt.text.len()));
        if end < from + shown.len() {
            self.excerpt.text.push('…');
        }
        self.excerpt.text.push('\n');
        self.excerpt.lines.push(Line { number, range: start..self.excerpt.text.len() });
    }
}

/// Where a line is shown from, so that `place` is in sight.
fn lead(text: &str, start: usize, place: usize) -> usize {
    let before = text.get(start..place).unwrap_or_default();
    if before.chars().take(MAX_LINE - LEAD).count() < MAX_LINE - LEAD {
        return start;
    }
    before.char_indices().rev().nth(LEAD - 1).map_or(start, |(at, _)| start + at)
}
