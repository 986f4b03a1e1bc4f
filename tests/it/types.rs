//! Types as a user meets them: identifiers, decimals, times and nested values from a file to `medc show`.

use serde_json::Value;

use crate::project::{Project, Run};

const HEAD: &str = "project: {name: types}\n\
    environments: {local: {engine: local, warehouse: .medc/warehouse}}\n\
    layers: {bronze: {}, silver: {}, gold: {}}\n";

fn project(rest: &str) -> Project {
    let project = Project::empty();
    project.write("medc.yml", &format!("{HEAD}{rest}"));
    project
}

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

/// The rows as `medc show` writes them, every digit as it stands.
fn rows(project: &Project, table: &str) -> Vec<String> {
    let run = project.medc(&["show", table, "--format", "json", "--limit", "0"]);
    well(&run);
    let mut rows: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

#[test]
fn leading_zeros_survive_from_the_file_to_the_screen() {
    let project = project(
        "tables:\n\
         \x20 bronze.orders: {source: {format: csv, path: orders.csv}, contract: orders}\n\
         \x20 silver.orders: {from: bronze.orders, contract: orders, write: {mode: merge, keys: [id]}}\n\
         \x20 gold.customers: {sql: \"SELECT customer, count(*) AS n FROM silver.orders GROUP BY customer\"}\n\
         contracts:\n\
         \x20 orders: {columns: {id: {type: string}, customer: {type: string}}}\n",
    );
    project.write("orders.csv", "id,customer\n001,0007\n1,7\n01,\"0007\"\n");
    well(&project.medc(&["apply"]));
    project.write("orders.csv", "id,customer\n001,00000000000000000000000000000000000000000001\n1e3, 12 \n");
    well(&project.medc(&["apply"]));
    assert_eq!(
        rows(&project, "silver.orders"),
        [
            r#"{"id":"001","customer":"00000000000000000000000000000000000000000001"}"#,
            r#"{"id":"01","customer":"0007"}"#,
            r#"{"id":"1","customer":"7"}"#,
            r#"{"id":"1e3","customer":" 12 "}"#,
        ]
    );
    assert_eq!(
        rows(&project, "gold.customers"),
        [
            r#"{"customer":" 12 ","n":1}"#,
            r#"{"customer":"00000000000000000000000000000000000000000001","n":1}"#,
            r#"{"customer":"0007","n":1}"#,
            r#"{"customer":"7","n":1}"#,
        ]
    );
    let csv = project.medc(&["show", "silver.orders", "--format", "csv", "--where", "id = '01'"]);
    assert!(csv.stdout.contains("01,0007"), "{}", csv.stdout);
}

/// The sums are those of Python's `decimal` over the same numbers.
#[test]
fn decimals_are_exact_to_the_last_digit() {
    let project = project(
        "tables:\n\
         \x20 bronze.amounts: {source: {format: csv, path: amounts.csv}, contract: text}\n\
         \x20 silver.amounts: {from: bronze.amounts, contract: exact}\n\
         \x20 gold.sums: {sql: \"SELECT sum(x) AS x, sum(y) AS y, sum(y * y) AS z FROM silver.amounts\"}\n\
         contracts:\n\
         \x20 text: {columns: {x: {type: string}, y: {type: string}}}\n\
         \x20 exact: {columns: {x: {type: \"decimal(38,18)\"}, y: {type: \"decimal(18,2)\"}}}\n",
    );
    let mut text = "x,y\n".to_owned();
    // i × 123456789.012345678901234567 + 0.000000000000000001, in digits.
    let step = 123_456_789_012_345_678_901_234_567_i128;
    for row in 1..=1000_i128 {
        let units = row * step + 1;
        let (whole, part) = (units / 1_000_000_000_000_000_000, units % 1_000_000_000_000_000_000);
        text.extend([format!("{whole}.{part:018},{}.{:02}\n", row / 100, row % 100)]);
    }
    project.write("amounts.csv", &text);
    well(&project.medc(&["apply"]));
    assert_eq!(rows(&project, "gold.sums"), [r#"{"x":61790122900679.012290067900784500,"y":5005.00,"z":33383.3500}"#]);
}

#[test]
fn what_cannot_be_cast_is_told_with_its_text_and_its_count() {
    let project = project(
        "tables:\n\
         \x20 bronze.t: {source: {format: csv, path: t.csv}, contract: text}\n\
         \x20 silver.t: {from: bronze.t, contract: typed}\n\
         contracts:\n\
         \x20 text: {columns: {id: {type: string}, i: {type: string}, f: {type: string}, b: {type: string}, \
           d: {type: string}, ts: {type: string}}}\n\
         \x20 typed: {on_cast_failure: quarantine, columns: {id: {type: string}, i: {type: smallint}, f: {type: double}, \
           b: {type: boolean}, d: {type: date}, ts: {type: timestamp}}}\n",
    );
    project.write(
        "t.csv",
        "id,i,f,b,d,ts\n\
         1, 12 ,NaN,yes,1500-02-28,2024-01-01T00:00:00-03:00\n\
         2,-32768,Infinity,N,0001-01-01,1969-12-31 23:59:59.999999 America/Sao_Paulo\n\
         3,1e3,1e3,t,9999-12-31,2024-01-01\n\
         4,32768,x,on,2023-02-29,2024-01-01 25:00\n\
         5,,,,,\n",
    );
    let run = project.medc(&["apply", "--format", "json"]);
    assert!(run.stdout.contains("d to date (1)") && run.stdout.contains("i to smallint (2)"), "{}", run.stdout);
    assert_eq!(
        rows(&project, "silver.t"),
        [
            r#"{"id":"1","i":12,"f":"NaN","b":true,"d":"1500-02-28","ts":"2024-01-01T03:00:00Z"}"#,
            r#"{"id":"2","i":-32768,"f":"Infinity","b":false,"d":"0001-01-01","ts":"1970-01-01T02:59:59.999999Z"}"#,
            r#"{"id":"5","i":null,"f":null,"b":null,"d":null,"ts":null}"#,
        ]
    );
    let set_aside = rows(&project, "silver.t_quarantine");
    let aside: Vec<Value> = set_aside.iter().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    assert_eq!(aside.len(), 2);
    assert_eq!((&aside[0]["i"], &aside[0]["_reasons"][0]), (&"1e3".into(), &"i: `1e3` is no smallint".into()));
    assert_eq!(aside[1]["_reasons"].as_array().map(Vec::len), Some(5), "{}", aside[1]);
}

#[test]
fn times_without_a_zone_are_read_in_the_contracts() {
    let project = project(
        "tables:\n\
         \x20 bronze.t: {source: {format: csv, path: t.csv}, contract: local}\n\
         \x20 silver.t: {from: bronze.t, contract: days}\n\
         contracts:\n\
         \x20 local: {timezone: America/Sao_Paulo, on_cast_failure: warn, columns: {id: {type: string}, ts: {type: timestamp}}}\n\
         \x20 days: {timezone: America/Sao_Paulo, columns: {id: {type: string}, ts: {type: date}}}\n",
    );
    project.write("t.csv", "id,ts\n1,2024-01-01 22:30:00\n2,2024-01-01 22:30:00Z\n3,2018-11-04 00:30:00\n");
    well(&project.medc(&["apply"]));
    assert_eq!(
        rows(&project, "bronze.t"),
        [
            r#"{"id":"1","ts":"2024-01-02T01:30:00Z"}"#,
            r#"{"id":"2","ts":"2024-01-01T22:30:00Z"}"#,
            r#"{"id":"3","ts":null}"#,
        ]
    );
    assert_eq!(rows(&project, "silver.t")[0], r#"{"id":"1","ts":"2024-01-01"}"#);
    let text = project.read("medc.yml").replacen("America/Sao_Paulo", "America/Sao_Paolo", 1);
    project.write("medc.yml", &text);
    let findings = project.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["code"], "resolve::contract-form");
    assert_eq!(findings[0]["help"], "did you mean `America/Sao_Paulo`?");
}

#[test]
fn nested_values_go_from_json_to_delta_and_back() {
    let project = project(
        "tables:\n\
         \x20 bronze.t: {source: {format: json, path: t.jsonl}, contract: text}\n\
         \x20 silver.t: {from: bronze.t, contract: nested}\n\
         contracts:\n\
         \x20 text: {columns: {id: {type: string}, s: {type: string}, l: {type: string}, m: {type: string}}}\n\
         \x20 nested: {on_cast_failure: quarantine, columns: {id: {type: string}, s: {type: \"struct<a:int,b:string>\"}, \
           l: {type: \"array<struct<k:decimal(38,18)>>\"}, m: {type: \"map<string,date>\"}}}\n",
    );
    project.write(
        "t.jsonl",
        "{\"id\": \"1\", \"s\": {\"a\": 1, \"b\": \"01\"}, \"l\": [{\"k\": 1.000000000000000001}, null], \"m\": {\"007\": \"2024-01-01\"}}\n\
         {\"id\": \"2\", \"s\": {\"b\": null}, \"l\": [], \"m\": {}}\n\
         {\"id\": \"3\", \"s\": {\"a\": 1, \"c\": 2}, \"l\": null, \"m\": null}\n\
         {\"id\": \"4\", \"s\": null, \"l\": [{\"k\": \"x\"}], \"m\": {\"a\": \"2023-02-29\"}}\n",
    );
    well(&project.medc(&["apply"]));
    let expected = [
        r#"{"id":"1","s":{"a":1,"b":"01"},"l":[{"k":1.000000000000000001},null],"m":{"007":"2024-01-01"}}"#,
        r#"{"id":"2","s":{"a":null,"b":null},"l":[],"m":{}}"#,
    ];
    assert_eq!(rows(&project, "silver.t"), expected);
    let aside = rows(&project, "silver.t_quarantine").join("\n");
    for reason in [
        r#"s: `{\"a\":1,\"c\":2}` is no struct<a:int,b:string>"#,
        r#"l: `[{\"k\":\"x\"}]` is no array<struct<k:decimal(38,18)>>"#,
        r#"m: `{\"a\":\"2023-02-29\"}` is no map<string,date>"#,
    ] {
        assert!(aside.contains(reason), "{reason}: {aside}");
    }
    // What was written is read again, with wider members, and never by position.
    let read_again = |members: &str| {
        project.write(
            "medc.yml",
            &format!(
                "{HEAD}tables:\n\
                 \x20 bronze.again: {{source: {{format: delta, path: .medc/warehouse/silver/t}}, contract: again}}\n\
                 contracts:\n\
                 \x20 again: {{columns: {{id: {{type: string}}, s: {{type: \"struct<{members}>\"}}, \
                   l: {{type: \"array<struct<k:decimal(38,18)>>\"}}, m: {{type: \"map<string,date>\"}}}}}}\n"
            ),
        );
        project.medc(&["apply"])
    };
    well(&read_again("b:string,a:bigint,c:date"));
    assert_eq!(
        rows(&project, "bronze.again")[0],
        r#"{"id":"1","s":{"b":"01","a":1,"c":null},"l":[{"k":1.000000000000000001},null],"m":{"007":"2024-01-01"}}"#
    );
    let run = read_again("a:int");
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(run.stderr.contains("the member `b` would be lost"), "{}", run.stderr);
}

#[test]
fn numbers_from_typed_files_lose_nothing() {
    let project = project(
        "tables:\n\
         \x20 bronze.t: {source: {format: csv, path: t.csv}, contract: t}\n\
         contracts:\n\
         \x20 t: {columns: {id: {type: string}, x: {type: double}, y: {type: \"decimal(10,3)\"}}}\n",
    );
    project.write("t.csv", "id,x,y\n001,3,1.005\n002,1.005,2\n003,NaN,2.5\n");
    well(&project.medc(&["apply"]));
    let read_as = |x: &str, y: &str| {
        project.write(
            "medc.yml",
            &format!(
                "{HEAD}tables:\n\
                 \x20 silver.t: {{source: {{format: parquet, path: \".medc/warehouse/bronze/t/*.parquet\"}}, contract: u}}\n\
                 contracts:\n\
                 \x20 u: {{on_cast_failure: warn, columns: {{id: {{type: string}}, x: {{type: {x}}}, y: {{type: {y}}}}}}}\n"
            ),
        );
        project.medc(&["apply", "--full-refresh"])
    };
    let run = read_as("int", "smallint");
    well(&run);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("x to int (2), y to smallint (2)"), "{run:?}");
    assert_eq!(
        rows(&project, "silver.t"),
        [r#"{"id":"001","x":3,"y":null}"#, r#"{"id":"002","x":null,"y":2}"#, r#"{"id":"003","x":null,"y":null}"#,]
    );
    well(&read_as("\"decimal(10,2)\"", "double"));
    assert_eq!(rows(&project, "silver.t")[1], r#"{"id":"002","x":1.01,"y":2.0}"#);
    let run = read_as("string", "double");
    assert_eq!(run.code, Some(1), "a double has no text that Databricks would also give: {}", run.stdout);
    assert!(run.stderr.contains("`x` is `double` in the files"), "{}", run.stderr);
}
