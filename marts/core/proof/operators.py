"""Mutation operators: kinds of mistakes, and the operands in which they happen."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.operations as ops
from ibis.common.annotations import ValidationError
from ibis.common.exceptions import IbisError

REFUSALS = (IbisError, ValidationError, TypeError, ValueError)
"""The errors with which Ibis refuses an expression."""

Shown = tuple[object, ...]
"""Words and operations, to be formatted and joined."""


@dataclass(frozen=True)
class Mutation:
    """The operation that replaces another, and what to show of both: by default, all of each.

    The author's line is that of `at`, or else that of the whole operation.
    """

    op: ops.Node
    before: Shown = ()
    after: Shown = ()
    at: ops.Node | None = None


@dataclass(frozen=True)
class Operator:
    """One kind of mistake, and the kinds of operations in which it can happen."""

    name: str
    applies_to: tuple[type[ops.Node], ...]
    mutations: Callable[[Any], Iterator[Mutation]]


@dataclass(frozen=True)
class Slot:
    """A slot for one operand: an argument, or an element of one."""

    op: ops.Node
    argument: str
    key: int | str | None
    value: object

    def with_operand(self, value: object) -> Iterator[Mutation]:
        """Yield the operation with another operand in this slot, unless Ibis refuses it."""
        given, new = getattr(self.op, self.argument), value
        match self.key:
            case int(number):
                new = (*given[:number], value, *given[number + 1 :])
            case str(name):
                new = {**given, name: value}
        with suppress(*REFUSALS):
            op = self.op.copy(**{self.argument: new})
            yield Mutation(op, self._shown(self.value), self._shown(value), self._at())

    def _shown(self, value: object) -> Shown:
        """Return what to show of this slot with a value; nothing to show the whole operation."""
        match self.op, self.argument, self.key:
            case ops.SearchedCase() | ops.SimpleCase() as case, "results", int(number):
                return (value, " if ", case.cases[number])
            case ops.IfElse() as case, "true_expr", _:
                return (value, " if ", case.bool_expr)
            case (ops.SearchedCase() | ops.SimpleCase(), "default", _) | (
                ops.IfElse(),
                "false_null_expr",
                _,
            ):
                return ("else ", value)
            case ops.Relation(), _, str(name):
                return (f"{name} = ", value)
            case _:
                return ()

    def _at(self) -> ops.Node | None:
        if isinstance(self.op, ops.SearchedCase) and isinstance(self.key, int):
            return self.op.cases[self.key]
        return self.value if isinstance(self.op, ops.Relation) else None


def slots_of(op: ops.Node) -> Iterator[Slot]:
    """Yield every slot of an operation, in order."""
    for name, value in zip(op.__argnames__, op.__args__, strict=True):
        if isinstance(value, tuple):
            yield from (Slot(op, name, number, each) for number, each in enumerate(value))
        elif isinstance(value, Mapping):
            yield from (Slot(op, name, key, each) for key, each in value.items())
        else:
            yield Slot(op, name, None, value)


def literals_of(op: ops.Node) -> Iterator[tuple[Slot, ops.Literal]]:
    """Yield the slots of an operation that have a literal, with the literal."""
    for slot in slots_of(op):
        if isinstance(slot.value, ops.Literal) and slot.value.value is not None:
            yield slot, slot.value


def moved(literal: ops.Literal, step: int) -> ops.Literal | None:
    """Return a number changed by steps of its last digit, or a date by days; None for a text.

    A flag is negated, whatever the step.
    """
    new: object
    match literal.value:
        case bool(flag):
            new = not flag
        case int(number):
            new = number + step
        case float(number) if math.isfinite(number):
            exact = Decimal(repr(number))
            new = float(exact + step * _last_digit(exact))
        case Decimal() as exact:
            new = exact + step * _last_digit(exact)
        case datetime.date() as day:
            new = day + datetime.timedelta(days=step)
        case _:
            return None
    # Let Ibis choose the type of a whole number, because the new one may need a wider type.
    return ibis.literal(new, None if literal.dtype.is_integer() else literal.dtype).op()


def _last_digit(number: Decimal) -> Decimal:
    """Return the unit of the last digit: 1 for a whole number, 0.01 for 0.25."""
    exponent = number.normalize().as_tuple().exponent
    return Decimal(1).scaleb(min(int(exponent), 0))


def without_each(values: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield each element together with the other elements."""
    for number, each in enumerate(values):
        yield each, (*values[:number], *values[number + 1 :])
