"""What is remembered of runs: `quality.results` and `ml_registry.model_versions`.

In: outcomes of checks; a dataset that was built. Out: rows appended to tables that are made when the first one comes. Columns are
only ever added at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from .judge import Outcome
from .run import Run
from .table import Table

RESULTS = (
    "run_id STRING, table_name STRING, kind STRING, label STRING, columns ARRAY<STRING>, dimension STRING, "
    "on_violation STRING, severity STRING, mostly DOUBLE, n_rows BIGINT, n_considered BIGINT, n_violating BIGINT, "
    "share DOUBLE, success BOOLEAN, observed STRING, examples STRING, duration_s DOUBLE, checked_at TIMESTAMP"
)
MODEL_VERSIONS = (
    "model_name STRING, version BIGINT, table_name STRING, source_table STRING, feature_columns ARRAY<STRING>, "
    "target_column STRING, definition STRING, dataset_version BIGINT, source_version BIGINT, environment STRING, "
    "git_sha STRING, run_id STRING, registered_at TIMESTAMP"
)


def record_outcomes(run: Run, table: Table, outcomes: Sequence[Outcome]) -> None:
    """Appends a row for each outcome to `quality.results`."""
    now = datetime.now(timezone.utc)
    rows = [
        (
            run.run_id,
            table.name,
            one.kind,
            one.label,
            list(one.columns),
            one.dimension,
            one.on_violation,
            one.severity,
            float(one.mostly),
            one.n_rows,
            one.n_considered,
            one.n_violating,
            float(one.share),
            one.success,
            one.observed,
            one.examples,
            float(one.duration_s),
            now,
        )
        for one in outcomes
    ]
    _append(run, "quality.results", RESULTS, "What became of every expectation, run by run", rows)


def record_dataset(run: Run, table: Table) -> None:
    """Appends a row for the dataset version that the table is to `ml_registry.model_versions`."""
    dataset = table.dataset
    if dataset is None:
        return
    row = (
        dataset.model,
        dataset.version,
        table.name,
        dataset.source_table,
        list(dataset.features),
        dataset.target,
        dataset.definition,
        run.version(table.name),
        run.version(dataset.source_table),
        run.environment,
        run.git_sha,
        run.run_id,
        datetime.now(timezone.utc),
    )
    description = "Which dataset version was built when, from what"
    _append(run, "ml_registry.model_versions", MODEL_VERSIONS, description, [row])


def _append(run: Run, name: str, columns: str, description: str, rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        return
    run.spark.sql(f"CREATE TABLE IF NOT EXISTS {run.name(name)} ({columns}) USING DELTA COMMENT '{description}'")
    run.spark.createDataFrame(rows, columns).write.format("delta").mode("append").saveAsTable(run.name(name))
