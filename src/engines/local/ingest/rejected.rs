//! Rows that have no place in a table because their number of fields is wrong.
//!
//! In: such rows, from many threads. Out: how many there are, and the first ones by file and line (all of them where
//! they go into quarantine), the same whatever the threads did.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::diagnostic::{Diagnostic, code};

const N_EXAMPLES: usize = 20;
/// What rows for the quarantine may take in memory.
const KEPT_BYTES: usize = 256 << 20;

/// A row with a wrong number of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// As `_source_file` shows it.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// The row as it stands in the file, without its line ending.
    pub text: String,
    pub n_fields: usize,
    pub n_expected: usize,
}

/// The rows rejected so far.
#[derive(Debug, Default)]
pub struct Rejected {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    n_rows: u64,
    n_bytes: usize,
    rows: BTreeMap<(String, u64), RejectedRow>,
}

impl Rejected {
    /// How many rows were rejected.
    pub fn n_rows(&self) -> u64 {
        self.lock().n_rows
    }

    /// The rows by file and line: the first ones, or all of them when they go into quarantine.
    pub fn rows(&self) -> Vec<RejectedRow> {
        self.lock().rows.values().cloned().collect()
    }

    /// Records rows; `false` when there are too many to keep them all, as asked.
    pub(super) fn push(&self, rows: Vec<RejectedRow>, keep_all: bool) -> bool {
        let mut kept = self.lock();
        for row in rows {
            kept.n_rows += 1;
            kept.n_bytes += row.text.len() + size_of::<RejectedRow>();
            kept.rows.insert((row.file.clone(), row.line), row);
            while !keep_all && kept.rows.len() > N_EXAMPLES {
                kept.rows.pop_last();
            }
        }
        !keep_all || kept.n_bytes <= KEPT_BYTES
    }

    /// Says that there are such rows; `None` without any.
    pub(super) fn diagnostic(&self) -> Option<Diagnostic> {
        let kept = self.lock();
        let first = kept.rows.values().next()?;
        let n_others = kept.n_rows - 1;
        let message = format!(
            "`{}` line {} has {} fields where {} are expected",
            first.file, first.line, first.n_fields, first.n_expected
        );
        let mut diagnostic = Diagnostic::error(code::RAGGED_ROW, message)
            .help("correct the file, or set `on_ragged_row` to `drop`, `quarantine` or `warn`; a wrong `delimiter` or `quote` makes many such rows");
        if n_others > 0 {
            let places: Vec<String> =
                kept.rows.values().skip(1).take(4).map(|row| format!("{}:{}", row.file, row.line)).collect();
            let dots = if n_others > 4 { ", …" } else { "" };
            diagnostic = diagnostic.note(format!("{} rows are ragged; also {}{dots}", kept.n_rows, places.join(", ")));
        }
        Some(diagnostic)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
