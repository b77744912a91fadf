"""What `marts emulator` prints: how another terminal reaches it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from marts.core.project.settings import Settings

SOURCES = "RAW"
"""The schema of the sources in the printed commands, if the settings name none."""


def usage_lines(
    port: int,
    connection: str,
    environment: Mapping[str, str],
    settings: Settings,
    *,
    has_data: bool,
) -> Iterator[str]:
    """Yield the variables for another terminal, and the commands that fill and use the emulator."""
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    env = f" --env {settings.env}" if "env" in settings.given else ""
    reached = f"{env} --connection {connection}"
    if settings.source_schema is None:
        reached += f" --source-schema {SOURCES}"
    data = "" if has_data else " --data DIR"
    yield f"the emulator listens at 127.0.0.1:{port}; Ctrl-C ends it, and it forgets everything"
    yield ""
    yield "in another terminal:"
    yield f"  export {variables}"
    yield f"  marts load{reached}{data}"
    yield f"  marts run --backend snowflake{reached}"
