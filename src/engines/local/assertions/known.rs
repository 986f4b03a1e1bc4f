//! The keys of a table that rows refer to, held so that each batch of rows is looked up as it streams by.
//!
//! In: the referenced columns of a table. Out: [`Known`], or nothing where they do not fit or may compare otherwise than by
//! their values; the join over the staged rows is then asked. A hash finds a key; whether it is equal, its values decide.
//! Short texts are held as numbers: who looks up ten million of them waits for memory, and there each is one place.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DynComparator, make_comparator};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::{SortOptions, concat, filter};
use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::{DFSchema, DataFusionError, Result, TableReference};
use deltalake::datafusion::logical_expr::{Expr, ident};
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;

use super::keys::Hash;
use super::packed::{Texts, pack};
use crate::ir::{Assertion, Node, Test};
use crate::name::TableName;

/// The different keys of a table.
#[derive(Debug)]
pub(in crate::engines::local) enum Known {
    Texts(Texts),
    Keys(Keys),
}

/// Keys of any types.
#[derive(Debug)]
pub(in crate::engines::local) struct Keys {
    hash: Hash,
    columns: Vec<ArrayRef>,
    /// The last key of each hash.
    last: HashMap<u64, u32, BuildHasherDefault<Same>>,
    /// For each key the one before it with the same hash.
    before: Vec<Option<u32>>,
}

/// A table, its referenced columns, and the types to look up.
type Asked<'a> = (&'a TableName, &'a [String], Vec<DataType>);

/// The keys that the references among a node's assertions may have, by place; those of the node itself are not known yet.
/// `own` are the node's columns, in lower case.
pub(in crate::engines::local) async fn of_references(
    context: &SessionContext,
    node: &Node,
    own: &DFSchema,
    hash: Hash,
    bound_bytes: usize,
) -> Vec<(usize, Arc<Known>)> {
    let is_reference = |one: &&Assertion| matches!(one.test, Test::Reference { .. });
    let share_bytes = bound_bytes / node.assertions.iter().filter(is_reference).count().max(1);
    let mut found: Vec<(usize, Arc<Known>)> = Vec::new();
    let mut read: Vec<(Asked<'_>, Arc<Known>)> = Vec::new();
    for (place, assertion) in node.assertions.iter().enumerate() {
        let Test::Reference { columns, table, referenced } = &assertion.test else { continue };
        let types = columns.iter().map(|column| own.field_with_unqualified_name(&column.to_lowercase()));
        let types = types.map(|field| field.map(|field| field.data_type().clone()));
        let Ok(types) = types.collect::<Result<Vec<_>>>() else { continue };
        if table.name == node.name {
            continue;
        }
        let asked: Asked<'_> = (&table.name, referenced, types);
        if let Some((_, known)) = read.iter().find(|(other, _)| *other == asked) {
            found.push((place, Arc::clone(known)));
            continue;
        }
        let known = async {
            let name = TableReference::partial(table.name.layer.as_str(), table.name.name.as_str());
            let names: Vec<Expr> = referenced.iter().map(|name| ident(name.to_lowercase())).collect();
            let rows = context.table(name).await?.select(names)?;
            Known::read(rows, &asked.2, hash, share_bytes).await
        };
        // What cannot be read now is told of when it is joined.
        if let Ok(Some(known)) = known.await {
            let known = Arc::new(known);
            read.push((asked, Arc::clone(&known)));
            found.push((place, known));
        }
    }
    found
}

/// A hash of what is a hash already.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |all, byte| all << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Bytes that a key takes besides its values, at most.
const KEY_BYTES: usize = 64;

impl Known {
    /// Reads the keys of `rows`, whose columns they are, to look up such of `types`; `None` if that cannot be done in
    /// `bound_bytes`.
    pub(in crate::engines::local) async fn read(
        rows: DataFrame,
        types: &[DataType],
        hash: Hash,
        bound_bytes: usize,
    ) -> Result<Option<Known>> {
        let found = rows.schema().fields().iter().map(|field| field.data_type());
        if !types.iter().all(is_plain) || !found.eq(types) {
            return Ok(None);
        }
        let mut known = Keys { hash, columns: Vec::new(), last: HashMap::default(), before: Vec::new() };
        let mut batches = rows.execute_stream().await?;
        let mut parts: Vec<Vec<ArrayRef>> = Vec::new();
        let mut n_bytes = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            // A key with a NULL is nobody's.
            let given: BooleanBuffer = batch
                .columns()
                .iter()
                .filter_map(|column| column.nulls())
                .fold(BooleanBuffer::new_set(batch.num_rows()), |given, nulls| &given & nulls.inner());
            let given = BooleanArray::new(given, None);
            let columns: Vec<ArrayRef> =
                batch.columns().iter().map(|column| filter(column, &given)).collect::<std::result::Result<_, _>>()?;
            n_bytes += columns.iter().map(Array::get_array_memory_size).sum::<usize>();
            n_bytes += given.true_count() * KEY_BYTES;
            // They are copied once more when all are there.
            if n_bytes > bound_bytes / 2 {
                return Ok(None);
            }
            parts.push(columns);
        }
        for place in 0..types.len() {
            let column: Vec<&dyn Array> = parts.iter().filter_map(|part| Some(part.get(place)?.as_ref())).collect();
            if column.is_empty() {
                return Ok(Some(Known::Keys(known)));
            }
            known.columns.push(concat(&column)?);
        }
        drop(parts);
        if let [texts] = known.columns.as_slice()
            && let Some(texts) = texts.as_string_opt::<i32>()
            && let Some(texts) = texts.iter().flatten().map(|text| pack(text.as_bytes())).collect::<Option<Vec<_>>>()
        {
            return Ok(Some(Known::Texts(Texts::of(&texts))));
        }
        known.index()?;
        Ok(Some(Known::Keys(known)))
    }

    /// The rows whose key is known. Of those with a NULL the answer says nothing.
    pub(super) fn rows(&self, keys: &[ArrayRef]) -> Result<BooleanBuffer> {
        match (self, keys) {
            (Known::Keys(known), keys) => known.rows(keys),
            (Known::Texts(known), [texts]) => Ok(known.rows(texts.as_string::<i32>())),
            (Known::Texts(_), _) => Err(DataFusionError::Internal("a text is one column".to_owned())),
        }
    }
}

impl Keys {
    fn index(&mut self) -> Result<()> {
        let columns = self.columns.clone();
        let equal = comparators(&columns, &columns)?;
        let mut hashes = Vec::new();
        let hashes = (self.hash)(&columns, &mut hashes)?;
        for (row, hash) in hashes.iter().enumerate() {
            if self.find(*hash, |key| equal(row, key)).is_none() {
                let key = u32::try_from(row).unwrap_or(u32::MAX);
                self.before.resize(row, None);
                self.before.push(self.last.insert(*hash, key));
            }
        }
        Ok(())
    }

    fn rows(&self, keys: &[ArrayRef]) -> Result<BooleanBuffer> {
        let n_rows = keys.first().map_or(0, Array::len);
        if self.last.is_empty() {
            return Ok(BooleanBuffer::new_unset(n_rows));
        }
        let equal = comparators(keys, &self.columns)?;
        let mut hashes = Vec::new();
        let hashes = (self.hash)(keys, &mut hashes)?;
        Ok(BooleanBuffer::collect_bool(n_rows, |row| self.find(hashes[row], |key| equal(row, key)).is_some()))
    }

    fn find(&self, hash: u64, equal: impl Fn(usize) -> bool) -> Option<u32> {
        let mut next = self.last.get(&hash).copied();
        while let Some(key) = next {
            if equal(key as usize) {
                return Some(key);
            }
            next = self.before.get(key as usize).copied().flatten();
        }
        None
    }
}

/// Whether values of a type are equal exactly when their bytes are, to a join as well.
fn is_plain(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Utf8
                | DataType::Boolean
                | DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Decimal128(..)
                | DataType::Binary
        )
}

/// Whether the row of one is equal to the row of the other.
fn comparators(one: &[ArrayRef], other: &[ArrayRef]) -> Result<impl Fn(usize, usize) -> bool> {
    let columns = one.iter().zip(other).map(|(one, other)| make_comparator(one, other, SortOptions::default()));
    let columns: Vec<DynComparator> = columns.collect::<std::result::Result<_, _>>()?;
    Ok(move |row, other| columns.iter().all(|compare| compare(row, other).is_eq()))
}

#[cfg(test)]
mod tests {
    use deltalake::arrow::array::{Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::engines::local::assertions::keys::HASH;

    fn batch(texts: &[Option<&str>], numbers: &[i64]) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("a", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef),
            ("b", Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef),
        ])
        .expect("a batch")
    }

    fn known(hash: Hash, bound_bytes: usize) -> Option<Known> {
        let rows = batch(&[Some("x"), Some("y"), None, Some("x"), Some("x")], &[1, 2, 3, 1, 2]);
        let threads = tokio::runtime::Runtime::new().expect("threads");
        let frame = SessionContext::new().read_batch(rows).expect("a frame");
        threads.block_on(Known::read(frame, &[DataType::Utf8, DataType::Int64], hash, bound_bytes)).expect("read")
    }

    #[test]
    fn keys_are_found_by_their_values_whatever_the_hash() {
        let same: Hash = |keys, hashes| {
            hashes.clear();
            hashes.resize(keys.first().map_or(0, Array::len), 42);
            Ok(hashes)
        };
        for hash in [HASH, same] {
            let known = known(hash, 1 << 20).expect("it fits");
            let rows = batch(&[Some("x"), Some("x"), Some("y"), Some("y"), Some("z"), Some("")], &[1, 2, 2, 1, 1, 3]);
            let found = known.rows(rows.columns()).expect("looked up");
            assert_eq!(found.iter().collect::<Vec<_>>(), [true, true, true, false, false, false]);
        }
    }

    #[test]
    fn texts_are_found_short_or_long() {
        let long = "a text of more than fifteen bytes";
        let texts = |texts: &[Option<&str>]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
        let threads = tokio::runtime::Runtime::new().expect("threads");
        for known in [vec![Some("x"), None, Some("")], vec![Some("x"), Some(long), Some("")]] {
            let rows = RecordBatch::try_from_iter([("a", texts(&known))]).expect("a batch");
            let frame = SessionContext::new().read_batch(rows).expect("a frame");
            let read =
                threads.block_on(Known::read(frame, &[DataType::Utf8], HASH, 1 << 20)).expect("read").expect("it fits");
            assert_eq!(matches!(read, Known::Texts(_)), !known.contains(&Some(long)));
            let found = read.rows(&[texts(&[Some("x"), Some(""), Some("xx"), Some(long)])]).expect("looked up");
            assert_eq!(found.iter().collect::<Vec<_>>(), [true, true, false, known.contains(&Some(long))]);
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_join() {
        assert!(known(HASH, 100).is_none());
    }
}
