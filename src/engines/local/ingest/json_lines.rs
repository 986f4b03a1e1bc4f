//! JSON lines: one object a line, blank lines skipped.
//!
//! In: a block of lines. Out: a text column per wanted name. Scalars keep their spelling (`1.10`, `001` in quotes),
//! `null` and absent keys are NULL, a nested value is compact JSON text. A key that the contract lacks is an error, since a
//! contract names everything that is there. Nothing is cast.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use encoding_rs::UTF_8;

use super::Outcome;
use super::blocks::{BLOCK_BYTES, Block, Blocks, Framing};
use super::columns::header_error;
use super::delimited::check_utf8;
use super::execution::Recipe;
use super::read::unreadable;
use super::text::BATCH_ROWS;
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::state::SourceFile;

mod object;

use object::{Wrong, members, text_of};

/// What is read of a file to find its keys.
const HEADER_BYTES: usize = 1 << 20;

/// JSON lines, ready to be read.
pub(super) struct JsonLines {
    names: Vec<String>,
    by_contract: bool,
    pub(super) block_bytes: usize,
}

/// The keys of a file's first lines, in the order in which they appear.
pub(super) fn header(file: &SourceFile, project_dir: &Path) -> Outcome<Vec<String>> {
    let files: Arc<[SourceFile]> = Arc::from([file.clone()]);
    let mut blocks = Blocks::new(files, project_dir.to_owned(), UTF_8, Framing::lines(), false, HEADER_BYTES);
    let mut names: Vec<String> = Vec::new();
    let Some(block) = blocks.next()? else { return Ok(names) };
    check_utf8(&block, &file.path)?;
    for (line, span) in lines(&block) {
        let row = &block.text[span];
        for member in members(row) {
            let (key, _) = member.map_err(|wrong| bad_line(&file.path, line, row, &wrong))?;
            let key = text_of(row, key).map_err(|wrong| bad_line(&file.path, line, row, &wrong))?;
            if !names.iter().any(|name| name::same(name, &key)) {
                names.push(key.into_owned());
            }
        }
    }
    Ok(names)
}

/// The lines of a block that are not blank, with their numbers.
fn lines(block: &Block) -> impl Iterator<Item = (u64, Range<usize>)> + '_ {
    let ends = memchr::memchr_iter(b'\n', &block.text).chain(std::iter::once(block.text.len()));
    let mut begin = 0;
    let numbered =
        (block.first_line..).zip(ends).map(move |(line, end)| (line, std::mem::replace(&mut begin, end + 1)..end));
    numbered.filter(|(_, span)| !block.text[span.clone()].trim_ascii().is_empty())
}

fn bad_line(shown: &str, line: u64, row: &[u8], wrong: &Wrong) -> Box<Diagnostic> {
    let message = format!("`{shown}` line {line} column {} is not JSON: {}", wrong.at + 1, wrong.what);
    let help = if row.trim_ascii_start().starts_with(b"[") {
        "JSON lines are one object a line, not one array; `jq -c '.[]'` makes them of an array"
    } else {
        "JSON lines are one object a line; `jq -c .` puts each object on a line of its own"
    };
    Box::new(unreadable(message).help(help))
}

impl JsonLines {
    pub(super) fn new(names: &[String], by_contract: bool) -> Self {
        JsonLines { names: names.to_vec(), by_contract, block_bytes: BLOCK_BYTES }
    }

    pub(super) fn blocks(&self, files: Arc<[SourceFile]>, project_dir: PathBuf) -> Blocks {
        Blocks::new(files, project_dir, UTF_8, Framing::lines(), false, self.block_bytes)
    }

    /// Appends the block's rows to `ready`.
    pub(super) fn parse(&self, recipe: &Recipe, block: &Block, ready: &mut VecDeque<RecordBatch>) -> Outcome<()> {
        let shown = &recipe.files[block.file].path;
        check_utf8(block, shown)?;
        let mut columns = Columns::new(self.names.len());
        for (line, span) in lines(block) {
            self.row(shown, line, &block.text[span], &mut columns)?;
            if columns.lines.len() == BATCH_ROWS {
                ready.push_back(columns.finish(recipe, shown));
            }
        }
        if !columns.lines.is_empty() {
            ready.push_back(columns.finish(recipe, shown));
        }
        Ok(())
    }

    fn row(&self, shown: &str, line: u64, row: &[u8], columns: &mut Columns) -> Outcome<()> {
        let bad = |wrong: Wrong| bad_line(shown, line, row, &wrong);
        columns.slots.fill(None);
        for (nth, member) in members(row).enumerate() {
            let (key, value) = member.map_err(bad)?;
            let at = key.start;
            let key = text_of(row, key).map_err(bad)?;
            // Most files have their keys in one order.
            let guess = columns.order.get(nth).copied().filter(|column| self.names[*column] == *key);
            let place = guess.or_else(|| self.names.iter().position(|name| name::same(name, &key)));
            let Some(column) = place else { return Err(self.unknown_key(shown, line, &key)) };
            if columns.slots[column].replace(value).is_some() {
                return Err(bad(Wrong { at, what: format!("the key `{key}` is there twice") }));
            }
            match columns.order.get_mut(nth) {
                Some(known) => *known = column,
                None => columns.order.push(column),
            }
        }
        for (slot, cells) in columns.slots.iter().zip(&mut columns.cells) {
            let value = slot.clone().filter(|value| row[value.clone()] != *b"null");
            match value {
                Some(value) => cells.append_value(text_of(row, value).map_err(bad)?),
                None => cells.append_null(),
            }
        }
        columns.lines.push(i64::try_from(line).unwrap_or(i64::MAX));
        Ok(())
    }

    fn unknown_key(&self, shown: &str, line: u64, key: &str) -> Box<Diagnostic> {
        let lacking = if self.by_contract { "its contract" } else { "the beginning of the source" };
        let message = format!("`{shown}` line {line} has the key `{key}`, which {lacking} lacks");
        let mut diagnostic = header_error(message);
        if let Some(near) = name::nearest(key, self.names.iter().map(String::as_str)) {
            diagnostic = diagnostic.note(format!("there is `{near}`"));
        }
        Box::new(diagnostic.help(format!("give the contract the column `{key}`, or take the key out of the file")))
    }
}

/// The columns of a batch while they grow.
struct Columns {
    cells: Vec<StringBuilder>,
    lines: Vec<i64>,
    /// The values of the row at hand.
    slots: Vec<Option<Range<usize>>>,
    /// The column of the nth key of the row before.
    order: Vec<usize>,
}

impl Columns {
    fn new(n_columns: usize) -> Self {
        Columns {
            cells: std::iter::repeat_with(StringBuilder::new).take(n_columns).collect(),
            lines: Vec::new(),
            slots: vec![None; n_columns],
            order: Vec::new(),
        }
    }

    fn finish(&mut self, recipe: &Recipe, shown: &str) -> RecordBatch {
        let lines = std::mem::take(&mut self.lines);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(recipe.schema.fields().len());
        for cells in &mut self.cells {
            arrays.push(Arc::new(cells.finish()));
        }
        arrays.extend(recipe.metadata.arrays(shown, Some(&lines), lines.len()));
        RecordBatch::try_new(Arc::clone(&recipe.schema), arrays).expect("columns as the schema has them")
    }
}
