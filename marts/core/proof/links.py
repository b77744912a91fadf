"""Links between sources: the columns by which rows of several sources belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import ibis.expr.operations as ops

from marts.core.analysis.keys import join_cardinalities
from marts.core.analysis.lineage import Name
from marts.core.analysis.reliance_reader import Reader
from marts.core.authoring.checks import RelationshipCheck
from marts.core.project.graph import Graph


@dataclass(frozen=True)
class Link:
    """Columns of a source whose values name a row of another source, or of the same one.

    `is_required` says that a check of the source stops a run for a value that is not found.
    """

    source: str
    columns: tuple[str, ...]
    to_source: str
    to_columns: tuple[str, ...]
    is_required: bool = False


@dataclass(frozen=True)
class Links:
    """The links between sources, and the columns that have values in common.

    The columns of a class are renamed together: a value of one means the same in all.
    """

    links: tuple[Link, ...]
    classes: tuple[frozenset[Name], ...]

    def class_of(self, column: Name) -> frozenset[Name]:
        """Return the columns that have values in common with one, which is among them."""
        return next((each for each in self.classes if column in each), frozenset({column}))


def links_of(graph: Graph) -> Links:
    """Return the links that relationships declare, and those by which marts join sources.

    Raises DefinitionError for a mart that is not a valid expression.
    """
    declared, joined = list(_declared(graph)), list(_joined(graph))
    pairs = [
        ((link.source, one), (link.to_source, other))
        for link in (*declared, *joined)
        for one, other in zip(link.columns, link.to_columns, strict=True)
    ]
    known = {replace(each, is_required=False) for each in declared}
    found = [each for each in joined if each not in known and _finds(each, graph)]
    return Links(tuple(dict.fromkeys((*declared, *found))), _classes(pairs))


def _declared(graph: Graph) -> Iterator[Link]:
    for source in graph.project.sources.values():
        for check in source.checks:
            if isinstance(check, RelationshipCheck) and check.to_table in graph.project.sources:
                yield Link(
                    source.name,
                    (check.column,),
                    check.to_table,
                    (check.to_column,),
                    is_required=(check.severity, check.threshold) == ("error", 0)
                    and check.where is None
                    and check.to_where is None,
                )


def _joined(graph: Graph) -> Iterator[Link]:
    """Yield, in both directions, each join whose columns are copies of columns of two sources."""
    reader = Reader(graph)
    for name in graph.order:
        reader.read(graph.project.marts[name])
        for chain in reader.queries[name].find(ops.JoinChain):
            for cardinality in join_cardinalities(chain, reader.keys):
                columns = [
                    (_copied(reader, one), _copied(reader, other))
                    for one, other in cardinality.matched
                ]
                yield from _between_two(pair for pair in columns if None not in pair)


def _copied(reader: Reader, column: tuple[ops.Relation | None, str]) -> Name | None:
    rel, name = column
    if rel is None or name not in rel.schema:
        return None
    return reader.copied_column(ops.Field(rel, name))


def _between_two(pairs: Iterable[tuple[Name | None, Name | None]]) -> Iterator[Link]:
    found = [(one, other) for one, other in pairs if one and other]
    for one, other in {(one[0], other[0]): None for one, other in found}:
        own = [(a[1], b[1]) for a, b in found if (a[0], b[0]) == (one, other)]
        columns, to_columns = (tuple(names) for names in zip(*own, strict=True))
        yield Link(one, columns, other, to_columns)
        yield Link(other, to_columns, one, columns)


def _finds(link: Link, graph: Graph) -> bool:
    """Tell whether a link leads to one row, and its own columns do not identify one."""
    grain, to_grain = (graph.project.sources[n].grain for n in (link.source, link.to_source))
    is_key = bool(grain) and {*grain} <= {*link.columns}
    return bool(to_grain) and {*to_grain} <= {*link.to_columns} and not is_key


def _classes(pairs: Iterable[tuple[Name, Name]]) -> tuple[frozenset[Name], ...]:
    classes: dict[Name, frozenset[Name]] = {}
    for one, other in pairs:
        merged = classes.get(one, frozenset({one})) | classes.get(other, frozenset({other}))
        classes |= dict.fromkeys(merged, merged)
    return tuple(dict.fromkeys(classes.values()))
