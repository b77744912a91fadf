"""What `marts lineage` prints: tables of columns by kind, and the tree of one column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from marts.core.analysis.column_lineage import Edges, Kind, Name, ProjectLineage
from marts.core.operations.lineage import Downstream, Upstream

EVERY = "every column"
HEADS = {
    True: ("direct: what the values are made of", "direct: what is made of the values"),
    False: ("indirect: what decides the values", "indirect: what the values decide"),
}
"""By whether lineage is direct: the titles of the tables upstream and downstream."""


@dataclass(frozen=True)
class Section:
    """A title and a table below it."""

    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TreeLine:
    """A line of a tree, and the lines below it."""

    text: str
    branches: tuple[TreeLine, ...] = ()


def upstream_sections(found: Upstream) -> tuple[Section, ...]:
    """Return tables of direct and of indirect lineage: by column and kind, columns of sources.

    What decides about the rows is said once, of every column.
    """
    sources = found.sources
    every = {EVERY: dict(sorted(sources.rows.items()))} if sources.rows else {}
    edges = {
        column: dict(sorted({**edges, **sources.counted[column]}.items()))
        for column, edges in sources.columns.items()
    }
    direct = {column: _of_type(each, is_direct=True) for column, each in edges.items()}
    others = {column: _of_type(each, is_direct=False) for column, each in edges.items()}
    names = ("column", "kind", "table", "columns")
    return _sections(0, names, direct, _alike({**every, **others}), _listed)


def downstream_sections(found: Downstream) -> tuple[Section, ...]:
    """Return tables of direct and of indirect lineage: by column and kind, columns of marts."""

    def listed(table: str, names: Iterable[str]) -> str:
        its, known = set(names), found.columns[table]
        return EVERY if its == {*known} else ", ".join(name for name in known if name in its)

    direct, others = (
        {column: _of_type(each, is_direct=of) for column, each in found.readers.items()}
        for of in (True, False)
    )
    names = ("column", "kind", "mart", "columns")
    return _sections(1, names, direct, others, listed)


def tree_of(found: Upstream) -> TreeLine:
    """Return the tree of a column: through all marts, down to sources.

    It has what decides about the column alone, and not what decides about rows. The columns below
    one that it has already are not repeated.
    """
    table, column = found.about.table.name, found.about.columns[0]
    return _branch((table, column), "", found.lineage, set())


def without_repeats(rows: Iterable[tuple[str, ...]]) -> list[list[str]]:
    """Return rows without a column and a kind that are those of the row above."""
    shown, last = list[list[str]](), ("", "")
    for column, kind, *others in rows:
        is_same = column == last[0]
        shown.append(
            ["" if is_same else column, "" if is_same and kind == last[1] else kind, *others]
        )
        last = column, kind
    return shown


def _branch(name: Name, kinds: str, lineage: ProjectLineage, met: set[Name]) -> TreeLine:
    table, column = name
    text = f"{table}.{column}" if column else f"rows of {table}"
    text += f"  ({kinds})" if kinds else ""
    if table not in lineage.own or not column:
        return TreeLine(text)
    if name in met:
        return TreeLine(f"{text}, see above")
    met.add(name)
    apart = lineage.inputs_apart(table)
    edges = {**apart.columns[column], **apart.counted[column]}
    below = sorted(edges.items(), key=lambda edge: (min(edge[1]), edge[0]))
    branches = (_branch(each, _words(of), lineage, met) for each, of in below)
    return TreeLine(text, tuple(branches))


def _of_type(edges: Edges, *, is_direct: bool) -> dict[Name, frozenset[Kind]]:
    found = {
        name: frozenset(kind for kind in kinds if kind.is_direct == is_direct)
        for name, kinds in edges.items()
    }
    return {name: kinds for name, kinds in found.items() if kinds}


def _alike(by_column: Mapping[str, Edges]) -> dict[str, Edges]:
    """Return the edges of columns that have some, those with the same edges together."""
    groups: defaultdict[frozenset[tuple[Name, frozenset[Kind]]], list[str]] = defaultdict(list)
    for column, edges in by_column.items():
        groups[frozenset(edges.items())].append(column)
    return {", ".join(columns): by_column[columns[0]] for edges, columns in groups.items() if edges}


def _sections(
    side: int,
    names: tuple[str, ...],
    direct: Mapping[str, Edges],
    others: Mapping[str, Edges],
    listed: Callable[[str, Iterable[str]], str],
) -> tuple[Section, ...]:
    made = []
    for is_direct, by_column in ((True, direct), (False, others)):
        rows = [row for column, edges in by_column.items() for row in _rows(column, edges, listed)]
        if is_direct or any(by_column.values()):
            made.append(Section(HEADS[is_direct][side], names, tuple(rows)))
    return tuple(made)


def _rows(
    column: str, edges: Edges, listed: Callable[[str, Iterable[str]], str]
) -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind and table; the tables are in the order of the edges."""
    found: defaultdict[tuple[Kind, str], list[str]] = defaultdict(list)
    for (table, name), kinds in edges.items():
        for kind in kinds:
            found[kind, table].append(name)
    if not found:
        yield column, "none", "", ""
    for (kind, table), names in sorted(found.items(), key=lambda each: each[0][0]):
        yield column, _words([kind]), table, listed(table, names)


def _listed(_: str, names: Iterable[str]) -> str:
    return ", ".join(name or "its rows" for name in sorted(names))


def _words(kinds: Iterable[Kind]) -> str:
    return ", ".join(kind.value.replace("_", " ") for kind in sorted(kinds))
