"""The sessions of a run: each thread has one, and each statement runs in a thread of its own.

So Ctrl-C is ours in every phase: the connector's handler, which ends the process with 1, is only
installed by statements in the main thread. An interrupt cancels what runs and waits for its end,
but not for ever.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from backends.snowflake_errors import (
    LOST,
    MISSING,
    LostAnswerError,
    has_ended_the_session,
    number_of,
    translated,
)
from backends.snowflake_work import Work, remembering, started
from marts.core.errors import EngineError
from marts.core.run.backend import BATCH_ROWS, Batches, Statement
from marts.core.run.waiting import first_done, result_of

if TYPE_CHECKING:
    # It takes 1.1 s to import, and compiling does not need it.
    import pyarrow as pa
    from snowflake.connector.cursor import SnowflakeCursor

    from backends.snowflake_driver import Connection

CANCEL_SECONDS = 10.0
"""How long a cancelled statement is waited for."""
ASK_AGAIN_SECONDS = 1.0
"""After how long a statement is cancelled once more: the first time may be before it arrives."""
CLOSE_SECONDS = 5.0
"""How long the ends of all sessions are waited for."""
WAITS_TO_SEE = (0.5, 1.0, 2.0)
"""Seconds between attempts to read what another session has created."""
LONGEST_STATEMENT = 604_800
"""Seconds; Snowflake's own limit, STATEMENT_TIMEOUT_IN_SECONDS, ends statements before."""
COUNTED = ("query", "catalog")
"""The steps whose statements return rows; the row count of others is that of a status message."""

T = TypeVar("T")


class Result:
    """The answer to a statement; its rows are fetched when they are asked for."""

    def __init__(self, session: Session, cursor: SnowflakeCursor, action: str) -> None:
        self._session = session
        self._cursor = cursor
        self._action = action

    @property
    def query_id(self) -> str | None:
        """The query's id in the account's history."""
        return self._cursor.sfqid

    @property
    def rowcount(self) -> int | None:
        """The number of rows that were returned, or changed."""
        return self._cursor.rowcount

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in lower case."""
        return [each.name.lower() for each in self._cursor.description or ()]

    def records(self) -> list[dict[str, Any]]:
        """Return all rows, by the lower-case names of the columns."""
        names = self.columns
        return [dict(zip(names, row, strict=True)) for row in self.fetchall()]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return self._session.read(self._cursor.fetchall, self._action)

    def fetch_arrow_all(self) -> pa.Table:
        """Return all rows as a table, which may be empty."""
        fetch = partial(self._cursor.fetch_arrow_all, force_return_table=True)
        return self._session.read(fetch, self._action)

    def batches(self) -> Batches:
        """Yield all rows as they arrive."""
        tables = self._session.read(self._cursor.fetch_arrow_batches, self._action)
        following = partial(next, tables, None)
        while (table := self._session.read(following, self._action)) is not None:
            yield from table.rename_columns(self.columns).to_batches(BATCH_ROWS)


@dataclass(frozen=True)
class _Running:
    """A statement under way, which the account knows by its request."""

    sql: str
    request_id: str
    is_interruptible: bool
    sending: Work[SnowflakeCursor]


class Session:
    """One connection to the account; used by one thread at a time, and cancelled by any.

    `record` is told of each statement when it has ended, well or not.
    """

    def __init__(self, connection: Connection, record: Callable[[Statement], None]) -> None:
        self.connection = connection
        self._record = record
        self._running: _Running | None = None
        self._given_up: Future[None] = Future()
        self._has_ended = False
        self.is_unreachable = False
        """Whether the answer to the last statement was lost, or no cancel got through."""
        self.interrupted = False
        """Whether an interrupt is remembered, to be raised by the next statement."""

    @property
    def is_over(self) -> bool:
        """Tell whether the session cannot be used any more."""
        return self._has_ended or self._given_up.done()

    def execute(
        self,
        sql: str,
        *,
        about: str,
        step: str,
        tag: str,
        uninterruptible: bool = False,
        within: float = math.inf,
    ) -> Result:
        """Run one statement and return its answer.

        An interrupt cancels it, and is raised. If it is uninterruptible, its answer is awaited and
        an interrupt is remembered; its request is not retried when the line breaks. A statement
        that takes longer than `within` seconds is cancelled. Raises LostAnswerError if no answer
        arrives, EngineError if Snowflake refuses the statement.
        """
        action = f"{step} {about}".strip()
        if self.is_over:
            raise LostAnswerError("the session with Snowflake is over", action, hint="run again")
        request_id = str(uuid4())
        # A statement that nobody may cancel is not sent twice either.
        retry_seconds = 0 if uninterruptible else None
        send = partial(self._send, sql, request_id, retry_seconds, about=about, step=step, tag=tag)
        running = _Running(sql, request_id, not uninterruptible, Work(send))
        self._running = running
        with remembering(self._remember) if uninterruptible else self._cancelling():
            if self.interrupted and not uninterruptible:
                running.sending.prevent()
                self._raise_remembered()
            running.sending.start()
            self._wait_for(running.sending.future, within)
            if not running.sending.future.done():
                self.cancel()
        try:
            return Result(self, _result(running.sending.future, action), action)
        finally:
            if not uninterruptible:
                self._raise_remembered()

    def read(self, fetch: Callable[[], T], action: str) -> T:
        """Fetch rows of a result; an interrupt is raised at once."""

        def fetched() -> T:
            with translated(f"fetch the result of: {action}"):
                return fetch()

        future = started(fetched)
        self._wait_for(future)
        return _result(future, action)

    def interrupt(self) -> None:
        """Remember an interrupt, and cancel what runs if it is interruptible; does not wait."""
        self._remember()
        if self._running and self._running.is_interruptible:
            # Not what runs when the thread begins: that may be uninterruptible.
            started(partial(self._cancel, self._running))

    def cancel(self) -> None:
        """Cancel what runs and wait until it has ended; give the session up if it does not end."""
        if self._running:
            self._cancel(self._running)

    def _cancel(self, running: _Running) -> None:
        if self.is_over or running.sending.prevent():
            return
        future, deadline = running.sending.future, time.monotonic() + CANCEL_SECONDS
        ask = partial(self.connection.cancel, running.sql, running.request_id)
        asked: Future[None] | None = None
        try:
            while not future.done() and time.monotonic() < deadline:
                if asked is None or asked.done():
                    asked = started(ask)
                wait([future], timeout=min(ASK_AGAIN_SECONDS, CANCEL_SECONDS))
        finally:
            if not future.done():
                is_answered = asked is not None and asked.done() and asked.exception() is None
                self.is_unreachable = not is_answered
                self.give_up()

    def give_up(self) -> None:
        """Stop waiting for the session; Snowflake ends it, and rolls its transaction back."""
        with suppress(InvalidStateError):
            self._given_up.set_result(None)
        self.connection.forget()
        if not (self.is_unreachable or self._has_ended):
            started(self.connection.close)

    def close(self) -> Future[None]:
        """End the session; return a future of that, since the line may be dead."""
        if self.is_over or self.is_unreachable:
            self.give_up()
            return self._given_up
        self.connection.forget()
        return started(self.connection.close)

    def _send(
        self,
        sql: str,
        request_id: str,
        retry_seconds: int | None,
        *,
        about: str,
        step: str,
        tag: str,
    ) -> SnowflakeCursor:
        start, rows = time.perf_counter(), None
        self.connection.retry_seconds = retry_seconds
        cursor = self.connection.cursor()
        parameters = {"QUERY_TAG": tag, "requestId": request_id}
        try:
            with translated(f"{step} {about}".strip()):
                cursor.execute(sql, timeout=LONGEST_STATEMENT, _statement_params=parameters)
            rows = cursor.rowcount if step in COUNTED else None
        except LostAnswerError as error:
            self._has_ended = has_ended_the_session(error)
            self.is_unreachable = not self._has_ended
            raise
        finally:
            seconds = time.perf_counter() - start
            self._record(Statement(about, step, cursor.sfqid, rows, seconds))
        self.is_unreachable = False
        return cursor

    def _wait_for(self, future: Future[Any], seconds: float = math.inf) -> None:
        """Wait until the future is done, the session is given up, or the time is over."""
        first_done([future, self._given_up], seconds)

    @contextmanager
    def _cancelling(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.cancel()
            raise

    def _remember(self) -> None:
        self.interrupted = True

    def _raise_remembered(self) -> None:
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt


def until_seen(attempt: Callable[[], T], is_awaited: Callable[[EngineError], bool]) -> T:
    """Run a statement again, a few times, if it does not see what another session has created.

    `is_awaited` tells it by the error. A statement that names what does not exist has not run.
    https://docs.snowflake.com/en/sql-reference/parameters#read-consistency-mode
    """
    for seconds in WAITS_TO_SEE:
        try:
            return attempt()
        except EngineError as error:
            if number_of(error) not in MISSING or not is_awaited(error):
                raise
        time.sleep(seconds)
    return attempt()


def _result(future: Future[T], action: str) -> T:
    if not future.done():
        raise LostAnswerError("the session with Snowflake was given up", action)
    return future.result()


class Sessions:
    """The sessions of a run, one for each thread that executes statements."""

    def __init__(self, log_in: Callable[[], Connection]) -> None:
        self._log_in = log_in
        self._local = threading.local()
        self._sessions: list[Session] = []
        self._statements: list[Statement] = []
        self._is_finishing = False
        self._was_late = False
        """Whether an interrupt came while shielded work was finishing."""

    @property
    def is_unreachable(self) -> bool:
        """Tell whether the line is dead, as far as the last statement of each session shows."""
        return any(session.is_unreachable for session in self._sessions)

    def refuse_dead_line(self, action: str) -> None:
        """Raise LostAnswerError if the line is dead, instead of waiting for that once more."""
        if self.is_unreachable:
            raise LostAnswerError(LOST, action)

    def current(self) -> Session:
        """Return this thread's session; log in if it has none, or if its session is over."""
        session: Session | None = getattr(self._local, "session", None)
        return self.new() if session is None or session.is_over else session

    def new(self) -> Session:
        """Log in anew for this thread; its earlier session is given up."""
        if (old := getattr(self._local, "session", None)) is not None:
            old.give_up()
        session = Session(result_of(started(self._log_in)), self._statements.append)
        session.interrupted = old is not None and old.interrupted
        self._local.session = session
        # A new session shows that the line works.
        self._sessions = [*(each for each in self._sessions if each is not old), session]
        return session

    def statements(self) -> tuple[Statement, ...]:
        """Return the statements that have ended, in order."""
        return tuple(self._statements)

    def shielded(self, work: Callable[[], T]) -> T:
        """Run work that an interrupt may only end at a statement, with this thread's session.

        An interrupt cancels the statement that runs, unless it is uninterruptible. The work meets
        it as KeyboardInterrupt there, or in its next statement, until it calls `finish`.
        """
        session, last = self.current(), list[Session]()

        def with_session() -> T:
            self._local.session = session
            try:
                return work()
            finally:
                last.append(self._local.session)

        def interrupt() -> None:
            if self._is_finishing:
                self._was_late = True
                return
            for each in self._sessions:
                each.interrupt()

        self._is_finishing = self._was_late = False
        try:
            with remembering(interrupt):
                return result_of(started(with_session))
        finally:
            # The work may have logged in anew.
            session = self._local.session = (*last, session)[0]
            session.interrupted |= self._was_late

    def finish(self) -> None:
        """Let no interrupt end the shielded work from now on; they are remembered for later."""
        self._is_finishing = True
        self._was_late |= self.take_interrupt()

    def take_interrupt(self) -> bool:
        """Tell whether an interrupt is remembered, and forget it."""
        found = any(session.interrupted for session in self._sessions)
        for session in self._sessions:
            session.interrupted = False
        return found

    def cancel(self) -> None:
        """Cancel what runs in any session, and wait for its end for a bounded time."""
        wait([started(session.cancel) for session in self._sessions], timeout=2 * CANCEL_SECONDS)

    def close(self) -> None:
        """End all sessions; those that do not end at once are left to Snowflake."""
        wait([session.close() for session in self._sessions], timeout=CLOSE_SECONDS)
