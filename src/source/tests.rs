//! Every nasty file: its value, or its one error with code and place.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Part;

struct Outcome {
    value: Option<Value>,
    /// `code line:column-end_line:end_column "shown" fix` per diagnostic.
    errors: Vec<String>,
    sources: Sources,
}

fn read_bytes(bytes: &[u8]) -> Outcome {
    let mut files = Memory::default();
    files.files.insert("a.yml".into(), bytes.to_vec());
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let document = read(&files, Path::new("a.yml"), "a.yml", &mut sources, &mut diagnostics);
    assert_eq!(document.is_ok(), diagnostics.n_errors() == 0);
    let errors = diagnostics.iter().map(|diagnostic| describe(diagnostic, &sources)).collect();
    Outcome { value: document.ok().map(|document| document.value), errors, sources }
}

fn describe(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut line = diagnostic.code.to_string();
    if let Some(label) = diagnostic.labels.first() {
        let at = sources.locate(&label.site).expect("the source exists");
        let text = &sources.get(label.site.source).text[at.range.clone()];
        write!(line, " {}:{} {text:?}", at.line, at.column).expect("a String takes all");
    }
    if let Some(fix) = &diagnostic.fix {
        write!(line, " -> {:?}", fix.text()).expect("a String takes all");
    }
    line
}

fn value(text: &str) -> Value {
    let outcome = read_bytes(text.as_bytes());
    outcome.value.unwrap_or_else(|| panic!("{text:?} gives {:?}", outcome.errors))
}

fn errors(text: &str) -> Vec<String> {
    read_bytes(text.as_bytes()).errors
}

/// Where a site is, as the text that is shown.
fn shown(text: &str, pointer: &str, part: Part) -> String {
    let outcome = read_bytes(text.as_bytes());
    assert_eq!(outcome.errors, Vec::<String>::new(), "{text}");
    let site = Site { source: SourceId(0), pointer: pointer.to_owned(), part };
    let location = outcome.sources.locate(&site).expect("the source exists");
    let shown = &outcome.sources.get(SourceId(0)).text[location.range.clone()];
    format!("{}:{} {shown}", location.line, location.column)
}

#[test]
fn values_are_those_of_yaml_1_2_and_leading_zeros_stay_text() {
    let cases = [
        ("a: 001\nb: NO\nc: 2024-01-01\nd: -007", json!({"a": "001", "b": "NO", "c": "2024-01-01", "d": "-007"})),
        ("a: !!str 12\nb: !!int \"7\"\nc: ! 5", json!({"a": "12", "b": 7, "c": "5"})),
        ("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n", json!({"a": 1, "b": "x\ny\n"})),
        ("região: são\n'chave é': 1", json!({"região": "são", "chave é": 1})),
        ("1: a\ntrue: b", json!({"1": "a", "true": "b"})),
        ("{\"a\":\n\t[1, 2.5,\n\t\"\\u00e9\\ud83d\\ude00\\/\", null]}", json!({"a": [1, 2.5, "é😀/", null]})),
        ("a:\n- 1\n- {b: c}\nd:", json!({"a": [1, {"b": "c"}], "d": null})),
        ("- a\n- b\n", json!(["a", "b"])),
        ("--- # first\na: 1\n...\n", json!({"a": 1})),
        ("%YAML 1.2\n---\na: 1", json!({"a": 1})),
        ("a: >-\n  x\n  y\n\n  z\n", json!({"a": "x y\nz"})),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn anchors_aliases_and_merge_keys_expand_and_written_keys_win() {
    let text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\none: {<<: *b, y: 9}\ntwo:\n  <<: [*b, *o]\n  w: 0\nlist: [*b]\n";
    let value = value(text);
    assert_eq!(value["one"], json!({"x": 1, "y": 9}));
    assert_eq!(value["two"], json!({"w": 0, "x": 1, "y": 2, "z": 4}));
    assert_eq!(value["list"], json!([{"x": 1, "y": 2}]));
    assert_eq!(self::value("a: {<<: {x: 1}, y: 2}"), json!({"a": {"y": 2, "x": 1}}));
    assert_eq!(self::value("'<<': 1"), json!({"<<": 1}));
}

#[test]
fn each_wrong_file_gives_one_error_at_its_place() {
    let cases: &[(&str, &str)] = &[
        ("", "source::empty-file 1:1 \"\""),
        ("# nothing\n", "source::empty-file 1:1 \"\""),
        ("---\n", "source::empty-file 1:1 \"\""),
        ("a: 1\n---\nb: 2\n", "source::several-documents 2:1 \"---\""),
        ("a: 1\nb: 2\na: 3\n", "source::duplicate-key 3:1 \"a\""),
        ("{\"a\": 1, \"a\": 2}", "source::duplicate-key 1:10 \"\\\"a\\\"\""),
        ("1: a\n'1': b", "source::duplicate-key 2:1 \"'1'\""),
        ("a: !ref x", "source::unsupported-value 1:4 \"!ref\""),
        ("a: .nan", "source::unsupported-value 1:4 \".nan\" -> \"\\\".nan\\\"\""),
        (
            "id: 18446744073709551616",
            "source::unsupported-value 1:5 \"18446744073709551616\" -> \"\\\"18446744073709551616\\\"\"",
        ),
        ("a: !!int x", "source::unsupported-value 1:10 \"x\""),
        ("? [a]\n: 1", "source::unsupported-value 1:3 \"[a]\""),
        ("a: {{ x }}", "source::unsupported-value 1:5 \"{ x }\""),
        ("1.5: a", "source::unsupported-value 1:1 \"1.5\" -> \"\\\"1.5\\\"\""),
        (": a", "source::unsupported-value 1:1 \"\""),
        ("a: &a [*a]", "source::unsupported-value 1:8 \"*a\""),
        ("a: {<<: 1}", "source::unsupported-value 1:9 \"1\""),
        ("a: *x", "source::syntax 1:4 \"*x\" -> \"\\\"*x\\\"\""),
        ("include: [*.yml]", "source::syntax 1:11 \"*.yml\" -> \"\\\"*.yml\\\"\""),
        ("a:\n\tb: 1\n", "source::syntax 2:1 \"\\t\" -> \"  \""),
        ("a:\n  b: 1\n\tc: 1\n", "source::syntax 3:1 \"\\t\" -> \"  \""),
        ("a: 'b\nc: d\n", "source::syntax 1:4 \"'b\" -> \"'b'\""),
        ("a: \"b", "source::syntax 1:4 \"\\\"b\" -> \"\\\"b\\\"\""),
        ("a: 1 # don't\nb: 'c\nd: 1\n", "source::syntax 2:4 \"'c\" -> \"'c'\""),
        ("a: 'it's'\n", "source::syntax 1:8 \"s'\""),
        ("a: \"\\d+\"\n", "source::syntax 1:5 \"\\\\d\" -> \"\\\\\\\\d\""),
        ("a:b\nc: d\n", "source::syntax 1:2 \":\" -> \": \""),
        ("c: d\na:b\ne: f\n", "source::syntax 2:2 \":\" -> \": \""),
        ("a: b: c\n", "source::syntax 1:4 \"b: c\" -> \"\\\"b: c\\\"\""),
        ("a: 1\n b: 2\n", "source::syntax 2:2 \"b\""),
        ("a:\n  b: 1\n c: 2\n", "source::syntax 3:2 \"c: 2\""),
        ("a: [1, 2\nb: 3\n", "source::syntax 1:4 \"[\""),
        ("a: {b: 1\nc: 2\n", "source::syntax 1:4 \"{\""),
        ("a: {b: 1", "source::syntax 1:4 \"{\""),
        ("{\"a\": 1 \"b\": 2}", "source::syntax 1:7 \"1\" -> \"1,\""),
        ("a: 1\n}\n", "source::syntax 2:1 \"}\""),
        ("a: @x\n", "source::syntax 1:4 \"@x\" -> \"\\\"@x\\\"\""),
        ("a: %x # c\n", "source::syntax 1:4 \"%x\" -> \"\\\"%x\\\"\""),
        ("- a\nb: c\n", "source::syntax 2:1 \"b: c\""),
        ("a: - b\n", "source::syntax 1:4 \"-\""),
        ("a: 1\nb\nc: 2\n", "source::syntax 2:1 \"b\" -> \"b:\""),
        ("a: | x\n  y\n", "source::syntax 1:4 \"| x\""),
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "source::syntax 2:8 \"1\" -> \"1,\""),
        ("{\"a\": \"x\"\n \"b\": [2]\n}", "source::syntax 1:7 \"\\\"x\\\"\" -> \"\\\"x\\\",\""),
        ("{\"a\": [1, 2}", "source::syntax 1:7 \"[\""),
        ("{\"a\": 1", "source::syntax 1:1 \"{\""),
        ("{\"a\" 1}", "source::syntax 1:6 \"1\""),
        ("a: \u{0}", "source::syntax 1:4 \"\\0\""),
        ("a: \u{7}b", "source::syntax 1:4 \"\\u{7}\""),
    ];
    let mut wrong = String::new();
    for (text, expected) in cases {
        let found = errors(text);
        if found != [(*expected).to_owned()] {
            writeln!(wrong, "{text:?}\n  expected {expected}\n  found    {}", found.join("\n           "))
                .expect("a String takes all");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A fix, put in place of the primary label, removes the error.
#[test]
fn fixes_remove_their_error() {
    let texts = [
        "a: .nan",
        "id: 18446744073709551616",
        "1.5: a",
        "a: *x",
        "include: [*.yml, b]",
        "a:\n\tb: 1\n",
        "a:\n  b: 1\n\tc: 1\n",
        "a: 'b\nc: d\n",
        "a: \"b # c\nd: 1",
        "a: 1 # don't\nb: 'c\nd: 1\n",
        "a: \"\\d+\"\n",
        "a:b\nc: d\n",
        "c: d\na:b\ne: f\n",
        "a: b: c # d\n",
        "{\"a\": 1 \"b\": 2}",
        "{\n  \"a\": 1\n  \"b\": 2\n}",
        "{\"a\": \"x\"\n \"b\": [2]\n}",
        "a: @x\r\nb: 1",
        "a: %x # c\n",
        "a: 1\nb\nc: 2\n",
    ];
    let mut wrong = String::new();
    for text in texts {
        let files = Memory::new([("a.yml", text)]);
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        read(&files, Path::new("a.yml"), "a.yml", &mut sources, &mut diagnostics).expect_err(text);
        let problem = diagnostics.iter().next().expect("one error");
        let range = sources.locate(&problem.labels[0].site).expect("the source exists").range;
        let mut fixed = text.to_owned();
        fixed.replace_range(range, problem.fix.as_ref().map(super::super::diagnostic::Fix::text).expect(text));
        if !errors(&fixed).is_empty() {
            writeln!(wrong, "{text:?} became {fixed:?}: {:?}", errors(&fixed)).expect("a String takes all");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_duplicate_key_shows_both_places() {
    let mut files = Memory::default();
    files.files.insert("a.yml".into(), b"a: 1\na: 2\n".to_vec());
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    read(&files, Path::new("a.yml"), "a.yml", &mut sources, &mut diagnostics).expect_err("a duplicate");
    let lines: Vec<usize> = diagnostics
        .iter()
        .flat_map(|diagnostic| &diagnostic.labels)
        .filter_map(|label| sources.locate(&label.site).map(|location| location.line))
        .collect();
    assert_eq!(lines, [2, 1]);
}

#[test]
fn bytes_that_are_not_utf8_are_named_and_shown() {
    let outcome = read_bytes(b"a: 1\nnome: S\xe3o Paulo\nb: 2\n");
    assert_eq!(outcome.errors, ["source::not-utf8 2:8 \"\u{fffd}\""]);
    assert_eq!(read_bytes(b"\xff\xfea\0:\0").errors, ["source::not-utf8 1:1 \"\u{fffd}\""]);
    assert_eq!(read_bytes(b"a: 1\n\xe3").errors, ["source::not-utf8 2:1 \"\u{fffd}\""]);
}

#[test]
fn twenty_thousand_levels_give_one_error_at_once() {
    let levels = 20_000;
    let mut block = String::new();
    for level in 0..2_000 {
        writeln!(block, "{}a:", " ".repeat(level)).expect("a String takes all");
    }
    let cases = [
        "[".repeat(levels),
        format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
        "- ".repeat(levels),
        "{a: ".repeat(levels),
        "{\"a\":".repeat(levels),
        "[{\"a\":".repeat(levels),
        String::from("a:\n- ") + &"- ".repeat(levels),
        "? ".repeat(levels),
        block,
    ];
    for text in cases {
        let found = errors(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("source::too-deep "), "{found:?}");
    }
    assert!(value(&format!("{}{}", "[".repeat(100), "]".repeat(100)))[0][0].is_array());
}

#[test]
fn an_alias_bomb_gives_one_error_at_the_alias() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").expect("a String takes all");
    }
    assert_eq!(errors(&text), ["source::too-large 6:45 \"*a4\""]);

    let mut merges = String::from("a0: &a0 {k: 1}\n");
    for level in 1..60 {
        let from = level - 1;
        writeln!(merges, "a{level}: &a{level} {{<<: [*a{from}, *a{from}]}}").expect("a String takes all");
    }
    let found = errors(&merges);
    assert!(found.len() == 1 && found[0].starts_with("source::too-large "), "{found:?}");

    let mut deep = format!("a0: &a0 {}1{}\n", "[".repeat(100), "]".repeat(100));
    for level in 1..60 {
        writeln!(deep, "a{level}: &a{level} {}*a{}{}", "[".repeat(100), level - 1, "]".repeat(100))
            .expect("a String takes all");
    }
    let found = errors(&deep);
    assert!(found.len() == 1 && found[0].starts_with("source::too-deep 2:"), "{found:?}");
}

#[test]
fn large_files_work_or_are_refused() {
    let text = format!("a: '{}'\n", "x".repeat(5 << 20));
    assert_eq!(value(&text)["a"].as_str().map(str::len), Some(5 << 20));
    assert_eq!(read_bytes(&vec![b' '; MAX_FILE_BYTES + 1]).errors, ["source::too-large"]);
    let many = format!("[{}]", "1,".repeat(MAX_NODES));
    assert_eq!(errors(&many).len(), 1);
    let wrong = String::from("a: .nan\n") + &(0..1000).fold(String::new(), |text, n| text + &format!("k{n}: .inf\n"));
    assert_eq!(errors(&wrong).len(), 100);
}

#[test]
fn sites_lead_to_the_characters_that_are_meant() {
    let text = "a: b c  # x\nlist:\n- x: 1\n- &anchor {y: [1, 2]}\nalias: *anchor\nmerged: {<<: *anchor, z: é}\n\"q/k\": ~\nempty:\nblock: |\n  SELECT\n    é, b\nlast: 'x'\n";
    let cases = [
        ("", Part::Value, "1:1 a: b c  # x"),
        ("/a", Part::Value, "1:4 b c"),
        ("/a", Part::Key, "1:1 a"),
        ("/a", Part::Text(2..3), "1:6 c"),
        ("/list", Part::Value, "2:1 list"),
        ("/list/0", Part::Value, "3:3 x: 1"),
        ("/list/0/x", Part::Value, "3:6 1"),
        ("/list/1", Part::Value, "4:11 {y: [1, 2]}"),
        ("/list/1/y/1", Part::Value, "4:19 2"),
        ("/alias", Part::Value, "5:8 *anchor"),
        ("/alias", Part::Key, "5:1 alias"),
        ("/alias/y/1", Part::Value, "5:8 *anchor"),
        ("/merged/y", Part::Value, "6:14 *anchor"),
        ("/merged/y/0", Part::Key, "6:14 *anchor"),
        ("/merged/z", Part::Value, "6:26 é"),
        ("/merged/nothing", Part::Value, "6:1 merged"),
        ("/list/9", Part::Key, "2:1 list"),
        ("/q~1k", Part::Value, "7:8 ~"),
        ("/empty", Part::Value, "8:1 empty"),
        ("/block", Part::Value, "10:3 SELECT\n    é, b"),
        ("/block", Part::Text(7..11), "11:3   é"),
        ("/block", Part::Text(13..14), "11:8 b"),
        ("/last", Part::Text(0..1), "12:8 x"),
    ];
    for (pointer, part, expected) in cases {
        assert_eq!(shown(text, pointer, part.clone()), expected, "{pointer} {part:?}");
    }
}

#[test]
fn a_text_file_has_raw_sites() {
    let files = Memory::new([("q.sql", "\u{feff}SELECT é\r\nFROM t")]);
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let source = read_text(&files, Path::new("q.sql"), "sql/q.sql", &mut sources, &mut diagnostics).expect("reads");
    let location = sources.locate(&Site::root(source).text(16..17)).expect("the source exists");
    assert_eq!((location.line, location.column, location.end_column), (2, 6, 7));
    assert_eq!(sources.find("sql/q.sql"), Some(source));
    assert!(sources.locate(&Site::root(SourceId(9))).is_none());
    let whole = sources.locate(&Site::root(source)).expect("the source exists");
    assert_eq!(whole.range, 0..9);
}

#[test]
fn a_thousand_sites_in_one_long_line_are_located() {
    let text = format!("[{}\"é\"]", "\"é\",".repeat(200_000));
    let outcome = read_bytes(text.as_bytes());
    for index in 0..1000 {
        let site = Site::root(SourceId(0)).element(index);
        let location = outcome.sources.locate(&site).expect("the source exists");
        assert_eq!(location.column, 2 + index * 4);
    }
}

#[test]
fn the_disk_refuses_what_is_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let paths = [folder.path().to_path_buf(), "/dev/zero".into(), "/dev/tty".into(), folder.path().join("none.yml")];
    for path in &paths {
        assert!(read(&Disk, path, "x.yml", &mut sources, &mut diagnostics).is_err(), "{path:?}");
    }
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.code == code::UNREADABLE));
    std::fs::create_dir_all(folder.path().join("b/.git")).expect("a folder");
    for file in ["b/.git/c.yml", "b/d.yml", "a.yml"] {
        std::fs::write(folder.path().join(file), "a: 1").expect("a file");
    }
    let listed = Disk.list(folder.path()).expect("lists");
    assert_eq!(listed, [folder.path().join("a.yml"), folder.path().join("b/d.yml")]);
    assert!(read(&Disk, &listed[0], "a.yml", &mut sources, &mut diagnostics).is_ok());
}

#[test]
fn no_mutation_of_a_file_panics_or_hangs() {
    let sample = "# c\na: &x {b: 'it''s', c: \"d\\n\\u00e9\"}\nl:\n- 1\n- [x, {y: z}]\n- *x\nm: {<<: *x}\nt: |\n  SELECT 1\n   FROM é\nf: >-\n  a\n\n  b\n? k\n: 0x1F\n";
    let pieces = [
        "\t", "\n", " ", "'", "\"", "[", "]", "{", "}", ":", "- ", "&x", "*x", "|", "é", "\\", "#", "---\n", "!!int ",
        "<<: ", "\u{0}", "\r", "? ", "%", "\u{feff}",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below.max(1)
    };
    for _ in 0..4_000 {
        let mut characters: Vec<char> = sample.chars().collect();
        for _ in 0..=next(4) {
            let at = next(characters.len());
            match next(3) {
                0 => drop(characters.splice(at..at, pieces[next(pieces.len())].chars())),
                1 => drop(characters.drain(at..(at + next(8)).min(characters.len()))),
                _ => characters.truncate(at.max(1)),
            }
        }
        let text: String = characters.into_iter().collect();
        let outcome = read_bytes(text.as_bytes());
        if let Some(value) = &outcome.value {
            locate_all(value, &Site::root(SourceId(0)), &outcome.sources);
        }
    }
}

/// Every node and every byte range of every string has a place on character boundaries.
fn locate_all(value: &Value, site: &Site, sources: &Sources) {
    let whole = sources.locate(site).expect("the source exists");
    assert!(sources.get(site.source).text.get(whole.range).is_some());
    match value {
        Value::String(text) => {
            for start in 0..text.len() {
                sources.locate(&site.clone().text(start..start + 1)).expect("the source exists");
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| locate_all(value, &site.element(index), sources));
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| locate_all(value, &site.member(key), sources)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
