"""Which tables and views on Snowflake a mart must not replace or overwrite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marts.core.plan.state import Materialized

REPLACEABLE = ("BASE TABLE", "VIEW")
MARKED = {
    "IS_DYNAMIC": "a dynamic table",
    "IS_ICEBERG": "an Iceberg table",
    "IS_HYBRID": "a hybrid table",
    "IS_TEMPORARY": "a temporary table",
}
"""The columns of TABLES that mark a base table of another kind, and what it is called."""


def unreplaceable(
    table: Mapping[str, Any], kind: Materialized, view: Mapping[str, Any] | None = None
) -> str | None:
    """Return why a mart of a kind must not take the place of a table or view, None if it may.

    `table` is its row of TABLES, `view` its row of VIEWS if it is a view. A secure view may be
    replaced by a view, which is created secure as well.
    """
    name, type_ = table["TABLE_NAME"], table["TABLE_TYPE"]
    if type_ not in REPLACEABLE:
        article = "an" if type_[0] in "AEIO" else "a"
        noun = "" if type_.endswith((" TABLE", " VIEW")) else " table"
        return f"{name} is {article} {type_.lower()}{noun}"
    for column, words in MARKED.items():
        if table.get(column) == "YES":
            return f"{name} is {words}"
    if kind != "view" and view is not None and view["IS_SECURE"] == "YES":
        return f"{name} is a secure view"
    return None
