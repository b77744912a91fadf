"""Guarantees of relationships: if every row has a match, an inner join equals a left join."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import ibis.expr.operations as ops

from marts.core.analysis.lineage import resolved_operation
from marts.core.analysis.nodes import first_below
from marts.core.authoring.checks import RelationshipCheck
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Declarations
from marts.core.query.nulls import NotNull, declared_not_null, may_be_null

Column = tuple[str, str]
"""A table and one of its columns."""


@dataclass(frozen=True)
class Guarantees:
    """The columns whose values all exist in another column, and the columns without nulls."""

    found_in: Collection[tuple[Column, Column]]
    not_null: NotNull


NO_GUARANTEES = Guarantees((), {})


def guarantees_of(project: Declarations) -> Guarantees:
    """Return what holds for all published data, because a project's checks enforce it.

    A relationship guarantees nothing if it only warns, tolerates rows, or concerns only some rows.
    """
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    found_in = frozenset(
        ((table.name, check.column), (check.to_table, check.to_column))
        for table in tables
        for check in table.checks
        if isinstance(check, RelationshipCheck)
        and (check.severity, check.threshold, check.where) == ("error", 0, None)
    )
    return Guarantees(found_in, declared_not_null(project))


EXCHANGED = ({"inner", "left"}, {"any_inner", "any_left"})
WITHOUT_LOSS = (ops.Project, ops.DropColumns, ops.Sort, ops.Reference, ops.AliasedRelation)
"""The relations that keep all rows of their parent."""


def is_equivalent_join(old: ops.Node, new: ops.Node, guarantees: Guarantees) -> bool:
    """Tell whether two joins differ only in rows without a match, and there are no such rows."""
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
    return _all_are_found(old.first, old.rest[: changed[0]], before, guarantees)


def _all_are_found(
    first: ops.Relation,
    earlier: tuple[ops.JoinLink, ...],
    link: ops.JoinLink,
    guarantees: Guarantees,
) -> bool:
    """Tell whether every row joined so far has a match in the table that a link joins."""
    match link.predicates:
        case (ops.Equals(left=ops.Field() as one, right=ops.Field() as other),):
            asked, given = (one, other) if other.rel == link.table else (other, one)
        case _:
            return False
    if any(each.how in ("right", "outer") for each in earlier) or given.rel != link.table:
        return False
    complete = {first, *(each.table for each in earlier if each.how in ("inner", "any_inner"))}
    if asked.rel not in complete or may_be_null(asked, guarantees.not_null):
        return False
    pair = (_column_of(asked), _column_of(given))
    return _is_unfiltered(given.rel) and pair in guarantees.found_in


def _column_of(field: ops.Field) -> Column | None:
    found = resolved_operation(field)
    if isinstance(found, ops.Field) and isinstance(found.rel, ops.PhysicalTable):
        return found.rel.name, found.name
    return None


def _is_unfiltered(rel: ops.Relation) -> bool:
    return isinstance(first_below(rel, WITHOUT_LOSS), ops.PhysicalTable)
