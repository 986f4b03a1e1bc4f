"""One Spark session on this machine, with Delta tables and catalogs of three-level names."""

from __future__ import annotations

import os
from pathlib import Path

from pyspark.sql import SparkSession

CATALOG = "medc.lab.LakeCatalog"


def session(folder: Path) -> SparkSession:
    """Starts Spark with its tables below `folder`. What Java says goes to `spark.log` there."""
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "spark.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    kept = os.dup(2)
    # Spark's driver inherits the descriptor; ours is put back as soon as it runs.
    os.dup2(log, 2)
    settings = {
        "spark.jars": os.environ["SPARK_LAB_JARS"],
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Without it, Spark 4.1 leaves parameters unbound when Delta's parser stands in front of its own.
        "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
        "spark.sql.sources.default": "delta",
        "spark.sql.warehouse.dir": str((folder / "warehouse").resolve()),
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",
    }
    builder = SparkSession.builder.master("local[2]").appName("medc")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(log)


def add_catalog(spark: SparkSession, name: str) -> None:
    """Makes three-level names that begin with `name` known."""
    spark.conf.set(f"spark.sql.catalog.{name}", CATALOG)
