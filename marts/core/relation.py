"""Relations: a change to a source, and how marts must answer it; a test without a reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

from marts.core.authored import Binding, bindings_of, place_of_caller, place_of_function
from marts.core.errors import DefinitionError
from marts.core.model import AS_OF, keys_named, parameters_of


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A change to one source, and how marts must answer it: a test that needs no reference.

    `change` returns the changed source. A column that `moves` by one of the relation's words is
    multiplied by the word's number, or, where that is None, may become anything; any other column
    must stay. Rows that `keeps` does not hold for (of the mart as it was) may go; a mart whose
    grain is in `adds` gains so many rows for each that it had, or any number where that is None.
    With `offending`, only the answer is looked at, and no row of it may be offending.
    """

    name: str
    comment: str
    source: str
    change: Callable[..., ir.Table]
    parameters: tuple[str, ...]
    moves: Mapping[str, int | None]
    keeps: Callable[[ir.Table], ir.BooleanColumn] | None
    adds: Mapping[tuple[str, ...], int | None]
    marts: tuple[str, ...]
    offending: Callable[[ir.Table], ir.BooleanColumn] | None
    place: str
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """What its functions looked up outside when it was declared."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources it reads."""
        return tuple(name for name in self.parameters if name != AS_OF)


def relation(
    *,
    changes: str,
    moves: Mapping[str, int | None] | None = None,
    keeps: Callable[[ir.Table], ir.BooleanColumn] | None = None,
    adds: Mapping[str | tuple[str, ...], int | None] | None = None,
    marts: str | Iterable[str] = (),
    offending: Callable[[ir.Table], ir.BooleanColumn] | None = None,
) -> Callable[[Callable[..., ir.Table]], Relation]:
    """Declare the decorated function as a change to the source `changes`, and what follows of it.

    Its parameters name the sources it reads, and `as_of` the run's date; it returns the changed
    source. The relation is tested on every mart that reads the source, or on the named `marts`;
    `Relation` tells what the other settings mean. Raises DefinitionError for a slip.
    """

    def declare(change: Callable[..., ir.Table]) -> Relation:
        name = change.__name__
        place = place_of_function(change) or place_of_caller(1)
        if not change.__doc__:
            raise DefinitionError(f"relation {name} has no docstring", place)
        return Relation(
            name=name,
            comment=inspect.cleandoc(change.__doc__),
            source=changes,
            change=change,
            parameters=parameters_of(change, f"relation {name}", place),
            moves=dict(moves or {}),
            keeps=keeps,
            adds={keys_named(grain): rows for grain, rows in (adds or {}).items()},
            marts=(marts,) if isinstance(marts, str) else tuple(marts),
            offending=offending,
            place=place,
            bindings=bindings_of(change, keeps, offending),
        )

    return declare
