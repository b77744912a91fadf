"""Whether worlds meet the checks of their sources that stop a run, as far as an engine must say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from marts.core.analysis.links import Link
from marts.core.authoring.checks import (
    Check,
    FreshCheck,
    RelationshipCheck,
    UniqueCheck,
    tables_read,
)
from marts.core.authoring.tolerance import tolerated
from marts.core.plan.state import CompiledQuery
from marts.core.proof.building import WorldBuilder
from marts.core.proof.worlds import World


def conforming(
    builder: WorldBuilder, world: World, links: Collection[Link] = ()
) -> Callable[[World], bool]:
    """Return a function that tells whether a world meets the checks that `world` meets.

    These are the checks of sources that stop a run. Those of keys, columns and strict `links` are
    left to the caller, and how old rows are depends on the moment of a run. The worlds have the
    same date and sources.
    """
    strict = {(each.child, each.columns, each.parent) for each in links if each.is_strict}
    made = [each for each in _written(world, builder, strict) if each.holds(world)]

    def meets(other: World) -> bool:
        if not made:
            return True
        builder.engine.show(other.tables)
        return all(each.holds_on_shown() for each in made)

    return meets


class _Made:
    """One check of a source, compiled for an engine."""

    def __init__(self, builder: WorldBuilder, query: CompiledQuery, check: Check) -> None:
        self._engine = builder.engine
        self._query = query
        self._threshold = check.threshold

    def holds(self, world: World) -> bool:
        """Tell whether the check holds on a world."""
        self._engine.show(world.tables)
        return self.holds_on_shown()

    def holds_on_shown(self) -> bool:
        """Tell whether the check holds on the tables that the engine shows."""
        (row,) = self._engine.rows(self._query).to_pylist()
        counts: Mapping[str, int | None] = {name.lower(): each for name, each in row.items()}
        return (counts["c0"] or 0) <= tolerated(self._threshold, counts.get("l0") or 0)


def _written(
    world: World, builder: WorldBuilder, strict: Collection[tuple[str, tuple[str, ...], str]]
) -> Iterator[_Made]:
    sources, queries = builder.graph.project.sources, builder.queries(world)
    for name in world.tables:
        for check in sources[name].checks:
            is_known = (
                isinstance(check, RelationshipCheck)
                and (name, (check.column,), check.to_table) in strict
                and check.to_where is None
            )
            if _needs_engine(check) and tables_read(check) <= sources.keys() and not is_known:
                query = builder.compiled(queries.of_check(sources[name], check))
                yield _Made(builder, query, check)


def _needs_engine(check: Check) -> bool:
    if check.severity != "error" or isinstance(check, FreshCheck):
        return False
    is_key = isinstance(check, UniqueCheck) and not check.threshold and check.where is None
    return not is_key
