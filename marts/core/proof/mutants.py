"""Mutate a mart: change one operation of its expression at a time, like an author's mistake."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.graph import Graph

from marts.core.analysis.formatting import Formatter
from marts.core.analysis.trace import Trace
from marts.core.authoring.expressions import AsOf, FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError
from marts.core.proof.guarantees import NO_GUARANTEES, Guarantees, is_equivalent_join
from marts.core.proof.operators import REFUSALS, Mutation, Operator, Shown
from marts.core.proof.row_operators import ROW_OPERATORS
from marts.core.proof.value_operators import VALUE_OPERATORS
from marts.core.query.contract import cast_to, defaults_of
from marts.core.query.definition import defined_table
from marts.core.query.nulls import NotNull

Key = tuple[str, str, str, str]
OPERATORS = (*VALUE_OPERATORS, *ROW_OPERATORS)
"""Operators of the same name are the same kind of mistake in different operations."""


@dataclass(frozen=True)
class Change:
    """The smallest relation of the original that a mutation changes, and its replacement."""

    relations: tuple[ops.Relation, ...]
    """All relations of the original, each after those that it reads."""
    old: ops.Relation
    new: ops.Relation

    @property
    def original(self) -> ops.Relation:
        """What the author's function returns, with the contract's defaults."""
        return self.relations[-1]


@dataclass(frozen=True)
class Mutant:
    """A mart with one mutation: what is changed, on which of the author's lines, and the result."""

    mart: Mart
    operator: str
    before: str
    after: str
    location: str
    table: ir.Table = field(repr=False, compare=False)
    """What the author's function would return."""
    change: Change = field(repr=False, compare=False)

    @property
    def key(self) -> Key:
        """What identifies it, whatever the date: its mart, operator and texts."""
        return (self.mart.name, self.operator, self.before, self.after)

    @cached_property
    def query(self) -> ir.Table:
        """The query that would build the mart."""
        return conformed(self.mart, self.table)


@dataclass(frozen=True)
class RecordingAsOf(AsOf):
    """An as-of date that records which days are computed from it."""

    day: datetime.date
    days: set[datetime.date] = field(default_factory=set)

    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day this many days earlier, as a date literal."""
        self.days.add(self.day - datetime.timedelta(days=days))
        return FixedAsOf(self.day).minus(days=days)


@dataclass(frozen=True)
class Original:
    """A mart's expression with its defaults, but without its casts, and where it was written."""

    mart: Mart
    relations: tuple[ops.Relation, ...]
    parents: Mapping[ops.Node, tuple[ops.Node, ...]]
    locations: Mapping[ops.Node, str]
    lines: Mapping[str, str]
    """The first location of each value by its text, because Ibis rebuilds values elsewhere."""
    formatter: Formatter

    @property
    def op(self) -> ops.Relation:
        """What the author's function returns, with the contract's defaults."""
        return self.relations[-1]


def mutants_of(
    mart: Mart,
    tables: Mapping[str, ir.Table],
    as_of: FixedAsOf,
    *,
    guarantees: Guarantees = NO_GUARANTEES,
) -> tuple[Mutant, ...]:
    """Return the mutants of a mart that Ibis builds and the contract accepts, ordered by line.

    Their queries differ from each other and from the original. A mutant is identified by operator
    and text; from the second on, equal ones are numbered. `tables` are the mart's inputs, by name.
    A join is not replaced by one that is equivalent by the `guarantees`. Raises DefinitionError if
    the mart itself is not a valid expression.
    """
    original = _original(mart, tables, as_of, guarantees.not_null)
    found: dict[ops.Node, Mutant] = {}
    for op in original.parents:
        for mutant in _mutants_at(original, op, guarantees):
            found.setdefault(mutant.table.op(), mutant)
    found.pop(original.op, None)
    return tuple(_numbered(sorted(found.values(), key=_line)))


def conformed(mart: Mart, table: ir.Table) -> ir.Table:
    """Return the result of a mart's function, or of a mutant, cast to the mart's contract."""
    return cast_to(table, mart.columns, what=f"mart {mart.name}", location=mart.location)


def _original(
    mart: Mart, tables: Mapping[str, ir.Table], as_of: FixedAsOf, not_null: NotNull
) -> Original:
    recorded = RecordingAsOf(as_of.day)
    with Trace() as trace:
        table = defined_table(mart, tables, recorded)
    # The contract's defaults are written by the author, too, so they are mutated like the rest.
    defaults = defaults_of(table, mart.columns, not_null)
    conformed(mart, table)
    if defaults:
        table = table.mutate(**{name: op.to_expr() for name, op in defaults.items()})
        declared = {column.name: column.location for column in mart.columns}
        trace.locations |= {op: declared[name] for name, op in defaults.items()}
    op = _without_fill_null(table.op(), trace.locations)
    inputs = {tables[name].op() for name in mart.inputs}
    graph = Graph.from_bfs(op, filter=lambda each: each not in inputs)
    formatter = Formatter(as_of.day, frozenset(recorded.days))
    values = [
        (op, location) for op, location in trace.locations.items() if isinstance(op, ops.Value)
    ]
    lines = {formatter(op): location for op, location in reversed(values)}
    relations = tuple(op.find(ops.Relation, ordered=True))
    return Original(mart, relations, graph.invert(), trace.locations, lines, formatter)


def _without_fill_null(table: ops.Relation, locations: dict[ops.Node, str]) -> ops.Relation:
    """Return a relation with projections instead of `fill_null`, and add their locations."""

    def unfold(op: ops.Node, changed: dict[str, Any] | None) -> ops.Node:
        new = op.__recreate__(changed) if changed else op
        if isinstance(new, ops.FillNull):
            new = _filled(new)
        if new is not op and op in locations:
            inner = new.values.values() if isinstance(new, ops.Project) else ()
            locations.update(dict.fromkeys((new, *inner), locations[op]))
        return new

    return table.replace(unfold)


def _filled(op: ops.FillNull) -> ops.Project:
    """Return `fill_null` as a projection; a single value fills all nullable columns."""
    given = op.replacements
    if not isinstance(given, Mapping):
        given = {name: given for name, kind in op.schema.items() if kind.nullable}
    filled = {
        name: ops.Coalesce((column, given[name])) if name in given else column
        for name, column in op.parent.fields.items()
    }
    return ops.Project(op.parent, filled)


def _mutants_at(original: Original, op: ops.Node, guarantees: Guarantees) -> Iterator[Mutant]:
    """Yield a mutant for each mutation of one operation."""
    above = _above(op, original.parents)
    old = _enclosing_relation(original, op)
    for operator, mutation in _mutations_of(op):
        if is_equivalent_join(op, mutation.op, guarantees):
            continue
        with suppress(*REFUSALS, DefinitionError):
            new = old.replace({op: mutation.op}, filter=above.__contains__)
            table = ir.Table(original.op.replace({old: new}, filter=above.__contains__))
            if table.schema() != original.op.schema:
                conformed(original.mart, table)
            yield Mutant(
                original.mart,
                operator.name,
                _text(original.formatter, mutation.before or (op,)),
                _text(original.formatter, mutation.after or (mutation.op,)),
                _location(original, mutation.at or op, old),
                table,
                Change(original.relations, old, new),
            )


def _mutations_of(op: ops.Node) -> Iterator[tuple[Operator, Mutation]]:
    for operator in OPERATORS:
        if isinstance(op, operator.applies_to):
            with suppress(*REFUSALS):
                yield from ((operator, mutation) for mutation in operator.mutations(op))


def _above(op: ops.Node, parents: Mapping[ops.Node, Iterable[ops.Node]]) -> set[ops.Node]:
    """Return an operation and all operations that depend on it."""
    found, new = set[ops.Node](), {op}
    while new:
        found |= new
        new = {parent for each in new for parent in parents[each]} - found
    return found


def _enclosing_relation(original: Original, op: ops.Node) -> ops.Relation:
    """Return the relation that an operation belongs to, or the whole mart if there are several."""
    found, new = set[ops.Relation](), {op}
    while new:
        found |= {each for each in new if isinstance(each, ops.Relation)}
        new = {parent for each in new - found for parent in original.parents[each]}
    return found.pop() if len(found) == 1 else original.op


def _location(original: Original, op: ops.Node, within: ops.Relation) -> str:
    """Return the author's line that built an operation, rather than one that used it."""
    used = original.locations.get(within, original.mart.location)
    location = original.locations.get(op, used)
    if location == used and isinstance(op, ops.Value):
        return original.lines.get(original.formatter(op), location)
    return location


def _text(formatter: Formatter, shown: Shown) -> str:
    return "".join(part if isinstance(part, str) else formatter(part) for part in shown)


def _line(mutant: Mutant) -> tuple[str, int]:
    file, _, line = mutant.location.rpartition(":")
    return file, int(line)


def _numbered(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    met = Counter[tuple[str, str, str]]()
    for mutant in mutants:
        key = (mutant.operator, mutant.before, mutant.after)
        met[key] += 1
        yield replace(mutant, before=f"{mutant.before} ({met[key]})") if met[key] > 1 else mutant
