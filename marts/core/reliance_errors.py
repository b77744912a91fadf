"""Errors of what marts rely on that show without data, when a project is loaded."""

from __future__ import annotations

from collections.abc import Iterator

import ibis.expr.operations as ops

from marts.core.errors import DefinitionError, did_you_mean
from marts.core.graph import Graph
from marts.core.keys import Key
from marts.core.lint import Trace
from marts.core.model import FixedAsOf, Mart
from marts.core.plan import declared_facts, defining_query, logical_tables
from marts.core.reliance import ANY_DAY, Product, Reliance, Unknown, reliance_of


def relied_on(graph: Graph) -> Reliance:
    """Read what the marts of a project rely on, and refuse what shows already that it fails.

    Raises DefinitionError, with the author's line, for a comparison with a constant that is not
    among a column's declared values, and for a join that no key makes single.
    """
    reliance = reliance_of(graph)
    for name, relied in reliance.by_mart.items():
        mart = graph.project.marts[name]
        for unknown in relied.unknown:
            raise _unknown_error(unknown, _place(graph, mart, unknown.at))
        if not mart.many_to_many:
            for product in relied.products:
                raise _product_error(product, _place(graph, mart, product.at))
    return reliance


def _unknown_error(unknown: Unknown, place: str) -> DefinitionError:
    columns = " and ".join(f"{table}.{column}" for table, column in unknown.columns)
    return DefinitionError(
        f"mart {unknown.mart} compares {columns} with {unknown.text!r},"
        " which is not among its declared values",
        f"declared: {', '.join(map(repr, unknown.values))}",
        place,
        hint=did_you_mean(unknown.text, unknown.values)
        or f"add {unknown.text!r} to values=[…] of {columns}, or leave the comparison out",
    )


def _product_error(product: Product, place: str) -> DefinitionError:
    by = f"by {', '.join(product.columns)}" if product.columns else "without equal columns"
    return DefinitionError(
        f"mart {product.mart} joins {product.left} and {product.right} {by},"
        " and neither side is known to have one row for each",
        *(f"keys of {side}: {words}" for side, words in _keys_in_words(product)),
        place,
        hint="declare the key (unique=True, or unique(…) among the checks), aggregate one side"
        ' first, or say why rows may multiply: @mart(many_to_many="…")',
    )


def _keys_in_words(product: Product) -> Iterator[tuple[str, str]]:
    for side, keys in ((product.left, product.left_keys), (product.right, product.right_keys)):
        yield side, "; ".join(sorted(map(_key, keys))) or "none known"


def _key(key: Key) -> str:
    return ", ".join(sorted(key)) or "it has one row"


def _place(graph: Graph, mart: Mart, op: ops.Node) -> str:
    """Return the author's line where an expression was built; that of the mart, where unknown."""
    project = graph.project
    tables = logical_tables(project, declared_facts(project, sources=project.sources))
    with Trace() as trace:
        defining_query(mart, tables, FixedAsOf(ANY_DAY))
    return trace.places.get(op, mart.place)
