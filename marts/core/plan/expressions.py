"""Expressions as digests: two with the same digest are compiled to the same SQL by the same code.

A digest spares a run that has nothing to do the compilers. So what is not surely the same in two
processes has no digest, and is compiled: functions of users, tables in memory, foreign operations.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import hashlib
import uuid
from collections.abc import Mapping

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.schema as sch
from ibis.common.graph import Graph as Nodes

IDENTIFIER = "identifier"
EXACT = (
    bool,
    bytes,
    datetime.date,
    datetime.timedelta,
    decimal.Decimal,
    float,
    int,
    str,
    type(None),
    uuid.UUID,
)
"""Their `repr` tells two values apart, and is the same in every process."""


class _UnknownError(Exception):
    """A part of an expression may mean something else in another process."""


def expression_digest(query: ops.Node) -> str | None:
    """Return a digest of an expression with everything that its SQL depends on, None without."""
    nodes, _ = Nodes.from_bfs(query).toposort()
    numbers = {op: n for n, op in enumerate(nodes)}
    digest = hashlib.sha256()
    try:
        for op in nodes:
            digest.update(f"{_line(op, numbers)}\n".encode())
    except _UnknownError:
        return None
    return digest.hexdigest()


def _line(op: ops.Node, numbers: Mapping[ops.Node, int]) -> str:
    kind = type(op)
    if getattr(ops, kind.__name__, None) is not kind:
        raise _UnknownError
    named = zip(op.__argnames__, op.__args__, strict=True)
    # A reference's identifier depends on the order in which a process creates references.
    is_reference = isinstance(op, ops.Reference)
    words = [_text(value, numbers) for n, value in named if not (is_reference and n == IDENTIFIER)]
    return f"{kind.__name__} {' '.join(words)}"


def _text(value: object, numbers: Mapping[ops.Node, int]) -> str:
    match value:
        case ops.Node() if value in numbers:
            found = f"#{numbers[value]}"
        case tuple():
            found = f"({', '.join(_text(each, numbers) for each in value)})"
        case sch.Schema():
            found = f"[{', '.join(f'{name!r}: {kind!r}' for name, kind in value.items())}]"
        case Mapping():
            found = f"{{{', '.join(f'{k!r}: {_text(v, numbers)}' for k, v in value.items())}}}"
        case dt.DataType() | enum.Enum() | ops.relations.Namespace():
            found = f"{type(value).__name__} {value!r}"
        case datetime.datetime() | datetime.time() if value.tzinfo is None:
            # A subclass of another library has another name, and another `repr`.
            found = f"{type(value).__name__} {value!r}"
        case _ if type(value) in EXACT:
            found = f"{type(value).__name__} {value!r}"
        case _:
            raise _UnknownError
    return found
