"""What marts rely on in the tables they read; `reliance_reader` reads it from expressions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import Copies
from marts.core.analysis.dependencies import Key
from marts.core.analysis.text_values import Name, TextColumn
from marts.core.analysis.value_lineage import RelationEdges


@dataclass(frozen=True)
class Condition:
    """A condition of a mart that compares a text column of a source with constants.

    `formatted` is the condition as its author might have written it.
    """

    mart: str
    column: TextColumn
    texts: tuple[str, ...]
    formatted: str


@dataclass(frozen=True)
class Lookup:
    """A join by which rows of one source look for a match among all rows of another."""

    mart: str
    source: str
    columns: tuple[str, ...]
    to_source: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True)
class UndeclaredConstant:
    """A constant that a mart compares columns with, but that is not among their declared values."""

    mart: str
    columns: tuple[Name, ...]
    text: str
    values: tuple[str, ...]
    op: ops.Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class ManyToManyJoin:
    """A join of a mart in which neither side is known to be unique by its keys."""

    mart: str
    left: str
    right: str
    columns: tuple[str, ...]
    left_keys: frozenset[Key]
    right_keys: frozenset[Key]
    op: ops.Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class SelfComparison:
    """A condition of a join that compares a column of one table with itself."""

    mart: str
    left: str
    right: str
    column: str
    op: ops.Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class MartReliance:
    """What one mart relies on by itself; `reads` has the columns of each table that it reads.

    This includes what its checks read.
    """

    reads: Mapping[str, frozenset[str]]
    conditions: tuple[Condition, ...]
    lookups: tuple[Lookup, ...]
    undeclared_constants: tuple[UndeclaredConstant, ...]
    many_to_many_joins: tuple[ManyToManyJoin, ...]
    self_comparisons: tuple[SelfComparison, ...] = ()


@dataclass(frozen=True)
class Reliance:
    """What each mart of a project relies on, and which columns it copies.

    `by_mart` and `inputs` are in build order.
    """

    by_mart: Mapping[str, MartReliance]
    copies: Mapping[Name, Name]
    """For each column of a mart that is a copy of a source's column, that column."""
    inputs: Mapping[str, tuple[str, ...]]
    lineage: Mapping[str, Copies] = field(default_factory=dict)
    """For each column of each mart, the columns of its inputs that it copies."""
    edges: Mapping[str, RelationEdges] = field(default_factory=dict, repr=False)
    """On what each mart depends in its inputs, whatever their keys are."""
    queries: Mapping[str, ops.Relation] = field(default_factory=dict, repr=False)
    """The query of each mart over its inputs, for any date."""

    def upstream(self, names: Collection[str]) -> tuple[str, ...]:
        """Return marts and all marts that they read, directly or through others, in build order."""
        needed = set(names)
        for name in reversed(tuple(self.by_mart)):
            if name in needed:
                needed.update(self.inputs[name])
        return tuple(name for name in self.by_mart if name in needed)

    def columns_of_sources(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """Return the columns of each source that marts rely on, directly or through marts."""
        found: dict[str, set[str]] = {}
        for name in self.upstream(names):
            for table, columns in self.by_mart[name].reads.items():
                if table not in self.by_mart:
                    found.setdefault(table, set()).update(columns)
        return {table: frozenset(columns) for table, columns in found.items()}
