"""A table as datasets of a Lakeflow declarative pipeline.

In: a table, as a notebook would say it. Out: datasets that the pipeline builds: the table itself; `<table>_quarantine` with the rows
that were set aside, and the reasons; `<table>_checks` with what was found by checks of more than a row; and, private to the pipeline,
the steps between. Checks of a row are expectations, which the pipeline counts in its event log. A check of
more than a row that must hold is an expectation of `<table>_checks`: where it breaks, the pipeline's update
stops there, and the table, which reads it, keeps its old rows. Functions here build queries and run none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from pyspark import pipelines
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import contract, databases, files, quarantine, shape, verdicts
from .checks import Check, Holds, Row, Unique
from .contract import CastRows
from .databases import Database
from .files import Files
from .judge import Bench, mark_of, takes_out, violated
from .observed import ORIGINAL
from .run import Run, quoted
from .statements import literal, literal_names, named
from .table import Cast, Query, Table

# What Databricks adds to open-source Spark's module: expectations, AUTO CDC, private tables.
dp: Any = pipelines

_RAGGED = "_medc_ragged"
_FEW_FIELDS = "rows have as many fields as the header"
_CAST = "values cast"


@dataclass
class Expectations:
    """Conditions by name, by what happens to a row for which one is not TRUE."""

    warn: dict[str, str] = field(default_factory=dict)
    drop: dict[str, str] = field(default_factory=dict)
    fail: dict[str, str] = field(default_factory=dict)

    def add(self, policy: str, name: str, condition: str) -> None:
        """Adds a condition; a second one with the same name gets a number."""
        by_policy = {"fail": self.fail, "drop": self.drop}
        known = {*self.warn, *self.drop, *self.fail}
        free = name
        n = 2
        while free in known:
            free, n = f"{name} ({n})", n + 1
        by_policy.get(policy, self.warn)[free] = condition


def define(table: Table, spark: SparkSession) -> None:
    """Declares the table's datasets."""
    _Datasets(_run(table, spark), table).define()


def _run(table: Table, spark: SparkSession) -> Run:
    """What the pipeline's configuration says: `catalog`, `layers`, `schema_<layer>`, `path_<layer>_<table>`."""

    def given(name: str, otherwise: str = "") -> str:
        return spark.conf.get(name, otherwise) or otherwise

    layers = [layer for layer in given("layers").split(",") if layer]
    return Run(
        spark=spark,
        catalog=given("catalog"),
        schemas={layer: given(f"schema_{layer}", layer) for layer in layers},
        run_id=given("run_id"),
        environment=given("environment"),
        path=given(f"path_{_key(table)}") or None,
    )


def _key(table: Table) -> str:
    return re.sub(r"\W", "_", table.name)


class _Datasets:
    """The datasets of one table."""

    def __init__(self, run: Run, table: Table) -> None:
        self.run, self.table = run, table
        self.key = _key(table)
        self.is_stream = table.write.mode in ("append", "merge")
        self.apart = [check for check in table.checks if not _is_expectation(check) and not self._is_by_key(check)]
        takers = [(place, check) for place, check in enumerate(table.checks) if takes_out(check)]
        self.looking_around = [place for place, check in takers if not isinstance(check, (Row, Holds))]
        # What several datasets read is stored, so that all see the same rows.
        self.is_shared = bool(table.quarantines or self.apart or self.looking_around)

    def _is_by_key(self, check: Check) -> bool:
        """Whether what is merged by key cannot but be unique."""
        keys = {key.lower() for key in self.table.write.keys}
        return bool(keys) and isinstance(check, Unique) and keys <= {name.lower() for name in check.columns}

    def define(self) -> None:
        if not isinstance(self.table.rows, Query):
            self._step("cast_rows", self._cast_rows, self._of_cast(), self.table.quarantines)
        if isinstance(self.table.rows, Cast) and self.table.rows.sql is not None:
            self._step("computed", self._computed, self._of_cast(), stored=False)
        expectations = self._of_rows("fail", "warn")
        if self.is_shared:
            self._step("rows", self._marked, expectations, stored=True)
            expectations = Expectations()
        for name, condition in self._of_rows("drop", "quarantine").drop.items():
            expectations.add("drop", name, condition)
        if self.apart:
            self._define_checks()
        if self.table.quarantines:
            self._declare_table(f"{self.table.name}_quarantine", self._quarantine, self._quarantine_options())
        if self.table.write.mode == "merge":
            self._define_merge(expectations)
        else:
            self._declare_table(self.table.name, self._rows, self._options(), expectations)

    # Declaring

    def _step(self, word: str, rows: Callable[[], DataFrame], expectations: Expectations, stored: bool) -> None:
        name = f"{self.key}_{word}"
        if not stored:
            _declare(dp.temporary_view(name=name), name, rows, expectations)
        elif self.is_stream:
            _declare(dp.table(name=name, private=True), name, rows, expectations)
        else:
            _declare(dp.materialized_view(name=name, private=True), name, rows, expectations)

    def _declare_table(
        self,
        name: str,
        rows: Callable[[], DataFrame],
        options: dict[str, Any],
        expectations: Expectations | None = None,
        is_stream: bool | None = None,
    ) -> None:
        kind = dp.table if (self.is_stream if is_stream is None else is_stream) else dp.materialized_view
        decorator = kind(name=self._spelled(name), **options)
        _declare(decorator, re.sub(r"\W", "_", name), rows, expectations or Expectations())

    def _spelled(self, table: str) -> str:
        layer, _, name = table.partition(".")
        parts = (self.run.catalog, self.run.schemas.get(layer, layer), name)
        return ".".join(part if re.fullmatch(r"\w+", part) else quoted(part) for part in parts)

    def _options(self) -> dict[str, Any]:
        table = self.table
        options: dict[str, Any] = {}
        if table.description:
            options["comment"] = table.description
        if table.ddl is not None:
            options["schema"] = named(self.run, self.run.text(table.ddl))
        if table.write.partition_by:
            options["partition_cols"] = list(table.write.partition_by)
        elif table.write.cluster_by:
            options["cluster_by"] = list(table.write.cluster_by)
        elif table.write.clusters_itself:
            options["cluster_by_auto"] = True
        if table.own_properties:
            options["table_properties"] = table.own_properties
        return options

    def _quarantine_options(self) -> dict[str, Any]:
        return {"comment": "Rows that broke an expectation, with the reasons"}

    def _define_checks(self) -> None:
        expectations = Expectations()
        for place, check in enumerate(self.table.checks):
            if check in self.apart:
                policy = "fail" if _blocks(check) else "warn"
                expectations.add(policy, check.label, f"place <> {place} OR success")
        options = {"comment": f"What became of the expectations of {self.table.name} that are about more than a row"}
        checks = f"{self.table.name}_checks"
        self._declare_table(checks, self._verdicts, options, expectations, is_stream=False)

    def _define_merge(self, expectations: Expectations) -> None:
        write = self.table.write
        view = f"{self.key}_changes"
        _declare(dp.temporary_view(name=view), view, self._rows, Expectations())
        by_policy = {"expect_all": expectations.warn, "expect_all_or_drop": expectations.drop}
        by_policy["expect_all_or_fail"] = expectations.fail
        target = self._spelled(self.table.name)
        given = {policy: conditions for policy, conditions in by_policy.items() if conditions}
        dp.create_streaming_table(name=target, **self._options(), **given)
        own = {name.lower() for name in self.table.own_columns or ()}
        sequence: str | SparkColumn = write.sequence_by[0]
        if len(write.sequence_by) > 1:
            sequence = F.struct(*map(F.col, write.sequence_by))
        except_columns = [name for name in write.sequence_by if name.lower() not in own]
        dp.create_auto_cdc_flow(
            target=target,
            source=view,
            keys=list(write.keys),
            sequence_by=sequence,
            stored_as_scd_type=1,
            **({"except_column_list": except_columns} if except_columns else {}),
        )

    # Expectations

    def _of_cast(self) -> Expectations:
        """What is expected of values that are cast, and of the shape of a file's rows."""
        found = Expectations()
        is_whole = ""
        if isinstance(self.table.rows, Files):
            is_whole = f"{files.WRONG} IS NOT NULL OR "
            policy = self.table.rows.on_ragged_row if self.table.rows.format == "csv" else "fail"
            found.add(policy, _FEW_FIELDS, f"{files.WRONG} IS NULL")
        if self.table.contract is not None:
            condition = f"{is_whole}size({contract.FAILED}) = 0"
            found.add(self.table.contract.on_cast_failure, _CAST, condition)
        return found

    def _of_rows(self, *policies: str) -> Expectations:
        found = Expectations()
        for check in self.table.checks:
            if isinstance(check, (Row, Holds)) and check.on_violation in policies:
                is_dropping = check.on_violation in ("drop", "quarantine")
                if is_dropping or _is_expectation(check):
                    policy = "drop" if is_dropping else check.on_violation
                    found.add(policy, check.label, f"NOT {violated(check)}")
        return found

    # Rows

    def _table(self, word: str) -> DataFrame:
        name = f"{self.key}_{word}"
        return self.run.spark.readStream.table(name) if self.is_stream else self.run.spark.table(name)

    def _cast_rows(self) -> DataFrame:
        """The rows of files or of another table, cast, with what could not be."""
        table, run = self.table, self.run
        if isinstance(table.rows, Files):
            own = table.own_columns
            columns = [name for name in own if name not in table.rows.metadata_columns] if own else None
            read = self._read(table.rows, columns)
            n_columns = len(read.columns) - 2
            rows = files.metadata(run, read, table.rows, table.quarantines)
            if "_ingested_at" in table.rows.metadata_columns:
                rows = rows.withColumn("_ingested_at", F.current_timestamp())
            if "_run_id" in table.rows.metadata_columns:
                rows = rows.withColumn("_run_id", self._run_id())
            is_wrong = F.col(files.WRONG).isNotNull()
            rows = rows.withColumn(_RAGGED, F.when(is_wrong, files.ragged_reason(table.rows, n_columns)))
        else:
            assert isinstance(table.rows, Cast)
            name = run.name(table.rows.table)
            rows = run.spark.readStream.table(name) if self.is_stream else run.spark.table(name)
            rows = rows.select(*(F.col(quoted(name)).alias(name.lower()) for name in rows.columns))
            if table.quarantines:
                rows = quarantine.with_originals(rows, rows.columns)
        return contract.cast(run.spark, rows, table.contract).rows

    def _run_id(self) -> SparkColumn:
        return F.lit(self.run.run_id or None).cast("string")

    def _read(self, source: Files, columns: list[str] | None) -> DataFrame:
        if isinstance(source, Database):
            return databases.read(self.run, source, columns)
        if not self.is_stream:
            return files.read(self.run, source, columns)
        path = files.location(self.run)
        names = files.header(self.run.spark, source, path, columns)
        rows = files.new_rows(self.run.spark, source, path, names)
        return files.parsed(rows, source, columns or names)

    def _computed(self) -> DataFrame:
        """What the table's query makes of them; text that got its contract's name on the way is cast, too."""
        assert isinstance(self.table.rows, Cast) and self.table.rows.sql is not None
        name = f"{self.key}_cast_rows"
        columns = ", ".join(map(quoted, self._carried(self.run.spark.table(name))))
        start = f"SELECT {columns} FROM {'STREAM ' if self.is_stream else ''}{quoted(name)} WHERE {self._stays()}"
        query = literal_names(self.run, self.run.text(self.table.rows.sql))
        rows = self.run.spark.sql(f"WITH cast_rows AS ({start})\nSELECT * FROM (\n{query}\n)")
        return contract.cast(
            self.run.spark, rows, self.table.contract, lambda data_type: isinstance(data_type, T.StringType)
        ).rows

    def _carried(self, rows: DataFrame) -> list[str]:
        left = (contract.FAILED, contract.REASONS, files.WRONG, _RAGGED)
        names = [name for name in rows.columns if name not in left]
        return names if self.table.quarantines else [name for name in names if not name.startswith(ORIGINAL)]

    def _stays(self) -> str:
        """The condition for a row to stay after the casts."""
        conditions = [f"{files.WRONG} IS NULL"] if isinstance(self.table.rows, Files) else []
        if self.table.contract is not None and self.table.contract.on_cast_failure in ("drop", "quarantine"):
            conditions.append(f"size({contract.FAILED}) = 0")
        return " AND ".join(conditions) or "TRUE"

    def _last_step(self) -> str:
        has_query = isinstance(self.table.rows, Cast) and self.table.rows.sql is not None
        return "computed" if has_query else "cast_rows"

    def _unmarked(self) -> DataFrame:
        if isinstance(self.table.rows, Query):
            rows = self.run.spark.sql(literal_names(self.run, self.run.text(self.table.rows.sql)))
        else:
            rows = self._table(self._last_step())
            rows = rows.filter(self._stays()).select(*map(quoted, self._carried(rows)))
        return shape.finished(self.run, self.table, rows)

    def _marked(self) -> DataFrame:
        bench = Bench(self.run.spark, self._unmarked(), list(self.table.checks), self.run.names)
        bench.mark(None)
        return bench.rows

    def _rows(self) -> DataFrame:
        """The table's rows, but for those that expectations drop."""
        if self.apart:
            return self._awaiting_checks()
        rows = self._table("rows") if self.is_shared else self._unmarked()
        for place in self.looking_around:
            rows = rows.filter(f"NOT {mark_of(place)}")
        own = self._own(rows)
        sequence = [name for name in self.table.write.sequence_by if name not in own]
        return rows.select(*map(quoted, [*own, *sequence]))

    def _own(self, rows: DataFrame) -> list[str]:
        return self.table.own_columns or [name for name in rows.columns if not name.startswith("_medc_")]

    def _awaiting_checks(self) -> DataFrame:
        """The rows wait for the checks, and are never replaced where one that must hold does not."""
        blocking = [
            str(place) for place, check in enumerate(self.table.checks) if check in self.apart and _blocks(check)
        ]
        broken = f"place IN ({', '.join(blocking)}) AND NOT success" if blocking else "false"
        told = literal(f"{self.table.name} keeps its old rows: see {self.table.name}_checks")
        checks = self.run.name(f"{self.table.name}_checks")
        all_hold = f"SELECT if(count_if({broken}) = 0, true, CAST(raise_error({told}) AS BOOLEAN)) FROM {checks}"
        rows = f"{self.key}_rows"
        columns = ", ".join(map(quoted, self._own(self.run.spark.table(rows))))
        conditions = [f"NOT {mark_of(place)}" for place in self.looking_around] + [f"({all_hold})"]
        return self.run.spark.sql(f"SELECT {columns} FROM {quoted(rows)} WHERE {' AND '.join(conditions)}")

    def _verdicts(self) -> DataFrame:
        return verdicts.of(self.run, self.table, f"{self.key}_rows", self.apart)

    def _quarantine(self) -> DataFrame:
        """The rows that were set aside, as they came, and why."""
        table, rows = self.table, self._table("rows")
        kept = [name for name in shape.kept_columns(self.run, table, rows) if not name.startswith("_medc_")]
        parts = []
        if isinstance(table.rows, Files) and table.rows.on_ragged_row == "quarantine":
            ragged = self._table("cast_rows").filter(f"{files.WRONG} IS NOT NULL")
            reasons = F.array(F.col(_RAGGED)).alias(quarantine.REASONS)
            lines = ragged.select("_source_file", F.col(files.WRONG).alias("_row"), reasons)
            parts.append(quarantine.shown(lines, kept))
        if table.contract is not None and table.contract.on_cast_failure == "quarantine":
            steps = [] if isinstance(table.rows, Query) else ["cast_rows"]
            steps += ["computed"] if self._last_step() == "computed" else []
            for step in steps:
                before = self._table(step)
                if files.WRONG in before.columns:
                    before = before.filter(f"{files.WRONG} IS NULL")
                failed = contract.is_failed(CastRows(before, ()))
                parts.append(quarantine.shown(failed, kept, contract.REASONS))
        if any(check.on_violation == "quarantine" for check in table.checks):
            bench = Bench(self.run.spark, rows, list(table.checks), self.run.names)
            parts.append(quarantine.shown(bench.set_aside(), kept))
        together = reduce(DataFrame.unionByName, parts)
        return together.withColumn("_run_id", self._run_id()).withColumn("_quarantined_at", F.current_timestamp())


def _is_expectation(check: Check) -> bool:
    """Whether a condition on each row by itself says it all."""
    return isinstance(check, (Row, Holds)) and check.mostly >= 1.0


def _blocks(check: Check) -> bool:
    return check.on_violation == "fail" or (check.on_violation in ("drop", "quarantine") and check.mostly < 1.0)


def _declare(decorator: Any, name: str, rows: Callable[[], DataFrame], expectations: Expectations) -> None:
    def query() -> DataFrame:
        return rows()

    query.__name__ = name
    declared: Any = query
    if expectations.warn:
        declared = dp.expect_all(expectations.warn)(declared)
    if expectations.drop:
        declared = dp.expect_all_or_drop(expectations.drop)(declared)
    if expectations.fail:
        declared = dp.expect_all_or_fail(expectations.fail)(declared)
    decorator(declared)
