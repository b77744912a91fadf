"""Sessions: what an interrupt does to a statement, and how its end is known; no account."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any, TypeAlias, cast

import pytest
from snowflake.connector.errors import InterfaceError, OperationalError, ProgrammingError

from backends import snowflake_session, snowflake_statements
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_driver import Connection
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_session import Sessions
from backends.snowflake_statements import Statements
from marts.core.errors import EngineError
from support.processes import GUARD

CANCELLED = ProgrammingError(msg="SQL execution canceled", errno=604, sqlstate="57014", sfqid="q")
GONE = ProgrammingError(msg="Session no longer exists.", errno=390111, sqlstate="08003")
DEAD = OperationalError(msg="Failed to execute request: read timed out", errno=250003)


Answer: TypeAlias = "Callable[[Line], None]"


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Line:
    """A connection and its cursors; each statement does what a test says."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []
        self.cancelled = threading.Event()
        self.is_forgotten = self.is_closed = False
        self.retry_seconds: int | None = None
        self.retries: list[int | None] = []
        self.sfqid: str | None = None
        self.rowcount = 1

    def cursor(self) -> Line:
        """Return its only cursor."""
        return self

    def execute(self, sql: str, **_: object) -> None:
        """Answer a statement."""
        self.sent.append(sql)
        self.retries.append(self.retry_seconds)
        if self.answers:
            self.answers.pop(0)(self)

    def fetchall(self) -> list[tuple[int]]:
        """Return the rows of any statement."""
        return [(1,)]

    def cancel(self, sql: str, request_id: str) -> None:  # noqa: ARG002
        """Note that it is cancelled."""
        self.cancelled.set()

    def forget(self) -> None:
        """Note that nothing is to be done at exit."""
        self.is_forgotten = True

    def close(self) -> None:
        """Note that it is closed."""
        self.is_closed = True


def until_cancelled(line: Line) -> None:
    press_ctrl_c()
    assert line.cancelled.wait(GUARD)
    raise CANCELLED


def pressed_once(_: Line) -> None:
    press_ctrl_c()
    threading.Event().wait(GUARD)


def pressed_twice(line: Line) -> None:
    press_ctrl_c()
    assert line.cancelled.wait(GUARD)
    press_ctrl_c()
    threading.Event().wait(GUARD)


def answered_after_ctrl_c(_: Line) -> None:
    press_ctrl_c()


def raising(error: Exception) -> Answer:
    def answer(_: Line) -> None:
        raise error

    return answer


def sessions_of(*lines: Line) -> Sessions:
    left = iter(lines)
    return Sessions(lambda: cast("Connection", next(left)))


def run(sessions: Sessions, sql: str = "SELECT 1", **options: Any) -> object:
    return sessions.current().execute(sql, about="t", step="query", tag="{}", **options).fetchall()


def test_an_interrupt_cancels_the_statement_and_the_session_goes_on() -> None:
    line = Line(until_cancelled)
    sessions = sessions_of(line)
    with pytest.raises(KeyboardInterrupt):
        run(sessions)
    assert run(sessions, "ROLLBACK") == [(1,)]
    assert [(each.about, each.step) for each in sessions.statements()] == [("t", "query")] * 2


@pytest.mark.parametrize("answer", [pressed_once, pressed_twice])
def test_a_statement_that_does_not_end_is_given_up(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second Ctrl-C does not wait for the first.
    monkeypatch.setattr(
        snowflake_session, "CANCEL_SECONDS", 0.1 if answer is pressed_once else GUARD
    )
    line, other = Line(answer), Line()
    sessions = sessions_of(line, other)
    with pytest.raises(KeyboardInterrupt):
        run(sessions)
    assert line.is_forgotten
    assert run(sessions, "DROP") == [(1,)]
    assert other.sent == ["DROP"]


@pytest.mark.parametrize("presses", [1, 4])
def test_the_answer_to_an_uninterruptible_statement_is_awaited(presses: int) -> None:
    def pressing(_: Line) -> None:
        for _press in range(presses):
            press_ctrl_c()

    line = Line(pressing)
    sessions = sessions_of(line)
    assert run(sessions, "COMMIT", uninterruptible=True) == [(1,)]
    assert not line.cancelled.is_set()
    assert sessions.take_interrupt()
    assert not sessions.take_interrupt()
    run(sessions)
    assert line.retries == [0, None]


def test_a_remembered_interrupt_is_raised_by_the_next_statement() -> None:
    sessions = sessions_of(Line(answered_after_ctrl_c))
    run(sessions, "COMMIT", uninterruptible=True)
    with pytest.raises(KeyboardInterrupt):
        run(sessions)
    run(sessions)


def test_shielded_work_meets_an_interrupt_only_at_a_statement() -> None:
    line = Line(lambda _: None, until_cancelled)
    sessions, seen = sessions_of(line), list[str]()

    def publish() -> None:
        run(sessions, "BEGIN")
        try:
            run(sessions, "INSERT")
        except KeyboardInterrupt:
            seen.append("interrupted")
            press_ctrl_c()
            run(sessions, "ROLLBACK", uninterruptible=True)
            seen.append("rolled back")

    sessions.shielded(publish)
    assert seen == ["interrupted", "rolled back"]
    assert line.sent == ["BEGIN", "INSERT", "ROLLBACK"]


def test_an_interrupt_cancels_no_statement_that_begins_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that cancels may be slow to begin, and find an uninterruptible one running."""
    cancelling: list[Callable[[], object]] = []
    line = Line(lambda _: session.interrupt())
    sessions = sessions_of(line)
    session = sessions.current()
    with monkeypatch.context() as slow, suppress(KeyboardInterrupt):
        slow.setattr(snowflake_session, "started", cancelling.append)
        run(sessions, "INSERT")

    def late(_: Line) -> None:
        for cancel in cancelling:
            cancel()

    line.answers.append(late)
    assert run(sessions, "ROLLBACK", uninterruptible=True) == [(1,)]
    assert cancelling
    assert not line.cancelled.is_set()


def test_shielded_work_that_is_finishing_meets_no_interrupt() -> None:
    line = Line(answered_after_ctrl_c, answered_after_ctrl_c)
    sessions = sessions_of(line)

    def publish() -> None:
        run(sessions, "COMMIT", uninterruptible=True)
        sessions.finish()
        run(sessions, "CREATE VIEW")
        run(sessions, "DROP")

    sessions.shielded(publish)
    assert line.sent == ["COMMIT", "CREATE VIEW", "DROP"]
    assert not line.cancelled.is_set()
    assert sessions.take_interrupt()


LOST = {
    "dead": DEAD,
    "no line to fetch on": ConnectionResetError("by peer"),
    "session gone": GONE,
    "refused by a proxy": InterfaceError(msg="HTTP 407", errno=290407),
}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_answer_is_told_from_a_refusal(name: str) -> None:
    refused = ProgrammingError(msg="SQL access control error", errno=3001, sqlstate="42501")
    sessions = sessions_of(Line(raising(LOST[name]), raising(refused)), Line(raising(refused)))
    with pytest.raises(LostAnswerError):
        run(sessions, "COMMIT", uninterruptible=True)
    assert sessions.is_unreachable == (name != "session gone")
    # Where the session is gone, the next statement logs in anew.
    with pytest.raises(EngineError) as caught:
        run(sessions)
    assert not isinstance(caught.value, LostAnswerError)


def test_a_bug_is_not_a_lost_answer() -> None:
    with pytest.raises(KeyError):
        run(sessions_of(Line(raising(KeyError("success")))))


def missing(name: str) -> ProgrammingError:
    words = f"SQL compilation error:\nObject '{name}' does not exist or not authorized."
    return ProgrammingError(msg=words, errno=2003, sqlstate="42S02")


@pytest.mark.parametrize(
    ("name", "times", "sent"),
    [("D.S.T__CANDIDATE_1", 3, 4), ("D.S.T__CANDIDATE_1", 4, 4), ("D.S.T", 1, 1)],
)
def test_only_our_candidates_are_looked_for_again(
    name: str, times: int, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake_session, "WAITS_TO_SEE", (0, 0, 0))
    line = Line(*[raising(missing(name))] * times)
    monkeypatch.setattr(snowflake_statements, "connect", lambda _: line)
    statements = Statements(SnowflakeOptions(schema="gold"))
    statements.run_id = "1"
    with nullcontext() if sent > times else pytest.raises(EngineError):
        assert statements.execute("SELECT 1", step="query").fetchall() == [(1,)]
    assert len(line.sent) == sent


def test_closing_does_not_wait_for_a_dead_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snowflake_session, "CLOSE_SECONDS", GUARD)
    dead, hanging = Line(raising(DEAD)), Line()
    for line in (dead, hanging):
        sessions = sessions_of(line)
        with suppress(EngineError):
            run(sessions)
        sessions.close()
    assert dead.is_forgotten
    assert not dead.is_closed
    assert hanging.is_closed
