"""Every kind of expectation on nasty rows: what the emitted checks find on Spark is what the local engine found.

The project of `every_kind` is applied by the binary and emitted as a bundle; the checks of its notebooks judge the rows
that the local engine stored. Needs MEDC, the path of the binary.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import every_kind
import pytest
from pyspark.sql import SparkSession


from package import checks
from package.judge import Judged, judge

MEDC = os.environ.get("MEDC", "")
pytestmark = pytest.mark.skipif(not MEDC, reason="MEDC does not name a binary")
NAMES = {layer: f"spark_catalog.every_{layer}" for layer in ("bronze", "silver", "quality")}
TABLES = ("warned", "empty", "nulls", "split")

# What two runs, or two orders of the same rows, tell differently.
UNTOLD = {"run_id", "checked_at", "duration_s", "table_name"}
N_EXAMPLES = 20


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "every_kind"
    every_kind.write(folder)
    for arguments in (["apply"], ["bundle"]):
        subprocess.run([MEDC, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def spark(project: Path, lake: SparkSession) -> SparkSession:
    for schema in NAMES.values():
        lake.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in ("rows", "known"):
        stored = lake.read.parquet(str(project / f".medc/warehouse/bronze/{table}/*.parquet"))
        stored.write.mode("overwrite").saveAsTable(f"{NAMES['bronze']}.{table}")
    lake.sql(
        f"CREATE TABLE IF NOT EXISTS {NAMES['quality']}.results (table_name STRING, kind STRING, observed STRING, "
        "success BOOLEAN, checked_at TIMESTAMP)"
    )
    return lake


def show(project: Path, table: str) -> list[dict[str, Any]]:
    command = [MEDC, "show", table, "--format", "json", "--limit", "0"]
    shown = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in shown.stdout.splitlines()]


def emitted(project: Path, table: str) -> dict[str, Any]:
    """The arguments of a table in its notebook."""
    found: dict[str, Any] = {}

    class Anything:
        def __init__(self, *_: object, **arguments: Any) -> None:
            if "checks" in arguments or "rows" in arguments:
                found.update(arguments)

        of_notebook = staticmethod(lambda *_: None)

    package = types.ModuleType("every_kind_package")
    package.__getattr__ = lambda name: getattr(checks, name, Anything)  # type: ignore[method-assign]
    runtime = types.ModuleType("databricks.sdk.runtime")
    runtime.__getattr__ = lambda _: None  # type: ignore[method-assign]
    text = (project / f".medc/bundle/src/notebooks/silver_{table}.py").read_text()
    name = next(line.split()[1] for line in text.splitlines() if line.startswith("from ") and "databricks" not in line)
    modules = {"databricks": types.ModuleType("databricks"), "databricks.sdk": types.ModuleType("databricks.sdk")}
    sys.modules.update({**modules, "databricks.sdk.runtime": runtime, name: package})
    exec(compile(text, f"silver_{table}.py", "exec"), {})  # noqa: S102
    return found


@pytest.fixture(scope="session")
def judged(project: Path, spark: SparkSession) -> dict[str, Judged]:
    found = {}
    queries = {
        "warned": "SELECT * FROM {rows}",
        "empty": "SELECT * FROM {rows} WHERE row < 0",
        "nulls": every_kind.nulls("{rows}"),
        "split": "SELECT * FROM {rows}",
    }
    for table, query in queries.items():
        rows = spark.sql(query.replace("{rows}", f"{NAMES['bronze']}.rows"))
        arguments = emitted(project, table)
        found[table] = judge(spark, rows, arguments["checks"], NAMES, arguments.get("private", ()))
    return found


def same(here: Any, there: Any) -> bool:
    if isinstance(here, float) and isinstance(there, (int, float)) and not isinstance(there, bool):
        return math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(here, list) and isinstance(there, list):
        return len(here) == len(there) and all(map(same, here, there))
    return bool(here == there)


def rounded(value: str | None) -> str | None:
    """A number as text without the digits that depend on the order in which it was summed up."""
    try:
        return value and f"{float(value):.9g}"
    except ValueError:
        return value


def compared(outcome: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in outcome.items() if name not in UNTOLD}
    if told.get("observed"):
        told["observed"] = json.loads(told["observed"])
    examples = json.loads(told.get("examples") or "[]")
    for example in examples:
        if "observed" in example and told["kind"] != "query":
            example["observed"] = rounded(example["observed"])
    told["examples"] = sorted(json.dumps(example, ensure_ascii=False) for example in examples)
    if told["n_violating"] > N_EXAMPLES or told["kind"] == "unique":
        # Which of them are shown is not promised.
        told["examples"] = [len(examples) > 0, *sorted({",".join(example) for example in examples})]
    return told


@pytest.mark.parametrize("table", TABLES)
def test_outcomes_are_the_same(project: Path, judged: dict[str, Judged], table: str) -> None:
    there = [one for one in show(project, "quality.results") if one["table_name"] == f"silver.{table}"]
    here = [vars(outcome) for outcome in judged[table].outcomes]
    assert [one["label"] for one in here] == [one["label"] for one in there]
    different = []
    for ours, theirs in zip(map(compared, here), map(compared, there)):
        names = [name for name in {**ours, **theirs} if not same(ours.get(name), theirs.get(name))]
        different += [f"{ours['label']}: {name}: {ours.get(name)!r} for {theirs.get(name)!r}" for name in names]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_split_the_same(project: Path, judged: dict[str, Judged], table: str) -> None:
    kept = sorted(row["row"] for row in show(project, f"silver.{table}"))
    assert sorted(row["row"] for row in judged[table].kept.collect()) == kept
    aside = [] if table != "split" else show(project, "silver.split_quarantine")
    found = [(str(row["row"]), row["_reasons"]) for row in judged[table].set_aside.collect()]
    assert sorted(found) == sorted((row["row"], row["_reasons"]) for row in aside)
