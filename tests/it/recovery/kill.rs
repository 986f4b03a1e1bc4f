//! SIGKILL at random moments. Delays are drawn from a seed and scaled to the run's length.

use std::collections::BTreeSet;

use super::*;

struct Random(u64);

impl Random {
    /// Numbers from 0 to 1: `SplitMix64`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn a_killed_apply_leaves_every_table_as_before_or_as_after() {
    let n_kills = times("MEDC_KILLS", 32);
    let mut random = Random(times("MEDC_SEED", 6) as u64);
    let lake = Lake::new();
    let nothing = BTreeMap::new();
    lake.apply();
    let first = lake.tables();
    assert_eq!(first.len(), 25 + 10 + 2 + 1, "tables, quarantines, datasets, the registry: {:?}", first.keys());
    let copies = tempfile::tempdir().expect("a folder");
    let (empty, built) = (copies.path().join("empty"), copies.path().join("built"));
    copy_folder(&lake.warehouse(), &built);
    std::fs::create_dir_all(&empty).expect("a folder");

    lake.files("2", 31);
    let mut length = timed(|| {
        assert_eq!(lake.project.medc(&["apply"]).code, Some(0));
    });
    let second = lake.tables();
    for table in first.keys() {
        assert_ne!(first[table], second[table], "{table} follows its sources");
    }
    lake.reset(&empty);
    lake.apply();
    let from_nothing = lake.tables();

    let (mut n_killed, mut n_early, mut n_late) = (0, 0, 0);
    let (mut round, mut n_remembered) = (0, 0);
    while n_killed < n_kills {
        round += 1;
        let (start, before, after) =
            if round % 3 == 0 { (&empty, &nothing, &from_nothing) } else { (&built, &first, &second) };
        lake.reset(start);
        for _ in 0..4 {
            let mut run = lake.start(&["apply"]);
            std::thread::sleep(length.mul_f64(random.next()));
            let has_ended = run.try_wait().expect("a state").is_some();
            run.kill().expect("a signal");
            run.wait().expect("an end");
            // A run that ended is no kill; how long one takes depends on what else runs, so the moments follow it.
            n_killed += usize::from(!has_ended);
            length = length.mul_f64(if has_ended { 0.8 } else { 1.05 });
            let tables = lake.tables();
            let mut n_new = 0;
            for (table, rows) in &tables {
                let as_after = Some(rows) == after.get(table);
                // The registry has a row per dataset, and these are written one after the other.
                let is_between =
                    table == "ml_registry.model_versions" && rows.iter().all(|row| after[table].contains(row));
                assert!(
                    as_after || Some(rows) == before.get(table) || is_between,
                    "{table} after a kill (round {round}): {rows:#?}"
                );
                n_new += usize::from(as_after);
            }
            assert!(before.keys().all(|table| tables.contains_key(table)), "a table is gone");
            n_early += usize::from(n_new == 0);
            n_late += usize::from(has_ended);
            if has_ended {
                break;
            }
        }
        lake.apply();
        let tables = lake.tables();
        for (table, rows) in after {
            assert_eq!(tables.get(table), Some(rows), "{table} after round {round}");
        }
        assert_eq!(tables.len(), after.len());
        let runs =
            lake.project.medc(&["show", "medc.runs", "--format", "csv", "--columns", "run_id,status", "--limit", "0"]);
        let ids: BTreeSet<&str> = runs.stdout.lines().map(|line| line.split(',').next().unwrap_or_default()).collect();
        assert_eq!(ids.len(), runs.stdout.lines().count(), "each run once: {}", runs.stdout);
        n_remembered += runs.stdout.matches(",died").count();
        assert_eq!(leftovers(&lake), Vec::<PathBuf>::new(), "round {round}");
    }
    assert!(n_remembered > 0, "runs that died are remembered");
    assert!(n_early * 2 < n_kills, "{n_killed} kills within {length:?}: {n_early} too early, {n_late} too late");
}
