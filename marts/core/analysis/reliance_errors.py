"""Errors of what marts rely on that show without data, when a project is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from marts.core.analysis.keys import Key
from marts.core.analysis.reliance import (
    ManyToManyJoin,
    Reliance,
    SelfComparison,
    UndeclaredConstant,
    reliance_of,
)
from marts.core.analysis.trace import Trace
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.project.graph import Graph


def relied_on(graph: Graph) -> Reliance:
    """Read what the marts of a project rely on, and refuse what shows already that it fails.

    Raises DefinitionError, with the author's line, for a comparison with a constant that is not
    among a column's declared values, for a join that no key makes single, and for one whose
    condition compares a column with itself.
    """
    reliance = reliance_of(graph)
    if any(_amiss(graph, reliance)):
        # Once more, now that somebody needs to know where.
        with Trace() as trace:
            traced = reliance_of(graph)
        for found in _amiss(graph, traced):
            location = trace.locations.get(found.at, graph.project.marts[found.mart].location)
            if isinstance(found, UndeclaredConstant):
                raise _unknown_error(found, location)
            if isinstance(found, SelfComparison):
                raise _self_match_error(found, location)
            raise _product_error(found, location)
    return reliance


def _amiss(
    graph: Graph, reliance: Reliance
) -> Iterator[UndeclaredConstant | SelfComparison | ManyToManyJoin]:
    for name, relied in reliance.by_mart.items():
        yield from relied.unknown
        yield from relied.self_comparisons
        if not graph.project.marts[name].many_to_many:
            yield from relied.many_to_many_joins


def _unknown_error(unknown: UndeclaredConstant, location: str) -> DefinitionError:
    columns = " and ".join(f"{table}.{column}" for table, column in unknown.columns)
    return DefinitionError(
        f"mart {unknown.mart} compares {columns} with {unknown.text!r},"
        " which is not among its declared values",
        f"declared: {', '.join(map(repr, unknown.values))}",
        location,
        hint=did_you_mean(unknown.text, unknown.values)
        or f"add {unknown.text!r} to values=[…] of {columns}, or leave the comparison out",
    )


def _self_match_error(found: SelfComparison, location: str) -> DefinitionError:
    column = found.column
    return DefinitionError(
        f"mart {found.mart} joins {found.left} and {found.right} where {column} equals itself,"
        " which says nothing of two rows",
        f"Ibis takes the expression of which {column} was computed for {column}",
        location,
        hint=f"join a view of what has {column}: other = other.view(), then other.{column}",
    )


def _product_error(product: ManyToManyJoin, location: str) -> DefinitionError:
    by = f"by {', '.join(product.columns)}" if product.columns else "without equal columns"
    return DefinitionError(
        f"mart {product.mart} joins {product.left} and {product.right} {by},"
        " and neither side is known to have one row for each",
        *(f"keys of {side}: {words}" for side, words in _keys_in_words(product)),
        location,
        hint="declare the key (unique=True, or unique(…) among the checks), aggregate one side"
        ' first, or say why rows may multiply: @mart(many_to_many="…")',
    )


def _keys_in_words(product: ManyToManyJoin) -> Iterator[tuple[str, str]]:
    for side, keys in ((product.left, product.left_keys), (product.right, product.right_keys)):
        yield side, "; ".join(sorted(map(_key, keys))) or "none known"


def _key(key: Key) -> str:
    return ", ".join(sorted(key)) or "it has one row"
