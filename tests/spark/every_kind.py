"""A project with every kind of expectation, on rows with all that is nasty: NULLs, NaN, infinities, repeats, extremes.

In: a folder. Out: `medc.yml` and its data there. `silver.warned` only records, `silver.split` takes rows out,
`silver.empty` and `silver.nulls` have no rows, or NULLs alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

COLUMNS = {
    "row": "int",
    "id": "bigint",
    "code": "string",
    "x": "double",
    "f": "float",
    "d": "decimal(18,2)",
    "big": "decimal(38,0)",
    "n": "int",
    "flag": "boolean",
    "day": "date",
    "at": "timestamp",
    "wall": "timestamp_ntz",
    "tags": "array<string>",
    "address": "struct<street:string,n:int>",
    "labels": "map<string,double>",
    "texts": "string",
    "Mixed": "string",
}

KNOWN = "number,code,x,label\n" + "".join(f"{n},{'abcde'[n % 5]},{n * 1.5},l{n % 3}\n" for n in range(1, 31))


def rows() -> list[dict[str, Any]]:
    """Sixty rows."""
    found = []
    odd = ["NaN", "Infinity", "-Infinity", "-1.0", "0.0", "1e308", "5e-324", "NaN", "0.1"]
    texts = [
        '{"a": 1}',
        "[1,",
        "2024-02-30",
        "2024-02-29",
        "31/12/2023",
        "12.50",
        "1e3",
        " 7 ",
        "",
        "ä€😀",
        'q"\\\n',
        "null",
    ]
    for row in range(60):
        nothing = row % 7 == 3
        found.append(
            {
                "row": row,
                "id": None if row in (11, 12) else row // 2 if row > 50 else row,
                "code": None if nothing else "abcdez"[row * row % 6],
                "x": odd[row % len(odd)] if row < 18 else None if nothing else row * 0.7 - 10,
                "f": None if nothing else [0.1, "NaN", 16777216.0, 1e-7, 2.5][row % 5],
                "d": None if row % 10 == 9 else f"{(row * 37) % 100 - 20}.{row:02}",
                "big": None if nothing else str((-1) ** row * 10 ** (row % 37)),
                "n": None if nothing else row % 10,
                "flag": [True, False, None][row % 3],
                "day": None if nothing else f"20{row % 30:02}-0{row % 9 + 1}-1{row % 10}",
                "at": None
                if nothing
                else f"20{row % 30:02}-03-31T02:30:{row % 60:02}.{row:03}{'00' if row % 2 else '7'}Z",
                "wall": None if nothing else f"1969-12-{row % 30 + 1:02} 23:59:59.{row % 4}",
                "tags": [None, [], ["a", None], ["x", "y, z"]][row % 4],
                "address": None if nothing else {"street": ["Rua", None][row % 2], "n": row},
                "labels": [None, {}, {"k": 1.5}, {"k": None}][row % 4],
                "texts": None if nothing else texts[row % len(texts)],
                "Mixed": f"M{row % 4}",
            }
        )
    return found


def of_values() -> list[dict[str, dict[str, Any]]]:
    """Expectations of single rows."""
    return [
        {"not_null": {"column": "code"}},
        {"is_null": {"column": "code"}},
        {"not_null": {"column": "x", "mostly": 0.9}},
        {"accepted_values": {"values": ["a", "b", "c"], "column": "code"}},
        {"accepted_values": {"values": [1, 2, 3], "column": "n", "mostly": 0.3}},
        {"accepted_values": {"values": [True], "column": "flag"}},
        {"not_in": {"values": ["z"], "column": "code", "severity": "info"}},
        {"not_in": {"values": ["2003-04-13"], "column": "day"}},
        {"between": {"min": 0, "max": 20, "column": "x"}},
        {"between": {"min": -0.5, "exclusive_min": True, "column": "d"}},
        {"between": {"max": 2, "column": "f"}},
        {"between": {"min": "2001-01-01", "max": "2020-12-31", "column": "day"}},
        {"between": {"min": "2005-03-31T02:30:05.005Z", "column": "at"}},
        {"between": {"max": "1969-12-15 23:59:59.1", "column": "wall"}},
        {"between": {"min": "b", "max": "d", "column": "code"}},
        {"between": {"min": 0, "column": "big", "where": "n > 4 AND flag"}},
        {"greater_than": {"value": 0, "column": "x"}},
        {"less_than": {"value": 50, "or_equal": True, "column": "d"}},
        {"matches": {"regex": "^[a-c]$", "column": "code"}},
        {"matches": {"any_of": ["a", "€", "\\d{4}-\\d{2}"], "column": "texts"}},
        {"not_matches": {"regex": "\\s", "column": "texts"}},
        {"like": {"pattern": "%2%", "column": "texts"}},
        {"not_like": {"pattern": "M1", "column": "Mixed"}},
        {"length": {"min": 1, "max": 5, "column": "texts"}},
        {"date_parseable": {"column": "texts"}},
        {"date_parseable": {"format": "dd/MM/yyyy", "column": "texts"}},
        {"json_parseable": {"column": "texts"}},
        {"numeric_parseable": {"type": "decimal(18,2)", "column": "texts"}},
        {"numeric_parseable": {"type": "double", "column": "texts"}},
        {"columns_equal": {"columns": ["row", "id"]}},
        {"column_greater": {"column": "row", "than": "id", "or_equal": True, "ignore_row_if": "any_null"}},
        {"column_greater": {"column": "row", "than": "n"}},
        {"column_pair_in": {"columns": ["code", "n"], "pairs": [["a", 0], ["b", None], [None, 3], ["c", 4]]}},
        {"columns_distinct": {"columns": ["row", "id", "n"], "ignore_row_if": "never"}},
        {"columns_sum": {"columns": ["row", "n"], "equal": 10}},
        {"expression": {"sql": "x < n -- a comment"}},
        {"expression": {"sql": "array_contains(tags, 'x') AND address.n >= 0", "where": "row % 2 = 0"}},
        {"expression": {"sql": "1 / (n - 5) < 1", "where": "n <> 5"}},
    ]


def of_several() -> list[dict[str, dict[str, Any]]]:
    """Expectations of rows that look at other rows."""
    return [
        {"unique": {"columns": ["id"]}},
        {"unique": {"columns": ["x"]}},
        {"unique": {"columns": ["code", "n", "Mixed"], "mostly": 0.8}},
        {"unique": {"columns": ["d"], "where": "d > 0"}},
        {"references": {"table": "bronze.known", "columns": {"id": "number"}}},
        {"references": {"table": "bronze.known", "columns": {"id": "number", "code": "code"}, "where": "n > 2"}},
        {"references": {"table": "bronze.known", "columns": {"code": "code"}, "mostly": 0.5}},
        {"increasing": {"column": "id", "order_by": ["row"]}},
        {"decreasing": {"column": "d", "order_by": ["row"], "where": "code = 'a'"}},
        {"increasing": {"column": "day", "order_by": ["row"], "strictly": True}},
        {"outliers": {"column": "x", "threshold": 1.5, "where": "abs(x) < 1000000000"}},
        {"outliers": {"column": "d", "threshold": 1, "double_sided": False}},
        {"outliers": {"column": "n", "method": "iqr", "threshold": 0.1}},
    ]


def of_table() -> list[dict[str, dict[str, Any]]]:
    """Expectations of the table as a whole, and of groups."""
    known: dict[str, Any] = {"reference": {"table": "bronze.known", "column": "x"}}
    codes: dict[str, Any] = {"reference": {"table": "bronze.known", "column": "code"}}
    shares: dict[str, Any] = {"reference": {"categories": {"a": 0.4, "b": 0.3, "c": 0.3}}}
    bins: dict[str, Any] = {"reference": {"edges": [-10, 0, 10.5, 30], "shares": [0.3, 0.0, 0.5], "above": 0.2}}
    inner: dict[str, Any] = {"reference": {"edges": [-10, 0, 10.5, 30], "shares": [0.4, 0.0, 0.6]}}
    return [
        {"row_count": {"between": [1, 59]}},
        {"row_count": {"equal": 60}},
        {"row_count": {"equal_to": "bronze.known"}},
        {"row_count": {"between": [5, 9], "group_by": ["code"]}},
        {"row_count": {"between": [2, 9], "group_by": ["Mixed", "flag"], "where": "n > 1"}},
        {"distinct_count": {"max": 3, "column": "code"}},
        {"distinct_count": {"max": 3, "column": "x"}},
        {"distinct_values": {"equal": ["a", "b"], "column": "code"}},
        {"distinct_values": {"within": {"table": "bronze.known", "column": "code"}, "column": "code"}},
        {"distinct_values": {"contain": [1.5, 0], "column": "x", "where": "abs(x) < 3"}},
        {"distinct_values": {"contain": ["2003-04-13"], "column": "day"}},
        {"distinct_values": {"contain": ["2003-03-31T02:30:03Z"], "column": "at", "where": "row < 5"}},
        {"min": {"min": 0, "column": "x"}},
        {"max": {"max": 0, "column": "x"}},
        {"max": {"max": 0, "column": "f"}},
        {"min": {"min": -5, "column": "d"}},
        {"max": {"max": 5, "column": "big"}},
        {"min": {"min": "2001-01-01", "column": "day"}},
        {"max": {"max": "2020-01-01T00:00:00Z", "column": "at"}},
        {"min": {"min": "1969-12-02 00:00:00", "column": "wall"}},
        {"max": {"max": "d", "column": "code"}},
        {"mean": {"min": 0, "column": "d", "where": "row < 8"}},
        {"mean": {"min": 0, "column": "x", "where": "abs(x) < 1000000000"}},
        {"mean": {"min": 0, "column": "n", "group_by": ["code"]}},
        {"median": {"min": 0, "column": "d"}},
        {"median": {"min": 0, "column": "x"}},
        {"stdev": {"max": 1, "column": "x", "where": "abs(x) < 1000000000"}},
        {"stdev": {"max": 1, "column": "d"}},
        {"stdev": {"max": 1, "column": "n", "group_by": ["code", "flag"]}},
        {"sum": {"max": 0, "column": "d"}},
        {"sum": {"max": 0, "column": "n"}},
        {"sum": {"max": 0, "column": "x", "where": "abs(x) < 1000000000"}},
        {"sum": {"max": 100, "column": "f", "where": "f < 10"}},
        {"quantile": {"at": 0.9, "max": 0, "column": "x", "where": "abs(x) < 1000000000"}},
        {"quantile": {"at": 0.5, "max": 0, "column": "d", "interpolation": "nearest"}},
        {"quantile": {"at": 0.25, "max": 3, "column": "n", "group_by": ["code"]}},
        {"unique_share": {"min": 0.9, "column": "id"}},
        {"unique_share": {"min": 0.9, "column": "x"}},
        {"non_null_share": {"min": 0.9, "column": "code"}},
        {"most_common": {"values": ["a"], "column": "code"}},
        {"most_common": {"values": ["a", "b"], "ties_okay": True, "column": "code", "group_by": ["flag"]}},
        {"most_common": {"values": [1], "column": "n"}},
        {"freshness": {"within": "36500d", "column": "at"}},
        {"freshness": {"within": "1h", "column": "day"}},
        {"volume": {"runs": 3}},
        {"columns": {"set": ["row", "mixed"], "exact": False}},
        {"columns": {"set": ["row", "id"], "exact": True}},
        {"column_exists": {"column": "X"}},
        {"column_count": {"between": [1, 3]}},
        {"of_type": {"types": ["decimal(18,2)"], "column": "d"}},
        {"of_type": {"types": ["int"], "column": "address"}},
        {"query": {"sql": "SELECT code, count(*) AS Many FROM silver.TABLE GROUP BY code HAVING count(*) > 3"}},
        {"query": {"sql": "SELECT t.row, k.label FROM silver.TABLE AS t JOIN bronze.known AS k ON t.id = k.number", "where": "n = 3"}},
        {"distribution": {"measure": "ks", **known, "column": "x", "at_most": 0.1, "where": "abs(x) < 1000000000"}},
        {"distribution": {"measure": "ks", **known, "column": "d", "p_value_at_least": 0.05}},
        {"distribution": {"measure": "ks", **known, "column": "x"}},
        {"distribution": {"measure": "psi", **known, "column": "d"}},
        {"distribution": {"measure": "psi", **known, "column": "x", "bins": 4}},
        {"distribution": {"measure": "jensen_shannon", **known, "column": "d"}},
        {"distribution": {"measure": "jensen_shannon", **known, "column": "x"}},
        {"distribution": {"measure": "kl_divergence", **known, "column": "d", "tail_holdout": 0.1}},
        {"distribution": {"measure": "chi_squared", **codes, "column": "code"}},
        {"distribution": {"measure": "chi_squared", **known, "column": "x", "at_most": 3}},
        {"distribution": {"measure": "psi", **codes, "column": "code"}},
        {"distribution": {"measure": "jensen_shannon", **codes, "column": "code"}},
        {"distribution": {"measure": "kl_divergence", **codes, "column": "code", "tail_holdout": 0.01}},
        {"distribution": {"measure": "psi", **shares, "column": "code"}},
        {"distribution": {"measure": "chi_squared", **shares, "column": "code", "where": "code < 'd'"}},
        {"distribution": {"measure": "jensen_shannon", **shares, "column": "code"}},
        {"distribution": {"measure": "kl_divergence", **shares, "column": "code", "tail_holdout": 0.05}},
        {"distribution": {"measure": "psi", "reference": {"categories": {"true": 0.5, "false": 0.5}}, "column": "flag"}},
        {"distribution": {"measure": "psi", "reference": {"categories": {"0.1": 0.5, "2.5": 0.5}}, "column": "f"}},
        {"distribution": {"measure": "psi", **bins, "column": "d"}},
        {"distribution": {"measure": "jensen_shannon", **bins, "column": "x"}},
        {"distribution": {"measure": "kl_divergence", **inner, "column": "d", "tail_holdout": 0.1, "internal_holdout": 0.05}},
    ]  # fmt: skip


def _with(options: dict[str, Any], expectations: list[dict[str, dict[str, Any]]]) -> list[dict[str, dict[str, Any]]]:
    return [{kind: {**body, **options} for kind, body in one.items()} for one in expectations]


def _of(table: str, expectations: list[dict[str, dict[str, Any]]]) -> list[dict[str, dict[str, Any]]]:
    return list(json.loads(json.dumps(expectations).replace("silver.TABLE", table)))


def write(folder: Path) -> None:
    """Writes the project."""
    warned = _with({"on_violation": "warn"}, of_values() + of_several() + of_table())
    taking = [
        {"between": {"min": 0, "column": "d", "on_violation": "quarantine"}},
        {"expression": {"sql": "n <> 4", "on_violation": "drop"}},
        {"unique": {"columns": ["id"], "on_violation": "quarantine"}},
        {"unique": {"columns": ["x"], "on_violation": "quarantine", "where": "code = 'a'"}},
        {"references": {"table": "bronze.known", "columns": {"code": "code"}, "on_violation": "quarantine"}},
        {"references": {"table": "bronze.known", "columns": {"id": "number"}, "on_violation": "drop", "where": "id > 40"}},
        {"increasing": {"column": "d", "order_by": ["row"], "on_violation": "quarantine", "where": "code = 'b'"}},
        {"outliers": {"column": "n", "method": "iqr", "threshold": 0.1, "on_violation": "quarantine", "mostly": 0.1}},
        {"between": {"max": 40, "column": "x", "on_violation": "drop", "mostly": 0.05}},
    ]  # fmt: skip
    expect = {
        "silver.warned": ("SELECT * FROM bronze.rows", warned),
        "silver.empty": ("SELECT * FROM bronze.rows WHERE row < 0", warned),
        "silver.nulls": (nulls("bronze.rows"), warned),
        "silver.split": ("SELECT * FROM bronze.rows", taking + warned),
    }
    tables: dict[str, Any] = {
        "bronze.rows": {"source": {"format": "json", "path": "data/rows.json"}, "contract": "rows"},
        "bronze.known": {"source": {"format": "csv", "path": "data/known.csv"}, "contract": "known"},
    }
    for name, (sql, expectations) in expect.items():
        tables[name] = {"sql": sql, "contract": "rows", "expect": _of(name, expectations)}
    project = {
        "project": {"name": "every_kind"},
        "environments": {
            "local": {"default": True, "engine": "local", "warehouse": ".medc/warehouse"},
            "prod": {
                "engine": "databricks",
                "catalog": "lake",
                "workspace": {"host": "https://example.invalid"},
                "tables": {
                    f"bronze.{name}": {"source": {"path": f"/Volumes/lake/raw/{name}"}} for name in ("rows", "known")
                },
            },
        },
        "layers": {"bronze": {}, "silver": {}},
        "tables": tables,
        "contracts": {
            "rows": {"columns": {name: {"type": data_type} for name, data_type in COLUMNS.items()}},
            "known": {
                "columns": {
                    "number": {"type": "int"},
                    "code": {"type": "string"},
                    "x": {"type": "double"},
                    "label": {"type": "string"},
                }
            },
        },
    }
    (folder / "data").mkdir(parents=True)
    (folder / "medc.yml").write_text(json.dumps(project, indent=1, ensure_ascii=False))
    (folder / "data/known.csv").write_text(KNOWN)
    (folder / "data/rows.json").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()))


def nulls(rows: str) -> str:
    """A query for rows of NULLs alone, but for their numbers."""
    columns = ", ".join("row" if name == "row" else f"CASE WHEN row < 0 THEN {name} END AS {name}" for name in COLUMNS)
    return f"SELECT {columns} FROM {rows} WHERE row < 5"
