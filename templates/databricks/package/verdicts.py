"""What checks of more than a row find, as a query.

In: the rows of a table, marked with what takes rows out, by name; checks. Out: a row for each check, like those of
`quality.results`, computed when somebody asks for them. Tests of a row, and those that take rows out, see all rows; every
other check sees those that stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import observed, windows
from .checks import (
    ROWS,
    Aggregate,
    Check,
    ColumnsMatch,
    Distribution,
    Holds,
    References,
    Row,
    Unique,
    Violations,
    Window,
)
from .judge import among, columns_found, considering, mark_of, pairs, takes_out, violated
from .run import Run, quoted
from .statements import literal_names
from .table import Table

_COUNTS = ("n_rows", "n_considered", "n_violating")


def of(run: Run, table: Table, rows: str, checks: Sequence[Check]) -> DataFrame:
    """A row for each of the checks."""
    bench = _Lazily(run, table, rows)
    found = [bench.verdict(place, check) for place, check in enumerate(table.checks) if check in checks]
    return reduce(DataFrame.unionByName, found)


class _Lazily:
    """The rows, and queries about them."""

    def __init__(self, run: Run, table: Table, rows: str) -> None:
        self.run, self.table = run, table
        self.rows = run.spark.table(rows)
        self.columns = table.own_columns or [name for name in self.rows.columns if not name.startswith("_medc_")]
        takers = [place for place, check in enumerate(table.checks) if takes_out(check)]
        gone = " OR ".join(map(mark_of, takers)) or "false"
        self.kept = self.rows.filter(f"NOT ({gone})").select(*map(quoted, self.columns))
        self.kept_query = f"SELECT {', '.join(map(quoted, self.columns))} FROM {quoted(rows)} WHERE NOT ({gone})"

    def verdict(self, place: int, check: Check) -> DataFrame:
        """What is found of one check."""
        found = self._found(place, check)
        success, value = F.col("holds"), F.col("observed")
        n_considered, n_violating = F.col("n_considered"), F.col("n_violating")
        share = F.when(
            n_considered > 0, F.greatest(n_considered - n_violating, F.lit(0)) / n_considered.cast("double")
        ).otherwise(F.lit(1.0))
        by_count = (n_violating == 0) | ((n_considered > 0) & (share >= check.mostly))
        return found.select(
            F.lit(place).alias("place"),
            F.lit(self.table.name).alias("table_name"),
            F.lit(check.kind).alias("kind"),
            F.lit(check.label).alias("label"),
            F.array(*map(F.lit, check.columns)).cast("array<string>").alias("columns"),
            F.lit(check.dimension).alias("dimension"),
            F.lit(check.on_violation).alias("on_violation"),
            F.lit(check.severity).cast("string").alias("severity"),
            F.lit(float(check.mostly)).alias("mostly"),
            *(F.col(name).cast("bigint").alias(name) for name in _COUNTS),
            share.alias("share"),
            F.coalesce(success.cast("boolean"), by_count).alias("success"),
            value.alias("observed"),
        )

    def _found(self, place: int, check: Check) -> DataFrame:
        if isinstance(check, Aggregate):
            return self._grouped(check) if check.by else self._of_all(check)
        if isinstance(check, ColumnsMatch):
            return self._columns(check)
        if isinstance(check, Distribution):
            raise NotImplementedError(f"`{check.label}`: a pipeline compares no distributions; emit jobs")
        seen = self.rows if takes_out(check) or isinstance(check, (Row, Holds)) else self.kept
        counts = seen.agg(
            F.expr(f"count_if({among(check)})").alias("n_rows"),
            F.expr(f"count_if({considering(check)})").alias("n_considered"),
        )
        violating = counts.crossJoin(self._violating(place, check, seen))
        return violating.select("*", _nothing("boolean", "holds"), _nothing("string", "observed"))

    def _violating(self, place: int, check: Check, rows: DataFrame) -> DataFrame:
        if takes_out(check):
            return rows.agg(F.expr(f"count_if({mark_of(place)})").alias("n_violating"))
        if isinstance(check, (Row, Holds)):
            return rows.agg(F.expr(f"count_if({violated(check)})").alias("n_violating"))
        considered = rows.filter(considering(check))
        if isinstance(check, Window):
            judged = windows.with_condition(considered, check.violated, mark_of(place))
            return judged.agg(F.expr(f"count_if({mark_of(place)})").alias("n_violating"))
        if isinstance(check, Unique) and check.proven:
            return rows.limit(0).agg(F.count(F.lit(1)).alias("n_violating"))
        if isinstance(check, Unique):
            groups = considered.groupBy(*map(quoted, check.columns)).agg(F.count(F.lit(1)).alias("_medc_n"))
            return groups.agg(F.expr("coalesce(sum(CASE WHEN _medc_n > 1 THEN _medc_n END), 0)").alias("n_violating"))
        if isinstance(check, References):
            known = [F.col(quoted(name)).alias(f"_medc_known_{at}") for at, name in enumerate(check.referenced)]
            others = rows if check.table == ROWS else self.run.spark.table(self.run.name(check.table))
            unknown = considered.join(others.select(*known).distinct(), F.expr(pairs(check)), "left_anti")
            return unknown.agg(F.count(F.lit(1)).alias("n_violating"))
        assert isinstance(check, Violations)
        return self._sql(check, f"SELECT count(*) AS n_violating FROM (\n{check.sql}\n)")

    def _sql(self, check: Check, query: str) -> DataFrame:
        """A query that sees the rows that stay, and that the check's `where` lets through, as `rows_under_test`."""
        shown = f"WITH {ROWS} AS (SELECT * FROM ({self.kept_query}) WHERE {among(check)})"
        return self.run.spark.sql(f"{shown}\n{literal_names(self.run, query)}")

    def _of_all(self, check: Aggregate) -> DataFrame:
        summary = f"SELECT count(*) AS n, (\n{check.value}\n) AS observed FROM {ROWS}"
        query = f"SELECT n, observed, coalesce((\n{check.holds}\n), false) AS holds FROM (\n{summary}\n)"
        found = self._sql(check, query)
        return found.select(
            F.col("n").alias("n_rows"),
            F.col("n").alias("n_considered"),
            F.lit(0).alias("n_violating"),
            "holds",
            self._shown(check, found).alias("observed"),
        )

    def _shown(self, check: Check, found: DataFrame) -> Any:
        """The observed value as JSON; numbers tell nobody's value, and everything else of a private column is hidden."""
        private = {name.lower() for name in self.table.private}
        is_number = isinstance(found.schema["observed"].dataType, (T.NumericType, T.BooleanType))
        if not is_number and any(name.lower() in private for name in check.columns):
            return F.lit(observed.to_json(observed.HIDDEN))
        json = F.to_json(F.struct(F.col("observed").alias("v")))
        return F.when(F.col("observed").isNotNull(), json.substr(F.lit(6), F.length(json) - 6))

    def _grouped(self, check: Aggregate) -> DataFrame:
        keys = ", ".join(quoted(name.lower()) for name in check.by)
        groups = f"SELECT {keys}, (\n{check.value}\n) AS observed, count(*) AS _medc_n\nFROM {ROWS} GROUP BY {keys}"
        judged = f"SELECT *, coalesce((\n{check.holds}\n), false) AS _medc_holds FROM ({groups})"
        query = (
            "SELECT coalesce(sum(_medc_n), 0) AS n_rows, count(*) AS n_considered, "
            f"count_if(NOT _medc_holds) AS n_violating FROM ({judged})"
        )
        found = self._sql(check, query)
        return found.select("*", _nothing("boolean", "holds"), _nothing("string", "observed"))

    def _columns(self, check: ColumnsMatch) -> DataFrame:
        value, holds = columns_found(check, self.kept)
        private = frozenset(name.lower() for name in self.table.private)
        shown = observed.hide_value(value, check.columns, private)
        n_rows = self.kept.filter(among(check)).agg(F.count(F.lit(1)).alias("n_rows"))
        return n_rows.select(
            "n_rows",
            F.lit(0).alias("n_considered"),
            F.lit(0).alias("n_violating"),
            F.lit(holds).alias("holds"),
            F.lit(None if shown is None else observed.to_json(shown)).cast("string").alias("observed"),
        )


def _nothing(data_type: str, name: str) -> Any:
    return F.lit(None).cast(data_type).alias(name)
