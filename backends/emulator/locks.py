"""Locks on tables: who changes rows holds one until its transaction ends, and others wait.

UPDATE, DELETE, MERGE, TRUNCATE and INSERT OVERWRITE hold one, and so does what replaces, alters or
drops a table. INSERT and SELECT neither hold one nor wait.
https://docs.snowflake.com/en/sql-reference/transactions
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import Expr, exp

from backends.emulator import statements
from backends.emulator.statements import Name

POLL_SECONDS = 0.02
DEFAULT_TIMEOUT = 43200


@dataclass(frozen=True)
class Lock:
    """Who holds a lock: a session, by a statement, in a transaction."""

    session: Any
    statement: str
    transaction: str


class Locks:
    """The locks of all sessions; used in the event loop alone."""

    def __init__(self) -> None:
        self.held: dict[Name, Lock] = {}
        self.queues: defaultdict[Name, list[str]] = defaultdict(list)

    async def take(self, tree: Expr | None, execution: Any, seconds: float) -> str | None:
        """Take the locks that a statement needs; return an error's words where it waits too long.

        It takes none, and says nothing, if the statement is cancelled.
        """
        deadline = time.monotonic() + seconds
        for name in locked(tree, execution.session):
            queue = self.queues[name]
            queue.append(execution.id)
            try:
                while self._is_foreign(name, execution.session) or queue[0] != execution.id:
                    if execution.cancelled.is_set():
                        return None
                    if time.monotonic() >= deadline:
                        return self._words(name)
                    await asyncio.sleep(POLL_SECONDS)
            finally:
                queue.remove(execution.id)
            transaction = getattr(execution.session.transaction, "number", execution.id)
            self.held.setdefault(name, Lock(execution.session, execution.id, transaction))
        return None

    def release(self, session: Any) -> None:
        """Release all locks of a session."""
        self.held = {name: lock for name, lock in self.held.items() if lock.session is not session}

    def _is_foreign(self, name: Name, session: Any) -> bool:
        return name in self.held and self.held[name].session is not session

    def _words(self, name: Name) -> str:
        lock = self.held.get(name)
        who = f"Statement '{lock.statement}'" if lock else "Another statement"
        inside = lock.transaction if lock else "unknown"
        return (
            f"{who} has locked table '{name[-1]}' in transaction {inside}"
            " and this lock has not yet been released."
        )


def locked(tree: Expr | None, session: Any) -> Iterator[Name]:
    """Yield the qualified names of the tables that a statement locks."""
    adds_rows = isinstance(tree, exp.Insert | exp.Copy) and not tree.args.get("overwrite")
    creates = isinstance(tree, exp.Create) and not tree.args.get("replace")
    if not (adds_rows or creates):
        yield from (statements.full_name(table, session) for table in statements.changed_by(tree))
