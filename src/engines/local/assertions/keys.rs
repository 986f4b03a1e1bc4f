//! Hashes of keys, gathered while rows stream by: which keys may repeat is known then without reading them again.
//!
//! In: the key columns of every row. Out: [`Repeated`], the hashes that occurred more than once. Where there are none, no
//! key repeats, for certain. Where there are, their rows are a few that hold all repeated keys and are judged exactly
//! (`staged::suspects`): a hash never decides that two keys are equal. Memory: eight bytes a row within a bound that all
//! gatherings of a node share; what does not fit is given up, and the keys are read again as if nobody had looked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::arrow::array::ArrayRef;
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::datafusion::common::{DataFusionError, Result};
use tokio::task::JoinSet;

use crate::engines::local::sieve;

/// One hash a row of these columns, every bit of which is good.
pub(in crate::engines::local) type Hash = for<'a> fn(&[ArrayRef], &'a mut Vec<u64>) -> Result<&'a [u64]>;

/// The hash that runs; a test may take a bad one.
pub(in crate::engines::local) const HASH: Hash = sieve::hash_rows;

/// Hashes lie in parts by their first bits, so that repeats are sought in memory that is near.
const PART_BITS: u32 = 8;

/// The hashes of one set of key columns.
#[derive(Debug)]
pub(super) struct Gathered {
    hash: Hash,
    /// What all gatherings together may still take.
    left_bytes: Arc<AtomicUsize>,
    /// `None` once given up.
    parts: Mutex<Option<Vec<Part>>>,
}

/// Hashes in pieces, none of which ever moves.
#[derive(Debug, Clone, Default)]
struct Part(Vec<Vec<u64>>);

const PIECE: usize = 1024;

impl Part {
    fn push(&mut self, hash: u64) {
        match self.0.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(hash),
            Some(_) | None => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(hash);
                self.0.push(piece);
            }
        }
    }

    fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flatten().copied()
    }
}

impl Gathered {
    pub(super) fn new(hash: Hash, left_bytes: &Arc<AtomicUsize>) -> Self {
        let parts = Mutex::new(Some(vec![Part::default(); 1 << PART_BITS]));
        Gathered { hash, left_bytes: Arc::clone(left_bytes), parts }
    }

    /// Adds the keys of the rows that are set.
    pub(super) fn add(&self, keys: &[ArrayRef], rows: Option<&BooleanBuffer>) -> Result<()> {
        let mut hashes = Vec::new();
        let hashes = (self.hash)(keys, &mut hashes)?;
        let n_bytes = size_of_val(hashes);
        let had = self.left_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(n_bytes));
        if had.is_err() {
            self.give_up();
            return Ok(());
        }
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(parts) = parts.as_mut() else { return Ok(()) };
        let mut push = |hash: u64| {
            let part = usize::try_from(hash >> (64 - PART_BITS)).unwrap_or(0);
            parts[part].push(hash);
        };
        match rows {
            None => hashes.iter().for_each(|hash| push(*hash)),
            Some(rows) => rows.set_indices().filter_map(|row| hashes.get(row)).for_each(|hash| push(*hash)),
        }
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn give_up(&self) {
        *self.parts.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What occurred more than once; `None` if it was given up. The hashes are gone then.
    pub(super) async fn repeated(&self, n_tasks: usize) -> Result<Option<Repeated>> {
        let Some(parts) = self.parts.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(None) };
        let mut tasks = JoinSet::new();
        let mut parts = parts.into_iter();
        let n_each = (1_usize << PART_BITS).div_ceil(n_tasks.max(1));
        while parts.len() > 0 {
            let some: Vec<Part> = parts.by_ref().take(n_each).collect();
            tasks.spawn(async move {
                let (mut hashes, mut n_rows) = (Vec::new(), 0);
                for part in some {
                    n_rows += repeated_in(&part, &mut hashes);
                }
                (hashes, n_rows)
            });
        }
        let (mut hashes, mut n_rows) = (Vec::new(), 0);
        while let Some(ended) = tasks.join_next().await {
            let (some, n) = ended.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
            hashes.extend(some);
            n_rows += n;
        }
        Ok(Some(Repeated::new(hashes, n_rows, self.hash)))
    }
}

/// Adds each hash that a part holds more than once to `repeated`; returns how many of its hashes are such.
fn repeated_in(part: &Part, repeated: &mut Vec<u64>) -> u64 {
    // Two bits for sixteen slots a hash leave few to sort.
    let n_bits = part.0.len().saturating_mul(PIECE * 16).next_power_of_two().max(64);
    let (mut once, mut again) = (vec![0_u64; n_bits / 64], vec![0_u64; n_bits / 64]);
    let slot = |hash: u64| {
        let slot = usize::try_from((hash << PART_BITS) >> (64 - n_bits.trailing_zeros())).unwrap_or(0);
        (slot / 64, 1 << (slot % 64))
    };
    for hash in part.hashes() {
        let (word, bit) = slot(hash);
        again[word] |= once[word] & bit;
        once[word] |= bit;
    }
    let is_again = |hash: &u64| {
        let (word, bit) = slot(*hash);
        again[word] & bit != 0
    };
    let mut few: Vec<u64> = part.hashes().filter(is_again).collect();
    few.sort_unstable();
    let runs = few.chunk_by(|one, next| one == next).filter(|run| run.len() > 1);
    runs.map(|run| {
        repeated.extend(run.first());
        run.len() as u64
    })
    .sum()
}

/// Hashes that occurred more than once.
#[derive(Debug)]
pub(in crate::engines::local) struct Repeated {
    /// Sorted.
    hashes: Vec<u64>,
    /// A bit for each, by its last bits: most others are told apart by it.
    bits: Vec<u64>,
    /// How many rows have one of them.
    pub(in crate::engines::local) n_rows: u64,
    hash: Hash,
}

impl Repeated {
    fn new(mut hashes: Vec<u64>, n_rows: u64, hash: Hash) -> Self {
        hashes.sort_unstable();
        let n_bits = (hashes.len().saturating_mul(16)).next_power_of_two().max(64);
        let mut repeated = Repeated { hashes: Vec::new(), bits: vec![0; n_bits / 64], n_rows, hash };
        for hash in &hashes {
            let (word, bit) = repeated.slot(*hash);
            repeated.bits[word] |= bit;
        }
        Repeated { hashes, ..repeated }
    }

    fn slot(&self, hash: u64) -> (usize, u64) {
        let slot = usize::try_from(hash % (self.bits.len() as u64 * 64)).unwrap_or(0);
        (slot / 64, 1 << (slot % 64))
    }

    /// Whether no hash repeats, and so no key.
    pub(in crate::engines::local) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The rows whose key's hash repeats.
    pub(in crate::engines::local) fn rows(&self, keys: &[ArrayRef]) -> Result<BooleanBuffer> {
        let mut hashes = Vec::new();
        let hashes = (self.hash)(keys, &mut hashes)?;
        Ok(BooleanBuffer::collect_bool(hashes.len(), |row| {
            let (word, bit) = self.slot(hashes[row]);
            self.bits[word] & bit != 0 && self.hashes.binary_search(&hashes[row]).is_ok()
        }))
    }
}

#[cfg(test)]
mod tests {
    use deltalake::arrow::array::{Array, Int64Array};

    use super::*;

    fn gather(values: &[i64], hash: Hash, left_bytes: usize) -> Option<Repeated> {
        let gathered = Gathered::new(hash, &Arc::new(AtomicUsize::new(left_bytes)));
        for some in values.chunks(100) {
            gathered.add(&[keys(some)], None).expect("hashed");
        }
        let threads = tokio::runtime::Runtime::new().expect("threads");
        threads.block_on(gathered.repeated(3)).expect("joined")
    }

    fn keys(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn exactly_the_repeated_hashes_are_found() {
        let once: Vec<i64> = (0..20_000).collect();
        let found = gather(&once, HASH, 1 << 30).expect("it fits");
        assert!(found.is_empty() && found.n_rows == 0);

        let thrice: Vec<i64> = once.iter().copied().chain([7, 19_999, 7]).collect();
        let found = gather(&thrice, HASH, 1 << 30).expect("it fits");
        assert_eq!((found.hashes.len(), found.n_rows), (2, 5));
        let rows = found.rows(&[keys(&thrice)]).expect("hashed");
        assert_eq!(rows.set_indices().collect::<Vec<_>>(), [7, 19_999, 20_000, 20_001, 20_002]);
    }

    #[test]
    fn of_a_bad_hash_all_rows_are_suspicious() {
        let same: Hash = |keys, hashes| {
            hashes.clear();
            hashes.resize(keys.first().map_or(0, Array::len), 42);
            Ok(hashes)
        };
        let found = gather(&[1, 2, 3], same, 1 << 30).expect("it fits");
        assert_eq!((found.hashes.as_slice(), found.n_rows), (&[42][..], 3));
        assert_eq!(found.rows(&[keys(&[4, 5])]).expect("hashed").count_set_bits(), 2);
    }

    #[test]
    fn what_does_not_fit_is_given_up() {
        assert!(gather(&(0..1000).collect::<Vec<_>>(), HASH, 5_000).is_none());
    }
}
