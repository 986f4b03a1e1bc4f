//! Bytes of a string value back to the bytes of the file that they came from.
//!
//! In: a scalar's place and style, its value, a range of the value. Out: that range in the file. The scalar is read once
//! more, line by line, in step with the value that the parser made of it: escapes, doubled quotes, line folding and
//! block indentation each give a segment. Where the two cannot be brought in step the answer is `None`, and the caller
//! shows the whole scalar: a wrong place would be worse than a wide one.

use std::ops::Range;

use granit_parser::ScalarStyle;

/// A piece of the value and where it stands. Equal lengths mean the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    value: Range<usize>,
    file: Range<usize>,
}

/// The place in `text` of bytes `within` of `value`, which is the scalar at `range`.
pub(super) fn map(
    text: &str,
    range: &Range<usize>,
    style: ScalarStyle,
    value: &str,
    within: &Range<usize>,
) -> Option<Range<usize>> {
    let segments = align(text, range, style, value)?;
    let start = match segments.iter().find(|segment| segment.value.contains(&within.start)) {
        Some(segment) if is_verbatim(segment) => segment.file.start + (within.start - segment.value.start),
        Some(segment) => segment.file.start,
        None => segments.last()?.file.end,
    };
    if within.end <= within.start {
        return Some(start..start);
    }
    let last = within.end.min(value.len()).checked_sub(1)?;
    let end = match segments.iter().find(|segment| segment.value.contains(&last)) {
        Some(segment) if is_verbatim(segment) => segment.file.start + (last + 1 - segment.value.start),
        Some(segment) => segment.file.end,
        None => start,
    };
    Some(start..end.max(start))
}

fn is_verbatim(segment: &Segment) -> bool {
    segment.value.len() == segment.file.len()
}

/// All of the value in segments, in order; `None` if they do not make up the value.
fn align(text: &str, range: &Range<usize>, style: ScalarStyle, value: &str) -> Option<Vec<Segment>> {
    let mut aligning = Aligning { text, value, at: 0, segments: Vec::new() };
    match style {
        ScalarStyle::Plain => aligning.flow(range.clone(), Aligning::verbatim)?,
        ScalarStyle::SingleQuoted => aligning.flow(within_quotes(range)?, Aligning::single_quoted)?,
        ScalarStyle::DoubleQuoted => aligning.flow(within_quotes(range)?, Aligning::double_quoted)?,
        ScalarStyle::Literal | ScalarStyle::Folded => aligning.block(range)?,
    }
    (aligning.at == value.len()).then_some(aligning.segments)
}

fn within_quotes(range: &Range<usize>) -> Option<Range<usize>> {
    (range.len() >= 2).then(|| range.start + 1..range.end - 1)
}

struct Aligning<'a> {
    text: &'a str,
    value: &'a str,
    /// How much of the value has its segment.
    at: usize,
    segments: Vec<Segment>,
}

impl<'a> Aligning<'a> {
    /// Plain and quoted scalars: blanks around line ends are dropped, line ends folded.
    fn flow(&mut self, range: Range<usize>, line: fn(&mut Self, Range<usize>) -> Option<()>) -> Option<()> {
        let mut start = range.start;
        let raw = self.text.get(range.clone())?;
        let n_lines = raw.split('\n').count();
        for (index, words) in raw.split('\n').enumerate() {
            let end = start + words.len();
            let leading = if index == 0 { 0 } else { words.len() - words.trim_start_matches([' ', '\t']).len() };
            let is_last = index + 1 == n_lines;
            let trailing = if is_last { 0 } else { words.len() - words.trim_end_matches([' ', '\t', '\r']).len() };
            let content = start + leading..end.saturating_sub(trailing).max(start + leading);
            let backslashes = words.trim_end_matches('\r');
            let n_backslashes = backslashes.len() - backslashes.trim_end_matches('\\').len();
            line(self, content)?;
            // A backslash at the end of a line in double quotes joins the lines; elsewhere it is text, already matched.
            let joins = n_backslashes % 2 == 1 && self.text.get(range.start.checked_sub(1)?..range.start) == Some("\"");
            if !is_last && !joins {
                self.line_end(end);
            }
            start = end + 1;
        }
        Some(())
    }

    /// Literal and folded scalars: the indentation is dropped.
    fn block(&mut self, range: &Range<usize>) -> Option<()> {
        let mut start = self.text.get(..range.start)?.rfind('\n').map_or(0, |newline| newline + 1);
        // The parser's range begins with the first words, after blank lines that belong to the value.
        while let Some(before) = self.text.get(..start.saturating_sub(1)) {
            let previous = before.rfind('\n').map_or(0, |newline| newline + 1);
            if start == 0 || !before.get(previous..)?.trim().is_empty() {
                break;
            }
            start = previous;
        }
        let raw = self.text.get(start..range.end)?;
        let first = |text: &str| text.lines().find(|line| !line.trim().is_empty()).map(n_spaces);
        let indentation = first(raw)?.checked_sub(first(self.value)?)?;
        for line in raw.split('\n') {
            if self.at == self.value.len() {
                break;
            }
            let end = start + line.len();
            let words = line.trim_end_matches('\r');
            let content = start + n_spaces(words).min(indentation)..start + words.len();
            self.verbatim(content)?;
            self.line_end(end);
            start = end + 1;
        }
        Some(())
    }

    fn rest(&self) -> &'a str {
        self.value.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, value_length: usize, file: Range<usize>) {
        self.segments.push(Segment { value: self.at..self.at + value_length, file });
        self.at += value_length;
    }

    /// A line end gives a space, a line end, or (after another one that was folded) nothing.
    fn line_end(&mut self, newline: usize) {
        if self.rest().starts_with([' ', '\n']) {
            self.push(1, newline..newline + 1);
        }
    }

    fn verbatim(&mut self, range: Range<usize>) -> Option<()> {
        let words = self.text.get(range.clone())?;
        if !self.rest().starts_with(words) {
            return None;
        }
        if !words.is_empty() {
            self.push(words.len(), range);
        }
        Some(())
    }

    fn single_quoted(&mut self, range: Range<usize>) -> Option<()> {
        let mut start = range.start;
        while let Some(quote) = self.text.get(start..range.end)?.find("''") {
            self.verbatim(start..start + quote)?;
            self.push(1, start + quote..start + quote + 2);
            start += quote + 2;
        }
        self.verbatim(start..range.end)
    }

    fn double_quoted(&mut self, range: Range<usize>) -> Option<()> {
        let mut start = range.start;
        while let Some(backslash) = self.text.get(start..range.end)?.find('\\') {
            let at = start + backslash;
            self.verbatim(start..at)?;
            if at + 1 >= range.end {
                return Some(());
            }
            let end = at + escape_length(self.text.get(at..range.end)?)?;
            let made = self.rest().chars().next()?.len_utf8();
            self.push(made, at..end);
            start = end;
        }
        self.verbatim(start..range.end)
    }
}

fn n_spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Bytes of the escape that `text` begins with.
fn escape_length(text: &str) -> Option<usize> {
    let length = match text.chars().nth(1)? {
        'x' => 4,
        'u' => {
            let high = text.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok())?;
            if (0xD800..0xDC00).contains(&high) { 12 } else { 6 }
        }
        'U' => 10,
        other => 1 + other.len_utf8(),
    };
    (length <= text.len()).then_some(length)
}

#[cfg(test)]
mod tests;
