"""Runs of a schedule without Snowflake's tasks: the text of its procedures, statement by statement.

It knows the few forms of Snowflake Scripting that procedures of marts have.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowflake.connector.errors import Error

from backends.snowflake_ddl import value

PROCEDURE = re.compile(
    r"CREATE OR REPLACE PROCEDURE (\S+)\((.*?)\)\nRETURNS.*?\nAS\n\$\$\n(.*?)\n\$\$", re.DOTALL
)
TASK = re.compile(r"CREATE OR REPLACE TASK (\S+)\n(.*?)\nAS\nCALL (\S+?)\(", re.DOTALL)
AFTER = re.compile(r"^AFTER (.*)$", re.MULTILINE)
PART = re.compile(r'.*?__(BUILD_\w+|\w+)"$')
TEXT = r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\""
DECLARED = re.compile(r"(\w+) (EXCEPTION \(-\d+, (.*)\)|[A-Z]+)")
Rows = Callable[[str], Sequence[Sequence[Any]]]


class RaisedError(Exception):
    """What a procedure has raised."""


@dataclass
class Call:
    """One call of a procedure: its variables, the messages of its errors, and what it runs on."""

    rows: Rows
    variables: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)

    def bound(self, sql: str, mark: str = ":") -> str:
        """Return SQL with the values of variables in place of their names."""
        names = "|".join(self.variables)
        token = re.compile(rf"({TEXT})|(?<![:\w]){mark}({names})\b", re.DOTALL)
        return token.sub(
            lambda found: found[1] or value(self.variables[found[2]]),
            sql,
        )

    def carry_out(self, lines: Iterator[str]) -> None:
        """Carry out the steps up to the end of a block."""
        for line in lines:
            if line in ("END IF;", "END;", "EXCEPTION", "RETURN 'done';"):
                return
            if found := re.fullmatch(r"IF \((.*)\) THEN", line):
                ((holds,),) = self.rows(
                    f"SELECT CASE WHEN {self.bound(found[1], '')} THEN 1 ELSE 0 END"
                )
                self._branch(lines, holds=bool(holds))
            elif found := re.fullmatch(r"RAISE (\w+);", line):
                raise RaisedError(self.errors[found[1]])
            elif found := re.fullmatch(r"(\w+) := \(", line):
                ((self.variables[found[1]],),) = self.rows(self.bound(_until(lines, ");"))) or [
                    (None,)
                ]
            elif found := re.fullmatch(r"EXECUTE IMMEDIATE :(\w+);", line):
                self.rows(self.variables[found[1]])
            else:
                sql = line if line.endswith(";") else f"{line}\n{_until(lines, None)}"
                self.rows(self.bound(sql.removesuffix(";")))

    def _branch(self, lines: Iterator[str], *, holds: bool) -> None:
        if holds:
            self.carry_out(lines)
            return
        depth = 1
        while depth:
            line = next(lines)
            depth += line.startswith("IF (") - (line == "END IF;")


def _until(lines: Iterator[str], end: str | None) -> str:
    """Return the lines up to one that is the end, or ends a statement."""
    found = list[str]()
    for line in lines:
        if line == end:
            break
        found.append(line)
        if end is None and line.endswith(";"):
            break
    return "\n".join(found)


@dataclass(frozen=True)
class Script:
    """A deployment's script: its procedures, and the graph of its tasks."""

    text: str

    @property
    def procedures(self) -> dict[str, tuple[list[str], str]]:
        """The names of arguments, and the body, by name."""
        return {
            name: ([each.split()[0] for each in arguments.split(", ")], body)
            for name, arguments, body in PROCEDURE.findall(self.text)
        }

    @property
    def statements(self) -> list[str]:
        """The statements of the script."""
        return [each.strip().removesuffix(";") for each in self.text.split(";\n\n") if each.strip()]

    @property
    def graph(self) -> Mapping[str, tuple[list[str], str]]:
        """The tasks in the order of the script, each with its predecessors and what it calls."""
        found = {}
        for name, head, calls in TASK.findall(self.text):
            after = AFTER.search(head)
            found[name] = (after[1].split(", ") if after else [], calls)
        return found

    def call(self, rows: Rows, name: str, *arguments: object) -> None:
        """Call a procedure; an error rolls back what its handler would."""
        names, body = self.procedures[name]
        call = Call(rows, dict(zip(names, arguments, strict=True)))
        lines = iter([line.strip() for line in body.splitlines()])
        for line in lines:
            if line == "BEGIN":
                break
            if found := DECLARED.fullmatch(line.removesuffix(";")):
                if found[3]:
                    call.errors[found[1]] = found[3]
                else:
                    call.variables[found[1]] = None
        try:
            call.carry_out(lines)
        except (RaisedError, Error):
            if "\n    ROLLBACK;" in body:
                rows("ROLLBACK")
            raise

    def run(
        self,
        rows: Rows,
        day: datetime.date,
        graph_run: str,
        *,
        suspended: Collection[str] = (),
    ) -> dict[str, str]:
        """Run the graph as Snowflake does; return the error of each task that has failed.

        A suspended task counts as succeeded; what comes after one that has failed is skipped. The
        finalizer comes last in any case, unless the root was skipped.
        """
        failed, skipped = dict[str, str](), set[str]()
        for name, (after, calls) in self.graph.items():
            if part(name) in suspended:
                continue
            if any(each in failed or each in skipped for each in after):
                skipped.add(name)
                continue
            more = (day,) if len(self.procedures[calls][0]) > 1 else ()
            try:
                self.call(rows, calls, graph_run, *more)
            except (RaisedError, Error) as error:
                failed[name] = str(error)
        return {part(name): why for name, why in failed.items()}


def part(task: str) -> str:
    """Return the name of a task without what all names of its schedule begin with."""
    return PART.sub(r"\1", task)
