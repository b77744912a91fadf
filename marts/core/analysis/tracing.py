"""Trace one row of a mart: the rows of its sources that one of its columns is computed from.

The condition that selects the row is pushed down through the query to the tables that it reads,
as `where` clauses would be: through projections and groups by their expressions, and to the other
sides of joins as conditions on the columns that must be equal. Computing the mart from the rows
found gives the same value as computing it from all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.casts import unwrapped
from marts.core.analysis.declared_keys import DeclaredKeys, declared_keys
from marts.core.analysis.needed_columns import (
    Joins,
    Needed,
    is_surrogate,
    mart_of,
    needed_columns,
    relations_of,
)
from marts.core.analysis.nodes import conjuncts
from marts.core.analysis.selections import as_selections
from marts.core.analysis.trace_conditions import (
    Condition,
    Conditions,
    all_of,
    any_of,
    chosen,
    is_impossible,
    member,
    on,
    subject,
    text_of,
    windows_in,
)
from marts.core.analysis.trace_joins import optional, pushed_to_sides, side_of
from marts.core.project.loading import Declarations
from marts.core.query.nulls import NotNull, declared_not_null


@dataclass(frozen=True)
class Extent:
    """Which rows count as behind a number.

    Without `filtered`, rows that a filter of a mart drops count, too. With `narrowed`, rows that a
    condition within an aggregate leaves out do not count.
    """

    filtered: bool = True
    narrowed: bool = False


@dataclass(frozen=True)
class Trace:
    """The rows behind one value: a query of each source that has any, by its name.

    `columns` are those of each source on which the value depends in any way.
    """

    rows: Mapping[str, ir.Table]
    columns: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Untraceable:
    """Why the rows behind a value cannot be told from others."""

    reason: str


Key = Mapping[str, object]
"""The values of the columns that identify a row."""


@dataclass(frozen=True)
class Tracing:
    """Traces values of a mart; `query` is its query with the marts that it reads inlined."""

    project: Declarations
    query: ir.Table

    @cached_property
    def relation(self) -> ops.Relation:
        """The query, with selections written as such."""
        found: ops.Relation = as_selections(self.query.op())
        return found

    @cached_property
    def joins(self) -> Joins:
        """Which joins of the query can remove or repeat rows."""
        return Joins(self.relation, self.keys)

    @cached_property
    def keys(self) -> DeclaredKeys:
        """The declared keys of the tables."""
        return declared_keys(self.project)

    @cached_property
    def not_null(self) -> NotNull:
        """The declared columns that are never null."""
        return declared_not_null(self.project)

    def trace(self, column: str, key: Key, extent: Extent) -> Trace | Untraceable:
        """Return the rows of sources behind a column of the row with the values of `key`.

        A source without rows behind the value may be left out.
        """
        try:
            needed = needed_columns(self.relation, [column, *key], self.joins)
            tracer = _Tracer(self, needed, extent)
            return Trace(tracer.rows(key), tracer.columns())
        except _StoppedError as stopped:
            return Untraceable(str(stopped))


class _StoppedError(Exception):
    """Rows cannot be traced through an operation."""


@dataclass
class _Tracer:
    tracing: Tracing
    needed: Needed
    extent: Extent
    wanted: dict[ops.Relation, list[Conditions]] = field(default_factory=dict)
    owner: dict[ops.Relation, str] = field(default_factory=dict)

    @property
    def query(self) -> ops.Relation:
        """The mart's query over the sources."""
        return self.tracing.relation

    @property
    def joins(self) -> Joins:
        """Which joins can remove or repeat rows."""
        return self.tracing.joins

    @property
    def not_null(self) -> NotNull:
        """The declared columns that are never null."""
        return self.tracing.not_null

    def rows(self, key: Key) -> dict[str, ir.Table]:
        found: dict[str, ir.Table] = {}
        self.ask(self.query, [_equals(ops.Field(self.query, n), v) for n, v in key.items()])
        for rel in relations_of(self.query):
            alternatives = self.wanted.get(rel)
            if alternatives is None:
                continue
            if isinstance(rel, ops.UnboundTable):
                found[rel.name] = any_of(rel, alternatives).to_expr()
                continue
            rule = next((rule for kinds, rule in RULES if isinstance(rel, kinds)), _refuse)
            for conditions in alternatives:
                rule(self, rel, conditions)
        return found

    def columns(self) -> dict[str, frozenset[str]]:
        """Return the needed columns of each source."""
        tables = self.query.find(ops.UnboundTable)
        return {table.name: frozenset(self.needed.get(table, ())) for table in tables}

    def ask(self, rel: ops.Relation, conditions: Iterable[Condition], by: Any = None) -> None:
        """Want those rows of a relation that meet some conditions."""
        # The same condition may come in another order by another path.
        asked = tuple(dict.fromkeys(conditions))
        if is_impossible(asked):
            return
        if by in self.owner:
            self.owner.setdefault(rel, self.owner[by])
        wanted = self.wanted.setdefault(rel, [])
        if not any(set(each) <= set(asked) for each in wanted):
            wanted[:] = [each for each in wanted if not set(asked) <= set(each)] + [asked]

    def stop(self, rel: ops.Relation, why: str) -> _StoppedError:
        """Return the exception for a relation through which rows cannot be traced."""
        return _StoppedError(f"{self.owner.get(rel, 'it')} {why}")


def _equals(value: ops.Value, wanted: object) -> Condition:
    literal = ibis.literal(wanted, type=value.dtype).op()
    return Condition(ops.Equals(value, literal), is_key=True)


def _refuse(tracer: _Tracer, rel: ops.Relation, _: Conditions) -> None:
    if not isinstance(rel, CONSTANT):
        raise tracer.stop(rel, f"uses {type(rel).__name__.lower()}, which is not traced")


CONSTANT = (ops.DummyTable, ops.InMemoryTable)


def _renamed(tracer: _Tracer, rel: Any, conditions: Conditions) -> None:
    if name := mart_of(rel):
        tracer.owner[rel.parent] = name
    tracer.ask(rel.parent, on(conditions, rel, rel.parent.fields), rel)


def _of_set(tracer: _Tracer, rel: ops.Set, conditions: Conditions) -> None:
    for side in (rel.left, rel.right):
        tracer.ask(side, on(conditions, rel, side.fields), rel)


def _limit(tracer: _Tracer, rel: ops.Limit, _: Conditions) -> None:
    raise tracer.stop(rel, "takes the first rows of several: which ones depends on all of them")


def _filter(tracer: _Tracer, rel: ops.Filter, conditions: Conditions) -> None:
    parent = rel.parent
    tests = [Condition(each) for each in rel.predicates]
    _trace_subqueries(tracer, rel, conditions, rel.predicates)
    windows = [window for each in rel.predicates for window in windows_in(each)]
    if windows:
        own = on(conditions, rel, parent.fields)
        _whole_partitions(tracer, rel, windows, own, lambda key: chosen(rel, conditions, key))
        return
    kept = [each for each in tests if tracer.extent.filtered or each.value.find(ops.Subquery)]
    tracer.ask(parent, (*on(conditions, rel, parent.fields), *kept), rel)


def _trace_subqueries(
    tracer: _Tracer, rel: Any, conditions: Conditions, values: Iterable[ops.Value]
) -> None:
    """Want the rows of other relations that rows of this one are looked up in."""
    for value in values:
        for subquery in value.find(ops.Subquery, filter=ops.Value):
            if not (isinstance(subquery, ops.InSubquery) and isinstance(rel, ops.Filter)):
                raise tracer.stop(rel, "compares with a value computed from all rows of a table")
            (name,) = subquery.rel.schema.names
            needles = chosen(rel, conditions, subquery.needle)
            tracer.ask(
                subquery.rel,
                [member(ops.Field(subquery.rel, name), needles, tracer.not_null)],
                rel,
            )


def _project(tracer: _Tracer, rel: Any, conditions: Conditions) -> None:
    needed, values = tracer.needed.get(rel, {}), rel.values
    own = on(conditions, rel, values)
    if is_impossible(own):
        return
    _trace_subqueries(tracer, rel, conditions, (values[name] for name in needed))
    if any(values[name].find(ops.Unnest, filter=ops.Value) for name in needed):
        raise tracer.stop(rel, "makes several rows of one, from an array")
    windows = {
        name: windows_in(values[name])
        for name, is_value in needed.items()
        if is_value or not is_surrogate(values[name])
    }
    if several := [window for each in windows.values() for window in each]:

        def rows(key: ops.Value) -> ops.Relation:
            return chosen_below(rel, conditions, key)

        _whole_partitions(tracer, rel, several, own, rows)
    elif any(windows_in(each.value) for each in own):
        plain = [each for each in own if not windows_in(each.value)]
        # A number that is given to each row, or to each key, is known for all rows only.
        members = [
            member(key, chosen_below(rel, conditions, key), tracer.not_null)
            for key in _identifying(tracer, rel.parent)
        ]
        tracer.ask(rel.parent, (*plain, *members), rel)
    else:
        tracer.ask(rel.parent, own, rel)


def _identifying(tracer: _Tracer, rel: ops.Relation) -> list[ops.Value]:
    """Return columns by which rows are found: a key, or all that are needed."""
    keys = tracer.joins.keys_of(rel)
    names: Collection[str] = min(keys, key=lambda k: (len(k), sorted(k)), default=())
    return [ops.Field(rel, name) for name in sorted(names or tracer.needed.get(rel, {}))]


def chosen_below(rel: Any, conditions: Conditions, key: ops.Value) -> ops.Relation:
    """Return a value over the parent of a projection, for the rows that meet some conditions."""
    names = {each.name for condition in conditions for each in condition.fields}
    values = {name: rel.values[name] for name in sorted(names)}
    computed = ops.Project(rel.parent, {**values, "key_of_rows": key})
    moved = on(conditions, rel, {name: ops.Field(computed, name) for name in names})
    return chosen(computed, moved, ops.Field(computed, "key_of_rows"))


def _whole_partitions(
    tracer: _Tracer,
    rel: Any,
    windows: Iterable[ops.WindowFunction],
    own: Conditions,
    rows: Callable[[ops.Value], ops.Relation],
) -> None:
    """Want all rows of the partitions in which wanted rows are.

    `own` are the conditions on the rows of the parent, `rows` returns a value for wanted rows.
    """
    for window in dict.fromkeys(windows):
        if not window.group_by:
            raise tracer.stop(
                rel, f"computes {text_of(window, rel, tracer.not_null)}: it depends on all rows"
            )
        keys = [unwrapped(each) for each in window.group_by]
        kept = [each for each in own if each.is_key and subject(each) in keys]
        known = {subject(each) for each in kept}
        kept += [member(key, rows(key), tracer.not_null) for key in keys if key not in known]
        tracer.ask(rel.parent, kept, rel)


def _aggregate(tracer: _Tracer, rel: ops.Aggregate, conditions: Conditions) -> None:
    needed = tracer.needed.get(rel, {})
    _trace_subqueries(tracer, rel, conditions, (rel.values[name] for name in needed))
    on_groups = [c for c in conditions if all(f.name in rel.groups for f in c.fields)]
    own = list(on(on_groups, rel, rel.groups))
    known = {subject(each) for each in own if each.is_key}
    unknown = [(name, each) for name, each in rel.groups.items() if unwrapped(each) not in known]
    if len(on_groups) < len(conditions) and unknown:
        own += [
            member(each, chosen(rel, conditions, ops.Field(rel, name)), tracer.not_null)
            for name, each in unknown
        ]
    metrics = [each for name, each in rel.metrics.items() if name in needed]
    if tracer.extent.narrowed and (counted := _counted(metrics)):
        own.append(Condition(counted))
    tracer.ask(rel.parent, own, rel)


def _counted(metrics: Iterable[ops.Value]) -> ops.Value | None:
    """Return the condition on the rows that count in aggregates, None if all do."""
    reductions = [each for m in metrics for each in m.find(ops.Reduction, filter=ops.Value)]
    tests = list(dict.fromkeys(getattr(each, "where", None) for each in reductions))
    if not tests or None in tests:
        return None
    return all_of(tests, ops.Or)


def _found_in_joined_rows(
    first: ops.Relation, links: Sequence[ops.JoinLink], own: Conditions
) -> list[ops.Relation]:
    """Return the sides whose rows are known only from joined rows, as they match.

    Either they match by something else than equal values, or a condition of the key is on several
    sides, or on one that may be missing.
    """
    missing, sides = optional(first, links), set[ops.Relation]()
    if any(each.is_key and not side_of(each, missing) for each in own):
        sides |= {first, *(link.table for link in links if first in missing)}
    for link in links:
        for predicate in link.predicates:
            for each in conjuncts(predicate):
                if not isinstance(each, ops.Equals):
                    sides.update(field.rel for field in each.find(ops.Field, filter=ops.Value))
    return [each for each in (first, *(link.table for link in links)) if each in sides]


def _join(tracer: _Tracer, rel: ops.JoinChain, conditions: Conditions) -> None:
    links = tracer.joins.kept(rel, tracer.needed.get(rel, {}))
    if wrong := next((link.how for link in links if link.how in ("asof", "positional")), None):
        raise tracer.stop(rel, f"has a join of the kind {wrong}, which is not traced")
    values = (predicate for link in links for predicate in link.predicates)
    _trace_subqueries(tracer, rel, conditions, values)
    own = on(conditions, rel, rel.values)
    missing, later = optional(rel.first, links), dict[ops.Relation, list[Condition]]()
    for side in _found_in_joined_rows(rel.first, links, own):
        for key in _identifying(tracer, side):
            whole = ops.JoinChain(rel.first, rel.rest, {**rel.values, "key_of_side": key})
            moved = on(conditions, rel, whole.fields)
            rows = chosen(whole, moved, whole.fields["key_of_side"])
            found = member(key, rows, tracer.not_null)
            if side in missing:
                # Other sides must not be found by it: it says nothing of rows without a match.
                later.setdefault(side, []).append(found)
            else:
                own = (*own, found)
    pushed = pushed_to_sides(rel.first, links, own, only_matching=tracer.extent.filtered)
    for side, asked in pushed.items():
        tracer.ask(side, [*asked, *later.get(side, ())], rel)


RULES: tuple[tuple[tuple[type[ops.Relation], ...], Callable[[Any, Any, Conditions], None]], ...] = (
    ((ops.AliasedRelation, ops.Reference), _renamed),
    ((ops.Sort, ops.Distinct, ops.DropNull), _renamed),
    ((ops.Set,), _of_set),
    ((ops.Limit,), _limit),
    ((ops.Filter,), _filter),
    ((ops.Aggregate,), _aggregate),
    ((ops.JoinChain,), _join),
    ((ops.Project,), _project),
)
"""How conditions on the rows of each kind of relation are pushed below; the first fits."""
