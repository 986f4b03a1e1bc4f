use std::path::Path;

use crate::diagnostic::{Diagnostics, Site, SourceId};
use crate::source::{Memory, Sources, read};

/// Maps every occurrence of `⟨…⟩`-free needles: the value's `needle` must stand at the file's `expected`.
fn check(text: &str, needle: &str, line: usize, column: usize, shown: &str) {
    let files = Memory::new([("a.yml", text)]);
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let document = read(&files, Path::new("a.yml"), "a.yml", &mut sources, &mut diagnostics).expect("well-formed");
    let value = document.value["a"].as_str().expect("a text").to_owned();
    let start = value.find(needle).unwrap_or_else(|| panic!("{needle:?} in {value:?}"));
    let site = Site::root(SourceId(0)).member("a").text(start..start + needle.len());
    let location = sources.locate(&site).expect("the source exists");
    let found = &sources.get(SourceId(0)).text[location.range.clone()];
    assert_eq!((location.line, location.column, found), (line, column, shown), "{needle:?} of {value:?} in {text:?}");
}

#[test]
fn ranges_of_values_lead_to_their_bytes_in_every_style() {
    check("a: SELECT x", "x", 1, 11, "x");
    check("a: SELECT x\n  FROM\n\n  tbl", "FROM", 2, 3, "FROM");
    check("a: SELECT x\n  FROM\n\n  tbl", "tbl", 4, 3, "tbl");
    check("a: SELECT x\r\n  FROM\r\n  tbl\r\n", "tbl", 3, 3, "tbl");
    check("a: 'it''s x'", "'", 1, 7, "''");
    check("a: 'it''s x'", "x", 1, 11, "x");
    check("a: 'it''s\n\n   more x'", "x", 3, 9, "x");
    check("a: \"\\tq\\u00e9 \\\"x\\\" y\"", "é", 1, 8, "\\u00e9");
    check("a: \"\\tq\\u00e9 \\\"x\\\" y\"", "x", 1, 17, "x");
    check("a: \"\\tq\\u00e9 \\\"x\\\" y\"", "y", 1, 21, "y");
    check("a: \"\\ud83d\\ude00 y\"", "😀", 1, 5, "\\ud83d\\ude00");
    check("a: \"\\x41 \\U0001F600 y\"", "y", 1, 21, "y");
    check("a: \"one \\\n   two\\\n  \\ three\"", "two", 2, 4, "two");
    check("a: \"one \\\n   two\\\n  \\ three\"", "three", 3, 5, "three");
    check("a: \"one\n   two  \n\n  three\"", "three", 4, 3, "three");
    check("a: |\n  SELECT é,\n    x\n\n  FROM t\n", "x", 3, 5, "x");
    check("a: |\n  SELECT é,\n    x\n\n  FROM t\n", "FROM", 5, 3, "FROM");
    check("a: |\r\n  SELECT é,\r\n    x\r\n\r\n  FROM t\r\n", "FROM", 5, 3, "FROM");
    check("a: |\n\n  SELECT\n  x", "x", 4, 3, "x");
    check("a: |2\n     SELECT\n  x\n", "x", 3, 3, "x");
    check("a: |+ # c\n  SELECT\n\n", "SELECT", 2, 3, "SELECT");
    check("a: >\n  SELECT\n  x\n\n  FROM t\n    more\n  end\n", "x", 3, 3, "x");
    check("a: >\n  SELECT\n  x\n\n  FROM t\n    more\n  end\n", "FROM", 5, 3, "FROM");
    check("a: >\n  SELECT\n  x\n\n  FROM t\n    more\n  end\n", "end", 7, 3, "end");
    check("a: >-\n\n  SELECT\n\n\n  x\n", "x", 6, 3, "x");
    check("x:\n  - 1\na: |\n    SELECT\n      y\n    FROM\nz: 1", "FROM", 6, 5, "FROM");
    check("{\"a\": \"SELECT \\n x\"}", "x", 1, 18, "x");
}
