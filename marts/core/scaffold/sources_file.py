"""The file of a new project that declares its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import marts
from marts.core.scaffold.code import (
    Argument,
    Call,
    call,
    imported,
    lines,
    listed,
    literal,
    wrapped,
)
from marts.core.scaffold.declarations import NewCheck, NewColumn, NewSource

TEXT_WIDTH = 96
"""The longest comment, so that it fits at any depth."""


def sources_file(sources: Sequence[NewSource], *, about: str) -> str:
    """Return `sources.py`; `about` says in its docstring where the declarations come from."""
    head = ['"""The tables that the marts read.', "", *wrapped(about, width=100), '"""', ""]
    used = {"source", *_used(sources)}
    found = [*head, *imported("marts", sorted(used))]
    for source in sources:
        found += ["", *_declaration(source)]
    return "\n".join(found) + "\n"


def _used(sources: Sequence[NewSource]) -> Iterator[str]:
    """Yield the names of the front door that the declarations need."""
    for source in sources:
        yield from (column.type.partition("(")[0] for column in source.columns)
        yield from ("relationship" if check.to else "unique" for check in source.checks)


def variable_of(source: NewSource) -> str:
    """Return the name of a source's variable: not that of a function of the front door."""
    return f"{source.name}_" if source.name in marts.__all__ else source.name


def _declaration(source: NewSource) -> list[str]:
    arguments = [Argument(literal(source.name))]
    if source.source_name:
        arguments.append(Argument(literal(source.source_name), "source_name"))
    arguments.append(Argument(literal(source.doc), "doc"))
    arguments.append(Argument(_grain(source.grain), "grain", _commented(source.grain_notes)))
    columns = listed(Argument(column_code(c), comments=_commented(c.notes)) for c in source.columns)
    arguments.append(Argument(columns, "columns", is_apart=True))
    if source.checks:
        checks = listed(
            Argument(_check(each), comments=_commented(each.notes)) for each in source.checks
        )
        arguments.append(Argument(checks, "checks", is_apart=True))
    if source.optional:
        arguments.append(Argument("True", "optional"))
    comments = [f"# {line}" for line in _commented((*source.notes, *source.left_out))]
    code = lines(call("source", arguments), before=f"{variable_of(source)} = ", apart=True)
    return [*comments, *code]


def _commented(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for note in notes for line in wrapped(note, width=TEXT_WIDTH - 12, then="  "))


def _grain(names: Sequence[str]) -> str:
    quoted = [literal(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"


def column_code(column: NewColumn) -> Call:
    """Return the declaration of a column."""
    kind, _, digits = column.type.partition("(")
    arguments = [Argument(literal(column.name))]
    arguments += [Argument(number) for number in re.findall(r"\d+", digits)]
    keywords: dict[str, str | Call | None] = {
        "source_name": literal(column.source_name) if column.source_name else None,
        "doc": literal(column.doc) if column.doc else None,
        "null": "True" if column.null else None,
        "unique": "True" if column.unique else None,
        "values": listed(Argument(literal(each)) for each in column.values)
        if column.values
        else None,
        "at_least": None if column.at_least is None else str(column.at_least),
        "at_most": None if column.at_most is None else str(column.at_most),
        "zone": literal(column.zone) if column.zone else None,
    }
    arguments += [Argument(value, name) for name, value in keywords.items() if value is not None]
    return call(kind, arguments)


def _check(check: NewCheck) -> Call:
    arguments = [Argument(literal(name)) for name in check.columns]
    if check.to:
        arguments.append(Argument(literal(check.to), "to"))
    if check.severity:
        arguments.append(Argument(literal(check.severity), "severity"))
    if check.threshold:
        arguments.append(Argument(literal(check.threshold), "threshold"))
    return call("relationship" if check.to else "unique", arguments)
