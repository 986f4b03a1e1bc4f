"""One Spark session for all tests, with Delta tables and a catalog of three-level names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "templates" / "databricks")]

from session import add_catalog, session  # noqa: E402


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session; its catalog is `lake`."""
    spark = session(tmp_path_factory.mktemp("spark"))
    add_catalog(spark, "lake")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    yield spark
    spark.stop()
