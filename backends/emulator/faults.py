"""What a test tells the emulator to do wrong, in the control file: read for every statement."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

Kind = Literal["fail", "lose", "dead", "stall"]


class Matching(TypedDict, total=False):
    """Which statements: those that match, after the first `skip`, and at most `times` of them.

    `pattern` is searched in the statement and `tag`, if given, in its query tag. A request that is
    sent again is the same statement.
    """

    pattern: str
    tag: str
    skip: int
    times: int


class Fail(Matching, total=False):
    """Refuse a statement before it runs: with Snowflake's error, or with an HTTP status."""

    errno: int
    sqlstate: str
    message: str
    status: int


class Lose(Matching, total=False):
    """Run a statement, then cut the connection without an answer.

    With `gone` the session is lost from then on: its requests are cut ("cut"), or answered with
    "Session no longer exists" ("answered"). Its transaction stays open for `detached` seconds.
    """

    gone: Literal["cut", "answered"]


class Dead(Matching, total=False):
    """Never answer a statement, or anything else of its session, until the control changes.

    Then what is unanswered is cut. The statement runs if `runs`, else it never arrived. With
    `logins` nobody can log in meanwhile.
    """

    runs: bool
    logins: bool


class Stall(Matching, total=False):
    """Hold a statement before it runs, or with `after` its answer, until the control changes.

    Like any statement that has arrived, it then runs even if its client was killed meanwhile;
    unless it was in a transaction, which ends with the client.
    """

    after: bool


class Told(TypedDict, total=False):
    """All that a control file can say: of each kind of fault one, with its class's words.

    `detached` is how many seconds the transaction of a session whose client is gone stays open (2
    if not said). `in_progress_after` is how many seconds a request waits for its answer, before it
    is told to ask again (45 if not said, as on Snowflake).
    """

    fail: Mapping[str, Any]
    lose: Mapping[str, Any]
    dead: Mapping[str, Any]
    stall: Mapping[str, Any]
    detached: float
    in_progress_after: float


FAULTS: Mapping[Kind, Any] = {"fail": Fail, "lose": Lose, "dead": Dead, "stall": Stall}
DEFAULTS: Mapping[str, float] = {"detached": 2.0, "in_progress_after": 45.0}


def checked(told: Told) -> Told:
    """Return what a test tells the emulator.

    Raises ValueError for a word that the emulator does not know.
    """
    for what, kind in FAULTS.items():
        unknown = set(told.get(what) or ()) - kind.__optional_keys__
        if unknown:
            raise ValueError(f"{what}: {unknown}")
    return told


class Control:
    """The control file, and how often each of its faults has matched."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.matched: Counter[str] = Counter()

    def said(self) -> Mapping[str, Any]:
        """Return what the file says now."""
        said: Mapping[str, Any] = {}
        if self.file and self.file.exists():
            said = json.loads(self.file.read_text())
        return said

    def seconds(self, what: Literal["detached", "in_progress_after"]) -> float:
        """Return a number of seconds."""
        return float(self.said().get(what) or DEFAULTS[what])

    def matches(self, what: Kind, sql: str, tag: str | None) -> Mapping[str, Any] | None:
        """Return the fault of a kind whose patterns match a statement, now."""
        fault: Mapping[str, Any] | None = self.said().get(what)
        if (
            fault
            and re.search(fault["pattern"], sql, re.IGNORECASE)
            and re.search(fault.get("tag", ""), tag or "")
        ):
            return fault
        return None

    def strike(self, sql: str, tag: str | None) -> dict[Kind, Mapping[str, Any]]:
        """Count a statement that arrives, and return the faults that it meets."""
        found: dict[Kind, Mapping[str, Any]] = {}
        for what in FAULTS:
            if fault := self.matches(what, sql, tag):
                key = json.dumps([what, fault])
                self.matched[key] += 1
                number = self.matched[key] - fault.get("skip", 0)
                if 0 < number <= fault.get("times", number):
                    found[what] = fault
        return found
