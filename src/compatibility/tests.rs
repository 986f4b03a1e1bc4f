//! Every rule on a contract before and after, and what is told of consumers and versions.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::diagnostic::Diagnostics;
use crate::source::memo::Memo;
use crate::source::{Memory, Sources};
use crate::{check, graph, project, resolve};

/// Tables and queries that read `silver.sales`.
const READERS: &str = "project: {name: shop}
environments: {local: {engine: local, warehouse: .medc/warehouse}}
layers: {bronze: {}, silver: {}, gold: {}}
tables:
  bronze.orders: {source: {format: csv, path: orders.csv}}
  silver.sales: {from: bronze.orders, contract: sales}
  gold.totals:
    sql: SELECT id, sum(amount) AS total FROM silver.sales WHERE status = 'paid' GROUP BY id
  gold.best:
    sql: SELECT max(total) AS most FROM gold.totals
";

/// The contract that most cases start from.
const SALES: &str = "
  sales:
    version: 1.0.0
    columns:
      id: {type: string, primary_key: true}
      amount: {type: int}
      status: {type: string, nullable: false}
      parts: {type: 'struct<a: int>'}
";

fn promises(text: &str) -> Promises {
    let files = Memory::new([("medc.yml", text)]);
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let loaded = project::load(&files, Path::new(""), &mut Memo::default(), &mut sources, &mut diagnostics);
    let resolved = loaded.and_then(|project| {
        resolve::resolve(project, &files, &resolve::Settings::default(), &mut sources, &mut diagnostics)
    });
    let resolved = resolved.unwrap_or_else(|_| panic!("{text}\n{diagnostics:?}"));
    let checked = graph::build(&resolved, &mut Memo::default(), &mut Diagnostics::new())
        .and_then(|graph| check::check(graph, &mut Diagnostics::new()))
        .ok();
    let promises = Promises::of(&resolved, checked.as_ref(), &mut diagnostics);
    assert!(diagnostics.is_empty(), "{text}\n{diagnostics:?}");
    promises
}

fn project(contracts: &str) -> String {
    format!("{READERS}contracts:{contracts}")
}

/// What changes when `SALES` becomes a text with `from` replaced by `to`.
#[track_caller]
fn edited(from: &str, to: &str) -> Comparison {
    compared(SALES, from, to)
}

#[track_caller]
fn compared(contracts: &str, from: &str, to: &str) -> Comparison {
    assert!(contracts.contains(from), "{from}");
    compare(&promises(&project(contracts)), &promises(&project(&contracts.replace(from, to))))
}

fn rules(comparison: &Comparison) -> Vec<&'static str> {
    comparison.changed.iter().flat_map(|one| &one.changes).map(|change| change.rule.name()).collect()
}

/// `SALES` with an expectation of `amount`.
fn expecting(expectation: &str) -> String {
    SALES.replace("amount: {type: int}", &format!("amount: {{type: int, expect: [{expectation}]}}"))
}

/// The rules of changes of the project around the contract, of the contract, and of an expectation.
fn cases() -> Vec<(Vec<&'static str>, Comparison)> {
    let mut cases = Vec::new();
    for (rule, from, to) in [
        ("column-removed", "      amount: {type: int}\n", ""),
        ("column-respelled", "amount:", "Amount:"),
        (
            "column-moved",
            "      amount: {type: int}\n      status: {type: string, nullable: false}\n",
            "      status: {type: string, nullable: false}\n      amount: {type: int}\n",
        ),
        ("column-inserted", "      amount:", "      extra: {type: int}\n      amount:"),
        ("column-added", "'struct<a: int>'}\n", "'struct<a: int>'}\n      extra: {type: int}\n"),
        ("type-changed", "type: int}", "type: string}"),
        ("type-narrowed", "type: int}", "type: smallint}"),
        ("type-converted", "type: int}", "type: double}"),
        ("type-widened", "type: int}", "type: bigint}"),
        ("field-removed", "struct<a: int>", "struct<b: int>"),
        ("field-moved", "struct<a: int>", "struct<b: int, a: int>"),
        ("field-added", "struct<a: int>", "struct<a: int, b: int>"),
        ("null-allowed", ", nullable: false", ""),
        ("null-forbidden", "amount: {type: int", "amount: {type: int, nullable: false"),
        ("key-changed", "status: {type: string, nullable: false", "status: {type: string, primary_key: true"),
        ("key-removed", "primary_key: true", "nullable: false"),
        ("cast-failure-weakened", "    columns:", "    on_cast_failure: warn\n    columns:"),
        ("version-lowered", "1.0.0", "0.9.0"),
        ("version-lowered", "    version: 1.0.0\n", ""),
        ("words-changed", "type: int}", "type: int, description: cents, tags: [money]}"),
        ("words-changed", "    columns:", "    owner: sales\n    columns:"),
    ] {
        cases.push((vec![rule], edited(from, to)));
    }
    let no_key = SALES.replace("primary_key: true", "nullable: false");
    cases.push((
        vec!["key-added"],
        compared(&no_key, "nullable: false}\n      amount", "primary_key: true}\n      amount"),
    ));
    let lenient = SALES.replace("    columns:", "    on_cast_failure: quarantine\n    columns:");
    let timed = SALES.replace("type: int}", "type: timestamp}");
    cases.push((
        vec!["timezone-changed"],
        compared(&timed, "    columns:", "    timezone: America/Sao_Paulo\n    columns:"),
    ));
    cases.push((vec![], compared(&timed, "    columns:", "    timezone: Z\n    columns:")));
    cases.push((vec!["cast-failure-strengthened"], compared(&lenient, "quarantine", "fail")));
    for (rule, before, after) in [
        ("guarantee-removed", "not_null: {mostly: 0.9}", ""),
        ("guarantee-removed", "unique", ""),
        ("guarantee-removed", "unique", "unique: {on_violation: warn}"),
        ("expectation-removed", "between: {min: 0}", ""),
        ("expectation-loosened", "between: {min: 0}", "between: {min: -1}"),
        ("expectation-loosened", "between: {min: 0, max: 9}", "between: {min: 0}"),
        ("expectation-loosened", "between: {min: 0, exclusive_min: true}", "between: {min: 0}"),
        ("expectation-loosened", "between: {min: 0}", "between: {min: 0, mostly: 0.9}"),
        ("expectation-loosened", "between: {min: 0}", "between: {min: 0, where: id > 'a'}"),
        ("expectation-changed", "between: {min: 0, max: 9}", "between: {min: 1, max: 10}"),
        ("expectation-changed", "expression: amount > 1", "expression: amount > 2"),
        ("expectation-changed", "accepted_values: [1, 2]", "accepted_values: [1, 3]"),
        ("values-widened", "accepted_values: [1, 2]", "accepted_values: [1, 2, 3]"),
        ("expectation-loosened", "greater_than: 0", "greater_than: {value: 0, or_equal: true}"),
        ("expectation-loosened", "less_than: 9", "less_than: 10"),
        ("expectation-loosened", "not_in: [1, 2]", "not_in: [1]"),
        ("expectation-tightened", "not_in: [1]", "not_in: [1, 2]"),
        ("expectation-tightened", "increasing", "increasing: {strictly: true}"),
        ("expectation-loosened", "volume: {runs: 3, max_change: 10%}", "volume: {runs: 3, max_change: 50%}"),
        ("expectation-changed", "quantile: {at: 0.5, min: 1}", "quantile: {at: 0.9, min: 1}"),
        ("enforcement-weakened", "between: {min: 0}", "between: {min: 0, on_violation: warn}"),
        ("rows-left-out", "between: {min: 0}", "between: {min: 0, on_violation: drop}"),
        ("expectation-tightened", "between: {min: 0}", "between: {min: 1, max: 9}"),
        ("expectation-tightened", "accepted_values: [1, 2]", "accepted_values: [1]"),
        ("expectation-tightened", "between: {min: 0, where: id > 'a'}", "between: {min: 0}"),
        ("enforcement-strengthened", "between: {min: 0, on_violation: warn}", "between: {min: 0}"),
        ("expectation-added", "", "between: {min: 0}"),
        ("warning-changed", "", "between: {min: 0, on_violation: warn}"),
        ("warning-changed", "between: {min: 0, on_violation: warn}", ""),
        ("warning-changed", "between: {min: 0, on_violation: warn}", "between: {min: 9, on_violation: warn}"),
    ] {
        let [before, after] = [before, after].map(|expectation| promises(&project(&expecting(expectation))));
        cases.push((vec![rule], compare(&before, &after)));
    }
    let fresh = SALES.replace("amount: {type: int}", "amount: {type: timestamp, expect: [{freshness: 24h}]}");
    cases.push((vec!["freshness-loosened"], compared(&fresh, "24h", "1d12h")));
    cases.push((vec!["expectation-tightened"], compared(&fresh, "24h", "2h")));
    cases.push((vec![], compared(&fresh, "24h", "{within: 1d}")));
    let sales = promises(&project(SALES));
    for (rules, after) in [
        (vec!["table-removed"], project(SALES).replace("  silver.sales: {from: bronze.orders, contract: sales}\n", "")),
        (vec!["table-unbound"], project(SALES).replace(", contract: sales}", "}")),
        (
            vec!["contract-removed"],
            project("\n  other: {columns: {a: {type: int}}}\n").replace(", contract: sales}", "}"),
        ),
        (
            vec!["contract-renamed"],
            project(SALES).replace("sales:\n", "orders:\n").replace("contract: sales", "contract: orders"),
        ),
        (vec!["contract-added"], project(&format!("{SALES}  other: {{columns: {{a: {{type: int}}}}}}\n"))),
        (vec!["table-bound"], project(SALES).replace("orders.csv}}", "orders.csv}, contract: sales}")),
    ] {
        cases.push((rules, compare(&sales, &promises(&after))));
    }
    let unused = promises(&project(&format!("{SALES}  other: {{columns: {{a: {{type: int}}}}}}\n")));
    cases.push((vec!["unbound-contract-removed"], compare(&unused, &sales)));
    cases
}

#[test]
fn every_rule_has_a_case_and_every_case_its_rule_alone() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (index, (expected, comparison)) in cases().into_iter().enumerate() {
        let mut found = rules(&comparison);
        // The other contract of a case with two.
        if expected != ["contract-added"] {
            found.retain(|rule| *rule != "contract-added");
        }
        if found != expected {
            wrong.push(format!("{index}: {expected:?}, found {found:?}"));
        }
        seen.extend(found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(seen, all);
}

#[test]
fn equal_contracts_have_no_changes() {
    let comparison = edited("sales", "sales");
    assert_eq!((comparison.changed.len(), comparison.unchanged), (0, vec!["sales".to_owned()]));
}

#[test]
fn a_null_rule_and_an_enforced_expectation_say_the_same() {
    let said = SALES.replace("status: {type: string, nullable: false}", "status: {type: string, expect: [not_null]}");
    let comparison = compare(&promises(&project(SALES)), &promises(&project(&said)));
    assert_eq!(rules(&comparison), Vec::<&str>::new());
}

#[test]
fn what_follows_from_a_removed_column_is_not_told() {
    let before = expecting("between: {min: 0}, not_null");
    let comparison =
        compare(&promises(&project(&before)), &promises(&project(&SALES.replace("      amount: {type: int}\n", ""))));
    assert_eq!(rules(&comparison), ["column-removed"]);
}

#[test]
fn a_column_that_comes_as_another_goes_is_perhaps_renamed() {
    let comparison = edited("amount:", "total:");
    let changes = &comparison.changed[0].changes;
    assert_eq!(rules(&comparison), ["column-removed", "column-inserted"]);
    assert_eq!(changes[0].hint.as_deref(), Some("perhaps renamed to total, which has the same type"));
}

#[test]
fn consumers_are_followed_by_lineage_and_by_name() {
    let consumers = |comparison: &Comparison| comparison.changed[0].changes[0].consumers.clone();
    let consumer = |table: &str, columns: &[&str]| Consumer {
        table: table.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
    };
    let removed = edited("      amount: {type: int}\n", "");
    assert_eq!(consumers(&removed), [consumer("gold.best", &["most"]), consumer("gold.totals", &["total"])]);
    // Only in a condition.
    let status = edited("      status: {type: string, nullable: false}\n", "");
    assert_eq!(consumers(&status), [consumer("gold.totals", &[])]);
    let nobody = edited("      parts: {type: 'struct<a: int>'}\n", "");
    assert_eq!(consumers(&nobody), []);
}

#[test]
fn a_version_that_is_raised_enough_lacks_nothing() {
    let with = |version: &str| {
        let after = SALES.replace("1.0.0", version).replace("type: int}", "type: string}");
        compare(&promises(&project(SALES)), &promises(&project(&after)))
    };
    assert!(!with("2.0.0").breaks());
    let same = with("1.1.0");
    assert!(same.breaks());
    assert_eq!(same.changed[0].lacking(), Some(Raise::Major));
    assert_eq!(same.changed[0].next_version(Raise::Major).to_string(), "2.0.0");
}

#[test]
fn a_renamed_contract_is_compared_with_its_former_self() {
    let after = project(SALES)
        .replace("sales:\n", "orders:\n")
        .replace("contract: sales", "contract: orders")
        .replace("type: int}", "type: string}");
    let comparison = compare(&promises(&project(SALES)), &promises(&after));
    assert_eq!(rules(&comparison), ["type-changed", "contract-renamed"]);
    assert_eq!(comparison.changed[0].renamed_from.as_deref(), Some("sales"));
}

#[test]
fn a_file_of_contracts_says_nothing_of_others() {
    let whole = promises(&project(&format!("{SALES}  other: {{columns: {{a: {{type: int}}}}}}\n")));
    let file = promises(&project(SALES)).without_tables();
    assert_eq!(rules(&compare(&file, &whole)), Vec::<&str>::new());
    assert_eq!(rules(&compare(&whole, &file)), Vec::<&str>::new());
}

#[test]
fn the_documentation_has_the_table_of_rules() {
    let row = |rule: &Rule| format!("| `{}` | {} | {} |\n", rule.name(), rule.grade().word(), rule.reason());
    let table: String = Rule::ALL.iter().map(row).collect();
    let page = include_str!("../../docs/compatibility.md");
    assert!(page.contains(&table), "docs/compatibility.md should have\n{table}");
}
