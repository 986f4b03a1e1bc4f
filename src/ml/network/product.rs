//! Products of matrices, four rows of the second at a time, so that a row of the result is read and written once for four.

use crate::ml::rows::Rows;

/// `a × b`.
pub(super) fn product(a: &Rows, b: &Rows) -> Rows {
    let n = b.n_columns;
    let mut values = vec![0.0; a.n_rows * n];
    for (row, sums) in a.iter().zip(values.chunks_exact_mut(n.max(1))) {
        let mut factors = row.chunks_exact(4);
        let mut others = b.values.chunks_exact(4 * n);
        for (factor, other) in factors.by_ref().zip(others.by_ref()) {
            if factor.iter().all(|x| *x == 0.0) {
                continue;
            }
            let (b0, rest) = other.split_at(n);
            let (b1, rest) = rest.split_at(n);
            let (b2, b3) = rest.split_at(n);
            for ((((sum, b0), b1), b2), b3) in sums.iter_mut().zip(b0).zip(b1).zip(b2).zip(b3) {
                *sum += (factor[0] * b0 + factor[1] * b1) + (factor[2] * b2 + factor[3] * b3);
            }
        }
        for (factor, other) in factors.remainder().iter().zip(others.remainder().chunks_exact(n)) {
            sums.iter_mut().zip(other).for_each(|(sum, b)| *sum += factor * b);
        }
    }
    Rows { n_rows: a.n_rows, n_columns: n, values }
}

/// Rows as columns.
pub(super) fn transposed(a: &Rows) -> Rows {
    let mut values = vec![0.0; a.values.len()];
    for (i, row) in a.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            values[j * a.n_rows + i] = *value;
        }
    }
    Rows { n_rows: a.n_columns, n_columns: a.n_rows, values }
}
