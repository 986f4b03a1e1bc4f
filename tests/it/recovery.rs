//! What runs leave behind that are killed, that meet each other, or that the machine fails: tables are as before or as after,
//! and the next apply finishes. `MEDC_KILLS` and `MEDC_ROUNDS` repeat them more often (`tests/recovery`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::datafusion::prelude::SessionContext;

use crate::project::{Project, files_below};

mod concurrent;
mod failures;
mod kill;

const REGIONS: [&str; 5] = ["north", "south", "east", "west", "centre"];

/// Columns that say when and by whom a row was written.
const OF_THE_RUN: [&str; 6] = ["_run_id", "_quarantined_at", "_ingested_at", "run_id", "registered_at", "git_sha"];

/// A table's rows as text, sorted.
type Rows = Vec<String>;

/// 32 tables in four layers: appended, overwritten, merged, partitioned, views, quarantines, datasets.
pub(crate) struct Lake {
    pub(crate) project: Project,
}

impl Lake {
    pub(crate) fn new() -> Self {
        let lake = Lake { project: Project::empty() };
        let mut tables = String::new();
        for region in REGIONS {
            let _ = write!(
                tables,
                "  bronze.events_{region}: {{source: {{format: csv, path: data/{region}/events}}, contract: event, \
                 metadata_columns: [_source_file], write: {{mode: append}}}}\n\
                 \x20 bronze.state_{region}: {{source: {{format: csv, path: data/{region}/state.csv}}, contract: state}}\n\
                 \x20 silver.events_{region}: {{from: bronze.events_{region}, contract: known, steps: [{{deduplicate: \
                 {{keys: [id], keep: {{latest: at}}}}}}], write: {{mode: merge, keys: [id]}}}}\n\
                 \x20 silver.state_{region}: {{from: bronze.state_{region}, contract: state, write: {{partition_by: [kind]}}}}\n\
                 \x20 silver.joined_{region}: {{sql: 'SELECT e.id, e.amount, s.kind FROM silver.events_{region} e JOIN \
                 silver.state_{region} s ON s.id = e.id % 10', write: {{mode: view}}}}\n\
                 \x20 gold.totals_{region}: {{sql: 'SELECT kind, count(*) AS n, sum(amount) AS total FROM \
                 silver.joined_{region} GROUP BY kind', expect: [{{row_count: {{between: [1, 100]}}}}]}}\n"
            );
        }
        let text = format!(
            "project: {{name: lake}}\n\
             environments: {{local: {{engine: local, warehouse: .medc/warehouse}}}}\n\
             layers: {{bronze: {{}}, silver: {{}}, gold: {{}}, gold_ml: {{}}}}\n\
             datasets: {{include: models.json}}\n\
             tables:\n{tables}\
             contracts:\n\
             \x20 event: {{on_cast_failure: quarantine, columns: {{id: {{type: bigint}}, amount: {{type: bigint}}, at: {{type: bigint}}}}}}\n\
             \x20 state: {{columns: {{id: {{type: bigint}}, kind: {{type: string}}}}}}\n\
             \x20 known: {{columns: {{id: {{type: bigint, primary_key: true}}, amount: {{type: bigint, expect: [{{between: \
             {{min: 0, on_violation: quarantine}}}}]}}, at: {{type: bigint}}}}}}\n"
        );
        lake.project.write("medc.yml", &text);
        lake.project.write(
            "models.json",
            r#"{"models": [
                {"model_name": "first", "version": 1, "source_table": "gold.totals_north", "feature_columns": ["n"], "target_column": "total"},
                {"model_name": "second", "version": 3, "source_table": "gold.totals_south", "feature_columns": ["n"], "target_column": "total"}
            ]}"#,
        );
        lake.files("1", 0);
        lake
    }

    /// New events for each region, some of them corrections of old ones, and another state.
    pub(crate) fn files(&self, name: &str, from: usize) {
        for (place, region) in REGIONS.iter().enumerate() {
            let mut events = String::from("id,amount,at\n");
            for row in 0..40 {
                let id = from / 2 + row;
                let amount = match row % 13 {
                    0 => "none".to_owned(),
                    1 => "-1".to_owned(),
                    _ => (row + from + place).to_string(),
                };
                let _ = writeln!(events, "{id},{amount},{}", from + row);
            }
            self.project.write(&format!("data/{region}/events/{name}.csv"), &events);
            let state: Vec<String> = (0..10).map(|id| format!("{id},kind{}", (id + from) % 3)).collect();
            self.project.write(&format!("data/{region}/state.csv"), &format!("id,kind\n{}\n", state.join("\n")));
        }
    }

    pub(crate) fn warehouse(&self) -> PathBuf {
        self.project.path().join(".medc/warehouse")
    }

    /// Applies, and makes sure that nothing is left to do.
    pub(crate) fn apply(&self) {
        let run = self.project.medc(&["apply"]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        let plan = self.project.medc(&["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(0), "a plan after apply is not empty: {}{}", plan.stdout, plan.stderr);
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_medc"))
            .args(arguments)
            .current_dir(self.project.path())
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("medc starts")
    }

    /// Every table of the warehouse. Panics on one that cannot be read.
    pub(crate) fn tables(&self) -> BTreeMap<String, Rows> {
        let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads");
        threads.block_on(async {
            let mut tables = BTreeMap::new();
            for layer in folders(&self.warehouse()) {
                for table in folders(&layer) {
                    if !has_commits(&table) {
                        continue;
                    }
                    let name =
                        table.strip_prefix(self.warehouse()).expect("below it").to_string_lossy().replace('/', ".");
                    // What is remembered of runs differs from run to run.
                    if matches!(name.as_str(), "medc.runs" | "quality.results") {
                        continue;
                    }
                    tables.insert(name, rows(&table).await);
                }
            }
            tables
        })
    }

    /// Puts the warehouse back to a copy of it.
    pub(crate) fn reset(&self, copy: &Path) {
        let _ = std::fs::remove_dir_all(self.warehouse());
        copy_folder(copy, &self.warehouse());
    }
}

fn has_commits(table: &Path) -> bool {
    let log = std::fs::read_dir(table.join("_delta_log")).into_iter().flatten().flatten();
    log.into_iter().any(|entry| entry.path().extension().is_some_and(|ending| ending == "json"))
}

pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

async fn rows(folder: &Path) -> Rows {
    let url = url::Url::from_directory_path(folder).expect("an absolute path");
    let table = deltalake::open_table(url).await.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let provider = table.table_provider().build().await.expect("a provider");
    let context = SessionContext::new();
    let frame = context.read_table(std::sync::Arc::new(provider)).expect("a frame");
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in batches {
        let schema = batch.schema();
        let kept = schema.fields().iter().enumerate().filter(|(_, field)| !OF_THE_RUN.contains(&field.name().as_str()));
        let columns: Vec<_> = kept
            .map(|(place, _)| ArrayFormatter::try_new(batch.column(place), &options).expect("a column of text"))
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            found.push(cells.join("|"));
        }
    }
    found.sort();
    found
}

fn times(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Notes of runs and commits that were not linked: what the next apply has to remove.
fn leftovers(lake: &Lake) -> Vec<PathBuf> {
    let is_left = |path: &PathBuf| {
        let text = path.to_string_lossy();
        text.contains("_medc_staged/") || text.contains("_medc_spool") || text.contains('#')
    };
    files_below(&lake.warehouse()).into_iter().filter(is_left).collect()
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}
