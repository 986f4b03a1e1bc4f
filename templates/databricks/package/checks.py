"""What must be true of a table's rows.

A check says in which rows, groups or tables it is broken; `judge` evaluates it. SQL in checks is Databricks
SQL: other tables stand as `IDENTIFIER(:layer || '.table')`, the rows under test as `rows_under_test`. NULL
never violates by itself: a row is considered where `considered` is TRUE, and violates where `violated` is
TRUE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROWS = "rows_under_test"
"""The name of the rows under test in SQL, and where a check names a table."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What all checks have."""

    kind: str
    """The expectation's kind in the contract, e.g. `between`."""
    label: str
    """For people, e.g. `amount between 0 and 10`; the reason of a row that is set aside."""
    columns: Sequence[str] = ()
    """The columns that it speaks of; none for the table as a whole."""
    dimension: str = "validity"
    """What of quality it is about, e.g. `completeness`."""
    on_violation: str = "fail"
    """`fail` keeps the old rows, `drop` and `quarantine` take violating rows out, `warn` only records."""
    severity: str | None = None
    """For people; it decides nothing."""
    mostly: float = 1.0
    """The least share of considered rows that must hold."""
    where: str | None = None
    """Only rows for which this is TRUE are looked at."""


@dataclass(frozen=True, kw_only=True)
class Row(Check):
    """Of the considered rows, those for which `violated` is TRUE violate. Both look at their own row only."""

    violated: str
    considered: str | None = None


@dataclass(frozen=True, kw_only=True)
class Holds(Check):
    """A row for which the condition is FALSE violates."""

    condition: str


@dataclass(frozen=True, kw_only=True)
class Window(Check):
    """Like `Row`, but `violated` may look at the other considered rows by window functions."""

    violated: str
    considered: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unique(Check):
    """No two rows have equal values in `columns`; rows with a NULL among them are not considered."""

    proven: bool = False
    """Whether it is known from how the rows are made, so that nobody has to look."""


@dataclass(frozen=True, kw_only=True)
class References(Check):
    """The values of `columns` stand in `referenced` of a row of `table`; a row with a NULL is not considered."""

    table: str
    referenced: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Aggregate(Check):
    """`holds` is TRUE of `observed`, an aggregate of all rows or of each group of equal values in `by`."""

    value: str
    holds: str
    by: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Violations(Check):
    """The rows that a query gives violate."""

    sql: str


@dataclass(frozen=True, kw_only=True)
class ColumnsMatch(Check):
    """What columns the table has; of the four ways to say it, one is given. Case does not count."""

    in_order: Sequence[str] | None = None
    """Exactly these, in this order."""
    among: Sequence[str] | None = None
    """These, in any order; no others if `exact`."""
    exact: bool = False
    count: tuple[int | None, int | None] | None = None
    """So many, at least and at most."""
    typed: tuple[str, Sequence[str]] | None = None
    """The column has one of these types."""


@dataclass(frozen=True)
class TableColumn:
    """The values of a column of a table, `layer.name`."""

    table: str
    column: str


@dataclass(frozen=True)
class Categories:
    """Shares of named categories, in order."""

    shares: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Shares of the bins between neighbouring edges, and of what lies outside."""

    edges: Sequence[float]
    shares: Sequence[float]
    below: float = 0.0
    above: float = 0.0


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """Two samples of numbers, two-sided."""


@dataclass(frozen=True)
class ChiSquared:
    """Goodness of fit of categories."""


@dataclass(frozen=True)
class Psi:
    """The population stability index, over so many bins of the reference's quantiles or over categories."""

    bins: int = 10


@dataclass(frozen=True)
class JensenShannon:
    """The distance to base 2, over so many equally wide bins or over categories."""

    bins: int = 30


@dataclass(frozen=True)
class KullbackLeibler:
    """The divergence of the rows from the reference, with shares held out for values that the reference lacks."""

    tail_holdout: float = 0.0
    internal_holdout: float = 0.0


Measure = KolmogorovSmirnov | ChiSquared | Psi | JensenShannon | KullbackLeibler
Reference = TableColumn | Categories | Bins


@dataclass(frozen=True, kw_only=True)
class Distribution(Check):
    """A column is distributed like a reference. NULL, and NaN in numbers, are not considered."""

    column: str
    reference: Reference
    measure: Measure
    at_most: float | None = None
    """The greatest distance that holds."""
    p_value_at_least: float | None = None
    """The least p-value that holds, for measures that are tests."""
