"""The keys that a project declares for its tables: grains, and uniqueness that checks enforce."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from marts.core.analysis.dependencies import Key
from marts.core.authoring.checks import UniqueCheck
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Declarations


@dataclass(frozen=True)
class DeclaredKeys:
    """The declared keys of tables, by the name of the table."""

    of_all_rows: Mapping[str, frozenset[Key]] = field(default_factory=dict)
    of_some_rows: Mapping[str, tuple[UniqueCheck, ...]] = field(default_factory=dict)
    """Keys of the rows for which the check's condition holds."""


def declared_keys(project: Declarations) -> DeclaredKeys:
    """Return the keys that each source and mart declares.

    Uniqueness that only warns, or lets rows pass, is not a key.
    """
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    return DeclaredKeys(
        {table.name: frozenset(_keys_of_all_rows(table)) for table in tables},
        {
            table.name: tuple(each for each in _enforced(table) if each.where is not None)
            for table in tables
        },
    )


def _keys_of_all_rows(table: Source | Mart) -> Iterator[Key]:
    if table.grain:
        yield frozenset(table.grain)
    yield from (frozenset({column.name}) for column in table.columns if column.unique)
    yield from (frozenset(check.columns) for check in _enforced(table) if check.where is None)


def _enforced(table: Source | Mart) -> Iterator[UniqueCheck]:
    for check in table.checks:
        if isinstance(check, UniqueCheck) and check.severity == "error" and not check.threshold:
            yield check
