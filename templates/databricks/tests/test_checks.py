"""What becomes of rows that break a check, on a table of two columns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from package import Cast, ChecksFailed, Column, Contract, Row, Run, Table, Unique, build
from tables import TABLES

LAYER = TABLES[0][0].partition(".")[0]
RAW, CLEAN = f"{LAYER}.test_raw", f"{LAYER}.test_clean"
ORDERS = Table(
    name=CLEAN,
    rows=Cast(table=RAW),
    contract=Contract(
        name="orders",
        columns=[Column("id", "string", nullable=False), Column("amount", "decimal(10,2)")],
        on_cast_failure="quarantine",
    ),
    checks=[
        Row(kind="between", label="amount >= 0", columns=["amount"], violated="NOT (amount >= 0)", on_violation="warn"),
        Unique(kind="unique", label="id is unique", columns=["id"]),
    ],
)


def deliver(run: Run, *rows: tuple[str, str]) -> None:
    frame = run.spark.createDataFrame(list(rows), "id string, amount string")
    frame.write.mode("overwrite").format("delta").saveAsTable(run.name(RAW))


def amounts(run: Run) -> list[tuple[str, str]]:
    rows = run.spark.table(run.name(CLEAN)).orderBy("id").collect()
    return [(row["id"], str(row["amount"])) for row in rows]


def test_what_cannot_be_cast_is_set_aside_with_its_text(run: Run) -> None:
    deliver(run, ("001", "1.50"), ("002", "two"))
    build(ORDERS, run)
    assert amounts(run) == [("001", "1.50")]
    set_aside = run.spark.table(run.name(f"{CLEAN}_quarantine")).collect()
    assert [(row["id"], row["amount"]) for row in set_aside] == [("002", "two")]
    assert set_aside[0]["_reasons"]


def test_a_check_that_warns_lets_rows_through_and_is_recorded(run: Run) -> None:
    deliver(run, ("001", "-1"))
    build(ORDERS, run)
    assert amounts(run) == [("001", "-1.00")]
    results = run.spark.table(run.name("quality.results")).where("label = 'amount >= 0'").collect()
    assert [(row["success"], row["n_violating"]) for row in results] == [(False, 1)]


def test_a_check_that_blocks_leaves_the_old_rows(run: Run) -> None:
    deliver(run, ("001", "1"))
    build(ORDERS, run)
    deliver(run, ("002", "2"), ("002", "3"))
    with pytest.raises(ChecksFailed, match="id is unique"):
        build(ORDERS, replace(run, run_id="next"))
    assert amounts(run) == [("001", "1.00")]
