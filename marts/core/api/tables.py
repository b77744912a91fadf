"""Tables of Python: rows of a mart, the marts of a project, their SQL."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from marts.core.api.html import table_html, text_html
from marts.core.authoring.tables import Mart, checks_of
from marts.core.console.listing import listing
from marts.core.console.terminal import numbers_in, rows_note, shown, table_text
from marts.core.errors import UsageError
from marts.core.operations.compile import Compilation
from marts.core.operations.show import Rows as FoundRows
from marts.core.query.contract import schema_of


class Rows(Sequence[Mapping[str, Any]]):
    """Rows of a mart, each a mapping by column; it prints as a table.

    `total` is how many rows meet the condition, `len()` how many of them were read.
    """

    def __init__(self, found: FoundRows) -> None:
        self.mart = found.mart.name
        self.columns = found.columns
        self.total = found.total
        self._rows = [dict(row) for row in found.rows]
        self._contract = {column.name: column for column in found.mart.columns}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table, with the types of the mart's contract."""
        schema = schema_of(self._contract[name] for name in self.columns).to_pyarrow()
        return pa.Table.from_pylist(self._rows, schema=schema)

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame; raise UsageError if pandas is not installed."""
        try:
            return self.to_arrow().to_pandas()
        except ModuleNotFoundError as error:
            raise UsageError(
                "to_pandas() needs pandas", str(error), hint="pip install pandas, or to_arrow()"
            ) from error

    def __repr__(self) -> str:
        table = table_text(self.columns, self._cells(), numbers=self._numbers())
        return "\n".join(filter(None, [table, self._note()]))

    def _repr_html_(self) -> str:
        return table_html(self.columns, self._cells(), numbers=self._numbers(), note=self._note())

    def _cells(self) -> list[list[str]]:
        return [[shown(value) for value in row.values()] for row in self._rows]

    def _numbers(self) -> frozenset[int]:
        return numbers_in(self._rows)

    def _note(self) -> str | None:
        return rows_note(len(self._rows), self.total)


@dataclass(frozen=True)
class MartInfo:
    """What a mart declares."""

    name: str
    description: str
    kind: str
    """How it is stored: table, view or temporary."""
    grain: tuple[str, ...]
    columns: Mapping[str, str]
    """The type by column."""
    tags: tuple[str, ...]
    checks: tuple[str, ...]
    inputs: tuple[str, ...]
    """The sources and marts that it reads."""
    location: str
    """File and line."""


def _info(mart: Mart) -> MartInfo:
    return MartInfo(
        name=mart.name,
        description=mart.comment,
        kind=mart.materialized,
        grain=mart.grain,
        columns={column.name: column.type for column in mart.columns},
        tags=mart.tags,
        checks=tuple(check.name for check in checks_of(mart)),
        inputs=mart.inputs,
        location=mart.location,
    )


class Marts(Mapping[str, MartInfo]):
    """The marts of a project by name, in the order in which they are built; prints as a table."""

    def __init__(self, marts: Sequence[Mart]) -> None:
        self._infos = {mart.name: _info(mart) for mart in marts}
        self._heads, self._rows = listing(marts)

    def __getitem__(self, name: str) -> MartInfo:
        return self._infos[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __repr__(self) -> str:
        return table_text(self._heads, self._rows)

    def _repr_html_(self) -> str:
        return table_html(self._heads, self._rows)


class CompiledMarts(Mapping[str, str]):
    """The SQL by mart, in the order in which they are built; prints as `marts compile` does."""

    def __init__(self, made: Compilation) -> None:
        self.as_of: datetime.date = made.as_of
        self.warnings: tuple[str, ...] = tuple(str(finding) for finding in made.findings)
        """What engines would compute differently."""
        self._made = made

    def __getitem__(self, mart: str) -> str:
        return self._made.statements[mart]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made.statements)

    def __len__(self) -> int:
        return len(self._made.statements)

    def __repr__(self) -> str:
        return self._made.text

    def _repr_html_(self) -> str:
        return text_html(self._made.text)
