"""Writes the projects that only the tests have: nasty texts, and the examples with an environment on Databricks.

Usage: projects.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import casts

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SOURCES = {
    "append_files": {"bronze.orders": "orders"},
    "json_lines": {"bronze.events": "events.jsonl"},
    "merge_and_view": {"bronze.customers": "customers.csv"},
}


def main(folder: Path) -> None:
    """Writes them all."""
    casts.write(folder / "casts")
    for name, sources in SOURCES.items():
        shutil.copytree(EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns(".medc"))
        on_databricks(folder / name / "medc.yml", name, sources)


def on_databricks(path: Path, name: str, sources: dict[str, str]) -> None:
    """Adds an environment `prod` in which an example's files lie in the volume `/Volumes/<name>`."""
    local = "  local: {engine: local, warehouse: .medc/warehouse}\n"
    text = path.read_text(encoding="utf-8")
    assert local in text, path
    tables = ", ".join(f"{table}: {{source: {{path: /Volumes/{name}/{file}}}}}" for table, file in sources.items())
    text = text.replace(
        local,
        "  local: {default: true, engine: local, warehouse: .medc/warehouse}\n"
        f"  prod: {{engine: databricks, catalog: {name}, workspace: {{host: https://example.cloud.databricks.com}}, "
        f"tables: {{{tables}}}}}\n",
    )
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
