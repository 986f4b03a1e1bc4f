"""One run of a task: where tables lie, and what the job said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession


def quoted(name: str) -> str:
    """A name in SQL, whatever it consists of."""
    return "`" + name.replace("`", "``") + "`"


def read(file: Path) -> str:
    """A file's text, with its line ends as they are."""
    return file.read_bytes().decode("utf-8")


@dataclass(frozen=True)
class Run:
    """Where tables lie, and what the job said."""

    spark: SparkSession
    catalog: str
    schemas: Mapping[str, str]
    """The schema of each layer."""
    run_id: str
    environment: str = ""
    git_sha: str | None = None
    path: str | None = None
    """Where the table's files lie, if it is read from files."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """The same of several tables, by `<layer>_<table>`."""
    checkpoints: str | None = None
    """The folder in which a stream remembers which files it has read; without it, a volume beside the table."""
    secrets: Any = field(default=None, repr=False)
    """What looks secrets up, `dbutils.secrets`."""
    tables: Sequence[str] = ()
    """The tables that the task is about, if it is about several."""
    sql_folder: Path = Path(__file__).resolve().parent.parent / "sql"
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @classmethod
    def of_notebook(cls, spark: SparkSession, dbutils: Any) -> Run:
        """The run that the notebook's parameters speak of: `catalog`, `schema_<layer>`, `run_id` and so on."""
        given: dict[str, str] = dict(dbutils.widgets.getAll())
        # Texts are cast, and times shown, as the tables promise it: in UTC, failing where a value does not fit.
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        spark.conf.set("spark.sql.ansi.enabled", "true")
        schemas = {name.removeprefix("schema_"): value for name, value in given.items() if name.startswith("schema_")}
        return cls(
            spark=spark,
            catalog=given["catalog"],
            schemas=schemas,
            run_id=given.get("run_id", ""),
            environment=given.get("environment", ""),
            git_sha=given.get("git_sha") or None,
            path=given.get("path") or None,
            paths={name.removeprefix("path_"): value for name, value in given.items() if name.startswith("path_")},
            checkpoints=given.get("checkpoints") or None,
            secrets=getattr(dbutils, "secrets", None),
            tables=[name for name in given.get("tables", "").split(",") if name],
        )

    def of_table(self, table: str) -> Run:
        """The same run for one of its tables, which has a path of its own."""
        path = self.paths.get(table.replace(".", "_", 1))
        return replace(self, path=path) if path else self

    def schema(self, layer: str) -> str:
        """A layer's schema as SQL names it."""
        return f"{quoted(self.catalog)}.{quoted(self.schemas.get(layer, layer))}"

    def name(self, table: str) -> str:
        """A table of the project, `layer.table`, as SQL names it."""
        layer, _, name = table.partition(".")
        return f"{self.schema(layer)}.{quoted(name)}"

    @property
    def names(self) -> dict[str, str]:
        """The layers' schemas, which the SQL files have as parameters."""
        return {layer: self.schema(layer) for layer in self.schemas}

    def exists(self, table: str) -> bool:
        """Whether a table of the project is there."""
        return self.spark.catalog.tableExists(self.name(table))

    def file(self, file: str) -> Path:
        """A file below `src/sql`; the environment's own, where it differs between environments."""
        path = self.sql_folder / file
        name, _, ending = path.name.partition(".")
        own = path.with_name(f"{name}.{self.environment}.{ending}")
        return own if own.is_file() else path

    def text(self, file: str) -> str:
        """The statement in a file below `src/sql`."""
        return read(self.file(file)).strip().removesuffix(";")

    def sql(self, statement: str) -> DataFrame:
        """Runs a statement with the layers' schemas as parameters."""
        return self.spark.sql(statement, args=self.names)

    def version(self, table: str) -> int | None:
        """A table's newest version; `None` for a view."""
        try:
            history = self.spark.sql(f"DESCRIBE HISTORY {self.name(table)} LIMIT 1")
            return int(history.select("version").collect()[0][0])
        except AnalysisException:
            return None


def temporary(table: str, purpose: str) -> str:
    """The name of a temporary view of a table's run."""
    return "medc_" + purpose + "_" + re.sub(r"\W", "_", table)
