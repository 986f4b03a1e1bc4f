"""Rows read from SQL databases: PostgreSQL, SQL Server, MySQL.

In: a declaration, and the run that knows secrets. Out: the source's columns with their types, as `files.read` gives those of files. A
database is read in full, by JDBC or through a connection of Unity Catalog. Passwords are looked up here, given to Spark, and
written nowhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from .files import FILE, WRONG, Files, SourceError
from .run import Run, quoted
from .statements import literal

URLS = {
    "postgresql": "jdbc:postgresql://{host}:{port}/{database}",
    "sqlserver": "jdbc:sqlserver://{host}:{port};databaseName={database};encrypt=true",
    "mysql": "jdbc:mysql://{host}:{port}/{database}",
}
DRIVERS = {
    "postgresql": "org.postgresql.Driver",
    "sqlserver": "com.microsoft.sqlserver.jdbc.SQLServerDriver",
    "mysql": "org.mariadb.jdbc.Driver",
}
_FETCHED = "10000"
"""Rows a round trip; drivers' own choices are all rows at once, or ten."""


@dataclass(frozen=True)
class Secret:
    """Where a secret is kept."""

    scope: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Database(Files):
    """Rows of a table, or of a query in the database's own SQL."""

    database: str
    host: str = ""
    port: int = 0
    user: Secret | str = ""
    password: Secret | str = ""
    connection: str = ""
    """A connection of Unity Catalog, in place of all that."""
    table: str = ""
    query: str = ""


def read(run: Run, source: Database, columns: Sequence[str] | None) -> DataFrame:
    """All rows, with the columns that the table promises."""
    rows = _remote(run, source) if source.connection else _jdbc(run, source)
    known = {name.lower(): name for name in rows.columns}
    names = list(columns or rows.columns)
    lacking = [name for name in names if name.lower() not in known]
    extra = sorted(set(known) - {name.lower() for name in names})
    if lacking or extra:
        lacks = f"lacks {', '.join(lacking)}" if lacking else ""
        has = f"has {', '.join(extra)}, which the contract lacks" if extra else ""
        raise SourceError(f"what is read from `{place(source)}` {' and '.join(filter(None, [lacks, has]))}")
    values = [F.col(quoted(known[name.lower()])) for name in names]
    return rows.select(*values, F.lit(place(source)).alias(FILE), F.lit(None).cast("string").alias(WRONG))


def place(source: Database) -> str:
    """Where the rows come from; no credentials."""
    return f"{source.format}://{source.connection or source.host}/{source.database}/{source.table or 'query'}"


def _jdbc(run: Run, source: Database) -> DataFrame:
    url = URLS[source.format].format(host=source.host, port=source.port, database=source.database)
    what = {"query": source.query} if source.query else {"dbtable": source.table}
    return (
        run.spark.read.format("jdbc")
        .options(url=url, driver=DRIVERS[source.format], fetchsize=_FETCHED, **what)
        .options(user=_known(run, source.user), password=_known(run, source.password))
        .load()
    )


def _known(run: Run, credential: Secret | str) -> str:
    if isinstance(credential, str):
        return credential
    # A pipeline's code has no `dbutils` of its own.
    secrets: Any = run.secrets or importlib.import_module("databricks.sdk.runtime").dbutils.secrets
    value: str = secrets.get(scope=credential.scope, key=credential.key)
    return value


def _remote(run: Run, source: Database) -> DataFrame:
    return run.spark.sql(remote_statement(source))


def remote_statement(source: Database) -> str:
    """The query that a connection of Unity Catalog answers."""
    if source.format == "mysql":
        # MySQL's databases are its schemas.
        given = []
        table = source.table if "." in source.table else f"{source.database}.{source.table}"
    else:
        given = [f"database => {literal(source.database)}"]
        table = source.table
    query = source.query or f"SELECT * FROM {table}"
    arguments = ", ".join([literal(source.connection), *given, f"query => {literal(query)}"])
    return f"SELECT * FROM remote_query({arguments})"
