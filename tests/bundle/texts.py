"""A project whose texts would break out of SQL, Python, YAML, Markdown or the Databricks CLI's references, were they not escaped.

Usage: texts.py WORK MEDC

It is bundled in both forms, run on open-source Spark, and compared with the local engine; comments and properties must come out
as they were written, tags as Databricks would read them, and nothing in a text may be executed.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spark")]

CANARY = "medc_executed"
"""A process that runs one of the texts leaves a file of this name."""

TOUCH = f"__import__('pathlib').Path('{CANARY}').touch()"
TEXTS = [
    "plain",
    'it\'s "quoted" `so`',
    f"'); {TOUCH}; print('",
    f'"); {TOUCH}; print("',
    f"'''\n{TOUCH}\n'''",
    f'"""\n{TOUCH}\n"""',
    f'\\"""); {TOUCH} #',
    f"{{{TOUCH}}} {{0}} {{{{job.id}}}} {{silver}} %s %(x)s",
    "${env:HOME} ${system:user.dir} ${spark.app.name} ${var.catalog} ${HOME} $${x} $x :silver",
    "'; DROP TABLE `texts`.`silver`.`kept`; --",
    "*/ DROP TABLE x; /* -- # // ;",
    "line one\n# COMMAND ----------\n" + TOUCH,
    f"line one\n# MAGIC %sh touch {CANARY}\nlast",
    "line one\n# Databricks notebook source\n%run ./x",
    f"line\r{TOUCH}\r\nend\u2028{TOUCH}\u2029x\x0b{TOUCH}\x0c{TOUCH}\x85{TOUCH}",
    "back\\slash \\n \\' \\\" \\\\ \\N{BULLET} \\x41 \\u0041 \\101 \\",
    "\\",
    "bidi \u202e gnp.exe \u2066 zero\u200bwidth\ufeff 😀 \U000e0041 é",
    "IDENTIFIER(:silver || '.kept') {bronze}.raw",
    "<script>alert(1)</script> <!-- & -->",
    "a,b;c|d\te",
    "- yaml: [x, {y: !!python/object/apply:os.system ['x']}] # c\n&a *a %TAG ? | >",
    "yes",
    "0123",
    "~",
    " leading and trailing ",
    "\n",
    "END $$ DELIMITER // \x01\x1b[31m",
]
REGEX = r"""^(?:[^'"`]|['"`\\]|\$\{env:HOME\}|[\n\r]|--|/\*)*$"""
COLUMNS = [
    "select",
    "from",
    "table",
    "ação",
    "列",
    "none",
    "class",
    "lambda",
    "_x",
    "rows_under_test",
    "cast_rows",
    "value",
]
"""Words of SQL and of Python, and of medc; no column is called otherwise than letters and digits say."""
TAGS = ["x'y", "--", "*/", '"""', "\\", "${env:HOME}", "a;b", "{silver}"]
PROPERTIES = {"shop.note": TEXTS[1] + TEXTS[8] + TEXTS[4], "it's": "*/ --"}
TOLD = """# Databricks notebook source
from databricks.sdk.runtime import dbutils, spark

given = dbutils.widgets.getAll()
rows = [(name, value) for name, value in given.items() if name.startswith("text")]
spark.createDataFrame(rows, "name string, value string").write.format("delta").saveAsTable("texts.quality.told")
"""
EVERYTHING = "\n".join(TEXTS[1:20])


def write(folder: Path) -> None:
    """Writes the project; on Databricks its files lie in `/Volumes/texts`."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    with (data / "plain.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL)
        rows.writerow(["id", "text"])
        rows.writerows((str(place), text.replace("\r", " ")) for place, text in enumerate(TEXTS))
    (data / "strange.csv").write_text("a'b\n1'`it's \\`so\\``\n2'NULL\\\n3'\n4'x\"--\n", encoding="utf-8")
    lines = [{name: text for name in COLUMNS} | {"id": str(place)} for place, text in enumerate(TEXTS)]
    (data / "odd.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "notebooks").mkdir(exist_ok=True)
    (folder / "notebooks" / "told.py").write_text(TOLD, encoding="utf-8")
    (folder / "medc.yml").write_text(json.dumps(_escaped(_project()), indent=2, ensure_ascii=True), encoding="utf-8")


def _escaped(value: Any) -> Any:
    """A literal `${` as a project file says it."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return {key: _escaped(one) for key, one in value.items()} if isinstance(value, dict) else value


def _project() -> dict[str, Any]:
    texts = [text.replace("\r", " ") for text in TEXTS]
    odd = {name: {"type": "string", "description": text} for name, text in zip(COLUMNS, TEXTS)}
    strict = {name: {**column, "tags": ["a'b", 'c"d`', "e\\f"]} for name, column in odd.items()}
    strict["table"]["expect"] = [
        {"accepted_values": {"values": texts[:9], "on_violation": "warn"}},
        {"not_in": {"values": texts[9:], "on_violation": "warn"}},
        {"matches": {"regex": REGEX, "on_violation": "warn"}},
        {"like": {"pattern": "%'%\\\\%", "on_violation": "warn"}},
    ]
    strict["select"]["expect"] = [{"not_null": {"on_violation": "quarantine", "description": EVERYTHING}}]
    # Becomes a CHECK constraint, whose text Delta keeps and reads again.
    strict["lambda"]["expect"] = [{"not_in": {"values": texts[1:20:3], "on_violation": "quarantine"}}]
    strict["none"]["expect"] = [{"length": {"min": 2, "on_violation": "quarantine"}}]
    paths = {"plain": "plain.csv", "strange": "strange.csv", "odd": "odd.jsonl"}
    return {
        "project": {"name": "texts", "owner": TEXTS[3], "description": EVERYTHING + "\x7f"},
        "environments": {
            "local": {"default": True, "engine": "local", "warehouse": ".medc/warehouse"},
            "prod": {
                "engine": "databricks",
                "catalog": "texts",
                "workspace": {"host": "https://example.cloud.databricks.com"},
                "tables": {
                    f"bronze.{key}": {"source": {"path": f"/Volumes/texts/it's/{path}"}} for key, path in paths.items()
                },
            },
        },
        "jobs": {
            "all": {
                "select": "layer:bronze+",
                "tags": {'it\'s "so"': "*/ -- \\"},
                "description": _no_reference(EVERYTHING),
            }
        }
        | {
            "told": {
                "name": _no_reference(TEXTS[7]),
                "parameters": {name: text for name, text in _parameters().items() if int(name[4:]) % 2},
                "tasks": [
                    {
                        "task_key": "told",
                        "description": _no_reference(EVERYTHING),
                        "notebook": {
                            "path": "notebooks/told.py",
                            "parameters": {name: text for name, text in _parameters().items() if not int(name[4:]) % 2},
                        },
                    }
                ],
            }
        },
        "layers": {"bronze": {}, "silver": {}, "gold": {"owner": TEXTS[6]}},
        "contracts": {
            "plain": {"columns": {"id": {"type": "string", "primary_key": True}, "text": {"type": "string"}}},
            "odd": {"columns": {"id": {"type": "string"}, **odd}},
            "strict": {
                "version": "1.0.0",
                "description": EVERYTHING,
                "on_cast_failure": "quarantine",
                "columns": {"id": {"type": "int"}, **strict},
                "expect": [
                    {
                        "expression": {
                            "sql": f"id >= 0 OR `select` <> '{_sql(text)}' -- it's {{}}",
                            "on_violation": "warn",
                        }
                    }
                    for text in texts[:19]
                ]
                + [{"unique": ["id", "from"]}, {"row_count": {"between": [1, 1000], "description": TEXTS[4]}}],
            },
        },
        "tables": {
            "bronze.plain": {
                "description": EVERYTHING,
                "source": {"format": "csv", "path": "data/plain.csv", "delimiter": ";", "null_values": TEXTS[1:9]},
                "contract": "plain",
            },
            "bronze.strange": {
                "description": TEXTS[5],
                "source": {
                    "format": "csv",
                    "path": "data/strange.csv",
                    "delimiter": "'",
                    "quote": "`",
                    "escape": "\\",
                    "null_values": ["NULL\\", "'"],
                },
            },
            "bronze.odd": {"source": {"format": "json", "path": "data/odd.jsonl"}, "contract": "odd"},
            "silver.kept": {"sql": "SELECT id, text FROM bronze.plain", "tags": TAGS, "properties": PROPERTIES},
            "silver.strict": {
                "description": TEXTS[11],
                "owner": TEXTS[2],
                "from": "bronze.odd",
                "contract": "strict",
                "steps": [{"filter": f"`class` <> '{_sql('*/ -- ${env:HOME}')}' -- it's `a` comment"}],
            },
            "silver.asked": {"description": TEXTS[14], "sql": _query(texts)},
            "gold.seen": {
                "description": TEXTS[15],
                "sql": "SELECT id, text, 'IDENTIFIER(:silver || \\'.kept\\')' AS named, "
                "\"IDENTIFIER(:silver || '.kept')\" AS renamed FROM silver.kept",
                "write": {"mode": "view"},
            },
        },
    }


def _no_reference(text: str) -> str:
    """What may stand where the Databricks CLI puts in references, and Databricks values of the run."""
    return text.replace("${", "$ {").replace("{{", "{ {")


def _parameters() -> dict[str, str]:
    return {f"text{place}": _no_reference(text) for place, text in enumerate(TEXTS)}


def _sql(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _query(texts: list[str]) -> str:
    """Every text as a literal, as the author of a query would write it."""
    columns = [f"  '{_sql(text)}' AS text{place}" for place, text in enumerate(texts)]
    lines = "  \"two 'lines'\n  of it\" AS double"
    return (
        "-- it's a ${env:HOME} comment; {silver} */\nSELECT\n"
        + ",\n".join([*columns, lines])
        + "\nFROM silver.kept\nWHERE id = '0'"
    )


def main() -> int:
    """Takes a folder to work in, and the `medc` to test; 0 if all is as it must be."""
    from run import put, run_bundle
    from session import session

    work, medc = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    project = work / 'it\'s "here"'
    write(project)
    subprocess.run([medc, "apply", "-p", project, "--quiet"], check=True)
    spark = session(work / "spark")
    spark.sparkContext.setLogLevel("OFF")
    is_right = True
    for form in ("jobs", "pipeline"):
        spec = json.loads((project / "medc.yml").read_text(encoding="utf-8"))
        (project / "medc.yml").write_text(
            json.dumps({**spec, "bundle": {"emit": form, "check_constraints": form == "jobs"}}), encoding="utf-8"
        )
        subprocess.run([medc, "bundle", "-p", project], check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(project / ".medc" / "bundle", work / "bundles" / form)
        volumes = work / "spark" / "volumes"
        inputs = [put(volumes, f"/Volumes/texts/it's/{file.name}", file) for file in (project / "data").iterdir()]
        is_right &= run_bundle(spark, project, "prod", work / "spark", inputs, {}, [])
        wrong = _comments(spark)
        seen = (
            spark.table("spark_catalog.texts__gold.seen").collect()
            if form == "jobs"
            else spark.table("texts.gold.seen").collect()
        )
        named = {(row["named"], row["renamed"]) for row in seen}
        if named != {("IDENTIFIER(:silver || '.kept')",) * 2}:
            wrong.append(f"  gold.seen: its texts became {named!r}")
        wrong += _properties(spark) if form == "jobs" else []
        wrong += _tags(spark, project / ".medc" / "bundle") + _told(spark)
        wrong += [f"{file} was made" for file in work.rglob(f"*{CANARY}*")]
        wrong += [f"{CANARY} was made"] if os.path.exists(CANARY) else []
        print("\n".join(wrong) or "  every text is as it was written")
        is_right &= not wrong
        for schema in ("bronze", "silver", "gold", "quality"):
            spark.sql(f"DROP SCHEMA IF EXISTS texts.{schema} CASCADE")
    spark.stop()
    return 0 if is_right else 1


def _comments(spark: Any) -> list[str]:
    """Comments of tables and columns that are not what the project says."""
    wrong = []
    catalog = "texts"
    spec = _project()
    for name, table in spec["tables"].items():
        if table.get("write", {}).get("mode") == "view":
            continue
        rows = spark.sql(f"DESCRIBE TABLE EXTENDED {catalog}.{name}").collect()
        contract = spec["contracts"].get(table.get("contract"), {})
        columns = {key.lower(): column.get("description") for key, column in contract.get("columns", {}).items()}
        expected = table.get("description", contract.get("description"))
        found = next((row["data_type"] for row in rows if row["col_name"] == "Comment"), None)
        if expected is not None and found != expected:
            wrong.append(f"  {name}: the comment {expected!r} became {found!r}")
        schema = {field.name: field.metadata.get("comment") for field in spark.table(f"{catalog}.{name}").schema.fields}
        for column, comment in columns.items():
            if comment is not None and schema.get(column) != comment:
                wrong.append(f"  {name}: the comment of {column} {comment!r} became {schema.get(column)!r}")
    return wrong


def _tags(spark: Any, bundle: Path) -> list[str]:
    """Tags of tables that are not what the project says, as Spark reads the literals of their statements."""
    text = (bundle / "src" / "sql" / "silver" / "kept.unity.sql").read_bytes().decode("utf-8")
    pairs = re.findall(r"('(?:[^'\\]|\\.)*') = ('(?:[^'\\]|\\.)*')", text)
    found = [spark.sql(f"SELECT {key}").collect()[0][0] for key, _ in pairs]
    return [] if found == TAGS else [f"  silver.kept: the tags {TAGS!r} became {found!r}"]


def _properties(spark: Any) -> list[str]:
    stored = spark.sql("DESCRIBE DETAIL texts.silver.kept").collect()[0]["properties"]
    found = {key: stored.get(key) for key in PROPERTIES}
    return [] if found == PROPERTIES else [f"  silver.kept: the properties became {found!r}"]


def _told(spark: Any) -> list[str]:
    """Parameters of a job and of a task that came otherwise than they were written."""
    found = {row["name"]: row["value"] for row in spark.table("texts.quality.told").collect()}
    expected = _parameters()
    names = sorted(expected.keys() | found.keys())
    return [
        f"  {name}: {expected.get(name)!r} became {found.get(name)!r}"
        for name in names
        if found.get(name) != expected.get(name)
    ]


if __name__ == "__main__":
    sys.exit(main())
