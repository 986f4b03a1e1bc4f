#!/usr/bin/env python3
"""Writes a medc project of N tables: projects.py N FOLDER [--layout table|layer]

40% cast a raw source, 40% join two earlier tables, 20% aggregate one (every third of these joined with an earlier
aggregate). Each table has a contract of ten columns and one expectation. The raw sources, max(2, N / 50) of them, come on
top. The same N gives the same project. `table` writes one file per table, `layer` one per layer.
"""
import argparse
import os
import shutil

COLUMNS = {"id": "bigint", "k1": "bigint", "k2": "bigint", "ts": "timestamp", "v1": "double", "v2": "double",
           "v3": "double", "v4": "bigint", "v5": "bigint", "name": "string"}

CAST = ("SELECT\n" + "".join(f"  CAST({c} AS {t.upper()}) AS {c},\n" for c, t in COLUMNS.items() if c != "name")
        + "  trim(name) AS name\nFROM {0}\nWHERE id IS NOT NULL")
JOIN = """\
SELECT
  a.id AS id,
  a.k1 AS k1,
  b.k2 AS k2,
  a.ts AS ts,
  a.v1 + b.v1 AS v1,
  a.v2 * b.v2 AS v2,
  coalesce(a.v3, b.v3, 0.0) AS v3,
  a.v4 AS v4,
  b.v5 AS v5,
  CASE WHEN a.v1 > 0.0 THEN upper(a.name) ELSE b.name END AS name
FROM {0} AS a
JOIN {1} AS b ON a.k1 = b.k1"""
AGGREGATE = """\
SELECT
  min(s.id) AS id,
  s.k1 AS k1,
  max(s.k2) AS k2,
  max(s.ts) AS ts,
  sum(s.v1) AS v1,
  avg(s.v2) AS v2,
  max(s.v3) AS v3,
  count(*) AS v4,
  count(DISTINCT s.v5) AS v5,
  max(s.name) AS name
FROM {0} AS s
GROUP BY s.k1"""
AGGREGATE_JOINED = """\
SELECT
  min(s.id) AS id,
  s.k1 AS k1,
  max(g.k2) AS k2,
  max(s.ts) AS ts,
  sum(s.v1) AS v1,
  avg(g.v2) AS v2,
  max(s.v3) AS v3,
  count(*) AS v4,
  max(g.v5) AS v5,
  max(s.name) AS name
FROM {0} AS s
LEFT JOIN {1} AS g ON s.k1 = g.k1
GROUP BY s.k1"""

HEADER = """\
project: {{name: bench_{n}}}
include: ["tables/**/*.yml"]
environments:
  local: {{engine: local, warehouse: .medc/warehouse}}
layers:
  bronze: {{}}
  silver: {{reads: [bronze, silver]}}
  gold: {{reads: [silver, gold]}}
"""


def draws(seed):
    """A linear congruential generator (Numerical Recipes)."""
    state = seed
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state >> 8


def tables(n):
    """The tables in order: (layer, name, query with its inputs in place); raw sources have no query."""
    random = draws(7 + n)
    n_casts = max(1, n * 2 // 5)
    n_joins = max(1, n * 2 // 5)
    n_aggregates = max(1, n - n_casts - n_joins)
    n_sources = max(2, n // 50)
    for i in range(n_sources):
        yield "bronze", f"raw_{i:04d}", None
    for i in range(n_casts):
        yield "bronze", f"brz_{i:05d}", CAST.format(f"bronze.raw_{next(random) % n_sources:04d}")
    for i in range(n_joins):
        left = next(random) % n_casts
        # Mostly two of bronze; every fourth builds on an earlier join.
        if i and i % 4 == 0:
            right = f"silver.slv_{next(random) % i:05d}"
        else:
            right = next(random) % n_casts
            right = f"bronze.brz_{(right + 1) % n_casts if right == left else right:05d}"
        yield "silver", f"slv_{i:05d}", JOIN.format(f"bronze.brz_{left:05d}", right)
    for i in range(n_aggregates):
        source = f"silver.slv_{next(random) % n_joins:05d}"
        if i and i % 3 == 0:
            query = AGGREGATE_JOINED.format(source, f"gold.gld_{next(random) % i:05d}")
        else:
            query = AGGREGATE.format(source)
        yield "gold", f"gld_{i:05d}", query


def table_text(layer, name, query):
    if query is None:
        return f"  {layer}.{name}:\n    source: {{format: csv, path: data/{name}.csv}}\n    contract: {name}\n"
    lines = "".join(f"      {line}\n" for line in query.splitlines())
    return f"  {layer}.{name}:\n    description: table {name}\n    contract: {name}\n    sql: |\n{lines}"


def contract_text(name, query):
    columns = []
    for column, kind in COLUMNS.items():
        if query is None:
            columns.append(f"      {column}: {{type: string}}\n")
        else:
            expect = ", expect: [not_null]" if column == "id" else ""
            columns.append(f"      {column}: {{type: {kind}, description: column {column}{expect}}}\n")
    return f"  {name}:\n    columns:\n{''.join(columns)}"


def write(n, folder, layout="table"):
    """Writes the project and returns its number of tables, with the raw sources."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "medc.yml"), "w") as file:
        file.write(HEADER.format(n=n))
    files = {}
    n_tables = 0
    for layer, name, query in tables(n):
        path = f"tables/{layer}.yml" if layout == "layer" else f"tables/{layer}/{name}.yml"
        below_tables, below_contracts = files.setdefault(path, ([], []))
        below_tables.append(table_text(layer, name, query))
        below_contracts.append(contract_text(name, query))
        n_tables += 1
    for path, (below_tables, below_contracts) in files.items():
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("tables:\n" + "".join(below_tables) + "contracts:\n" + "".join(below_contracts))
    return n_tables


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int)
    parser.add_argument("folder")
    parser.add_argument("--layout", choices=("table", "layer"), default="table")
    arguments = parser.parse_args()
    print(f"{write(arguments.n, arguments.folder, arguments.layout)} tables in {arguments.folder}")
