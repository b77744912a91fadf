"""Find the smallest source rows on which a mart gives another answer than another version of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa

from marts.core.analysis.lineage import Name
from marts.core.analysis.personal import declared
from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.operations.former import NOT_COMMITTED, Former, committed, package_folder
from marts.core.operations.proof_engines import on_duckdb
from marts.core.operations.wiring import Linked
from marts.core.plan.planner import plan_run
from marts.core.project.graph import Graph
from marts.core.project.proof_modules import for_proof
from marts.core.project.settings import Settings
from marts.core.project.versions import Version
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpora import worlds_of
from marts.core.proof.corpus import Generator
from marts.core.proof.mutant_versions import mutant_side
from marts.core.proof.shrinking import SECONDS, Shrinker
from marts.core.proof.versions import former_side, side_of
from marts.core.proof.witness import Comparison, Side, compare_versions
from marts.core.proof.worlds import World
from marts.core.query.contract import mismatches, schema_of
from marts.core.run.inspection import inspect_engine
from marts.core.run.world_engine import WorldEngine

HEAD = "HEAD"
MUTANT = "mutant:"
NOW = "now"
MOST_ROWS = 1_000_000
"""As many rows of data are read: they are in memory, as Python's values, too."""
MORE_DAYS = (datetime.date(2024, 2, 29), datetime.date(2025, 1, 1))
"""More as-of dates of made-up worlds: dates go wrong where months and years end."""
Watch = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class WitnessOptions:
    """What a mart is compared with, and how long a small example is looked for.

    `against` is a git revision of the package, another version of the mart's file, or `mutant:`
    with a number or a text that `marts mutate` prints. The data that the settings were given, if
    any, are tried before made-up worlds.
    """

    against: str = HEAD
    seconds: float = SECONDS


@dataclass(frozen=True)
class Found:
    """In what two versions of a mart differ, and the project that has the present one."""

    graph: Graph
    comparison: Comparison
    personal: frozenset[Name] = frozenset()
    """The columns with personal data, if the rows are from data that were given."""

    def hidden(self, table: str, columns: Iterable[str]) -> frozenset[str]:
        """Return the columns of a table whose values nobody is to see.

        A column of another version of the mart, which is gone, may hold any of them.
        """
        marts, sources = self.graph.project.marts, self.graph.project.sources
        known = {column.name for column in (marts.get(table) or sources[table]).columns}
        return frozenset(
            name
            for name in columns
            if (table, name) in self.personal or (self.personal and name not in known)
        )


def find_witness(
    settings: Settings,
    mart: str,
    options: WitnessOptions,
    *,
    watch: Watch = lambda _: None,
    project: Linked | None = None,
) -> Found:
    """Compare a mart with another version of it. The project is loaded unless it is given.

    Raises UsageError for an unknown mart, revision or mutant, and for a version of the mart that
    today's contracts cannot feed; DefinitionError for declarations that are wrong.
    """
    graph, _ = project or wiring.linked(settings)
    wiring.refuse_unknown(mart, graph)
    with ExitStack() as opened:
        # Two engines: a table of one version may be a view of the other.
        here, there = (opened.enter_context(on_duckdb()) for _ in range(2))
        watch(f"reading {options.against}")
        builder = WorldBuilder(graph, here)
        was = opened.enter_context(_former(settings, options.against, mart, graph, there))
        worlds = _worlds(settings, mart, builder, watch)
        shrinker = Shrinker(builder, seconds=options.seconds)
        found = compare_versions(
            was,
            side_of(NOW, mart, builder),
            worlds,
            shrinker,
            watch=lambda world: watch(f"looking for fewer rows and simpler values: {world.rows:,}"),
        )
    if not found.worlds:
        raise UsageError(
            f"{mart} and {was.name} cannot be compared on any of {found.incomparable} worlds",
            "both fail, or the former contracts of the sources refuse the values",
            hint="pass data on which both can be built: --data DIR",
        )
    is_given = found.witness is not None and found.witness.world.origin == str(settings.data)
    return Found(graph, found, frozenset(declared(graph.project)) if is_given else frozenset())


# The other version


@contextmanager
def _former(
    settings: Settings, against: str, mart: str, graph: Graph, engine: WorldEngine
) -> Iterator[Side]:
    """Yield the version that a mart is compared with."""
    if against.startswith(MUTANT):
        named = against.removeprefix(MUTANT).strip()
        yield mutant_side(named, mart, WorldBuilder(graph, engine))
        return
    if Path(against).is_file():
        package, folder = graph.project.package, package_folder(settings, graph)
        replaced = {graph.project.marts[mart].module: Path(against).resolve()}
        yield _side(
            Former(against, Version(package, folder, folder, replaced)), mart, graph, engine
        )
        return
    with committed(settings, graph, against) as former:
        yield _side(former, mart, graph, engine)


def _side(former: Former, mart: str, today: Graph, engine: WorldEngine) -> Side:
    """Return a mart of another version."""
    graph = former.load()
    if mart not in graph.project.marts:
        raise UsageError(
            f"{former.name} has no mart {mart}",
            hint=NOT_COMMITTED if former.place else f"name a file that declares {mart}",
        )
    builder = WorldBuilder(graph, engine)
    return former_side(former.name, mart, builder, today, within=former.within)


# The worlds


def _worlds(settings: Settings, mart: str, builder: WorldBuilder, watch: Watch) -> Iterator[World]:
    """Yield the data that were given, if any, then the worlds of the project."""
    graph = builder.graph
    if "data" in settings.given and settings.data is not None:
        watch(f"reading {settings.data}")
        world = _data_world(settings, graph, mart)
        watch(f"{world.origin}: {world.rows:,} rows")
        yield world
    watch("making worlds")
    for_worlds = for_proof(graph.project, settings)
    for world in worlds_of(builder, for_worlds, as_of=settings.as_of):
        watch(f"{world.origin}: {world.rows:,} rows")
        yield world
    generator = Generator(builder)
    for other in MORE_DAYS if settings.as_of is None else ():
        watch(f"making a world as of {other}")
        tables = generator.tables(generator.blueprint(other), other)
        yield World(tables, other, "generic corpus")


def _data_world(settings: Settings, graph: Graph, mart: str) -> World:
    """Return the settings' data as a world, without sources that no mart here needs and that lack.

    Raises SourceError if a source that the mart reads does not fit its contract.
    """
    needed = {mart, *graph.upstream(mart)}
    selected = [name for name in graph.order if name in needed]
    with wiring.in_memory(graph, settings, settings.data) as backend:
        as_of = wiring.as_of(settings, backend.data_as_of)
        # Planning refuses sources that do not fit.
        plan_run(graph, selected, inspect_engine(graph, selected, backend), as_of)
        tables, known = {}, backend.describe_sources([*graph.project.sources])
        _refuse_many(sum(state.rows or 0 for state in known.values()), settings)
        for name, state in known.items():
            columns = graph.project.sources[name].columns
            if not (state.misfits or mismatches(columns, state.types)):
                schema = schema_of(columns)
                rows = backend.fetch(ibis.table(schema, name=name), about=name)
                tables[name] = pa.Table.from_pylist(rows, schema.to_pyarrow())
    return World(tables, as_of.day, str(settings.data))


def _refuse_many(rows: int, settings: Settings) -> None:
    """Raise UsageError for more rows than this process should hold."""
    if rows > MOST_ROWS:
        raise UsageError(
            f"{settings.data} has {rows:,} rows; a witness is looked for in at most {MOST_ROWS:,}",
            hint="pass an extract, or leave out --data: made-up worlds meet all thresholds",
        )
