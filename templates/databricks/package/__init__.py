"""Tables of a lakehouse: what each is, and how it is built."""

from .build import ChecksFailed, build
from .checks import (
    Aggregate,
    Bins,
    Categories,
    ChiSquared,
    ColumnsMatch,
    Distribution,
    Holds,
    JensenShannon,
    KolmogorovSmirnov,
    KullbackLeibler,
    Psi,
    References,
    Row,
    TableColumn,
    Unique,
    Violations,
    Window,
)
from .databases import Database, Secret
from .files import Files, SourceError
from .publish import PublishError
from .run import Run
from .table import Cast, Column, Contract, Dataset, Query, Table, Write
from .unity import apply_unity_statements

__all__ = [
    "Aggregate",
    "Bins",
    "Cast",
    "Categories",
    "ChecksFailed",
    "ChiSquared",
    "Column",
    "ColumnsMatch",
    "Contract",
    "Database",
    "Dataset",
    "Distribution",
    "Files",
    "Holds",
    "JensenShannon",
    "KolmogorovSmirnov",
    "KullbackLeibler",
    "Psi",
    "PublishError",
    "Query",
    "References",
    "Row",
    "Run",
    "Secret",
    "SourceError",
    "Table",
    "TableColumn",
    "Unique",
    "Violations",
    "Window",
    "Write",
    "apply_unity_statements",
    "build",
]
