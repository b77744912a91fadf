"""Sums that count a row more than once, because a join has repeated it.

An order joined with its lines is there once for each line, and so is its amount. A column that is
looked up is meant to be there for each row: only rows of the left side count as repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import ibis.expr.operations as ops

from marts.core.analysis.constants import written_rows
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.filter_keys import ROW_BY_ROW
from marts.core.analysis.join_keys import Column, JoinCardinality, cardinalities_of
from marts.core.analysis.keys import keys_of


def repeated_sums(query: ops.Relation, keys: DeclaredKeys) -> Iterator[ops.Sum]:
    """Yield each sum of a column of the left side of a join that repeats the rows of this side.

    It is not one if a key of the joined rows says that no group has a row twice, or if the sum
    itself has a condition.
    """
    for aggregate in query.find(ops.Aggregate):
        chain = _joined(aggregate.parent)
        if chain is None:
            continue
        repeated = _repeated(chain, keys)
        for metric in aggregate.metrics.values():
            for total in metric.find(ops.Sum, filter=ops.Value):
                column = _amount(total.arg, chain) if total.where is None else None
                links = repeated.get(column[0], []) if column and column[0] else []
                if column and links and not _is_apart(aggregate, chain, column, links, keys):
                    yield total


def _joined(rel: ops.Relation) -> ops.JoinChain | None:
    while isinstance(rel, ROW_BY_ROW) and not isinstance(rel, ops.Limit | ops.Sample):
        rel = rel.parent
    return rel if isinstance(rel, ops.JoinChain) else None


def _repeated(
    chain: ops.JoinChain, keys: DeclaredKeys
) -> dict[ops.Relation, list[JoinCardinality]]:
    """Return the links that repeat the rows of a relation that was joined before, by relation."""
    found: dict[ops.Relation, list[JoinCardinality]] = {}
    before = [chain.first]
    for cardinality in cardinalities_of(chain, partial(keys_of, declared=keys)):
        link = cardinality.link
        multiplies = cardinality.matched and not cardinality.right_is_unique
        if multiplies and link.how not in ("semi", "anti") and written_rows(link.table) is None:
            for rel in before:
                found.setdefault(rel, []).append(cardinality)
        before.append(link.table)
    return found


def _amount(value: ops.Value, chain: ops.JoinChain) -> Column | None:
    """Return the column of a joined relation that a sum adds up, None for a computed value."""
    while True:
        match value:
            case ops.Cast() | ops.Round() | ops.Negate():
                value = value.arg
            case ops.Coalesce(arg=(first, *others)) if all(
                isinstance(each, ops.Literal) for each in others
            ):
                value = first
            case ops.Field(rel=rel, name=name) if rel == chain:
                value = chain.values[name]
                if isinstance(value, ops.Field):
                    return value.rel, value.name
            case ops.Field(rel=ops.Project() as rel, name=name):
                value = rel.values[name]
            case ops.Field(rel=rel, name=name) if isinstance(rel, ROW_BY_ROW):
                value = ops.Field(rel.parent, name)
            case _:
                return None


def _is_apart(
    aggregate: ops.Aggregate,
    chain: ops.JoinChain,
    column: Column,
    links: list[JoinCardinality],
    keys: DeclaredKeys,
) -> bool:
    """Tell whether no group can have the same row of the summed column's relation twice."""
    own = {column[0], *(one for link in links for pair in link.matched for one in pair)}

    def is_own(name: str) -> bool:
        found = _amount(ops.Field(aggregate.parent, name), chain)
        return found is not None and (found[0] in own or found in own)

    groups = {v.name for v in aggregate.groups.values() if isinstance(v, ops.Field)}
    known = keys_of(aggregate.parent, keys)
    if not known:
        return any(not is_own(name) for name in groups)
    return any(all(name in groups or is_own(name) for name in key) for key in known)
