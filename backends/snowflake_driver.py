"""The connector's connection, told apart from its limits; importing it takes a second."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from snowflake.connector import SnowflakeConnection
from snowflake.connector.session_manager import HttpConfig

WAITS = (1, 2, 4, 6)
"""Seconds to wait before each retry of a request; the last one again and again."""


def waits() -> Iterator[int]:
    """Yield how long to wait before each retry; the connector's own waits grow to 16 seconds."""
    yield from WAITS
    while True:
        yield WAITS[-1]


class Connection(SnowflakeConnection):
    """A connection on which a statement may take longer than a request is retried.

    The connector has one timeout for both: it cancels a statement that has run for as long as
    requests are retried. Here a statement's own timeout is only about the statement.
    """

    @property
    def _http_config(self) -> HttpConfig | None:
        return self._our_http_config

    @_http_config.setter
    def _http_config(self, config: HttpConfig | None) -> None:
        # The HTTP library would send each request twice, and wait for each as long as a socket may.
        self._our_http_config = replace(config, max_retries=0) if config else None

    retry_seconds: int | None = None
    """How long the requests of the next statement are retried; None: the network timeout."""

    def cmd_query(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Send a statement, and wait for its answer."""
        found: dict[str, Any] = super().cmd_query(
            *args, **options | {"timeout": self.retry_seconds}
        )
        return found

    def cancel(self, sql: str, request_id: str) -> None:
        """Ask Snowflake to cancel a statement; any thread may do so while it runs."""
        self._cancel_query(sql, request_id)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Do not end the session when Python exits, which takes a minute if the line is dead."""
        atexit.unregister(self._close_at_exit)
