"""Push conditions on joined rows to the sides of the joins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import ibis.expr.operations as ops

from marts.core.analysis.casts import unwrapped
from marts.core.analysis.nodes import conjuncts
from marts.core.analysis.trace_conditions import (
    Condition,
    Conditions,
    chosen,
    equal_to,
    subject,
)

Pair = tuple[ops.Value, ops.Value]
"""Values of two sides that are equal in matching rows."""


def pushed_to_sides(
    first: ops.Relation,
    links: Sequence[ops.JoinLink],
    conditions: Conditions,
    *,
    only_matching: bool,
) -> dict[ops.Relation, list[Condition]]:
    """Return, for each joined relation, conditions on the rows that wanted rows are joined from.

    `conditions` are those on the joined rows, over the columns of the relations. A condition on the
    side that may be missing is not pushed to it, unless it is on the key, and so excludes a missing
    side: joined without the rows that do not meet it, other rows would look like missing ones. With
    `only_matching`, rows that an inner join drops are not wanted.
    """
    sides = _Sides({rel: [] for rel in (first, *(link.table for link in links))})
    for each in conditions:
        if side := side_of(each, optional(first, links)):
            sides.add(side, each)
    pairs = [pair for link in links for pair in _pairs(link)]
    pairs += [(right, left) for left, right in pairs]
    while sides.share(pairs):
        pass
    if only_matching:
        missing = optional(first, links)
        inner = [pair for link in links if link.how in MATCHING for pair in _pairs(link)]
        inner = [pair for pair in inner if not missing & (_rels(pair[0]) | _rels(pair[1]))]
        sides.leave_out_unmatched([*inner, *((right, left) for left, right in inner)])
    sides.match(pairs)
    while sides.look_up(pairs):
        pass
    return sides.conditions


MATCHING = ("inner", "any_inner", "semi")
"""The joins that drop the rows of both sides that match no row."""


def side_of(condition: Condition, optional: Collection[ops.Relation]) -> ops.Relation | None:
    """Return the side to which a condition can be pushed, None if there is none."""
    rels = {found.rel for found in condition.fields}
    excludes_null = condition.is_key and not condition.allows_null
    excludes_null = excludes_null and isinstance(subject(condition), ops.Field)
    return rels.pop() if len(rels) == 1 and (excludes_null or not rels & {*optional}) else None


def optional(first: ops.Relation, links: Sequence[ops.JoinLink]) -> set[ops.Relation]:
    """Return the relations that may have no row in a joined row."""
    before, found = {first}, set[ops.Relation]()
    for link in links:
        if link.how in ("left", "any_left", "outer"):
            found.add(link.table)
        if link.how in ("right", "outer"):
            found |= before
        before.add(link.table)
    return found


def _pairs(link: ops.JoinLink) -> Iterator[Pair]:
    for predicate in link.predicates:
        for each in conjuncts(predicate):
            if isinstance(each, ops.Equals):
                left, right = unwrapped(each.left), unwrapped(each.right)
                if len(_rels(left)) == len(_rels(right)) == len(_rels(each)) - 1 == 1:
                    yield left, right


def _rels(value: ops.Value) -> set[ops.Relation]:
    return {each.rel for each in value.find(ops.Field, filter=ops.Value)}


@dataclass
class _Sides:
    """The conditions on each side of a chain of joins."""

    conditions: dict[ops.Relation, list[Condition]]

    def add(self, side: ops.Relation, condition: Condition) -> bool:
        """Add a condition to a side; tell whether it is new."""
        if condition in self.conditions[side]:
            return False
        self.conditions[side].append(condition)
        return True

    def share(self, pairs: Sequence[Pair]) -> bool:
        """Let values that are equal have the same condition; tell whether one was added."""
        is_new = False
        for left, right in pairs:
            (here,), (there,) = _rels(left), _rels(right)
            for each in list(self.conditions[here]):
                if each.is_key and not each.allows_null and subject(each) == left:
                    is_new |= self.add(there, _moved(each, right))
        return is_new

    def leave_out_unmatched(self, pairs: Sequence[Pair]) -> None:
        """Let sides be without the rows that match none of the sides looked up from them."""
        reached = [side for side, found in self.conditions.items() if _is_found(found)]
        steps: list[tuple[ops.Relation, ops.Relation]] = []
        for here in reached:
            for left, right in pairs:
                (there,) = _rels(right)
                if _rels(left) == {here} and there not in reached:
                    reached.append(there)
                    steps.append((here, there))
        for here, there in reversed(steps):
            for left, right in pairs:
                if _rels(left) == {here} and _rels(right) == {there}:
                    rows = chosen(there, self.conditions[there], right)
                    self.add(here, Condition(ops.InSubquery(rel=rows, needle=left)))

    def match(self, pairs: Sequence[Pair]) -> None:
        """Let sides that are found each by a part of the key look each other up."""
        before = {side: [*found] for side, found in self.conditions.items()}
        for left, right in pairs:
            (here,), (there,) = _rels(left), _rels(right)
            is_shared = any(subject(each) == right for each in before[there])
            if not is_shared and _is_found(before[here]) and _is_found(before[there]):
                self.add(there, equal_to(right, chosen(here, before[here], left)))

    def look_up(self, pairs: Sequence[Pair]) -> bool:
        """Let one side be found by the rows of others; tell whether there was one."""
        for side in self.conditions:
            if _is_found(self.conditions[side]):
                continue
            found = [
                equal_to(right, chosen(here, self.conditions[here], left))
                for left, right in pairs
                if _rels(right) == {side}
                and _is_found(self.conditions[(here := next(iter(_rels(left))))])
            ]
            if found:
                self.conditions[side] += found
                return True
        return False


def _is_found(conditions: Conditions) -> bool:
    """Tell whether the rows of a side are found by the key."""
    return any(each.is_key for each in conditions)


def _moved(condition: Condition, to: ops.Value) -> Condition:
    """Return a condition on a value for another one that is equal to it."""
    match condition.value:
        case ops.Equals(right=literal):
            return Condition(ops.Equals(to, literal), is_key=True)
        case ops.InSubquery(rel=rows):
            return Condition(ops.InSubquery(rel=rows, needle=to), is_key=True)
    raise AssertionError(condition)
