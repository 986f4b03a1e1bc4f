"""What a notebook says of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .checks import Check
from .files import Files


@dataclass(frozen=True)
class Column:
    """A promised column."""

    name: str
    data_type: str
    nullable: bool = True
    comment: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a table promises."""

    name: str
    columns: Sequence[Column]
    version: str | None = None
    on_cast_failure: str = "fail"
    """What happens to a row with a value that cannot be cast: `fail`, `drop`, `quarantine` or `warn`."""
    timezone: str = "UTC"
    """The zone of times that name none."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """Rows that a query gives."""

    sql: str
    """Its file below `src/sql`."""


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Rows of another table, cast to the contract's types, and what a query makes of them."""

    table: str
    sql: str | None = None
    """Its file below `src/sql`; it reads `cast_rows`."""


@dataclass(frozen=True, kw_only=True)
class Write:
    """How rows are stored."""

    mode: str = "overwrite"
    """`overwrite`, `append`, `merge` or `view`."""
    keys: Sequence[str] = ()
    cluster_by: Sequence[str] = ()
    partition_by: Sequence[str] = ()
    clusters_itself: bool = False
    """Whether Databricks chooses the columns by which rows lie near each other."""
    schema_evolution: str = "fail"
    """What may happen to stored columns that are not the declared ones: `fail`, `add_columns` or `evolve`."""
    sequence_by: Sequence[str] = ()
    """In a pipeline, what decides which of several rows with the same key is the newest."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A version of a model's dataset."""

    model: str
    version: int
    source_table: str
    features: Sequence[str]
    target: str
    definition: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, where its rows come from, and what must be true of them."""

    name: str
    """`layer.table`."""
    rows: Files | Query | Cast
    description: str = ""
    columns: Sequence[str] | None = None
    """Its columns, where they are not just the contract's."""
    ddl: str | None = None
    """The file below `src/sql` that makes the table."""
    contract: Contract | None = None
    checks: Sequence[Check] = ()
    private: Sequence[str] = ()
    """Columns whose values are not shown in results."""
    constraints: Mapping[str, str] = field(default_factory=dict)
    """CHECK constraints by name: conditions that every row keeps."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Properties of the Delta table, besides those about its contract."""
    write: Write = field(default_factory=Write)
    dataset: Dataset | None = None

    @property
    def own_columns(self) -> list[str] | None:
        """The table's columns in order; `None` where only its rows tell."""
        if self.columns is not None:
            return list(self.columns)
        return [column.name for column in self.contract.columns] if self.contract else None

    @property
    def own_properties(self) -> dict[str, str]:
        """The properties of the Delta table."""
        properties = dict(self.properties)
        if self.contract is not None:
            properties["medc.contract"] = self.contract.name
            if self.contract.version is not None:
                properties["medc.contract_version"] = self.contract.version
        return properties

    @property
    def quarantines(self) -> bool:
        """Whether rows may be set aside."""
        by_cast = self.contract is not None and self.contract.on_cast_failure == "quarantine"
        by_shape = isinstance(self.rows, Files) and self.rows.on_ragged_row == "quarantine"
        return by_cast or by_shape or any(check.on_violation == "quarantine" for check in self.checks)
