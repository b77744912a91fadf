"""What Snowflake's catalog says of published marts besides their rows: comments and keys.

Only what differs becomes a statement, so that each run may compare.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from backends import snowflake_ddl as ddl
from backends.snowflake_catalog import Catalog
from backends.snowflake_governance import Records
from backends.snowflake_keys import Key, declare_key, drop_key, keys
from backends.snowflake_state import Schema
from marts.core.plan.state import Annotation


def missing_annotations(
    annotations: Collection[Annotation], schema: Schema, catalog: Catalog, records: Records
) -> Iterator[tuple[str, str]]:
    """Yield the statements that are missing for published marts, each with its mart."""
    tables, columns = catalog.tables(schema.namespace), catalog.columns(schema.namespace)
    found = keys(schema.namespace, records) if annotations else {}
    for each in annotations:
        name = each.name.upper()
        if name in tables:
            missing = statements(
                each,
                schema.qualified(name),
                table=tables[name],
                columns=[row for row in columns if row["TABLE_NAME"] == name],
                key=found.get(name),
            )
            yield from ((each.name, sql) for sql in missing)


def statements(
    annotation: Annotation,
    relation: str,
    *,
    table: Mapping[str, Any],
    columns: Iterable[Mapping[str, Any]],
    key: Key | None,
) -> Iterator[str]:
    """Yield the statements that are missing for a published mart.

    `table` and `columns` are its rows of TABLES and COLUMNS, `key` is its declared key.
    """
    kind = annotation.kind
    if (table["COMMENT"] or "") != annotation.comment:
        yield ddl.comment(kind, relation, annotation.comment)
    found = {row["COLUMN_NAME"].lower(): row["COMMENT"] or "" for row in columns}
    differing = {
        name: annotation.column_comments.get(name, "")
        for name, text in found.items()
        if text != annotation.column_comments.get(name, "")
    }
    if kind == "view":
        yield from (ddl.comment_column(relation, name, text) for name, text in differing.items())
        return
    if differing:
        yield ddl.comment_columns(relation, differing)
    yield from drop_key(relation, key, annotation.key)
    yield from declare_key(relation, key, annotation.key)
