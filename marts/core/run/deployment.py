"""The port for schedules: what deploying a schedule requires of an engine that can run it alone."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from marts.core.plan.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When a schedule runs, and on what: a warehouse, or a size without one.

    `cron` has five fields. After so many `failures` in a row it is suspended.
    """

    cron: str
    timezone: str
    warehouse: str | None = None
    serverless: str | None = None
    timeout_seconds: int = 4 * 3600
    failures: int = 3


@dataclass(frozen=True)
class Deployed:
    """What deploying did with the objects of a schedule, by name, and to published marts."""

    group: str
    root: str
    created: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskState:
    """A deployed task: whether it is started or suspended, and its schedule if it is a root."""

    name: str
    state: str
    schedule: str | None
    compute: str


@dataclass(frozen=True)
class GraphState:
    """The tasks of a package in an engine; `runs` are the last runs, the latest first."""

    tasks: tuple[TaskState, ...] = ()
    runs: tuple[RunState, ...] = field(default=())


@dataclass(frozen=True)
class RunState:
    """One run of a schedule: its id, date and status, and when it began."""

    run_id: str
    as_of: datetime.date | None
    status: str
    started_at: datetime.datetime
    error: str | None = None


class Deployer(Protocol):
    """Puts schedules into an engine; what it did not make it neither replaces nor drops."""

    def timing(self, package: str, **given: str | None) -> Mapping[str, str | None]:
        """Return cron, timezone and warehouse: what is given, else as it is deployed."""

    def deploy(self, schedules: Sequence[Schedule], timing: Timing) -> Sequence[Deployed]:
        """Create or replace what differs, drop what is gone, and start the schedules."""

    def suspend(self, package: str) -> Sequence[str]:
        """Let no run of a package begin any more; return the names of the root tasks."""

    def remove(self, package: str) -> Sequence[str]:
        """Drop the tasks and procedures of a package; return their names. Marts stay."""

    def state(self, package: str) -> GraphState:
        """Return the tasks of a package, and its last runs by tasks."""
