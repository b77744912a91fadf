"""Show the progress of a run: a line for each table, and the current step on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Event

from rich.console import Console
from rich.status import Status

from marts.core.console.messages import doing, table_line, table_of
from marts.core.console.terminal import say
from marts.core.plan.steps import Plan, Step
from marts.core.run.report import TableReport


@contextmanager
def progress(where: Console, plan: Plan, *, stop: Event) -> Iterator[Progress]:
    """Print a line for each table when it is done; on a terminal, show the current step.

    No step begins once `stop` is set: KeyboardInterrupt is raised instead.
    """
    with where.status("") if where.is_terminal else nullcontext() as status:
        yield Progress(where, status, Counter(table_of(step) for step in plan.steps), stop)


class Progress:
    """Observes a run: prints the line of a table when its last step is done."""

    def __init__(
        self, where: Console, status: Status | None, to_come: Counter[str], stop: Event
    ) -> None:
        self.where = where
        self.status = status
        self.to_come = to_come
        self.stop = stop
        self.group: str | None = None

    def planned(self, plan: Plan) -> None:
        """Expect the steps of a group's plan."""
        self.to_come = Counter(table_of(step) for step in plan.steps)
        self.group = plan.group

    def started(self, step: Step) -> None:
        """Show the step that begins."""
        self._show(doing(step))

    def finished(self, step: Step, table: TableReport) -> None:
        """Print the line of a table whose last step is done."""
        self.to_come[table_of(step)] -= 1
        if not self.to_come[table_of(step)]:
            say(self.where, table_line(table, group=self.group))

    def publishing(self) -> None:
        """Show that publishing begins."""
        self._show("publishing")

    def _show(self, text: str) -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        if self.status:
            self.status.update(text)
