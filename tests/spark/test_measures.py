"""The numbers of `measures` against SciPy's, NumPy's and Great Expectations' own: the cases of `medc::statistics`."""

from __future__ import annotations

import json
import math
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "templates" / "databricks"))

from package import measures  # noqa: E402

LN_2 = math.log(2.0)


def cases(name: str) -> list[Any]:
    path = ROOT / "tests" / "cases" / "statistics" / f"{name}.json"
    return list(json.loads(path.read_text())["cases"])


def values(spec: Any) -> list[float]:
    if isinstance(spec, list):
        return [float(value) for value in spec]
    [(kind, recipe)] = spec.items()
    low, high = float(recipe["low"]), float(recipe["high"])
    found = []
    for i in range(int(recipe["n"])):
        fraction = (float(i) * recipe["step"]) % 1.0
        if recipe.get("power") == 2:
            fraction = fraction * fraction
        found.append(low + (high - low) * fraction)
    if kind == "weyl":
        return found
    return [math.floor(value * recipe["digits"]) / recipe["digits"] for value in found]


def close(what: str, found: float, expected: Any) -> None:
    expected = float(expected)
    if math.isinf(expected):
        assert found == expected, what
    else:
        assert abs(found - expected) <= 1e-9 * max(abs(expected), 1.0), f"{what}: {found} instead of {expected}"


def close_probability(what: str, found: float, expected: Any) -> None:
    close(what, found, expected)
    if 1e-150 <= float(expected) < 1e-6:
        assert abs(found / float(expected) - 1.0) <= 1e-6, f"{what}: {found} instead of {expected}"


def all_close(what: str, found: Sequence[float], expected: Sequence[Any]) -> None:
    assert len(found) == len(expected), what
    for one, wanted in zip(found, expected):
        close(what, one, wanted)


def test_kolmogorov_smirnov() -> None:
    for case in cases("kolmogorov_smirnov"):
        reference, current = sorted(values(case["reference"])), sorted(values(case["current"]))
        everything = sorted({*reference, *current})
        largest = max(
            abs(bisect_right(reference, value) * len(current) - bisect_right(current, value) * len(reference))
            for value in everything
        )
        for sizes in [(len(reference), len(current)), (len(current), len(reference))]:
            found = measures.kolmogorov_smirnov(largest, *sizes)
            assert found.p_value is not None
            close(case["name"], found.value, case["statistic"])
            close_probability(case["name"], found.p_value(), case["p_value"])


def test_the_limit_of_kolmogorov_smirnov() -> None:
    for case in cases("kolmogorov_smirnov_limit"):
        # Matrices of many rows take seconds each here.
        step = 1 if case["n"] <= 2000 else 5
        for distance, survival in list(zip(case["distances"], case["survival"]))[::step]:
            found = measures.one_sample(float(distance), case["n"])
            close_probability(f"n {case['n']}, distance {distance}", found, survival)


def test_chi_squared() -> None:
    for case in cases("chi_squared"):
        if case["test"] == "goodness_of_fit":
            found = measures.goodness_of_fit(case["observed"], [float(count) for count in case["expected"]])
        elif case["test"] == "against_reference":
            found = measures.against_reference(case["reference"], case["observed"])
        else:
            continue
        assert found.p_value is not None
        close(case["name"], found.value, case["statistic"])
        close_probability(case["name"], found.p_value(), case["p_value"])
    for case in cases("chi_squared_survival"):
        for statistic, survival in zip(case["statistics"], case["survival"]):
            found_p = measures.upper_gamma(case["degrees_of_freedom"] / 2.0, float(statistic) / 2.0)
            close_probability(f"{case['degrees_of_freedom']} degrees, {statistic}", found_p, survival)


def test_divergences() -> None:
    for case in cases("divergence"):
        name, reference, current = case["name"], case["reference"], case["current"]
        close(name, measures.population_stability_index(reference, current), case["population_stability_index"])
        close(name, measures.relative_entropy(current, reference), case["relative_entropy"])
        close(name, measures.jensen_shannon(reference, current), case["jensen_shannon_2"])


def test_bins() -> None:
    for case in cases("bins"):
        name, known = case["name"], values(case["values"])
        moved = [value * 1.25 + 0.125 for value in known]
        both = known + moved
        all_close(name, measures.sturges(len(known), min(known), max(known)), case["sturges"])
        edges = measures.sturges(len(both), min(both), max(both))
        all_close(name, edges, case["sturges_union"])
        for sample, expected in zip([known, moved], case["sturges_union_counts"]):
            assert measures.count_in(edges, Counter(sample).items()).bins == expected, name
        edges = measures.equal_width(len(known), min(known), max(known), 10)
        all_close(name, edges, case["equal_width_10"])
        outside = measures.count_in(edges, Counter(moved).items())
        assert outside.bins == case["outside_counts"] and outside.n == len(moved), name
        assert (outside.below, outside.above) == (case.get("below") or 0, case.get("above") or 0), name
        ascending = sorted(known)
        edges = measures.quantile_bins(measures.quantile_positions(len(known), 10), ascending.__getitem__)
        if case.get("deciles") is None:
            assert measures.count_in(edges, Counter(known).items()).bins == [0, len(known), 0], name
            continue
        all_close(name, edges, case["deciles"])
        for sample, expected in zip([known, moved], case["decile_counts"]):
            assert measures.count_in(edges, Counter(sample).items()).bins == expected, name


def test_partitions() -> None:
    for case in cases("partition"):
        holdouts = float(case["tail_weight_holdout"]), float(case["internal_weight_holdout"])
        weights = [float(weight) for weight in case["weights"]]
        try:
            if case["kind"] == "continuous":
                edges = measures.check_edges([float(edge) for edge in case["bins"]])
                tails = tuple(map(float, case["tail_weights"])) if case.get("tail_weights") else None
                counted = measures.count_in(edges, Counter(values(case["column"])).items())
                found = measures.partition_divergence(edges, weights, tails, holdouts, counted)  # type: ignore[arg-type]
            else:
                listed = (case.get("expected") or {"values": case["values"]})["values"]
                counts = [case["column"].count(value) for value in listed]
                n_known = len(case["values"])
                found = measures.category_divergence(weights, holdouts, counts[:n_known], counts[n_known:])
        except measures.Undefined:
            assert case.get("refused"), case["name"]
            continue
        assert not case.get("refused"), case["name"]
        if case.get("observed_value") is None:
            assert math.isinf(found), case["name"]
        else:
            close(case["name"], found, case["observed_value"])


@pytest.mark.parametrize("sizes", [(2, 2), (10, 7), (0, 3)])
def test_samples_without_an_answer(sizes: tuple[int, int]) -> None:
    if 0 in sizes:
        with pytest.raises(measures.Undefined):
            measures.kolmogorov_smirnov(0, *sizes)
    else:
        found = measures.kolmogorov_smirnov(0, *sizes).p_value
        assert found is not None and found() == 1.0
