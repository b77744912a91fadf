"""Run the mutants of marts: on the data that the settings name, or else on generated worlds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from marts.core.operations import wiring
from marts.core.operations.proof_engines import on_duckdb
from marts.core.project.proof_modules import for_proof
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpora import worlds_of
from marts.core.proof.mutation import run_mutants
from marts.core.proof.on_world import runs_on_worlds, together

if TYPE_CHECKING:
    from marts.core.authoring.tables import Mart
    from marts.core.project.graph import Graph
    from marts.core.project.settings import Settings
    from marts.core.proof.mutation import MutationRun, Watch


class Run(Protocol):
    """Runs the mutants of a mart."""

    def __call__(self, mart: Mart, *, watch: Watch) -> MutationRun:
        """Return what killed each mutant; `watch` is told of each before it runs."""


@dataclass(frozen=True)
class Mutations:
    """What mutants run on, in words, and what runs those of a mart."""

    about: str
    run: Run


@contextmanager
def mutations(graph: Graph, settings: Settings) -> Iterator[Mutations]:
    """Yield what the mutants of a mart run on, in words and as a function.

    Without data, these are the worlds of the project's corpus functions, and generic ones. A mutant
    runs on one world after another until one kills it. Raises MartsError for a check of a source
    that no rows fulfil, and for declarations that are wrong.
    """
    if settings.data or settings.sources:
        with wiring.in_memory(graph, settings, settings.data) as backend:
            as_of = wiring.as_of(settings, backend.data_as_of)
            about = f"as of {as_of.day} · {settings.data or settings.file}"

            def on_data(mart: Mart, *, watch: Watch) -> MutationRun:
                return run_mutants(graph, mart, backend, as_of, watch=watch)

            yield Mutations(about, on_data)
        return
    declared = for_proof(graph.project, settings)
    with on_duckdb() as engine:
        worlds = worlds_of(WorldBuilder(graph, engine), declared, as_of=settings.as_of)
        days = sorted({str(world.as_of) for world in worlds})
        names = ", ".join(f"{world.origin} ({world.rows:,} rows)" for world in worlds)

        def on_worlds(mart: Mart, *, watch: Watch) -> MutationRun:
            return together([*runs_on_worlds(graph, mart, engine, worlds, watch=watch)])

        yield Mutations(f"as of {', '.join(days)} · {names}", on_worlds)
