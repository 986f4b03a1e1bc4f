//! The architecture, held by a test: imports point one way, heavy crates stay in their rooms, files stay short and say
//! at their head what they are.

use std::collections::BTreeMap;
use std::path::Path;

use crate::project::{files_below, package};

/// The modules in the order in which they may import: each only those before it.
const ORDER: &[&str] = &[
    "diagnostic",
    "source",
    "report",
    "name",
    "statistics",
    "ml",
    "ir",
    "sql",
    "kind",
    "connectors",
    "expectations",
    "steps",
    "spec",
    "exchange",
    "schema",
    "project",
    "resolve",
    "graph",
    "check",
    "export",
    "compatibility",
    "state",
    "plan",
    "engines",
    "cli",
];

/// Names that everyone may use although they stand later: words for plain names.
const EVERYWHERE: &[&str] = &["name"];

const MOST_LINES: usize = 600;

/// Crates and the modules that may name them.
const ROOMS: &[(&str, &[&str])] = &[
    ("datafusion", &["sql", "check", "state", "engines", "cli"]),
    ("deltalake", &["sql", "check", "state", "engines", "cli"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("miette", &["report"]),
    ("granit_parser", &["source"]),
    ("jsonschema", &["schema"]),
    ("petgraph", &["graph"]),
    ("minijinja", &["cli"]),
];

const BANNED: &[&str] = &["todo!(", "unimplemented!(", "dbg!(", ".unwrap()", "panic!("];

const VAGUE: &[&str] = &["utils", "util", "helper", "helpers", "common", "manager", "handler", "processor", "misc"];

fn sources() -> BTreeMap<String, String> {
    let root = package().join("src");
    files_below(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        // Unit tests: `tests.rs`, or the files of a folder `tests`.
        .filter(|path| !path.ends_with("tests.rs") && path.parent().is_none_or(|folder| !folder.ends_with("tests")))
        .map(|path| {
            let relative = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
            (relative, std::fs::read_to_string(&path).expect("a readable file"))
        })
        .collect()
}

fn module(relative: &str) -> &str {
    let first = relative.split('/').next().expect("a path has a part");
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The part of a file before its unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn imports_point_one_way() {
    let position = |name: &str| ORDER.iter().position(|known| *known == name);
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(own) = position(module(&file)) else { continue };
        for (number, line) in code(&text).lines().enumerate() {
            let trimmed = line.trim_start();
            if trimmed.starts_with("//") {
                continue;
            }
            for used in trimmed.split("crate::").skip(1) {
                let name = used.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
                if position(name).is_some_and(|other| other > own) && !EVERYWHERE.contains(&name) {
                    wrong.push(format!("src/{file}:{}: imports `{name}`", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_order() {
    for file in sources().keys() {
        let name = module(file);
        assert!(ORDER.contains(&name) || matches!(name, "lib" | "main"), "src/{file} has no place in the order");
    }
}

#[test]
fn heavy_crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for (name, rooms) in ROOMS {
            let named = |line: &str| !line.trim_start().starts_with("//") && line.contains(&format!("{name}::"));
            if !rooms.contains(&module(&file)) && code(&text).lines().any(named) {
                wrong.push(format!("src/{file} names `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let n_lines = text.lines().count();
        if n_lines > MOST_LINES {
            wrong.push(format!("src/{file} has {n_lines} lines"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("src/{file} has no head"));
        }
        let stem = Path::new(&file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if VAGUE.contains(&stem.as_str())
            || stem.strip_prefix("part").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_'))
        {
            wrong.push(format!("src/{file} has a name that says nothing"));
        }
        for banned in BANNED {
            let found = |line: &&str| !line.trim_start().starts_with("//") && line.contains(banned);
            if let Some(line) = code(&text).lines().find(found) {
                wrong.push(format!("src/{file}: `{banned}` in `{}`", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_big_crates_are_there_once() {
    let lock = std::fs::read_to_string(package().join("Cargo.lock")).expect("Cargo.lock");
    for name in ["datafusion", "arrow", "parquet", "object_store", "sqlparser", "deltalake-core"] {
        let n_versions = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(n_versions, 1, "{name} in {n_versions} versions");
    }
}
