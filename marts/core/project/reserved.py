"""The names of the tables in which marts records what it does, beside the marts."""

from __future__ import annotations

from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError

RESERVED = ("marts_state", "int_published_marts", "marts_runs", "marts_proofs")
"""The tables beside the marts: the state table, that of an earlier version, and those of runs and
of proofs."""
PROOFS = RESERVED[-1]
RECORDS = {RESERVED[2]: "each run", PROOFS: "what is proven"}
STATE_PREFIX = f"{RESERVED[0]}__"
"""How the names of the state tables of further groups begin."""


def is_reserved(name: str) -> bool:
    """Tell whether a name is that of a table in which marts records what it does."""
    return name in RESERVED or name.startswith(STATE_PREFIX)


def refuse_reserved(table: Source | Mart) -> None:
    """Raise DefinitionError for a source or mart that has such a name."""
    if is_reserved(table.name):
        records = RECORDS.get(table.name, "what is published")
        kind = "mart" if isinstance(table, Mart) else "source"
        raise DefinitionError(
            f"{table.name} is the table that records {records}",
            table.location,
            hint=f"give the {kind} another name",
        )
