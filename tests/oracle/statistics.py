"""Asks SciPy, NumPy and Great Expectations for the numbers that tests/it/statistics.rs holds src/statistics.rs to.

    python tests/oracle/statistics.py        # writes tests/cases/statistics/*.json

Needs numpy, scipy, pandas and great_expectations 1.x. Inputs are in the cases; large samples are recipes:

    {"weyl": {"n", "step", "low", "high", "power"}}   low + (high - low) * frac(i * step) ** power, for i in 0..n, power 1 or 2
    {"rounded": {... as weyl ..., "digits": 10}}       the same as floor(value * digits) / digits, which makes ties

Both are exact in IEEE arithmetic, so that Rust and Python see the same doubles. Infinities are the strings "inf" and
"-inf"; an answer that does not exist is null.
"""

import json
import math
import platform
import warnings
from pathlib import Path

import great_expectations as gx
import numpy as np
import pandas as pd
import scipy
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

CASES = Path(__file__).resolve().parent.parent / "cases" / "statistics"
GOLDEN = 0.6180339887498949
ROOT2 = 0.41421356237309515


def weyl(n, step=GOLDEN, low=0.0, high=1.0, power=1):
    return {"weyl": {"n": n, "step": step, "low": low, "high": high, "power": power}}


def rounded(digits, **recipe):
    return {"rounded": {**weyl(**recipe)["weyl"], "digits": digits}}


def values(spec):
    if isinstance(spec, list):
        return np.array([float(v) for v in spec])
    kind, recipe = next(iter(spec.items()))
    i = np.arange(recipe["n"], dtype=float)
    fraction = np.mod(i * recipe["step"], 1.0)
    fraction = fraction * fraction if recipe["power"] == 2 else fraction
    x = recipe["low"] + (recipe["high"] - recipe["low"]) * fraction
    return np.floor(x * recipe["digits"]) / recipe["digits"] if kind == "rounded" else x


def plain(x):
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray)):
        return [plain(v) for v in x]
    if isinstance(x, (np.bool_, bool)):
        return bool(x)
    if isinstance(x, (np.integer, int)):
        return int(x)
    if isinstance(x, (np.floating, float)):
        x = float(x)
        if math.isnan(x):
            return None
        return ("inf" if x > 0 else "-inf") if math.isinf(x) else x
    return x


def write(name, cases):
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
        "great_expectations": gx.__version__,
    }
    rows = ",\n  ".join(json.dumps(plain(case), separators=(",", ":")) for case in cases)
    head = json.dumps(versions)
    text = f'{{"versions": {head},\n "cases": [\n  {rows}\n]}}\n'
    (CASES / f"{name}.json").write_text(text)
    print(f"{name}: {len(cases)} cases, {len(text)} bytes")


RNG = np.random.default_rng(20240611)


def normal(n, mean=0.0, sd=1.0, digits=4):
    return np.round(RNG.normal(mean, sd, n), digits).tolist()


def kolmogorov_smirnov():
    pairs = {
        "one_each_equal": ([1.0], [1.0]),
        "one_each_apart": ([1.0], [2.0]),
        "one_against_many": ([0.3], normal(30)),
        "two_against_three": ([1.0, 2.0], [1.5, 1.7, 3.0]),
        "identical": (normal(25),) * 2,
        "apart": (normal(20), normal(20, 50)),
        "apart_unequal": (normal(20), normal(33, 50)),
        "equal_sizes": (normal(50), normal(50, 0.3)),
        "multiple_sizes": (normal(20), normal(100, 0.5)),
        "coprime_sizes": (normal(37), normal(101, 0.4)),
        "ties_everywhere": (RNG.integers(0, 4, 60).tolist(), RNG.integers(0, 5, 45).tolist()),
        "infinities": ([-math.inf, 0.0, 1.0, math.inf], [-math.inf, 2.0, 3.0]),
        "negative_zero": ([-0.0, 0.0, 1.0], [0.0, 0.0, -1.0, 2.0]),
        "tiny_p_exact": (weyl(900), weyl(700, ROOT2, 0.2, 1.2)),
        "tiny_p_exact_equal": (weyl(800), weyl(800, ROOT2, 0.25, 1.25)),
        "border_both_exact": (weyl(10000), weyl(10000, ROOT2, 0.0, 1.01)),
        "border_unequal_exact": (weyl(10000), weyl(2500, ROOT2, 0.0, 1.03)),
        "border_coprime_exact": (weyl(10000), weyl(1999, ROOT2, 0.0, 1.02)),
        "border_first_above": (weyl(10001), weyl(10000, ROOT2, 0.0, 1.01)),
        "border_second_above": (weyl(10000), weyl(10001, ROOT2, 0.0, 1.02)),
        "far_unequal_above": (weyl(10001), [0.1, 0.2, 0.7, 0.75, 0.9]),
        "far_unequal_60": (weyl(12000), weyl(60, ROOT2, 0.0, 0.9)),
        "far_unequal_150": (weyl(12000), weyl(150, ROOT2, 0.0, 0.95)),
        "one_against_20000": ([0.9], weyl(20000)),
        "large_close": (weyl(60000), weyl(50000, ROOT2, 0.0, 1.002)),
        "large_same_steps": (weyl(60000), weyl(50000)),
        "large_tiny_p": (weyl(60000), weyl(50000, ROOT2, 0.0, 1.025)),
        "large_zero_p": (weyl(60000), weyl(50000, ROOT2, 0.3, 1.3)),
        "large_ties": (rounded(10, n=30000), rounded(10, n=20000, step=ROOT2, high=1.01)),
        "large_skewed": (weyl(30000), weyl(30000, ROOT2, 0.0, 1.0, 2)),
        "p_near_1e-12": (weyl(40000), weyl(40000, ROOT2, 0.0, 1.027)),
    }
    cases = []
    for name, (reference, current) in pairs.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            answer = stats.ks_2samp(values(reference), values(current))
        cases.append({"name": name, "reference": reference, "current": current,
                      "statistic": answer.statistic, "p_value": answer.pvalue})
    write("kolmogorov_smirnov", cases)

    cases = []
    for n in (1, 2, 3, 5, 10, 50, 100, 139, 140, 141, 200, 1000, 5000, 99999, 100000, 100001, 10**6, 10**6 + 1, 5 * 10**6):
        # distance = z / sqrt(n): around every border between two formulas, and between.
        borders = [0.754693, 2.2, 4.0, 18.0, 370.0]
        zs = [0.05, 0.2, 0.4, 0.5, 0.62, 0.83, 1.0, 1.2, 1.36, 1.63, 2.5, 3.8, 6.0]
        zs += [math.sqrt(b) * f for b in borders for f in (0.999, 1.001)]
        xs = [z / math.sqrt(n) for z in zs] + [0.4999, 0.5, 0.5001, 0.4 / n, 0.5 / n, 0.7 / n, 1.0 / n, 1.3 / n, 1 - 0.5 / n]
        xs += [(1.4 * f / n) ** (2 / 3) for f in (0.999, 1.001)]
        xs = sorted({x for x in xs if 0 < x < 1})
        cases.append({"n": n, "distances": xs, "survival": [stats.kstwo.sf(x, n) for x in xs]})
    write("kolmogorov_smirnov_limit", cases)


def chi_squared():
    cases = []
    fits = {
        "two_equal": ([10, 10], [10, 10]),
        "die": ([16, 18, 16, 14, 12, 12], [44 / 3] * 6),
        "shares": ([30, 14, 34, 45, 57, 20], [20, 20, 30, 40, 60, 30]),
        "tiny_p": ([120, 30, 50], [60, 80, 60]),
        "p_1e-12": ([180, 71, 49], [120, 100, 80]),
        "zero_p": ([100000, 10], [50005, 50005]),
        "new_category": ([5, 1, 2], [6, 0, 2]),
        "zero_observed": ([0, 7, 3], [2, 5, 3]),
        "many": (RNG.poisson(50, 400).tolist(), None),
    }
    for name, (observed, expected) in fits.items():
        expected = expected or [sum(observed) / len(observed)] * len(observed)
        with np.errstate(divide="ignore"):
            answer = stats.chisquare(observed, expected)
        cases.append({"test": "goodness_of_fit", "name": name, "observed": observed, "expected": expected,
                      "statistic": answer.statistic, "p_value": answer.pvalue, "degrees_of_freedom": len(observed) - 1})
    drifts = {
        "same_shares": ([100, 200, 300], [10, 20, 30]),
        "drift": ([100, 200, 300], [30, 15, 20]),
        "new_in_current": ([100, 200, 0], [10, 20, 4]),
        "gone_in_current": ([100, 200, 40], [10, 20, 0]),
        "empty_in_both": ([100, 0, 200, 40], [14, 0, 20, 5]),
    }
    for name, (reference, current) in drifts.items():
        r, c = np.array(reference), np.array(current)
        seen = (r + c) > 0
        with np.errstate(divide="ignore"):
            answer = stats.chisquare(c[seen], r[seen] / r.sum() * c.sum())
        cases.append({"test": "against_reference", "name": name, "observed": current, "reference": reference,
                      "statistic": answer.statistic, "p_value": answer.pvalue, "degrees_of_freedom": int(seen.sum()) - 1})
    tables = {
        "two_by_two": [[12, 5], [3, 14]],
        "two_by_two_close": [[10, 10], [10, 11]],
        "two_by_two_zero_cell": [[0, 8], [9, 2]],
        "two_by_three": [[10, 10, 20], [20, 20, 20]],
        "zero_cells": [[0, 5, 9], [4, 0, 7]],
        "four_by_five": RNG.poisson(12, (4, 5)).tolist(),
        "one_row": [[3, 4, 5]],
        "one_column": [[3], [4]],
        "large": [[510000, 490000], [500000, 500000]],
    }
    for name, table in tables.items():
        for corrected in (True, False):
            answer = stats.chi2_contingency(table, correction=corrected)
            v = None if min(np.shape(table)) < 2 or corrected else stats.contingency.association(np.array(table), "cramer")
            cases.append({"test": "contingency", "name": name, "table": table, "corrected": corrected, "cramers_v": v,
                          "statistic": answer.statistic, "p_value": answer.pvalue, "degrees_of_freedom": answer.dof})
    write("chi_squared", cases)

    cases = []
    for dof in (1, 2, 3, 4, 7, 12, 30, 31, 99, 100, 999, 10_000, 100_001, 1_000_000):
        xs = [dof * f for f in (1e-6, 0.01, 0.3, 0.8, 0.95, 0.999, 1.0, 1.001, 1.02, 1.1, 1.5, 2.5, 6.0, 20.0)] + [0.0, math.inf]
        cases.append({"degrees_of_freedom": dof, "statistics": xs, "survival": [stats.chi2.sf(x, dof) for x in xs]})
    write("chi_squared_survival", cases)


def stability_index(reference, current):
    """The formula of the drift tools, written down on its own: shares, empty ones filled, symmetric divergence."""
    def shares(counts):
        p = np.array(counts, dtype=float) / sum(counts)
        least = p[p > 0].min()
        return np.where(p == 0, least / 1e6 if least <= 1e-4 else 1e-4, p)
    p, q = shares(reference), shares(current)
    return float(np.sum((q - p) * np.log(q / p)))


def divergence():
    pairs = {
        "same": ([10, 20, 30], [1, 2, 3]),
        "drift": ([10, 20, 30], [30, 20, 10]),
        "zero_in_current": ([10, 20, 30, 5], [12, 20, 0, 9]),
        "zero_in_reference": ([10, 0, 30], [12, 3, 9]),
        "zero_in_both": ([10, 0, 30], [12, 0, 9]),
        "apart": ([10, 0], [0, 7]),
        "one_bin": ([10], [3]),
        "rare_bins": ([1, 0, 99999, 40], [3, 2, 0, 123456]),
        "at_the_rule": ([1, 9999, 0], [5, 4, 1]),
        "many": (RNG.poisson(30, 60).tolist(), RNG.poisson(31, 60).tolist()),
    }
    cases = []
    for name, (reference, current) in pairs.items():
        p, q = np.array(reference) / sum(reference), np.array(current) / sum(current)
        cases.append({
            "name": name, "reference": reference, "current": current,
            "population_stability_index": stability_index(reference, current),
            "relative_entropy": stats.entropy(current, reference),
            "jensen_shannon": jensenshannon(reference, current),
            "jensen_shannon_2": jensenshannon(reference, current, 2.0),
            "total_variation": 0.5 * np.abs(p - q).sum(),
            "largest_difference": np.abs(p - q).max(),
        })
    write("divergence", cases)


def partition():
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_pandas("pandas")
    inf = math.inf
    sample = normal(60, 5.0, 2.0, 2)
    edged = [0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0]
    continuous = {
        "inside": (sample, [-5.0, 2.0, 4.0, 6.0, 15.0], [0.1, 0.2, 0.4, 0.3], None, 0, 0),
        "outside_without_holdout": (sample, [2.0, 4.0, 6.0, 8.0], [0.3, 0.4, 0.3], None, 0, 0),
        "outside_with_holdout": (sample, [2.0, 4.0, 6.0, 8.0], [0.3, 0.4, 0.3], None, 0.02, 0),
        "tail_weights": (sample, [2.0, 4.0, 6.0, 8.0], [0.2, 0.4, 0.2], [0.05, 0.15], 0, 0),
        "zero_weight": (sample, [-5.0, 2.0, 4.0, 6.0, 15.0], [0.0, 0.5, 0.5, 0.0], None, 0, 0),
        "internal_holdout": (sample, [-5.0, 2.0, 4.0, 6.0, 15.0], [0.0, 0.5, 0.5, 0.0], None, 0, 0.05),
        "both_holdouts": (sample, [1.0, 2.0, 4.0, 6.0, 9.0], [0.0, 0.5, 0.5, 0.0], None, 0.01, 0.05),
        "both_open": (sample, [-inf, 2.0, 4.0, 6.0, inf], [0.1, 0.3, 0.4, 0.2], None, 0, 0),
        "both_open_internal": (sample, [-inf, 2.0, 4.0, 6.0, inf], [0.1, 0.5, 0.4, 0.0], None, 0, 0.1),
        "open_below": (sample, [-inf, 2.0, 4.0, 6.0], [0.2, 0.5, 0.3], None, 0.1, 0),
        "open_above": (sample, [2.0, 4.0, 6.0, inf], [0.2, 0.5, 0.3], None, 0.1, 0),
        "two_open_bins": (sample, [-inf, 5.0, inf], [0.5, 0.5], None, 0, 0),
        "values_on_edges": (edged, [1.0, 3.0, 4.0], [0.6, 0.4], None, 0.1, 0),
        "one_bin": (edged, [0.0, 5.0], [1.0], None, 0, 0),
        "weights_almost_one": (edged, [0.0, 2.0, 5.0], [0.500004, 0.500003], None, 0, 0),
        "whole_tail_holdout": (edged, [1.0, 3.0, 4.0], [0.6, 0.4], None, 1.0, 0),
        "refused_lengths": (edged, [0.0, 2.0, 5.0], [1.0], None, 0, 0),
        "refused_order": (edged, [0.0, 5.0, 2.0], [0.5, 0.5], None, 0, 0),
        "refused_sum": (edged, [0.0, 2.0, 5.0], [0.5, 0.4], None, 0, 0),
        "refused_sum_with_tails": (edged, [0.0, 2.0, 5.0], [0.5, 0.5], [0.1, 0.1], 0, 0),
        "refused_holdout": (edged, [0.0, 2.0, 5.0], [0.5, 0.5], None, 1.5, 0),
        "refused_internal_holdout": (edged, [0.0, 2.0, 5.0], [0.5, 0.5], None, 0, -0.1),
        "refused_tail_holdout_and_weights": (edged, [0.0, 2.0, 5.0], [0.4, 0.4], [0.1, 0.1], 0.1, 0),
        "refused_tail_holdout_open": (edged, [-inf, 2.0, inf], [0.5, 0.5], None, 0.1, 0),
        "refused_tail_weights_open": (edged, [-inf, 2.0, inf], [0.4, 0.4], [0.1, 0.1], 0, 0),
        "refused_tail_weights_open_below": (edged, [-inf, 2.0, 5.0], [0.4, 0.4], [0.1, 0.1], 0, 0),
    }
    words = ["a"] * 12 + ["b"] * 7 + ["c"] * 3
    categorical = {
        "same_values": (words, ["a", "b", "c"], [0.5, 0.3, 0.2], 0, 0),
        "missing_value": (words, ["a", "b", "c", "d"], [0.5, 0.2, 0.2, 0.1], 0, 0),
        "new_value": (words, ["a", "b"], [0.6, 0.4], 0, 0),
        "new_value_with_holdout": (words, ["a", "b"], [0.6, 0.4], 0.05, 0),
        "two_new_values": (words, ["a"], [1.0], 0.3, 0),
        "new_and_missing": (words, ["a", "x"], [0.7, 0.3], 0.2, 0),
        "holdout_unused": (words, ["a", "b", "c"], [0.5, 0.3, 0.2], 0.2, 0),
        "zero_weight": (words, ["a", "b", "c"], [0.6, 0.4, 0.0], 0, 0),
        "refused_sum": (words, ["a", "b", "c"], [0.5, 0.3, 0.1], 0, 0),
        "refused_internal_holdout": (words, ["a", "b", "c"], [0.5, 0.3, 0.2], 0, 0.1),
    }

    def ask(column, partition_object, tail, internal):
        frame = pd.DataFrame({"x": column})
        asset = source.add_dataframe_asset(f"asset {len(source.assets)}")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        try:
            expectation = gx.expectations.ExpectColumnKLDivergenceToBeLessThan(
                column="x", partition_object=partition_object, threshold=0.1,
                tail_weight_holdout=tail, internal_weight_holdout=internal)
            result = batch.validate(expectation, result_format="COMPLETE")
        except ValueError:
            return {"refused": True}
        # Some mistakes are raised, others are caught and reported.
        if not result.result:
            assert "exception_message" in str(result.exception_info), result
            return {"refused": True}
        details = result.result["details"]
        return {"refused": False, "observed_value": result.result["observed_value"], "success": result.success,
                "observed": details["observed_partition"], "expected": details["expected_partition"]}

    cases = []
    for name, (column, bins, weights, tails, tail, internal) in continuous.items():
        partition_object = {"bins": bins, "weights": weights} | ({"tail_weights": tails} if tails else {})
        cases.append({"kind": "continuous", "name": name, "column": column, **partition_object,
                      "tail_weight_holdout": tail, "internal_weight_holdout": internal,
                      **ask(column, partition_object, tail, internal)})
    for name, (column, known, weights, tail, internal) in categorical.items():
        cases.append({"kind": "categorical", "name": name, "column": column, "values": known, "weights": weights,
                      "tail_weight_holdout": tail, "internal_weight_holdout": internal,
                      **ask(column, {"values": known, "weights": weights}, tail, internal)})
    write("partition", cases)


def bins():
    samples = {
        "normal": normal(80),
        "integers": RNG.integers(0, 12, 50).tolist(),
        "heavy_tie_low": [0.0] * 30 + normal(20, 5.0),
        "heavy_tie_high": normal(20, 5.0) + [99.0] * 30,
        "one_value": [3.25],
        "constant": [7.0] * 9,
        "two_values": [1.0] * 3 + [2.0] * 2,
        "large_numbers": [1e15 + 3.0 * i for i in range(40)],
        "weyl": weyl(5000, power=2),
        "shifted": weyl(1023, ROOT2, -3.0, 11.0),
        "n_1024": weyl(1024, ROOT2, -3.0, 11.0),
    }
    cases = []
    for name, spec in samples.items():
        x = values(spec)
        shifted = x * 1.25 + 0.125
        case = {"name": name, "values": spec}
        case["sturges"] = np.histogram_bin_edges(x, "sturges") if len(x) else None
        # The union with a copy that is stretched and shifted.
        edges = np.histogram_bin_edges(np.concatenate([x, shifted]), "sturges")
        case["sturges_union"] = edges
        case["sturges_union_counts"] = [np.histogram(x, edges)[0], np.histogram(shifted, edges)[0]]
        case["equal_width_10"] = np.histogram_bin_edges(x, 10)
        case["equal_width_10_counts"] = np.histogram(x, 10)[0]
        # By bins of the reference, a sample that lies partly outside.
        case["outside_counts"] = np.histogram(shifted, case["equal_width_10"])[0]
        case["below"] = int((shifted < case["equal_width_10"][0]).sum())
        case["above"] = int((shifted > case["equal_width_10"][-1]).sum())
        deciles = np.unique(np.quantile(x, np.linspace(0, 1, 11)))
        if len(deciles) > 1:
            deciles[0], deciles[-1] = -np.inf, np.inf
            case["deciles"] = deciles
            case["decile_counts"] = [np.histogram(x, deciles)[0], np.histogram(shifted, deciles)[0]]
        cases.append(case)
    write("bins", cases)


def sample():
    samples = {
        "one": [2.5],
        "two": [1.0, 4.0],
        "odd": [3.0, 1.0, 2.0],
        "even": [5.0, 1.0, 2.0, 9.0],
        "six": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "constant": [0.1] * 10,
        "normal": normal(101, 3.0, 5.0),
        "ties": RNG.integers(-3, 4, 40).tolist(),
        "offset_1e9": [1e9 + v for v in (4.0, 7.0, 13.0, 16.0)],
        "wide": [1e-300, 1.0, 1e12, -1e12, 3.0, 1e-8],
        "weyl": weyl(20000, power=2, low=-4.0, high=1e6),
    }
    levels = [0.0, 0.01, 0.1, 1 / 6, 0.25, 1 / 3, 0.5, 0.6, 0.75, 0.9, 0.99, 1.0]
    cases = []
    for name, spec in samples.items():
        x = values(spec)
        cases.append({
            "name": name, "values": spec, "levels": levels,
            **{method: np.quantile(x, levels, method=method) for method in ("linear", "nearest", "lower", "higher", "midpoint")},
            "mean": x.mean(), "median": np.median(x),
            "population": x.std(), "sample": x.std(ddof=1) if len(x) > 1 else None,
        })
    write("sample", cases)

    pairs = {
        "same": ([1.0, 2.0], [1.0, 2.0]),
        "shift": ([0.0, 1.0, 3.0], [5.0, 6.0, 8.0]),
        "one_each": ([2.0], [5.5]),
        "unequal": (normal(30), normal(47, 1.0)),
        "ties": (RNG.integers(0, 4, 60).tolist(), RNG.integers(1, 6, 45).tolist()),
        "apart": (normal(10), normal(7, 1000.0)),
        "large": (weyl(30000), weyl(20001, ROOT2, 0.1, 1.2, 2)),
        "large_values": (weyl(3000, low=0.0, high=1e12), weyl(2001, ROOT2, 0.0, 1.5e12)),
    }
    cases = [{"name": name, "reference": r, "current": c, "distance": stats.wasserstein_distance(values(r), values(c))}
             for name, (r, c) in pairs.items()]
    write("wasserstein", cases)


if __name__ == "__main__":
    CASES.mkdir(parents=True, exist_ok=True)
    kolmogorov_smirnov()
    chi_squared()
    divergence()
    bins()
    sample()
    partition()
