"""Which columns hold personal data: those that say so, and those whose values come from them.

The mark travels along direct lineage. A temporary mart inherits it; what people can read must say
it, so that nobody publishes personal data by accident.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import ibis.expr.types as ir

from marts.core.analysis.column_lineage import column_lineage, edges_of_marts
from marts.core.analysis.kinds import direct
from marts.core.analysis.lineage import Name
from marts.core.analysis.value_lineage import RelationEdges
from marts.core.authoring.columns import Column, personal_in
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations


def personal_columns(
    graph: Graph, edges: Mapping[str, RelationEdges] | None = None
) -> Mapping[Name, str]:
    """Return the kind of personal data of each column of sources and marts that holds any.

    `edges` say on what the marts depend, where that was read before. Raises DefinitionError, with
    the path of columns and the author's line, for a published mart that shows personal data without
    saying so, for a declaration of another kind than that of the data, and for a column that is
    declared `not_personal` though no personal data reach it. A column that several kinds reach must
    say what it holds, in a temporary mart as well.
    """
    project = graph.project
    columns = (column for table in _tables(project) for column in table.columns)
    if not any(column.personal or column.not_personal for column in columns):
        return {}
    edges, known = edges or edges_of_marts(graph), _Known(declared(project))
    for name in graph.order:
        mart, own = project.marts[name], edges[name].columns
        flaws = []
        for column in mart.columns:
            reach = sorted(direct(own[column.name]).keys() & known.kinds.keys())
            if flaw := known.flaw(mart, column, reach):
                flaws.append((column, flaw))
        if flaws:
            raise _error(mart, flaws)
    return known.kinds


def declared(project: Declarations) -> dict[Name, str]:
    """Return the kind of personal data of each column that says so itself."""
    return {
        (table.name, column): kind
        for table in _tables(project)
        for column, kind in personal_in(table.columns).items()
    }


def _tables(project: Declarations) -> tuple[Source | Mart, ...]:
    return (*project.sources.values(), *project.marts.values())


def marked(graph: Graph, edges: Mapping[str, RelationEdges] | None = None) -> Graph:
    """Return the project with the mark of each column of a temporary mart that inherits one.

    Arguments and errors are those of `personal_columns`.
    """
    kinds = personal_columns(graph, edges)
    marts = {
        name: replace(
            mart,
            columns=tuple(
                replace(column, personal=kinds.get((name, column.name), column.personal))
                for column in mart.columns
            ),
        )
        for name, mart in graph.project.marts.items()
    }
    return replace(graph, project=replace(graph.project, marts=marts))


def unprotected(
    graph: Graph, protected: Collection[str], edges: Mapping[str, RelationEdges] | None = None
) -> dict[Name, dict[str, str]]:
    """Return the published columns of other kinds than the `protected` ones that reach them.

    `graph` is a project as `marked` returns it, and `edges` are as there. Each column has the path
    of each protected kind whose values it is computed from.
    """
    edges, own = edges or edges_of_marts(graph), declared(graph.project)
    paths: dict[Name, dict[str, tuple[Name, ...]]] = {
        at: {kind: (at,)} for at, kind in own.items() if at[0] in graph.project.sources
    }
    found = {}
    for name in graph.order:
        mart, of = graph.project.marts[name], edges[name].columns
        for column in mart.columns:
            at = name, column.name
            if (kind := own.get(at)) is None:
                continue
            reach = {
                reached: (*path, at)
                for upstream in sorted(direct(of[column.name]), reverse=True)
                for reached, path in paths.get(upstream, {}).items()
            }
            paths[at] = {kind: (at,), **reach}
            hidden = sorted(reach.keys() & {*protected})
            if hidden and kind not in protected and not mart.is_temporary:
                found[at] = {each: _shown(reach[each]) for each in hidden}
    return found


def shown_by(query: ir.Table, personal: Collection[Name]) -> frozenset[str]:
    """Return the columns of a query that show values of the `personal` columns that it reads."""
    if not personal:
        return frozenset()
    return frozenset(
        column
        for column, edges in column_lineage(query).items()
        if not direct(edges).keys().isdisjoint(personal)
    )


@dataclass(frozen=True)
class _Flaw:
    """What is wrong with a column: in words, with the exact edit, and the paths that show it."""

    words: str
    edit: str
    paths: tuple[str, ...] = ()


class _Known:
    """The columns that hold personal data, as far as marts were looked at, in build order."""

    def __init__(self, kinds: dict[Name, str]) -> None:
        self.kinds = kinds
        self._from: dict[Name, Name] = {}

    def flaw(self, mart: Mart, column: Column, reach: list[Name]) -> _Flaw | None:
        """Look at the next column, which personal data `reach`; return what is wrong with it."""
        at = mart.name, column.name
        found = {self.kinds[each]: each for each in reversed(reach)}
        kinds = ", ".join(sorted(found))
        paths = tuple(self._path(each, at) for each in found.values())
        if column.not_personal:
            edit = f"leave out not_personal of {column.name}"
            return None if found else _Flaw("is not_personal, but no personal data reach it", edit)
        if found:
            self._from[at] = next(iter(found.values()))
        if column.personal:
            is_other = len(found) == 1 and column.personal not in found
            words = f"is personal={column.personal!r}, but holds {kinds}"
            edit = f'write personal="{kinds}" in {column.name}'
            return _Flaw(words, edit, paths) if is_other else None
        if len(found) > 1:
            edit = f'write personal="KIND" in {column.name}, with one word for all of {kinds}'
            return _Flaw(f"holds personal data of several kinds: {kinds}", edit, paths)
        if found and not mart.is_temporary:
            edit = f'write personal="{kinds}" in {column.name}'
            return _Flaw(f"holds personal data ({kinds}) and does not say so", edit, paths)
        if found:
            self.kinds[at] = kinds
        return None

    def _path(self, start: Name, end: Name) -> str:
        """Return the columns through which personal data reach a column, from their source."""
        names = [end, start]
        while names[-1] in self._from:
            names.append(self._from[names[-1]])
        return _shown(reversed(names))


def _shown(path: Iterable[Name]) -> str:
    return " → ".join(map(".".join, path))


def _error(mart: Mart, flaws: list[tuple[Column, _Flaw]]) -> DefinitionError:
    edits = "; ".join(flaw.edit for _, flaw in flaws)
    silent = any('personal="' in flaw.edit for _, flaw in flaws)
    otherwise = (
        '; or, for a column that shows nothing of them, the reason: not_personal="…"'
        if silent
        else ""
    )
    return DefinitionError(
        f"mart {mart.name} declares wrongly which columns hold personal data",
        *_lines(mart, flaws),
        hint=f"{edits}{otherwise}",
    )


def _lines(mart: Mart, flaws: list[tuple[Column, _Flaw]]) -> Iterator[str]:
    for column, flaw in flaws:
        yield f"column {column.name} {flaw.words}"
        yield from (f"  {path}" for path in flaw.paths)
        yield f"  {column.location or mart.location}"
