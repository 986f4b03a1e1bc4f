//! Several applies at once on one warehouse.

use super::*;

#[test]
fn concurrent_applies_give_one_result() {
    let n_rounds = times("MEDC_ROUNDS", 3);
    let lake = Lake::new();
    lake.apply();
    let copies = tempfile::tempdir().expect("a folder");
    let built = copies.path().join("built");
    copy_folder(&lake.warehouse(), &built);
    lake.files("2", 31);
    lake.apply();
    let after = lake.tables();
    for round in 0..n_rounds {
        let n_applies = if round % 3 == 2 { 10 } else { 2 };
        lake.reset(&built);
        let runs: Vec<Child> = (0..n_applies).map(|_| lake.start(&["apply"])).collect();
        let ended: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().expect("an end")).collect();
        let mut n_applied = 0;
        for run in &ended {
            let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
            assert_eq!(run.status.code(), Some(0), "{stdout}{stderr}");
            n_applied += usize::from(stdout.starts_with("Applied in"));
            let waited = stderr.contains("waiting for another apply on this warehouse (process");
            assert!(!waited || stderr.contains("another apply did meanwhile what was to be done"), "{stdout}{stderr}");
            assert!(stdout.starts_with("Applied in") || stdout.starts_with("No changes."), "{stdout}{stderr}");
        }
        assert_eq!(n_applied, 1, "one does the work");
        assert_eq!(lake.tables(), after, "round {round}");
        let plan = lake.project.medc(&["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(0), "{}", plan.stdout);
    }
}

#[test]
fn an_apply_that_does_not_wait_says_who_is_at_work() {
    let lake = Lake::new();
    std::fs::create_dir_all(lake.warehouse()).expect("a folder");
    let lock = std::fs::File::create(lake.warehouse().join(".medc.lock")).expect("a lock");
    lock.lock().expect("nobody else");
    let run = lake.project.medc(&["apply", "--lock-wait", "0", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("run::locked") && run.stdout.contains("nothing was done"), "{}", run.stdout);
    drop(lock);
    lake.apply();
}
