"""The texts that a value can have: the source columns they come from, and the declared values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import ibis.expr.operations as ops

from marts.core.analysis.lineage import resolved
from marts.core.analysis.nodes import alternatives
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Declarations

Name: TypeAlias = tuple[str, str]
"""A table and one of its columns."""


TEXT_FUNCTIONS: Mapping[type[ops.Node], str] = {
    ops.Lowercase: "lower",
    ops.Uppercase: "upper",
    ops.Strip: "strip",
    ops.LStrip: "lstrip",
    ops.RStrip: "rstrip",
}
"""Functions that a mart may apply to a text, with the name that they have in Python and Ibis."""

CHOOSING = (ops.Max, ops.Min, ops.Arbitrary, ops.First, ops.Last, ops.Mode)
"""Functions that return one of the values of their argument."""


@dataclass(frozen=True)
class TextColumn:
    """A text column of a source as a mart compares it: after these functions, in this order."""

    table: str
    column: str
    functions: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownTexts:
    """All texts that a value can have, and the columns that declare them."""

    texts: frozenset[str] = frozenset()
    columns: frozenset[Name] = frozenset()


class TextLineage:
    """Traces texts through the queries of marts to the columns of sources."""

    def __init__(self, project: Declarations, queries: Mapping[str, ops.Relation]) -> None:
        self.project = project
        self.queries = queries
        tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
        self.declared: dict[Name, frozenset[str]] = {
            (table.name, column.name): frozenset(column.values)
            for table in tables
            for column in table.columns
            if column.values
        }

    def columns_of(self, value: ops.Value) -> set[TextColumn]:
        """Return the source columns from which the texts of a value come."""
        if name := TEXT_FUNCTIONS.get(type(value)):
            found = self.columns_of(value.arg)
            return {replace(each, functions=(*each.functions, name)) for each in found}
        if isinstance(value, ops.Field):
            several = map(self._columns_of_resolved, _resolved_sides(value))
        else:
            several = map(self.columns_of, _alternatives(value))
        return set[TextColumn]().union(*several)

    def _columns_of_resolved(self, value: ops.Value) -> set[TextColumn]:
        if not isinstance(value, ops.Field):
            return self.columns_of(value)
        table = getattr(value.rel, "name", None)
        if table is None:
            return set()
        if table in self.queries:
            return self.columns_of(ops.Field(self.queries[table], value.name))
        if table in self.project.sources and value.dtype.is_string():
            return {TextColumn(table, value.name)}
        return set()

    def values_of(self, value: ops.Value) -> KnownTexts | None:
        """Return all texts that a value can have; None if they are not known."""
        if name := TEXT_FUNCTIONS.get(type(value)):
            found = self.values_of(value.arg)
            if found is None:
                return None
            return replace(found, texts=frozenset(getattr(text, name)() for text in found.texts))
        match value:
            case ops.Literal(value=None):
                return KnownTexts()
            case ops.Literal(value=str() as text):
                return KnownTexts(frozenset({text}))
            case ops.Field():
                several = [self._values_of_column(each) for each in _resolved_sides(value)]
            case _:
                several = [self.values_of(each) for each in _alternatives(value)]
        known = [each for each in several if each is not None]
        if not known or len(known) < len(several):
            return None
        return KnownTexts(
            frozenset[str]().union(*(each.texts for each in known)),
            frozenset[Name]().union(*(each.columns for each in known)),
        )

    def _values_of_column(self, value: ops.Value) -> KnownTexts | None:
        if not isinstance(value, ops.Field):
            return self.values_of(value)
        name = (str(getattr(value.rel, "name", "")), value.name)
        if name in self.declared:
            return KnownTexts(self.declared[name], frozenset({name}))
        if name[0] in self.queries:
            return self.values_of(ops.Field(self.queries[name[0]], value.name))
        return None


def _resolved_sides(value: ops.Field) -> list[ops.Value]:
    """Return the expression that computes a column, or one for each side of a union."""
    found = resolved(value)
    if isinstance(found, ops.Field) and isinstance(found.rel, ops.Set):
        sides = (found.rel.left, found.rel.right)
        return [each for side in sides for each in _resolved_sides(ops.Field(side, found.name))]
    return [found]


def _alternatives(value: ops.Value) -> tuple[ops.Value, ...]:
    """Return the values one of which a text always is; none if they are not known."""
    match value:
        case ops.Cast(arg=arg, to=to):
            return (arg,) if to.is_string() and arg.dtype.is_string() else ()
        case ops.WindowFunction():
            return _alternatives(value.func)
        case ops.Lag() | ops.Lead():
            return (value.arg, *([value.default] if value.default else []))
        case _ if isinstance(value, CHOOSING):
            return (value.arg,)
        case _:
            return alternatives(value)
