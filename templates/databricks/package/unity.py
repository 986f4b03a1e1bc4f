"""What only Unity Catalog knows of tables: keys and tags, in files of their own.

In: the files `*.unity.sql` below `src/sql`, several statements each. Out: the statements run, in the files' order by name; primary
keys come before the foreign keys that refer to them.
"""

from __future__ import annotations

import re

from .run import Run

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|;""", re.DOTALL)


def apply_unity_statements(run: Run) -> None:
    """Runs them all: first those that make no reference to another table."""
    statements = [
        statement
        for file in sorted(run.sql_folder.rglob("*.unity.sql"))
        for statement in split(file.read_text(encoding="utf-8"))
    ]
    for statement in sorted(statements, key=lambda text: "FOREIGN KEY" in text.upper()):
        run.sql(statement)


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
