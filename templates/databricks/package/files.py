"""Rows read from files: delimited text, JSON lines, Parquet, Delta.

In: a declaration and a path. Out: the source's columns (every scalar of a text format as text, `001` and `1.10` as they stand), the
metadata columns, and in `_medc_wrong` the text of a row with too many or too few fields. Files are read in full, or each file
once by Auto Loader or `COPY INTO`, which put what is new into a table of its own (`publish.Landing`). A source whose columns
are not the table's is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import nested
from .run import Run, quoted
from .statements import literal

WRONG = "_medc_wrong"
FILE = "_medc_file"
LINE = "_medc_line"
_NOTHING = "\x01"
"""No field says this: an empty field is NULL, an empty text in quotes is not."""
_ENDINGS = {"csv": ("csv", "tsv", "psv", "txt"), "json": ("jsonl", "ndjson", "json"), "parquet": ("parquet", "parq")}
_WINDOWS_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"
"""What the bytes from 0x80 mean; Spark knows Latin-1 only, where they mean control characters."""
_LATIN = ("windows-1252", "cp1252", "iso-8859-1", "latin1", "ascii", "us-ascii")


class SourceError(Exception):
    """The files are not what the table's declaration says."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Rows read from files; where they lie is the run's `path`."""

    format: str
    """`csv`, `json` (an object a line), `parquet` or `delta`."""
    header: bool = True
    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    """A second escape inside quotes; doubled quotes always work."""
    encoding: str = "utf-8"
    null_values: Sequence[str] = ()
    """Texts that mean NULL besides the empty field."""
    on_ragged_row: str = "fail"
    """What happens to a row with too many or too few fields."""
    metadata_columns: Sequence[str] = ()
    """Of `_source_file`, `_source_line`, `_ingested_at`, `_run_id`."""
    method: str = "spark"
    """`spark` and `read_files` read all files, `auto_loader` and `copy_into` each file once."""


def location(run: Run) -> str:
    """Where the table's files lie."""
    if not run.path:
        raise SourceError("the job gives no parameter `path`, the place of the files")
    return run.path


def read(run: Run, files: Files, columns: Sequence[str] | None) -> DataFrame:
    """All rows of all files as they stand: `columns`, `_medc_file` and `_medc_wrong`."""
    path = location(run)
    names = header(run.spark, files, path, columns)
    return parsed(raw(run.spark, files, path, names), files, columns or names)


def raw(spark: SparkSession, files: Files, path: str, names: Sequence[str]) -> DataFrame:
    """The rows of all files; JSON is still a text a line."""
    reader: Any = spark.read
    if files.format == "parquet":
        return _traced(_parquet(spark, files, path))
    if files.method == "read_files" and "DATABRICKS_RUNTIME_VERSION" in os.environ:
        rows = spark.sql(read_files_statement(files, path, names))
        rows = rows.drop("_rescued_data")
        return rows.withColumnRenamed("value", LINE) if files.format == "json" else rows
    form = "text" if files.format == "json" else files.format
    return _loaded(reader.format(form), files, path, names)


def new_rows(spark: SparkSession, files: Files, path: str, names: Sequence[str]) -> DataFrame:
    """The rows of files as they come, as a stream: Auto Loader on Databricks, Spark's own elsewhere."""
    # Spark's own would leave out files much older than the newest.
    reader: Any = spark.readStream.option("maxFileAge", "36500d")
    form = "text" if files.format == "json" else files.format
    if files.format == "parquet":
        reader = reader.schema(_parquet(spark, files, path).schema)
    if "DATABRICKS_RUNTIME_VERSION" in os.environ and files.format != "delta":
        reader = spark.readStream.option("cloudFiles.format", form)
        form = "cloudFiles"
    return _loaded(reader.format(form), files, path, names)


def _parquet(spark: SparkSession, files: Files, path: str) -> DataFrame:
    return spark.read.options(**_listing(files, path)).option("mergeSchema", "true").parquet(path)


def read_files_statement(files: Files, path: str, names: Sequence[str]) -> str:
    """The rows of all files by the function of Databricks SQL, as `_loaded` reads them."""
    given = {"format": "text" if files.format == "json" else files.format, **_listing(files, path)}
    if files.format == "csv":
        given.update(delimited_options(files))
        given["schema"] = ", ".join(f"{quoted(name)} STRING" for name in [*names, WRONG])
    arguments = ", ".join([literal(path), *(f"{key} => {literal(value)}" for key, value in given.items())])
    return f"SELECT *, _metadata.file_path AS {FILE} FROM read_files({arguments})"


def _loaded(reader: Any, files: Files, path: str, names: Sequence[str]) -> DataFrame:
    reader = reader.options(**_listing(files, path))
    if files.format == "csv":
        schema = T.StructType([T.StructField(name, T.StringType()) for name in [*names, WRONG]])
        reader = reader.options(**delimited_options(files)).schema(schema)
    if files.format == "json":
        reader = reader.option("lineSep", "\n").schema("value string")
    rows: DataFrame = reader.load(path)
    if files.format == "delta":
        return rows.select("*", F.lit(path).alias(FILE))
    return _traced(rows.withColumnRenamed("value", LINE) if files.format == "json" else rows)


def _traced(rows: DataFrame) -> DataFrame:
    return rows.select("*", F.col("_metadata.file_path").alias(FILE))


def _listing(files: Files, path: str) -> dict[str, str]:
    """How files below a path are found; a path with an ending is a file, or a pattern of them."""
    if files.format == "delta" or re.search(r"[*?\[{]", path) or PurePosixPath(path).suffix:
        return {}
    endings = ",".join(_ENDINGS[files.format])
    return {"recursiveFileLookup": "true", "pathGlobFilter": f"*.{{{endings}}}"}


def delimited_options(files: Files) -> dict[str, str]:
    quote = files.quote or ""
    latin = files.encoding.lower() in _LATIN
    return {
        "header": str(files.header).lower(),
        "sep": files.delimiter,
        "quote": quote,
        "escape": files.escape or quote or "\\",
        "multiLine": str(files.quote is not None).lower(),
        "encoding": "ISO-8859-1" if latin else files.encoding,
        "nullValue": _NOTHING,
        "enforceSchema": "false",
        "columnNameOfCorruptRecord": WRONG,
        "mode": "PERMISSIVE",
    }


def header(spark: SparkSession, files: Files, path: str, columns: Sequence[str] | None) -> list[str]:
    """The source's columns in its order; an error where they are not the table's."""
    if files.format == "json" or (files.format == "csv" and not files.header and columns):
        return list(columns or _keys(spark, files, path))
    reader = spark.read.options(**_listing(files, path))
    if files.format == "csv":
        options = {**delimited_options(files), "inferSchema": "false"}
        names = reader.format("csv").options(**options).load(path).columns
    else:
        names = reader.format(files.format).load(path).columns
    if columns is not None:
        known = {name.lower() for name in names}
        wanted = {name.lower() for name in columns}
        lacking = [name for name in columns if name.lower() not in known]
        extra = [name for name in names if name.lower() not in wanted]
        if lacking or extra:
            lacks = f"lack {_listed(lacking)}" if lacking else ""
            has = f"have {_listed(extra)}, which the contract lacks" if extra else ""
            raise SourceError(f"the files in `{path}` {' and '.join(filter(None, [lacks, has]))}")
    return list(names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _keys(spark: SparkSession, files: Files, path: str) -> list[str]:
    lines = raw(spark, files, path, ())
    keys = lines.select(F.explode(F.map_keys(nested.members(nested.marked(F.col(LINE))))).alias("key")).distinct()
    return sorted(row["key"] for row in keys.collect())


def parsed(rows: DataFrame, files: Files, columns: Sequence[str]) -> DataFrame:
    """Raw rows as `columns` of the source, `_medc_file` and `_medc_wrong`."""
    file = F.try_url_decode(F.replace(F.col(FILE), F.lit("+"), F.lit("%2B"))).alias(FILE)
    if files.format == "csv":
        last = [name for name in rows.columns if name not in (FILE, WRONG)][-1]
        values = [_field(files, name, name == last).alias(name) for name in _spelled(rows, columns)]
        return rows.select(*values, file, _decoded(files, F.col(WRONG)).alias(WRONG))
    if files.format == "json":
        return _of_lines(rows, columns, file)
    values = [F.col(quoted(name)) for name in _spelled(rows, columns)]
    return rows.select(*values, file, F.lit(None).cast("string").alias(WRONG))


def _spelled(rows: DataFrame, columns: Sequence[str]) -> list[str]:
    known = {name.lower(): name for name in rows.columns}
    return [known[name.lower()] for name in columns]


def _field(files: Files, name: str, is_last: bool) -> Column:
    value = F.col(quoted(name))
    if is_last:
        # Where lines end in different ways, Spark takes the first line's way for all.
        bare = F.regexp_replace(value, r"\r\z", "")
        value = F.when(value.endswith("\r"), F.nullif(bare, F.lit(""))).otherwise(value)
    value = _decoded(files, value)
    return F.when(~value.isin(*files.null_values), value) if files.null_values else value


def _decoded(files: Files, value: Column) -> Column:
    if files.encoding.lower() not in _LATIN:
        return value
    return F.translate(value, "".join(map(chr, range(0x80, 0xA0))), _WINDOWS_1252)


def _of_lines(rows: DataFrame, columns: Sequence[str], file: Column) -> DataFrame:
    line = F.col(LINE)
    pairs = F.map_entries(nested.members(nested.marked(line)))
    lower = F.map_from_entries(F.transform(pairs, lambda one: F.struct(F.lower(one["key"]), one["value"])))
    rows = rows.filter(F.btrim(line, F.lit(" \t\r\n\f")) != "").withColumn("_medc_members", lower)
    members = F.col("_medc_members")
    unknown = F.array_except(F.map_keys(members), F.array(*(F.lit(name.lower()) for name in columns)))
    wrong = F.when(members.isNull() | ~nested.is_json(line), F.concat(F.lit("no JSON object: "), line)).when(
        F.size(unknown) > 0, F.concat(F.lit("a key that the contract lacks: "), F.element_at(unknown, 1))
    )
    values = [nested.spelled(F.try_element_at(members, F.lit(name.lower()))).alias(name) for name in columns]
    return rows.select(*values, file, wrong.alias(WRONG))


def metadata(run: Run, rows: DataFrame, files: Files, traced: bool) -> DataFrame:
    """Adds the metadata columns behind the source's own, and where a row stood if it may be set aside."""
    columns = {
        "_source_file": F.col(FILE),
        # Spark reads files in pieces and knows of no line where it stands.
        "_source_line": F.lit(None).cast("bigint"),
        "_ingested_at": F.lit(run.started_at).cast("timestamp"),
        "_run_id": F.lit(run.run_id),
    }
    names = list(files.metadata_columns)
    names += [name for name in ("_source_file", "_source_line") if traced and name not in names]
    own = [quoted(name) for name in rows.columns if name != FILE]
    return rows.select(*own, *(columns[name].alias(name) for name in names))


def ragged_reason(files: Files, n_expected: int) -> Column:
    """How many fields a wrong row has, and should have."""
    text = F.col(WRONG)
    if files.quote:
        quote = re.escape(files.quote)
        text = F.regexp_replace(text, f"{quote}[^{quote}]*(?:{quote}|\\z)", "")
    n_fields = F.length(text) - F.length(F.replace(text, F.lit(files.delimiter))) + 1
    return F.concat(n_fields.cast("string"), F.lit(f" fields instead of {n_expected}"))
