"""What only Unity Catalog knows of tables: keys and tags, in files of their own.

In: the files `*.unity.sql` below `src/sql`, several statements each, in which `{layer}` stands for a layer's schema: not every clause
takes an `IDENTIFIER`. Out: the statements run, in the files' order by name; primary keys come before the foreign keys that
refer to them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .run import Run, read
from .statements import named, split


def apply_unity_statements(run: Run, tables: Sequence[str] = ()) -> None:
    """Runs those of `tables`, or of the task's, or of all: first those that make no reference to another table."""
    found = sorted(run.sql_folder.rglob("*.unity.sql"))
    known = dict.fromkeys(f"{file.parent.name}.{file.name.partition('.')[0]}" for file in found)
    wanted = tables or run.tables or list(known)
    files = [file for table in wanted if (file := run.file(f"{table.replace('.', '/', 1)}.unity.sql")).is_file()]
    statements = [statement for file in files for statement in split(read(file))]
    for statement in sorted(statements, key=lambda text: " FOREIGN KEY " in text):
        run.spark.sql(named(run, statement))
