"""The door through which every statement of a run goes to Snowflake: tagged, and recorded."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from backends.snowflake_candidates import candidate_name
from backends.snowflake_connection import SnowflakeOptions, connect
from backends.snowflake_errors import MISSING, number_of
from backends.snowflake_session import Result, Sessions
from marts.core.errors import EngineError

WAITS_FOR_A_CANDIDATE = (0.5, 1.0, 2.0)
"""Seconds between attempts to read what another session of this run has created."""
AFTER_STOPPING = ("discard", "rollback", "record")
"""The steps whose statements a stopping run still sends."""


class Statements:
    """The statements of one run, in a session for each thread."""

    def __init__(self, options: SnowflakeOptions) -> None:
        self.version = options.version
        self.sessions = Sessions(lambda: connect(options))
        self.run_id = ""
        self.stopping = threading.Event()
        """Set when no further statement is to be sent, except those of cleaning up."""

    def execute(
        self,
        sql: str,
        *,
        about: str = "",
        step: str,
        uninterruptible: bool = False,
        within: float | None = None,
    ) -> Result:
        """Run one statement, with a query tag that says what it is for.

        See `Session.execute` for interrupts and lost answers.
        """
        tag = {
            "tool": "marts",
            "version": self.version,
            "run": self.run_id,
            "mart": about,
            "step": step,
        }

        def attempt() -> Result:
            if self.stopping.is_set() and step not in AFTER_STOPPING:
                raise EngineError(f"the run is stopping: no {step} {about}".rstrip())
            return self.sessions.current().execute(
                sql,
                about=about,
                step=step,
                tag=json.dumps(tag),
                uninterruptible=uninterruptible,
                within=within,
            )

        for seconds in WAITS_FOR_A_CANDIDATE:
            try:
                return attempt()
            except EngineError as error:
                if not self._misses_a_candidate(error):
                    raise
            time.sleep(seconds)
        return attempt()

    def _misses_a_candidate(self, error: EngineError) -> bool:
        """Tell whether another session made a candidate that this one does not see yet.

        https://docs.snowflake.com/en/sql-reference/parameters#read-consistency-mode
        """
        of_this_run = candidate_name("", self.run_id)
        return number_of(error) in MISSING and of_this_run in str(error).upper()

    def about(self, sql: str, about: str, step: str) -> Result:
        """Run one statement about a table, in a step of the run."""
        return self.execute(sql, about=about, step=step)

    def rows(self, sql: str, about: str, step: str = "catalog") -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.execute(sql, about=about, step=step).fetchall()

    def records(self, sql: str, about: str) -> list[dict[str, Any]]:
        """Run a query of the catalog, and return its rows by lower-case column name."""
        return self.execute(sql, about=about, step="catalog").records()
