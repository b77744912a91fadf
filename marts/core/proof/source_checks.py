"""Check the sources of a world, as a run would before it publishes."""

from __future__ import annotations

from collections.abc import Iterator

from marts.core.authoring.checks import Check, FreshCheck, is_fused
from marts.core.authoring.tables import Source, checks_of
from marts.core.plan.queries import Queries, fused_checks
from marts.core.proof.building import WorldBuilder
from marts.core.proof.worlds import World
from marts.core.query.checks import ROWS
from marts.core.run.report import CheckReport


class SourceChecker:
    """Makes the checks of sources on one world after another."""

    def __init__(self, builder: WorldBuilder) -> None:
        self._builder = builder

    def broken_by(self, world: World) -> tuple[tuple[Source, Check], ...]:
        """Return the checks of severity error that do not hold, with their sources.

        Freshness is not checked: it depends on the moment of a run.
        """
        self._builder.engine.show(world.tables)
        sources = self._builder.graph.project.sources
        return tuple(
            (sources[name], report.check)
            for name, table in world.tables.items()
            if table.num_rows
            for report in self._reports(world, sources[name])
            if report.outcome == "fail"
        )

    def _reports(self, world: World, source: Source) -> Iterator[CheckReport]:
        queries, together = self._builder.queries(world), fused_checks(source)
        counts = self._counts(queries, source, None)
        for number, check in enumerate(together):
            if not isinstance(check, FreshCheck):
                rows = counts.get(f"l{number}", counts[ROWS])
                yield CheckReport(check, int(counts[f"c{number}"] or 0), rows=int(rows or 0))
        for check in checks_of(source):
            if not is_fused(check) and check.severity == "error":
                counts = self._counts(queries, source, check)
                yield CheckReport(check, int(counts["c0"] or 0), rows=int(counts.get("l0") or 0))

    def _counts(self, queries: Queries, source: Source, check: Check | None) -> dict[str, int]:
        query = queries.of_check(source, check) if check else queries.fused(source)
        (row,) = self._builder.engine.rows(self._builder.compiled(query)).to_pylist()
        return dict(row)
