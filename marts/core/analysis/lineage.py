"""Lineage: what the columns of a query are computed from, down to the columns of its tables."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping

import ibis.expr.operations as ops
from ibis.common.graph import Graph as Nodes

from marts.core.analysis.nodes import deciding_values
from marts.core.authoring.tables import Mart
from marts.core.project.loading import Project


def resolved_operation(op: ops.Value) -> ops.Value:
    """Return the operation that computes a value: its expression, without a window around it."""
    op = resolved(op)
    return op.func if isinstance(op, ops.WindowFunction) else op


def resolved(op: ops.Value) -> ops.Value:
    """Return the expression that a column is computed as, through joins and views.

    A column of a table or of a union, and a value that is not a column, is returned as it is.
    """
    while isinstance(op, ops.Field):
        if isinstance(op.rel, ops.Reference | ops.AliasedRelation):
            op = ops.Field(op.rel.parent, op.name)
        elif op.name in op.rel.values:
            op = op.rel.values[op.name]
        else:
            return op
    return op


def expanded(op: ops.Value) -> ops.Value:
    """Return an operation with each column in it replaced by its expression."""
    while True:
        fields = op.find(ops.Field, filter=ops.Value)
        known = {each: found for each in fields if (found := resolved(each)) != each}
        if not known:
            return op
        op = known[op] if op in known else op.replace(known, filter=ops.Value)


def columns_read(query: ops.Relation) -> dict[str, frozenset[str]]:
    """Return the columns of each table that a query's result depends on, rows or values.

    A table whose rows are only counted has no columns.
    """
    nodes, _ = Nodes.from_bfs(query).toposort()
    relations = [op for op in nodes if isinstance(op, ops.Relation)]
    needed: dict[ops.Relation, set[str]] = {query: set(query.schema.names)}
    for rel in reversed(relations):
        for below, names in _needs(rel, needed.get(rel, set())):
            needed.setdefault(below, set()).update(names)
    found: dict[str, set[str]] = {}
    for rel in relations:
        if isinstance(rel, ops.PhysicalTable) and not isinstance(rel, ops.AliasedRelation):
            found.setdefault(rel.name, set()).update(needed.get(rel, ()))
    return {name: frozenset(columns) for name, columns in found.items()}


def _needs(rel: ops.Relation, names: set[str]) -> Iterator[tuple[ops.Relation, Collection[str]]]:
    """Yield the relations below one, with the columns that some of its own need of them."""
    match rel:
        case ops.AliasedRelation() | ops.Reference() | ops.Limit() | ops.Sample() | ops.FillNull():
            yield rel.parent, names
        case ops.Union(distinct=False):
            yield rel.left, names
            yield rel.right, names
        case ops.DropNull():
            yield (
                rel.parent,
                names
                | set(
                    rel.schema.names if rel.subset is None else (each.name for each in rel.subset)
                ),
            )
        case _ if (deciding := deciding_values(rel)) is not None:
            for value in (*(rel.values[name] for name in names), *deciding):
                yield from _needs_of(value)
        case _:
            for below in rel.__children__:
                if isinstance(below, ops.Relation):
                    yield below, below.schema.names
                elif isinstance(below, ops.Value):
                    yield from _needs_of(below)


def _needs_of(value: ops.Value) -> Iterator[tuple[ops.Relation, Collection[str]]]:
    for op in value.find(ops.Value, filter=ops.Value):
        if isinstance(op, ops.Field):
            yield op.rel, {op.name}
        elif not isinstance(op, ops.CountStar):
            for below in op.__children__:
                if isinstance(below, ops.Relation):
                    yield below, below.schema.names


def signature(query: ops.Node) -> str:
    """Return a digest of an expression, which is the same in every process."""
    nodes, _ = Nodes.from_bfs(query).toposort()
    numbers = {op: n for n, op in enumerate(nodes)}

    def text(value: object) -> str:
        match value:
            case ops.Node():
                return f"#{numbers[value]}" if value in numbers else type(value).__name__
            case tuple() | frozenset():
                texts = map(text, value)
                return f"[{', '.join(sorted(texts) if isinstance(value, frozenset) else texts)}]"
            case Mapping():
                return f"{{{', '.join(f'{key}: {text(each)}' for key, each in value.items())}}}"
            case _:
                return repr(value)

    digest = hashlib.sha256()
    for op in nodes:
        named = zip(op.__argnames__, op.__args__, strict=True)
        # An identifier depends on the order in which a process creates references.
        words = [text(value) for name, value in named if name != "identifier"]
        digest.update(f"{type(op).__name__} {' '.join(words)}\n".encode())
    return digest.hexdigest()


def column_comments(mart: Mart, project: Project) -> dict[str, str]:
    """Return a comment for each documented column: the mart's own words, else its inputs'."""
    return inherited_comments(mart, project, {})


def inherited_comments(
    mart: Mart, project: Project, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Return a mart's column comments; `known` are those found so far, of marts by name."""
    waiting = [mart]
    # A stack instead of recursion, and each mart once: a project may be deep and tangled.
    while waiting:
        reader = waiting[-1]
        inputs = [project.marts[name] for name in reader.inputs if name in project.marts]
        if missing := [each for each in inputs if each.name not in known]:
            waiting += missing
            continue
        words: dict[str, str] = {}
        for name in reversed(reader.inputs):
            words |= known[name] if name in known else project.sources[name].column_docs
        words |= reader.column_docs
        known[reader.name] = {c.name: words[c.name] for c in reader.columns if c.name in words}
        waiting.pop()
    return known[mart.name]
