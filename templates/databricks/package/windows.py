"""Conditions with window functions.

A window over all rows would bring them all to one machine; an aggregate beside each row says the same. Where
a window has parts or an order there is nothing to gain, and the condition stays as it is.
"""

from __future__ import annotations

import re

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `[^`]*` | --[^\n]* | /\*.*?\*/ | \w+ | \s+ | .""",
    re.DOTALL | re.VERBOSE,
)
_AGGREGATES = {
    "avg", "bool_and", "bool_or", "count", "every", "max", "mean", "median", "min", "percentile", "stddev",
    "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance",
}  # fmt: skip


def with_condition(rows: DataFrame, condition: str, name: str) -> DataFrame:
    """The rows with a condition over all of them as a column; FALSE instead of NULL."""
    found = over_all(condition)
    if found is not None:
        condition, aggregates = found
        columns = [F.expr(text).alias(f"_medc_of_all_{place}") for place, text in enumerate(aggregates)]
        rows, names = rows.crossJoin(rows.agg(*columns)), rows.columns
    else:
        names = rows.columns
    quoted = ["`" + column.replace("`", "``") + "`" for column in names]
    return rows.select(*quoted, F.expr(f"coalesce((\n{condition}\n), false)").alias(name))


def over_all(condition: str) -> tuple[str, list[str]] | None:
    """The condition with each `aggregate(…) OVER ()` as `_medc_of_all_<n>`, and the aggregates.

    `None` where there are no window functions, or others.
    """
    tokens = _TOKEN.findall(condition)
    aggregates: list[str] = []
    place = 0
    while place < len(tokens):
        if tokens[place].lower() != "over":
            place += 1
            continue
        opening = _next(tokens, place)
        closing = _next(tokens, opening)
        begin = _call(tokens, place)
        if closing == len(tokens) or (tokens[opening], tokens[closing]) != ("(", ")") or begin is None:
            return None
        text = "".join(tokens[begin:place]).strip()
        if text not in aggregates:
            aggregates.append(text)
        tokens[begin : closing + 1] = [f"_medc_of_all_{aggregates.index(text)}"]
        place = begin + 1
    return ("".join(tokens), aggregates) if aggregates else None


def _is_blank(token: str) -> bool:
    return token.isspace() or token.startswith(("--", "/*"))


def _next(tokens: list[str], place: int) -> int:
    place += 1
    while place < len(tokens) and _is_blank(tokens[place]):
        place += 1
    return min(place, len(tokens))


def _call(tokens: list[str], end: int) -> int | None:
    """Where the call of an aggregate begins that ends before a token."""
    depth, place = 0, end - 1
    while place >= 0:
        if tokens[place] in ("(", ")"):
            depth += 1 if tokens[place] == ")" else -1
        elif depth == 0 and not _is_blank(tokens[place]):
            return place if tokens[place].lower() in _AGGREGATES and place + 1 < end else None
        place -= 1
    return None
