//! Parquet and Delta.

use deltalake::DeltaTable;
use deltalake::arrow::array::{Int32Array, StringArray};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::file::properties::WriterProperties;

use super::*;

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array)))).expect("a batch")
}

fn numbers(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn parquet_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
    bytes
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn parquet_columns_are_matched_by_name_and_keep_their_types() {
    let first = parquet_bytes(&batch(&[("id", numbers(&[1, 2, 3])), ("Name", texts(&["a", "b", "c"]))]));
    let second = parquet_bytes(&batch(&[("name", texts(&["d"])), ("id", numbers(&[4]))]));
    let dir = folder(&[("in/a.parquet", &first), ("in/x=1/b.parquet", &second), ("in/_SUCCESS", b"")]);
    let read = read(&ingest("in", Reader::Parquet), Some(&contract(&["name", "id"])), dir.path()).expect("readable");
    let mut found = rows(&read);
    found.sort();
    assert_eq!(found, [row(&["a", "1"]), row(&["b", "2"]), row(&["c", "3"]), row(&["d", "4"])]);
    assert_eq!(read.batches[0].column(1).data_type(), &DataType::Int32);
}

#[test]
fn broken_and_differing_parquet_files_are_named() {
    let good = parquet_bytes(&batch(&[("id", numbers(&[1, 2, 3]))]));
    let other = parquet_bytes(&batch(&[("id", texts(&["1"]))]));
    let mut damaged = good.clone();
    damaged[4..40].fill(0xff);
    let dir = folder(&[
        ("t.parquet", &good[..good.len() - 9]),
        ("e.parquet", b""),
        ("d.parquet", &damaged),
        ("in/a.parquet", &good),
        ("in/b.parquet", &other),
    ]);
    let read = |location: &str| read(&ingest(location, Reader::Parquet), None, dir.path());
    wrong(read("t.parquet"), code::SOURCE_UNREADABLE, &["`t.parquet` is no whole Parquet file"]);
    wrong(read("e.parquet"), code::SOURCE_UNREADABLE, &["`e.parquet`"]);
    wrong(read("d.parquet"), code::SOURCE_UNREADABLE, &["`d.parquet`"]);
    wrong(read("in"), code::SOURCE_HEADER, &["`in/b.parquet` has the column `id` as Utf8", "Int32"]);
}

#[test]
fn delta_tables_are_read_at_the_listed_version() {
    let dir = folder(&[("t/.keep", b"")]);
    let source = ingest("t", Reader::Delta);
    let url = url::Url::from_directory_path(dir.path().join("t")).expect("a path");
    let write = |ids: &[i32], names: &[&str]| {
        let batch = batch(&[("ID", numbers(ids)), ("name", texts(names))]);
        run(async { DeltaTable::try_from_url(url.clone()).await.expect("a table").write(vec![batch]).await })
            .expect("written");
    };
    let missing = list(&source, dir.path()).expect_err("no log");
    assert_eq!(missing.code, code::SOURCE_MISSING);
    write(&[1], &["a"]);
    let before = list(&source, dir.path()).expect("a table");
    write(&[2], &["b"]);
    let now = list(&source, dir.path()).expect("a table");
    assert_eq!((before[0].stamp, now[0].stamp), (0, 1));
    let columns = contract(&["name", "id"]);
    let first = read_files(&source, &before, Some(&columns), dir.path()).expect("readable");
    assert_eq!(rows(&first), [row(&["a", "1"])]);
    let both = read_files(&source, &now, Some(&columns), dir.path()).expect("readable");
    let mut found = rows(&both);
    found.sort();
    assert_eq!(found, [row(&["a", "1"]), row(&["b", "2"])]);
    assert_eq!(both.batches[0].schema().field(1).name(), "id");
    let lacking = read_files(&source, &now, Some(&contract(&["name", "ids"])), dir.path());
    wrong(lacking, code::SOURCE_HEADER, &["`ids`", "did you mean `ID`"]);
}
