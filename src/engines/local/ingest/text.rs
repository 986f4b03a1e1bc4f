//! A source of delimited text: headers, blocks and rows of many files.
//!
//! In: the reader's options, the files and the contract's columns. Out: the header's names, and batches of text columns
//! in the contract's order. Files of one source may order their columns differently. Rows with a wrong number of
//! fields are left out and recorded as rejected.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, RecordBatch};
use encoding_rs::Encoding;

use super::Outcome;
use super::blocks::{BLOCK_BYTES, Block, Blocks, Framing};
use super::columns::{header_error, positions};
use super::delimited::{Fields, Rows, check_utf8};
use super::execution::Recipe;
use super::read::{encoding, unreadable};
use super::rejected::RejectedRow;
use crate::diagnostic::{Diagnostic, code};
use crate::ir::{Delimited, OnViolation};
use crate::state::SourceFile;

/// Rows of a batch at most.
pub(super) const BATCH_ROWS: usize = 65_536;
/// What is read of a file to find its header.
const HEADER_BYTES: usize = 64 * 1024;

/// Delimited text, ready to be read.
pub(super) struct DelimitedText {
    fields: Fields,
    framing: Framing,
    encoding: &'static Encoding,
    header: bool,
    on_ragged_row: OnViolation,
    /// Where each column stands, by file.
    positions: Vec<Vec<usize>>,
    pub(super) block_bytes: usize,
}

/// The names of a file's columns. Without a header they are `_c0`, `_c1`, … as in Spark; none for an empty file.
pub(super) fn header(delimited: &Delimited, file: &SourceFile, project_dir: &Path) -> Outcome<Vec<String>> {
    let shown = &file.path;
    let files: Arc<[SourceFile]> = Arc::from([file.clone()]);
    let framing = Framing::delimited(delimited);
    let encoding = encoding(&delimited.encoding)?;
    let mut blocks = Blocks::new(files, project_dir.to_owned(), encoding, framing, false, HEADER_BYTES);
    let Some(block) = blocks.next()? else {
        if delimited.header {
            return Err(Box::new(
                header_error(format!("`{shown}` is empty and has no header"))
                    .help("remove the file, or set `header: false` if its rows begin on the first line"),
            ));
        }
        return Ok(Vec::new());
    };
    let (_, end) = framing.first_record(&block.text);
    let record = Block { text: block.text[..end].to_vec(), ..block };
    check_utf8(&record, shown)?;
    let names: Vec<String> = Fields::new(delimited, 1)
        .first_record(&record.text)
        .into_iter()
        .enumerate()
        .map(
            |(index, name)| {
                if delimited.header { String::from_utf8_lossy(&name).into_owned() } else { format!("_c{index}") }
            },
        )
        .collect();
    if names.iter().any(|name| name.contains('\r')) {
        return Err(Box::new(
            unreadable(format!("`{shown}` ends its lines with a carriage return alone"))
                .help("convert it to line feeds, e.g. with `tr '\\r' '\\n'`"),
        ));
    }
    Ok(names)
}

impl DelimitedText {
    /// Compares the headers of all files with the wanted columns.
    pub(super) fn open(
        delimited: &Delimited,
        files: &[SourceFile],
        wanted: &[String],
        by_contract: bool,
        project_dir: &Path,
    ) -> Outcome<Self> {
        let in_order: Vec<usize> = (0..wanted.len()).collect();
        let positions = files
            .iter()
            .map(|file| {
                if !delimited.header {
                    return Ok(in_order.clone());
                }
                positions(&file.path, &header(delimited, file, project_dir)?, wanted, by_contract)
            })
            .collect::<Outcome<_>>()?;
        Ok(DelimitedText {
            fields: Fields::new(delimited, wanted.len()),
            framing: Framing::delimited(delimited),
            encoding: encoding(&delimited.encoding)?,
            header: delimited.header,
            on_ragged_row: delimited.on_ragged_row,
            positions,
            block_bytes: BLOCK_BYTES,
        })
    }

    pub(super) fn on_ragged_row(&self) -> OnViolation {
        self.on_ragged_row
    }

    pub(super) fn blocks(&self, files: Arc<[SourceFile]>, project_dir: PathBuf) -> Blocks {
        Blocks::new(files, project_dir, self.encoding, self.framing, self.header, self.block_bytes)
    }

    /// Appends the block's rows to `ready`.
    pub(super) fn parse(&self, recipe: &Recipe, block: &Block, ready: &mut VecDeque<RecordBatch>) -> Outcome<()> {
        let shown = &recipe.files[block.file].path;
        let rows = self.fields.split(block, shown)?;
        self.reject(recipe, block, &rows)?;
        if recipe.fails_on_ragged_rows() && recipe.rejected.n_rows() > 0 {
            return Ok(());
        }
        for begin in (0..rows.lines.len()).step_by(BATCH_ROWS) {
            let range = begin..rows.lines.len().min(begin + BATCH_ROWS);
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(recipe.schema.fields().len());
            for position in &self.positions[block.file] {
                columns.push(Arc::new(self.fields.column(block, &rows, range.clone(), *position)));
            }
            columns.extend(recipe.metadata.arrays(shown, Some(&rows.lines[range.clone()]), range.len()));
            ready.push_back(
                RecordBatch::try_new(Arc::clone(&recipe.schema), columns).expect("columns as the schema has them"),
            );
        }
        Ok(())
    }

    fn reject(&self, recipe: &Recipe, block: &Block, rows: &Rows) -> Outcome<()> {
        if rows.ragged.is_empty() {
            return Ok(());
        }
        let rejected = rows
            .ragged
            .iter()
            .map(|row| RejectedRow {
                file: recipe.files[block.file].path.clone(),
                line: row.line,
                text: String::from_utf8_lossy(&block.text[row.span.clone()]).into_owned(),
                n_fields: row.n_fields,
                n_expected: self.positions[block.file].len(),
            })
            .collect();
        if recipe.rejected.push(rejected, self.on_ragged_row == OnViolation::Quarantine) {
            return Ok(());
        }
        let too_many = Diagnostic::error(code::RAGGED_ROW, "too many rows are ragged to put them into quarantine");
        Err(Box::new(
            too_many
                .note(format!("{} so far", recipe.rejected.n_rows()))
                .help("look at the source's `delimiter`, `quote` and `header`, or set `on_ragged_row: drop`"),
        ))
    }
}
