"""Procedures in Snowflake Scripting: their steps as data, and as SQL; pure functions.

A variable is read by SQL as `:NAME`. https://docs.snowflake.com/en/developer-guide/snowflake-scripting
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import assert_never

from backends.snowflake_ddl import literal

FIRST_ERROR = -20_001
"""Exceptions of a procedure have numbers from -20999 to -20000."""


@dataclass(frozen=True)
class Run:
    """Run one statement."""

    sql: str


@dataclass(frozen=True)
class Set:
    """Set a variable to the only value of a query."""

    name: str
    query: str


@dataclass(frozen=True)
class Immediate:
    """Run the statement that a variable has."""

    name: str


@dataclass(frozen=True)
class Refuse:
    """Raise an error with this message if a condition on variables is true."""

    condition: str
    message: str


@dataclass(frozen=True)
class When:
    """Do some steps if a condition on variables is true."""

    condition: str
    steps: tuple[Step, ...]


Step = Run | Set | Immediate | Refuse | When


@dataclass(frozen=True)
class Procedure:
    """A procedure with its qualified name as SQL, arguments and variables with their types.

    One that `rolls_back` has a transaction: an error rolls it back, and is raised again.
    """

    name: str
    arguments: Mapping[str, str]
    variables: Mapping[str, str]
    steps: tuple[Step, ...]
    rolls_back: bool = False

    @property
    def signature(self) -> str:
        """The name and the types of the arguments, as SQL."""
        return f"{self.name}({', '.join(self.arguments.values())})"

    @property
    def body(self) -> str:
        """The block, as SQL."""
        errors = {message: n for n, message in enumerate(dict.fromkeys(_messages(self.steps)))}
        declared = [f"{name} {kind};" for name, kind in self.variables.items()]
        declared += [
            f"ERROR_{n} EXCEPTION ({FIRST_ERROR - n}, {literal(message)});"
            for message, n in errors.items()
        ]
        lines = [line for step in self.steps for line in _rendered(step, errors)]
        handler = "EXCEPTION\n  WHEN OTHER THEN\n    ROLLBACK;\n    RAISE;\n"
        return (
            (f"DECLARE\n{indent(_joined(declared), '  ')}\n" if declared else "")
            + f"BEGIN\n{indent(_joined(lines), '  ')}\n  RETURN 'done';\n"
            + (handler if self.rolls_back else "")
            + "END;"
        )

    def create(self, comment: str) -> str:
        """Return the statement that creates or replaces the procedure."""
        arguments = ", ".join(f"{name} {kind}" for name, kind in self.arguments.items())
        return (
            f"CREATE OR REPLACE PROCEDURE {self.name}({arguments})\n"
            "RETURNS VARCHAR\n"
            "LANGUAGE SQL\n"
            f"COMMENT = {literal(comment)}\n"
            # Of the owner's rights, a procedure could not use the parameters of the task's session.
            "EXECUTE AS CALLER\n"
            f"AS\n{_quoted(self.body)}"
        )


def _quoted(body: str) -> str:
    return literal(body) if "$$" in body else f"$$\n{body}\n$$"


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _messages(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, Refuse):
            yield step.message
        elif isinstance(step, When):
            yield from _messages(step.steps)


def _rendered(step: Step, errors: Mapping[str, int]) -> Iterator[str]:
    match step:
        case Run(sql):
            yield f"{sql};"
        case Set(name, query):
            yield f"{name} := (\n{indent(query, '  ')}\n);"
        case Immediate(name):
            yield f"EXECUTE IMMEDIATE :{name};"
        case Refuse(condition, message):
            yield f"IF ({condition}) THEN\n  RAISE ERROR_{errors[message]};\nEND IF;"
        case When(condition, steps):
            lines = [line for each in steps for line in _rendered(each, errors)]
            yield f"IF ({condition}) THEN\n{indent(_joined(lines), '  ')}\nEND IF;"
        case _:
            assert_never(step)
