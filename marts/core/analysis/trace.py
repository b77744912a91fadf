"""The locations where authors built each expression, recorded while their functions run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Self

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core import PACKAGE
from marts.core.authoring.signature import location_of


class Trace:
    """Where authors built each expression, and which of their casts Ibis dropped.

    Both can only be recorded while the authors' functions run: `with Trace() as trace: …`. It uses
    the interpreter's profiling hook, and restores an active profiler afterwards.
    """

    def __init__(self) -> None:
        self.locations: dict[ops.Node, str] = {}
        self.dropped: list[DroppedCast] = []

    def __enter__(self) -> Self:
        self._outside = sys._getframe(1)  # noqa: SLF001  (the frame that traces is not an author's)
        self._before = sys.getprofile()
        sys.setprofile(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _watch(self, frame: FrameType, event: str, returned: object) -> None:
        if event != "return" or not isinstance(returned, ir.Expr):
            return
        op = returned.op()
        left_out = frame.f_code is ir.Value.cast.__code__ and returned is frame.f_locals["self"]
        if op in self.locations and not left_out:
            return
        above = [f for f in _frames(frame.f_back, self._outside) if not _is_machinery(f)]
        if above:
            location = location_of(above[0].f_code.co_filename, above[0].f_lineno)
            for built in (op, *_parts(op)):
                self.locations.setdefault(built, location)
            if left_out:
                self.dropped.append(DroppedCast(op, location, frozenset(f.f_code for f in above)))


@contextmanager
def watched_casts() -> Iterator[list[ops.Value]]:
    """Collect the expressions that are cast to the type that Ibis infers for them anyway.

    Unlike a trace, it records no locations and is fast: it only replaces one method meanwhile.
    """
    cast, dropped = ir.Value.cast, list[ops.Value]()

    def watched(value: ir.Value, target_type: Any, /) -> ir.Value:
        returned = cast(value, target_type)
        if returned is value:
            dropped.append(value.op())
        return returned

    ir.Value.cast = watched
    try:
        yield dropped
    finally:
        ir.Value.cast = cast


@dataclass(frozen=True)
class DroppedCast:
    """An expression that an author cast to the type that Ibis infers for it anyway."""

    op: ops.Value
    location: str
    within: frozenset[CodeType] = field(repr=False)
    """The authors' functions that were running."""


def _frames(frame: FrameType | None, outside: FrameType) -> Iterator[FrameType]:
    while frame is not None and frame is not outside:
        yield frame
        frame = frame.f_back


def _parts(op: ops.Node) -> Iterator[ops.Node]:
    """Yield the values and joins of a relation: Ibis rebuilds them when it builds the relation."""
    parts = (ops.Value, ops.JoinLink)
    if isinstance(op, ops.Relation):
        for child in op.__children__:
            if isinstance(child, parts):
                yield from child.find(parts, filter=parts)


MACHINERY = {"ibis", "toolz", *sys.stdlib_module_names}


def _is_machinery(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__", "")
    return module.startswith(f"{PACKAGE}.") or module.partition(".")[0] in MACHINERY
