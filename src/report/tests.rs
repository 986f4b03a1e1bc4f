use serde_json::Value;

use super::*;
use crate::diagnostic::{Site, SourceId, code};
use crate::source::SourceKind;

const PLAIN: Style = Style { color: false, unicode: true, width: 100 };

fn sample() -> (Diagnostics, Sources) {
    let mut sources = Sources::new();
    let first = sources.add("a.yml", "base: &b {x: é1}\nuse: *b\nsql: |\n  SELECT a\n  FROM t\n", SourceKind::Document);
    let second = sources.add("dir, 1/b.yml", "y: 2\n", SourceKind::Document);
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(
        Diagnostic::error(code::WRONG_TYPE, "`x` is 100% wrong")
            .at(Site::root(first).member("base").member("x"), "not a number")
            .at(Site::root(second).member("y"), "compare this")
            .note("because of é")
            .help("write a number")
            .fix("1"),
    );
    for pointer in ["/use/x", "/use/y"] {
        diagnostics.error(Diagnostic::error(code::WRONG_VALUE, "wrong").at(Site::root(first).descend(pointer), ""));
    }
    diagnostics.warn(
        Diagnostic::warning(code::SQL_UNKNOWN_COLUMN, "no `a`\nhere")
            .at(Site::root(first).member("sql").text(7..8), "this"),
    );
    diagnostics.error(Diagnostic::error(code::NO_PROJECT, "no medc.yml").help("run `medc init`"));
    (diagnostics, sources)
}

#[test]
fn human_shows_lines_of_every_file_and_each_finding_once() {
    let (diagnostics, sources) = sample();
    let text = human(&diagnostics, &sources, PLAIN);
    let expected = "\
schema::wrong-type

  × `x` is 100% wrong
  ╰─▶ because of é
   ╭─[a.yml:1:14]
 1 │ base: &b {x: é1}
   ·              ─┬
   ·               ╰── not a number
 2 │ use: *b
   ╰────
  help: write a number
        write `1`

  ☞ compare this
   ╭─[dir, 1/b.yml:1:4]
 1 │ y: 2
   ·    ┬
   ·    ╰── compare this
   ╰────

schema::wrong-value

  × wrong
   ╭─[a.yml:2:6]
 1 │ base: &b {x: é1}
 2 │ use: *b
   ·      ──
 3 │ sql: |
   ╰────
";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(text.matches("schema::wrong-value").count(), 1);
    assert!(text.contains("4 │   SELECT a\n"), "{text}");
    assert!(text.contains("a.yml:4:10"), "{text}");
    let ascii = human(&diagnostics, &sources, Style { color: false, unicode: false, width: 80 });
    assert!(!ascii.contains('│'), "{ascii}");
    assert!(human(&diagnostics, &sources, Style { color: true, ..PLAIN }).contains('\u{1b}'));
}

#[test]
fn far_places_in_one_file_are_two_snippets() {
    let mut sources = Sources::new();
    let lines = (0..100).fold(String::new(), |lines, n| lines + &format!("k{n}: {n}\n"));
    let source = sources.add("a.yml", lines, SourceKind::Document);
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(
        Diagnostic::error(code::DUPLICATE_NAME, "twice")
            .at(Site::root(source).member("k90").key(), "again")
            .at(Site::root(source).member("k3").key(), "first"),
    );
    let text = human(&diagnostics, &sources, PLAIN);
    assert!(text.contains("[a.yml:91:1]") && text.contains("[a.yml:4:1]"), "{text}");
    assert!(!text.contains("k50"), "{text}");
}

#[test]
fn long_lines_are_cut_and_control_characters_replaced() {
    let mut sources = Sources::new();
    let text = format!("[{}\"target\", {}]", "\"é\", ".repeat(1_000_000), "1, ".repeat(1_000));
    let source = sources.add("a.json", text, SourceKind::Document);
    let escape = sources.add("e\u{1b}.sql", "a\u{1b}[31mb\u{202e}c", SourceKind::Text);
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(Diagnostic::error(code::WRONG_TYPE, "wrong").at(Site::root(source).element(1_000_000), "here"));
    diagnostics.error(Diagnostic::error(code::SQL_SYNTAX, "wrong\u{1b}[0m").at(Site::root(escape).text(5..6), "here"));
    diagnostics.error(Diagnostic::error(code::WRONG_VALUE, "all").at(Site::root(source), "everything"));
    let report = human(&diagnostics, &sources, PLAIN);
    assert!(report.len() < 4_000, "{} bytes", report.len());
    assert!(report.contains("[a.json:1:5000002]"), "{report}");
    assert!(report.contains("\"target\"") && report.contains('…') && !report.contains('\u{1b}'), "{report}");
}

#[test]
fn empty_places_at_the_end_and_in_empty_files_are_shown() {
    let mut sources = Sources::new();
    let empty = sources.add("a.yml", "", SourceKind::Document);
    let other = sources.add("b.sql", "a\r\nb\r\n", SourceKind::Text);
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(Diagnostic::error(code::EMPTY_FILE, "empty").at(Site::root(empty).text(0..0), "here"));
    diagnostics.error(Diagnostic::error(code::SQL_SYNTAX, "end").at(Site::root(other).text(6..6), "end"));
    diagnostics.error(Diagnostic::error(code::SQL_SYNTAX, "lines").at(Site::root(other).text(0..4), "all"));
    diagnostics.error(Diagnostic::error(code::SQL_SYNTAX, "gone").at(Site::root(SourceId(7)).text(0..4), "all"));
    let report = human(&diagnostics, &sources, PLAIN);
    assert!(report.contains("a.yml:1:1") && report.contains("b.sql:3:1"), "{report}");
}

#[test]
fn short_is_one_line_each() {
    let (diagnostics, sources) = sample();
    assert_eq!(
        short(&diagnostics, &sources),
        "a.yml:1:14: error[schema::wrong-type]: `x` is 100% wrong\n\
         a.yml:2:6: error[schema::wrong-value]: wrong\n\
         a.yml:4:10: warning[check::unknown-column]: no `a` here\n\
         error[project::not-found]: no medc.yml\n"
    );
    assert_eq!(summary(&diagnostics), "4 errors, 1 warning");
}

#[test]
fn github_escapes_properties_and_messages() {
    let (diagnostics, sources) = sample();
    let text = github(&diagnostics, &sources, "");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "::error file=a.yml,line=1,col=14,endColumn=16,title=schema%3A%3Awrong-type::\
         `x` is 100%25 wrong%0Anote: because of é%0Ahelp: write a number"
    );
    assert_eq!(
        lines[2],
        "::warning file=a.yml,line=4,col=10,endColumn=11,title=check%3A%3Aunknown-column::no `a`%0Ahere"
    );
    assert_eq!(lines[3], "::error title=project%3A%3Anot-found::no medc.yml%0Ahelp: run `medc init`");
    assert_eq!(escape_all("a,b:c"), "a%2Cb%3Ac");
    assert!(github(&diagnostics, &sources, "specs/shop/").starts_with("::error file=specs/shop/a.yml,"));
}

fn escape_all(name: &str) -> String {
    let mut sources = Sources::new();
    let source = sources.add(name, "x", SourceKind::Text);
    let mut diagnostics = Diagnostics::new();
    diagnostics.error(Diagnostic::error(code::SQL_SYNTAX, "x").at(Site::root(source).text(0..1), ""));
    let line = github(&diagnostics, &sources, "");
    line.split_once("file=")
        .and_then(|(_, rest)| rest.split_once(",line"))
        .map(|(file, _)| file.to_owned())
        .unwrap_or_default()
}

#[test]
fn json_and_sarif_hold_every_place() {
    let (diagnostics, sources) = sample();
    let parsed: Value = serde_json::from_str(&json(&diagnostics, &sources)).expect("JSON");
    assert_eq!(parsed["format_version"], 1);
    let first = &parsed["diagnostics"][0];
    assert_eq!(first["labels"][0]["end_column"], 16);
    assert_eq!(first["labels"][1]["file"], "dir, 1/b.yml");
    assert_eq!((&first["fix"], &first["severity"]), (&"1".into(), &"error".into()));

    let log: Value = serde_json::from_str(&sarif(&diagnostics, &sources)).expect("JSON");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(4));
    let result = &run["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 14);
    let related = &result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(related, "dir%2C%201/b.yml");
    assert_eq!(result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "1");
    assert_eq!(run["results"][3].get("locations"), None);
}
