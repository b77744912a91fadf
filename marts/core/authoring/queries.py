"""Example queries: questions that readers put to the marts, each with the query that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import ibis.expr.types as ir

from marts.core.authoring.bindings import Binding, bindings_of
from marts.core.authoring.checks import parameters_of, refuse
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.signature import location_of_caller, location_of_function
from marts.core.errors import DefinitionError


@dataclass(frozen=True, kw_only=True)
class ExampleQuery:
    """A question, and the function that returns the table which answers it."""

    name: str
    question: str
    define: Callable[..., ir.Table]
    parameters: tuple[str, ...]
    location: str
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """The names that its function looks up outside, with their values when it was declared."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The marts it reads."""
        return tuple(name for name in self.parameters if name != AS_OF)


def example_query(question: str) -> Callable[[Callable[..., ir.Table]], ExampleQuery]:
    """Declare the decorated function as a query that answers a question of readers.

    The function's parameters name the published marts that it reads, and `as_of` is the date as of
    which they are published. It returns a table. The catalogue shows the question and the query in
    the SQL of each engine; no run executes it. Raises DefinitionError, with file and line, for a
    question that is not a line of text, and for a function that reads no mart.
    """
    if not isinstance(question, str):
        raise DefinitionError(
            "an example query has no question",
            location_of_function(question) or location_of_caller(1),
            hint='ask what it answers: @example_query("Which customers spend most?")',
        )

    def declare(define: Callable[..., ir.Table]) -> ExampleQuery:
        location = location_of_function(define) or location_of_caller(1)
        name = getattr(define, "__name__", "")
        what = f"example query {name}"
        parameters = parameters_of(define, what, location)
        found = [] if name.isidentifier() else ["it is not a function with a name"]
        if not question.strip() or not question.isprintable():
            found.append(f"its question is {question!r}, not a line of text")
        if not {*parameters} - {AS_OF}:
            found.append("it reads no mart: its parameters name those that it reads")
        refuse(what, location, found)
        return ExampleQuery(
            name=name,
            question=question.strip(),
            define=define,
            parameters=parameters,
            location=location,
            bindings=bindings_of(define),
        )

    return declare
