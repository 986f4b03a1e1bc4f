"""Rows on their way into a table: staged where nobody looks, then published in one commit.

In: judged rows. Out: the table's next version. `overwrite` replaces all rows and keeps the table's properties and constraints,
`append` adds the rows of new files, `merge` updates rows with a known key, `view` stores nothing. Rows that are read more
than once are staged in a table of its own beside it, so that what was judged is what is published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row
from pyspark.sql import types as T

from . import files
from .files import Files
from .run import Run, quoted, temporary
from .statements import literal, literal_names
from .table import Table


class PublishError(Exception):
    """The rows cannot be published in this table."""


def create(run: Run, table: Table) -> None:
    """Makes the table, if it is not there and its columns are known."""
    if table.ddl is not None and table.write.mode != "view":
        # Open-source Delta partitions a table by what it should cluster it by where the name is an IDENTIFIER.
        run.spark.sql(literal_names(run, run.text(table.ddl)))


class Stage:
    """Tables for one run's rows, removed in the end."""

    def __init__(self, run: Run, table: Table) -> None:
        self.run, self.table = run, table
        self.names: list[str] = []

    def __call__(self, rows: DataFrame) -> DataFrame:
        """Stores rows and reads them back."""
        layer, _, table = self.table.name.partition(".")
        name = f"{self.run.schema(layer)}.{quoted(plain(f'_stage_{table}_{self.run.run_id}_{len(self.names)}'))}"
        self.names.append(name)
        rows.write.format("delta").mode("overwrite").saveAsTable(name)
        return self.run.spark.table(name)

    def remove(self) -> None:
        for name in self.names:
            self.run.spark.sql(f"DROP TABLE IF EXISTS {name}")


@contextmanager
def staging(run: Run, table: Table) -> Iterator[Stage]:
    """A stage for the time of a run."""
    stage = Stage(run, table)
    try:
        yield stage
    finally:
        stage.remove()


class Landing:
    """The rows of files that were read but not yet published.

    A stream, or `COPY INTO`, remembers which files it has read and puts their rows here; they are removed once they are published.
    So a file whose rows break an expectation is tried again by the next run, and none is published twice: the table's commit
    says which version of the landing it is made of.
    """

    def __init__(self, run: Run, table: Table, source: Files) -> None:
        self.run, self.table, self.source = run, table, source
        self.layer, _, name = table.name.partition(".")
        self.key = plain(f"_landing_{name}")
        self.name = f"{run.schema(self.layer)}.{quoted(self.key)}"
        self.version = -1

    def fill(self, columns: list[str] | None) -> DataFrame:
        """Adds the rows of new files to those that are there; all of them, as `files.parsed` gives them."""
        self._forget_published()
        path = files.location(self.run)
        names = files.header(self.run.spark, self.source, path, columns)
        if self.source.method == "copy_into":
            self._copy(path, names)
        else:
            self._stream(path, names)
        self.version = self._newest()
        rows = self.run.spark.read.option("versionAsOf", self.version).table(self.name)
        return files.parsed(rows, self.source, columns or names)

    def _stream(self, path: str, names: list[str]) -> None:
        spark, checkpoints = self.run.spark, self.run.checkpoints
        if checkpoints is None:
            spark.sql(f"CREATE VOLUME IF NOT EXISTS {self.run.schema(self.layer)}.`_checkpoints`")
            schema = self.run.schemas.get(self.layer, self.layer)
            checkpoints = f"/Volumes/{self.run.catalog}/{schema}/_checkpoints"
        rows = files.new_rows(spark, self.source, path, names)
        stream = rows.writeStream.format("delta").option("checkpointLocation", f"{checkpoints}/{self.key}")
        stream.trigger(availableNow=True).toTable(self.name).awaitTermination()

    def _copy(self, path: str, names: list[str]) -> None:
        form, options = copy_options(self.source)
        # Of JSON, lines: what is in them is found out later, as in all ways to read it.
        read = {name: quoted(name) for name in (*names, files.WRONG)} if form == "CSV" else {files.LINE: "value"}
        columns = ", ".join(f"{quoted(name)} STRING" for name in (*read, files.FILE))
        self.run.spark.sql(f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}) USING DELTA")
        given = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in options.items())
        chosen = ", ".join(f"{value} AS {quoted(name)}" for name, value in read.items())
        self.run.spark.sql(
            f"COPY INTO {self.name}\n"
            f"FROM (SELECT {chosen}, _metadata.file_path AS {files.FILE} FROM {literal(path)})\n"
            f"FILEFORMAT = {form}\nFORMAT_OPTIONS ({given})"
        )

    def _newest(self) -> int:
        history = self.run.spark.sql(f"DESCRIBE HISTORY {self.name} LIMIT 1")
        return int(history.select("version").collect()[0][0])

    def stamp(self) -> str:
        """Which rows a commit is made of."""
        return f"medc {self.key} {self.version}"

    def _forget_published(self) -> None:
        """Empties the landing when a run published its rows and was stopped before it could."""
        if not self.run.spark.catalog.tableExists(self.name) or not self.run.exists(self.table.name):
            return
        self.version = self._newest()
        history = self.run.spark.sql(f"DESCRIBE HISTORY {self.run.name(self.table.name)}")
        if history.filter(history["userMetadata"] == self.stamp()).limit(1).collect():
            self.empty()

    def empty(self) -> None:
        """Removes the rows, which are published."""
        self.run.spark.sql(f"DELETE FROM {self.name}")


def copy_options(source: Files) -> tuple[str, dict[str, str]]:
    """How `COPY INTO` names a format and its options."""
    if source.format == "json":
        return "TEXT", {"lineSep": "\n"}
    if source.format != "csv":
        raise PublishError(f"`{source.format}` files are read by `auto_loader` or `spark`, not by `copy_into`")
    return "CSV", files.delimited_options(source)


def plain(name: str) -> str:
    """A name of letters, digits and underscores."""
    return re.sub(r"\W", "_", name)


def publish(run: Run, table: Table, rows: DataFrame, landing: Landing | None) -> None:
    """Makes the rows part of the table, in one commit."""
    if table.write.mode == "view":
        _view(run, table)
        return
    if not run.exists(table.name):
        # Empty first: a commit that makes a table does not remember what its rows are made of.
        rows.limit(0).write.format("delta").saveAsTable(run.name(table.name))
    _release(run, table)
    if table.write.mode == "append":
        _conform(run, table, rows)
        stamp = landing.stamp() if landing else ""
        rows.write.format("delta").option("userMetadata", stamp).mode("append").saveAsTable(run.name(table.name))
    elif table.write.mode == "merge":
        _conform(run, table, rows)
        _merge(run, table, rows)
    else:
        _overwrite(run, table, rows)
        _cluster(run, table)
    _declare(run, table)


def _overwrite(run: Run, table: Table, rows: DataFrame) -> None:
    name = run.name(table.name)
    if _differs(run.spark.table(name), rows):
        # The declared columns are others: the table becomes what its definition says now.
        for constraint in _stored_constraints(_detail(run, table)):
            run.spark.sql(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {quoted(constraint)}")
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").saveAsTable(name)
        return
    view = temporary(table.name, "rows")
    rows.createOrReplaceTempView(view)
    run.spark.sql(f"INSERT OVERWRITE {name} BY NAME SELECT * FROM {view}")


def _cluster(run: Run, table: Table) -> None:
    """Clusters the table as declared, where it is not: open-source Delta forgets it when all rows are replaced."""
    name, wanted = run.name(table.name), [column.lower() for column in table.write.cluster_by]
    if not wanted or table.write.partition_by:
        return
    detail = run.spark.sql(f"DESCRIBE DETAIL {name}").select("clusteringColumns").collect()[0][0]
    if [column.lower() for column in detail or []] != wanted:
        run.spark.sql(f"ALTER TABLE {name} CLUSTER BY ({', '.join(map(quoted, wanted))})")


def _stored_constraints(detail: Row) -> list[str]:
    """The names of the constraints that expectations became."""
    prefix = "delta.constraints."
    names = (key.removeprefix(prefix) for key in detail["properties"] if key.startswith(prefix))
    return [name for name in names if name.startswith("medc_")]


def _release(run: Run, table: Table) -> None:
    """Drops the constraints that are declared no longer, before rows come that may break them."""
    name = run.name(table.name)
    for constraint in _stored_constraints(_detail(run, table)):
        if constraint not in table.constraints:
            run.spark.sql(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {quoted(constraint)}")


def _detail(run: Run, table: Table) -> Row:
    return run.spark.sql(f"DESCRIBE DETAIL {run.name(table.name)}").collect()[0]


def _declare(run: Run, table: Table) -> None:
    """Says of the table what the project says of it, where it does not stand there yet."""
    name, stored = run.name(table.name), _detail(run, table)
    if table.description and stored["description"] != table.description:
        run.spark.sql(f"COMMENT ON TABLE {name} IS {literal(table.description)}")
    comments = {column.name.lower(): column.comment for column in table.contract.columns} if table.contract else {}
    for field in run.spark.table(name).schema.fields:
        comment = comments.get(field.name.lower())
        if comment and field.metadata.get("comment") != comment:
            run.spark.sql(f"ALTER TABLE {name} ALTER COLUMN {quoted(field.name)} COMMENT {literal(comment)}")
    wanted = {key: value for key, value in table.own_properties.items() if stored["properties"].get(key) != value}
    if wanted:
        pairs = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in wanted.items())
        run.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pairs})")
    known = _stored_constraints(stored)
    for constraint, condition in table.constraints.items():
        if constraint not in known:
            _constrain(run, name, constraint, condition)


def _constrain(run: Run, name: str, constraint: str, condition: str) -> None:
    """Adds a constraint, unless rows that came before the expectation break it."""
    try:
        run.spark.sql(f"ALTER TABLE {name} ADD CONSTRAINT {quoted(constraint)} CHECK ({condition})")
    except PySparkException as error:
        if "NEW_CHECK_CONSTRAINT_VIOLATION" not in str(error):
            raise
        print(f"{name} has rows from before that break {constraint}: it gets no such constraint")


def _merge(run: Run, table: Table, rows: DataFrame) -> None:
    keys = list(table.write.keys)
    given = " AND ".join(f"{quoted(key)} IS NOT NULL" for key in keys)
    repeated = rows.filter(given).groupBy(*map(quoted, keys)).count().filter("count > 1").limit(1).collect()
    if repeated:
        keyed = ", ".join(f"{key} = {repeated[0][key]}" for key in keys if key.lower() not in table.private)
        raise PublishError(f"`{table.name}` would merge several rows with the same {', '.join(keys)}: {keyed}")
    view = temporary(table.name, "rows")
    rows.createOrReplaceTempView(view)
    same = " AND ".join(f"t.{quoted(key)} = s.{quoted(key)}" for key in keys)
    run.spark.sql(
        f"MERGE INTO {run.name(table.name)} AS t USING {view} AS s ON {same}\n"
        "WHEN MATCHED THEN UPDATE SET *\nWHEN NOT MATCHED THEN INSERT *"
    )


def _types(rows: DataFrame) -> dict[str, str]:
    return {field.name.lower(): field.dataType.simpleString() for field in rows.schema.fields}


def _differs(stored: DataFrame, rows: DataFrame) -> bool:
    return _types(stored) != _types(rows)


def _conform(run: Run, table: Table, rows: DataFrame) -> None:
    """Brings a table that keeps its rows to the columns of those that come, as far as its rule lets it."""
    name, rule = run.name(table.name), table.write.schema_evolution
    stored, new = _types(run.spark.table(name)), _types(rows)
    if stored == new:
        return
    added = [field for field in rows.schema.fields if field.name.lower() not in stored]
    is_more = all(new.get(column) == data_type for column, data_type in stored.items())
    if rule == "fail" or not is_more:
        raise PublishError(
            f"`{table.name}` has columns {stored} and would get rows with {new}; "
            f"`schema_evolution: {rule}` does not let it change"
        )
    columns = ", ".join(f"{quoted(field.name)} {_ddl(field.dataType)}" for field in added)
    run.spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({columns})")


def _ddl(data_type: T.DataType) -> str:
    return data_type.simpleString()


def _view(run: Run, table: Table) -> None:
    comment = f"COMMENT {literal(table.description)} " if table.description else ""
    run.spark.sql(f"CREATE OR REPLACE VIEW {run.name(table.name)} {comment}AS\n{_view_query(run, table)}")


def _view_query(run: Run, table: Table) -> str:
    """The view's query; a stored query has no parameters, so that names stand in it as they are now."""
    from .table import Cast, Query

    if isinstance(table.rows, Files):
        raise PublishError(f"`{table.name}` is read from files, which a view cannot do")
    query = "SELECT * FROM cast_rows" if table.rows.sql is None else literal_names(run, run.text(table.rows.sql))
    if isinstance(table.rows, Query):
        return query
    assert isinstance(table.rows, Cast)
    promised = {column.name.lower(): column.data_type for column in table.contract.columns} if table.contract else {}
    columns = [
        f"CAST({quoted(name)} AS {promised[name.lower()]}) AS {quoted(name)}"
        if name.lower() in promised
        else quoted(name)
        for name in run.spark.table(run.name(table.rows.table)).columns
    ]
    start = f"SELECT {', '.join(columns)} FROM {run.name(table.rows.table)}"
    return f"WITH cast_rows AS ({start})\nSELECT * FROM (\n{query}\n)"
