"""Rows that are left out of a table and kept beside it, in `<table>_quarantine`, with the reasons.

In: violating rows, with the columns that carry their values as they came, and `_reasons`. Out: rows of text, `_reasons`,
`_run_id` and `_quarantined_at`, appended; the table is made when the first row comes. A run that sets aside the same rows as the
run before adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from .observed import ORIGINAL
from .run import Run, quoted

REASONS = "_reasons"


def with_originals(rows: DataFrame, columns: Iterable[str]) -> DataFrame:
    """The rows with a second copy of columns that will be changed."""
    copies = [F.col(quoted(name)).alias(ORIGINAL + name.lower()) for name in columns]
    return rows.select("*", *copies) if copies else rows


def union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """The columns of both in lower case, the first's in front."""
    return list(dict.fromkeys(name.lower() for names in (first, second) for name in names))


def as_text(value: Column, data_type: T.DataType) -> Column:
    """A column as text, spelled as the local engine spells it."""
    if isinstance(data_type, T.StringType):
        return value
    if isinstance(data_type, (T.TimestampType, T.TimestampNTZType)):
        text = F.regexp_replace(value.cast("string"), " ", "T")
        # Milliseconds or microseconds, as it needs.
        padded = F.concat(F.substring_index(text, ".", 1), F.lit("."), F.rpad(F.substring_index(text, ".", -1), 6, "0"))
        text = F.when(text.contains("."), F.regexp_replace(padded, r"000\z", "")).otherwise(text)
        return F.concat(text, F.lit("Z")) if isinstance(data_type, T.TimestampType) else text
    return value.cast("string")


def shown(rows: DataFrame, columns: Sequence[str], reasons: str = REASONS) -> DataFrame:
    """The rows as the quarantine keeps them: `columns` as they came, and why."""
    fields = {field.name.lower(): field for field in rows.schema.fields}

    def text(name: str) -> Column:
        field = fields.get(ORIGINAL + name) or fields.get(name)
        if field is None:
            return F.lit(None).cast("string").alias(name)
        return as_text(rows[quoted(field.name)], field.dataType).alias(name)

    return rows.select(*map(text, columns), rows[quoted(reasons)].cast("array<string>").alias(REASONS))


def publish(run: Run, table: str, parts: Sequence[DataFrame], skip_known: bool) -> int:
    """Appends rows to the table's quarantine; how many there are."""
    rows = reduce(DataFrame.unionByName, parts)
    n_rows, digest = _digest(rows)
    name = f"{table}_quarantine"
    if n_rows == 0:
        return 0
    at = F.lit(run.started_at).cast("timestamp")
    added = rows.withColumn("_run_id", F.lit(run.run_id)).withColumn("_quarantined_at", at)
    if not run.exists(name):
        columns = ", ".join(f"{quoted(field.name)} {field.dataType.simpleString()}" for field in added.schema.fields)
        run.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {run.name(name)} ({columns}) USING DELTA "
            "COMMENT 'Rows that broke an expectation, with the reasons'"
        )
    else:
        stored = run.spark.table(run.name(name))
        if skip_known and _digest(_newest(stored).select(*map(quoted, rows.columns))) == (n_rows, digest):
            return n_rows
        known = {column.lower() for column in stored.columns}
        new = [column for column in added.columns if column.lower() not in known]
        if new:
            run.spark.sql(
                f"ALTER TABLE {run.name(name)} ADD COLUMNS ({', '.join(f'{quoted(column)} STRING' for column in new)})"
            )
    added.write.format("delta").mode("append").saveAsTable(run.name(name))
    return n_rows


def _newest(stored: DataFrame) -> DataFrame:
    newest = stored.agg(F.max_by("_run_id", "_quarantined_at")).collect()[0][0]
    return stored.filter(F.col("_run_id") == newest)


def _digest(rows: DataFrame) -> tuple[int, int]:
    """How many rows there are, and a number that tells them from others, whatever their order."""
    total = F.sum(F.xxhash64(*(F.col(quoted(name)) for name in rows.columns)).cast("decimal(38,0)"))
    n_rows, digest = rows.agg(F.count(F.lit(1)), total).collect()[0]
    return n_rows, int(digest or 0)
