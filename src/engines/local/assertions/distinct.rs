//! The different texts of a column, batch by batch, so that a condition on them is evaluated once each.
//!
//! In: a batch's column of texts. Out: its few different values and which of them each row has; nothing where there are
//! many. A column that had many once is not looked at again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};

use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::take;
use deltalake::datafusion::common::Result;

use super::packed::{mix, pack};

/// More different values than these are many.
const MANY: usize = 64;
const N_SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;

/// A batch's column, taken apart.
pub(super) struct Distinct {
    pub(super) values: ArrayRef,
    /// The place in `values` of each row's.
    codes: Vec<u8>,
}

impl Distinct {
    /// Rows whose value is among those that are set.
    pub(super) fn rows(&self, values: &BooleanBuffer) -> BooleanBuffer {
        let mut known = [false; 256];
        known.iter_mut().zip(values.iter()).for_each(|(known, is_set)| *known = is_set);
        let codes = self.codes.as_slice();
        BooleanBuffer::collect_bool(codes.len(), |row| codes.get(row).is_some_and(|code| known[usize::from(*code)]))
    }
}

/// Which columns have many different values.
#[derive(Debug, Default)]
pub(super) struct Varied {
    columns: Vec<AtomicBool>,
}

impl Varied {
    pub(super) fn of(n_columns: usize) -> Self {
        Varied { columns: std::iter::repeat_with(AtomicBool::default).take(n_columns).collect() }
    }
}

/// What was taken apart of one batch, by column.
#[derive(Default)]
pub(super) struct Apart(BTreeMap<usize, Option<Distinct>>);

impl Apart {
    /// A column of texts taken apart; `None` where it has many values.
    pub(super) fn column(&mut self, place: usize, batch: &RecordBatch, varied: &Varied) -> Result<Option<&Distinct>> {
        let many = varied.columns.get(place);
        if many.is_none_or(|many| many.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        let found = match self.0.entry(place) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let found = take_apart(batch.column(place))?;
                if let (None, Some(many)) = (&found, many) {
                    many.store(true, Ordering::Relaxed);
                }
                new.insert(found)
            }
        };
        Ok(found.as_ref())
    }
}

fn take_apart(column: &ArrayRef) -> Result<Option<Distinct>> {
    let Some(texts) = column.as_string_opt::<i32>() else { return Ok(None) };
    // Whatever is long is too seldom a name of something to be looked for.
    let Some(shown) = (0..texts.len()).map(|row| pack(texts.value(row).as_bytes())).collect::<Option<Vec<u128>>>()
    else {
        return Ok(None);
    };
    let mut slots = [(0_u128, EMPTY); N_SLOTS];
    let mut null = None;
    let mut firsts: Vec<u32> = Vec::new();
    let mut codes = Vec::with_capacity(texts.len());
    for (row, text) in shown.into_iter().enumerate() {
        let next = u8::try_from(firsts.len()).unwrap_or(EMPTY);
        let code = if texts.is_null(row) {
            *null.get_or_insert(next)
        } else {
            let mut slot = usize::try_from(mix(text) % N_SLOTS as u64).unwrap_or(0);
            loop {
                match slots[slot] {
                    (_, EMPTY) => {
                        slots[slot] = (text, next);
                        break next;
                    }
                    (known, code) if known == text => break code,
                    _ => slot = (slot + 1) % N_SLOTS,
                }
            }
        };
        if code == next {
            if firsts.len() == MANY {
                return Ok(None);
            }
            firsts.push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        codes.push(code);
    }
    Ok(Some(Distinct { values: take(column, &UInt32Array::from(firsts), None)?, codes }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::arrow::array::StringArray;

    use super::*;

    #[test]
    fn rows_have_the_answer_of_their_value() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b"), None, Some("")]));
        let apart = take_apart(&texts).expect("hashed").expect("few");
        let values = apart.values.as_string::<i32>();
        let found: Vec<_> = values.iter().collect();
        assert_eq!(found, [Some("b"), None, Some("a"), Some("")]);
        let rows = apart.rows(&BooleanBuffer::from(vec![true, false, false, true]));
        assert_eq!(rows.iter().collect::<Vec<_>>(), [true, false, false, true, false, true]);
    }

    #[test]
    fn many_values_are_left_alone() {
        let column = |n: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..n).map(|n| n.to_string()))) };
        assert!(take_apart(&column(MANY)).expect("hashed").is_some());
        assert!(take_apart(&column(MANY + 1)).expect("hashed").is_none());
    }
}
