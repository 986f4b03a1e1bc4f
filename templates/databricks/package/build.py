"""A table built: its rows read, cast, computed, judged and published.

In: a table and a run. Out: the table's next version, rows in its quarantine, and what became of its checks in `quality.results`.
A check that blocks raises after that is recorded and before anything is published: the table keeps its old rows, and the
tasks that depend on it do not run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import contract, databases, files, observed, publish, quarantine, registry, shape
from .contract import CastRows
from .databases import Database
from .files import Files, SourceError
from .judge import N_EXAMPLES, Outcome, judge
from .publish import Landing, Stage
from .run import Run, quoted
from .table import Cast, Query, Table


class ChecksFailed(Exception):
    """Checks do not hold, and the table keeps its old rows."""

    def __init__(self, table: str, outcomes: Sequence[Outcome]) -> None:
        told = "; ".join(f"`{one.label}`: {_found(one)}" for one in outcomes)
        super().__init__(f"`{table}` keeps its old rows: {told}")
        self.outcomes = list(outcomes)


def _found(outcome: Outcome) -> str:
    if outcome.observed is not None:
        return f"its value is {outcome.observed}"
    return f"{outcome.n_violating} of {outcome.n_considered} rows break it"


@dataclass
class _Rows:
    """A table's rows before they are judged."""

    frame: DataFrame
    outcomes: list[Outcome] = field(default_factory=list)
    set_aside: list[DataFrame] = field(default_factory=list)


def build(table: Table, run: Run) -> None:
    """Builds a table.

    Raises `ChecksFailed` where a check blocks; `SourceError` and `PublishError` where rows cannot be read or stored.
    """
    run = run.of_table(table.name)
    publish.create(run, table)
    landing = None
    if isinstance(table.rows, Files) and table.write.mode == "append":
        landing = Landing(run, table, table.rows)
    with publish.staging(run, table) as stage:
        rows = _rows(run, table, landing, stage)
        judged = judge(run.spark, rows.frame, table.checks, run.names, table.private, stage)
        outcomes = rows.outcomes + judged.outcomes
        registry.record_outcomes(run, table, outcomes)
        failed = [outcome for outcome in outcomes if outcome.blocks]
        if failed:
            raise ChecksFailed(table.name, failed)
        if table.quarantines and table.write.mode != "view":
            columns = shape.kept_columns(run, table, rows.frame)
            parts = [*rows.set_aside, quarantine.shown(judged.set_aside, columns)]
            quarantine.publish(run, table.name, parts, skip_known=landing is None)
        publish.publish(run, table, judged.kept.select(*map(quoted, shape.own_columns(table, rows.frame))), landing)
    if landing is not None:
        landing.empty()
    registry.record_dataset(run, table)


def _rows(run: Run, table: Table, landing: Landing | None, stage: Stage) -> _Rows:
    if isinstance(table.rows, Files):
        return _of_files(run, table, table.rows, landing, stage)
    if isinstance(table.rows, Query):
        frame = shape.finished(run, table, run.sql(run.text(table.rows.sql)))
        return _Rows(stage(frame) if table.checks or table.write.mode == "merge" else frame)
    return _of_table(run, table, table.rows, stage)


def _of_files(run: Run, table: Table, source: Files, landing: Landing | None, stage: Stage) -> _Rows:
    own = table.own_columns
    columns = [name for name in own if name not in source.metadata_columns] if own else None
    if isinstance(source, Database):
        read = databases.read(run, source, columns)
    else:
        read = files.read(run, source, columns) if landing is None else landing.fill(columns)
    n_columns = len(read.columns) - 2
    rows = files.metadata(run, read, source, table.quarantines)
    cast_rows = contract.cast(run.spark, rows, table.contract)
    cast_rows = dataclasses.replace(cast_rows, rows=stage(cast_rows.rows))
    ragged = cast_rows.rows.filter(F.col(files.WRONG).isNotNull())
    whole = cast_rows.rows.filter(F.col(files.WRONG).isNull()).drop(files.WRONG)
    found = _of_cast(run, table, CastRows(whole, cast_rows.columns))
    found.frame = shape.finished(run, table, found.frame)
    n_ragged = ragged.count()
    if n_ragged:
        if source.format != "csv" or source.on_ragged_row == "fail":
            raise SourceError(_told(table, source, ragged, n_ragged, n_columns))
        found.outcomes.insert(0, _ragged(table, source, ragged, n_ragged, whole.count()))
        if source.on_ragged_row == "quarantine":
            reason = F.array(files.ragged_reason(source, n_columns))
            lines = ragged.select("_source_file", F.col(files.WRONG).alias("_row"), reason.alias(quarantine.REASONS))
            found.set_aside.append(quarantine.shown(lines, shape.kept_columns(run, table, found.frame)))
    return found


def _told(table: Table, source: Files, ragged: DataFrame, n_ragged: int, n_columns: int) -> str:
    if source.format != "csv":
        first = ragged.select(files.WRONG).limit(1).collect()[0][0]
        return f"{n_ragged} lines of the files of `{table.name}` are not what it promises: {first}"
    return f"{n_ragged} rows of the files of `{table.name}` do not have {n_columns} fields"


def _ragged(table: Table, source: Files, ragged: DataFrame, n_ragged: int, n_whole: int) -> Outcome:
    private = frozenset(table.private)
    has_file = "_source_file" in ragged.columns
    file = F.col("_source_file") if has_file else F.lit(None).cast("string")
    rows = ragged.select(
        file.alias("_source_file"), F.lit(None).cast("string").alias("_source_line"), F.col(files.WRONG).alias("_row")
    )
    examples = [
        observed.to_json(observed.hide(example, private)) for example in observed.examples(rows.limit(N_EXAMPLES))
    ]
    n_rows = n_ragged + n_whole
    return Outcome(
        kind="ragged_row",
        label="rows have as many fields as the header",
        columns=[],
        dimension="validity",
        on_violation=source.on_ragged_row,
        severity=None,
        mostly=1.0,
        n_rows=n_rows,
        n_considered=n_rows,
        n_violating=n_ragged,
        share=n_whole / n_rows,
        success=False,
        observed=None,
        examples=f"[{','.join(examples)}]",
        duration_s=0.0,
    )


def _of_table(run: Run, table: Table, source: Cast, stage: Stage) -> _Rows:
    rows = _pinned(run, source.table)
    rows = rows.select(*(F.col(quoted(name)).alias(name.lower()) for name in rows.columns))
    if table.quarantines:
        rows = quarantine.with_originals(rows, rows.columns)
    cast_rows = contract.cast(run.spark, rows, table.contract)
    if source.sql is None:
        cast_rows = dataclasses.replace(cast_rows, rows=stage(cast_rows.rows))
        found = _of_cast(run, table, cast_rows)
        found.frame = shape.finished(run, table, found.frame)
        return found
    found = _of_cast(run, table, cast_rows)
    found.frame.createOrReplaceTempView("cast_rows")
    # Text may have got its contract's name on the way, by a renaming.
    computed = run.sql(run.text(source.sql))
    late = contract.cast(run.spark, computed, table.contract, lambda data_type: isinstance(data_type, T.StringType))
    if not late.columns:
        found.frame = stage(shape.finished(run, table, computed))
        return found
    renamed = _of_cast(run, table, dataclasses.replace(late, rows=stage(late.rows)))
    outcomes = [contract.together([*found.outcomes, *renamed.outcomes])] if found.outcomes or renamed.outcomes else []
    return _Rows(shape.finished(run, table, renamed.frame), outcomes, found.set_aside + renamed.set_aside)


def _pinned(run: Run, table: str) -> DataFrame:
    """A table's rows at its newest version, so that two looks see the same; a view's as they are."""
    version = run.version(table)
    if version is None:
        return run.spark.table(run.name(table))
    return run.spark.read.option("versionAsOf", version).table(run.name(table))


def _of_cast(run: Run, table: Table, cast_rows: CastRows) -> _Rows:
    """The rows that stay after the contract's casts, and what became of the others."""
    found = _Rows(contract.without_failures(cast_rows, table.contract, table.quarantines))
    if table.contract is None:
        return found
    outcome = contract.outcome(cast_rows, table.contract, frozenset(table.private))
    if outcome is not None:
        found.outcomes.append(outcome)
        if outcome.n_violating and table.contract.on_cast_failure == "quarantine":
            columns = shape.kept_columns(run, table, found.frame)
            found.set_aside.append(quarantine.shown(contract.is_failed(cast_rows), columns, contract.REASONS))
    return found
