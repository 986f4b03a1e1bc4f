#!/usr/bin/env python3
"""Opens every Delta table below a folder with deltalake, polars and DuckDB: read_delta.py WAREHOUSE

Prints each table's version, row count and schema. Exits with 1 if a table cannot be opened, if the three readers disagree
on its rows or columns, or if there is no table.
"""
import os
import sys

import duckdb
import polars
from deltalake import DeltaTable


def find_tables(folder):
    """Paths of folders with a Delta log, sorted."""
    return sorted(path for path, folders, _ in os.walk(folder) if "_delta_log" in folders)


def counts(path):
    """The rows and column names that each reader sees."""
    table = DeltaTable(path)
    lazy = polars.scan_delta(path)
    seen = {"polars": (lazy.select(polars.len()).collect().item(), lazy.collect_schema().names())}
    connection = duckdb.connect()
    connection.register("rows", table.to_pyarrow_dataset())
    names = [column[0] for column in connection.execute("DESCRIBE rows").fetchall()]
    seen["duckdb"] = (connection.execute("SELECT count(*) FROM rows").fetchall()[0][0], names)
    seen["deltalake"] = (table.to_pyarrow_dataset().count_rows(), [field.name for field in table.schema().fields])
    return table, seen


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    paths = find_tables(sys.argv[1])
    n_failed = 0
    for path in paths:
        name = ".".join(os.path.relpath(path, sys.argv[1]).split(os.sep))
        try:
            table, seen = counts(path)
        except Exception as error:  # whatever a reader refuses is what is tested
            n_failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {error}")
            continue
        if any(value != seen["deltalake"] for value in seen.values()):
            n_failed += 1
            print(f"FAIL {name}: readers disagree: {seen}")
            continue
        print(f"ok   {name}: version {table.version()}, {seen['deltalake'][0]} rows")
        for field in table.schema().fields:
            kind = field.type.type if hasattr(field.type, "type") else field.type
            print(f"       {field.name} {kind}{'' if field.nullable else ' not null'}")
    print(f"{len(paths) - n_failed} passed, {n_failed} failed")
    sys.exit(1 if n_failed or not paths else 0)


if __name__ == "__main__":
    main()
