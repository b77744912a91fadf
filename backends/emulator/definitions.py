"""Changes of a column's type that Snowflake refuses, and DuckDB would make.

https://docs.snowflake.com/en/sql-reference/sql/alter-table-column
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from backends.emulator import statements
from backends.emulator.rules import rewrite

WHOLE = ("BIGINT", "INT", "SMALLINT", "TINYINT", "HUGEINT", "INT128")


@dataclass(frozen=True)
class Type:
    """A column's type as the catalog has it; other types than NUMBER have no precision."""

    word: str
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        sizes = "" if self.precision is None else f"({self.precision},{self.scale})"
        return f"{self.word}{sizes}"


def type_changes() -> None:
    """Refuse to change a column's type to any but a wider one: longer text, more digits."""

    def refuse(tree: Expr, self: Any) -> Expr:
        if isinstance(tree, exp.Alter) and tree.args.get("kind") == "TABLE":
            for action in tree.args.get("actions") or ():
                if isinstance(action, exp.AlterColumn) and (new := action.args.get("dtype")):
                    _refuse_other(tree, action.name, _wanted(new), self)
        return tree

    rewrite(refuse)


def _refuse_other(tree: exp.Alter, column: str, new: Type, cursor: Any) -> None:
    database, schema, table = statements.full_name(tree.this, cursor._conn)
    found = cursor._duck_conn.execute(
        "select data_type, numeric_precision, numeric_scale"
        " from _fs_global._fs_information_schema._fs_columns"
        " where (table_catalog, table_schema, table_name, column_name) = ($1, $2, $3, $4)",
        [database, schema, table, column],
    ).fetchone()
    old = Type(*found) if found else new
    change = f"cannot change column {column} from type {old} to {new}"
    if old.word != new.word:
        _refuse(2108, change)
    if old.scale != new.scale:
        _refuse(40052, f"{change} because changing the scale of a number is not supported.")
    if (new.precision or 0) < (old.precision or 0):
        # Snowflake looks whether the values fit; nobody should rely on that.
        _refuse(40052, f"{change} because some existing values cannot be represented.")


def _refuse(errno: int, words: str) -> None:
    message = f"SQL compilation error: {words}"
    raise ProgrammingError(msg=message, errno=errno, sqlstate="22000")


def _wanted(kind: exp.DataType) -> Type:
    name = kind.this.name
    if name in WHOLE:
        return Type("NUMBER", 38, 0)
    if name == "DECIMAL":
        precision, scale = [*(int(each.name) for each in kind.expressions), 0, 0][:2]
        return Type("NUMBER", precision or 38, scale)
    words = {"VARCHAR": "TEXT", "DOUBLE": "FLOAT", "TIMESTAMPNTZ": "TIMESTAMP_NTZ"}
    return Type(words.get(name, name))
