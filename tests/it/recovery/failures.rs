//! What the machine fails at: a full disk, a folder that is not writable, a log that is gone, a damaged file, a clock that
//! jumps back, a warehouse of an older medc. Each is a finding with a page, and nothing is lost.

use std::fmt::Write as _;

use serde_json::Value;

use super::*;
use crate::project::{Run, package};

/// The codes of a run's errors.
fn codes(run: &Run) -> Vec<String> {
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let findings = report["diagnostics"].as_array().expect("findings");
    let errors = findings.iter().filter(|finding| finding["severity"] == "error");
    errors.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

fn built() -> (Lake, BTreeMap<String, Rows>, BTreeMap<String, Rows>, tempfile::TempDir) {
    let lake = Lake::new();
    lake.apply();
    let before = lake.tables();
    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(&lake.warehouse(), copy.path());
    lake.files("2", 31);
    lake.apply();
    let after = lake.tables();
    lake.reset(copy.path());
    (lake, before, after, copy)
}

/// Runs a shell script in the project's folder with `$MEDC` set.
fn shell(lake: &Lake, script: &str) -> Run {
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(lake.project.path())
        .env("MEDC", env!("CARGO_BIN_EXE_medc"))
        .env("NO_COLOR", "1")
        .output()
        .expect("a shell");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether this machine lets a test mount file systems of its own.
fn may_mount() -> bool {
    Command::new("unshare").args(["-r", "-m", "true"]).output().is_ok_and(|output| output.status.success())
}

/// Rows that take more room than there is, for one region.
fn many_events(lake: &Lake) {
    let mut text = String::from("id,amount,at\n");
    for row in 0..60_000_u64 {
        let mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let _ = writeln!(text, "{mixed},{},{row}", mixed % 1_000_003);
    }
    lake.project.write("data/north/events/3.csv", &text);
}

fn each_as_before_or_after(lake: &Lake, before: &BTreeMap<String, Rows>, after: &BTreeMap<String, Rows>) {
    for (table, rows) in lake.tables() {
        let known = [before.get(&table), after.get(&table)];
        assert!(known.contains(&Some(&rows)) || table == "ml_registry.model_versions", "{table}: {rows:#?}");
    }
}

#[test]
fn a_full_disk_keeps_the_old_rows() {
    let (lake, before, after, _copy) = built();
    many_events(&lake);
    // A file may have at most 300 blocks of 512 bytes; the signal that would end the process is ignored.
    let run = shell(&lake, "trap '' XFSZ; ulimit -f 300; exec \"$MEDC\" apply --format json");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(codes(&run), ["run::warehouse"], "{}", run.stderr);
    assert!(run.stdout.contains("make room"), "{}", run.stderr);
    each_as_before_or_after(&lake, &before, &after);
    std::fs::remove_file(lake.project.path().join("data/north/events/3.csv")).expect("removed");
    lake.apply();
    assert_eq!(lake.tables(), after);
    assert_eq!(leftovers(&lake), Vec::<PathBuf>::new());

    if !may_mount() {
        return;
    }
    many_events(&lake);
    let run = shell(
        &lake,
        "exec unshare -r -m sh -c 'cp -r .medc/warehouse copy && mount -t tmpfs -o size=2m tmpfs .medc && \
         mv copy .medc/warehouse && \"$MEDC\" apply --format json; code=$?; cp -r .medc/warehouse full; exit $code'",
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(!codes(&run).is_empty() && codes(&run).iter().all(|code| code == "run::warehouse"), "{}", run.stderr);
    lake.reset(&lake.project.path().join("full"));
    each_as_before_or_after(&lake, &after, &after);
    std::fs::remove_file(lake.project.path().join("data/north/events/3.csv")).expect("removed");
    lake.apply();
    assert_eq!(lake.tables(), after);
}

#[test]
fn a_warehouse_that_is_not_writable_is_left_as_it_is() {
    let (lake, before, _after, _copy) = built();
    lake.files("2", 31);
    if !may_mount() {
        return;
    }
    let run = shell(
        &lake,
        "exec unshare -r -m sh -c 'mount --bind .medc/warehouse .medc/warehouse && \
         mount -o remount,bind,ro .medc/warehouse && exec \"$MEDC\" apply --format json'",
    );
    assert_eq!((run.code, codes(&run)), (Some(1), vec!["run::warehouse".to_owned()]), "{}", run.stderr);
    let run = shell(
        &lake,
        "exec unshare -r -m sh -c 'mount --bind .medc/warehouse/bronze .medc/warehouse/bronze && \
         mount -o remount,bind,ro .medc/warehouse/bronze && exec \"$MEDC\" apply --format json'",
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(codes(&run).iter().all(|code| code == "run::warehouse"), "{}", run.stderr);
    assert_eq!(lake.tables(), before);
    lake.apply();
}

#[test]
fn a_table_whose_log_is_gone_is_not_taken_for_leftovers() {
    let (lake, _before, after, _copy) = built();
    let folder = lake.warehouse().join("bronze/events_north");
    let kept = lake.project.path().join("kept");
    std::fs::rename(folder.join("_delta_log"), &kept).expect("moved");
    let files = files_below(&folder);
    for arguments in [&["plan", "--format", "json"][..], &["apply", "--format", "json"]] {
        let run = lake.project.medc(arguments);
        assert_eq!((run.code, codes(&run)), (Some(1), vec!["run::table-broken".to_owned()]), "{}", run.stderr);
    }
    assert_eq!(files_below(&folder), files);

    std::fs::rename(&kept, folder.join("_delta_log")).expect("moved back");
    lake.apply();
    assert_eq!(lake.tables(), after);
    // One of its commits only.
    std::fs::remove_file(folder.join("_delta_log/00000000000000000000.json")).expect("removed");
    let run = lake.project.medc(&["apply", "--format", "json"]);
    assert_eq!((run.code, codes(&run)), (Some(1), vec!["run::table-broken".to_owned()]), "{}", run.stderr);
}

#[test]
fn a_damaged_file_is_named_and_readers_keep_their_rows() {
    let (lake, before, _after, copy) = built();
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("gone", |path| std::fs::remove_file(path).expect("removed")),
        ("cut", |path| {
            std::fs::File::options().write(true).open(path).and_then(|file| file.set_len(100)).expect("cut");
        }),
        ("overwritten", |path| {
            let mut bytes = std::fs::read(path).expect("a file");
            bytes[20..60].fill(b'X');
            std::fs::write(path, bytes).expect("written");
        }),
    ];
    for (what, damage) in damages {
        lake.reset(copy.path());
        let folder = lake.warehouse().join("bronze/events_north");
        let file =
            files_below(&folder).into_iter().find(|path| path.extension().is_some_and(|ending| ending == "parquet"));
        let file = file.expect("a file with rows");
        damage(&file);
        lake.files("2", 31);
        let run = lake.project.medc(&["apply", "--format", "json"]);
        assert_eq!((run.code, codes(&run)), (Some(1), vec!["run::table-broken".to_owned()]), "{what}: {}", run.stderr);
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(
            run.stdout.contains(name.as_ref()) && run.stdout.contains("bronze.events_north"),
            "{what}: {}",
            run.stderr
        );
        let shown = lake.project.medc(&["show", "silver.events_north", "--format", "csv", "--limit", "0"]);
        assert_eq!(shown.stdout.lines().count(), before["silver.events_north"].len() + 1, "{what}: its old rows");
        // What is said helps.
        let again = lake.project.medc(&["apply", "--full-refresh", "--yes", "--select", "bronze.events_north+"]);
        assert_eq!(again.code, Some(0), "{what}: {again:?}");
        lake.apply();
    }
}

/// The warehouse and the sources as if they had been written ten days later than now.
fn from_the_future(folder: &Path) {
    const LATER: Duration = Duration::from_hours(240);
    const LATER_MS: i64 = 240 * 3_600_000;
    for path in files_below(folder) {
        if path.extension().is_some_and(|ending| ending == "json")
            && path.parent().is_some_and(|log| log.ends_with("_delta_log"))
        {
            let text = std::fs::read_to_string(&path).expect("a commit");
            let lines = text.lines().map(|line| {
                let mut action: Value = serde_json::from_str(line).expect("an action");
                if let Some(time) = action["commitInfo"]["timestamp"].as_i64() {
                    action["commitInfo"]["timestamp"] = (time + LATER_MS).into();
                }
                if action["commitInfo"].is_null() {
                    action.as_object_mut().expect("an object").remove("commitInfo");
                }
                action.to_string()
            });
            let text = lines.collect::<Vec<_>>().join("\n");
            std::fs::write(&path, text).expect("written");
        }
        let file = std::fs::File::options().write(true).open(&path).expect("a file");
        let changed = file.metadata().and_then(|metadata| metadata.modified()).expect("a time");
        file.set_modified(changed + LATER).expect("another time");
    }
}

#[test]
fn a_clock_that_jumps_back_loses_nothing() {
    let (lake, before, after, _copy) = built();
    from_the_future(&lake.warehouse());
    assert_eq!(lake.tables(), before);
    lake.files("2", 31);
    lake.apply();
    assert_eq!(lake.tables(), after);
    let report = lake.project.medc(&["report", "--format", "json", "--no-profile"]);
    assert_eq!(report.code, Some(0), "{report:?}");
}

#[test]
fn a_warehouse_of_an_older_medc_goes_on() {
    let project = Project::copy_of(&package().join("tests/cases/older_warehouse"));
    // The stamp of a file has its time, which a checkout does not keep.
    let file = std::fs::File::options().write(true).open(project.path().join("data/events/1.csv")).expect("a file");
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_hours(473_352)).expect("a time");
    let plan = project.medc(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    project.write("data/events/2.csv", "id,amount,at\n2,21,2\n4,40,2\n5,none,2\n");
    for expected in ["Applied in", "No changes."] {
        let run = project.medc(&["apply"]);
        assert!(run.code == Some(0) && run.stdout.starts_with(expected), "{}", run.stderr);
    }
    let shown = |table: &str| {
        let run =
            project.medc(&["show", table, "--format", "csv", "--order-by", "id, amount", "--columns", "id,amount"]);
        run.stdout.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown("bronze.events"), ["1,10", "2,20", "2,21", "4,40"]);
    assert_eq!(shown("bronze.events_quarantine"), ["3,none", "5,none"]);
    assert_eq!(shown("silver.events"), ["1,10", "2,21", "4,40"]);
}
