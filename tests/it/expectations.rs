//! `docs/expectations/`: a page a kind, generated. `MEDC_BLESS=1` writes them. Each page's example is a sound contract.

use std::collections::BTreeSet;

use medc::expectations::pages;

use crate::project::{Project, files_below, package};

/// The tables that the examples' contract belongs to and looks at.
const PROJECT: &str = "
project: {name: shop}
include: [contracts.yml]
environments: {local: {engine: local, warehouse: .medc/warehouse}}
layers: {bronze: {}, silver: {}}
tables:
  bronze.orders: {source: {format: csv, path: data/orders.csv}, contract: raw}
  silver.orders:
    source: {format: parquet, path: data/orders.parquet}
    contract: orders
  silver.customers: {source: {format: parquet, path: data/customers.parquet}, contract: customers}
  silver.statuses: {source: {format: parquet, path: data/statuses.parquet}, contract: statuses}
contracts:
  raw: {columns: {order_id: {type: string}}}
  customers: {columns: {id: {type: string}}}
  statuses: {columns: {status: {type: string}}}
";

#[test]
fn the_checked_in_pages_are_fresh() {
    let folder = package().join("docs/expectations");
    let bless = std::env::var_os("MEDC_BLESS").is_some();
    let mut stale = Vec::new();
    for page in pages() {
        let path = folder.join(page.name).with_extension("md");
        if bless {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&path, &page.markdown).expect("a blessed page");
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != page.markdown {
            stale.push(page.name);
        }
    }
    assert!(stale.is_empty(), "docs/expectations is stale: run `MEDC_BLESS=1 cargo test expectations`: {stale:?}");
    let known: BTreeSet<_> = pages().iter().map(|page| folder.join(page.name).with_extension("md")).collect();
    let there: BTreeSet<_> = files_below(&folder).into_iter().collect();
    assert_eq!(there, known);
}

#[test]
fn the_examples_are_sound() {
    let mut failures = Vec::new();
    for page in pages() {
        let Some((_, rest)) = page.markdown.split_once("```yaml contracts.yml\n") else {
            assert_eq!(page.name, "README", "a page without an example");
            continue;
        };
        let (example, _) = rest.split_once("```").expect("a closed block");
        let project = Project::empty();
        project.write("medc.yml", PROJECT.trim_start());
        project.write("contracts.yml", example);
        let findings = project.findings();
        if !findings.is_empty() {
            failures.push(format!("{}: {findings:?}\n{example}", page.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
