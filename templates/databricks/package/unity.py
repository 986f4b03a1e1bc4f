"""What only Unity Catalog knows of tables: keys and tags, in files of their own.

In: the files `*.unity.sql` below `src/sql`, several statements each, in which `{layer}` stands for a layer's schema: not every clause
takes an `IDENTIFIER`. Out: the statements run, in the files' order by name; primary keys come before the foreign keys that
refer to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .run import Run

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|;""", re.DOTALL)


def apply_unity_statements(run: Run, tables: Sequence[str] = ()) -> None:
    """Runs those of `tables`, or of the task's, or of all: first those that make no reference to another table."""
    found = sorted(run.sql_folder.rglob("*.unity.sql"))
    known = dict.fromkeys(f"{file.parent.name}.{file.name.partition('.')[0]}" for file in found)
    wanted = tables or run.tables or list(known)
    files = [file for table in wanted if (file := run.file(f"{table.replace('.', '/', 1)}.unity.sql")).is_file()]
    statements = [statement for file in files for statement in split(file.read_text(encoding="utf-8"))]
    for statement in sorted(statements, key=lambda text: " FOREIGN KEY " in text):
        run.spark.sql(named(run, statement))


def named(run: Run, statement: str) -> str:
    """The statement with the layers' schemas in it. Names and literals are left as they are."""

    def replaced(token: re.Match[str]) -> str:
        return run.schema(token[1]) if token[1] else token[0]

    return re.sub(_TOKEN.pattern + r"|\{(\w+)\}", replaced, statement, flags=re.DOTALL)


def split(text: str) -> list[str]:
    """The statements of a text, which semicolons separate outside of quotes and comments."""
    statements, begin = [], 0
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            statements.append(text[begin : token.start()])
            begin = token.end()
    statements.append(text[begin:])
    return [statement.strip() for statement in statements if _says_something(statement)]


def _says_something(statement: str) -> bool:
    return bool(re.sub(r"--[^\n]*|/\*.*?\*/", "", statement, flags=re.DOTALL).strip())
