"""What an author of marts imports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from marts.core.relation import relation
    from marts.core.tolerance import acknowledge

__all__ = [
    "AsOf",
    "Table",
    "acknowledge",
    "boolean",
    "date",
    "decimal",
    "float64",
    "int64",
    "mart",
    "money",
    "percent",
    "ratio",
    "relation",
    "relationship",
    "row_check",
    "source",
    "string",
    "table_check",
    "timestamp",
    "unique",
]

_ROOMS = (
    "marts.core.contract",
    "marts.core.expressions",
    "marts.core.model",
    "marts.core.relation",
    "marts.core.tolerance",
    "ibis.expr.types",
)


def __getattr__(name: str) -> Any:
    # Ibis takes half a second to import, which `marts --help` and completion, who import this
    # package too, have no use for: so the names above are looked up when they are asked for.
    if name in __all__:
        for room in map(import_module, _ROOMS):
            if hasattr(room, name):
                return getattr(room, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
