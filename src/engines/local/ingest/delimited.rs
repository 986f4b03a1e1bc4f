//! Delimited text: a block of records to columns of text.
//!
//! In: a [`Block`] of whole records. Out: one `StringArray` per wanted column, the line of each row, and the rows with
//! a wrong number of fields apart. First the structural bytes are found 64 bytes at a time, which gives the fields'
//! spans; then each column is copied in one pass, so that its state stays in registers. Blank lines are no rows.
//! UTF-8 is checked once per block; nothing is cast.

use std::ops::Range;

use deltalake::arrow::array::StringArray;
use deltalake::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use memchr::{memchr, memchr2};

use super::Outcome;
use super::blocks::{Block, Framing, Quoting, section_end};
use super::masks::{Separators, for_each_bit, for_each_of, for_each_word};
use super::read::undecodable;
use crate::ir::Delimited;

/// How fields are told apart.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    null_values: Vec<Vec<u8>>,
    n_fields: usize,
}

/// The fields of a block's rows, as spans of its text.
#[derive(Default)]
pub(super) struct Rows {
    /// Where each row begins.
    starts: Vec<u32>,
    /// Where each field ends, `n_fields` a row.
    ends: Vec<u32>,
    /// The line of each row.
    pub(super) lines: Vec<i64>,
    pub(super) ragged: Vec<RaggedSpan>,
}

/// A row with a wrong number of fields.
pub(super) struct RaggedSpan {
    pub(super) line: u64,
    pub(super) span: Range<usize>,
    pub(super) n_fields: usize,
}

/// What is known while a block is split.
struct Splitting {
    rows: Rows,
    n_fields: usize,
    /// Where the row and the field at hand begin.
    row: usize,
    field: usize,
    /// The index in `ends` at which the row at hand begins.
    base: usize,
    line: i64,
    row_line: i64,
}

impl Fields {
    pub(super) fn new(delimited: &Delimited, n_fields: usize) -> Self {
        Fields {
            delimiter: delimited.delimiter,
            quote: delimited.quote,
            escape: delimited.escape.filter(|escape| Some(*escape) != delimited.quote),
            null_values: delimited.null_values.iter().map(|text| text.as_bytes().to_vec()).collect(),
            n_fields,
        }
    }

    /// Finds the fields of a block.
    ///
    /// # Errors
    /// When the text is not UTF-8.
    pub(super) fn split(&self, block: &Block, shown: &str) -> Outcome<Rows> {
        check_utf8(block, shown)?;
        let text = &block.text;
        let n_expected = text.len() / (self.n_fields * 8).max(1);
        let line = i64::try_from(block.first_line).unwrap_or(i64::MAX);
        let mut splitting = Splitting {
            rows: Rows {
                starts: Vec::with_capacity(n_expected),
                ends: Vec::with_capacity(n_expected * self.n_fields),
                lines: Vec::with_capacity(n_expected),
                ragged: Vec::new(),
            },
            n_fields: self.n_fields,
            row: 0,
            field: 0,
            base: 0,
            line,
            row_line: line,
        };
        match (block.quoting, self.quote) {
            (Quoting::Absent, _) | (_, None) => self.split_plain(text, &mut splitting),
            (Quoting::Regular { .. }, Some(quote)) => self.split_regular(text, quote, &mut splitting),
            (Quoting::Irregular, Some(quote)) => self.split_quoted(text, quote, &mut splitting),
        }
        if splitting.row < text.len() {
            splitting.end_row(text, text.len());
        }
        Ok(splitting.rows)
    }

    fn split_plain(&self, text: &[u8], splitting: &mut Splitting) {
        for_each_of([self.delimiter, b'\n', b'\n', b'\n'], text, |at| {
            if text[at] == b'\n' {
                splitting.line += 1;
                splitting.end_row(text, at);
            } else {
                splitting.end_field(at);
            }
        });
    }

    /// Where the parity of quotes tells what is inside of them, structural bytes need no state.
    fn split_regular(&self, text: &[u8], quote: u8, splitting: &mut Splitting) {
        let separators = Separators { delimiter: self.delimiter, quote };
        let mut line = splitting.line;
        for_each_word(separators, text, |begin, word| {
            for_each_bit((word.delimiters | word.line_feeds) & !word.inside, |bit| {
                if word.line_feeds >> bit & 1 == 1 {
                    // All line feeds up to this one, also those inside quotes.
                    splitting.line = line + i64::from((word.line_feeds << (63 - bit)).count_ones());
                    splitting.end_row(text, begin + bit);
                } else {
                    splitting.end_field(begin + bit);
                }
            });
            line += i64::from(word.line_feeds.count_ones());
        });
    }

    fn split_quoted(&self, text: &[u8], quote: u8, splitting: &mut Splitting) {
        let escape = self.escape.unwrap_or(quote);
        let (mut is_inside, mut skipped_to) = (false, 0);
        for_each_of([self.delimiter, b'\n', quote, escape], text, |at| {
            let byte = text[at];
            splitting.line += i64::from(byte == b'\n');
            if at < skipped_to {
                return;
            }
            if is_inside {
                if byte == quote && text.get(at + 1) != Some(&quote) {
                    is_inside = false;
                } else if byte == quote || byte == escape {
                    skipped_to = at + 2;
                }
            } else if byte == self.delimiter {
                splitting.end_field(at);
            } else if byte == b'\n' {
                splitting.end_row(text, at);
            } else if byte == quote && at == splitting.field {
                is_inside = true;
            }
        });
    }

    /// The text of a column, for some of the rows.
    pub(super) fn column(&self, block: &Block, rows: &Rows, range: Range<usize>, column: usize) -> StringArray {
        let spans = Spans { rows, n_fields: self.n_fields, column };
        let n_bytes: usize = range.clone().map(|row| spans.of(row)).map(|(begin, end)| end - begin).sum();
        let text = &block.text;
        let plain = match block.quoting {
            Quoting::Absent if self.null_values.is_empty() => copy_plain(text, None, spans, range.clone(), n_bytes),
            Quoting::Regular { has_doubled: false } if self.null_values.is_empty() => {
                copy_plain(text, self.quote, spans, range.clone(), n_bytes)
            }
            Quoting::Absent | Quoting::Regular { .. } | Quoting::Irregular => None,
        };
        let Copied { offsets, values, nulls } =
            plain.unwrap_or_else(|| self.copy_unquoted(text, spans, range, n_bytes));
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(values), nulls)
            .expect("fields of checked UTF-8 between ASCII bytes")
    }

    fn copy_unquoted(&self, text: &[u8], spans: Spans<'_>, range: Range<usize>, n_bytes: usize) -> Copied {
        let mut offsets = first_offset(range.len());
        let mut values = Vec::with_capacity(n_bytes);
        let mut valid = Vec::with_capacity(range.len());
        for row in range {
            let (begin, end) = spans.of(row);
            let before = values.len();
            let raw = &text[begin..end];
            self.unquote(raw, &mut values);
            let is_null = raw.is_empty() || self.null_values.iter().any(|null| null[..] == values[before..]);
            if is_null {
                values.truncate(before);
            }
            valid.push(!is_null);
            offsets.push(values.len() as i32);
        }
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        Copied { offsets, values, nulls }
    }

    /// Appends what a field means.
    fn unquote(&self, raw: &[u8], into: &mut Vec<u8>) {
        let Some(quote) = self.quote.filter(|quote| raw.first() == Some(quote)) else {
            into.extend_from_slice(raw);
            return;
        };
        let escape = self.escape.unwrap_or(quote);
        let mut from = 1;
        while let Some(found) = memchr2(quote, escape, &raw[from..]) {
            let at = from + found;
            into.extend_from_slice(&raw[from..at]);
            from = at + 1;
            if raw[at] == quote && raw.get(from) != Some(&quote) {
                break;
            }
            if let Some(literal) = raw.get(from) {
                into.push(*literal);
                from += 1;
            }
        }
        into.extend_from_slice(&raw[from..]);
    }

    /// The fields of a file's first record.
    pub(super) fn first_record(&self, text: &[u8]) -> Vec<Vec<u8>> {
        let framing = Framing::new(self.delimiter, self.quote, self.escape);
        let (begin, end) = framing.first_record(text);
        let mut record = &text[begin..end];
        record = record.strip_suffix(b"\n").unwrap_or(record);
        record = record.strip_suffix(b"\r").unwrap_or(record);
        let mut fields = Vec::new();
        let mut from = 0;
        loop {
            let behind_quotes = match self.quote {
                Some(quote) if record.get(from) == Some(&quote) => section_end(record, from, quote, self.escape),
                _ => None,
            };
            let search = behind_quotes.unwrap_or(from);
            let end = memchr(self.delimiter, &record[search..]).map(|at| search + at);
            let mut field = Vec::new();
            self.unquote(&record[from..end.unwrap_or(record.len())], &mut field);
            fields.push(field);
            match end {
                Some(end) => from = end + 1,
                None => return fields,
            }
        }
    }
}

impl Splitting {
    fn end_field(&mut self, at: usize) {
        // Blocks are far smaller than 4 GiB: a record is at most 64 MiB.
        self.rows.ends.push(at as u32);
        self.field = at + 1;
    }

    fn end_row(&mut self, text: &[u8], at: usize) {
        let rows = &mut self.rows;
        let end = if at > self.field && text[at - 1] == b'\r' { at - 1 } else { at };
        let n_fields = rows.ends.len() - self.base + 1;
        if n_fields == self.n_fields && end > self.row {
            rows.ends.push(end as u32);
            rows.starts.push(self.row as u32);
            rows.lines.push(self.row_line);
        } else {
            rows.ends.truncate(self.base);
            if end > self.row {
                rows.ragged.push(RaggedSpan { line: self.row_line.unsigned_abs(), span: self.row..end, n_fields });
            }
        }
        self.base = rows.ends.len();
        self.row = at + 1;
        self.field = at + 1;
        self.row_line = self.line;
    }
}

#[derive(Clone, Copy)]
struct Spans<'a> {
    rows: &'a Rows,
    n_fields: usize,
    column: usize,
}

impl Spans<'_> {
    #[inline]
    fn of(self, row: usize) -> (usize, usize) {
        let at = row * self.n_fields + self.column;
        let begin = if self.column == 0 { self.rows.starts[row] } else { self.rows.ends[at - 1] + 1 };
        (begin as usize, self.rows.ends[at] as usize)
    }
}

/// A column's parts.
struct Copied {
    offsets: Vec<i32>,
    values: Vec<u8>,
    nulls: Option<NullBuffer>,
}

fn first_offset(n_rows: usize) -> Vec<i32> {
    let mut offsets = Vec::with_capacity(n_rows + 1);
    offsets.push(0);
    offsets
}

/// Copies fields that have no quotes but those around them; `None` when something stands behind a closing quote. Short
/// ones are copied as 16 bytes, which costs less than a call of `memcpy`.
fn copy_plain(text: &[u8], quote: Option<u8>, spans: Spans<'_>, range: Range<usize>, n_bytes: usize) -> Option<Copied> {
    const WIDE: usize = 16;
    let mut offsets = first_offset(range.len());
    let mut values = vec![0; n_bytes + WIDE];
    let mut to = 0;
    let mut any_empty = false;
    for row in range.clone() {
        let (mut begin, mut end) = spans.of(row);
        any_empty |= begin == end;
        if quote.is_some() && begin < end && Some(text[begin]) == quote {
            if end - begin < 2 || Some(text[end - 1]) != quote {
                return None;
            }
            begin += 1;
            end -= 1;
        }
        let n = end - begin;
        if n <= WIDE && begin + WIDE <= text.len() {
            values[to..to + WIDE].copy_from_slice(&text[begin..begin + WIDE]);
        } else {
            values[to..to + n].copy_from_slice(&text[begin..end]);
        }
        to += n;
        offsets.push(to as i32);
    }
    values.truncate(to);
    let is_valid = |row| {
        let (begin, end) = spans.of(range.start + row);
        begin < end
    };
    let nulls = any_empty.then(|| NullBuffer::new(BooleanBuffer::collect_bool(range.len(), is_valid)));
    Some(Copied { offsets, values, nulls })
}

/// Makes sure that a block is UTF-8.
pub(super) fn check_utf8(block: &Block, shown: &str) -> Outcome<()> {
    let Err(error) = std::str::from_utf8(&block.text) else { return Ok(()) };
    let at = error.valid_up_to();
    let line = block.first_line + memchr::memchr_iter(b'\n', &block.text[..at]).count() as u64;
    Err(undecodable(shown, "UTF-8", line, block.offset.unwrap_or(0) + at as u64))
}
