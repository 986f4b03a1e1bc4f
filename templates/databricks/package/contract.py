"""A contract's casts on rows, and what became of values that cannot be cast.

In: rows, mostly text. Out: the rows with the contract's types, and beside them `_medc_failed`, the columns whose values could not be
cast, and `_medc_reasons`, the same for people. Rows that must go are left out by `without_failures`; what is found of all rows
is an outcome like a check's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import casts, observed
from .judge import N_EXAMPLES, Outcome
from .observed import ORIGINAL
from .quarantine import as_text
from .run import quoted
from .table import Contract

FAILED = "_medc_failed"
REASONS = "_medc_reasons"


@dataclass(frozen=True)
class CastRows:
    """Rows after the contract's casts."""

    rows: DataFrame
    columns: tuple[str, ...]
    """The columns that were cast."""


def types(spark: SparkSession, contract: Contract) -> dict[str, T.DataType]:
    """The promised types by column, in lower case."""
    columns = ", ".join(
        f"CAST(NULL AS {column.data_type}) AS {quoted(column.name.lower())}" for column in contract.columns
    )
    return {field.name: field.dataType for field in spark.sql(f"SELECT {columns}").schema.fields}


def cast(
    spark: SparkSession,
    rows: DataFrame,
    contract: Contract | None,
    is_eligible: Callable[[T.DataType], bool] = lambda _: True,
) -> CastRows:
    """Casts the columns that the contract gives another type, of those whose present type is eligible."""
    wanted = types(spark, contract) if contract else {}
    fields = [
        (field, wanted[field.name.lower()])
        for field in rows.schema.fields
        if field.name.lower() in wanted
        and field.dataType.simpleString() != wanted[field.name.lower()].simpleString()
        and is_eligible(field.dataType)
    ]
    if contract is None or not fields:
        none = F.array().cast("array<string>")
        return CastRows(rows.select("*", none.alias(FAILED), none.alias(REASONS)), ())
    spelled = {column.name.lower(): column.data_type for column in contract.columns}
    found = {
        field.name: casts.cast(rows[quoted(field.name)], field.dataType, target, contract.timezone)
        for field, target in fields
    }
    raw = {field.name: as_text(rows[quoted(field.name)], field.dataType) for field, _ in fields}
    failed = [F.when(one.failed, F.lit(name.lower())) for name, one in found.items()]
    reasons = [
        F.when(one.failed, F.concat(F.lit(f"{name.lower()}: `"), raw[name], F.lit(f"` is no {spelled[name.lower()]}")))
        for name, one in found.items()
    ]
    carried = {name for name in rows.columns if name.startswith(ORIGINAL)}
    cast_rows = rows.select(
        *(found[name].value.alias(name) if name in found else rows[quoted(name)] for name in rows.columns),
        *(
            rows[quoted(name)].alias(ORIGINAL + name.lower())
            for name in found
            if ORIGINAL + name.lower() not in carried
        ),
        F.array_compact(F.array(*failed)).alias(FAILED),
        F.array_compact(F.array(*reasons)).alias(REASONS),
    )
    return CastRows(cast_rows, tuple(name.lower() for name in found))


def outcome(cast_rows: CastRows, contract: Contract, private: frozenset[str]) -> Outcome | None:
    """What became of the casts; nothing where nothing was cast."""
    if not cast_rows.columns:
        return None
    rows = cast_rows.rows
    is_violating = F.size(FAILED) > 0
    per_column = [F.count_if(F.array_contains(FAILED, name)) for name in cast_rows.columns]
    n_rows, n_violating, *counts = rows.agg(F.count(F.lit(1)), F.count_if(is_violating), *per_column).collect()[0]
    if n_rows == 0:
        return None
    spelled = {column.name.lower(): column.data_type for column in contract.columns}
    failed = sorted((name, count) for name, count in zip(cast_rows.columns, counts) if count)
    told = ", ".join(f"{name} to {spelled[name]} ({count})" for name, count in failed)
    examples = _examples(rows.filter(is_violating), cast_rows.columns, private) if n_violating else []
    return Outcome(
        kind="cast",
        label=f"values cast: {told}" if told else "values cast",
        columns=[name for name, _ in failed],
        dimension="validity",
        on_violation=contract.on_cast_failure,
        severity=None,
        mostly=1.0,
        n_rows=n_rows,
        n_considered=n_rows,
        n_violating=n_violating,
        share=(n_rows - n_violating) / n_rows,
        success=n_violating == 0,
        observed=None,
        examples=f"[{','.join(examples)}]" if examples else None,
        duration_s=0.0,
    )


def _examples(violating: DataFrame, columns: tuple[str, ...], private: frozenset[str]) -> list[str]:
    shown = violating.select(
        F.array_join(FAILED, "\n").alias(FAILED), *(F.col(quoted(ORIGINAL + name)).alias(name) for name in columns)
    )
    examples = []
    for example in observed.examples(shown.limit(N_EXAMPLES)):
        failed = (example.pop(FAILED) or "").split("\n")
        hidden = observed.hide({name: example[name] for name in failed}, private)
        examples.append(json.dumps(hidden, ensure_ascii=False, separators=(",", ":")))
    return examples


def is_failed(cast_rows: CastRows) -> DataFrame:
    """The rows in which something could not be cast."""
    return cast_rows.rows.filter(F.size(FAILED) > 0)


def without_failures(cast_rows: CastRows, contract: Contract | None, keeps_originals: bool) -> DataFrame:
    """The rows that stay, with the columns that they had; behind them, if wanted, their values from before."""
    rows = cast_rows.rows
    if cast_rows.columns and contract is not None and contract.on_cast_failure in ("drop", "quarantine"):
        rows = rows.filter(F.size(FAILED) == 0)
    kept = [name for name in rows.columns if name not in (FAILED, REASONS)]
    return rows.select(*(quoted(name) for name in kept if keeps_originals or not name.startswith(ORIGINAL)))


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """What became of casts in two places, as one outcome."""
    columns = sorted({column for one in outcomes for column in one.columns})
    told = ", ".join(one.label.removeprefix("values cast: ") for one in outcomes if one.columns)
    examples = [one.examples[1:-1] for one in outcomes if one.examples]
    n_rows, n_violating = sum(one.n_rows for one in outcomes), sum(one.n_violating for one in outcomes)
    return replace(
        outcomes[0],
        label=f"values cast: {told}" if told else "values cast",
        columns=columns,
        n_rows=n_rows,
        n_considered=n_rows,
        n_violating=n_violating,
        share=(n_rows - n_violating) / n_rows,
        success=n_violating == 0,
        examples=f"[{','.join(examples)}]" if examples else None,
    )
