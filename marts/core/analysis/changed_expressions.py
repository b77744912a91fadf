"""Which expressions of two versions of a project differ, of those that a column depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import ProjectLineage, project_lineage
from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.formatting import Formatter
from marts.core.analysis.needed_columns import Joins, needed_columns
from marts.core.analysis.nodes import conjuncts
from marts.core.analysis.trace import Trace
from marts.core.authoring.expressions import AsOf
from marts.core.authoring.tables import Mart
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_not_null

LONGEST = 120
"""The most characters of an expression that are shown."""


@dataclass(frozen=True)
class ChangedExpression:
    """An expression of a mart that another version does not have, and where it is written.

    `is_gone` says that it is the former version that has it.
    """

    mart: str
    text: str
    location: str
    is_gone: bool = False


class _Part(NamedTuple):
    """An expression with those that it consists of, by their texts."""

    node: ops.Node
    relation: ops.Relation
    within: frozenset[str]


class Traced:
    """One version of a project, of which the expressions and their locations are known."""

    def __init__(
        self,
        graph: Graph,
        as_of: AsOf,
        *,
        within: Callable[[], AbstractContextManager[None]] = nullcontext,
        shown: Callable[[str], str] = str,
    ) -> None:
        """Call the functions of all marts `within` a context; `shown` rewrites locations."""
        self.graph, self._shown = graph, shown
        self._locations: dict[str, Trace] = {}
        self._queries: dict[str, ops.Relation] = {}
        self._parts: dict[tuple[str, str], Mapping[str, _Part]] = {}
        project = graph.project
        tables, not_null = logical_tables(project), declared_not_null(project)
        with within():
            for name in graph.order:
                with Trace() as trace:
                    mart = project.marts[name]
                    query = defining_query(mart, tables, as_of, not_null=not_null)
                self._locations[name], self._queries[name] = trace, query.op()
        self._joins = {
            name: Joins(query, declared_keys(project)) for name, query in self._queries.items()
        }

    @property
    def marts(self) -> Mapping[str, Mart]:
        """The marts of this version."""
        return self.graph.project.marts

    def lineage(self) -> ProjectLineage:
        """Return the lineage of all marts."""
        return project_lineage(self.graph, self._queries)

    def parts(self, mart: str, column: str) -> Mapping[str, _Part]:
        """Return the expressions that a column of a mart depends on within the mart, by text."""
        key = mart, column
        if key not in self._parts:
            query = self._queries[mart]
            needed = needed_columns(query, [column], self._joins[mart])
            found: dict[str, _Part] = {}
            for rel, names in needed.items():
                for text, node in _roots(rel, names, self._joins[mart]):
                    found |= _parts_of(text, node, rel)
            self._parts[key] = found
        return self._parts[key]

    def location(self, mart: str, part: _Part) -> str:
        """Return where an expression is written, or else its mart."""
        known = self._locations[mart].locations
        found = known.get(part.node) or known.get(part.relation)
        return self._shown(found or self.marts[mart].location)


def changed_expressions(
    before: Traced, after: Traced, lineage: ProjectLineage, mart: str, column: str
) -> tuple[ChangedExpression, ...]:
    """Return the changed expressions on which a column of a mart depends, through all marts."""
    upstream = [name for name in lineage.upstream(mart, column) if name[0] in after.marts]
    found = dict[ChangedExpression, None]()
    for name in [(mart, column), *sorted(upstream)]:
        found |= dict.fromkeys(_changed(before, after, *name))
    return tuple(found)


def _changed(before: Traced, after: Traced, mart: str, column: str) -> Iterator[ChangedExpression]:
    there = before.marts.get(mart)
    if there is None or column not in {each.name for each in there.columns}:
        what = f"column {column} is new" if there else "the mart is new"
        yield ChangedExpression(mart, what, after.marts[mart].location)
        return
    old, new = before.parts(mart, column), after.parts(mart, column)
    for text, part in _smallest(new, old):
        yield ChangedExpression(mart, _cut(text), after.location(mart, part))
    for text, part in _smallest(old, new):
        yield ChangedExpression(mart, _cut(text), before.location(mart, part), is_gone=True)


def _smallest(
    parts: Mapping[str, _Part], others: Mapping[str, _Part]
) -> Iterator[tuple[str, _Part]]:
    """Yield the expressions that only one side has, and of which no part is such a one."""
    only = parts.keys() - others.keys()
    for text, part in parts.items():
        if text in only and not (part.within & only):
            yield text, part


Roots = Iterator[tuple[str, ops.Node]]


def _roots(rel: ops.Relation, names: Iterable[str], joins: Joins) -> Roots:
    """Yield what a relation computes of some columns, and what it does to rows, with its text."""
    for kinds, rule in RULES:
        if isinstance(rel, kinds):
            yield from rule(rel, list(names), joins)
            return
    yield type(rel).__name__, rel


def _none(_rel: Any, _names: list[str], _joins: Joins) -> Roots:
    return iter(())


def _values(rel: Any, names: list[str], _joins: Joins) -> Roots:
    for name in names:
        yield f"{name} = {FORMAT(rel.values[name])}", rel.values[name]


def _of_filter(rel: ops.Filter, _names: list[str], _joins: Joins) -> Roots:
    for predicate in rel.predicates:
        for each in conjuncts(predicate):
            yield f"rows with {FORMAT(each)}", each


def _of_aggregate(rel: ops.Aggregate, names: list[str], joins: Joins) -> Roots:
    yield from _values(rel, names, joins)
    for name, value in rel.groups.items():
        yield f"group {name} = {FORMAT(value)}", value


def _of_join(rel: ops.JoinChain, names: list[str], joins: Joins) -> Roots:
    yield from _values(rel, names, joins)
    for link in joins.kept(rel, names):
        words = " and ".join(FORMAT(each) for each in link.predicates)
        yield f"{link.how} join on {words}", link


def _of_sort(rel: ops.Sort, _names: list[str], _joins: Joins) -> Roots:
    yield f"order by {FORMAT.several(rel.keys)}", rel


def _of_limit(rel: ops.Limit, _names: list[str], _joins: Joins) -> Roots:
    yield f"limit {FORMAT(rel.n)} from {FORMAT(rel.offset)}", rel


def _of_set(rel: ops.Set, _names: list[str], _joins: Joins) -> Roots:
    yield f"{type(rel).__name__.lower()}, distinct {rel.distinct}", rel


Rule = Callable[[Any, list[str], Joins], Roots]
RULES: Sequence[tuple[type[ops.Relation] | tuple[type[ops.Relation], ...], Rule]] = (
    (ops.Project, _values),
    (ops.Aggregate, _of_aggregate),
    (ops.JoinChain, _of_join),
    (ops.Filter, _of_filter),
    (ops.Sort, _of_sort),
    (ops.Limit, _of_limit),
    (ops.Set, _of_set),
    ((ops.UnboundTable, ops.Reference), _none),
)
"""What relations compute, and what they do to rows; of others, only that they are there."""


def _parts_of(text: str, node: ops.Node, rel: ops.Relation) -> dict[str, _Part]:
    """Return an expression and those that it consists of, but for columns and constants."""
    values = node.find(ops.Value, filter=(ops.Value, ops.JoinLink))
    texts = {
        value: FORMAT(value) for value in values if not isinstance(value, ops.Field | ops.Literal)
    }
    found = {own: _Part(value, rel, _within(value, texts) - {own}) for value, own in texts.items()}
    return {**found, text: _Part(node, rel, frozenset(texts.values()))}


def _within(value: ops.Value, texts: Mapping[ops.Value, str]) -> frozenset[str]:
    return frozenset(
        texts[each] for each in value.find(ops.Value, filter=ops.Value) if each in texts
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


FORMAT = Formatter()
