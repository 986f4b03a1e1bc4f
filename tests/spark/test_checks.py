"""The checks of the shared package on open-source Spark: what `judge` finds is what the local engine finds.

Small cases are those of the local engine's own tests. Run by `tests/spark/checks`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession


from package import measures, observed, windows
from package.checks import (
    Aggregate,
    Bins,
    Categories,
    Check,
    ChiSquared,
    ColumnsMatch,
    Distribution,
    Holds,
    JensenShannon,
    KolmogorovSmirnov,
    KullbackLeibler,
    Psi,
    References,
    Row,
    TableColumn,
    Unique,
    Violations,
    Window,
)
from package.judge import CheckFailed, Judged, judge

NAMES = {"bronze": "spark_catalog.lake_bronze", "quality": "spark_catalog.lake_quality"}

ROWS = """SELECT CAST(id AS BIGINT) AS id, kind, x, d FROM VALUES
    (1, 'a', 1D, 1.10BD), (2, 'a', 2D, 2.20BD), (3, 'a', 3D, 3.30BD), (4, 'b', 4D, 4.40BD), (5, 'b', 5D, 5.50BD),
    (6, 'b', 6D, 6.60BD), (7, 'c', 7D, 7.70BD), (8, 'c', DOUBLE('NaN'), 8.80BD), (8, NULL, 9D, 9.90BD),
    (NULL, 'c', NULL, NULL) AS rows (id, kind, x, d)"""


@pytest.fixture(scope="session")
def spark(request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    # Serverless compute speaks Spark Connect, which knows fewer calls.
    connects = os.environ.get("SPARK_LAB_CONNECT") == "1"
    session = _connected(request) if connects else request.getfixturevalue("lake")
    for schema in NAMES.values():
        session.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    numbers = session.range(1, 8).selectExpr("CAST(id AS INT) AS number", "CAST(id AS DOUBLE) AS x")
    numbers.write.mode("overwrite").saveAsTable("spark_catalog.lake_bronze.known")
    yield session
    if connects:
        session.stop()


def _connected(request: pytest.FixtureRequest) -> SparkSession:
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    os.chdir(factory.mktemp("connect"))
    session = SparkSession.builder.remote("local[2]").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    return session


def rows_of(spark: SparkSession, text: str = ROWS) -> DataFrame:
    rows = spark.sql(text)
    return rows.withColumn("d", rows["d"].cast("decimal(18,2)")) if "d" in rows.columns else rows


def shown(judged: Judged) -> list[str]:
    """`label: n_rows n_considered n_violating observed success` of each check."""
    lines = []
    for one in judged.outcomes:
        assert (one.examples is None) == (one.n_violating == 0), one
        counts = f"{one.n_rows} {one.n_considered} {one.n_violating}"
        lines.append(f"{one.label}: {counts} {one.observed or '-'} {str(one.success).lower()}")
    return lines


def warn(check: type[Any], label: str, **arguments: Any) -> Any:
    return check(**{"kind": "test", "label": label, "on_violation": "warn", **arguments})


def aggregate(label: str, value: str, holds: str, **arguments: Any) -> Check:
    check: Check = warn(Aggregate, label, value=value, holds=holds, **arguments)
    return check


def every_form() -> list[Check]:
    large = {"considered": "x IS NOT NULL", "violated": "x > 6"}
    reference = {"columns": ["ID"], "table": "bronze.known", "referenced": ["number"]}
    query = "SELECT t.id FROM rows_under_test AS t WHERE t.id > 6"
    deviation = "id - avg(id) OVER () > stddev_samp(id) OVER ()"
    return [
        warn(Row, "row", **large),
        warn(Holds, "holds", condition="x < 6"),
        warn(Row, "where", **large, where="kind = 'b'"),
        warn(Unique, "unique", columns=["id"]),
        warn(Unique, "where", columns=["id"], where="id < 5"),
        warn(Unique, "unique pair", columns=["kind", "Id"]),
        warn(References, "reference", **reference),
        warn(References, "where", **reference, where="id > 7"),
        warn(Window, "window", considered="x < 10", violated="x > 2 * avg(x) OVER (PARTITION BY kind)"),
        warn(Window, "outliers", considered="id > 0", violated=deviation),
        aggregate("count", "count(*)", "observed = 10"),
        aggregate("sum", "sum(d)", "observed > 50"),
        aggregate("max", "max(id)", "observed = (SELECT max(number) FROM IDENTIFIER(:bronze || '.known'))"),
        aggregate("median", "median(id)", "observed IS NOT NULL"),
        aggregate("array", "sort_array(collect_set(kind))", "array_contains(observed, 'c')"),
        aggregate("where", "count(*)", "observed = 3", where="kind = 'b'"),
        aggregate("groups", "count(*)", "observed >= 3", by=["kind"]),
        warn(Violations, "query", sql=query),
        warn(Violations, "where", sql=query, where="id < 8"),
        warn(ColumnsMatch, "columns", in_order=["ID", "kind", "x", "d"]),
        warn(ColumnsMatch, "other columns", count=(5, None)),
        warn(ColumnsMatch, "type", typed=("D", ["int", "decimal(18,2)"])),
    ]


def test_every_form_counts_as_it_says(spark: SparkSession) -> None:
    assert shown(judge(spark, rows_of(spark), every_form(), NAMES)) == [
        "row: 10 9 3 - false",
        "holds: 10 10 4 - false",
        "where: 3 3 0 - true",
        "unique: 10 9 2 - false",
        "where: 4 4 0 - true",
        "unique pair: 10 8 0 - true",
        "reference: 10 9 2 - false",
        "where: 2 2 2 - false",
        "window: 10 8 0 - true",
        "outliers: 10 9 2 - false",
        "count: 10 10 0 10 true",
        "sum: 10 10 0 49.5 false",
        "max: 10 10 0 8 false",
        "median: 10 10 0 5.0 true",
        'array: 10 10 0 ["a","b","c"] true',
        "where: 3 3 0 3 true",
        "groups: 10 4 1 - false",
        "query: 10 10 3 - false",
        "where: 7 7 1 - false",
        'columns: 10 0 0 ["id","kind","x","d"] true',
        "other columns: 10 0 0 4 false",
        'type: 10 0 0 "decimal(18,2)" true',
    ]


def test_an_empty_table_violates_nothing_by_its_rows(spark: SparkSession) -> None:
    found = shown(judge(spark, rows_of(spark).filter("id > 100"), every_form(), NAMES))
    assert [line for line in found if line.endswith("false")] == [
        "count: 0 0 0 0 false",
        "sum: 0 0 0 - false",
        "max: 0 0 0 - false",
        "median: 0 0 0 - false",
        "array: 0 0 0 [] false",
        "where: 0 0 0 0 false",
        "other columns: 0 0 0 4 false",
    ]


def test_nulls_alone_are_not_considered(spark: SparkSession) -> None:
    nulls = (
        rows_of(spark)
        .limit(2)
        .selectExpr("CAST(NULL AS BIGINT) AS id", "CAST(NULL AS STRING) AS kind", "CAST(NULL AS DOUBLE) AS x")
    )
    checks = [
        warn(Row, "row", considered="x IS NOT NULL", violated="x > 6"),
        warn(Holds, "holds", condition="x < 6"),
        warn(Unique, "unique", columns=["id"]),
        warn(References, "reference", columns=["id"], table="bronze.known", referenced=["number"]),
        warn(Row, "null", violated="id IS NULL"),
        aggregate("distinct", "count(DISTINCT id)", "observed = 0"),
    ]
    found = [
        (one.n_rows, one.n_considered, one.n_violating, one.success) for one in judged_outcomes(spark, nulls, checks)
    ]
    none, everything = (2, 0, 0, True), (2, 2, 0, True)
    assert found == [none, everything, none, none, (2, 2, 2, False), everything]


def judged_outcomes(spark: SparkSession, rows: DataFrame, checks: list[Check]) -> list[Any]:
    return list(judge(spark, rows, checks, NAMES).outcomes)


@pytest.mark.parametrize(
    ("mostly", "on_violation", "success", "blocks"),
    [
        (0.9, "fail", True, False),
        (0.9, "drop", True, False),
        (1.0, "drop", False, False),
        (0.91, "fail", False, True),
        (0.91, "drop", False, True),
        (0.91, "quarantine", False, True),
        (0.91, "warn", False, False),
    ],
)
def test_mostly_holds_at_the_border(
    spark: SparkSession, mostly: float, on_violation: str, success: bool, blocks: bool
) -> None:
    check = warn(Row, "mostly", violated="id = 1", mostly=mostly, on_violation=on_violation)
    [one] = judged_outcomes(spark, rows_of(spark), [check])
    assert (one.n_violating, one.share, one.success, one.blocks) == (1, 0.9, success, blocks)


def test_rows_are_split_exactly(spark: SparkSession) -> None:
    quarantine, drop = {"on_violation": "quarantine"}, {"on_violation": "drop"}
    checks = [
        warn(Unique, "unique", columns=["id"], **quarantine),
        warn(References, "reference", columns=["ID"], table="bronze.known", referenced=["number"], **quarantine),
        warn(Row, "large", violated="d > 9", **quarantine),
        warn(Window, "first", violated="row_number() OVER (ORDER BY id) = 2", **drop),
        aggregate("left", "count(*)", "observed = 7"),
    ]
    settled = []

    def settle(rows: DataFrame) -> DataFrame:
        settled.append(rows.columns)
        return rows

    rows = rows_of(spark).selectExpr("*", "CAST(d AS STRING) AS _medc_original_d")
    judged = judge(spark, rows, checks, NAMES, settle=settle)
    assert len(settled) == 1
    counts = [(one.n_rows, one.n_considered, one.n_violating) for one in judged.outcomes]
    assert counts == [(10, 9, 2), (10, 9, 2), (10, 10, 1), (10, 10, 1), (7, 7, 0)]
    example = json.loads(judged.outcomes[0].examples or "")[0]
    assert example["id"] == "8" and list(example) == ["id", "kind", "x", "d"]
    assert judged.kept.columns == rows.columns and judged.kept.count() == 7
    assert judged.set_aside.columns == [*rows.columns, "_reasons"]
    aside = [(str(row["d"]), row["_reasons"]) for row in judged.set_aside.orderBy("d").collect()]
    assert aside == [("8.80", ["unique", "reference"]), ("9.90", ["unique", "reference", "large"])]


def test_what_fails_on_the_data_names_the_expectation(spark: SparkSession) -> None:
    fine = aggregate("fine", "count(*)", "observed = 10")
    for check in [
        warn(Row, "a number", violated="CAST(kind AS INT) > 5"),
        aggregate("a number", "sum(CAST(kind AS INT))", "observed > 1"),
        warn(Violations, "a number", sql="SELECT CAST(t.kind AS INT) AS n FROM rows_under_test AS t"),
        warn(Window, "a number", violated="sum(CAST(kind AS INT)) OVER () > 1"),
    ]:
        with pytest.raises(CheckFailed, match="the expectation `a number`"):
            judge(spark, rows_of(spark), [fine, check], NAMES)
    guarded = warn(Row, "guarded", considered="kind < 'a'", violated="CAST(kind AS INT) > 5")
    assert shown(judge(spark, rows_of(spark), [guarded], NAMES)) == ["guarded: 10 0 0 - true"]


def test_private_values_are_hidden(spark: SparkSession) -> None:
    checks = [
        warn(Row, "row", columns=["x"], violated="id = 1"),
        aggregate("values", "sort_array(collect_set(kind))", "true", columns=["Kind"]),
        aggregate("number", "count(DISTINCT kind)", "true", columns=["kind"]),
    ]
    found = judge(spark, rows_of(spark), checks, NAMES, private={"KIND"}).outcomes
    assert found[0].examples == '[{"id":"1","kind":"(hidden)","x":"1.0","d":"1.10"}]'
    assert [one.observed for one in found[1:]] == ['"(hidden)"', "3"]


def test_distributions_are_compared(spark: SparkSession) -> None:
    def of(label: str, column: str, reference: Any, measure: Any, **bounds: float) -> Check:
        check: Check = warn(Distribution, label, column=column, reference=reference, measure=measure, **bounds)
        return check

    known, shares = TableColumn("bronze.known", "x"), Categories({"a": 0.5, "b": 0.25, "c": 0.25})
    checks = [
        of("ks", "x", known, KolmogorovSmirnov(), at_most=0.1),
        of("p", "x", known, KolmogorovSmirnov(), p_value_at_least=0.05),
        of("kl", "kind", shares, KullbackLeibler(), at_most=1.0),
        of("chi", "kind", shares, ChiSquared(), at_most=1.0),
        of("none", "kind", Categories({"z": 1.0}), ChiSquared(), at_most=1.0),
        of("psi", "x", known, Psi(bins=2), at_most=0.2),
        of("js", "x", known, JensenShannon(bins=2), at_most=0.2),
        of("bins", "x", Bins(edges=[0.0, 4.0, 8.0], shares=[0.5, 0.4], above=0.1), Psi(), at_most=0.2),
    ]
    found = judged_outcomes(spark, rows_of(spark), checks)
    values = [json.loads(one.observed, parse_constant=float) if one.observed else None for one in found]
    kl = math.log(1 / 3 / 0.5) / 3 + 2 * math.log(1 / 3 / 0.25) / 3
    assert [one.n_considered for one in found] == [8, 8, 9, 9, 9, 8, 8, 8]
    assert values[0] == 0.125 and values[3] == 1.0 and values[4] == "Infinity"
    assert values[2] == pytest.approx(kl, abs=1e-12)
    psi = (5 / 8 - 4 / 7) * math.log(5 / 8 / (4 / 7)) + (3 / 8 - 3 / 7) * math.log(3 / 8 / (3 / 7))
    assert values[5] == pytest.approx(psi, abs=1e-12)
    nothing = judged_outcomes(spark, rows_of(spark).filter("id > 100"), checks)
    assert not any(one.success for one in nothing)


def test_values_are_spelled_as_json() -> None:
    from decimal import Decimal

    from pyspark.sql import types as T

    def spelled(value: Any, data_type: T.DataType) -> str:
        return observed.to_json(observed.to_value(value, data_type))

    money = T.DecimalType(38, 2)
    assert spelled(Decimal("10.50"), money) == "10.5"
    assert spelled(Decimal("7.00"), money) == "7.0"
    assert spelled(Decimal("123456789012345678.91"), money) == '"123456789012345678.91"'
    assert spelled(2**63 - 1, T.LongType()) == str(2**63 - 1)
    assert spelled(math.nan, T.DoubleType()) == '"NaN"'
    assert spelled(0.10000000149011612, T.FloatType()) == "0.1"
    numbers = [0.0, -0.0, 1e16, 1.5e15, 1e15, 123456789012345.6, 1e-5, 1.25e-5, 1e-6, 1.5e-7, 5e-324, 1.7e308, 100.0]
    assert [observed.to_json(number) for number in numbers] == [
        "0.0", "-0.0", "1e16", "1500000000000000.0", "1000000000000000.0", "123456789012345.6", "0.00001",
        "0.0000125", "1e-6", "1.5e-7", "5e-324", "1.7e308", "100.0",
    ]  # fmt: skip
    assert observed.text(-1, T.TimestampType()) == "1969-12-31T23:59:59.999999Z"
    assert observed.text(253402300800_500000, T.TimestampType()) == "+10000-01-01T00:00:00.500Z"
    assert observed.text("2024-02-29 10:00:00.5", T.TimestampNTZType()) == "2024-02-29T10:00:00.500"


def test_windows_over_all_rows_become_aggregates() -> None:
    found = windows.over_all("abs(x - avg(x) OVER ()) > 3 * stddev_samp(x) OVER () + avg(x) OVER ()")
    assert found is not None
    assert found[0] == "abs(x - _medc_of_all_0) > 3 * _medc_of_all_1 + _medc_of_all_0"
    assert found[1] == ["avg(x)", "stddev_samp(x)"]
    assert windows.over_all("`x` < percentile(CAST(`x` AS DOUBLE), 0.25) OVER ( ) -- OVER (") is not None
    assert windows.over_all("x > avg(x) OVER (PARTITION BY y) + avg(x) OVER ()") is None
    assert windows.over_all("row_number() OVER (ORDER BY x) > 1") is None
    assert windows.over_all("x > 1 AND y = 'avg(x) OVER ()'") is None
    assert windows.over_all("sum(x) FILTER (WHERE y) OVER () > 1") is None


def test_measures_are_those_of_the_local_engine() -> None:
    assert measures.upper_gamma(1.0, 1.0) == pytest.approx(math.exp(-1.0), abs=1e-15)
