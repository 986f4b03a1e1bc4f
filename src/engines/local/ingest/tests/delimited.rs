//! Delimited text.

use super::*;

#[test]
fn quotes_newlines_crlf_and_a_mark_are_read_and_lines_are_counted() {
    let text = "\u{feff}id,name,note\r\n1,\"a,\"\"b\"\"\",\r\n\r\n2,\"two\r\nlines\",\"\"\r\n3,5\" pipe,é\r\n4,x,y";
    let dir = folder(&[("a.csv", text.as_bytes())]);
    let read = read(&ingest("a.csv", Reader::Delimited(csv())), Some(&contract(&["NOTE", "id", "name"])), dir.path());
    let read = read.expect("readable");
    assert_eq!(
        rows(&read),
        [
            row(&["NULL", "1", "a,\"b\""]),
            row(&["", "2", "two\r\nlines"]),
            row(&["é", "3", "5\" pipe"]),
            row(&["y", "4", "x"])
        ]
    );
    assert_eq!(lines_of(&read), [2, 4, 6, 7]);
    assert_eq!(read.batches[0].schema().field(0).name(), "NOTE");
}

#[test]
fn null_values_other_delimiters_escapes_and_no_quotes() {
    let dir = folder(&[("a.tsv", b"1\tNA\n2\t\"x\\\"\t\"\n"), ("b.txt", b"a|b\n\"1|2\"\n")]);
    let options =
        Delimited { header: false, delimiter: b'\t', escape: Some(b'\\'), null_values: vec!["NA".to_owned()], ..csv() };
    let tabs = read(&ingest("a.tsv", Reader::Delimited(options)), Some(&contract(&["a", "b"])), dir.path());
    assert_eq!(rows(&tabs.expect("readable")), [row(&["1", "NULL"]), row(&["2", "x\"\t"])]);
    let options = Delimited { delimiter: b'|', quote: None, ..csv() };
    let bars = read(&ingest("b.txt", Reader::Delimited(options)), None, dir.path());
    assert_eq!(rows(&bars.expect("readable")), [row(&["\"1", "2\""])]);
}

#[test]
fn files_may_order_their_columns_differently() {
    let dir = folder(&[("in/a.csv", b"a,b\n1,2\n"), ("in/b.csv", b"B,A\n3,4\n"), ("in/_c.csv", b"x\n1\n")]);
    let read = read(&ingest("in", Reader::Delimited(csv())), None, dir.path()).expect("readable");
    assert_eq!(rows(&read), [row(&["1", "2"]), row(&["4", "3"])]);
}

#[test]
fn encodings_are_transcoded_and_undecodable_bytes_are_named() {
    let utf16: Vec<u8> = "\u{feff}a,b\né,ü\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let dir = folder(&[("l.csv", b"a,b\ncaf\xe9,x\n"), ("u.csv", &utf16), ("s.csv", b"a\nx\n\xff\n")]);
    let with = |encoding: &str| Reader::Delimited(Delimited { encoding: encoding.to_owned(), ..csv() });
    let latin = read(&ingest("l.csv", with("latin1")), None, dir.path());
    assert_eq!(rows(&latin.expect("readable")), [row(&["café", "x"])]);
    let utf16 = read(&ingest("u.csv", with("utf-16")), None, dir.path());
    assert_eq!(rows(&utf16.expect("readable")), [row(&["é", "ü"])]);
    let strict = read(&ingest("l.csv", with("utf-8")), None, dir.path());
    wrong(strict, code::SOURCE_UNREADABLE, &["`l.csv`", "line 2", "offset 7", "windows-1252"]);
    let shift = read(&ingest("s.csv", with("shift_jis")), None, dir.path());
    wrong(shift, code::SOURCE_UNREADABLE, &["`s.csv`", "Shift_JIS", "line 3", "offset 4"]);
    wrong(read(&ingest("l.csv", with("latin-99")), None, dir.path()), code::SOURCE_OPTION, &["latin-99"]);
}

#[test]
fn ragged_rows_fail_or_are_left_out_and_kept() {
    let dir = folder(&[("a.csv", b"a,b\n1,2\n3\n4,5,6\n7,8\n")]);
    let with = |on_ragged_row| Reader::Delimited(Delimited { on_ragged_row, ..csv() });
    let failed = read(&ingest("a.csv", with(OnViolation::Fail)), None, dir.path());
    wrong(failed, code::RAGGED_ROW, &["`a.csv` line 3 has 1 fields where 2", "2 rows", "a.csv:4"]);
    let kept = read(&ingest("a.csv", with(OnViolation::Quarantine)), None, dir.path()).expect("readable");
    assert_eq!(rows(&kept), [row(&["1", "2"]), row(&["7", "8"])]);
    let texts: Vec<String> = kept.rejected.rows().into_iter().map(|row| row.text).collect();
    assert_eq!(texts, ["3", "4,5,6"]);
}

#[test]
fn headers_that_differ_from_the_contract_are_named() {
    let dir = folder(&[("a.csv", b"id,amout\n1,2\n"), ("e.csv", b""), ("h.csv", b"a,b\n"), ("t.csv", b"a,A\n")]);
    let reader = || Reader::Delimited(csv());
    let read = |file: &str, names: &[&str]| read(&ingest(file, reader()), Some(&contract(names)), dir.path());
    wrong(read("a.csv", &["id", "amount"]), code::SOURCE_HEADER, &["`amount`", "did you mean `amout`"]);
    wrong(read("a.csv", &["id"]), code::SOURCE_HEADER, &["has the column `amout`"]);
    wrong(read("e.csv", &["id"]), code::SOURCE_HEADER, &["`e.csv` is empty"]);
    wrong(read("t.csv", &["a"]), code::SOURCE_HEADER, &["twice"]);
    assert!(rows(&read("h.csv", &["a", "b"]).expect("no rows")).is_empty());
}

#[test]
fn broken_files_are_named() {
    let dir = folder(&[("q.csv", b"a\n1\n\"x\n2\n3\n"), ("r.csv", b"a\r1\r2\r"), ("t.csv", b"a\n1\n")]);
    let reader = || Reader::Delimited(csv());
    let unclosed = read(&ingest("q.csv", reader()), None, dir.path());
    wrong(unclosed, code::SOURCE_UNREADABLE, &["`q.csv`", "line 3"]);
    wrong(read(&ingest("r.csv", reader()), None, dir.path()), code::SOURCE_UNREADABLE, &["carriage return"]);
    let source = ingest("t.csv", reader());
    let files = list(&source, dir.path()).expect("there");
    fs::write(dir.path().join("t.csv"), b"a\n").expect("shorter");
    wrong(read_files(&source, &files, None, dir.path()), code::SOURCE_UNREADABLE, &["`t.csv` changed"]);
    let touched = fs::File::options().append(true).open(dir.path().join("t.csv")).expect("there");
    let files = list(&source, dir.path()).expect("there");
    touched.set_modified(std::time::UNIX_EPOCH).expect("touched");
    wrong(
        read_files(&source, &files, None, dir.path()),
        code::SOURCE_UNREADABLE,
        &["`t.csv` changed", "written again"],
    );
    fs::remove_file(dir.path().join("t.csv")).expect("gone");
    wrong(read_files(&source, &files, None, dir.path()), code::SOURCE_UNREADABLE, &["`t.csv` cannot be opened"]);
}

/// Numbers without a dependency: xorshift, good enough to mix cases.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("small")
    }
}

#[test]
fn random_tables_are_read_as_they_were_written_in_blocks_of_any_size() {
    const PIECES: [&str; 12] =
        ["a", "bc", ",", "\"", "\n", "\r\n", "é", "日本", " ", "", "0", "long text of some words "];
    let mut dice = Dice(42);
    for case in 0..300 {
        let n_columns = 1 + dice.roll(5);
        let mut text = (0..n_columns).map(|nth| format!("c{nth}")).collect::<Vec<_>>().join(",") + "\n";
        let mut written: Vec<(i64, Row)> = Vec::new();
        for _ in 0..dice.roll(40) {
            let cells: Row = (0..n_columns)
                .map(|_| {
                    let cell: String = (0..dice.roll(5)).map(|_| PIECES[dice.roll(PIECES.len())]).collect();
                    (n_columns == 1 || dice.roll(6) > 0).then_some(cell)
                })
                .collect();
            let shown: Vec<String> = cells.iter().map(|cell| write_cell(cell.as_deref(), &mut dice)).collect();
            let line = 1 + text.matches('\n').count();
            if shown != [""] {
                written.push((i64::try_from(line).expect("small"), cells));
            }
            text += &shown.join(",");
            text += if dice.roll(3) == 0 { "\r\n" } else { "\n" };
        }
        let read = read_in_blocks(&text, &csv(), [1, 64, 200, 4096][case % 4], 1 + case % 4).expect("readable");
        assert_eq!(numbered_rows(&read), written, "case {case}: {text:?}");
    }
}

fn write_cell(cell: Option<&str>, dice: &mut Dice) -> String {
    let Some(cell) = cell else { return String::new() };
    let needed = cell.is_empty() || cell.contains([',', '\n', '\r']) || cell.starts_with('"');
    // A quote behind the beginning of a field is an ordinary character.
    if needed || dice.roll(3) == 0 { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[test]
fn random_text_is_read_as_a_reader_of_single_bytes_reads_it() {
    const BYTES: &[u8] = b"aab,,\n\n\"\"\\\r ";
    let mut dice = Dice(7);
    for case in 0..2_000 {
        let escape = (case % 3 == 0).then_some(b'\\');
        let n_bytes = dice.roll(300);
        let body: Vec<u8> = (0..n_bytes).map(|_| BYTES[dice.roll(BYTES.len())]).collect();
        let text = format!("c0,c1\n{}", String::from_utf8(body).expect("ASCII"));
        let options = Delimited { escape, on_ragged_row: OnViolation::Quarantine, ..csv() };
        let read = read_in_blocks(&text, &options, [1, 64, 100, 4096][case % 4], 1 + case % 3);
        match (reference(text.as_bytes(), escape), read) {
            (None, Err(diagnostic)) => assert!(diagnostic.message.contains("never ends"), "{}", diagnostic.message),
            (Some((rows, ragged)), Ok(read)) => {
                let found: Vec<(u64, usize)> =
                    read.rejected.rows().into_iter().map(|row| (row.line, row.n_fields)).collect();
                assert_eq!((numbered_rows(&read), found), (rows, ragged), "case {case}: {text:?}");
            }
            (expected, read) => panic!("case {case}: {text:?}: {expected:?} but {:?}", read.map(|read| rows(&read))),
        }
    }
}

/// Rows of two fields with their lines, and the lines and numbers of fields of the others; `None` when a quote is open
/// at the end.
type Reference = (Vec<(i64, Row)>, Vec<(u64, usize)>);

fn reference(text: &[u8], escape: Option<u8>) -> Option<Reference> {
    let (mut rows, mut ragged) = (Vec::new(), Vec::new());
    let (mut fields, mut field, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    let (mut line, mut row_line, mut inside, mut at) = (1_i64, 1_i64, false, 0);
    while at <= text.len() {
        let byte = text.get(at).copied();
        line += i64::from(byte == Some(b'\n'));
        match byte {
            Some(b'"') if inside && text.get(at + 1) == Some(&b'"') => {
                field.push(b'"');
                raw.push(b'"');
                at += 1;
            }
            Some(b'"') if inside => inside = false,
            Some(byte) if inside && Some(byte) == escape => {
                at += 1;
                let next = text.get(at)?;
                line += i64::from(*next == b'\n');
                field.push(*next);
            }
            Some(b'"') if raw.is_empty() => inside = true,
            Some(b',') if !inside => {
                fields.push((raw.is_empty(), std::mem::take(&mut field)));
                raw.clear();
                at += 1;
                continue;
            }
            Some(b'\n') | None if !inside => {
                if raw.last() == Some(&b'\r') {
                    raw.pop();
                    field.pop();
                }
                fields.push((raw.is_empty(), std::mem::take(&mut field)));
                match fields.len() {
                    1 if fields[0].0 => {}
                    2 => rows.push((row_line, cells(&fields))),
                    n => ragged.push((row_line.unsigned_abs(), n)),
                }
                fields.clear();
                raw.clear();
                row_line = line;
                at += 1;
                continue;
            }
            Some(other) => field.push(other),
            None => return None,
        }
        raw.extend(byte);
        at += 1;
    }
    Some((rows.split_off(1), ragged))
}

fn cells(fields: &[(bool, Vec<u8>)]) -> Row {
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).expect("ASCII");
    fields.iter().map(|(is_null, field)| (!is_null).then(|| text(field))).collect()
}

fn read_in_blocks(text: &str, options: &Delimited, block_bytes: usize, n_partitions: usize) -> Outcome<Read> {
    let dir = folder(&[("t.csv", text.as_bytes())]);
    let source = ingest("t.csv", Reader::Delimited(options.clone()));
    let files = list(&source, dir.path())?;
    let names = text::header(options, &files[0], dir.path())?;
    let mut format = text::DelimitedText::open(options, &files, &names, false, dir.path())?;
    format.block_bytes = block_bytes;
    let metadata = columns::Metadata { columns: source.metadata_columns.clone(), run_id: String::new(), started_at: 0 };
    let rejected: Arc<Rejected> = Arc::default();
    let recipe = execution::Recipe {
        files: Arc::from(files),
        project_dir: dir.path().to_owned(),
        schema: schema(text_fields(&names), &metadata),
        metadata,
        format: execution::Format::Delimited(format),
        rejected: Arc::clone(&rejected),
        site: Site::root(SourceId(0)),
    };
    let plan: Arc<dyn ExecutionPlan> = Arc::new(execution::Scan::new(recipe, n_partitions));
    match run(collect(plan, SessionContext::new().task_ctx())) {
        Ok(batches) => Ok(Read { batches, rejected }),
        Err(error) => Err(Box::new(diagnostic_of(&error).expect("a diagnostic").clone())),
    }
}
