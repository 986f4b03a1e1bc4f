//! The kernel's values between training rows, computed row by row when first asked for, and kept while they fit.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ml::kernel::Function;
use crate::ml::rows::Rows;

/// Values between all pairs of rows, in single precision as in libsvm. Several solvers may share it.
pub(super) struct Gram<'a> {
    rows: &'a Rows,
    function: Function,
    kept: Vec<OnceLock<Box<[f32]>>>,
    /// How many more rows may be kept. Rows beyond are computed each time: slower, and the same values.
    left: AtomicUsize,
    diagonal: Vec<f64>,
}

/// As much as libsvm's cache.
const MOST_BYTES: usize = 200 << 20;

impl<'a> Gram<'a> {
    pub(super) fn new(rows: &'a Rows, function: Function) -> Self {
        let diagonal = rows.iter().map(|row| function.value(row, row)).collect();
        let left = AtomicUsize::new(MOST_BYTES / (4 * rows.n_rows.max(1)));
        Gram { rows, function, kept: (0..rows.n_rows).map(|_| OnceLock::new()).collect(), left, diagonal }
    }

    pub(super) fn diagonal(&self, i: usize) -> f64 {
        self.diagonal[i]
    }

    /// The values between row `i` and all rows.
    pub(super) fn row(&self, i: usize) -> Cow<'_, [f32]> {
        if let Some(kept) = self.kept[i].get() {
            return Cow::Borrowed(kept);
        }
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Cow::Borrowed(self.kept[i].get_or_init(|| self.computed(i).into_boxed_slice()));
        }
        Cow::Owned(self.computed(i))
    }

    #[expect(clippy::cast_possible_truncation, reason = "single precision is enough for the search")]
    fn computed(&self, i: usize) -> Vec<f32> {
        let own = self.rows.row(i);
        self.rows.iter().map(|row| self.function.value(own, row) as f32).collect()
    }
}
