"""SQL as text: literals, several statements in a file, and tables' names in statements that take no parameters.

In: texts of files and of descriptions. Out: texts for Spark that mean the same. Text literals, quoted names and comments are left as they
are, whatever stands in them.
"""

from __future__ import annotations

import re

from .run import Run

_TOKEN = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/"""
_TABLE = r"IDENTIFIER\(:(?:`(?P<quoted>(?:[^`]|``)+)`|(?P<plain>\w+)) \|\| '(?P<rest>\.(?:[^'\\]|\\.)*)'\)"


def literal(value: str) -> str:
    """A text in SQL. Spark would put settings and process variables in the place of a `${…}`."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "$\\{")
    return f"'{escaped}'"


def named(run: Run, statement: str) -> str:
    """The statement with the layers' schemas in the place of `{layer}`."""

    def replaced(token: re.Match[str]) -> str:
        return run.schema(token[1]) if token[1] else token[0]

    return re.sub(_TOKEN + r"|\{(\w+)\}", replaced, statement, flags=re.DOTALL)


def literal_names(run: Run, query: str) -> str:
    """A query with its tables named as they are now in the place of `IDENTIFIER(:layer || '.table')`."""

    def replaced(token: re.Match[str]) -> str:
        if token["rest"] is None:
            return token[0]
        layer = token["plain"] or token["quoted"].replace("``", "`")
        return run.schema(layer) + token["rest"]

    return re.sub(f"{_TABLE}|{_TOKEN}", replaced, query, flags=re.DOTALL)


def split(text: str) -> list[str]:
    """The statements of a text, which semicolons separate."""
    statements, begin = [], 0
    for token in re.finditer(_TOKEN + "|;", text, re.DOTALL):
        if token[0] == ";":
            statements.append(text[begin : token.start()])
            begin = token.end()
    statements.append(text[begin:])
    return [statement.strip() for statement in statements if _says_something(statement)]


def _says_something(statement: str) -> bool:
    return bool(re.sub(r"--[^\n]*|/\*.*?\*/", "", statement, flags=re.DOTALL).strip())
