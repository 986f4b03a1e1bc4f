"""What `build` leaves behind when it is run again, when rows come in parts, and when a check blocks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from package import (
    Cast,
    ChecksFailed,
    Column,
    Contract,
    Dataset,
    Files,
    PublishError,
    Query,
    Row,
    Run,
    SourceError,
    Table,
    Unique,
    Write,
    build,
)
from package.statements import named, split

RUN_IDS = itertools.count(1)


def again(run: Run) -> Run:
    return replace(run, run_id=f"run {next(RUN_IDS)}")


def rows(run: Run, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in run.spark.table(run.name(table)).select(*columns).collect()), key=str)


def put(run: Run, file: str, text: str) -> None:
    assert run.path is not None
    (Path(run.path) / file).write_text(text, encoding="utf-8")


ORDERS = Contract(name="orders", columns=[Column("id", "string"), Column("amount", "string")])
APPENDED = Table(
    name="bronze.orders",
    rows=Files(format="csv", metadata_columns=["_run_id"]),
    columns=["id", "amount", "_run_id"],
    contract=ORDERS,
    checks=[Row(kind="not_null", label="id is not null", columns=["id"], violated="id IS NULL")],
    write=Write(mode="append"),
)


def test_each_file_is_appended_once(run: Run) -> None:
    put(run, "1.csv", "id,amount\na,1\nb,2\n")
    build(APPENDED, run)
    build(APPENDED, again(run))
    put(run, "2.csv", "id,amount\nc,3\n")
    build(APPENDED, again(run))
    assert rows(run, "bronze.orders", "id", "amount") == [("a", "1"), ("b", "2"), ("c", "3")]


def test_files_that_break_a_check_are_tried_again(run: Run) -> None:
    put(run, "1.csv", "id,amount\na,1\n")
    build(APPENDED, run)
    put(run, "2.csv", "id,amount\n,2\n")
    for _ in range(2):
        with pytest.raises(ChecksFailed, match="id is not null"):
            build(APPENDED, again(run))
    assert rows(run, "bronze.orders", "id") == [("a",)]
    lenient = replace(APPENDED, checks=[replace(APPENDED.checks[0], on_violation="warn")])
    build(lenient, again(run))
    assert rows(run, "bronze.orders", "id", "amount") == [("a", "1"), (None, "2")]


def test_what_was_published_before_the_landing_was_emptied_is_not_published_twice(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(run, "1.csv", "id,amount\na,1\n")
    with monkeypatch.context() as stopped:
        stopped.setattr("package.publish.Landing.empty", lambda landing: None)
        build(APPENDED, run)
    put(run, "2.csv", "id,amount\nb,2\n")
    build(APPENDED, again(run))
    assert rows(run, "bronze.orders", "id") == [("a",), ("b",)]


CLEAN = Table(
    name="silver.orders",
    rows=Cast(table="bronze.raw"),
    contract=Contract(
        name="clean",
        columns=[Column("id", "string", nullable=False), Column("amount", "decimal(10,2)", tags=["pii"])],
        on_cast_failure="quarantine",
    ),
    checks=[
        Row(
            kind="min",
            label="amount >= 0",
            columns=["amount"],
            considered="amount IS NOT NULL",
            violated="amount < 0",
            on_violation="quarantine",
        ),
        Unique(kind="unique", label="id is unique", columns=["id"]),
    ],
    private=["amount"],
)


def raw(run: Run, *values: tuple[str, str]) -> None:
    frame = run.spark.createDataFrame(list(values), "id string, amount string")
    frame.write.mode("overwrite").saveAsTable(run.name("bronze.raw"))


def test_rows_are_set_aside_once_with_what_came(run: Run) -> None:
    raw(run, ("a", " 1.005"), ("b", "-2"), ("c", "x"))
    build(CLEAN, run)
    build(CLEAN, again(run))
    assert [str(amount) for _, amount in rows(run, "silver.orders", "id", "amount")] == ["1.01"]
    assert rows(run, "silver.orders_quarantine", "id", "amount", "_reasons", "_run_id") == [
        ("b", "-2", ["amount >= 0"], "first"),
        ("c", "x", ["amount: `x` is no decimal(10,2)"], "first"),
    ]
    raw(run, ("a", "1"), ("d", "y"))
    build(CLEAN, replace(run, run_id="last"))
    assert rows(run, "silver.orders_quarantine", "id", "_run_id")[-1] == ("d", "last")
    shown = run.spark.table(run.name("quality.results")).filter("NOT success").select("examples").collect()
    assert shown and all("hidden" in row[0] for row in shown)


def test_a_check_that_blocks_is_recorded_and_nothing_else_happens(run: Run) -> None:
    raw(run, ("a", "1"))
    build(CLEAN, run)
    raw(run, ("a", "1"), ("a", "2"), ("b", "-1"))
    with pytest.raises(ChecksFailed, match="`silver.orders` keeps its old rows: `id is unique`: 2 of 2 rows break it"):
        build(CLEAN, replace(run, run_id="last"))
    assert [str(amount) for _, amount in rows(run, "silver.orders", "id", "amount")] == ["1.00"]
    assert not run.exists("silver.orders_quarantine")
    failed = run.spark.table(run.name("quality.results")).filter("run_id = 'last' AND label = 'id is unique'")
    assert [(row["n_violating"], row["success"]) for row in failed.collect()] == [(2, False)]
    left = run.spark.sql("SHOW TABLES IN spark_catalog.lake__silver").collect()
    assert [row["tableName"] for row in left if not row["isTemporary"]] == ["orders"]


def test_an_overwritten_table_keeps_what_it_was_declared_with(run: Run) -> None:
    ddl = "CREATE TABLE IF NOT EXISTS IDENTIFIER(:silver || '.orders') (id STRING NOT NULL COMMENT 'Theirs', "
    ddl += (
        "amount DECIMAL(10,2)) USING DELTA CLUSTER BY (id) COMMENT 'Orders' TBLPROPERTIES ('medc.contract' = 'clean')\n"
    )
    (run.sql_folder / "orders.table.sql").write_text(ddl)
    raw(run, ("a", "1"))
    for _ in range(2):
        build(replace(CLEAN, ddl="orders.table.sql", write=Write(cluster_by=["id"])), again(run))
    detail = run.spark.sql("DESCRIBE DETAIL lake.silver.orders").collect()[0]
    assert detail["properties"]["medc.contract"] == "clean" and detail["clusteringColumns"] == ["id"]
    column = run.spark.table("lake.silver.orders").schema["id"]
    assert not column.nullable and column.metadata["comment"] == "Theirs"


def test_an_overwritten_table_becomes_what_is_declared(run: Run) -> None:
    raw(run, ("a", "1"))
    build(CLEAN, run)
    contract = Contract(name="clean", columns=[Column("amount", "bigint"), Column("id", "string")])
    build(replace(CLEAN, contract=contract, checks=[]), again(run))
    assert rows(run, "silver.orders", "id", "amount") == [("a", 1)]


MERGED = replace(CLEAN, write=Write(mode="merge", keys=["id"]), checks=[])


def test_rows_with_a_known_key_are_replaced(run: Run) -> None:
    raw(run, ("a", "1"), ("b", "2"))
    build(MERGED, run)
    raw(run, ("b", "3"), ("c", "4"))
    build(MERGED, again(run))
    assert [(one, str(other)) for one, other in rows(run, "silver.orders", "id", "amount")] == [
        ("a", "1.00"),
        ("b", "3.00"),
        ("c", "4.00"),
    ]
    raw(run, ("d", "1"), ("d", "2"))
    with pytest.raises(PublishError, match="several rows with the same id: id = d"):
        build(MERGED, again(run))


def test_a_merged_table_gets_columns_only_where_its_rule_says_so(run: Run) -> None:
    raw(run, ("a", "1"))
    build(MERGED, run)
    (run.sql_folder / "more.sql").write_text("SELECT *, 7 AS more FROM cast_rows")
    columns = [*CLEAN.contract.columns, Column("more", "int")] if CLEAN.contract else []
    wider = replace(MERGED, rows=Cast(table="bronze.raw", sql="more.sql"), contract=Contract(name="w", columns=columns))
    with pytest.raises(PublishError, match="schema_evolution: fail"):
        build(wider, again(run))
    raw(run, ("b", "2"))
    build(replace(wider, write=replace(wider.write, schema_evolution="add_columns")), again(run))
    assert rows(run, "silver.orders", "id", "more") == [("a", None), ("b", 7)]


def test_a_view_is_judged_and_then_made(run: Run) -> None:
    raw(run, ("a", "1"), ("b", "2"))
    (run.sql_folder / "v.sql").write_text("SELECT count(*) AS n FROM IDENTIFIER(:bronze || '.raw')")
    made: list[str] = []
    check = Row(kind="min", label="n >= 3", columns=["n"], violated="n < 3", on_violation="warn")
    view = Table(name="gold.v", rows=Query(sql="v.sql"), checks=[check], write=Write(mode="view"), description="It's")

    class Spark:
        def __getattr__(self, name: str) -> Any:
            return getattr(run.spark, name)

        def sql(self, text: str, **named: Any) -> Any:
            if text.startswith("CREATE OR REPLACE VIEW"):
                made.append(text)
                return None
            return run.spark.sql(text, **named)

    build(view, replace(run, spark=Spark()))  # type: ignore[arg-type]
    assert made == [
        "CREATE OR REPLACE VIEW `lake`.`gold`.`v` COMMENT 'It\\'s' AS\nSELECT count(*) AS n FROM `lake`.`bronze`.raw"
    ]
    with pytest.raises(ChecksFailed):
        build(replace(view, checks=[replace(check, on_violation="fail")]), replace(run, spark=Spark()))  # type: ignore[arg-type]
    assert len(made) == 1


def test_a_dataset_is_remembered(run: Run) -> None:
    raw(run, ("a", "1"))
    dataset = Dataset(
        model="m", version=2, source_table="bronze.raw", features=["amount"], target="id", definition="1:abc"
    )
    build(replace(CLEAN, dataset=dataset), run)
    [row] = run.spark.table(run.name("ml_registry.model_versions")).collect()
    assert (row["model_name"], row["version"], row["feature_columns"], row["source_version"]) == ("m", 2, ["amount"], 0)
    assert row["dataset_version"] == run.version("silver.orders") and row["environment"] == "dev"


CSV = Table(name="bronze.c", rows=Files(format="csv"), contract=ORDERS)


def test_a_source_that_is_not_as_declared_is_an_error(run: Run) -> None:
    put(run, "1.csv", "id,amout\na,1\n")
    with pytest.raises(SourceError, match="lack `amount` and have `amout`"):
        build(CSV, run)
    put(run, "1.csv", "id,amount\na,1,2\n")
    with pytest.raises(SourceError, match="1 rows .* do not have 2 fields"):
        build(CSV, again(run))
    json = replace(CSV, rows=Files(format="json"))
    put(run, "1.jsonl", '{"id": "a", "amount": 1}\n{"id": "b", "amout": 1}\n')
    with pytest.raises(SourceError, match="a key that the contract lacks: amout"):
        build(json, again(run))
    put(run, "1.jsonl", '{"id": "a", "amount": 1} 2\n')
    with pytest.raises(SourceError, match="no JSON object"):
        build(json, again(run))


def test_fields_are_what_the_local_engine_takes_them_for(run: Run) -> None:
    put(run, "1.csv", 'AMOUNT;id\r\n"";" a "\r\n;"x;""y""\nz"\r\nNA;b\r\n')
    source = Files(format="csv", delimiter=";", null_values=["NA"])
    build(replace(CSV, rows=source), run)
    assert rows(run, "bronze.c", "id", "amount") == [(" a ", ""), ("b", None), ('x;"y"\nz', None)]
    assert run.path is not None
    (Path(run.path) / "1.csv").write_bytes(b"id,amount\n\xe9\x80,1\n")
    build(replace(CSV, rows=Files(format="csv", encoding="windows-1252")), again(run))
    assert rows(run, "bronze.c", "id", "amount") == [("é€", "1")]


def test_statements_for_unity_catalog_are_told_apart_and_named() -> None:
    text = "ALTER TABLE {silver}.t SET TAGS ('a;b' = '{silver}');\n-- {gold};\nALTER TABLE {gold}.`{silver}` x;\n"
    run = Run(spark=None, catalog="lake", schemas={"silver": "dev_silver"}, run_id="")  # type: ignore[arg-type]
    assert [named(run, one) for one in split(text)] == [
        "ALTER TABLE `lake`.`dev_silver`.t SET TAGS ('a;b' = '{silver}')",
        "-- {gold};\nALTER TABLE `lake`.`gold`.`{silver}` x",
    ]
