"""What becomes of checks: outcomes, the rows that stay, and the rows that are set aside with the reasons.

In: rows that can be read several times, and checks. Tests of a row, and tests of several rows that take rows
out, see all rows; every other check sees those that stay. All tests of a row and all aggregates without
groups share one aggregation of the rows that they see. What a `where` leaves out cannot fail a check, not
even by an error. Examples are fetched where there is something to show. Publishing is the caller's: a check
keeps the rows from it if its outcome `blocks`.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from . import distribution, observed, windows
from .checks import (
    ROWS,
    Aggregate,
    Check,
    ColumnsMatch,
    Distribution,
    Holds,
    References,
    Row,
    TableColumn,
    Unique,
    Violations,
    Window,
)
from .observed import quoted

N_EXAMPLES = 20
"""How many violating rows are kept to be shown."""

_TOGETHER = 40
"""How many aggregates share a query: their conditions nest."""


class CheckFailed(Exception):
    """A check could not be evaluated on these rows."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one check: a row of `quality.results`."""

    kind: str
    label: str
    columns: list[str]
    dimension: str
    on_violation: str
    severity: str | None
    mostly: float
    n_rows: int
    """The rows that the check's `where` lets through."""
    n_considered: int
    """Those of them that were judged; for an aggregate per group, the groups."""
    n_violating: int
    share: float
    success: bool
    observed: str | None
    """The value of an aggregate, a statistic, or what columns there are, as JSON."""
    examples: str | None
    """Violating rows as a JSON array of objects, at most twenty."""
    duration_s: float

    @property
    def blocks(self) -> bool:
        """Whether it keeps the rows from being published."""
        return not self.success and (
            self.on_violation == "fail" or (self.on_violation in ("drop", "quarantine") and self.mostly < 1.0)
        )


@dataclass(frozen=True)
class Judged:
    """What `judge` found."""

    outcomes: list[Outcome]
    kept: DataFrame
    """The rows that stay, with the columns of the rows that were judged."""
    set_aside: DataFrame
    """The rows to quarantine, with `_reasons`."""


def judge(
    spark: SparkSession,
    rows: DataFrame,
    checks: Sequence[Check],
    names: dict[str, str],
    private: Iterable[str] = (),
    settle: Callable[[DataFrame], DataFrame] | None = None,
) -> Judged:
    """Judges rows.

    `names` gives each layer's schema as `catalog.schema`; values of `private` columns are not shown. `settle` stores
    rows and reads them back: it is called where a test that looks at other rows takes rows out, so that all readers see
    one split.
    """
    bench = Bench(spark, rows, list(checks), names)
    bench.mark(settle)
    bench.evaluate()
    hidden = frozenset(column.lower() for column in private)
    outcomes = [_recorded(check, found, hidden) for check, found in zip(checks, bench.found)]
    return Judged(outcomes, bench.kept().select(*map(quoted, rows.columns)), bench.set_aside())


@dataclass
class _Found:
    """What is counted of a check."""

    n_rows: int = 0
    n_considered: int = 0
    n_violating: int = 0
    success: bool | None = None
    """Where it is not decided by the counts."""
    observed: Any = None
    examples: Sequence[dict[str, str | None]] = ()
    duration: float = 0.0


def _recorded(check: Check, found: _Found, private: frozenset[str]) -> Outcome:
    n_holding = max(found.n_considered - found.n_violating, 0)
    share = n_holding / found.n_considered if found.n_considered else 1.0
    success = found.success
    if success is None:
        success = found.n_violating == 0 or (found.n_considered > 0 and share >= check.mostly)
    value = observed.hide_value(found.observed, check.columns, private)
    examples = [observed.to_json(observed.hide(example, private)) for example in found.examples]
    return Outcome(
        kind=check.kind,
        label=check.label,
        columns=list(check.columns),
        dimension=check.dimension,
        on_violation=check.on_violation,
        severity=check.severity,
        mostly=check.mostly,
        n_rows=found.n_rows,
        n_considered=found.n_considered,
        n_violating=found.n_violating,
        share=share,
        success=success,
        observed=None if value is None else observed.to_json(value),
        examples=f"[{','.join(examples)}]" if examples else None,
        duration_s=found.duration,
    )


def _is_of_all(check: Check) -> bool:
    return isinstance(check, Aggregate) and not check.by


def takes_out(check: Check) -> bool:
    looks_around = isinstance(check, (Window, References)) or (isinstance(check, Unique) and not check.proven)
    return check.on_violation in ("drop", "quarantine") and (looks_around or isinstance(check, (Row, Holds)))


def mark_of(place: int) -> str:
    return f"_medc_violates_{place}"


def guarded(condition: str, *guards: str | None) -> str:
    """A condition that is only looked at where all guards are TRUE; FALSE instead of NULL."""
    text = f"(\n{condition}\n)"
    for guard in reversed(guards):
        if guard is not None:
            text = f"CASE WHEN (\n{guard}\n) THEN {text} END"
    return f"coalesce({text}, false)"


_ALL = guarded("true")


def among(check: Check) -> str:
    """The condition for a row to be let through by the check's `where`."""
    return guarded("true", check.where)


def considering(check: Check) -> str:
    """The condition for a row to be judged."""
    considered = None
    if isinstance(check, (Unique, References)):
        considered = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in check.columns)
    elif isinstance(check, (Row, Window)):
        considered = check.considered
    return guarded("true", check.where, considered)


def violated(check: Row | Holds) -> str:
    if isinstance(check, Row):
        return guarded(check.violated, check.where, check.considered)
    return guarded(f"NOT (\n{check.condition}\n)", check.where)


def repeats(check: Unique) -> str:
    """The condition for a row to have the key of another one."""
    is_considered, keys = considering(check), ", ".join(map(quoted, check.columns))
    return f"{is_considered} AND count(CASE WHEN {is_considered} THEN 1 END) OVER (PARTITION BY {keys}) > 1"


def pairs(check: References) -> str:
    """The condition for a row to refer to a known one."""
    return " AND ".join(f"{quoted(name)} = _medc_known_{place}" for place, name in enumerate(check.columns))


def _union(parts: list[DataFrame]) -> DataFrame:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.unionByName(part)
    return whole


class Bench:
    """The rows, with a column for each check that takes rows out, and what is found of each check."""

    def __init__(self, spark: SparkSession, rows: DataFrame, checks: list[Check], names: dict[str, str]) -> None:
        self.spark = spark
        self.rows = rows
        self.columns = rows.columns
        self.visible = list(map(quoted, observed.visible(rows)))
        self.checks = checks
        self.names = names
        self.found = [_Found() for _ in checks]
        self.takers = [place for place, check in enumerate(checks) if takes_out(check)]

    # Splitting

    def mark(self, settle: Callable[[DataFrame], DataFrame] | None) -> None:
        """Says of each row which of the checks that take rows out it violates."""
        for place in self.takers:
            with self._evaluating(place):
                self.rows = self._marked(self.rows, place)
        if settle is not None and not all(isinstance(self.checks[place], (Row, Holds)) for place in self.takers):
            self.rows = settle(self.rows)

    def _marked(self, rows: DataFrame, place: int) -> DataFrame:
        check, name = self.checks[place], mark_of(place)
        if isinstance(check, (Row, Holds)):
            return rows.withColumn(name, F.expr(violated(check)))
        among = considering(check)
        if isinstance(check, References):
            known = self._known(check, rows).withColumn("_medc_is_known", F.lit(True))
            joined = rows.join(known, F.expr(pairs(check)), "left")
            violates = F.expr(f"{among} AND _medc_is_known IS NULL").alias(name)
            return joined.select(*map(quoted, rows.columns), violates)
        if isinstance(check, Window):
            if among == _ALL:
                return windows.with_condition(rows, check.violated, name)
            others = rows.filter(f"NOT {among}").withColumn(name, F.lit(False))
            return windows.with_condition(rows.filter(among), check.violated, name).unionByName(others)
        assert isinstance(check, Unique)
        return rows.withColumn(name, F.expr(repeats(check)))

    def kept(self) -> DataFrame:
        """The rows that no check takes out."""
        gone = [mark_of(place) for place in self.takers]
        return self.rows.filter(f"NOT ({' OR '.join(gone)})") if gone else self.rows

    def set_aside(self) -> DataFrame:
        """The rows to quarantine, with their reasons in the order of the checks."""
        quarantining = [place for place in self.takers if self.checks[place].on_violation == "quarantine"]
        reasons = [F.when(F.col(mark_of(place)), F.lit(self.checks[place].label)) for place in quarantining]
        labels = F.filter(F.array(*reasons), lambda label: label.isNotNull()) if reasons else F.array()
        rows = self.rows.filter(" OR ".join(map(mark_of, quarantining)) or "false")
        return rows.select(*map(quoted, self.columns), labels.cast("array<string>").alias("_reasons"))

    def _known(self, check: References, own: DataFrame) -> DataFrame:
        columns = [f"{quoted(name)} AS _medc_known_{place}" for place, name in enumerate(check.referenced)]
        return self._table(check.table, own).selectExpr(*columns).distinct()

    def _table(self, name: str, own: DataFrame) -> DataFrame:
        if name == ROWS:
            return own
        layer, _, table = name.partition(".")
        return self.spark.table(f"{self.names[layer]}.{quoted(table)}")

    # Evaluating

    def evaluate(self) -> None:
        """Finds what is to be found of each check."""
        before = [place for place, check in enumerate(self.checks) if isinstance(check, (Row, Holds))]
        before = sorted({*before, *self.takers})
        after = [place for place in range(len(self.checks)) if place not in before]
        values = [place for place in after if _is_of_all(self.checks[place])]
        counted = [place for place in after if place not in values]
        stay = self.rows.select(*self.visible)
        if self.takers:
            self._together(self.rows, before, [])
            if any(self.found[place].n_violating for place in self.takers):
                stay = self.kept().select(*self.visible)
            before = []
        self._show(stay)
        by_filter: dict[str | None, list[int]] = {None: []}
        for place in values:
            by_filter.setdefault(self.checks[place].where, []).append(place)
        self._together(stay, before + counted, by_filter.pop(None))
        for where, places in by_filter.items():
            self._together(stay.filter(guarded("true", where)), [], places)
        for place in counted:
            with self._evaluating(place):
                self._alone(stay, place)

    def _show(self, rows: DataFrame) -> None:
        rows.createOrReplaceTempView(ROWS)

    def _together(self, rows: DataFrame, counted: list[int], values: list[int]) -> None:
        """One aggregation for several checks; where it fails, one for each, so that the one that fails is named."""
        for start in range(_TOGETHER, len(values), _TOGETHER):
            self._together(rows, [], values[start : start + _TOGETHER])
        values = values[:_TOGETHER]
        places = counted + values
        begun = time.monotonic()
        try:
            self._aggregate(rows, counted, values)
        except Exception as error:
            if len(places) <= 1:
                raise (_failure(self.checks[places[0]], error) if places else error) from error
            for place in places:
                is_value = place in values
                self._together(rows, [] if is_value else [place], [place] if is_value else [])
            return
        for place in places:
            self.found[place].duration += (time.monotonic() - begun) / len(places)

    def _aggregate(self, rows: DataFrame, counted: list[int], values: list[int]) -> None:
        if not counted and not values:
            return
        columns = [F.count(F.lit(1)).alias("n")]
        for place in counted:
            check = self.checks[place]
            columns.append(F.expr(f"count_if({among(check)})").alias(f"among_{place}"))
            columns.append(F.expr(f"count_if({considering(check)})").alias(f"considered_{place}"))
            if violated := self._violates(place):
                columns.append(F.expr(f"count_if({violated})").alias(f"violating_{place}"))
        for place in values:
            check = self.checks[place]
            assert isinstance(check, Aggregate)
            columns.append(F.expr(f"(\n{check.value}\n)").alias(f"value_{place}"))
        summary = self._with_conditions(rows.agg(*columns), values)
        schema, [row] = summary.schema, observed.fetch(summary)
        known = dict(zip(schema.names, row))
        for place in counted:
            found = self.found[place]
            found.n_rows, found.n_considered = known[f"among_{place}"], known[f"considered_{place}"]
            found.n_violating = known.get(f"violating_{place}", 0)
        for place in values:
            found, name = self.found[place], f"value_{place}"
            found.n_rows = found.n_considered = known["n"]
            found.observed = observed.to_value(known[name], schema[name].dataType)
            found.success = known[f"holds_{place}"] is True
        self._exemplify(rows, [place for place in counted if self.found[place].n_violating])

    def _violates(self, place: int) -> str | None:
        check = self.checks[place]
        if place in self.takers:
            return mark_of(place)
        return violated(check) if isinstance(check, (Row, Holds)) else None

    def _with_conditions(self, summary: DataFrame, values: list[int]) -> DataFrame:
        """Adds `holds_<place>`: each condition sees its own value as `observed`."""
        if not values:
            return summary
        names = summary.columns
        text = view = f"medc_summary_{uuid.uuid4().hex}"
        summary.createOrReplaceTempView(view)
        for place in values:
            check = self.checks[place]
            assert isinstance(check, Aggregate)
            text = (
                f"(SELECT {', '.join(names)}, (\n{check.holds}\n) AS holds_{place}\n"
                f"FROM (SELECT *, value_{place} AS observed FROM {text}))"
            )
            names.append(f"holds_{place}")
        return self._sql(f"SELECT * FROM {text}")

    def _exemplify(self, rows: DataFrame, places: list[int]) -> None:
        """Fetches examples for tests of a row, all at once."""
        parts = []
        for place in places:
            violated = self._violates(place)
            assert violated is not None
            few = rows.filter(violated).limit(N_EXAMPLES)
            parts.append(few.select(*self.visible, F.lit(str(place)).alias("_medc_place")))
        if not parts:
            return
        shown: dict[str | None, list[dict[str, str | None]]] = {}
        for example in observed.examples(_union(parts)):
            shown.setdefault(example.pop("_medc_place"), []).append(example)
        for place in places:
            self.found[place].examples = shown.get(str(place), [])

    def _alone(self, rows: DataFrame, place: int) -> None:
        check, found = self.checks[place], self.found[place]
        if isinstance(check, Unique):
            if not check.proven:
                self._unique(rows, check, found)
        elif isinstance(check, References):
            considered = rows.filter(considering(check))
            _exhibit(considered.join(self._known(check, rows), F.expr(pairs(check)), "left_anti"), found)
        elif isinstance(check, Window):
            judged = windows.with_condition(rows.filter(considering(check)), check.violated, mark_of(place))
            _exhibit(judged.filter(mark_of(place)).drop(mark_of(place)), found)
        elif isinstance(check, Aggregate):
            self._grouped(check, found)
        elif isinstance(check, Violations):
            self._show(rows.filter(among(check)))
            _exhibit(self._sql(check.sql), found)
            self._show(rows)
        elif isinstance(check, Distribution):
            self._distribution(rows, check, found)
        else:
            assert isinstance(check, ColumnsMatch)
            found.observed, found.success = columns_found(check, rows)
            found.n_considered = 0

    def _unique(self, rows: DataFrame, check: Unique, found: _Found) -> None:
        keys = list(map(quoted, check.columns))
        groups = rows.filter(considering(check)).groupBy(*keys).agg(F.count(F.lit(1)).alias("_medc_n"))
        n_repeated = F.expr("coalesce(sum(CASE WHEN _medc_n > 1 THEN _medc_n END), 0)")
        [[found.n_violating]] = groups.agg(n_repeated).collect()
        if found.n_violating:
            repeated = rows.withColumn("_medc_repeats", F.expr(repeats(check))).filter("_medc_repeats")
            found.examples = observed.examples(repeated.drop("_medc_repeats").limit(N_EXAMPLES))

    def _grouped(self, check: Aggregate, found: _Found) -> None:
        keys = ", ".join(quoted(name.lower()) for name in check.by)
        of_groups = (
            f"SELECT {keys}, (\n{check.value}\n) AS observed, count(*) AS _medc_n\n"
            f"FROM {ROWS} WHERE {among(check)} GROUP BY {keys}"
        )
        judged = self._sql(f"SELECT *, coalesce((\n{check.holds}\n), false) AS _medc_holds FROM ({of_groups})")
        counts = "count(*)", "coalesce(sum(_medc_n), 0)", "count_if(NOT _medc_holds)"
        [[found.n_considered, found.n_rows, found.n_violating]] = judged.agg(*map(F.expr, counts)).collect()
        if found.n_violating:
            violating = judged.filter("NOT _medc_holds").drop("_medc_n", "_medc_holds")
            found.examples = observed.examples(violating.limit(N_EXAMPLES))

    def _distribution(self, rows: DataFrame, check: Distribution, found: _Found) -> None:
        others = None
        if isinstance(check.reference, TableColumn):
            others = self._table(check.reference.table, rows)
        distance, found.n_considered = distribution.measure(check, rows.filter(among(check)), others)
        found.success = False
        if distance is None:
            return
        near = check.at_most is None or distance.value <= check.at_most
        shown, likely = distance.value, True
        if check.p_value_at_least is not None:
            likely = distance.p_value is not None
            if distance.p_value is not None:
                shown = distance.p_value()
                likely = shown >= check.p_value_at_least
        found.observed, found.success = observed.number(shown), near and likely

    def _sql(self, text: str) -> DataFrame:
        used = {layer: name for layer, name in self.names.items() if re.search(rf":{re.escape(layer)}\b", text)}
        return self.spark.sql(text, used) if used else self.spark.sql(text)

    @contextmanager
    def _evaluating(self, place: int) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        except Exception as error:
            raise _failure(self.checks[place], error) from error
        self.found[place].duration += time.monotonic() - begun


def _exhibit(violating: DataFrame, found: _Found) -> None:
    found.n_violating = violating.count()
    if found.n_violating:
        found.examples = observed.examples(violating.limit(N_EXAMPLES))


def columns_found(check: ColumnsMatch, rows: DataFrame) -> tuple[Any, bool]:
    """What columns there are, and whether that is as it should be."""
    names = [name.lower() for name in rows.columns]
    if check.in_order is not None:
        return rows.columns, names == [name.lower() for name in check.in_order]
    if check.among is not None:
        wanted = {name.lower() for name in check.among}
        return rows.columns, wanted <= set(names) and (not check.exact or set(names) <= wanted)
    if check.count is not None:
        least, most = check.count
        return len(names), (least is None or least <= len(names)) and (most is None or len(names) <= most)
    assert check.typed is not None
    column, any_of = check.typed
    types = [field.dataType.simpleString() for field in rows.schema.fields if field.name.lower() == column.lower()]
    return next(iter(types), None), any(found in any_of for found in types)


def _failure(check: Check, error: Exception) -> CheckFailed:
    if isinstance(error, CheckFailed):
        return error
    return CheckFailed(f"the expectation `{check.label}` cannot be evaluated: {error}")
