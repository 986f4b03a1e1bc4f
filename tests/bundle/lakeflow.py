"""A stand-in for Lakeflow declarative pipelines on open-source Spark.

In: a pipeline's resource. Out: its source files run with a module `pyspark.pipelines` that collects what they declare; then every
dataset is made, those that it reads first. It behaves as Databricks' documentation says: a materialized view is replaced as a
whole and a streaming table gets the rows that are new; expectations are counted, and drop rows or stop the flow; a flow that
fails leaves its table as it is, and what reads it is skipped; AUTO CDC keeps one row a key, the newest by sequence. In a
dataset's function, nothing may be run or stored.
"""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame

_FORBIDDEN = {
    DataFrame: (
        "collect",
        "count",
        "toPandas",
        "createOrReplaceTempView",
        "createTempView",
        "take",
        "first",
        "foreach",
    ),
    DataFrameWriter: ("save", "saveAsTable", "insertInto"),
}


class PipelineError(Exception):
    """The pipeline would be refused."""


@dataclass
class Dataset:
    """What a source file declares."""

    name: str
    kind: str
    """`view`, `materialized_view`, `streaming_table` or `target`."""
    query: Callable[[], DataFrame] | None
    options: dict[str, Any]
    expectations: dict[str, dict[str, str]]
    cdc: dict[str, Any] | None = None


@dataclass
class Event:
    """What became of a dataset, as the event log has it."""

    state: str
    error: str = ""
    violations: dict[str, int] = field(default_factory=dict)


class _Failed(Exception):
    """An expectation that must hold does not."""


class Pipeline:
    """One pipeline: what it declares, and its updates."""

    def __init__(self, spark: SparkSession, resource: dict[str, Any], checkpoints: Path) -> None:
        self.spark, self.resource, self.checkpoints = spark, resource, checkpoints
        self.datasets: dict[str, Dataset] = {}
        self.default = f"`{resource['catalog']}`.`{resource['schema']}`"
        self.events: dict[str, Event] = {}
        self._reading: list[str] | None = None

    # Declaring

    def load(self) -> None:
        """Runs the source files."""
        folder = Path(self.resource["_file"]).parent
        root = (folder / self.resource["root_path"]).resolve()
        files = [
            file
            for library in self.resource["libraries"]
            for file in (
                [(folder / library["file"]["path"]).resolve()]
                if "file" in library
                else sorted((folder / library["glob"]["include"].removesuffix("**")).resolve().rglob("*.py"))
            )
        ]
        if not files:
            raise PipelineError("the pipeline has no source files")
        for key, value in self.resource.get("configuration", {}).items():
            self.spark.conf.set(key, str(value))
        self.spark.sql(f"USE {self.default}")
        module = self._module()
        # An update has a Python of its own: what an earlier one imported knows another module.
        for name in [name for name in sys.modules if re.match(r"\w+_pipeline(\.|$)", name)]:
            del sys.modules[name]
        searched, known = list(sys.path), sys.modules.get("pyspark.pipelines")
        import pyspark

        attribute = getattr(pyspark, "pipelines", None)
        sys.path.insert(0, str(root))
        sys.modules["pyspark.pipelines"] = pyspark.pipelines = module  # type: ignore[attr-defined]
        try:
            for file in files:
                code = compile(file.read_text(encoding="utf-8"), str(file), "exec")
                exec(code, {"__name__": "__main__", "spark": self.spark})
        finally:
            sys.path[:] = searched
            sys.modules.pop("pyspark.pipelines")
            if known is not None:
                sys.modules["pyspark.pipelines"] = known
            if attribute is not None:
                pyspark.pipelines = attribute  # type: ignore[attr-defined]

    def _module(self) -> types.ModuleType:
        module = types.ModuleType("pyspark.pipelines")
        for name, policy in (("expect_all", "warn"), ("expect_all_or_drop", "drop"), ("expect_all_or_fail", "fail")):
            setattr(module, name, _expectation(policy))
        for name, kind in (
            ("table", "streaming_table"),
            ("materialized_view", "materialized_view"),
            ("temporary_view", "view"),
        ):
            setattr(module, name, self._decorator(kind))
        module.create_streaming_table = self._create_streaming_table  # type: ignore[attr-defined]
        module.create_auto_cdc_flow = self._create_auto_cdc_flow  # type: ignore[attr-defined]
        return module

    def _decorator(self, kind: str) -> Callable[..., Any]:
        known = {"name", "comment", "spark_conf"}
        if kind != "view":
            known |= {"table_properties", "partition_cols", "cluster_by", "cluster_by_auto", "schema", "private"}

        def declare(**options: Any) -> Callable[[Any], Any]:
            unknown = set(options) - known
            if unknown:
                raise PipelineError(f"`{kind}` has no options {', '.join(sorted(unknown))}")

            def decorate(query: Any) -> None:
                expectations = getattr(query, "expectations", {})
                self._add(Dataset(options["name"], kind, query, options, expectations))

            return decorate

        return declare

    def _add(self, dataset: Dataset) -> None:
        name = self.address(dataset.name)
        if name in self.datasets:
            raise PipelineError(f"there are two datasets `{dataset.name}`")
        self.datasets[name] = dataset

    def _create_streaming_table(self, name: str, **options: Any) -> None:
        policies = {"expect_all": "warn", "expect_all_or_drop": "drop", "expect_all_or_fail": "fail"}
        expectations = {policy: options.pop(key) for key, policy in policies.items() if key in options}
        self._add(Dataset(name, "target", None, options, expectations))

    def _create_auto_cdc_flow(
        self, target: str, source: str, keys: list[str], sequence_by: Any, **options: Any
    ) -> None:
        dataset = self.datasets[self.address(target)]
        dataset.cdc = {"source": source, "keys": keys, "sequence_by": sequence_by, **options}

    def address(self, name: str) -> str:
        """A dataset's full name; one without a schema lies in the pipeline's own."""
        parts = [part.strip("`") for part in re.findall(r"`[^`]+`|[^.`]+", name)]
        if len(parts) == 1:
            return f"{self.default}.`{parts[0]}`"
        return ".".join(f"`{part}`" for part in parts)

    # Updating

    def update(self) -> bool:
        """Makes all datasets; whether all could be made."""
        self.events = {}
        with self._watched():
            for name in self.datasets:
                self._make(name, [])
        return all(event.state == "completed" for event in self.events.values())

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Datasets are made when something reads them: Spark's own `table` and `sql` tell which."""
        table, sql = SparkSession.table, self.spark.sql
        stream = type(self.spark.readStream).table

        def see_table(session: SparkSession, name: str) -> DataFrame:
            self._need(name)
            return table(session, self._spelled(name))

        def see_sql(text: str, *arguments: Any, **named: Any) -> DataFrame:
            if self._reading is not None:
                bare = text.replace("`", "")
                for one in self.datasets:
                    name = one.replace("`", "")
                    names = [name, name.rpartition(".")[2]] if one.startswith(f"{self.default}.") else [name]
                    if any(re.search(rf"(?<![\w.]){re.escape(found)}(?!\w)", bare) for found in names):
                        self._need(one)
            return sql(text, *arguments, **named)

        def see_stream(reader: Any, name: str) -> DataFrame:
            self._need(name)
            return stream(reader, self._spelled(name))

        SparkSession.table = see_table  # type: ignore[method-assign]
        self.spark.sql = see_sql  # type: ignore[method-assign]
        type(self.spark.readStream).table = see_stream  # type: ignore[method-assign]
        try:
            yield
        finally:
            SparkSession.table = table  # type: ignore[method-assign]
            self.spark.sql = sql  # type: ignore[method-assign]
            type(self.spark.readStream).table = stream  # type: ignore[method-assign]

    def _spelled(self, name: str) -> str:
        dataset = self.datasets.get(self.address(name))
        return f"`{dataset.name}`" if dataset and dataset.kind == "view" else name

    def _need(self, name: str) -> None:
        address = self.address(name)
        if self._reading is None or address not in self.datasets:
            return
        if address in self._reading:
            raise PipelineError(f"`{name}` reads itself")
        reading, self._reading = self._reading, None
        try:
            with _allowed():
                self._make(address, reading)
        finally:
            self._reading = reading
        if self.events[address].state != "completed":
            raise _Failed(f"`{name}` is not updated")

    def _make(self, name: str, reading: list[str]) -> None:
        if name in self.events:
            return
        dataset = self.datasets[name]
        try:
            violations = self._build(name, dataset, reading)
            self.events[name] = Event("completed", violations=violations)
        except Exception as error:
            state = "skipped" if isinstance(error, _Failed) and "is not updated" in str(error) else "failed"
            self.events[name] = Event(state, f"{type(error).__name__}: {error}")
            if os.environ.get("BUNDLE_TRACE"):
                import traceback

                traceback.print_exc()

    def _build(self, name: str, dataset: Dataset, reading: list[str]) -> dict[str, int]:
        if dataset.kind == "target":
            return self._merge(name, dataset, reading)
        assert dataset.query is not None
        rows = self._rows(name, dataset.query, reading)
        if dataset.kind == "view":
            violations = {} if rows.isStreaming else _judged(rows, dataset.expectations)[1]
            kept = rows.filter(_kept(dataset.expectations))
            kept.createOrReplaceTempView(f"`{dataset.name}`")
            return violations
        if rows.isStreaming != (dataset.kind == "streaming_table"):
            raise PipelineError(
                f"`{dataset.name}` is a {dataset.kind} over {'a stream' if rows.isStreaming else 'all rows'}"
            )
        self._create(name, dataset, rows)
        if not rows.isStreaming:
            kept, violations = _judged(rows, dataset.expectations)
            kept.write.format("delta").mode("overwrite").insertInto(name)
            return violations
        counted: dict[str, int] = {}

        def batch(frame: DataFrame, number: int) -> None:
            kept, violations = _judged(frame, dataset.expectations)
            counted.update({label: counted.get(label, 0) + n for label, n in violations.items()})
            kept.write.format("delta").mode("append").insertInto(name)

        self._run(rows, name, batch)
        return counted

    def _rows(self, name: str, query: Callable[[], DataFrame], reading: list[str]) -> DataFrame:
        before, self._reading = self._reading, [*reading, name]
        try:
            with _forbidden():
                return query()
        finally:
            self._reading = before

    def _run(self, rows: DataFrame, name: str, batch: Callable[[DataFrame, int], None]) -> None:
        place = self.checkpoints / re.sub(r"\W", "_", name)
        stream = rows.writeStream.foreachBatch(batch).option("checkpointLocation", str(place))
        stream.trigger(availableNow=True).start().awaitTermination()

    def _create(self, name: str, dataset: Dataset, rows: DataFrame | None) -> None:
        """Makes the table with its declared columns; the rows' own where none are declared."""
        schema = dataset.options.get("schema")
        if schema is not None:
            # Keys are Unity Catalog's alone.
            columns = re.sub(r",\n\s*CONSTRAINT .*", "", schema, flags=re.DOTALL)
            if rows is not None:
                wanted = self.spark.createDataFrame([], columns).schema
                shown = [
                    [(one.name, one.dataType.simpleString()) for one in given.fields] for given in (wanted, rows.schema)
                ]
                if shown[0] != shown[1]:
                    raise PipelineError(f"`{dataset.name}` is declared with {shown[0]} and has {shown[1]}")
        else:
            assert rows is not None
            columns = ", ".join(f"`{one.name}` {one.dataType.simpleString()}" for one in rows.schema.fields)
        clauses = ""
        for key, clause in (("partition_cols", "PARTITIONED BY"), ("cluster_by", "CLUSTER BY")):
            if dataset.options.get(key):
                clauses += f" {clause} ({', '.join(f'`{one}`' for one in dataset.options[key])})"
        comment = dataset.options.get("comment")
        if comment:
            escaped = comment.replace("\\", "\\\\").replace("'", "\\'").replace("${", "$\\{")
            clauses += f" COMMENT '{escaped}'"
        self.spark.sql(f"CREATE TABLE IF NOT EXISTS {name} (\n{columns}\n) USING DELTA{clauses}")

    def _merge(self, name: str, dataset: Dataset, reading: list[str]) -> dict[str, int]:
        cdc = dataset.cdc
        if cdc is None:
            raise PipelineError(f"nothing flows into `{dataset.name}`")
        rows = self._rows(name, lambda: self.spark.readStream.table(cdc["source"]), reading)
        self._create(name, dataset, None)
        columns = [one for one in rows.columns if one not in cdc.get("except_column_list", [])]
        sequence = F.col(cdc["sequence_by"]) if isinstance(cdc["sequence_by"], str) else cdc["sequence_by"]
        # What a key's newest row came with is remembered beside the table.
        memory = f"{self.default}.`{re.sub(r'[^A-Za-z0-9]', '_', name)}_sequence`"
        counted: dict[str, int] = {}

        def batch(frame: DataFrame, number: int) -> None:
            kept, violations = _judged(frame, dataset.expectations)
            counted.update({label: counted.get(label, 0) + n for label, n in violations.items()})
            kept = kept.withColumn("_sequence", sequence)
            newest = (
                kept.groupBy(*cdc["keys"])
                .agg(F.max_by(F.struct(*kept.columns), "_sequence").alias("one"))
                .select("one.*")
            )
            if not self.spark.catalog.tableExists(memory):
                newest.limit(0).select(*cdc["keys"], "_sequence").write.format("delta").saveAsTable(memory)
            known = self.spark.table(memory).withColumnRenamed("_sequence", "_known")
            same = [newest[key].eqNullSafe(known[key]) for key in cdc["keys"]]
            joined = newest.join(known, same, "left")
            later = joined.filter("_known IS NULL OR _sequence >= _known").select(
                *(newest[one] for one in newest.columns)
            )
            later = later.localCheckpoint()
            for target, names in ((name, columns), (memory, [*cdc["keys"], "_sequence"])):
                later.select(*names).createOrReplaceTempView("medc_changes")
                on = " AND ".join(f"t.`{key}` <=> s.`{key}`" for key in cdc["keys"])
                later.sparkSession.sql(
                    f"MERGE INTO {target} AS t USING medc_changes AS s ON {on} "
                    "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
                )

        self._run(rows, name, batch)
        return counted


def _expectation(policy: str) -> Callable[[dict[str, str]], Callable[[Any], Any]]:
    def of(conditions: dict[str, str]) -> Callable[[Any], Any]:
        def decorate(query: Any) -> Any:
            expectations = dict(getattr(query, "expectations", {}))
            expectations[policy] = {**expectations.get(policy, {}), **conditions}
            query.expectations = expectations
            return query

        return decorate

    return of


def _holds(condition: str) -> Column:
    return F.coalesce(F.expr(condition), F.lit(False))


def _kept(expectations: dict[str, dict[str, str]]) -> Column:
    kept = F.lit(True)
    for condition in expectations.get("drop", {}).values():
        kept = kept & _holds(condition)
    return kept


def _judged(rows: DataFrame, expectations: dict[str, dict[str, str]]) -> tuple[DataFrame, dict[str, int]]:
    """The rows that stay, and how many rows break which expectation; an error where one that must hold does not."""
    named = {label: condition for of_policy in expectations.values() for label, condition in of_policy.items()}
    if not named:
        return rows, {}
    # Counted of what is written: all rows with all columns, read once.
    rows = rows.localCheckpoint()
    counts = rows.agg(*(F.count_if(~_holds(condition)).alias(f"n{at}") for at, condition in enumerate(named.values())))
    [found] = counts.collect()
    violations = dict(zip(named, found))
    broken = [label for label in expectations.get("fail", {}) if violations[label]]
    if broken:
        raise _Failed(f"expectations that must hold are broken: {', '.join(broken)}")
    return rows.filter(_kept(expectations)), violations


_PLAIN = {(owner, name): getattr(owner, name) for owner, names in _FORBIDDEN.items() for name in names}


@contextmanager
def _forbidden() -> Iterator[None]:
    """Nothing is run or stored while a dataset's query is made."""
    with _methods({key: _refusal(key[1]) for key in _PLAIN}):
        yield


@contextmanager
def _allowed() -> Iterator[None]:
    with _methods(_PLAIN):
        yield


@contextmanager
def _methods(methods: dict[tuple[type, str], Any]) -> Iterator[None]:
    before = {(owner, name): getattr(owner, name) for owner, name in methods}
    for (owner, name), method in methods.items():
        setattr(owner, name, method)
    try:
        yield
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


def _refusal(name: str) -> Any:
    def refused(*arguments: Any, **named: Any) -> Any:
        raise PipelineError(f"`{name}` runs something where a dataset is only described")

    return refused
