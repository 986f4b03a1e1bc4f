//! Stored tables whose declared columns change: what each rule does, what the plan says, and that no row is lost.

use serde_json::{Value, json};

use crate::project::{Project, Run};

const KEYS: &str = "mode: merge, keys: [id]";

/// A project with one appended or merged table over a folder of files.
struct Shop {
    project: Project,
}

impl Shop {
    fn new() -> Self {
        Shop { project: Project::empty() }
    }

    /// Declares the columns of `silver.orders`, which takes them from the files' text.
    fn merged(&self, write: &str, columns: &str, raw: &str) {
        let raw = raw.split(' ').map(|name| format!("{name}: {{type: string}}")).collect::<Vec<_>>().join(", ");
        self.project.write(
            "medc.yml",
            &format!(
                "project: {{name: shop}}\n\
                 environments: {{local: {{engine: local, warehouse: .medc/warehouse}}}}\n\
                 layers: {{bronze: {{}}, silver: {{}}}}\n\
                 tables:\n\
                 \x20 bronze.orders: {{source: {{format: csv, path: orders.csv}}, contract: raw}}\n\
                 \x20 silver.orders: {{from: bronze.orders, contract: orders, write: {{{write}}}}}\n\
                 contracts:\n\
                 \x20 raw: {{columns: {{{raw}}}}}\n\
                 \x20 orders: {{columns: {{{columns}}}}}\n"
            ),
        );
    }

    /// Declares the columns of `bronze.orders`, which appends files.
    fn appended(&self, write: &str, columns: &str) {
        self.project.write(
            "medc.yml",
            &format!(
                "project: {{name: shop}}\n\
                 environments: {{local: {{engine: local, warehouse: .medc/warehouse}}}}\n\
                 layers: {{bronze: {{}}}}\n\
                 tables:\n\
                 \x20 bronze.orders: {{source: {{format: csv, path: orders}}, contract: orders, write: {{{write}}}}}\n\
                 contracts:\n\
                 \x20 orders: {{columns: {{{columns}}}}}\n"
            ),
        );
    }

    fn orders(&self, text: &str) {
        self.project.write("orders.csv", text);
    }

    fn apply(&self) {
        well(&self.project.medc(&["apply", "--yes"]));
        let again = self.project.medc(&["plan", "--exit-code"]);
        assert_eq!(again.code, Some(0), "a second plan: {}{}", again.stdout, again.stderr);
    }

    /// The finding that an apply ends with.
    fn refused(&self, table: &str) -> Value {
        let before = self.rows(table);
        let run = self.project.medc(&["apply", "--yes", "--format", "json"]);
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
        let finding = report["diagnostics"][0].clone();
        assert_eq!(finding["code"], "run::schema-evolution", "{report}");
        assert_eq!(self.rows(table), before, "the table is as it was");
        finding
    }

    /// The changes of columns that the plan shows, for people and for machines.
    fn planned(&self, table: &str) -> (String, Value) {
        let run = self.project.medc(&["plan", "--format", "json", "--select", table]);
        let plan: Value = serde_json::from_str(&run.stdout).expect("JSON");
        (self.project.medc(&["plan", "--select", table]).stdout, plan["actions"][0]["columns"].clone())
    }

    /// The rows as JSON arrays of texts, sorted.
    fn rows(&self, table: &str) -> Vec<String> {
        let run = self.project.medc(&["show", table, "--format", "json", "--limit", "0"]);
        well(&run);
        let mut rows: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
        rows.sort();
        rows
    }
}

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn a_merged_table_fails_on_other_columns_unless_told_otherwise() {
    let shop = Shop::new();
    shop.orders("id,amount\n001,1\n002,2\n");
    shop.merged(KEYS, "id: {type: string}, amount: {type: int}", "id amount");
    shop.apply();
    shop.orders("id,amount,note\n002,3,x\n");
    shop.merged(KEYS, "id: {type: string}, amount: {type: bigint}, note: {type: string}", "id amount note");
    let (text, columns) = shop.planned("silver.orders");
    assert!(text.contains("silver.orders  merge: its columns changed"), "{text}");
    let statement = "ALTER TABLE silver.orders ALTER COLUMN `amount` TYPE bigint";
    assert!(text.contains(&format!("      ~ amount int → bigint    {statement}\n      + note string")), "{text}");
    assert_eq!(
        columns,
        json!([
            {"change": "retyped", "column": "amount", "from": "int", "to": "bigint"},
            {"change": "added", "column": "note", "data_type": "string", "nullable": true},
        ])
    );
    let finding = shop.refused("silver.orders");
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("`schema_evolution: fail`")), "{finding}");
    assert!(finding["help"].as_str().is_some_and(|text| text.contains("schema_evolution: evolve")), "{finding}");
    let plan = shop.project.medc(&["plan"]);
    assert_eq!(plan.code, Some(1), "a plan that cannot be carried out says so: {}", plan.stdout);
    assert!(plan.stderr.contains("run::schema-evolution"), "{}", plan.stderr);
}

#[test]
fn columns_are_added_to_the_rows_that_are_there() {
    let shop = Shop::new();
    let write = "mode: merge, keys: [id], schema_evolution: add_columns";
    shop.orders("id,amount\n001,1\n002,2\n");
    shop.merged(write, "id: {type: string}, amount: {type: int}", "id amount");
    shop.apply();
    shop.orders("id,amount,note\n002,3,x\n");
    let added = "id: {type: string}, note: {type: string}, amount: {type: int}";
    shop.merged(write, added, "id amount note");
    shop.apply();
    assert_eq!(
        shop.rows("silver.orders"),
        [r#"{"id":"001","note":null,"amount":1}"#, r#"{"id":"002","note":"x","amount":3}"#]
    );
    shop.merged(write, "id: {type: string}, amount: {type: int}", "id amount note");
    let finding = shop.refused("silver.orders");
    assert!(finding["notes"].to_string().contains("- note string") || finding.to_string().contains("- note string"));
    shop.merged(write, &format!("{added}, must: {{type: string, nullable: false}}"), "id amount note must");
    shop.orders("id,amount,note,must\n002,3,x,y\n");
    let finding = shop.refused("silver.orders");
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("not nullable")), "{finding}");
}

#[test]
fn a_merged_table_evolves_without_losing_a_row() {
    let shop = Shop::new();
    let write = "mode: merge, keys: [id], schema_evolution: evolve";
    shop.orders("id,amount,old,day\n001,1,a,2024-01-01\n002,2,b,2024-01-02\n003,3,c,2024-01-02\n");
    shop.merged(
        write,
        "id: {type: string}, Amount: {type: int}, old: {type: string}, day: {type: string}",
        "id amount old day",
    );
    shop.apply();
    // Only one of the keys comes again.
    shop.orders("id,amount,day\n002,20,2024-02-02\n");
    shop.merged(
        &format!("{write}, partition_by: [day]"),
        "id: {type: string}, amount: {type: \"decimal(20,2)\"}, new: {type: date}, day: {type: date}",
        "id amount day",
    );
    let text = shop
        .project
        .read("medc.yml")
        .replace("{from: bronze.orders, ", "{from: bronze.orders, steps: [{derive: {new: \"CAST(NULL AS DATE)\"}}], ");
    shop.project.write("medc.yml", &text);
    let (text, _) = shop.planned("silver.orders");
    for line in [
        "~ amount int → decimal(20,2)",
        "+ new date",
        "- old string",
        "~ day string → date",
        "~ partitioned by nothing → day",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    shop.apply();
    assert_eq!(
        shop.rows("silver.orders"),
        [
            r#"{"id":"001","amount":1.00,"new":null,"day":"2024-01-01"}"#,
            r#"{"id":"002","amount":20.00,"new":null,"day":"2024-02-02"}"#,
            r#"{"id":"003","amount":3.00,"new":null,"day":"2024-01-02"}"#,
        ]
    );
}

#[test]
fn stored_values_that_do_not_fit_are_counted() {
    let shop = Shop::new();
    let write = "mode: merge, keys: [id], schema_evolution: evolve";
    shop.orders("id,amount,note\n001,1,x\n002,two,\n003,three,\n");
    shop.merged(write, "id: {type: string}, amount: {type: string}, note: {type: string}", "id amount note");
    shop.apply();
    shop.orders("id,amount,note\n001,1,x\n");
    shop.merged(write, "id: {type: string}, amount: {type: int}, note: {type: string}", "id amount note");
    let finding = shop.refused("silver.orders");
    assert!(finding["message"].as_str().is_some_and(|text| text.starts_with("2 stored rows")), "{finding}");
    assert!(finding.to_string().contains("`amount` to `int` (2)"), "{finding}");
    let strict = "id: {type: string}, amount: {type: string}, note: {type: string, nullable: false}";
    shop.merged(write, strict, "id amount note");
    let finding = shop.refused("silver.orders");
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("2 rows without `note`")), "{finding}");
    // What is asked to be built anew is built anew.
    well(&shop.project.medc(&["apply", "--full-refresh", "--yes"]));
    assert_eq!(shop.rows("silver.orders"), [r#"{"id":"001","amount":"1","note":"x"}"#]);
}

#[test]
fn an_appended_table_evolves_in_place() {
    let shop = Shop::new();
    let write = "mode: append, schema_evolution: evolve";
    shop.project.write("orders/1.csv", "id,amount\n001,1\n002,2\n");
    shop.appended("mode: append", "id: {type: string}, amount: {type: int}");
    shop.apply();
    shop.project.write("orders/2.csv", "id,amount,note\n003,30000000000,x\n");
    let wider = "id: {type: string}, amount: {type: bigint}, note: {type: string}";
    shop.appended("mode: append", wider);
    shop.refused("bronze.orders");
    shop.appended(write, wider);
    shop.apply();
    let expected = [
        r#"{"id":"001","amount":1,"note":null}"#,
        r#"{"id":"002","amount":2,"note":null}"#,
        r#"{"id":"003","amount":30000000000,"note":"x"}"#,
    ];
    assert_eq!(shop.rows("bronze.orders"), expected);
    // Without a new file only the columns change.
    shop.appended(write, &format!("{wider}, more: {{type: date}}"));
    let (text, _) = shop.planned("bronze.orders");
    assert!(text.contains("bronze.orders  change columns: its columns changed\n      + more date"), "{text}");
    shop.apply();
    assert_eq!(shop.rows("bronze.orders").len(), 3);
    assert!(shop.rows("bronze.orders")[0].ends_with(r#""note":null,"more":null}"#));
    shop.project.write("orders/3.csv", "id,amount,note,more\n004,4,y,2024-01-01\n");
    shop.apply();
    assert_eq!(shop.rows("bronze.orders").len(), 4);
}

#[test]
fn an_overwritten_table_takes_the_declared_columns_unless_told_otherwise() {
    let shop = Shop::new();
    shop.orders("id,amount\n001,1\n");
    shop.merged("mode: overwrite", "id: {type: string}, amount: {type: int}", "id amount");
    shop.apply();
    shop.merged("mode: overwrite", "id: {type: string}, amount: {type: string}", "id amount");
    let (text, _) = shop.planned("silver.orders");
    assert!(text.contains("rebuild: its definition changed\n      ~ amount int → string"), "{text}");
    shop.apply();
    assert_eq!(shop.rows("silver.orders"), [r#"{"id":"001","amount":"1"}"#]);
    let write = "mode: overwrite, schema_evolution: fail";
    shop.merged(write, "id: {type: string}, amount: {type: string}", "id amount");
    let plan = shop.project.medc(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(0), "the rule alone changes nothing: {}", plan.stdout);
    shop.merged(write, "id: {type: string}, amount: {type: int}", "id amount");
    shop.refused("silver.orders");
}

#[test]
fn columns_that_somebody_else_changed_are_seen() {
    let shop = Shop::new();
    shop.orders("id,amount\n001,1\n");
    shop.merged(KEYS, "id: {type: string}, amount: {type: int}", "id amount");
    shop.apply();
    let log = ".medc/warehouse/silver/orders/_delta_log/0000000000000000000";
    let metadata = shop.project.read(&format!("{log}0.json"));
    let metadata = metadata.lines().find(|line| line.contains("\"metaData\"")).expect("a schema");
    let mut metadata: Value = serde_json::from_str(metadata).expect("JSON");
    let schema = metadata["metaData"]["schemaString"].as_str().expect("text");
    let mut schema: Value = serde_json::from_str(schema).expect("JSON");
    let fields = schema["fields"].as_array_mut().expect("columns");
    fields.push(json!({"name": "theirs", "type": "long", "nullable": true, "metadata": {}}));
    metadata["metaData"]["schemaString"] = schema.to_string().into();
    let commit = json!({"commitInfo": {"timestamp": 0, "operation": "ADD COLUMNS"}});
    shop.project.write(&format!("{log}1.json"), &format!("{commit}\n{metadata}\n"));
    let (text, _) = shop.planned("silver.orders");
    assert!(text.contains("merge: its columns changed\n      - theirs bigint"), "{text}");
    shop.refused("silver.orders");
    let write = "mode: merge, keys: [id], schema_evolution: evolve";
    shop.merged(write, "id: {type: string}, amount: {type: int}", "id amount");
    shop.apply();
    assert_eq!(shop.rows("silver.orders"), [r#"{"id":"001","amount":1}"#]);
}
