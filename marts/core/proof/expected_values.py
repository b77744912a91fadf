"""What marts say of the columns of their sources besides thresholds: values that they expect."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import copied_in
from marts.core.analysis.lineage import Name, resolved
from marts.core.analysis.relation_lineage import Lineage
from marts.core.analysis.thresholds import Threshold
from marts.core.authoring.columns import Column
from marts.core.project.graph import Graph


class Narrowed:
    """Narrows columns of sources to what their copies in marts accept.

    Values that a mart's checks refuse would be in no published table. A column that decides which
    rows a mart has is left as it is.
    """

    def __init__(self, graph: Graph, queries: Mapping[str, ops.Relation]) -> None:
        lineage = Lineage()
        self.deciding = {
            name
            for query in queries.values()
            for rel in query.find(ops.Filter)
            for predicate in rel.predicates
            for name in lineage.of_value(predicate)
        }
        self.copies: dict[Name, list[Column]] = {}
        for mart, query in queries.items():
            columns = {column.name: column for column in graph.project.marts[mart].columns}
            for copy, names in copied_in(lineage.of_relation(query)).items():
                if len(names) == 1 and not graph.project.marts[mart].unchecked:
                    (name,) = names
                    self.copies.setdefault(name, []).append(columns[copy])
        self.minuends = dict(_minuends(queries.values()))

    def __call__(self, name: Name, column: Column) -> Column:
        """Return a column of a source with the bounds and values of its copies, too."""
        low, high, values = column.at_least, column.at_most, column.values
        if name in self.minuends and high is None:
            high = self.minuends[name]
        for copy in self.copies.get(name, []) if name not in self.deciding else ():
            low = max((each for each in (low, copy.at_least) if each is not None), default=None)
            high = min((each for each in (high, copy.at_most) if each is not None), default=None)
            values = tuple(each for each in values or copy.values if each in copy.values) or values
        return replace(column, at_least=low, at_most=high, values=values)


def _minuends(queries: Iterable[ops.Relation]) -> Iterator[tuple[Name, int]]:
    """Yield the columns that marts subtract from a whole number, as a share from 1, with it."""
    for query in queries:
        for op in query.find(ops.Subtract):
            value = resolved(op.right)
            is_column = isinstance(value, ops.Field) and isinstance(value.rel, ops.PhysicalTable)
            if is_column and isinstance(op.left, ops.Literal) and op.left.dtype.is_integer():
                yield (str(value.rel.name), value.name), int(op.left.value)


SEARCHED: Mapping[type[ops.Value], tuple[str, str, Callable[[str], str]]] = {
    ops.StartsWith: ("arg", "start", lambda text: f"{text} a"),
    ops.EndsWith: ("arg", "end", lambda text: f"a {text}"),
    ops.StringContains: ("haystack", "needle", lambda text: f"a {text} b"),
    ops.StringSQLLike: ("arg", "pattern", lambda text: re.sub("[%_]", "a", text)),
}
"""By operation: the text that is searched, what for, and a text in which it is found."""
ORDER = {ops.StartsWith: 0, ops.StringSQLLike: 1, ops.StringContains: 2, ops.EndsWith: 3}


def searched_texts(queries: Iterable[ops.Relation]) -> Iterator[Threshold]:
    """Yield texts in which marts find what they search columns of sources for, and all of it."""
    made_of, found = Lineage().made_of, defaultdict[frozenset[Name], list[tuple[int, str]]](list)
    for query in queries:
        for op in query.find(ops.Comparison):
            for side, other in ((op.left, op.right), (op.right, op.left)):
                is_text = isinstance(other, ops.Literal) and isinstance(other.value, str)
                if isinstance(side, ops.StringUnary) and is_text:
                    yield Threshold("texts", "", (other.value,), made_of(side))
        for op in query.find(tuple(SEARCHED)):
            argument, pattern, found_in = SEARCHED[type(op)]
            given = getattr(op, pattern)
            if isinstance(given, ops.Literal) and isinstance(given.value, str):
                found[made_of(getattr(op, argument))].append(
                    (ORDER[type(op)], found_in(given.value))
                )
    for sources, texts in found.items():
        together = " ".join(text for _, text in sorted(texts))
        for text in dict.fromkeys((together, *(text for _, text in texts))):
            yield Threshold("texts", "", (text,), sources)


def refused_values(queries: Iterable[ops.Relation]) -> dict[Name, set[Any]]:
    """Return the values of columns of sources that marts ask to be something else."""
    found: dict[Name, set[Any]] = {}
    for query in queries:
        for op in query.find((ops.NotEquals, ops.Not)):
            match op:
                case ops.NotEquals(left=value, right=ops.Literal() as other):
                    others: tuple[ops.Value, ...] = (other,)
                case ops.Not(arg=ops.InValues(value=value, options=options)):
                    others = options
                case ops.Not(arg=ops.Equals(left=value, right=ops.Literal() as other)):
                    others = (other,)
                case _:
                    continue
            column = resolved(value)
            if isinstance(column, ops.Field) and isinstance(column.rel, ops.PhysicalTable):
                given = {each.value for each in others if isinstance(each, ops.Literal)}
                found.setdefault((str(column.rel.name), column.name), set()).update(given)
    return found
