"""Acknowledged warnings: add those in the settings, and refuse those that no check can give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from marts.core.analysis.reliance import Reliance
from marts.core.analysis.reliance_checks import derived_checks
from marts.core.authoring.checks import Check
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.authoring.tolerance import Acknowledgement, acknowledgement_flaws
from marts.core.errors import DefinitionError, UsageError, did_you_mean
from marts.core.project.graph import Graph


def with_acknowledged(
    graph: Graph, entries: Iterable[tuple[str, Acknowledgement]], location: str
) -> Graph:
    """Return the graph with the acknowledgements of the settings added to its tables.

    Raises UsageError for a table that does not exist.
    """
    project = graph.project
    sources, marts = dict(project.sources), dict(project.marts)
    for name, known in entries:
        if name in sources:
            sources[name] = replace(
                sources[name], acknowledged=(*sources[name].acknowledged, known)
            )
        elif name in marts:
            marts[name] = replace(marts[name], acknowledged=(*marts[name].acknowledged, known))
        else:
            raise UsageError(
                f"an acknowledgement in {location} names {name},"
                " which is neither a source nor a mart",
                hint=did_you_mean(name, [*sources, *marts]),
            )
    return replace(graph, project=replace(project, sources=sources, marts=marts))


def refuse_wrong_acknowledgements(
    graph: Graph,
    reliance: Reliance,
    *,
    entries: Iterable[tuple[str, Acknowledgement]],
    location: str,
) -> None:
    """Raise DefinitionError for an acknowledgement of an unknown check, or of an error.

    The `entries` are those of the settings, whose `location` is named with theirs.
    """
    in_settings = {known for _, known in entries}
    tables: list[Source | Mart] = [*graph.project.sources.values(), *graph.project.marts.values()]
    known = {table.name: {check.name for check in checks_of(table)} for table in tables}
    is_derived = any(
        a.check not in known[table.name] for table in tables for a in table.acknowledged
    )
    derived = derived_checks(graph, reliance) if is_derived else {}
    for table in tables:
        checks = [*checks_of(table), *derived.get(table.name, ())]
        for declared_in, several in (
            (table.location, [a for a in table.acknowledged if a not in in_settings]),
            (location, [a for a in table.acknowledged if a in in_settings]),
        ):
            if found := [*acknowledgement_flaws(several), *_flaws(several, checks)]:
                raise DefinitionError(
                    f"{table.name}: its warnings are acknowledged wrongly", *found, declared_in
                )


def _flaws(acknowledged: Iterable[Acknowledgement], checks: Iterable[Check]) -> Iterator[str]:
    by_name = {check.name: check for check in checks}
    for known in acknowledged:
        if known.check not in by_name:
            guess = did_you_mean(known.check, by_name)
            yield f"it has no check {known.check}" + (f"; {guess}" if guess else "")
        elif by_name[known.check].severity == "error":
            yield f"{known.check} is an error: only a warning can be acknowledged"
