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
    while isinstance(op, ops.Field) and len(below := definitions(op)) == 1:
        (op,) = below
    return op


def definitions(field: ops.Field) -> tuple[ops.Value, ...]:
    """Return what a column is in the relation below: two values if that is a union, or none."""
    match field.rel:
        case ops.Reference() | ops.AliasedRelation() as rel:
            return (ops.Field(rel.parent, field.name),)
        case ops.Set() as rel:
            return ops.Field(rel.left, field.name), ops.Field(rel.right, field.name)
        case rel:
            return (rel.values[field.name],) if field.name in rel.values else ()


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
