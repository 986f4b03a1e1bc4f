//! That a plan is true: over random edits of a small project, what `apply` writes is what the plan says, what it leaves is what
//! a build from nothing gives, and little is written that comes out the same.
//!
//! The edits are seeded. `MEDC_EDITS=200` makes it 200 of them; without it there are few, since each is two plans and two
//! applies. Inputs only gain rows: what a build from nothing cannot know (rows of files that are gone, of earlier merges) is
//! held by other tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::prelude::SessionContext;
use serde_json::Value;

use crate::project::Project;

const FEW: usize = 14;

/// Numbers that are the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What edits change, and what becomes of it in a project's files.
struct Shop {
    least: u64,
    left_out: u64,
    measure: &'static str,
    amount: &'static str,
    extra: u64,
    limit: u64,
    comment: u64,
    described: u64,
    sorted: bool,
    warned: bool,
    orders: Vec<(u64, u64, u64)>,
    files: Vec<Vec<(u64, u64)>>,
}

impl Shop {
    fn new() -> Self {
        Shop {
            least: 1,
            left_out: 2,
            measure: "sum",
            amount: "int",
            extra: 0,
            limit: 1_000_000,
            comment: 0,
            described: 0,
            sorted: false,
            warned: false,
            orders: (0..40).map(|id| (id, id % 7, 3 + (id * 37) % 100)).collect(),
            files: vec![(0..5).map(|day| (day, day * 3)).collect()],
        }
    }

    fn write(&self, project: &Project) {
        let Shop { least, left_out, measure, amount, extra, limit, comment, described, .. } = self;
        let cluster = if self.sorted { "cluster_by: [id], " } else { "" };
        let severity = if self.warned { ", {greater_than: {value: -5, on_violation: warn}}" } else { "" };
        let extras: Vec<String> = (0..*extra).map(|n| format!(", min(amount) + {n} AS extra_{n}")).collect();
        let extras = extras.concat();
        project.write(
            "medc.yml",
            &format!(
                r#"
# {comment}
project: {{name: edits}}
environments:
  local: {{default: true, engine: local, warehouse: .medc/kept}}
  anew: {{engine: local, warehouse: .medc/anew}}
layers: {{bronze: {{}}, silver: {{}}, gold: {{}}}}
contracts:
  raw: {{columns: {{id: {{type: string}}, customer: {{type: string}}, amount: {{type: string}}}}}}
  days: {{columns: {{day: {{type: string}}, n: {{type: string}}}}}}
  orders:
    description: "version {described}"
    columns:
      id: {{type: bigint, primary_key: true}}
      customer: {{type: string}}
      amount: {{type: {amount}, expect: [{{less_than: {{value: {limit}, on_violation: drop}}}}{severity}]}}
  latest: {{columns: {{id: {{type: bigint, primary_key: true}}, customer: {{type: string}}, amount: {{type: {amount}}}}}}}
tables:
  bronze.orders: {{source: {{format: csv, path: data/orders.csv}}, contract: raw}}
  bronze.days: {{source: {{format: csv, path: data/days}}, contract: days, write: {{mode: append}}}}
  silver.orders:
    description: "words {described}"
    from: bronze.orders
    contract: orders
    steps: [{{filter: "amount >= {least}"}}]
    write: {{{cluster}mode: overwrite}}
  silver.latest: {{from: bronze.orders, contract: latest, write: {{mode: merge, keys: [id], schema_evolution: evolve}}}}
  silver.large: {{sql: "SELECT id, customer, amount FROM silver.orders WHERE id % 7 <> {left_out}", write: {{mode: view}}}}
  gold.customers:
    sql: |
      -- {comment}
      SELECT customer, {measure}(amount) AS measured, sum(amount) AS spent, count(*) AS n_orders, sum(id) AS ids {extras}
      FROM silver.large GROUP BY customer
  gold.total: {{sql: "SELECT sum(measured) AS total, sum(spent) AS spent, sum(n_orders) AS n_orders, sum(ids) AS ids, max({extra}) AS extra FROM gold.customers"}}
  gold.latest: {{sql: "SELECT count(*) AS n, sum(amount) AS total FROM silver.latest"}}
  gold.days: {{sql: "SELECT count(*) AS n, sum(CAST(n AS INT)) AS total FROM bronze.days"}}
"#
            ),
        );
        let rows = self.orders.iter().map(|(id, customer, amount)| format!("{id},c{customer},{amount}\n"));
        let orders = format!("id,customer,amount\n{}", rows.collect::<String>());
        // A file that is as it was is not touched, since its time counts.
        if !project.path().join("data/orders.csv").exists() || project.read("data/orders.csv") != orders {
            project.write("data/orders.csv", &orders);
        }
        for (place, rows) in self.files.iter().enumerate() {
            let path = format!("data/days/{place}.csv");
            if !project.path().join(&path).exists() {
                let rows = rows.iter().map(|(day, n)| format!("{day},{n}\n"));
                project.write(&path, &format!("day,n\n{}", rows.collect::<String>()));
            }
        }
    }

    /// One edit; what it is, for messages.
    fn edit(&mut self, random: &mut Random) -> String {
        // How often what is edited: mostly what changes rows, now and then words, types and layout.
        let n = random.below(32);
        match n {
            0..=3 => self.least = 3 + random.below(30),
            4 | 5 => self.left_out = random.below(7),
            6 | 7 => self.measure = ["sum", "max", "min", "avg"][usize::try_from(random.below(4)).expect("small")],
            8 => self.amount = ["int", "bigint", "double"][usize::try_from(random.below(3)).expect("small")],
            9 | 10 => self.extra = random.below(4),
            11 | 12 => self.limit = 60 + random.below(40),
            13..=17 => {
                let place = usize::try_from(random.below(self.orders.len() as u64)).expect("small");
                self.orders[place].2 = 40 + random.below(20);
            }
            18..=22 => {
                let id = self.orders.len() as u64;
                self.orders.push((id, random.below(9), 40 + random.below(20)));
            }
            23..=25 => {
                let day = self.files.len() as u64 * 10;
                self.files.push(vec![(day, 1 + random.below(9)), (day + 1, 2)]);
            }
            26 | 27 => self.comment = random.below(1000),
            28 | 29 => self.described = random.below(1000),
            30 => self.warned = !self.warned,
            _ => self.sorted = !self.sorted,
        }
        format!("edit {n}")
    }
}

const STORED: [&str; 8] = [
    "bronze.orders",
    "bronze.days",
    "silver.orders",
    "silver.latest",
    "gold.customers",
    "gold.total",
    "gold.latest",
    "gold.days",
];

type Rows = BTreeMap<String, (i64, Vec<String>)>;

/// The version and the sorted rows of every table.
fn rows(warehouse: &Path) -> Rows {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads");
    threads.block_on(async {
        let mut found = Rows::new();
        for table in STORED {
            let folder = warehouse.join(table.replace('.', "/"));
            let url = url::Url::from_directory_path(&folder).expect("an absolute path");
            let opened = deltalake::open_table(url).await.expect("a table");
            let version = opened.version().and_then(|version| i64::try_from(version).ok()).expect("a version");
            let provider = opened.table_provider().build().await.expect("a provider");
            let batches = SessionContext::new()
                .read_table(std::sync::Arc::new(provider))
                .expect("a query")
                .collect()
                .await
                .expect("rows");
            let mut lines = Vec::new();
            for batch in &batches {
                for row in 0..batch.num_rows() {
                    let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).expect("text"));
                    lines.push(cells.collect::<Vec<_>>().join("|"));
                }
            }
            lines.sort();
            let columns = batches.first().map(|batch| batch.schema().fields().to_vec()).unwrap_or_default();
            lines.extend(columns.iter().map(|column| format!("{} {}", column.name(), column.data_type())));
            found.insert(table.to_owned(), (version, lines));
        }
        found
    })
}

fn planned(project: &Project) -> BTreeSet<String> {
    let run = project.medc(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let actions = plan["actions"].as_array().unwrap_or_else(|| panic!("{run:?}"));
    actions.iter().filter_map(|action| action["table"].as_str().map(str::to_owned)).collect()
}

#[test]
fn what_a_plan_says_is_what_is_written_and_what_has_to_be() {
    let n_edits = std::env::var("MEDC_EDITS").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW);
    let project = Project::empty();
    let (mut shop, mut random) = (Shop::new(), Random(20_261_121));
    shop.write(&project);
    assert_eq!(project.medc(&["apply"]).code, Some(0));
    let folder = project.path().join(".medc");
    let mut before = rows(&folder.join("kept"));
    let (mut n_written, mut conservative) = (0, Vec::new());
    for place in 0..n_edits {
        let what = format!("{place}: {}", shop.edit(&mut random));
        shop.write(&project);
        let planned = planned(&project);
        let run = project.medc(&["apply", "--yes"]);
        assert_eq!(run.code, Some(0), "{what}: {run:?}");
        let again = project.medc(&["plan", "--exit-code"]);
        assert_eq!(again.code, Some(0), "{what}: a plan after an apply: {again:?}");
        let after = rows(&folder.join("kept"));
        let written: BTreeSet<String> = STORED
            .iter()
            .filter(|table| after[**table].0 != before[**table].0)
            .map(|&table| table.to_owned())
            .collect();
        assert_eq!(written, planned, "{what}");

        let _ = std::fs::remove_dir_all(folder.join("anew"));
        let run = project.medc(&["apply", "-t", "anew"]);
        assert_eq!(run.code, Some(0), "{what}: {run:?}");
        let anew = rows(&folder.join("anew"));
        for table in STORED {
            assert_eq!(after[table].1, anew[table].1, "{what}: {table}");
            let has_changed = before[table].1 != anew[table].1;
            assert!(!has_changed || written.contains(table), "{what}: {table} was not written");
            if written.contains(table) && !has_changed {
                conservative.push(format!("{what}: {table}"));
            }
        }
        n_written += written.len();
        before = after;
    }
    let n_conservative = conservative.len();
    assert!(
        n_conservative * 10 <= n_written || n_edits <= FEW,
        "{n_conservative} of {n_written} tables came out the same: {conservative:?}"
    );
}
