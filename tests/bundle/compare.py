"""Tables of the local engine held against those of Spark, row by row.

In: a warehouse of `medc apply` and a workspace in which the bundle ran. Out: what differs, table by table. Rows have no order. What
must differ is left out: ids and times of runs, durations, lines in files (Spark knows none), versions of tables; a file's path is
compared below the folder of the input. Doubles may differ by the order in which they are summed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow
from deltalake import DeltaTable
from pyarrow import parquet
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

Row = dict[str, Any]
OF_RUNS = {
    "_source_line",
    "_ingested_at",
    "_run_id",
    "_quarantined_at",
    "run_id",
    "duration_s",
    "checked_at",
    "registered_at",
    "environment",
    "git_sha",
    "dataset_version",
    "source_version",
}
_RELATIVE = 1e-9
_N_EXAMPLES = 20


def local_tables(warehouse: Path) -> dict[str, Path]:
    """The local engine's tables by `layer.name`, but for its own ledger of runs."""
    found = {f"{log.parent.parent.name}.{log.parent.name}": log.parent for log in warehouse.glob("*/*/_delta_log")}
    found.pop("medc.runs", None)
    return dict(sorted(found.items()))


def read_local(folder: Path) -> list[Row]:
    """All rows of a table of the local engine; times as counts of microseconds or days, as Python's end in the year 9999."""
    stored = DeltaTable(str(folder))
    try:
        table = stored.to_pyarrow_table()
    except ValueError:
        # Statistics with years that Python has not.
        table = pyarrow.concat_tables(map(parquet.read_table, stored.file_uris()))
    for place, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pyarrow.int64()))
        elif pyarrow.types.is_date32(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pyarrow.int32()))
    return table.to_pylist()


def read_spark(table: DataFrame) -> list[Row]:
    """All rows of a table of Spark, in the same form."""

    def portable(field: T.StructField) -> Column:
        value = F.col(f"`{field.name}`")
        if isinstance(field.dataType, (T.TimestampType, T.TimestampNTZType)):
            return F.unix_micros(value.cast("timestamp")).alias(field.name)
        return F.unix_date(value).alias(field.name) if isinstance(field.dataType, T.DateType) else value

    return [row.asDict(recursive=True) for row in table.select(*map(portable, table.schema.fields)).collect()]


Places = Iterable[tuple[str, str]]
"""Beginnings of paths on Spark's side, and what the local engine says instead."""


def differences(
    name: str, local: list[Row], spark: list[Row], places: Places = (), ignored: Iterable[str] = ()
) -> list[str]:
    """What differs between two tables' rows; nothing if they are equal."""
    left_out = OF_RUNS | {column.removeprefix(f"{name}.") for column in ignored if column.startswith(f"{name}.")}
    columns = [sorted({column.lower() for row in rows for column in row} - left_out) for rows in (local, spark)]
    if local and spark and columns[0] != columns[1]:
        return [f"columns {columns[0]} here, {columns[1]} on Spark"]

    def plain(row: Row) -> Row:
        known = ((key.lower(), value) for key, value in row.items())
        return {key: _plain(key, value, places) for key, value in known if key not in left_out}

    ours, theirs = _unmatched([plain(row) for row in local], [plain(row) for row in spark])
    if len(ours) != len(theirs):
        few = [("here", row) for row in ours[:4]] + [("on Spark", row) for row in theirs[:4]]
        return [
            f"{len(local)} rows here, {len(spark)} on Spark",
            *(f"only {where}: {_short(row)}" for where, row in few),
        ]
    return [
        f"{column}: {one[column]!r} here, {other[column]!r} on Spark, in {_short(one)}"
        for one, other in zip(ours, theirs)
        for column in one
        if not _same(column, one[column], other.get(column))
    ]


def _unmatched(ours: list[Row], theirs: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows without an equal one on the other side, in an order in which like stands beside like."""
    waiting: dict[str, list[Row]] = {}
    for row in theirs:
        waiting.setdefault(_order(row), []).append(row)
    left = []
    for row in ours:
        equal = waiting.get(_order(row))
        if equal and _same("", row, equal[-1]):
            equal.pop()
        else:
            left.append(row)
    return sorted(left, key=_order), sorted((row for rows in waiting.values() for row in rows), key=_order)


def _short(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)[:400]


def _plain(column: str, value: Any, places: Places) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).replace(tzinfo=None).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if column in ("examples", "observed") and isinstance(value, str):
        value = json.loads(value)
    if column == "examples" and isinstance(value, list):
        return (
            sorted((_plain("", one, places) for one in value), key=_order) if len(value) < _N_EXAMPLES else len(value)
        )
    if value == {}:
        return []
    if isinstance(value, dict):
        return {str(key): _plain(str(key), one, places) for key, one in value.items() if key not in OF_RUNS}
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
            return {str(key): _plain("", one, places) for key, one in value}
        return [_plain("", one, places) for one in value]
    if column == "_source_file" and isinstance(value, str):
        path = unquote(value.removeprefix("file://").removeprefix("file:"))
        for there, here in places:
            path = path.replace(there, here, 1) if path.startswith(there) else path
        return path
    return value


def _order(value: Any) -> str:
    """A text by which equal values stand side by side; doubles count last, and roughly."""
    if isinstance(value, dict):
        exact = {key: one for key, one in value.items() if not isinstance(one, float)}
        rough = {key: f"{one:.4g}" for key, one in value.items() if isinstance(one, float)}
        return json.dumps([exact, rough], sort_keys=True, default=str)
    return json.dumps(value, sort_keys=True, default=str)


def _same(column: str, ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, (float, int)):
        both_nan = math.isnan(ours) and math.isnan(theirs)
        return both_nan or math.isclose(ours, theirs, rel_tol=_RELATIVE, abs_tol=1e-12)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_same(key, ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(_same(column, one, other) for one, other in zip(ours, theirs))
    if isinstance(ours, Decimal) or isinstance(theirs, Decimal):
        return isinstance(ours, Decimal) and isinstance(theirs, Decimal) and ours == theirs
    return type(ours) is type(theirs) and ours == theirs
