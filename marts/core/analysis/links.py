"""Links between sources: which columns refer to which, as contracts and marts say.

A link is declared by a relationship of a source, or read from a mart that joins two sources by
equal columns. Worlds of related rows follow them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops

from marts.core.analysis.lineage import Name, resolved
from marts.core.analysis.nodes import conjuncts
from marts.core.analysis.thresholds import Threshold
from marts.core.authoring.checks import RelationshipCheck, UniqueCheck
from marts.core.authoring.tables import Source, checks_of
from marts.core.project.loading import Declarations


@dataclass(frozen=True)
class Link:
    """Columns of a source whose values are found in columns of another source, its parent.

    `is_strict` says that each value must be there; `is_declared`, that a relationship says so.
    """

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    is_strict: bool = False
    is_declared: bool = False


def links_of(project: Declarations, queries: Iterable[ops.Relation]) -> tuple[Link, ...]:
    """Return the links between sources, declared ones first; they form no cycle of sources."""
    found = list(_declared(project))
    known = {frozenset(_ends(link)) for link in found}
    joined = dict.fromkeys(
        pair for query in queries for chain in query.find(ops.JoinChain) for pair in _joined(chain)
    )
    found += [
        _directed(project, pairs)
        for pairs in joined
        if not all(frozenset(pair) in known for pair in pairs)
    ]
    return _without_cycles(dict.fromkeys(found))


def _ends(link: Link) -> tuple[Name, Name]:
    return (link.child, link.columns[0]), (link.parent, link.parent_columns[0])


def _declared(project: Declarations) -> Iterator[Link]:
    for source in project.sources.values():
        for check in source.checks:
            if isinstance(check, RelationshipCheck) and check.to_table in project.sources:
                is_strict = check.severity == "error" and check.threshold == 0
                yield Link(
                    source.name,
                    (check.column,),
                    check.to_table,
                    (check.to_column,),
                    is_strict and check.where is None,
                    is_declared=True,
                )


def _joined(chain: ops.JoinChain) -> Iterator[tuple[tuple[Name, Name], ...]]:
    """Yield, for each two sources that a chain joins, the pairs of columns that are equal."""
    for link in chain.rest:
        pairs: dict[tuple[str, str], list[tuple[Name, Name]]] = defaultdict(list)
        for predicate in (each for one in link.predicates for each in conjuncts(one)):
            if isinstance(predicate, ops.Equals):
                left, right = _column(predicate.left), _column(predicate.right)
                if left and right and left[0] != right[0]:
                    one, other = sorted((left, right))
                    pairs[one[0], other[0]].append((one, other))
        yield from (tuple(sorted(each)) for each in pairs.values())


def _column(op: ops.Value) -> Name | None:
    op = resolved(op)
    while isinstance(op, ops.Cast):
        op = resolved(op.arg)
    is_column = isinstance(op, ops.Field) and isinstance(op.rel, ops.PhysicalTable)
    return (str(op.rel.name), op.name) if is_column else None


def _directed(project: Declarations, pairs: tuple[tuple[Name, Name], ...]) -> Link:
    """Return joined columns as a link to the source in which they identify a row.

    An optional source is nobody's parent, because it may be absent.
    """
    sides = [tuple(pair[n] for pair in pairs) for n in (0, 1)]
    sides.sort(key=lambda side: _parenthood(project.sources[side[0][0]], side))
    child, parent = sides
    return Link(
        child[0][0],
        tuple(name for _, name in child),
        parent[0][0],
        tuple(name for _, name in parent),
    )


def _parenthood(source: Source, columns: tuple[Name, ...]) -> tuple[bool, bool, str]:
    names = {name for _, name in columns}
    is_key = any(set(key) <= names for key in keys_of(source))
    return not source.optional, is_key, source.name


def keys_of(source: Source) -> list[tuple[str, ...]]:
    """Return the columns that each identify a row of a source, as its contract says."""
    return [
        check.columns
        for check in checks_of(source)
        if isinstance(check, UniqueCheck)
        and (check.severity, check.threshold, check.where) == ("error", 0, None)
    ]


def _without_cycles(links: Iterable[Link]) -> tuple[Link, ...]:
    kept: list[Link] = []
    for link in links:
        if link.child == link.parent or not _reaches(kept, link.parent, link.child):
            kept.append(link)
    return tuple(kept)


def _reaches(links: Iterable[Link], start: str, end: str) -> bool:
    """Tell whether a source refers to another one, directly or through others."""
    parents: dict[str, set[str]] = defaultdict(set)
    for link in links:
        parents[link.child].add(link.parent)
    met, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        if name not in met:
            met.add(name)
            waiting += parents[name]
    return False


def main_links(links: Iterable[Link], thresholds: Iterable[Threshold]) -> Mapping[str, Link]:
    """Return, for each source whose rows are summed up by a parent, the link to this parent.

    Of several parents, it is the one by which most values are grouped that are compared with
    thresholds. A source that is nobody's parent has such a link if it has any.
    """
    links, thresholds = tuple(links), tuple(thresholds)
    # A comparison with 0 is the guard of a division more often than a threshold of a group.
    found = _most_grouped(links, (each for each in thresholds if each.at != 0))
    parents = {link.parent for link in links}
    leaves = [link for link in links if link.child not in parents]
    for more in (_most_grouped(links, thresholds), {each.child: each for each in leaves[::-1]}):
        found |= {
            name: link for name, link in more.items() if name not in found and name not in parents
        }
    return found


def _most_grouped(links: tuple[Link, ...], thresholds: Iterable[Threshold]) -> dict[str, Link]:
    votes = Counter[Link]()
    for each in thresholds:
        for table in {table for table, _ in each.sources | each.keys}:
            for key in each.keys:
                votes.update(set(_path(links, table, key)))
    found: dict[str, Link] = {}
    for link in sorted(links, key=lambda each: -votes[each]):
        if votes[link] and link.child != link.parent:
            found.setdefault(link.child, link)
    return found


def _path(links: tuple[Link, ...], table: str, key: Name) -> tuple[Link, ...]:
    """Return the shortest chain of links from a source to a column: to what the column names."""
    paths: list[tuple[str, tuple[Link, ...]]] = [(table, ())]
    for at, path in paths:
        if at == key[0]:
            last = (each for each in links if each.child == at and key[1] in each.columns)
            return (*path, *last)
        paths += [
            (each.parent, (*path, each)) for each in links if each.child == at and each not in path
        ]
    return ()
