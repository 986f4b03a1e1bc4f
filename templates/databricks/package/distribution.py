"""What a column's values are distributed like, held against a reference.

In: a column of the rows, and a column of another table, shares of categories or of bins. Out: the distance,
and of how many values. Spark counts values by category, by bin or along the order; only counts come to the
driver, where `measures` has the arithmetic. NULL and NaN are not considered; without values on one side there
is no distance.
"""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import measures, observed
from .checks import Bins, Categories, ChiSquared, Distribution, JensenShannon, KolmogorovSmirnov, Psi
from .measures import Counted, Distance, Undefined

_WHOLE = 1e15
"""Shares as counts, for measures that take counts: exact to fifteen digits."""


def measure(check: Distribution, rows: DataFrame, others: DataFrame | None) -> tuple[Distance | None, int]:
    """The distance, `None` where there is none, and how many values were considered."""
    is_number = isinstance(rows.schema[_spelling(rows, check.column)].dataType, T.NumericType)
    reference = check.reference
    try:
        if isinstance(reference, Categories):
            current = _categories(rows, check.column)
            return _defined(lambda: _of_shares(check, reference, current)), sum(current.values())
        if isinstance(reference, Bins):
            edges = measures.check_edges(reference.edges)
            counted = _binned(_numbers(rows, check.column), edges)
            return _defined(lambda: _of_bins(check, reference, edges, counted)), counted.n
        assert others is not None
        if is_number and not isinstance(check.measure, ChiSquared):
            return _of_numbers(check, _numbers(others, reference.column), _numbers(rows, check.column))
        known, current = _categories(others, reference.column), _categories(rows, check.column)
        return _defined(lambda: _of_categories(check, known, current)), sum(current.values())
    except Undefined:
        return None, 0


def _defined(compute: object) -> Distance | None:
    assert callable(compute)
    try:
        found = compute()
    except Undefined:
        return None
    return found if isinstance(found, Distance) else Distance(found)


def _spelling(rows: DataFrame, column: str) -> str:
    return next(name for name in rows.columns if name.lower() == column.lower())


# Counting


def _numbers(rows: DataFrame, column: str) -> DataFrame:
    value = rows[observed.quoted(column)].cast("double")
    return rows.select(value.alias("value")).filter("value IS NOT NULL AND NOT isnan(value)")


def _categories(rows: DataFrame, column: str) -> dict[str, int]:
    name = _spelling(rows, column)
    data_type = rows.schema[name].dataType
    value = rows[observed.quoted(name)].alias("value")
    counts: dict[str, int] = {}
    for one, n in observed.fetch(rows.select(value).filter("value IS NOT NULL").groupBy("value").count()):
        spelled = observed.text(one, data_type)
        if spelled is not None and spelled != "NaN":
            counts[spelled] = counts.get(spelled, 0) + n
    return dict(sorted(counts.items()))


def _sides(reference: DataFrame, current: DataFrame) -> DataFrame:
    return reference.withColumn("side", F.lit(0)).unionByName(current.withColumn("side", F.lit(1)))


def _binned(values: DataFrame, edges: list[float]) -> Counted:
    found = values.groupBy(_place(edges).alias("place")).count().collect()
    return _counted(edges, {row["place"]: row["count"] for row in found})


def _binned_sides(sides: DataFrame, edges: list[float]) -> tuple[Counted, Counted]:
    found = sides.groupBy("side", _place(edges).alias("place")).count().collect()
    places: list[dict[int, int]] = [{}, {}]
    for row in found:
        places[row["side"]][row["place"]] = row["count"]
    return _counted(edges, places[0]), _counted(edges, places[1])


def _place(edges: list[float]) -> Column:
    """How many edges are not above the value; the last bin has both its edges."""
    value = F.col("value")
    beyond = F.size(F.filter(F.array(*map(F.lit, edges)), lambda edge: edge <= value))
    return F.when(value == edges[-1], len(edges) - 1).otherwise(beyond)


def _counted(edges: list[float], places: dict[int, int]) -> Counted:
    bins = [places.get(place, 0) for place in range(1, len(edges))]
    return Counted(bins, places.get(0, 0), places.get(len(edges), 0))


def _extent(values: DataFrame) -> tuple[int, float, float]:
    row = values.agg(F.count(F.lit(1)), F.min("value"), F.max("value")).collect()[0]
    if row[0] == 0:
        raise Undefined("no values")
    return row[0], row[1], row[2]


def _quantile_bins(values: DataFrame, n_bins: int) -> list[float]:
    n = values.count()
    positions = measures.quantile_positions(n, n_bins)
    wanted = sorted({place for position in positions for place in (math.floor(position), math.ceil(position))})
    passed = values.groupBy("value").agg(F.count(F.lit(1)).alias("n"))
    passed = passed.withColumn("passed", F.expr("sum(n) OVER (ORDER BY value)"))
    inside = F.exists(
        F.array(*map(F.lit, wanted)),
        lambda place: (place >= F.col("passed") - F.col("n")) & (place < F.col("passed")),
    )
    found = [(row["passed"], row["value"]) for row in passed.filter(inside).orderBy("value").collect()]
    return measures.quantile_bins(positions, lambda place: next(value for end, value in found if place < end))


# Comparing


def _of_numbers(check: Distribution, reference: DataFrame, current: DataFrame) -> tuple[Distance | None, int]:
    sides = _sides(reference, current)
    totals = {row["side"]: row["count"] for row in sides.groupBy("side").count().collect()}
    n_reference, n_current = totals.get(0, 0), totals.get(1, 0)

    def compare() -> Distance | float:
        kind = check.measure
        if isinstance(kind, KolmogorovSmirnov):
            largest = _largest(sides, n_reference, n_current) if n_reference and n_current else 0
            return measures.kolmogorov_smirnov(largest, n_reference, n_current)
        if isinstance(kind, Psi):
            known, found = _binned_sides(sides, _quantile_bins(reference, kind.bins))
            return measures.population_stability_index(known.bins, found.bins)
        if not n_reference or not n_current:
            raise Undefined("no values")
        n, least, most = _extent(sides)
        if isinstance(kind, JensenShannon):
            known, found = _binned_sides(sides, measures.equal_width(n, least, most, kind.bins))
            return measures.jensen_shannon(known.bins, found.bins)
        assert not isinstance(kind, ChiSquared)
        edges = measures.sturges(n, least, most)
        known, found = _binned_sides(sides, edges)
        holdouts = kind.tail_holdout, kind.internal_holdout
        return measures.partition_divergence(edges, measures.shares_of(known.bins), None, holdouts, found)

    return _defined(compare), n_current


def _largest(sides: DataFrame, n_reference: int, n_current: int) -> int:
    """The largest distance of the two distribution functions, times both sizes, in whole numbers."""
    steps = sides.groupBy("value").agg(F.count_if(F.col("side") == 0).alias("known"), F.count("side").alias("n"))
    passed = steps.selectExpr("sum(known) OVER (ORDER BY value) AS known", "sum(n) OVER (ORDER BY value) AS n")
    left = f"CAST(known AS DECIMAL(19, 0)) * CAST({n_current} AS DECIMAL(19, 0))"
    right = f"CAST(n - known AS DECIMAL(19, 0)) * CAST({n_reference} AS DECIMAL(19, 0))"
    return int(passed.agg(F.expr(f"max(abs({left} - {right}))")).collect()[0][0])


def _of_categories(check: Distribution, reference: dict[str, int], current: dict[str, int]) -> Distance | float:
    names = [*reference, *(name for name in current if name not in reference)]
    known, found = ([counts.get(name, 0) for name in names] for counts in (reference, current))
    kind = check.measure
    if isinstance(kind, ChiSquared):
        return measures.against_reference(known, found)
    if isinstance(kind, Psi):
        return measures.population_stability_index(known, found)
    if isinstance(kind, JensenShannon):
        return measures.jensen_shannon(known, found)
    if isinstance(kind, KolmogorovSmirnov):
        raise Undefined("categories have no order")
    n, holdouts = len(reference), (kind.tail_holdout, kind.internal_holdout)
    return measures.category_divergence(measures.shares_of(known[:n]), holdouts, found[:n], found[n:])


def _of_shares(check: Distribution, reference: Categories, current: dict[str, int]) -> Distance | float:
    new = [n for name, n in current.items() if name not in reference.shares]
    found = [current.get(name, 0) for name in reference.shares]
    weights = list(reference.shares.values())
    if (holdouts := _holdouts(check)) is not None:
        return measures.category_divergence(weights, holdouts, found, new)
    return _against_weights(check, weights + [0.0] * len(new), found + new)


def _of_bins(check: Distribution, reference: Bins, edges: list[float], counted: Counted) -> Distance | float:
    if (holdouts := _holdouts(check)) is not None:
        tails = (reference.below, reference.above) if reference.below > 0.0 or reference.above > 0.0 else None
        return measures.partition_divergence(edges, reference.shares, tails, holdouts, counted)
    weights = [reference.below, *reference.shares, reference.above]
    found = [counted.below, *counted.bins, counted.above]
    # What nobody expects and nobody saw is no category.
    present = [(weight, n) for weight, n in zip(weights, found) if weight > 0.0 or n > 0]
    return _against_weights(check, [weight for weight, _ in present], [n for _, n in present])


def _holdouts(check: Distribution) -> tuple[float, float] | None:
    kind = check.measure
    if isinstance(kind, (KolmogorovSmirnov, ChiSquared, Psi, JensenShannon)):
        return None
    return kind.tail_holdout, kind.internal_holdout


def _against_weights(check: Distribution, weights: list[float], found: list[int]) -> Distance | float:
    total = sum(weights)
    if isinstance(check.measure, ChiSquared):
        n = float(sum(found))
        return measures.goodness_of_fit(found, [weight / total * n for weight in weights])
    if isinstance(check.measure, Psi):
        whole = [math.floor(weight / total * _WHOLE + 0.5) for weight in weights]
        return measures.population_stability_index(whole, found)
    if isinstance(check.measure, JensenShannon):
        return measures.jensen_shannon(weights, found)
    raise Undefined("shares have no values")
