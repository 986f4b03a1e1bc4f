"""One Spark session for all tests, with Delta tables and a catalog of three-level names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "templates" / "databricks")]

from package import Run  # noqa: E402
from session import add_catalog, session  # noqa: E402

LAYERS = ("bronze", "silver", "gold", "quality", "ml_registry")


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session; its catalog is `lake`."""
    spark = session(tmp_path_factory.mktemp("spark"))
    add_catalog(spark, "lake")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    yield spark
    spark.stop()


@pytest.fixture
def run(lake: SparkSession, tmp_path: Path) -> Iterator[Run]:
    """A run in an empty lake, whose files and SQL lie in the test's folder."""
    for layer in LAYERS:
        lake.sql(f"DROP SCHEMA IF EXISTS spark_catalog.lake__{layer} CASCADE")
        lake.sql(f"CREATE SCHEMA lake.{layer}")
    (tmp_path / "files").mkdir()
    yield Run(
        spark=lake,
        catalog="lake",
        schemas={layer: layer for layer in LAYERS},
        run_id="first",
        environment="dev",
        path=str(tmp_path / "files"),
        checkpoints=str(tmp_path / "checkpoints"),
        sql_folder=tmp_path,
    )
