"""Tables and suites for the parity test with Great Expectations: written once, read by both sides.

`cases.py FOLDER IRIS` writes `cases.json` (tables with their columns, rows and expectations) and a medc project with a table
a case. Everything is drawn from fixed seeds, so that two runs write the same bytes. IRIS holds the rows of the tables of
`specs/iris`, as medc built them.
"""

import datetime
import json
import math
import pathlib
import random
import shutil
import sys

NAN = "NaN"  # in rows, for JSON has none


def numbers(column, draw):
    """Expectations of a column of numbers."""
    low, high = sorted((round(draw.uniform(-20, 20), 2), round(draw.uniform(-20, 60), 2)))
    yield "expect_column_values_to_be_between", {"column": column, "min_value": low, "max_value": high}
    yield "expect_column_values_to_be_between", {"column": column, "min_value": 3, "max_value": 10, "strict_min": True}
    yield "expect_column_values_to_be_between", {"column": column, "min_value": 3, "max_value": 10, "strict_max": True}
    yield "expect_column_values_to_be_between", {"column": column, "max_value": 10, "mostly": 0.5}
    yield "expect_column_values_to_be_in_set", {"column": column, "value_set": [1, 2, 3, 5, 8]}
    yield "expect_column_values_to_not_be_in_set", {"column": column, "value_set": [4, 6]}
    for name in ("min", "max", "mean", "median", "sum", "stdev"):
        low, high = sorted((round(draw.uniform(-20, 40), 1), round(draw.uniform(-20, 40), 1)))
        yield f"expect_column_{name}_to_be_between", {"column": column, "min_value": low, "max_value": high}
    yield "expect_column_mean_to_be_between", {"column": column, "min_value": 5, "strict_min": True}
    ranges = {"quantiles": [0.05, 0.5, 0.95], "value_ranges": [[-50, 20], [None, 4], [7, None]]}
    yield "expect_column_quantile_values_to_be_between", {"column": column, "quantile_ranges": ranges}
    linear = {"column": column, "quantile_ranges": {"quantiles": [0.1, 0.33], "value_ranges": [[0, 5], [1, 9]]}}
    yield "expect_column_quantile_values_to_be_between", {**linear, "allow_relative_error": "linear"}
    yield "expect_column_value_z_scores_to_be_less_than", {"column": column, "threshold": 1.5, "double_sided": True}
    yield "expect_column_value_z_scores_to_be_less_than", {"column": column, "threshold": 1, "double_sided": False}
    yield "expect_column_values_to_not_be_outliers", {"column": column, "method": "iqr", "multiplier": 0.5}
    yield "expect_column_values_to_not_be_outliers", {"column": column, "method": "std", "multiplier": 1.25}
    bins = {"bins": [-30, 0, 5, 10, 60], "weights": [0.2, 0.4, 0.3, 0.1]}
    divergence = {"column": column, "partition_object": bins, "threshold": 0.1}
    yield "expect_column_kl_divergence_to_be_less_than", divergence
    holdouts = {"tail_weight_holdout": 0.02, "internal_weight_holdout": 0.01, "threshold": 3}
    gap = {"bins": [0, 5, 10, 20], "weights": [0.5, 0.0, 0.5]}
    yield "expect_column_kl_divergence_to_be_less_than", {**divergence, "partition_object": gap, **holdouts}


def anything(column, values):
    """Expectations of a column of any type."""
    yield "expect_column_to_exist", {"column": column}
    yield "expect_column_values_to_not_be_null", {"column": column}
    yield "expect_column_values_to_not_be_null", {"column": column, "mostly": 0.7}
    yield "expect_column_values_to_be_null", {"column": column}
    yield "expect_column_values_to_be_null", {"column": column, "mostly": 0.05}
    yield "expect_column_values_to_be_unique", {"column": column}
    yield "expect_column_unique_value_count_to_be_between", {"column": column, "min_value": 2, "max_value": 12}
    share = {"column": column, "min_value": 0.02, "max_value": 0.5}
    yield "expect_column_proportion_of_unique_values_to_be_between", share
    yield "expect_column_proportion_of_non_null_values_to_be_between", {"column": column, "min_value": 0.9}
    some = values[: len(values) // 2 + 1]
    yield "expect_column_distinct_values_to_be_in_set", {"column": column, "value_set": values}
    if some != values:
        yield "expect_column_distinct_values_to_be_in_set", {"column": column, "value_set": some}
        yield "expect_column_distinct_values_to_equal_set", {"column": column, "value_set": some}
    yield "expect_column_distinct_values_to_contain_set", {"column": column, "value_set": some}
    yield "expect_column_distinct_values_to_equal_set", {"column": column, "value_set": values}
    yield "expect_column_most_common_value_to_be_in_set", {"column": column, "value_set": some}
    common = {"column": column, "value_set": values, "ties_okay": True}
    yield "expect_column_most_common_value_to_be_in_set", common


def texts(column):
    """Expectations of a column of texts."""
    yield "expect_column_values_to_be_in_set", {"column": column, "value_set": ["red", "green", "blue"]}
    yield "expect_column_values_to_be_in_set", {"column": column, "value_set": ["red", "green"], "mostly": 0.25}
    yield "expect_column_values_to_not_be_in_set", {"column": column, "value_set": ["red", ""]}
    yield "expect_column_value_lengths_to_be_between", {"column": column, "min_value": 3, "max_value": 4}
    yield "expect_column_value_lengths_to_be_between", {"column": column, "min_value": 3, "strict_min": True}
    yield "expect_column_value_lengths_to_equal", {"column": column, "value": 5, "mostly": 0.3}
    yield "expect_column_values_to_match_regex", {"column": column, "regex": "e[ne]"}
    yield "expect_column_values_to_match_regex", {"column": column, "regex": "^[a-z]+$", "mostly": 0.8}
    yield "expect_column_values_to_not_match_regex", {"column": column, "regex": "^r"}
    yield "expect_column_values_to_match_regex_list", {"column": column, "regex_list": ["^r", "n$"]}
    yield "expect_column_values_to_match_regex_list", {"column": column, "regex_list": ["e", "d"], "match_on": "all"}
    yield "expect_column_values_to_not_match_regex_list", {"column": column, "regex_list": ["^r", "zz"]}
    yield "expect_column_values_to_be_json_parseable", {"column": column}
    categories = {"values": ["red", "green", "blue", "7"], "weights": [0.4, 0.3, 0.2, 0.1]}
    divergence = {"column": column, "partition_object": categories, "threshold": 0.2}
    yield "expect_column_kl_divergence_to_be_less_than", divergence
    holdout = {"values": ["red", "green"], "weights": [0.5, 0.5]}
    held = {**divergence, "partition_object": holdout, "tail_weight_holdout": 0.1}
    yield "expect_column_kl_divergence_to_be_less_than", held


def pairs(left, right):
    """Expectations of two columns of numbers."""
    for ignored in ("both_values_are_missing", "either_value_is_missing", "neither"):
        both = {"column_A": left, "column_B": right, "ignore_row_if": ignored}
        yield "expect_column_pair_values_to_be_equal", both
        yield "expect_column_pair_values_a_to_be_greater_than_b", both
        yield "expect_column_pair_values_a_to_be_greater_than_b", {**both, "or_equal": True, "mostly": 0.4}
        yield "expect_column_pair_values_to_be_in_set", {**both, "value_pairs_set": [[1, 1], [2, 3], [3, 2], [4, None]]}
    for ignored in ("all_values_are_missing", "any_value_is_missing", "never"):
        columns = {"column_list": [left, right], "ignore_row_if": ignored}
        yield "expect_multicolumn_sum_to_equal", {**columns, "sum_total": 10}
        yield "expect_select_column_values_to_be_unique_within_record", columns
        # The first is the default.
        columns = columns if ignored != "all_values_are_missing" else {"column_list": [left, right]}
        yield "expect_compound_columns_to_be_unique", columns


def of_table(columns, n_rows):
    """Expectations of a table as a whole."""
    yield "expect_table_row_count_to_equal", {"value": n_rows}
    yield "expect_table_row_count_to_equal", {"value": n_rows + 1}
    yield "expect_table_row_count_to_be_between", {"min_value": 5, "max_value": 150}
    yield "expect_table_row_count_to_be_between", {"max_value": n_rows}
    yield "expect_table_row_count_to_be_between", {"min_value": n_rows + 1}
    yield "expect_table_column_count_to_equal", {"value": len(columns)}
    yield "expect_table_column_count_to_be_between", {"min_value": 1, "max_value": 3}
    yield "expect_table_columns_to_match_ordered_list", {"column_list": columns}
    yield "expect_table_columns_to_match_ordered_list", {"column_list": columns[::-1]}
    yield "expect_table_columns_to_match_set", {"column_set": columns[::-1]}
    yield "expect_table_columns_to_match_set", {"column_set": columns[:2], "exact_match": True}
    yield "expect_table_columns_to_match_set", {"column_set": columns[:2], "exact_match": False}


def filtered(draw):
    """Expectations with conditions, which leave rows out."""
    conditions = ["x > 3", "color == 'red' or color == \"blue\"", "x.notnull() and y != 2", "color not in ['red', 'green']"]
    for condition in conditions:
        shared = {"row_condition": condition, "condition_parser": "pandas"}
        yield "expect_column_values_to_be_between", {"column": "y", "min_value": 2, "max_value": 8, **shared}
        yield "expect_column_values_to_not_be_null", {"column": "color", **shared}
        yield "expect_column_mean_to_be_between", {"column": "y", "min_value": 0, "max_value": 4, **shared}
        yield "expect_column_values_to_be_unique", {"column": "x", **shared}
        yield "expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 20 + draw.randrange(9), **shared}


def random_rows(draw, n_rows, null_share):
    """Rows of whole numbers, decimals and texts, with missing values."""
    def or_null(value):
        return None if draw.random() < null_share else value

    rows = []
    for index in range(n_rows):
        rows.append({
            "id": index,
            "x": or_null(draw.choice([1, 2, 3, 4, 5, 6, 8, 13])),
            "y": or_null(draw.choice([1, 2, 3, 4, 9])),
            "z": or_null(round(draw.gauss(5, 8), 3)),
            "color": or_null(draw.choice(["red", "red", "green", "green", "blue", "Green", "", "7"])),
        })
    return rows


COLUMNS = {"id": "bigint", "x": "bigint", "y": "bigint", "z": "double", "color": "string"}


def general(name, rows, draw):
    """A table of `COLUMNS` with all that can be said of it."""
    known = {column: sorted({row[column] for row in rows if row[column] is not None}) for column in COLUMNS}
    expectations = list(of_table(list(COLUMNS), len(rows)))
    for column in ("x", "z"):
        expectations += numbers(column, draw)
    for column in ("x", "color"):
        expectations += anything(column, known[column] or ([3, 5] if column == "x" else ["red"]))
    expectations += texts("color")
    expectations += pairs("x", "y")
    for ignored in ("all_values_are_missing", "any_value_is_missing", "never"):
        columns = {"column_list": ["x", "y", "id"], "ignore_row_if": ignored}
        expectations.append(("expect_multicolumn_values_to_be_equal", columns))
    expectations += filtered(draw)
    return {"name": name, "columns": COLUMNS, "rows": rows, "expectations": expectations}


def border():
    """Shares of violating rows that are just at `mostly`, on either side."""
    cases = []
    for n_rows, n_bad in [(10, 1), (10, 3), (3, 1), (7, 2), (100, 1), (1000, 1), (30, 9), (49, 1)]:
        rows = [{"v": -1 if index < n_bad else index + 1, "s": None if index < n_bad else "x"} for index in range(n_rows)]
        held = (n_rows - n_bad) / n_rows
        shares = [held, round(held, 2), math.nextafter(held, 0), math.nextafter(held, 1), 1 - n_bad / n_rows]
        expectations = []
        for mostly in dict.fromkeys(shares):
            if 0 < mostly < 1:
                between = {"column": "v", "min_value": 0, "mostly": mostly}
                expectations.append(("expect_column_values_to_be_between", between))
                expectations.append(("expect_column_values_to_not_be_null", {"column": "s", "mostly": mostly}))
        name = f"border_{n_rows}_{n_bad}"
        cases.append({"name": name, "columns": {"v": "bigint", "s": "string"}, "rows": rows, "expectations": expectations})
    return cases


def dates():
    """Instants, and texts that are dates or are not."""
    start = datetime.datetime(2024, 1, 30, 12)
    written = ["2024-02-29", "2023-02-29", "2024-1-5", "31/12/2024", "05/02/2024", "yesterday", None, "2024-12-31"]
    rows = []
    for index in range(40):
        at = None if index % 7 == 3 else (start + datetime.timedelta(days=index * 9 % 31)).isoformat(sep=" ")
        rows.append({"id": index, "at": at, "written": written[index % len(written)]})
    expectations = [
        ("expect_column_values_to_be_between", {"column": "at", "min_value": "2024-02-01", "max_value": "2024-02-20"}),
        ("expect_column_values_to_not_be_null", {"column": "at"}),
        ("expect_column_values_to_be_unique", {"column": "at"}),
        ("expect_column_values_to_be_of_type", {"column": "at", "type_": "datetime64[ns]"}),
        ("expect_column_type_to_be", {"column": "id", "type_": "int64"}),
        ("expect_column_type_to_be", {"column": "id", "type_": "float64"}),
        ("expect_column_values_to_match_strftime_format", {"column": "written", "strftime_format": "%Y-%m-%d"}),
        ("expect_column_values_to_match_strftime_format", {"column": "written", "strftime_format": "%d/%m/%Y"}),
        ("expect_column_values_to_be_dateutil_parseable", {"column": "written"}),
        ("expect_column_min_to_be_between", {"column": "at", "min_value": "2024-01-30T12:00:00"}),
        ("expect_column_max_to_be_between", {"column": "at", "max_value": "2024-02-01T00:00:00"}),
    ]
    columns = {"id": "bigint", "at": "timestamp_ntz", "written": "string"}
    return {"name": "dates", "columns": columns, "rows": rows, "expectations": expectations}


def order(draw):
    """Values in and out of order, with ties and missing ones."""
    rising = sorted(draw.randrange(50) for _ in range(30))
    rows = []
    for index, value in enumerate(rising):
        rows.append({
            "id": index,
            "rising": value,
            "strict": index * 2,
            "wild": draw.randrange(9),
            "holes": None if index % 5 == 2 else value,
        })
    expectations = []
    for column in ("rising", "strict", "wild", "holes"):
        for name in ("increasing", "decreasing"):
            expectations.append((f"expect_column_values_to_be_{name}", {"column": column}))
            expectations.append((f"expect_column_values_to_be_{name}", {"column": column, "strictly": True, "mostly": 0.4}))
    columns = {name: "bigint" for name in ("id", "rising", "strict", "wild", "holes")}
    return {"name": "in_order", "columns": columns, "rows": rows, "expectations": expectations, "order_by": ["id"]}


def not_a_number(draw):
    """NaN beside missing values, and the same rows with NaN as missing values."""
    rows = [{"id": index, "d": draw.choice([1.5, 2.5, 9.0, NAN, None])} for index in range(40)]
    bounds = {"column": "d", "min_value": 2, "max_value": 9}
    expectations = [
        ("expect_column_values_to_be_between", bounds),
        ("expect_column_values_to_be_between", {**bounds, "mostly": 0.6}),
        ("expect_column_values_to_be_in_set", {"column": "d", "value_set": [1.5, 2.5]}),
        ("expect_column_values_to_not_be_null", {"column": "d"}),
        ("expect_column_values_to_be_null", {"column": "d"}),
        ("expect_column_values_to_be_unique", {"column": "d"}),
        ("expect_column_unique_value_count_to_be_between", {"column": "d", "max_value": 3}),
    ]
    for name in ("min", "max", "mean", "median", "sum", "stdev"):
        expectations.append((f"expect_column_{name}_to_be_between", bounds))
    shared = {"columns": {"id": "bigint", "d": "double"}, "expectations": expectations}
    missing = [{**row, "d": None if row["d"] == NAN else row["d"]} for row in rows]
    return [{"name": "not_a_number", "rows": rows, **shared}, {"name": "nan_is_missing", "rows": missing, **shared}]


def mixed():
    """Numbers and texts in one column: Python objects on one side, text on the other."""
    rows = [{"id": index, "m": value} for index, value in enumerate([1, "1", "a", 2.5, None, "a", "b", True])]
    expectations = [
        ("expect_column_values_to_not_be_null", {"column": "m"}),
        ("expect_column_values_to_be_in_set", {"column": "m", "value_set": ["a", "b"]}),
        ("expect_column_values_to_not_be_in_set", {"column": "m", "value_set": ["a"]}),
        ("expect_column_values_to_be_unique", {"column": "m"}),
        ("expect_column_values_to_match_regex", {"column": "m", "regex": "^[a-z]$"}),
        ("expect_column_unique_value_count_to_be_between", {"column": "m", "min_value": 9}),
        ("expect_column_most_common_value_to_be_in_set", {"column": "m", "value_set": ["b"]}),
    ]
    return {"name": "mixed", "columns": {"id": "bigint", "m": "string"}, "rows": rows, "expectations": expectations}


def types():
    """Types by the names of pandas."""
    rows = [{"i": index, "d": index / 2, "s": "x", "b": index % 2 == 0} for index in range(5)]
    expectations = []
    for column, right, wrong in [("i", "int64", "float64"), ("d", "float64", "int64"), ("b", "bool", "str"), ("s", "str", "int")]:
        expectations.append(("expect_column_values_to_be_of_type", {"column": column, "type_": right}))
        expectations.append(("expect_column_values_to_be_of_type", {"column": column, "type_": wrong}))
        expectations.append(("expect_column_values_to_be_in_type_list", {"column": column, "type_list": [wrong, right]}))
    columns = {"i": "bigint", "d": "double", "s": "string", "b": "boolean"}
    return {"name": "types", "columns": columns, "rows": rows, "expectations": expectations}


def in_sql(draw):
    """What the library has for databases only."""
    colors = ["red", "Red", "green", "dark green", "{x}", "50%", None]
    rows = [{"id": index, "x": draw.choice([1, 2, 3, None]), "color": draw.choice(colors)} for index in range(60)]
    expectations = []
    for pattern in ("r%", "%e_n", "%", "_0%"):
        like = {"column": "color", "like_pattern": pattern, "mostly": 0.5}
        expectations.append(("expect_column_values_to_match_like_pattern", like))
        expectations.append(("expect_column_values_to_not_match_like_pattern", {"column": "color", "like_pattern": pattern}))
    for match_on in ("any", "all"):
        listed = {"column": "color", "like_pattern_list": ["%r%", "%n"], "match_on": match_on}
        expectations.append(("expect_column_values_to_match_like_pattern_list", listed))
    listed = {"column": "color", "like_pattern_list": ["r%", "5%"]}
    expectations.append(("expect_column_values_to_not_match_like_pattern_list", listed))
    for table in ("few", "in_sql"):
        expectations.append(("expect_table_row_count_to_equal_other_table", {"other_table_name": table}))
    for query in (
        "SELECT * FROM {batch} WHERE x > 2",
        "SELECT * FROM {batch} WHERE color = '{{x}}'",
        "SELECT * FROM {batch} WHERE x > 3",
        "SELECT color, count(*) AS n FROM {batch} WHERE color IS NOT NULL GROUP BY color HAVING count(*) > 5",
    ):
        expectations.append(("unexpected_rows_expectation", {"unexpected_rows_query": query}))
    columns = {"id": "bigint", "x": "bigint", "color": "string"}
    return {"name": "in_sql", "columns": columns, "rows": rows, "expectations": expectations, "database": True}


def real(root, iris, draw):
    """The flowers of R. A. Fisher, as `specs/iris` has them: bronze with all that can be said, and all with their suites."""
    measures = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    cases = []
    for layer in ("bronze", "silver", "gold"):
        rows = [json.loads(line) for line in (iris / f"{layer}.jsonl").read_text().splitlines()]
        rows = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
        words = {str: "string", float: "double", int: "bigint"}
        columns = {name: words[type(value)] for name, value in rows[0].items()}
        suite = root / f"specs/iris/quality/suites/iris_{layer}_suite.json"
        read = json.loads(suite.read_text())["expectations"]
        entries = [(entry["expectation_type"], entry["kwargs"]) for entry in read]
        cases.append({"name": f"iris_{layer}", "columns": columns, "rows": rows, "expectations": entries})
        cases[-1].update({"suite": str(suite), "parameters": {"least_rows": 100}})
    columns, rows = cases[0]["columns"], cases[0]["rows"]
    expectations = list(of_table(list(columns), len(rows)))
    for measure in measures:
        expectations += numbers(measure, draw)
        expectations += anything(measure, sorted({row[measure] for row in rows if row[measure] is not None}))
    expectations += anything("species", ["setosa", "versicolor", "virginica"])
    expectations += pairs("sepal_length", "petal_length")
    return [{"name": "iris", "columns": columns, "rows": rows, "expectations": expectations}, *cases]


def all_cases(root, iris):
    """Every table with its expectations."""
    draw = random.Random(20260101)
    cases = [general("dense", random_rows(draw, 120, 0.0), draw)]
    cases.append(general("sparse", random_rows(draw, 160, 0.3), draw))
    cases.append(general("few", random_rows(draw, 9, 0.2), draw))
    cases.append(general("single", random_rows(draw, 1, 0.0), draw))
    cases.append(general("empty", [], draw))
    nulls = [{**row, "x": None, "y": None, "z": None, "color": None} for row in random_rows(draw, 12, 0.0)]
    cases.append(general("nulls", nulls, draw))
    cases += border()
    cases += [dates(), order(draw), *not_a_number(draw), mixed(), types(), in_sql(draw)]
    return cases + real(root, iris, draw)


def field(value):
    """A value as a CSV field; a missing one is an empty field without quotes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) and value != NAN else str(value)


def layer(version):
    """The layer of a version's tables."""
    return f"v{version.replace('.', '_')}"


def write_project(folder, cases, versions):
    """A medc project with every case as a table, once for each version's suites."""
    (folder / "suites").mkdir(parents=True)
    (folder / "rows").mkdir()
    tables, contracts = {}, {}
    for case in cases:
        lines = [",".join(case["columns"])]
        lines += [",".join(field(row[name]) for name in case["columns"]) for row in case["rows"]]
        (folder / "rows" / f"{case['name']}.csv").write_text("\n".join(lines) + "\n")
        contracts[case["name"]] = {"columns": {name: {"type": word} for name, word in case["columns"].items()}}
        for version in versions:
            suite = f"suites/{case['name']}_{layer(version)}.json"
            if "suite" in case:
                shutil.copy(case["suite"], folder / suite)
            else:
                (folder / suite).write_text(json.dumps(suite_of(case, version), indent=1))
            use = {"suite": suite, "on_violation": "warn"}
            use.update({key: case[key] for key in ("order_by", "parameters") if key in case})
            tables[f"{layer(version)}.{case['name']}"] = {
                "source": {"format": "csv", "path": f"rows/{case['name']}.csv"},
                "contract": case["name"],
                "expectations": use,
            }
    project = {
        "project": {"name": "parity"},
        "environments": {"local": {"engine": "local", "warehouse": ".medc/warehouse"}},
        "layers": {layer(version): {} for version in versions},
        "tables": tables,
        "contracts": contracts,
    }
    (folder / "medc.yml").write_text(json.dumps(project, indent=1))


ONLY_NEW = {
    "expect_column_type_to_be",
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_values_to_not_be_outliers",
    "expect_multicolumn_values_to_be_equal",
}


def of_version(case, version):
    """The expectations that a version of the library has."""
    return [entry for entry in case["expectations"] if version != "0.18" or entry[0] not in ONLY_NEW]


def suite_of(case, version):
    """A case's suite in a version's form."""
    entries = of_version(case, version)
    if version == "0.18":
        listed = [{"expectation_type": name, "kwargs": kwargs, "meta": {}} for name, kwargs in entries]
        return {"expectation_suite_name": case["name"], "expectations": listed, "meta": {}}
    return {"name": case["name"], "expectations": [{"type": name, "kwargs": kwargs} for name, kwargs in entries], "meta": {}}


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = all_cases(pathlib.Path(__file__).resolve().parents[3], pathlib.Path(sys.argv[2]))
    write_project(folder, cases, ["0.18", "1"])
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
