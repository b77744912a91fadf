"""Transactions as Snowflake has them: READ COMMITTED, ended by DDL, open after an error.

DuckDB keeps one snapshot for a whole transaction, which is dead after most errors. So a statement
that fails, or sees that others committed meanwhile, has DuckDB's transaction rolled back, and what
the session did before done again in a new one.
https://docs.snowflake.com/en/sql-reference/transactions
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import duckdb
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from backends.emulator import statements
from backends.emulator.patched import connections, cursor
from backends.emulator.rules import rewrite
from backends.emulator.statements import Name
from backends.emulator.time_travel import HISTORY, reads_the_past

NUMBERS = itertools.count(time.time_ns())
CREATING = threading.Lock()
COMMITTED: list[str] = []
"""The statements that changed something for other sessions: their number is what matters."""

DDL = exp.Create | exp.Drop | exp.Alter | exp.Comment | exp.Grant | exp.Revoke
DML = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Copy | exp.TruncateTable
FAILED = "Transaction is aborted because a statement in it failed: roll it back."
DDL_COMMANDS = {"CREATE", "ALTER", "DROP", "UNDROP", "COMMENT", "GRANT", "REVOKE"}


@dataclass
class Transaction:
    """An open transaction: what it did, to be done again, and how much of others it has seen.

    One that `failed` takes no statement but its end, and commits nothing.
    """

    number: str = field(default_factory=lambda: str(next(NUMBERS)))
    changed: set[Name] = field(default_factory=set)
    done: list[Callable[[], object]] = field(default_factory=list)
    seen: int = 0
    failed: bool = False


def transactions() -> None:
    """Run each statement in its session's transaction, or in one of its own."""
    connections.FakeSnowflakeConnection.transaction = None
    connections.FakeSnowflakeConnection.parameters = {}
    execute = cursor.FakeSnowflakeCursor.execute

    def in_transaction(self: Any, command: str, *args: Any, **options: Any) -> Any:
        session = self._conn
        match statements.parsed(command):
            case exp.Transaction():
                session.transaction = session.transaction or Transaction()
            case exp.Commit():
                commit(session)
            case exp.Rollback():
                roll_back(session)
            case exp.Alter(kind="SESSION") as tree:
                _set_parameters(session, tree)
            case tree:
                again = partial(_again, execute, session, command, *args, **options)
                run = partial(execute, self, command, *args, **options)
                if isinstance(tree, exp.Query):
                    run = partial(_and_describe, self, run)
                with HISTORY.lock if reads_the_past(tree) else nullcontext():
                    _run(session, tree, run, again)
                return self
        return execute(self, statements.SUCCESS)

    cursor.FakeSnowflakeCursor.execute = in_transaction
    cursor.FakeSnowflakeCursor._described = None
    describe = cursor.FakeSnowflakeCursor._describe_last_sql
    cursor.FakeSnowflakeCursor._describe_last_sql = lambda self: self._described or describe(self)
    rewrite(_answer_current_transaction)


def _again(execute: Any, session: Any, *args: Any, **options: Any) -> None:
    execute(session.cursor(), *args, **options)


def _run(
    session: Any, tree: Expr | None, run: Callable[[], object], again: Callable[[], object]
) -> None:
    names = {statements.full_name(table, session) for table in statements.changed_by(tree)}
    if session.transaction and session.transaction.failed:
        raise ProgrammingError(msg=FAILED, errno=603, sqlstate="25P02")
    if is_ddl(tree):
        commit(session)
        with _defining(session, tree, names):
            run()
        HISTORY.note(session, tree)
        COMMITTED.append("DDL")
        return
    changes = isinstance(tree, DML)
    if session.transaction is None and changes and not _is_on(session, "AUTOCOMMIT", default=True):
        session.transaction = Transaction()
    if session.transaction is not None:
        _inside(session, run, again if changes else None)
        session.transaction.changed |= names if changes else set()
    elif changes:
        _alone(session, names, run)
    elif isinstance(tree, exp.Query) and not _acts(tree):
        _read(session._duck_conn, run)
    else:
        run()


def _acts(tree: exp.Query) -> bool:
    """Tell whether a query calls what changes something."""
    return any(each.name == "SYSTEM$TASK_DEPENDENTS_ENABLE" for each in tree.find_all(exp.Func))


def _defining(session: Any, tree: Expr | None, names: Iterable[Name]) -> Any:
    if isinstance(tree, exp.Alter):
        return HISTORY.changing(session, names)
    if isinstance(tree, exp.Create) and tree.args.get("exists"):
        # DuckDB refuses two sessions that create the same at once, even IF NOT EXISTS.
        return CREATING
    # What is created, replaced or dropped has no past afterwards.
    return nullcontext()


def is_ddl(tree: Expr | None) -> bool:
    """Tell whether a statement commits the transaction in which it is."""
    if isinstance(tree, exp.Command):
        return str(tree.this).upper() in DDL_COMMANDS
    return isinstance(tree, DDL)


def _is_on(session: Any, parameter: str, *, default: bool) -> bool:
    return str(session.parameters.get(parameter, default)).upper() == "TRUE"


def _alone(session: Any, names: Iterable[Name], run: Callable[[], object]) -> None:
    session._duck_conn.begin()
    try:
        run()
        with HISTORY.changing(session, names):
            session._duck_conn.commit()
    except BaseException:
        _abandon(session._duck_conn)
        raise
    COMMITTED.append("DML")


def _and_describe(self: Any, run: Callable[[], object]) -> None:
    run()
    self._described = self._describe_last_sql()


def _read(duck: Any, run: Callable[[], object]) -> None:
    """Run and describe a query in one snapshot: its tables may be replaced in between."""
    duck.begin()
    try:
        run()
    finally:
        _abandon(duck)


def _inside(session: Any, run: Callable[[], object], again: Callable[[], object] | None) -> None:
    transaction = session.transaction
    _refresh(session)
    if again and not transaction.done:
        transaction.seen = len(COMMITTED)
        session._duck_conn.begin()
    try:
        run()
    except BaseException:
        transaction.failed = _is_on(session, "TRANSACTION_ABORT_ON_ERROR", default=False)
        transaction.done = [] if transaction.failed else transaction.done
        _do_again(session)
        raise
    if again:
        transaction.done.append(again)


def _refresh(session: Any) -> None:
    if session.transaction.done and session.transaction.seen != len(COMMITTED):
        _do_again(session)


def _do_again(session: Any) -> None:
    transaction = session.transaction
    _abandon(session._duck_conn)
    if transaction.done:
        transaction.seen = len(COMMITTED)
        session._duck_conn.begin()
        for each in transaction.done:
            each()


def _abandon(duck: Any) -> None:
    # There is none to roll back where a statement failed before DuckDB began one.
    with suppress(duckdb.TransactionException):
        duck.rollback()


def commit(session: Any) -> None:
    """Commit a session's transaction, if one is open."""
    if session.transaction is None:
        return
    try:
        _refresh(session)
        if session.transaction.done:
            with HISTORY.changing(session, session.transaction.changed):
                session._duck_conn.commit()
            COMMITTED.append("COMMIT")
    except BaseException:
        _abandon(session._duck_conn)
        raise
    finally:
        session.transaction = None


def roll_back(session: Any) -> None:
    """Roll back a session's transaction, if one is open."""
    if session.transaction is not None:
        session.transaction = None
        _abandon(session._duck_conn)


def _set_parameters(session: Any, tree: exp.Alter) -> None:
    (action,) = tree.args["actions"]
    for item in action.expressions:
        if action.args.get("unset"):
            session.parameters.pop(item.name.upper(), None)
        else:
            value = item.this.expression
            session.parameters[item.this.this.name.upper()] = (
                value.this if isinstance(value, exp.Boolean) else value.name
            )


def _answer_current_transaction(tree: Expr, self: Any) -> Expr:
    for call in list(tree.find_all(exp.CurrentTransaction)):
        open_one = self._conn.transaction
        value = exp.Literal.string(open_one.number) if open_one else exp.null()
        call.replace(exp.cast(value, "VARCHAR"))
    return tree


def overwriting() -> None:
    """Let INSERT OVERWRITE INTO t replace the rows of t, all or none; it may read t itself.

    https://docs.snowflake.com/en/sql-reference/sql/insert
    """

    def overwrite(tree: Expr, self: Any) -> Expr:
        if isinstance(tree, exp.Insert) and tree.args.get("overwrite"):
            table = tree.this.find(exp.Table)
            old = exp.table_("OVERWRITTEN", db="main", catalog="temp")
            self._duck_conn.execute(
                f"create or replace temp table OVERWRITTEN as from {table.sql('duckdb')}"
            )
            self._duck_conn.execute(f"delete from {table.sql('duckdb')}")
            tree.set("overwrite", False)
            for read in list(tree.expression.find_all(exp.Table)):
                if (read.catalog, read.db, read.name) == (table.catalog, table.db, table.name):
                    read.replace(exp.alias_(old.copy(), read.alias_or_name, table=True))
        return tree

    rewrite(overwrite)
