"""Every table as its notebook declares it: all are built one behind the other, of no rows.

Types, names and statements are tried, values are not: checks warn where they would stop. Rows of your own that stand for the real
ones, with what must become of them, belong into tests beside this one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conftest import write_empty
from package import Files, Run, Table, build


def test_every_table_is_built_as_it_is_declared(run: Run, tables: dict[str, Table], tmp_path: Path) -> None:
    for name, table in tables.items():
        table = replace(table, checks=[replace(check, on_violation="warn") for check in table.checks])
        if isinstance(table.rows, Files):
            run = replace(run, path=write_empty(run.spark, table, table.rows, tmp_path))
        build(table, run)
        built = run.spark.table(run.name(name))
        assert built.count() == 0 or not isinstance(table.rows, Files), name
        if table.own_columns is not None:
            assert [column.lower() for column in built.columns] == [one.lower() for one in table.own_columns], name
        for column in table.contract.columns if table.contract else []:
            promised = run.spark.createDataFrame([], f"`{column.name}` {column.data_type}").schema[0].dataType
            assert built.schema[column.name].dataType == promised, f"{name}.{column.name}"
