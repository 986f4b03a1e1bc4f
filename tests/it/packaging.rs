//! `medc package`: the same files give the same bytes, and nothing else gets in.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::project::{Project, files_below, package};

fn sales() -> Project {
    Project::copy_of(&package().join("specs/sales"))
}

fn packed(project: &Project) -> Vec<u8> {
    let run = project.medc(&["package", "-o", "out.zip"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    std::fs::read(project.path().join("out.zip")).expect("a ZIP file")
}

/// Names, modes and bytes.
fn entries(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a ZIP file");
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).expect("an entry");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("readable");
            (entry.name().expect("UTF-8").into_owned(), entry.unix_mode().expect("a mode") & 0o777, bytes)
        })
        .collect()
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let (first, second) = (sales(), sales());
    for (index, file) in files_below(second.path()).iter().enumerate() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * (20 + index as u64 % 10));
        let opened = std::fs::File::options().write(true).open(file).expect("a file");
        opened.set_modified(time).expect("a time");
    }
    let bytes = packed(&first);
    assert_eq!(bytes, packed(&second));
    assert_eq!(bytes, packed(&first), "a second run, with the first one's file there");

    let entries = entries(&bytes);
    let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(
        names.is_sorted() && names.contains(&"medc.yml") && names.contains(&"sql/customer_metrics.sql"),
        "{names:?}"
    );
    for (name, mode, bytes) in &entries {
        assert_eq!(*bytes, std::fs::read(first.path().join(name)).expect("the file"), "{name}");
        assert_eq!(*mode, if bytes.starts_with(b"#!") { 0o755 } else { 0o644 }, "{name}");
    }
}

#[test]
fn what_was_packed_runs_elsewhere() {
    let project = sales();
    let unpacked = Project::empty();
    for (name, _, bytes) in entries(&packed(&project)) {
        unpacked.write_bytes(&name, &bytes);
    }
    let run = unpacked.medc(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn what_tools_make_and_git_ignores_is_left_out() {
    let project = sales();
    let expected = packed(&project);
    assert_eq!(project.medc(&["apply"]).code, Some(0));
    for file in [
        ".env",
        ".env.prod",
        ".git/config",
        ".venv/bin/python",
        "src/__pycache__/a.pyc",
        "target/debug/medc",
        "dist/older.zip",
        "node_modules/a.js",
    ] {
        project.write(file, "SECRET=1\n");
    }
    let run = project.medc(&["package", "-o", "out.zip"]);
    assert!(run.stderr.contains(".env is left out"), "{run:?}");
    assert_eq!(packed(&project), expected);

    project.write(".gitignore", "*.log\n/scratch/\n");
    project.write("a.log", "x");
    project.write("scratch/server.key", "x");
    project.write("notes/scratch/kept.txt", "x");
    project.write("notes/.gitignore", "own.txt\n");
    project.write("notes/own.txt", "x");
    project.write(".env.example", "A=1\n");
    let names: Vec<String> = entries(&packed(&project)).into_iter().map(|(name, ..)| name).collect();
    let added = [".env.example", ".gitignore", "notes/.gitignore", "notes/scratch/kept.txt"];
    let known: Vec<String> = entries(&expected).into_iter().map(|(name, ..)| name).collect();
    let new: Vec<&String> = names.iter().filter(|name| !known.contains(name)).collect();
    assert_eq!(new, added);
}

#[test]
fn tables_are_left_out_wherever_they_lie() {
    let project = sales();
    let text = project.read("medc.yml").replace("warehouse: .medc/warehouse", "warehouse: lake/tables");
    project.write("medc.yml", &text);
    assert_eq!(project.medc(&["apply"]).code, Some(0));
    assert!(project.path().join("lake/tables").is_dir());
    assert!(!entries(&packed(&project)).iter().any(|(name, ..)| name.starts_with("lake/")));
}

#[test]
fn keys_and_tokens_are_refused() {
    let token = format!("DATABRICKS_TOKEN: dapi{}\n", "0a1b".repeat(8));
    for (file, text) in [
        ("server.pem", "x"),
        ("deploy/id_ed25519", "x"),
        (".databrickscfg", "[DEFAULT]\n"),
        ("notes.md", token.as_str()),
        ("notes.txt", "-----BEGIN PRIVATE KEY-----\n"),
    ] {
        let project = sales();
        project.write(file, text);
        let run = project.medc(&["package"]);
        assert_eq!(run.code, Some(1), "{file}: {run:?}");
        assert!(run.stderr.contains(&format!("`{file}` looks like a key or holds a token")), "{run:?}");
        assert!(!run.stderr.contains("dapi0a"), "the token itself is not shown: {run:?}");
        assert!(!project.path().join("dist/sales.zip").exists());
    }
}

#[cfg(unix)]
#[test]
fn links_are_refused() {
    let project = sales();
    std::os::unix::fs::symlink("/etc/passwd", project.path().join("data/other.csv")).expect("a link");
    std::os::unix::fs::symlink(".", project.path().join("again")).expect("a link");
    let run = project.medc(&["package"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("`again`, `data/other.csv` are links"), "{run:?}");
}

#[test]
fn what_lies_outside_is_refused() {
    let parent = Project::empty();
    parent.write("shared/orders.csv", "order_id\n1\n");
    parent.write(
        "shop/medc.yml",
        "project: {name: shop}
environments: {local: {engine: local, warehouse: .medc/warehouse}}
layers: {bronze: {}}
contracts: {orders: {columns: {order_id: {type: string}}}}
tables: {bronze.orders: {source: {format: csv, path: ../shared/orders.csv}, contract: orders}}
",
    );
    let run = parent.medc(&["package", "-p", "shop"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("reads `../shared/orders.csv`, outside of its folder"), "{run:?}");
}

#[test]
fn the_default_name_is_the_projects() {
    let project = sales();
    let run = project.medc(&["package"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(Path::new(&project.path().join("dist/sales.zip")).is_file());
    assert_eq!(project.medc(&["package", "-o", "."]).code, Some(2));
    project.write("sql/customer_metrics.sql", "SELECT nothing FROM nowhere");
    assert_eq!(project.medc(&["package"]).code, Some(1));
}
