"""Lineage: what the columns of a query are computed from, down to the columns of its tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import ibis.expr.operations as ops
from ibis.common.graph import Graph as Nodes


def resolved_operation(op: ops.Value) -> ops.Value:
    """Return the operation that computes a value, without the window around it, if any."""
    op = resolved(op)
    return op.func if isinstance(op, ops.WindowFunction) else op


def resolved(op: ops.Value) -> ops.Value:
    """Return the expression that computes a column, through joins and views.

    A column of a table or of a union, and a value that is not a column, is returned as is.
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


def signature(query: ops.Node) -> str:
    """Return a digest of an expression that is the same in every process."""
    digest = hashlib.sha256()
    for line in signature_lines(query):
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def signature_lines(query: ops.Node) -> list[str]:
    """Return a line for each operation of an expression, the same in every process."""
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

    lines = []
    for op in nodes:
        named = zip(op.__argnames__, op.__args__, strict=True)
        # An identifier depends on the order in which a process creates references.
        words = [text(value) for name, value in named if name != "identifier"]
        lines.append(f"{type(op).__name__} {' '.join(words)}")
    return lines


Name = tuple[str, str]
"""A table and one of its columns."""


class SourcesOf:
    """Tells which columns of tables a value is computed from, conditions on rows left aside."""

    def __init__(self) -> None:
        self._known: dict[ops.Value, frozenset[Name]] = {}

    def __call__(self, value: ops.Value) -> frozenset[Name]:
        """Return the columns of tables that a value is computed from, directly or indirectly."""
        if value not in self._known:
            self._known[value] = frozenset()
            fields = value.find(ops.Field, filter=ops.Value)
            self._known[value] = frozenset().union(*map(self._of_field, fields))
        return self._known[value]

    def _of_field(self, field: ops.Field) -> frozenset[Name]:
        if _is_a_table(field.rel):
            return frozenset({(str(field.rel.name), field.name)})
        match field.rel:
            case ops.Reference() | ops.AliasedRelation() as rel:
                return self(ops.Field(rel.parent, field.name))
            case ops.Set() as rel:
                return self(ops.Field(rel.left, field.name)) | self(
                    ops.Field(rel.right, field.name)
                )
            case rel if field.name in rel.values:
                return self(rel.values[field.name])
            case ops.FillNull() | ops.DropNull() as rel:
                return self(ops.Field(rel.parent, field.name))
        return frozenset()


def group_keys(value: ops.Value, sources_of: SourcesOf) -> frozenset[Name]:
    """Return the columns of sources by which the rows are grouped that a value sums up."""
    found, met, waiting = set[Name](), set[ops.Node](), [value]
    while waiting:
        op = waiting.pop()
        if op in met:
            continue
        met.add(op)
        for window in op.find(ops.WindowFunction, filter=ops.Value):
            found.update(*map(sources_of, window.group_by))
        for field in op.find(ops.Field, filter=ops.Value):
            rel = field.rel
            if isinstance(rel, ops.Aggregate) and field.name not in rel.groups:
                found.update(*map(sources_of, rel.groups.values()))
            waiting += _below(field)
    return frozenset(found)


def _below(field: ops.Field) -> list[ops.Value]:
    rel = field.rel
    if isinstance(rel, ops.Reference | ops.AliasedRelation):
        return [ops.Field(rel.parent, field.name)]
    if isinstance(rel, ops.PhysicalTable):
        return []
    if isinstance(rel, ops.Set):
        return [ops.Field(rel.left, field.name), ops.Field(rel.right, field.name)]
    return [rel.values[field.name]] if field.name in rel.values else []


def _is_a_table(rel: ops.Relation) -> bool:
    return isinstance(rel, ops.PhysicalTable) and not isinstance(rel, ops.AliasedRelation)
