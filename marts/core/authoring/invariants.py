"""Invariants: a change to a source, and how marts must respond to it (metamorphic relations)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

from marts.core.authoring.bindings import Binding, bindings_of
from marts.core.authoring.checks import parameters_of
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.signature import location_of_caller, location_of_function
from marts.core.authoring.tables import keys_named
from marts.core.errors import DefinitionError


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """A change to one source, and how marts must respond: a test that needs no expected numbers.

    `change` returns the changed source. `varies_with` maps words to factors: a column that varies
    with such a word must be multiplied by the factor, or may change in any way if it is None; every
    other column must stay the same. Rows must stay, except those of the original mart for which
    `keeps` is false. No rows may be added, except in a mart whose grain is in `adds`: it gains this
    many rows for each row that it had, or any number if it is None. With `offending`, only the
    changed mart is looked at, and none of its rows may be offending.
    """

    name: str
    comment: str
    source: str
    change: Callable[..., ir.Table]
    parameters: tuple[str, ...]
    varies_with: Mapping[str, int | None]
    keeps: Callable[[ir.Table], ir.BooleanColumn] | None
    adds: Mapping[tuple[str, ...], int | None]
    marts: tuple[str, ...]
    offending: Callable[[ir.Table], ir.BooleanColumn] | None
    location: str
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """The names that its functions look up outside, with their values when it was declared."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources it reads."""
        return tuple(name for name in self.parameters if name != AS_OF)


def invariant(
    *,
    changes: str,
    varies_with: Mapping[str, int | None] | None = None,
    keeps: Callable[[ir.Table], ir.BooleanColumn] | None = None,
    adds: Mapping[str | tuple[str, ...], int | None] | None = None,
    marts: str | Iterable[str] = (),
    offending: Callable[[ir.Table], ir.BooleanColumn] | None = None,
) -> Callable[[Callable[..., ir.Table]], Invariant]:
    """Declare the decorated function as a change to the source `changes`, and what must follow.

    The function's parameters name the sources that it reads, and `as_of` is the run's date; it
    returns the changed source. Its docstring, which it must have, says what it changes. The
    invariant is tested on every mart that reads the source, directly or through others, or only on
    the named `marts`. `Invariant` describes the other keywords. Raises DefinitionError, with file
    and line, if the declaration contradicts itself.
    """

    def declare(change: Callable[..., ir.Table]) -> Invariant:
        name = change.__name__
        location = location_of_function(change) or location_of_caller(1)
        if not change.__doc__:
            raise DefinitionError(f"invariant {name} has no docstring", location)
        return Invariant(
            name=name,
            comment=inspect.cleandoc(change.__doc__),
            source=changes,
            change=change,
            parameters=parameters_of(change, f"invariant {name}", location),
            varies_with=dict(varies_with or {}),
            keeps=keeps,
            adds={keys_named(grain): rows for grain, rows in (adds or {}).items()},
            marts=(marts,) if isinstance(marts, str) else tuple(marts),
            offending=offending,
            location=location,
            bindings=bindings_of(change, keeps, offending),
        )

    return declare
