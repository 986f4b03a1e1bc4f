//! Files, folders and globs.

use super::*;

fn listed(location: &str, dir: &Path) -> Vec<String> {
    let files = list(&ingest(location, Reader::Delimited(csv())), dir).expect("files");
    files.into_iter().map(|file| file.path).collect()
}

fn refused(location: &str, dir: &Path, parts: &[&str]) -> Diagnostic {
    let diagnostic = list(&ingest(location, Reader::Delimited(csv())), dir).expect_err("nothing there");
    let text = format!("{} | {:?} | {:?}", diagnostic.message, diagnostic.note, diagnostic.help);
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    *diagnostic
}

fn example() -> TempDir {
    folder(&[
        ("in/b.csv", b"a\n"),
        ("in/2024/a.CSV", b"a\n"),
        ("in/.hidden.csv", b""),
        ("in/_tmp/c.csv", b""),
        ("in/notes.xlsx", b""),
        ("in/[odd].csv", b"a\n"),
        ("empty/.keep", b""),
        ("other/readme.md", b""),
    ])
}

#[test]
fn files_folders_and_globs_are_listed_in_order() {
    let dir = example();
    assert_eq!(listed("in/b.csv", dir.path()), ["in/b.csv"]);
    assert_eq!(listed("./in/b.csv", dir.path()), ["in/b.csv"]);
    assert_eq!(listed("in", dir.path()), ["in/2024/a.CSV", "in/[odd].csv", "in/b.csv"]);
    assert_eq!(listed("in/*.csv", dir.path()), ["in/[odd].csv", "in/b.csv"]);
    assert_eq!(listed("in/**/*.{csv,CSV}", dir.path()), ["in/2024/a.CSV", "in/[odd].csv", "in/b.csv"]);
    assert_eq!(listed("in/[odd].csv", dir.path()), ["in/[odd].csv"]);
    let absolute = dir.path().join("in/b.csv");
    let absolute = absolute.to_str().expect("UTF-8");
    assert_eq!(listed(absolute, dir.path()), ["in/b.csv"]);
    assert_eq!(listed(&format!("file://{absolute}"), dir.path()), ["in/b.csv"]);
    assert_eq!(listed(absolute, &dir.path().join("other")), [absolute]);
    assert_eq!(listed("../in/b.csv", &dir.path().join("other")), ["../in/b.csv"]);
}

#[test]
fn what_is_missing_is_told_apart() {
    let dir = example();
    let missing = refused("in/c.csv", dir.path(), &["`in/c.csv` does not exist", "did you mean `in/b.csv`?"]);
    assert_eq!(
        (missing.code, missing.fix.as_ref().map(crate::diagnostic::Fix::text)),
        (code::SOURCE_MISSING, Some("in/b.csv"))
    );
    refused("inn/b.csv", dir.path(), &["`inn/b.csv` does not exist", "did you mean `in`?"]);
    refused("empty", dir.path(), &["the folder `empty` has no files that end in `.csv`", "no files at all"]);
    refused("other", dir.path(), &["the folder `other`", "there is `readme.md`"]);
    refused("in/*.tsv", dir.path(), &["the glob `in/*.tsv` matches no file", "there is `[odd].csv`"]);
    refused("inn/*.csv", dir.path(), &["there is no folder `inn`", "did you mean `in`?"]);
    let remote = refused("s3://bucket/x.csv", dir.path(), &["`s3://`"]);
    assert_eq!(remote.code, code::SOURCE_OPTION);
}

#[test]
fn a_stamp_changes_with_the_file() {
    let dir = example();
    let source = ingest("in/b.csv", Reader::Delimited(csv()));
    let before = list(&source, dir.path()).expect("there");
    assert_eq!(before, list(&source, dir.path()).expect("there"));
    fs::write(dir.path().join("in/b.csv"), b"a\n1\n").expect("written");
    let after = list(&source, dir.path()).expect("there");
    assert!(after[0].stamp != before[0].stamp && after[0].stamp >= 0);
}
