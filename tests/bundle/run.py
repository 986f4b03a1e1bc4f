"""Runs an emitted bundle on open-source Spark and compares every table with what `medc apply` made of the same input."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spark")]

import compare  # noqa: E402
import configuration  # noqa: E402
from session import session  # noqa: E402
from workspace import Workspace  # noqa: E402


NOT_OF_PIPELINES = ("quality.results", "ml_registry.model_versions")
"""A pipeline has its event log for them."""


def main() -> int:
    """Runs the bundles that the command line names; 0 if all tables are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="where Spark keeps its tables")
    parser.add_argument(
        "--bundle",
        nargs=4,
        action="append",
        metavar=("PROJECT", "FOLDER", "TARGET", "WAREHOUSE"),
        required=True,
        help="a project's folder, its bundle's, the target to run, and the warehouse of `medc apply`",
    )
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable of the bundle")
    parser.add_argument("--ignore", action="append", default=[], metavar="TABLE.COLUMN", help="a column not to compare")
    options = parser.parse_args()
    spark = session(options.work)
    spark.sparkContext.setLogLevel("OFF")
    variables = dict(one.split("=", 1) for one in options.var)
    is_equal = True
    for project, folder, target, warehouse in options.bundle:
        is_equal &= run_bundle(
            spark,
            Path(project).resolve(),
            Path(folder).resolve(),
            target,
            Path(warehouse),
            options.work,
            variables,
            options.ignore,
        )
    spark.stop()
    return 0 if is_equal else 1


def run_bundle(
    spark: Any,
    project: Path,
    folder: Path,
    target: str,
    warehouse: Path,
    work: Path,
    given: dict[str, str],
    ignored: list[str],
) -> bool:
    """Runs one bundle and compares its tables; whether they are equal."""
    known = {name for name in configuration.read_variables(folder)}
    found = configuration.read(folder, target, {name: value for name, value in given.items() if name in known})
    workspace = Workspace(spark, found, project, work / "volumes")
    workspace.create_schemas()
    workspace.run_all()
    print(f"{folder.name} of {project.name}, target {target}")
    for address, state in workspace.report.states.items():
        print(f"  {state:<16} {address} {workspace.report.errors.get(address, '')[:2000]}")
    if workspace.report.not_run:
        print(f"  not run, as only Databricks has it ({len(workspace.report.not_run)}):")
        for statement in sorted({one[:110] for one in workspace.report.not_run}):
            print(f"    {statement}")
    is_equal = True
    schemas = {
        key: f"`{schema['catalog_name']}`.`{schema['name']}`"
        for key, schema in found.resources.get("schemas", {}).items()
    }
    for name, place in compare.local_tables(warehouse).items():
        if "pipelines" in found.resources and name in NOT_OF_PIPELINES:
            continue
        layer, _, table = name.partition(".")
        address = f"{schemas.get(layer, layer)}.`{table}`"
        if layer not in schemas or not spark.catalog.tableExists(address):
            differences = ["there is no such table on Spark"]
            rows = []
        else:
            rows = compare.read_spark(spark.table(address))
            differences = compare.differences(name, compare.read_local(place), rows, project, ignored)
        is_equal &= not differences
        print(f"  {'differs' if differences else 'equal':<8} {name} ({len(rows)} rows)")
        for difference in differences[:12]:
            print(f"           {difference[:600]}")
    for name in [name for name in sys.modules if name.endswith("_pipeline") or "_pipeline." in name]:
        del sys.modules[name]
    return is_equal


if __name__ == "__main__":
    sys.exit(main())
