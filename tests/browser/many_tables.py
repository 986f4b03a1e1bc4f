"""Writes a project of many tables, each with ten expectations, some of them broken: `many_tables.py FOLDER N`."""

import sys
from pathlib import Path

EXPECT = """\
      a: {type: bigint, expect: [not_null, {between: {min: 0}}, {between: {max: 5, on_violation: warn}}]}
      b: {type: string, expect: [not_null, {accepted_values: {values: [x, y, z]}}, {matches: {regex: '^[a-z]$'}}]}
      c: {type: double, expect: [not_null, {between: {min: 0}}]}
    expect:
      - row_count: {between: [1, 100]}
      - expression: a >= 0
"""


def main(folder: Path, n_tables: int) -> None:
    folder.mkdir(parents=True)
    (folder / "rows.csv").write_text("a,b,c\n" + "".join(f"{n},{'xyz'[n % 3]},{n / 7}\n" for n in range(7)))
    tables = ["  bronze.source: {source: {format: csv, path: rows.csv}, contract: numbers}"]
    per_layer = (n_tables - 1) // 2
    tables += [f"  silver.t{n:04}: {{from: bronze.source, contract: numbers}}" for n in range(per_layer)]
    tables += [
        f"  gold.t{n:04}: {{from: silver.t{n % per_layer:04}, contract: numbers}}" for n in range(n_tables - 1 - per_layer)
    ]
    (folder / "medc.yml").write_text(
        "project: {name: many}\n"
        "environments: {local: {engine: local, warehouse: .medc/warehouse}}\n"
        "layers: {bronze: {}, silver: {reads: [bronze, silver]}, gold: {reads: [silver, gold]}}\n"
        "contracts:\n  numbers:\n    columns:\n" + EXPECT + "tables:\n" + "\n".join(tables) + "\n"
    )


main(Path(sys.argv[1]), int(sys.argv[2]))
