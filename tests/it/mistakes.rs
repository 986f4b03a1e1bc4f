//! `tests/cases/mistakes/`: projects with one mistake each, as people make them.
//!
//! A case is a folder of files that replace or join those of `_base`, a sound project, and `expected.json`: the error's
//! code, place, message, note and help, and the repair that the help tells, as a replacement in one file. The test
//! holds that there is exactly this one error and no warning, that what the repair writes stands in the help or is the
//! finding's own `fix`, and that the repaired project has no finding at all. `MEDC_BLESS=1` writes what was found.

use std::path::Path;

use serde_json::{Value, json};

use crate::project::{Project, files_below, package, place};

#[test]
fn every_mistake_gives_one_error_that_leads_to_its_repair() {
    let folder = package().join("tests/cases/mistakes");
    let mut cases: Vec<_> = std::fs::read_dir(&folder)
        .expect("the cases")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.is_dir() && !path.ends_with("_base"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 80, "{} cases", cases.len());
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let name = case.file_name().expect("a folder's name").to_string_lossy().into_owned();
            check(case, &folder.join("_base")).err().map(|why| format!("{name}: {why}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {} cases fail\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
}

fn check(case: &Path, base: &Path) -> Result<(), String> {
    let project = Project::copy_of(base);
    for file in files_below(case).iter().filter(|file| !file.ends_with("expected.json")) {
        let relative = file.strip_prefix(case).expect("a file of the case").to_string_lossy().into_owned();
        project.write_bytes(&relative, &std::fs::read(file).expect("a readable file"));
    }
    let expected_path = case.join("expected.json");
    let text = std::fs::read_to_string(&expected_path).unwrap_or_else(|_| "{}".to_owned());
    let expected: Value = serde_json::from_str(&text).map_err(|error| format!("expected.json: {error}"))?;
    for removed in expected["removed"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        std::fs::remove_file(project.path().join(removed)).map_err(|error| format!("{removed}: {error}"))?;
    }

    let findings = project.findings();
    let [finding] = findings.as_slice() else {
        return Err(format!("expected one finding, found {}: {}", findings.len(), json!(findings)));
    };
    let found = json!({
        "code": finding["code"],
        "at": place(finding),
        "message": finding["message"],
        "note": finding["note"],
        "help": finding["help"],
    });
    if std::env::var_os("MEDC_BLESS").is_some() {
        bless(&expected_path, &found, &expected);
    } else {
        for key in ["code", "at", "message", "note", "help"] {
            if found[key] != expected[key] {
                return Err(format!("{key}: expected {}, found {}", expected[key], found[key]));
            }
        }
    }
    if finding["severity"] != "error" || finding["help"].is_null() {
        return Err(format!("not an error with help: {finding}"));
    }
    repair(&project, finding, &expected["repair"])
}

/// Carries out the repair and holds that nothing is left to find.
fn repair(project: &Project, finding: &Value, repair: &Value) -> Result<(), String> {
    let part = |key: &str| repair[key].as_str().ok_or_else(|| format!("repair.{key} is missing"));
    let (file, old, new) = (part("file")?, part("old")?, part("new")?);
    let help = finding["help"].as_str().unwrap_or_default();
    let told = finding["fix"].as_str() == Some(new) || help.contains(part("told").unwrap_or(new));
    if !told {
        return Err(format!("the help `{help}` does not tell `{new}`"));
    }
    if let Some(fix) = finding["fix"].as_str() {
        let label = &finding["labels"][0];
        let at = Span::of(label).ok_or("a fix without a span")?;
        let written = at.replaced(&project.read(label["file"].as_str().unwrap_or_default()), fix);
        let by_fix = Project::copy_of(project.path());
        by_fix.write(label["file"].as_str().unwrap_or_default(), &written);
        let left = by_fix.findings();
        if !left.is_empty() {
            return Err(format!("the fix `{fix}` leaves {}", json!(left)));
        }
    }
    let text = if project.path().join(file).exists() { project.read(file) } else { String::new() };
    if text.matches(old).count() != 1 && !old.is_empty() {
        return Err(format!("`{old}` stands {} times in {file}", text.matches(old).count()));
    }
    let repaired = if old.is_empty() { new.to_owned() } else { text.replacen(old, new, 1) };
    project.write(file, &repaired);
    let left = project.findings();
    if left.is_empty() { Ok(()) } else { Err(format!("the repair leaves {}", json!(left))) }
}

/// A place in a file by lines and columns, from 1, in characters.
struct Span {
    from: (u64, u64),
    to: (u64, u64),
}

impl Span {
    fn of(label: &Value) -> Option<Self> {
        let number = |key: &str| label[key].as_u64();
        Some(Span { from: (number("line")?, number("column")?), to: (number("end_line")?, number("end_column")?) })
    }

    fn replaced(&self, text: &str, fix: &str) -> String {
        format!("{}{fix}{}", &text[..offset(text, self.from)], &text[offset(text, self.to)..])
    }
}

fn offset(text: &str, (line, column): (u64, u64)) -> usize {
    let start: usize = text.split_inclusive('\n').take(usize::try_from(line).expect("a line") - 1).map(str::len).sum();
    let within: usize =
        text[start..].chars().take(usize::try_from(column).expect("a column") - 1).map(char::len_utf8).sum();
    start + within
}

fn bless(path: &Path, found: &Value, expected: &Value) {
    let mut blessed = found.clone();
    for kept in ["repair", "removed"] {
        if !expected[kept].is_null() {
            blessed[kept] = expected[kept].clone();
        }
    }
    let text = serde_json::to_string_pretty(&blessed).expect("JSON");
    std::fs::write(path, text + "\n").expect("a blessed file");
}
