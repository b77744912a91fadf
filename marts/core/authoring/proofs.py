"""What authors declare for proofs alone: no run uses it, and no published number depends on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marts.core.authoring.checks import parameters_of
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.signature import location_of_caller, location_of_function
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError


@dataclass(frozen=True, kw_only=True)
class ForProof:
    """A function that is declared for proofs, and where."""

    function: Callable[..., Any] = field(repr=False)
    parameters: tuple[str, ...]
    location: str

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Call the function that was decorated, for its author's own tests."""
        return self.function(*given, **named)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources it asks for."""
        return tuple(name for name in self.parameters if name != AS_OF)


@dataclass(frozen=True, kw_only=True)
class Twin(ForProof):
    """A mart calculated a second time, in pandas: a function of the sources and the date."""

    mart: str


def twin(mart: str | Mart) -> Callable[[Callable[..., Any]], Twin]:
    """Declare the decorated function as the pandas twin of a mart, which proofs compare with it.

    Its parameters name the sources that it reads, each a DataFrame, and `as_of` is the date, a
    `datetime.date`. It returns a DataFrame with the mart's columns, with rows in any order. A cell
    is what Python calculates with: `str`, `Decimal`, `datetime.date`, whole numbers and flags that
    can be null (`Int64`, `boolean`), floats with NaN for null, and timestamps. An optional source
    that is absent is an empty DataFrame. Raises DefinitionError for parameters that are not plain
    names.
    """
    if not isinstance(mart, str | Mart):
        raise DefinitionError(
            "a twin names no mart",
            location_of_function(mart) or location_of_caller(1),
            hint='name the mart that it calculates: @twin("customer_revenue")',
        )
    name = mart.name if isinstance(mart, Mart) else mart

    def declare(function: Callable[..., Any]) -> Twin:
        location = location_of_function(function) or location_of_caller(1)
        return Twin(
            mart=name,
            function=function,
            parameters=parameters_of(function, f"the twin of {name}", location),
            location=location,
        )

    return declare
