"""A project of several groups whose numbers are easy to work out, and runs of it on DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backends.duckdb import DuckDBBackend
from marts import int64, relationship, row_check, source, string
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Materialized, Source
from marts.core.operations.planning import RunPlanner
from marts.core.operations.run_options import RunOptions
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.run.grouped import GroupedRun
from marts.core.run.recording import Recorder
from marts.core.run.report import Report
from support.workshop import AS_OF, Observed, Workshop, project_of

KEYS = ("x", "y")
LIMIT = 1_000
SHARED = "shared"
COLUMNS = (string("key"), int64("value"))


@dataclass(frozen=True)
class Group:
    """A group: a mart over a source and marts of earlier groups, and one over the first.

    `shares` says that it reads the source `s0` through a temporary mart, instead of its own.
    `checks` are earlier groups that a check of its second mart reads.
    """

    reads: frozenset[int] = frozenset()
    checks: frozenset[int] = frozenset()
    shares: bool = False


def source_of(number: int) -> Source:
    """Return the source of a group."""
    columns = [string("key", doc="It."), int64("value", at_least=0, doc="Of the key.")]
    return source(f"s{number}", doc="Values.", grain="key", columns=columns)


def summed(name: str, *inputs: str, group: str, checks: tuple[Check, ...] = ()) -> Mart:
    """Return the mart that sums the values of its inputs by key."""
    kind: Materialized = "temporary" if name == SHARED else "table"

    def define(first: Any, *others: Any) -> Any:
        for number, other in enumerate(others):
            renamed = other.select("key", **{f"more{number}": other.value})
            joined = first.join(renamed, "key")
            first = joined.select("key", value=joined.value + joined[f"more{number}"])
        return first

    return Mart(
        name=name,
        comment="A mart.",
        columns=COLUMNS,
        grain=("key",),
        checks=checks,
        tags=(),
        materialized=kind,
        unchecked=False,
        define=define,
        parameters=inputs,
        module=f"toy.{name}",
        location=f"{name}.py:1",
        group=group,
    )


def graph_of(groups: tuple[Group, ...]) -> Graph:
    """Return the project of some groups, named g0, g1 and so on."""
    small = row_check("small", offending=lambda t: t.value > LIMIT)
    marts = [summed(SHARED, "s0", group="default")]
    for number, group in enumerate(groups):
        first = SHARED if group.shares else f"s{number}"
        others = [f"b{each}" for each in sorted(group.reads)]
        across = tuple(relationship("key", to=f"b{each}.key") for each in sorted(group.checks))
        name = f"g{number}"
        marts.append(summed(f"a{number}", first, *others, group=name, checks=(small,)))
        marts.append(summed(f"b{number}", f"a{number}", group=name, checks=across))
    return project_of(*(source_of(number) for number in range(len(groups))), *marts)


def expected(groups: tuple[Group, ...], values: Mapping[int, int]) -> dict[str, int]:
    """Return the value of each mart, given those of the sources; it is the same for all keys."""
    found: dict[str, int] = {}
    for number, group in enumerate(groups):
        own = values[0 if group.shares else number]
        found[f"a{number}"] = own + sum(found[f"b{each}"] for each in group.reads)
        found[f"b{number}"] = found[f"a{number}"]
    return found


def behind(groups: tuple[Group, ...], number: int) -> set[int]:
    """Return a group and those that read it, directly or through others."""
    found = {number}
    for each, group in enumerate(groups):
        if found & (group.reads | group.checks):
            found.add(each)
    return found


def relying_on(groups: tuple[Group, ...], number: int) -> set[int]:
    """Return the groups that read a group's source, and those behind them."""
    reading = {n for n, group in enumerate(groups) if (0 if group.shares else n) == number}
    return set[int]().union(*(behind(groups, each) for each in reading))


@dataclass
class Grouped:
    """A shop with several groups, run after run."""

    shop: Workshop
    groups: tuple[Group, ...]
    runs: int = 0
    plans: list[Plan] = field(default_factory=list)

    def write(self, values: Mapping[int, int]) -> None:
        """Write the value of each source, the same for all keys."""
        rows = {
            f"s{number}": [{"key": key, "value": value} for key in KEYS]
            for number, value in values.items()
        }
        self.shop.write(**rows)

    def run(
        self,
        *selected: str,
        planned: Callable[[Plan], None] = lambda _: None,
        ending: Callable[[], None] = lambda: None,
        going_on: Callable[[], None] = lambda: None,
        options: RunOptions | None = None,
    ) -> Report:
        """Run all groups, or those of the selected marts."""
        self.runs += 1
        self.plans = []

        def remember(plan: Plan) -> None:
            self.plans.append(plan)
            planned(plan)

        with self.shop.backend() as backend:
            planner = self.planner(backend, *selected, options=options)
            recorder = Recorder(backend, planner.run_id)
            return GroupedRun(
                planner,
                backend,
                Observed(),
                recorder,
                planned=remember,
                ending=ending,
                going_on=going_on,
            ).go()

    def planner(
        self, backend: DuckDBBackend, *selected: str, options: RunOptions | None = None
    ) -> RunPlanner:
        """Return what plans a run."""
        graph = self.shop.graph
        return RunPlanner(
            graph,
            tuple(name for name in graph.order if name in (selected or graph.order)),
            relied_on(graph),
            backend,
            FixedAsOf(AS_OF),
            f"2025-{self.runs}",
            options or RunOptions(),
        )

    def seen(self) -> dict[str, int]:
        """Return the value of each published mart."""
        found = {name: rows for name, rows in self.shop.published().items() if name[1:].isdigit()}
        assert all([key for key, _ in rows] == list(KEYS) for rows in found.values())
        assert all(len({value for _, value in rows}) == 1 for rows in found.values())
        return {name: rows[0][1] for name, rows in found.items()}

    def recorded(self) -> dict[str, tuple[str, str]]:
        """Return the state table that records each mart, and the run there."""
        tables = self.shop.query(
            "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'marts_state%'"
        )
        rows = [
            (name, (table, run))
            for (table,) in tables
            for name, run in self.shop.query(
                f"SELECT name, run_id FROM gold.{table} WHERE kind <> 'source'"
            )
        ]
        assert len(dict(rows)) == len(rows), "a mart is recorded twice"
        return dict(rows)

    def regrouped(self, name: str, group: str) -> None:
        """Move a mart to another group."""
        project = self.shop.graph.project
        moved = {name: replace(project.marts[name], group=group)}
        marts = {**project.marts, **moved}
        graph = project_of(*project.sources.values(), *marts.values())
        self.shop = replace(self.shop, graph=graph)
