"""The data sets of a project on which proofs try its marts: its authors' own, then generic ones."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from marts.core.analysis.thresholds import Thresholds, thresholds_of
from marts.core.authoring.expressions import AS_OF as AS_OF_PARAMETER
from marts.core.authoring.proofs import THRESHOLDS, Corpus, ForProof
from marts.core.authoring.signature import line_within
from marts.core.authoring.tables import Source
from marts.core.errors import DefinitionError, MartsError, did_you_mean
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.canonical import absence, absences
from marts.core.proof.corpus import AS_OF, Generator
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of


def worlds_of(
    builder: WorldBuilder,
    declared: Iterable[ForProof],
    *,
    as_of: datetime.date | None = None,
) -> tuple[World, ...]:
    """Return the worlds on which a builder's project is tried in any case, always the same ones.

    They are those of its corpus functions, among what it declares for proofs, then the generic
    ones, the first of which also without its optional sources. `as_of` is the date of all of them;
    by default, each has its own. Raises DefinitionError for a corpus function that is wrong,
    MartsError for a check of a source that no rows fulfil.
    """
    generator = Generator(builder)
    own = (_declared(generator, each, as_of) for each in declared if isinstance(each, Corpus))
    first, *others = generator.worlds(as_of or AS_OF)
    return (*own, first, *others, *_without_optional(builder.graph, first))


def _without_optional(graph: Graph, world: World) -> Iterator[World]:
    """Yield a world without each set of optional sources that may be absent."""
    sources = graph.project.sources.values()
    for absent in absences([each.name for each in sources if each.optional]):
        if absent:
            tables = {name: each for name, each in world.tables.items() if name not in absent}
            yield World(tables, world.as_of, f"{world.origin} {absence(absent)}", absent)


def _declared(generator: Generator, corpus: Corpus, as_of: datetime.date | None) -> World:
    """Return the world of a corpus function, with generic rows of sources that it leaves out."""
    day = as_of or corpus.as_of or AS_OF
    given = _given(generator.graph, corpus, day)
    tables = generator.tables(generator.blueprint(day), day, given=given)
    return World(tables, day, f"corpus {corpus.name}")


def called(declared: ForProof, what: str, graph: Graph, as_of: datetime.date) -> Any:
    """Call a function that is declared for proofs with the thresholds and the date it asks for.

    Raises DefinitionError for whatever it raises, with the line within it.
    """
    named: dict[str, Thresholds | datetime.date] = {AS_OF_PARAMETER: as_of}
    if THRESHOLDS in declared.parameters:
        named[THRESHOLDS] = thresholds_of(graph, as_of)
    try:
        return declared.function(*(named[name] for name in declared.parameters))
    except MartsError:
        raise
    except Exception as error:  # whatever the author's code raises, with the cause chained
        raise DefinitionError(
            f"{what} failed",
            f"{type(error).__name__}: {error}".removesuffix(": "),
            line_within(declared.function, error) or declared.location,
        ) from error


def _given(graph: Graph, corpus: Corpus, as_of: datetime.date) -> dict[str, pa.Table | None]:
    """Return the tables that a corpus function gives, None for a source that is absent."""
    sources, what = graph.project.sources, f"the corpus {corpus.name}"
    found = called(corpus, what, graph, as_of)
    if not isinstance(found, Mapping):
        raise DefinitionError(
            f"{what} returns {type(found).__name__}, not the rows of sources by name",
            corpus.location,
            hint=f'return {{"{next(iter(sources), "orders")}": pyarrow.table(…)}}',
        )
    for name in found:
        if name not in sources:
            raise DefinitionError(
                f"{what} gives rows of {name}, which is not a source",
                corpus.location,
                hint=did_you_mean(str(name), sources) or f"the sources are: {', '.join(sources)}",
            )
    return {name: _table(rows, sources[name], corpus) for name, rows in found.items()}


def _table(rows: Any, source: Source, corpus: Corpus) -> pa.Table | None:
    """Return given rows as a table of the contract's types."""
    what = f"the corpus {corpus.name}"
    if rows is None:
        if not source.optional:
            raise DefinitionError(
                f"{what} leaves out {source.name}, which is not optional",
                corpus.location,
                hint=f"give its rows, or remove {source.name} to have generic ones",
            )
        return None
    schema = schema_of(source.columns).to_pyarrow()
    try:
        if not isinstance(rows, pa.Table):
            return pa.Table.from_pylist(list(rows), schema)
        return rows.select(schema.names).cast(schema)
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DefinitionError(
            f"{what} gives rows of {source.name} that do not fit its contract",
            str(error).partition("\n")[0],
            corpus.location,
            hint=f"give a pyarrow.Table, or a list of dicts, with {', '.join(schema.names)}",
        ) from error
