"""A Spark with Delta tables on this machine, an empty lakehouse in it, and the tables as their notebooks declare them.

The first start loads Delta from Maven Central; where that cannot be reached, SPARK_JARS names its files, separated by commas.
"""

from __future__ import annotations

import os
import runpy
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import package as shared
import package.pipeline as pipeline
import pytest
from package import Database, Files, Run, Table
from package.files import delimited_options
from pyspark.sql import SparkSession
from tables import ENVIRONMENT, TABLES

ROOT = Path(__file__).resolve().parent.parent
DELTA = "io.delta:delta-spark_4.1_2.13:4.4.0"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session for all tests."""
    jars = os.environ.get("SPARK_JARS")
    settings = {
        "spark.jars" if jars else "spark.jars.packages": jars or DELTA,
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Without it, Spark 4.1 leaves parameters unbound when Delta's parser stands in front of its own.
        "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
        "spark.sql.sources.default": "delta",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.sql.session.timeZone": "UTC",
        # Tables of a few rows: by default each commit is read by fifty tasks.
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[2]").appName("tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def run(spark: SparkSession, tmp_path: Path) -> Run:
    """A run in an empty lakehouse."""
    layers = list(dict.fromkeys([name.partition(".")[0] for name, _ in TABLES] + ["quality", "ml_registry"]))
    for layer in layers:
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.`{layer}` CASCADE")
        spark.sql(f"CREATE SCHEMA spark_catalog.`{layer}`")
    return Run(
        spark=spark,
        catalog="spark_catalog",
        schemas={layer: layer for layer in layers},
        run_id="test",
        environment=ENVIRONMENT,
        checkpoints=str(tmp_path / "checkpoints"),
    )


@pytest.fixture(scope="session")
def tables(spark: SparkSession) -> dict[str, Table]:
    """The tables by name, each behind those that it reads."""
    found: dict[str, Table] = {}
    for path in dict.fromkeys(path for _, path in TABLES):
        found.update({table.name: with_files(table) for table in declared(ROOT / path)})
    return {name: found[name] for name, _ in TABLES}


def declared(path: Path) -> list[Table]:
    """The tables that a source file declares; nothing is built."""
    found: list[Table] = []
    runtime: Any = types.ModuleType("databricks.sdk.runtime")
    runtime.spark = runtime.dbutils = None
    with pytest.MonkeyPatch.context() as patch:
        for name in ("databricks", "databricks.sdk"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
        patch.setattr(shared, "build", lambda table, run: found.append(table))
        patch.setattr(shared, "apply_unity_statements", lambda run, tables=(): None)
        # In a pipeline a file says the dataset's columns, and no statement makes a table.
        patch.setattr(pipeline, "define", lambda table, spark: found.append(replace(table, ddl=None)))
        patch.setattr(Run, "of_notebook", classmethod(lambda cls, spark, dbutils: None))
        runpy.run_path(str(path))
    return found


def with_files(table: Table) -> Table:
    """The table with files in the place of what only Databricks and databases have."""
    rows = table.rows
    if isinstance(rows, Database):
        rows = Files(format="delta", metadata_columns=rows.metadata_columns)
    elif isinstance(rows, Files) and rows.method == "copy_into":
        rows = replace(rows, method="auto_loader")
    return replace(table, rows=rows)


def write_empty(spark: SparkSession, table: Table, files: Files, folder: Path) -> str:
    """Writes what the table is read from, without a row; where."""
    names = [name for name in table.own_columns or [] if name not in files.metadata_columns]
    if files.format in ("csv", "json"):
        path = folder / f"{table.name}.{'jsonl' if files.format == 'json' else 'csv'}"
        header = files.delimiter.join(names) + "\n" if files.format == "csv" and files.header else ""
        path.write_bytes(header.encode(files.encoding))
        return str(path)
    path = folder / f"{table.name}.{files.format}"
    spark.createDataFrame([], schema(table, names)).write.format(files.format).save(str(path))
    return str(path)


def schema(table: Table, names: list[str]) -> str:
    """Columns with the types that the contract promises."""
    known = {column.name: column.data_type for column in (table.contract.columns if table.contract else [])}
    return ", ".join(f"`{name}` {known.get(name.lower(), 'string')}" for name in names)


def n_rows(spark: SparkSession, files: Files, path: Path) -> int:
    """How many rows a file has, as Spark counts them."""
    if files.format == "json":
        return len([line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])
    return spark.read.format("csv").options(**delimited_options(files)).load(str(path)).count()
