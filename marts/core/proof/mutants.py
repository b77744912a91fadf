"""Mutate a mart: plant one defect at a time in its expression, as a slip of its author would."""

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

from marts.core.analysis.formatting import Speller
from marts.core.analysis.trace import Trace
from marts.core.authoring.expressions import AsOf, FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError
from marts.core.proof.operators import REFUSALS, Defect, Operator, Shown
from marts.core.proof.promises import NOTHING_PROMISED, Promises, is_same_by_promise
from marts.core.proof.row_operators import ROW_OPERATORS
from marts.core.proof.value_operators import VALUE_OPERATORS
from marts.core.query.contract import cast_to, defaults_of
from marts.core.query.definition import defined_table
from marts.core.query.nulls import Filled

OPERATORS = (*VALUE_OPERATORS, *ROW_OPERATORS)
"""Several operators of one name are one kind of slip in different operations."""


@dataclass(frozen=True)
class Change:
    """The smallest relation of a mart's original that a defect changes, and what it is then."""

    relations: tuple[ops.Relation, ...]
    """All of the original's, each behind those that it reads."""
    old: ops.Relation
    new: ops.Relation

    @property
    def original(self) -> ops.Relation:
        """What the author's function returns, with the contract's defaults."""
        return self.relations[-1]


@dataclass(frozen=True)
class Mutant:
    """A mart with one defect: which, where the author's line is, and what it makes of the mart."""

    mart: Mart
    operator: str
    before: str
    after: str
    location: str
    table: ir.Table = field(repr=False, compare=False)
    """What the author's function would return."""
    change: Change = field(repr=False, compare=False)

    @cached_property
    def query(self) -> ir.Table:
        """The query that would build the mart."""
        return conformed(self.mart, self.table)


@dataclass(frozen=True)
class NotedAsOf(AsOf):
    """An as-of date that notes which days are reckoned from it."""

    day: datetime.date
    days: set[datetime.date] = field(default_factory=set)

    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days earlier, as a date literal."""
        self.days.add(self.day - datetime.timedelta(days=days))
        return FixedAsOf(self.day).minus(days=days)


@dataclass(frozen=True)
class Original:
    """A mart's expression with its defaults, before its casts: operations, and their lines."""

    mart: Mart
    relations: tuple[ops.Relation, ...]
    parents: Mapping[ops.Node, tuple[ops.Node, ...]]
    locations: Mapping[ops.Node, str]
    lines: Mapping[str, str]
    """The first place of each text: of values that Ibis built anew for another relation."""
    speller: Speller

    @property
    def op(self) -> ops.Relation:
        """What the author's function returns."""
        return self.relations[-1]


def mutants_of(
    mart: Mart,
    tables: Mapping[str, ir.Table],
    as_of: FixedAsOf,
    *,
    promises: Promises = NOTHING_PROMISED,
) -> tuple[Mutant, ...]:
    """Return every mutant of a mart that Ibis builds and its contract takes, by the author's lines.

    No two have one query, and none has the original's; no two have one operator and text: what
    occurs several times is numbered from the second on. `tables` are its inputs, by name. A join
    that differs only where the project's checks publish nothing (see `promises_of`) is no mutant.
    Raises DefinitionError where the mart itself is not a valid expression.
    """
    original = _original(mart, tables, as_of, promises.filled)
    found: dict[ops.Node, Mutant] = {}
    for op in original.parents:
        for mutant in _planted(original, op, promises):
            found.setdefault(mutant.table.op(), mutant)
    found.pop(original.op, None)
    return tuple(_numbered(sorted(found.values(), key=_line)))


def conformed(mart: Mart, table: ir.Table) -> ir.Table:
    """Return what a mart's function returns, or would, with its defaults, cast to its contract."""
    return cast_to(table, mart.columns, what=f"mart {mart.name}", location=mart.location)


def _original(
    mart: Mart, tables: Mapping[str, ir.Table], as_of: FixedAsOf, filled: Filled
) -> Original:
    noted = NotedAsOf(as_of.day)
    with Trace() as trace:
        table = defined_table(mart, tables, noted)
    # The contract's defaults are the author's, too: here they are operations like all others.
    defaults = defaults_of(table, mart.columns, filled)
    conformed(mart, table)
    if defaults:
        table = table.mutate(**{name: op.to_expr() for name, op in defaults.items()})
        declared = {column.name: column.location for column in mart.columns}
        trace.locations |= {op: declared[name] for name, op in defaults.items()}
    op = _unfolded(table.op(), trace.locations)
    inputs = {tables[name].op() for name in mart.inputs}
    graph = Graph.from_bfs(op, filter=lambda each: each not in inputs)
    speller = Speller(as_of.day, frozenset(noted.days))
    values = [
        (op, location) for op, location in trace.locations.items() if isinstance(op, ops.Value)
    ]
    lines = {speller(op): location for op, location in reversed(values)}
    relations = tuple(op.find(ops.Relation, ordered=True))
    return Original(mart, relations, graph.invert(), trace.locations, lines, speller)


def _unfolded(table: ops.Relation, locations: dict[ops.Node, str]) -> ops.Relation:
    """Return a relation whose `fill_null` is operations like all others; add their places."""

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
    """Return what fills nulls as a projection; a single value fills all columns with nulls."""
    given = op.replacements
    if not isinstance(given, Mapping):
        given = {name: given for name, kind in op.schema.items() if kind.nullable}
    filled = {
        name: ops.Coalesce((column, given[name])) if name in given else column
        for name, column in op.parent.fields.items()
    }
    return ops.Project(op.parent, filled)


def _planted(original: Original, op: ops.Node, promises: Promises) -> Iterator[Mutant]:
    """Yield the original with each defect that one of its operations can have."""
    above = _above(op, original.parents)
    old = _smallest_relation(original, op)
    for operator, defect in _defects_of(op):
        if is_same_by_promise(op, defect.op, promises):
            continue
        with suppress(*REFUSALS, DefinitionError):
            new = old.replace({op: defect.op}, filter=above.__contains__)
            table = ir.Table(original.op.replace({old: new}, filter=above.__contains__))
            if table.schema() != original.op.schema:
                conformed(original.mart, table)
            yield Mutant(
                original.mart,
                operator.name,
                _text(original.speller, defect.before or (op,)),
                _text(original.speller, defect.after or (defect.op,)),
                _place(original, defect.at or op, old),
                table,
                Change(original.relations, old, new),
            )


def _defects_of(op: ops.Node) -> Iterator[tuple[Operator, Defect]]:
    for operator in OPERATORS:
        if isinstance(op, operator.looks_at):
            with suppress(*REFUSALS):
                yield from ((operator, defect) for defect in operator.defects(op))


def _above(op: ops.Node, parents: Mapping[ops.Node, Iterable[ops.Node]]) -> set[ops.Node]:
    """Return an operation, and all that are computed from it."""
    found, new = set[ops.Node](), {op}
    while new:
        found |= new
        new = {parent for each in new for parent in parents[each]} - found
    return found


def _smallest_relation(original: Original, op: ops.Node) -> ops.Relation:
    """Return the relation that an operation is part of; of several, all the mart."""
    found, new = set[ops.Relation](), {op}
    while new:
        found |= {each for each in new if isinstance(each, ops.Relation)}
        new = {parent for each in new - found for parent in original.parents[each]}
    return found.pop() if len(found) == 1 else original.op


def _place(original: Original, op: ops.Node, within: ops.Relation) -> str:
    """Return the author's line of an operation: where it was built, not where it was put to use."""
    used = original.locations.get(within, original.mart.location)
    location = original.locations.get(op, used)
    if location == used and isinstance(op, ops.Value):
        return original.lines.get(original.speller(op), location)
    return location


def _text(speller: Speller, shown: Shown) -> str:
    return "".join(part if isinstance(part, str) else speller(part) for part in shown)


def _line(mutant: Mutant) -> tuple[str, int]:
    file, _, line = mutant.location.rpartition(":")
    return file, int(line)


def _numbered(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    met = Counter[tuple[str, str, str]]()
    for mutant in mutants:
        key = (mutant.operator, mutant.before, mutant.after)
        met[key] += 1
        yield replace(mutant, before=f"{mutant.before} ({met[key]})") if met[key] > 1 else mutant
