"""Changes of shape on Snowflake: what a run would change, what it must not, and how it is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping

from backends.snowflake_candidates import digest_of_text
from backends.snowflake_catalog import Catalog
from backends.snowflake_kinds import unreplaceable
from backends.snowflake_shape import Shape, changes, declared, shapes
from backends.snowflake_sql import Namespace
from marts.core.errors import UsageError
from marts.core.plan.state import CompiledQuery, PlannedTable, ShapeChange


def planned_changes(
    tables: Collection[PlannedTable],
    catalog: Catalog,
    namespace: Namespace,
    *,
    digests: Mapping[str, str],
    definition_of: Callable[[CompiledQuery], str],
) -> list[ShapeChange]:
    """Return what publishing marts would change besides their rows.

    `digests` are of the definitions of published views. Raises UsageError where something stands
    in a mart's place that is neither an ordinary table nor a view.
    """
    _refuse_other_kinds(tables, catalog, namespace)
    old = shapes(catalog.kinds(namespace), catalog.columns(namespace))
    names = {each.name for each in tables}

    def text_of(table: PlannedTable) -> str | None:
        return digest_of_text(definition_of(table.query)) if table.kind == "view" else None

    return [
        change
        for each in tables
        for change in changes(
            with_text(old.get(each.name.upper()), digests.get(each.name)),
            declared(each.kind, each.types, text=text_of(each)),
            key=each.key,
        ).described(each.name, reads=bool(each.query.names & names))
    ]


def _refuse_other_kinds(
    targets: Iterable[PlannedTable], catalog: Catalog, namespace: Namespace
) -> None:
    tables = catalog.tables(namespace)
    there = [(each, tables[each.name.upper()]) for each in targets if each.name.upper() in tables]
    is_any_view = any(table["TABLE_TYPE"] == "VIEW" for _, table in there)
    views = catalog.views(namespace) if is_any_view else {}
    found = [
        reason
        for each, table in there
        if (reason := unreplaceable(table, each.kind, views.get(each.name.upper())))
    ]
    if found:
        raise UsageError(
            "marts must not replace what is not a table or view of theirs; nothing was built",
            *found,
            hint="rename it, or use another --schema",
        )


def with_text(shape: Shape | None, text: str | None) -> Shape | None:
    """Return the shape of a view with the digest of its definition, as it was recorded."""
    return Shape(shape.kind, shape.columns, text) if shape and shape.kind == "view" else shape


def refuse_reshapes(described: Iterable[ShapeChange], acknowledged: Collection[str]) -> None:
    """Refuse changes of shape that take something from readers, unless they are acknowledged."""
    refused = [each for each in described if each.is_reshape and each.mart not in acknowledged]
    if refused:
        names = dict.fromkeys(each.mart for each in refused)
        raise UsageError(
            "publishing would reshape marts that people read; nothing was published",
            *map(str, refused),
            hint=f"acknowledge it: {' '.join(f'--reshape {name}' for name in names)}, or"
            f" reshape = {json.dumps(list(names))} in [tool.marts]",
        )
