"""What authors declare for proofs alone: no run uses it, and no published number depends on it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, overload

from marts.core.authoring.checks import parameters_of
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.signature import location_of_caller, location_of_function
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError, did_you_mean


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


THRESHOLDS = "thresholds"
"""The parameter by which a corpus or a strategy asks for the thresholds of the project."""


@dataclass(frozen=True, kw_only=True)
class Corpus(ForProof):
    """A data set at the thresholds that its author knows: tables of all sources, or of some."""

    name: str
    as_of: datetime.date | None


@dataclass(frozen=True, kw_only=True)
class Strategy(ForProof):
    """A hypothesis strategy of rows of a source, with what its author knows of their values."""

    source: str


@overload
def corpus(function: Callable[..., Any], /) -> Corpus: ...


@overload
def corpus(*, as_of: datetime.date | None = None) -> Callable[[Callable[..., Any]], Corpus]: ...


def corpus(
    function: Callable[..., Any] | None = None, /, *, as_of: datetime.date | None = None
) -> Corpus | Callable[[Callable[..., Any]], Corpus]:
    """Declare the decorated function as a data set on which proofs try the marts.

    It returns the rows of sources by name: a pyarrow.Table, or a list of dicts, with every column
    of the contract; None for an optional source that is to be absent. A source that it leaves out
    has generic rows that fit the others. Its parameters, both optional, are `thresholds`, the
    constants that the marts compare values with, and `as_of`, the date to calculate for: by default
    the keyword's. Write `@corpus` or `@corpus(as_of=…)`. Raises DefinitionError for
    other parameters.
    """

    def declare(function: Callable[..., Any]) -> Corpus:
        name = function.__name__
        parameters, location = _asked(function, f"the corpus {name}")
        return Corpus(
            name=name, as_of=as_of, function=function, parameters=parameters, location=location
        )

    return declare if function is None else declare(function)


def strategy(source: str) -> Callable[[Callable[..., Any]], Strategy]:
    """Declare the decorated function as the hypothesis strategy of the rows of a source.

    It returns a strategy that draws a dict with values of some columns, or all; the others are
    drawn from the contract. Its parameters are those of a `corpus`. Raises DefinitionError for
    other parameters.
    """
    if not isinstance(source, str):
        raise DefinitionError(
            "a strategy names no source",
            location_of_function(source) or location_of_caller(1),
            hint='name the source whose rows it draws: @strategy("orders")',
        )

    def declare(function: Callable[..., Any]) -> Strategy:
        parameters, location = _asked(function, f"the strategy of {source}")
        return Strategy(source=source, function=function, parameters=parameters, location=location)

    return declare


def _asked(function: Callable[..., Any], what: str) -> tuple[tuple[str, ...], str]:
    """Return the parameters of a corpus or a strategy, and its location."""
    location = location_of_function(function) or location_of_caller(2)
    parameters = parameters_of(function, what, location)
    for name in parameters:
        if name not in (THRESHOLDS, AS_OF):
            raise DefinitionError(
                f"{what} asks for {name}, which is neither {THRESHOLDS} nor {AS_OF}",
                location,
                hint=did_you_mean(name, (THRESHOLDS, AS_OF)) or f"remove the parameter {name}",
            )
    return parameters, location
