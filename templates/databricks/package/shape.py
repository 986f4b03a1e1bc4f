"""Which columns a table has, and which its quarantine keeps."""

from __future__ import annotations

from pyspark.sql import DataFrame

from . import contract, observed, quarantine
from .files import Files, SourceError
from .run import Run, quoted
from .table import Cast, Table


def own_columns(table: Table, rows: DataFrame) -> list[str]:
    """The table's columns in order."""
    return table.own_columns or observed.visible(rows)


def kept_columns(run: Run, table: Table, rows: DataFrame) -> list[str]:
    """The columns of the quarantine: the table's own, and those of what it is made from."""
    own = own_columns(table, rows)
    if isinstance(table.rows, Cast):
        return quarantine.union(own, run.spark.table(run.name(table.rows.table)).columns)
    if isinstance(table.rows, Files):
        shape = ["_row"] if table.rows.on_ragged_row == "quarantine" else []
        return quarantine.union(own, ["_source_file", "_source_line", *shape])
    return quarantine.union(own, [])


def finished(run: Run, table: Table, rows: DataFrame) -> DataFrame:
    """The table's columns in order and in their types; behind them, where rows may be set aside, all others, or what orders them."""
    known = {name.lower(): name for name in rows.columns}
    promised = contract.types(run.spark, table.contract) if table.contract else {}
    types = {field.name.lower(): field.dataType for field in rows.schema.fields}
    columns = []
    own = [name.lower() for name in own_columns(table, rows)]
    for name in own:
        if name not in known:
            raise SourceError(f"the rows of `{table.name}` lack its column `{name}`")
        value = rows[quoted(known[name])]
        if name in promised and promised[name].simpleString() != types[name].simpleString():
            value = value.cast(promised[name])
        columns.append(value.alias(name))
    others = [name for name in rows.columns if name.lower() not in own]
    if not table.quarantines:
        others = [name for name in others if name in table.write.sequence_by]
    return rows.select(*columns, *(rows[quoted(name)] for name in others))
