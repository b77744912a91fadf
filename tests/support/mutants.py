"""Mutants of a toy mart over two tables, and what an operator changes in it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import ibis

from marts import AsOf, Table, mart, string
from marts.core.authoring.columns import Column
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.proof.mutants import Mutant, mutants_of

AS_OF = FixedAsOf(datetime.date(2025, 6, 30))
T = ibis.table(
    {
        "k": "string",
        "n": "int64",
        "m": "int64",
        "f": "float64",
        "g": "float64",
        "d": "decimal(10, 2)",
        "s": "string",
        "b": "boolean",
        "day": "date",
        "at": "timestamp",
    },
    name="t",
)
U = ibis.table({"k": "string", "n": "int64", "v": "float64"}, name="u")

Change = tuple[str, str]


def mutants(make: Callable[..., Any], **columns: str) -> tuple[Mutant, ...]:
    """Return the mutants of a mart with a key and these columns: `make(t, u, as_of)`."""

    def toy(t: Table, u: Table, as_of: AsOf) -> Table:
        """Toy."""
        made: Table = make(t, u, as_of)
        return made

    return mutants_of(declared(toy, **columns), {"t": T, "u": U}, AS_OF)


def declared(define: Callable[..., Table], **columns: str) -> Mart:
    kinds = [Column(name=name, type=kind, null=True) for name, kind in columns.items()]
    return mart(grain="k", columns=[string("k"), *kinds])(define)


def changes(operator: str, found: tuple[Mutant, ...]) -> list[Change]:
    """Return what an operator changed: before and after."""
    return [(m.before, m.after) for m in found if m.operator == operator]


ON_KEY = "u on t.k == u.k"
