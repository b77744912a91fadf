"""Keys of filtered rows: what the conditions of a filter add to the keys of its parent."""

from __future__ import annotations

from collections.abc import Iterator

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.dependencies import Key, functional_dependencies, single_row_partition
from marts.core.analysis.lineage import expanded, resolved_operation
from marts.core.analysis.nodes import conjuncts, predicates_of
from marts.core.authoring.checks import UniqueCheck

ROW_BY_ROW = (
    *(ops.Project, ops.DropColumns, ops.Filter, ops.Sort, ops.Limit, ops.Sample),
    *(ops.DropNull, ops.FillNull, ops.Reference),
)
"""The relations that have each row of their parent at most once, unless they unnest arrays."""


def keys_of_filter(
    rel: ops.Filter, parent_keys: frozenset[Key], declared: DeclaredKeys
) -> frozenset[Key]:
    """Return the keys of a filter's rows."""
    keys = {*parent_keys, *_conditional_keys(rel, declared)}
    for predicate in predicates_of(rel):
        partition = single_row_partition(predicate)
        if partition is not None:
            keys.add(partition)
        for column, by in functional_dependencies(predicate):
            keys |= {(key - {column}) | by for key in keys if column in key}
    return frozenset(keys)


def unnests(rel: ops.Relation) -> bool:
    """Tell whether a relation makes several rows from one row of its parent."""
    return any(value.find(ops.Unnest, filter=ops.Value) for value in rel.values.values())


def _conditional_keys(rel: ops.Filter, declared: DeclaredKeys) -> Iterator[Key]:
    """Yield the keys declared for those rows of a table for which the filter's conditions hold."""
    table = _row_by_row_table(rel)
    if table is None or not declared.of_some_rows.get(table.name):
        return
    columns = {name: resolved_operation(ops.Field(rel, name)) for name in rel.schema.names}
    names = {
        op.name: name
        for name, op in columns.items()
        if isinstance(op, ops.Field) and op.rel == table
    }
    holds = {expanded(each) for each in _conditions_above(rel)}
    for check in declared.of_some_rows[table.name]:
        condition = _condition_of(check, table)
        if set(check.columns) <= names.keys() and condition and condition <= holds:
            yield frozenset(names[column] for column in check.columns)


def _row_by_row_table(rel: ops.Relation) -> ops.PhysicalTable | None:
    """Return the table of which a relation has each row at most once; None if there is none."""
    while isinstance(rel, ROW_BY_ROW) and not unnests(rel):
        rel = rel.parent
    return rel if isinstance(rel, ops.PhysicalTable) else None


def _conditions_above(rel: ops.Relation) -> Iterator[ops.Value]:
    while isinstance(rel, ROW_BY_ROW):
        if isinstance(rel, ops.Filter):
            yield from predicates_of(rel)
        rel = rel.parent


def _condition_of(check: UniqueCheck, table: ops.Relation) -> set[ops.Value]:
    try:
        found = check.where(table.to_expr()) if check.where else None
    except Exception:  # noqa: BLE001  (an author's slip, which the check itself reports)
        return set()
    return set(conjuncts(found.op())) if isinstance(found, ir.Value) else set()
