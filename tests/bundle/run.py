"""Runs an emitted bundle on open-source Spark and compares every table with what `medc apply` made of the same input."""

from __future__ import annotations

import argparse
import collections
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spark")]

import compare  # noqa: E402
import configuration  # noqa: E402
from session import session  # noqa: E402
from workspace import ONLY_ON_DATABRICKS, Report, Workspace  # noqa: E402


NOT_OF_PIPELINES = ("quality.results", "ml_registry.model_versions")
"""A pipeline has its event log for them; what is found by checks of more than a row stands in `<table>_checks`."""


def main() -> int:
    """Runs the bundles that the command line names; 0 if all tables are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="where Spark keeps its tables")
    parser.add_argument(
        "--bundle",
        nargs=2,
        action="append",
        metavar=("PROJECT", "TARGET"),
        required=True,
        help="a project's folder, with `.medc/bundle` and `.medc/warehouse`, and the target to run",
    )
    parser.add_argument(
        "--input",
        nargs=2,
        action="append",
        default=[],
        metavar=("PATH", "FILE"),
        help="what lies at a path of a volume",
    )
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable of the bundle")
    parser.add_argument("--ignore", action="append", default=[], metavar="TABLE.COLUMN", help="a column not to compare")
    options = parser.parse_args()
    work = options.work.resolve()
    spark = session(work)
    spark.sparkContext.setLogLevel("OFF")
    variables = dict(one.split("=", 1) for one in options.var)
    inputs = [put(work / "volumes", place, Path(file)) for place, file in options.input]
    equal = [
        run_bundle(spark, Path(project).resolve(), target, work, inputs, variables, options.ignore)
        for project, target in options.bundle
    ]
    spark.stop()
    return 0 if all(equal) else 1


def put(volumes: Path, place: str, file: Path) -> tuple[str, Path]:
    """Lays a file, or a folder's files, where a volume's path says; the place, and the file or folder."""
    there = volumes / place.removeprefix("/Volumes/")
    if file.is_dir():
        shutil.copytree(file, there, dirs_exist_ok=True)
        return str(there), file.resolve()
    if not there.suffix:
        there /= file.name
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, there)
    return str(there), file.resolve()


def run_bundle(
    spark: Any,
    project: Path,
    target: str,
    work: Path,
    inputs: list[tuple[str, Path]],
    variables: dict[str, str],
    ignored: list[str],
    once: Collection[str] = (),
    may_fail: bool = False,
) -> bool:
    """Runs one bundle and compares its tables; whether they are equal. Of the tables in `once`, each row counts once.

    A task that fails is a difference, unless it may."""
    folder, warehouse = project / ".medc" / "bundle", project / ".medc" / "warehouse"
    known = configuration.variables(folder)
    given = {name: value for name, value in variables.items() if name in known}
    found = configuration.read(folder, target, given)
    workspace = Workspace(spark, found, project, work / "volumes")
    workspace.create_schemas()
    workspace.run_all()
    workspace.close()
    print(f"{project.name}, target {target}")
    tell(workspace.report)
    places = [(there, str(here.relative_to(project))) for there, here in inputs if here.is_relative_to(project)]
    places.append((f"{project}/", ""))
    schemas = {
        key: f"`{schema['catalog_name']}`.`{schema['name']}`"
        for key, schema in found.resources.get("schemas", {}).items()
    }
    is_equal = may_fail or "failed" not in workspace.report.states.values()
    for name, place in compare.local_tables(warehouse).items():
        if "pipelines" in found.resources and name in NOT_OF_PIPELINES:
            continue
        layer, _, table = name.partition(".")
        address = f"{schemas.get(layer, layer)}.`{table}`"
        rows: list[compare.Row] = []
        if layer not in schemas or not spark.catalog.tableExists(address):
            differences = ["there is no such table on Spark"]
        else:
            rows, local = compare.read_spark(spark.table(address)), compare.read_local(place)
            if name in once:
                local = list(
                    {str({key: row[key] for key in row if key not in compare.OF_RUNS}): row for row in local}.values()
                )
            differences = compare.differences(name, local, rows, places, ignored)
        is_equal &= not differences
        print(f"  {'differs' if differences else 'equal':<16} {name} ({len(rows)} rows)")
        for difference in differences[:12]:
            print(f"      {difference[:600]}")
    if "pipelines" in found.resources and "failed" not in workspace.report.states.values():
        is_equal &= _same_checks(spark, warehouse, schemas, places)
    # The next bundle's package may have the same name.
    for name in [name for name in sys.modules if name.endswith("_pipeline") or "_pipeline." in name]:
        del sys.modules[name]
    sys.stdout.flush()
    return is_equal


def tell(report: Report) -> None:
    """Says what became of the tasks."""
    for address, state in report.states.items():
        print(f"  {state:<16} {address} {report.errors.get(address, '')[:2000]}")
    if report.not_run:
        found = [(ONLY_ON_DATABRICKS.match(one), one) for one in report.not_run]
        kinds = collections.Counter((match[2] or match[1]).upper() if match else one for match, one in found)
        print("  not run, as only Databricks has it: " + ", ".join(f"{kind} ({n})" for kind, n in kinds.items()))


def _same_checks(spark: Any, warehouse: Path, schemas: dict[str, str], places: Any) -> bool:
    """Whether a pipeline's datasets of checks say what the newest run of the local engine found of them."""
    results = compare.read_local(warehouse / "quality" / "results")
    is_equal = True
    for layer, schema in schemas.items():
        tables = [row["tableName"] for row in spark.sql(f"SHOW TABLES IN {schema}").collect()]
        for table in sorted(one for one in tables if one.endswith("_checks")):
            rows = compare.read_spark(spark.table(f"{schema}.`{table}`"))
            name = f"{layer}.{table.removesuffix('_checks')}"
            columns, labels = set(rows[0]) - {"place"}, {row["label"] for row in rows}
            known = [row for row in results if row["table_name"] == name and row["label"] in labels]
            newest = max((row["checked_at"] for row in known), default=None)
            known = [row for row in known if row["run_id"] == _run_of(known, newest)]
            theirs = [{key: row[key] for key in columns} for row in rows]
            ours = [{key: row[key] for key in columns} for row in known]
            differences = compare.differences(f"{layer}.{table}", ours, theirs, places)
            is_equal &= not differences
            print(f"  {'differs' if differences else 'equal':<8} {layer}.{table} ({len(rows)} rows)")
            for difference in differences[:12]:
                print(f"           {difference}")
    return is_equal


def _run_of(results: list[dict[str, Any]], newest: Any) -> Any:
    return next((row["run_id"] for row in results if row["checked_at"] == newest), None)


if __name__ == "__main__":
    sys.exit(main())
