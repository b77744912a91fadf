"""The door through which every statement of a run goes to Snowflake: tagged, and recorded."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

from backends.snowflake_candidates import candidate_name
from backends.snowflake_connection import SnowflakeOptions, connect
from backends.snowflake_session import Result, Sessions, until_seen
from marts.core.errors import EngineError

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
        within: float = math.inf,
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

        of_this_run = candidate_name("", self.run_id)
        return until_seen(attempt, lambda error: of_this_run in str(error).upper())

    def about(self, sql: str, about: str, step: str) -> Result:
        """Run one statement about a table, in a step of the run."""
        return self.execute(sql, about=about, step=step)

    def rows(self, sql: str, about: str, step: str = "catalog") -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.execute(sql, about=about, step=step).fetchall()

    def records(self, sql: str, about: str) -> list[dict[str, Any]]:
        """Run a query of the catalog, and return its rows by lower-case column name."""
        return self.execute(sql, about=about, step="catalog").records()
