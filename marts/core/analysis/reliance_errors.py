"""Errors in what marts rely on that are found without data, when a project is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from marts.core.analysis.dependencies import Key
from marts.core.analysis.reliance import (
    ManyToManyJoin,
    Reliance,
    SelfComparison,
    UndeclaredConstant,
)
from marts.core.analysis.reliance_reader import reliance_of
from marts.core.analysis.trace import Trace
from marts.core.authoring.checks import FreshCheck
from marts.core.authoring.columns import zones_of
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.project.graph import Graph

UTC = ("UTC", "Etc/UTC")


def relied_on(graph: Graph) -> Reliance:
    """Read what the marts of a project rely on, and refuse what is certainly wrong.

    Raises DefinitionError, with the author's line, for a comparison with a constant that is not
    among a column's declared values, for a many-to-many join without a reason, for a join whose
    condition compares a column with itself, and for a mart whose age would be that of local times.
    """
    reliance = reliance_of(graph)
    _refuse_local_times(graph, reliance)
    if any(_flaws(graph, reliance)):
        # Tracing is slow, so marts are traced only if an error needs the author's line.
        with Trace() as trace:
            traced = reliance_of(graph)
        for flaw in _flaws(graph, traced):
            raise _error(
                flaw, trace.locations.get(flaw.op, graph.project.marts[flaw.mart].location)
            )
    return reliance


def _refuse_local_times(graph: Graph, reliance: Reliance) -> None:
    """Refuse to take a source's local times, which a mart copies, for UTC."""
    pairs = [(mart, check) for mart in graph.project.marts.values() for check in mart.checks]
    for mart, check in pairs:
        if not isinstance(check, FreshCheck):
            continue
        table, name = reliance.copies.get((mart.name, check.column), ("", ""))
        source = graph.project.sources.get(table)
        zone = zones_of(source.columns).get(name) if source else None
        if zone not in (None, *UTC):
            raise DefinitionError(
                f"check {check.name} of {mart.name}: {check.column} is the local time of {zone},"
                f" as in {table}.{name}, and a mart's timestamps count as UTC",
                mart.location,
                hint=f'check the source: fresh(hours={check.hours:g}, by="{name}") of {table}',
            )


Flaw: TypeAlias = UndeclaredConstant | SelfComparison | ManyToManyJoin


def _flaws(graph: Graph, reliance: Reliance) -> Iterator[Flaw]:
    for name, relied in reliance.by_mart.items():
        yield from relied.undeclared_constants
        yield from relied.self_comparisons
        if not graph.project.marts[name].many_to_many:
            yield from relied.many_to_many_joins


def _error(flaw: Flaw, location: str) -> DefinitionError:
    match flaw:
        case UndeclaredConstant():
            return _undeclared_constant_error(flaw, location)
        case SelfComparison():
            return _self_comparison_error(flaw, location)
        case ManyToManyJoin():
            return _many_to_many_error(flaw, location)


def _undeclared_constant_error(unknown: UndeclaredConstant, location: str) -> DefinitionError:
    columns = " and ".join(f"{table}.{column}" for table, column in unknown.columns)
    return DefinitionError(
        f"mart {unknown.mart} compares {columns} with {unknown.text!r},"
        " which is not among its declared values",
        f"declared: {', '.join(map(repr, unknown.values))}",
        location,
        hint=did_you_mean(unknown.text, unknown.values)
        or f"add {unknown.text!r} to values=[…] of {columns}, or leave the comparison out",
    )


def _self_comparison_error(found: SelfComparison, location: str) -> DefinitionError:
    column = found.column
    return DefinitionError(
        f"mart {found.mart} joins {found.left} and {found.right} where {column} equals itself,"
        " which is true of any two rows",
        f"Ibis takes the expression that {column} is computed from for {column} itself",
        location,
        hint=f"join a view of the table with {column}: other = other.view(), then other.{column}",
    )


def _many_to_many_error(join: ManyToManyJoin, location: str) -> DefinitionError:
    by = f"by {', '.join(join.columns)}" if join.columns else "without equal columns"
    return DefinitionError(
        f"mart {join.mart} joins {join.left} and {join.right} {by},"
        " and neither side is known to have one row for each",
        *(f"keys of {side}: {words}" for side, words in _keys_in_words(join)),
        location,
        hint="declare the key (unique=True, or unique(…) among the checks), aggregate one side"
        ' first, or say why rows may multiply: @mart(many_to_many="…"); see `marts help marts`',
    )


def _keys_in_words(join: ManyToManyJoin) -> Iterator[tuple[str, str]]:
    for side, keys in ((join.left, join.left_keys), (join.right, join.right_keys)):
        yield side, "; ".join(sorted(map(_key, keys))) or "none known"


def _key(key: Key) -> str:
    return ", ".join(sorted(key)) or "it has one row"
