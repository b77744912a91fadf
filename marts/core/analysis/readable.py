"""What the columns of a mart are computed from, as a person would write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from textwrap import indent

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.known_values import Context, default_of, not_zero
from marts.core.analysis.row_words import Groups, lines_of_rows, rows_text
from marts.core.analysis.selections import as_selections
from marts.core.analysis.wording import AS_OF_DAY, Notes, Part, Wording
from marts.core.analysis.words import as_reduction, branches_of, reduction
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import COUNTS, NotNull, declared_not_null, may_be_null


@dataclass(frozen=True)
class Readable:
    """A mart in readable form: from where it has its rows, and what its columns are."""

    rows: str
    columns: Mapping[str, str]


def readable(mart: Mart, graph: Graph) -> Mapping[str, str]:
    """Return the definition of each column of a mart in one or several lines.

    It is over the columns of the tables that the mart reads, and other columns of the mart. It is
    the same for every date: days are written relative to as_of. A case has a line for each
    condition, `if …: …`, `else if …: …` and `else: …`. An operation without words is written as a
    function. Raises DefinitionError as `defining_query` does.
    """
    return readable_mart(mart, graph).columns


def readable_mart(mart: Mart, graph: Graph) -> Readable:
    """Return a mart in readable form: its rows and, as `readable` does, its columns."""
    return _readable(mart, logical_tables(graph.project), declared_not_null(graph.project))


def _readable(mart: Mart, tables: Mapping[str, ir.Table], not_null: NotNull) -> Readable:
    query = defining_query(mart, tables, FixedAsOf(AS_OF_DAY), not_null=not_null).op()
    return readable_query(Context(as_selections(query), not_null))


def readable_project(graph: Graph) -> Mapping[str, Readable]:
    """Return every mart of a project in readable form, as `readable_mart` does.

    A column that copies one of another mart also has the definition of the one that it comes from,
    on further lines: `totals.spend:`, then the definition.
    """
    marts, not_null = graph.project.marts, declared_not_null(graph.project)
    tables = logical_tables(graph.project)
    found = {name: _readable(marts[name], tables, not_null) for name in graph.order}
    return {
        name: replace(each, columns={c: _with_origin(t, found) for c, t in each.columns.items()})
        for name, each in found.items()
    }


def _with_origin(text: str, marts: Mapping[str, Readable]) -> str:
    """Return a definition; if it is a copy of a mart's column, with what that is computed from."""
    origin, below = text, _copied(text, marts)
    while below is not None and (next_one := _copied(below, marts)) is not None:
        origin, below = below, next_one
    if below is None:
        return text
    if COPY.fullmatch(below):
        return f"{text}, from {below}"
    head = text if origin == text else f"{text}, from {origin}"
    return f"{head}:\n{indent(below, '  ')}"


COPY = re.compile(r"(\w+)\.(\w+)")


def _copied(text: str, marts: Mapping[str, Readable]) -> str | None:
    """Return the definition of the column of a mart that a text names; None for any other text."""
    found = COPY.fullmatch(text)
    mart = marts.get(found[1]) if found else None
    return mart.columns.get(found[2]) if found and mart else None


def readable_query(context: Context) -> Readable:
    """Return a query in readable form, over the columns of the tables that it reads."""
    query = context.query
    columns = {
        name: written_out(wording(context, name), ops.Field(query, name))
        for name in query.schema.names
    }
    return Readable(lines_of_rows(wording(context, "")), columns)


TOO_DEEP = "an expression that is nested too deeply to be written out"


def wording(context: Context, name: str) -> Wording:
    """Return what says the values in the definition of a column of a query."""
    return Wording(context=context, notes=Notes(), define=_lines, column=name)


def written_out(say: Wording, value: ops.Value) -> str:
    """Return the definition of a value, in one or several lines, by what says it."""
    say = say.but(notes=Notes())
    try:
        lines = _lines(say, value, by_name=False)
        return "\n".join([*lines, *_parts(say.notes.parts.values(), set())])
    except RecursionError:
        return TOO_DEEP


def _lines(say: Wording, op: ops.Value, *, by_name: bool = True) -> list[str]:
    """Return the lines of the definition of a value; the notes of the wording are its own."""
    at, core = say.at(op, by_name=by_name)
    filled = None
    while (default := default_of(core)) and not (by_name and at.name_of(core)):
        filled = at.loose()(default[1])
        at, core = at.at(default[0], by_name=by_name)
    if isinstance(core, ops.IfElse | ops.SearchedCase | ops.SimpleCase):
        lines = _case(at, core) + ([f"{filled} where null"] if filled else [])
    elif isinstance(core, ops.Field) and isinstance(core.rel, ops.Union):
        lines = _sides(at, core)
    else:
        lines = [_line(at, core, filled, by_name=by_name)]
        if len(say.notes.groups) > 1:
            say.notes.clear()
            return _lines(replace(say, says_groups=True), op, by_name=by_name)
    return lines


def _parts(parts: Iterable[Part], met: set[str]) -> Iterator[str]:
    """Yield the lines of the definitions of named parts, each once, with the parts in them."""
    for part in parts:
        if part.name in met:
            continue
        met.add(part.name)
        if len(part.lines) == 1:
            yield f"{part.name} = {part.lines[0]}"
        else:
            yield f"{part.name}:"
            yield from (f"  {line}" for line in part.lines)
        yield from _parts(part.parts, met)


def _case(say: Wording, op: ops.Value) -> list[str]:
    branches, default = branches_of(op)
    lines, word, tests = [], "if", replace(say, says_groups=True)
    for test, value in branches:
        under = replace(say, not_zero=say.not_zero | not_zero(test, say.path))
        lines += _branch(under, f"{word} {tests.condition(test)}", value)
        word = "else if"
    lines += _branch(say, "else", default)
    after = _after(Notes(where=say.notes.where, of_rows=say.notes.of_rows), [], None)
    return [*lines, *([after.lstrip(" ,")] if after else [])]


def _branch(say: Wording, head: str, value: ops.Value) -> list[str]:
    core = say.core(value)
    if isinstance(core, ops.Literal) and isinstance(core.value, str):
        return [f"{head}: {_label(core.value)}"]
    lines = _lines(replace(say, notes=Notes(parts=say.notes.parts), is_strict=True), value)
    if len(lines) == 1:
        return [f"{head}: {lines[0]}"]
    return [f"{head}:", *(f"  {line}" for line in lines)]


def _label(text: str) -> str:
    """Return a label as it is, in quotes if it could be taken for something else."""
    is_plain = re.fullmatch(r"[^\W\d_](?:.*\S)?|[<>$\d].*[^\W\d].*\S?", text) is not None
    return text if is_plain and ": " not in text and text.isprintable() else repr(text)


def _sides(say: Wording, op: ops.Field) -> list[str]:
    """Return the lines of a column of a union: those of each of its parts, or of all of them."""
    found: dict[str, list[str]] = {}
    for at, side in _parts_of_union(say, op.rel):
        head = f"in {rows_text(at.but(uses_names=False), side)}:"
        found[head] = _lines(at, ops.Field(side, op.name), by_name=False)
    first, *others = found.values()
    if all(each == first for each in others):
        return first
    lines = []
    for head, parts in found.items():
        lines += [f"{head} {parts[0]}"] if len(parts) == 1 else [head, *(f"  {e}" for e in parts)]
    return lines


def _parts_of_union(say: Wording, rel: ops.Relation) -> Iterator[tuple[Wording, ops.Relation]]:
    if not isinstance(rel, ops.Union):
        yield say.but(notes=Notes(parts=say.notes.parts)), rel
        return
    for side in (rel.left, rel.right):
        yield from _parts_of_union(say.but(path=(*say.path, side)), side)


def _line(say: Wording, core: ops.Value, default: str | None, *, by_name: bool) -> str:
    conditions: list[str] = []
    alone = as_reduction(core) or core
    if isinstance(alone, ops.Reduction) and not say.says_groups:
        text, where = reduction(say, alone, alone=True)
        conditions += [where] if where else []
    elif isinstance(core, ops.Field) and isinstance(core.rel, ops.PhysicalTable) and not by_name:
        text = f"{say.place(core.rel.name)}.{core.name}"
    elif isinstance(core, ops.And | ops.Or):
        text, default = _both(say, core, default)
    else:
        text = say(core) if by_name else say.said(core)
    after = _after(say.notes, conditions, default)
    if isinstance(alone, ops.Reduction) and (conditions or say.notes.is_unmatched):
        is_count = isinstance(alone, COUNTS)
        if default is None and not is_count:
            after = after.removesuffix(UNMATCHED) + "; null without such rows"
    return text + after


def _both(say: Wording, core: ops.Value, default: str | None) -> tuple[str, str | None]:
    """Return a condition in words, with `false where null` said at the end if that is the same."""
    text, short = say.said(core), replace(say.loose(), is_condition=True).said(core)
    if text != short and not may_be_null(core, say.context.not_null):
        return short, "false"
    return text, default


def _after(notes: Notes, conditions: list[str], default: str | None) -> str:
    """Return what is said after a text: conditions, groups, and what it is where it is null."""
    groups = next(iter(notes.groups), Groups((), ""))
    tested = [*conditions, *groups.conditions]
    joined = list(notes.where)
    text = ""
    if groups.per:
        text += f" where {' and '.join(tested)}" if tested else ""
        text += f", {groups.per}"
        text += f"; of the row where {' and '.join(joined)}" if joined else ""
    elif tested or joined:
        text += f" where {' and '.join([*tested, *joined])}"
    text += "".join(f", of the {rows}" for rows in notes.of_rows)
    nulls = list(notes.null_where)
    if default is not None:
        return f"{text}; {default} where {' or '.join(['null', *nulls])}"
    if nulls:
        text += f"; null where {' or '.join(nulls)}"
    return text + UNMATCHED if notes.is_unmatched else text


UNMATCHED = "; null without a match"
