"""The locks that publishers queue at: a row in the state table of each group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from backends import snowflake_ddl as ddl
from backends.snowflake_errors import LOCK_WAIT, number_of
from backends.snowflake_state import LOCK, Schema
from marts.core.errors import EngineError
from marts.core.plan.state import DEFAULT_GROUP, RecordedTable, state_table

STEP = "publish"


def elsewhere(
    rows: Collection[RecordedTable], group: str, names: Collection[str]
) -> dict[str, list[str]]:
    """Return which of some tables are recorded by groups other than theirs, by that group."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.group != group and row.kind in ("table", "view") and row.name in names:
            found.setdefault(row.group, []).append(row.name)
    return found


def take_locks(
    schema: Schema,
    groups: Collection[str],
    run_id: str,
    *,
    roll_back: Callable[[], None],
    holders: Callable[[], Sequence[str]],
) -> None:
    """Update the locks of some groups, which waits for other runs that are publishing them.

    All publishers take locks in the order of their names, so that none waits for another in a
    circle. Nearly always it is one.
    """
    for group in sorted(groups):
        sql = ddl.lock(schema.of(group).state, run_id, kind=LOCK)
        try:
            locked = schema.execute(sql, "", STEP).rowcount
        except EngineError as error:
            if number_of(error) != LOCK_WAIT:
                raise
            # After an error, a transaction takes no other statement.
            roll_back()
            what = "into this schema" if group == DEFAULT_GROUP else f"the group {group}"
            raise EngineError(
                f"another run is publishing {what}; nothing was published",
                *(holders() or ["it has not announced itself"]),
                hint="run again when it is done, or wait longer: --lock-timeout SECONDS",
            ) from error
        if not locked:
            raise EngineError(
                f"{state_table(group)} has lost its row of the kind {LOCK}; nothing was published",
                hint="run again: each run writes it",
            )
