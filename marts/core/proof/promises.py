"""What relationships promise of a join: each row finds one, so that inner is as good as left."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import ibis.expr.operations as ops

from marts.core.analysis.lineage import meaning
from marts.core.authoring.checks import RelationshipCheck
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Project
from marts.core.query.nulls import Filled, declared_filled, may_be_null

Column = tuple[str, str]
"""A table and one of its columns."""


@dataclass(frozen=True)
class Promises:
    """The columns of which every value is in another, and the columns without nulls."""

    found_in: Collection[tuple[Column, Column]]
    filled: Filled


NOTHING_PROMISED = Promises((), {})


def promises_of(project: Project) -> Promises:
    """Return what a project's checks let nothing be published without.

    A relationship that only warns, or lets rows pass, promises nothing; nor does one that concerns
    some rows alone.
    """
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    found_in = frozenset(
        ((table.name, check.column), (check.to_table, check.to_column))
        for table in tables
        for check in table.checks
        if isinstance(check, RelationshipCheck)
        and (check.severity, check.threshold, check.where) == ("error", 0, None)
    )
    return Promises(found_in, declared_filled(project))


EXCHANGED = ({"inner", "left"}, {"any_inner", "any_left"})
WITHOUT_LOSS = (ops.Project, ops.DropColumns, ops.Sort, ops.Reference, ops.AliasedRelation)
"""What has a row for each of its parent's."""


def is_same_by_promise(old: ops.Node, new: ops.Node, promises: Promises) -> bool:
    """Tell whether a join differs from another only in keeping rows that there cannot be."""
    if not (isinstance(old, ops.JoinChain) and isinstance(new, ops.JoinChain)):
        return False
    changed = [
        number
        for number, (before, after) in enumerate(zip(old.rest, new.rest, strict=True))
        if before != after
    ]
    if old.first != new.first or len(changed) != 1:
        return False
    before, after = old.rest[changed[0]], new.rest[changed[0]]
    if {before.how, after.how} not in EXCHANGED or before.predicates != after.predicates:
        return False
    return _all_are_found(old.first, old.rest[: changed[0]], before, promises)


def _all_are_found(
    first: ops.Relation,
    earlier: tuple[ops.JoinLink, ...],
    link: ops.JoinLink,
    promises: Promises,
) -> bool:
    """Tell whether every row so far meets one of the table that a link joins."""
    match link.predicates:
        case (ops.Equals(left=ops.Field() as one, right=ops.Field() as other),):
            asked, given = (one, other) if other.rel == link.table else (other, one)
        case _:
            return False
    if any(each.how in ("right", "outer") for each in earlier) or given.rel != link.table:
        return False
    whole = {first, *(each.table for each in earlier if each.how in ("inner", "any_inner"))}
    if asked.rel not in whole or may_be_null(asked, promises.filled):
        return False
    origin, target = _column_of(asked), _column_of(given)
    return _is_unfiltered(given.rel) and (origin, target) in promises.found_in


def _column_of(field: ops.Field) -> Column | None:
    found = meaning(field)
    if isinstance(found, ops.Field) and isinstance(found.rel, ops.PhysicalTable):
        return found.rel.name, found.name
    return None


def _is_unfiltered(rel: ops.Relation) -> bool:
    while isinstance(rel, WITHOUT_LOSS):
        rel = rel.parent
    return isinstance(rel, ops.PhysicalTable)
