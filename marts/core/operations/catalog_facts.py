"""Read what the catalogue shows of an engine: builds, history, distributions, proofs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from marts.core.analysis.lineage import Name
from marts.core.authoring.expressions import FixedAsOf
from marts.core.catalog.distributions import Counted, counted, main_columns
from marts.core.catalog.facts import Facts
from marts.core.errors import EngineError, MartsError
from marts.core.plan.fingerprint import CurrentInputs, Fingerprint
from marts.core.plan.state import RecordedTable, TableState, declared_state
from marts.core.project.graph import Graph
from marts.core.query.contract import mismatches
from marts.core.run.backend import Backend
from marts.core.run.history import PastRun, past_runs
from marts.core.run.inspection import recorded_by

ATTEMPTS = 3
"""How often the marts are read if a run publishes them meanwhile."""
ABSENT = "absent"
ALTERED = "it was altered after it was published and checked"
OTHER_CODE = "it was published by another version of its code"
OTHER_COLUMNS = "the columns of the published table are not those that are declared"
NOT_PUBLISHED = "it is not published"
NONE_PUBLISHED = "no mart of the project is published"

T = TypeVar("T")


class Reader:
    """Reads one engine for a project; what cannot be read becomes a note.

    `tell` is told what is being read.
    """

    def __init__(
        self,
        graph: Graph,
        backend: Backend,
        keys: Collection[Name],
        proven: Callable[[], Mapping[str, str]],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.inputs: dict[tuple[datetime.date, frozenset[str]], CurrentInputs] = {}
        """What marts would be made from, as of a date and without some sources."""
        self._graph = graph
        self._tell = tell
        self._backend = backend
        self._keys = keys
        self._proven = proven
        self._notes: list[str] = []
        self._notes_of: dict[str, list[str]] = {}

    def read(self) -> Facts:
        """Return what the engine knows, of one publication of each mart.

        Raises EngineError if the state of the marts cannot be read, or changes all the time.
        """
        for _ in range(ATTEMPTS):
            self._notes.clear()
            self._notes_of.clear()
            before = self._runs_recorded()
            published, recorded = self._state()
            facts = self._of(published, recorded)
            self._backend.go_on()
            if self._runs_recorded() == before:
                return facts
        raise EngineError(
            "runs published marts whenever these were read", hint="run marts docs again"
        )

    def _state(self) -> tuple[Mapping[str, TableState], Mapping[str, RecordedTable]]:
        """Return the state of all relations, with the versions of published marts, and these."""
        project = self._graph.project
        rows = {
            name: row
            for name, row in recorded_by(self._backend.state(), project).items()
            if row.as_of and name in project.marts
        }
        published = self._backend.describe_published([*rows])
        return published, {name: row for name, row in rows.items() if name in published}

    def _runs_recorded(self) -> dict[str, str]:
        """Return the run that is recorded of each mart."""
        rows = recorded_by(self._backend.state(), self._graph.project)
        return {name: row.run_id for name, row in rows.items()}

    def _of(
        self, published: Mapping[str, TableState], recorded: Mapping[str, RecordedTable]
    ) -> Facts:
        graph, marts = self._graph, self._graph.project.marts
        for name in graph.order:
            if name not in recorded and not marts[name].is_temporary:
                self._note(name, NOT_PUBLISHED)
        if not recorded:
            self._notes.append(NONE_PUBLISHED)
        days = sorted({row.as_of for row in recorded.values() if row.as_of})
        if len(days) > 1:
            several = ", ".join(map(str, days))
            self._notes.append(f"the marts are published as of different dates: {several}")
        for name, row in recorded.items():
            if row.version is not None and row.version != published[name].version:
                self._note(name, ALTERED)
        for name in self._of_other_code(recorded):
            self._note(name, OTHER_CODE)
        counts = dict[str, Counted]()
        for number, name in enumerate(recorded, start=1):
            self._tell(f"counting {name}, mart {number:,} of {len(recorded):,}")
            if found := self._counted(name, published):
                counts[name] = found
        runs = self._attempt("the history of runs", lambda: self._runs(published, recorded))
        return Facts(
            # Where the sources are does not concern readers.
            engine=f"{self._backend.name}, {self._backend.where.rpartition(' → ')[2]}",
            as_of=days[-1] if days else None,
            recorded=recorded,
            runs=runs or (),
            proofs=self._attempt("the proofs", self._proven) or {},
            rows={
                **{n: rows for n in recorded if (rows := published[n].rows) is not None},
                **{name: found.rows for name, found in counts.items()},
            },
            distributions={name: found.distributions for name, found in counts.items()},
            notes=tuple(self._notes),
            notes_of={name: tuple(lines) for name, lines in self._notes_of.items()},
        )

    def _runs(
        self, published: Mapping[str, TableState], recorded: Mapping[str, RecordedTable]
    ) -> Sequence[PastRun]:
        ids = {row.run_id for row in recorded.values()}
        return past_runs(self._backend, self._graph.project.package, published, also=ids)

    def _of_other_code(self, recorded: Mapping[str, RecordedTable]) -> list[str]:
        """Return the marts whose SQL, checks or texts have changed since they were published.

        What they would be made of now is compiled for the date and the sources of then.
        """
        project = self._graph.project
        known, found = self.inputs, []
        for name, row in recorded.items():
            fingerprint = Fingerprint.from_text(row.origin)
            if fingerprint is None or row.as_of is None:
                continue
            absent = frozenset(n for n, version in fingerprint.sources.items() if version == ABSENT)
            key = row.as_of, absent
            if key not in known:
                state = declared_state(project, sources=project.sources.keys() - absent)
                known[key] = CurrentInputs(
                    self._graph, state, FixedAsOf(row.as_of), self._backend.compile
                )
            if known[key].digest(name) != fingerprint.sql:
                found.append(name)
        return found

    def _counted(self, name: str, published: Mapping[str, TableState]) -> Counted | None:
        """Count a mart's rows by the values of its main columns; None if it cannot be read."""
        mart = self._graph.project.marts[name]
        if mismatches(mart.columns, published[name].types):
            self._note(name, OTHER_COLUMNS)
            return None
        if mart.is_intermediate:
            return None
        columns = main_columns(mart, self._keys)
        try:
            return counted(mart, columns, lambda query: self._backend.fetch(query, about=name))
        except EngineError as error:
            self._note(name, f"its rows could not be read: {error.summary}")
            if not self._backend.go_on():
                raise
            return None

    def _note(self, mart: str, text: str) -> None:
        self._notes_of.setdefault(mart, []).append(text)

    def _attempt(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except MartsError as error:
            self._notes.append(f"{what} could not be read: {error.summary}")
            return None
