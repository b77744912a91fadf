"""What an author of marts imports."""

from ibis.expr.types import Table

from marts.core.contract import (
    boolean,
    date,
    decimal,
    float64,
    int64,
    money,
    string,
    timestamp,
)
from marts.core.expressions import percent, ratio
from marts.core.model import (
    AsOf,
    mart,
    relationship,
    row_check,
    source,
    table_check,
    unique,
)

__all__ = [
    "AsOf",
    "Table",
    "boolean",
    "date",
    "decimal",
    "float64",
    "int64",
    "mart",
    "money",
    "percent",
    "ratio",
    "relationship",
    "row_check",
    "source",
    "string",
    "table_check",
    "timestamp",
    "unique",
]
