"""The files in `fixtures` are read into the columns and types that their tables promise.

They are made of the contracts. Put rows as they are really delivered in their place: a column that is called otherwise, or a value that is no
such type, is then found here and not in production.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, n_rows
from package import Files, Run, Table, build

FIXTURES = sorted(path for path in (ROOT / "fixtures").glob("*") if path.suffix in (".csv", ".jsonl"))


@pytest.mark.parametrize("path", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_a_delivered_file_is_read_whole(run: Run, tables: dict[str, Table], path: Path, tmp_path: Path) -> None:
    table = next(table for name, table in tables.items() if name.replace(".", "_", 1) == path.stem)
    assert isinstance(table.rows, Files)
    delivered = tmp_path / path.name
    delivered.write_bytes(path.read_text(encoding="utf-8").encode(table.rows.encoding))
    # What a check says of so few rows means nothing; whether it can be evaluated does.
    checks = [replace(check, on_violation="warn") for check in table.checks]
    build(replace(table, checks=checks), replace(run, path=str(delivered)))
    assert run.spark.table(run.name(table.name)).count() == n_rows(run.spark, table.rows, delivered)
