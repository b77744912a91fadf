"""A mutant of a mart as another version of it, named by what `marts mutate` prints of it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from marts.core.analysis.column_lineage import ANY_DAY
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError, did_you_mean
from marts.core.plan.queries import Queries
from marts.core.plan.state import CompiledQuery
from marts.core.proof.building import WorldBuilder
from marts.core.proof.guarantees import guarantees_of
from marts.core.proof.mutants import Mutant, mutants_of
from marts.core.proof.versions import reads_of
from marts.core.proof.witness import Side
from marts.core.proof.worlds import World
from marts.core.query.definition import logical_tables

ARROW = "→"
MOST_LISTED = 60


def mutant_side(named: str, mart: str, builder: WorldBuilder) -> Side:
    """Return a mutant of a mart, which is named by its number or by its text.

    The text is `before → after`, or one of both. Raises UsageError if no mutant has it, or several.
    """
    graph = builder.graph
    declared, guarantees = graph.project.marts[mart], guarantees_of(graph.project)
    every = mutants_of(
        declared, logical_tables(graph.project), FixedAsOf(ANY_DAY), guarantees=guarantees
    )
    chosen = _named(named, declared, every).key
    compiled: dict[Queries, CompiledQuery | None] = {}

    def query_on(world: World) -> CompiledQuery | None:
        """Return the query of the mutant, None if it equals the original on such a world."""
        queries = builder.queries(world)
        if queries not in compiled:
            as_of = FixedAsOf(world.as_of)
            found = mutants_of(declared, queries.tables, as_of, guarantees=guarantees)
            query = next((each.query for each in found if each.key == chosen), None)
            compiled[queries] = None if query is None else builder.engine.compile(query)
        return compiled[queries]

    def build(world: World) -> pa.Table:
        query = query_on(world)
        if query is None:
            return builder.build(world, [mart]).tables[mart]
        builder.build(world, [each for each in declared.inputs if each in graph.project.marts])
        builder.engine.build(mart, query, kind=declared.materialized)
        return builder.engine.rows(mart)

    return Side(f"mutant {named}", declared, build, reads_of(graph, mart))


def _named(named: str, mart: Mart, mutants: Sequence[Mutant]) -> Mutant:
    if named.isdecimal():
        if 1 <= int(named) <= len(mutants):
            return mutants[int(named) - 1]
        raise UsageError(
            f"{mart.name} has no mutant {named}: it has {len(mutants)}", *_listed(mutants)
        )
    wanted = _words(named)
    found = [
        each
        for each in mutants
        if wanted in map(_words, (_text(each), each.before, each.after)) and wanted
    ]
    if len(found) == 1:
        return found[0]
    texts = {_text(each): number for number, each in enumerate(mutants, start=1)}
    if found:
        raise UsageError(
            f"{len(found)} mutants of {mart.name} have the text {named}",
            *(f"{texts[_text(each)]}: {_text(each)}" for each in found),
            hint=f"name one by its number: --against mutant:{texts[_text(found[0])]}",
        )
    raise UsageError(
        f"{mart.name} has no mutant {named or 'without a name'}",
        *_listed(mutants),
        hint=did_you_mean(named, texts) if named else None,
    )


def _text(mutant: Mutant) -> str:
    return f"{mutant.before} {ARROW} {mutant.after}"


def _words(text: str) -> str:
    return " ".join(text.replace("->", ARROW).split())


def _listed(mutants: Sequence[Mutant]) -> list[str]:
    lines = [f"{number}: {_text(each)}" for number, each in enumerate(mutants, start=1)]
    more = [f"… {len(lines) - MOST_LISTED} more"] if len(lines) > MOST_LISTED else []
    return [*lines[:MOST_LISTED], *more]
