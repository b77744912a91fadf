"""Keys: the columns that together name a row, declared for tables and derived for their queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis.expr.operations as ops

from marts.core.model import Mart, Source, UniqueCheck
from marts.core.project import Project

Key = frozenset[str]
Keys = Mapping[str, frozenset[Key]]
"""The keys of each table, by its name."""


def declared_keys(project: Project) -> Keys:
    """Return the keys that each source and mart declares: its grain and its unique columns."""
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    return {table.name: frozenset(_declared(table)) for table in tables}


def _declared(table: Source | Mart) -> Iterator[Key]:
    if table.grain:
        yield frozenset(table.grain)
    yield from (frozenset({column.name}) for column in table.columns if column.unique)
    for check in table.checks:
        if isinstance(check, UniqueCheck) and check.where is None:
            yield frozenset(check.columns)


def keys_of(rel: ops.Relation, known: Keys) -> frozenset[Key]:
    """Return the column sets that name a row of a relation; none where that is unknown."""
    match rel:
        case ops.PhysicalTable():
            return known.get(rel.name, frozenset())
        case ops.Aggregate():
            return frozenset({frozenset(rel.groups)})
        case ops.Distinct():
            return keys_of(rel.parent, known) | {frozenset(rel.schema.names)}
        case ops.JoinChain():
            return _join_keys(rel, known)
        case ops.Project() | ops.DropColumns():
            names = {v.name: name for name, v in rel.values.items() if isinstance(v, ops.Field)}
            kept = (key for key in keys_of(rel.parent, known) if key <= names.keys())
            return frozenset(frozenset(names[column] for column in key) for key in kept)
        case _:
            return keys_of(rel.parent, known) if hasattr(rel, "parent") else frozenset()


def _join_keys(chain: ops.JoinChain, known: Keys) -> frozenset[Key]:
    """Return the keys of a join: of one side where each of its rows meets one of the other's."""

    def of(table: ops.Relation) -> set[frozenset[tuple[ops.Relation, str]]]:
        return {frozenset((table, column) for column in key) for key in keys_of(table, known)}

    keys = of(chain.first)
    for link in chain.rest:
        equals = [each for each in link.predicates if isinstance(each, ops.Equals)]
        sides = [side for each in equals for side in (each.left, each.right)]
        matched = {(s.rel, s.name) for s in sides if isinstance(s, ops.Field)}
        added = of(link.table)
        one_left = link.how in ("inner", "right") and any(key <= matched for key in keys)
        one_right = link.how in ("inner", "left") and any(key <= matched for key in added)
        if one_left or one_right:
            keys = (keys if one_right else set()) | (added if one_left else set())
        elif link.how not in ("semi", "anti"):
            keys = {key | other for key in keys for other in added}
    names = {(v.rel, v.name): n for n, v in chain.values.items() if isinstance(v, ops.Field)}
    kept = (key for key in keys if key <= names.keys())
    return frozenset(frozenset(names[column] for column in key) for key in kept)
