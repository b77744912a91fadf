"""What is known of the values of a query: which copy others, and which are columns of its own."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.casts import keeps_values
from marts.core.analysis.nodes import conjuncts
from marts.core.analysis.precision import precision_and_scale
from marts.core.query.nulls import NotNull

Path = tuple[ops.Node, ...]
"""Where in a query a value is: the joined tables, aggregates and subqueries around it.

The same operation below two of them has another value for each.
"""
Key = tuple[ops.Value, Path]


def step(op: ops.Value, path: Path) -> Key | None:
    """Return the value that a value copies, and where it is; None for one that is computed."""
    if isinstance(op, ops.Alias) or (isinstance(op, ops.Cast) and is_technical(op)):
        return op.arg, path
    return _step_of_field(op, path) if isinstance(op, ops.Field) else None


def _step_of_field(field: ops.Field, path: Path) -> Key | None:
    rel, name = field.rel, field.name
    below: Key | None = None
    if isinstance(rel, ops.JoinReference | ops.SelfReference):
        below = ops.Field(rel.parent, name), (*path, rel)
    elif isinstance(rel, ops.AliasedRelation):
        below = ops.Field(rel.parent, name), path
    elif isinstance(rel, ops.FillNull):
        below = filled(rel, name), path
    elif name in rel.values:
        below = rel.values[name], (*path, rel) if isinstance(rel, ops.Aggregate) else path
    return below


def place_in(relations: Iterable[ops.Node]) -> Path:
    """Return where a value is that is read below some relations, from the query down."""
    around = (ops.JoinReference, ops.SelfReference, ops.Aggregate)
    return tuple(each for each in relations if isinstance(each, around))


def end_of(op: ops.Value, path: Path) -> Key:
    """Return the operation that computes a value in the end, and where it is."""
    key = (op, path)
    while below := step(*key):
        key = below
    return key


def is_of_table(op: ops.Value) -> bool:
    """Tell whether a value is a column of a table that the query reads."""
    return isinstance(op, ops.Field) and isinstance(op.rel, ops.PhysicalTable)


def filled(rel: ops.FillNull, name: str) -> ops.Value:
    """Return a column of a table in which nulls are replaced, over the table below."""
    given, column = rel.replacements, ops.Field(rel.parent, name)
    value = given.get(name) if isinstance(given, Mapping) else given
    if value is None or not (isinstance(given, Mapping) or column.dtype.nullable):
        return column
    filled = value if isinstance(value, ops.Value) else ops.Literal(value, column.dtype)
    return ops.Coalesce((column, filled))


def is_technical(cast: ops.Cast) -> bool:
    """Tell whether a cast changes no value that a reader could see."""
    found, to = cast.arg.dtype, cast.to
    if found.is_decimal() and to.is_decimal():
        return not _is_rounded(cast.arg, to.scale)
    if found.is_null() or keeps_values(found, to):
        return True
    if to.is_date() and found.is_timestamp():
        core, _ = end_of(cast.arg, ())
        return isinstance(core, ops.TimestampTruncate) and core.unit.name in DAYS
    if to.is_floating():
        return bool(found.is_numeric() and not found.is_boolean())
    if to.is_decimal() or to.is_integer():
        return bool(found.is_integer())
    return bool(found.is_date() and to.is_timestamp())


def tables_of(rel: ops.Relation) -> frozenset[str]:
    """Return the names of the tables that a relation is computed from."""
    tables = rel.find(ops.PhysicalTable)
    return frozenset(str(each.name) for each in tables if not isinstance(each, ops.AliasedRelation))


def chain(op: ops.Value) -> Iterator[tuple[Key, ops.Literal | None]]:
    """Yield the values that a column copies, and the default that it has in place of null."""
    key: Key | None = (op, ())
    default = None
    while key:
        filled = default_of(key[0])
        yield key, None if filled else default
        if filled:
            inner, default = filled
            key = (inner, key[1])
        else:
            key = step(*key)


def places_of(rel: ops.Relation, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the tables of which a relation has rows, each with the joins on the way to it."""
    if isinstance(rel, ops.PhysicalTable) and not isinstance(rel, ops.AliasedRelation):
        yield str(rel.name), path
    elif isinstance(rel, ops.JoinReference | ops.SelfReference):
        yield from places_of(rel.parent, (*path, rel))
    elif not isinstance(rel, ops.Aggregate):
        for below in rel.__children__:
            if isinstance(below, ops.JoinLink):
                yield from places_of(below.table, path)
            elif isinstance(below, ops.Relation):
                yield from places_of(below, (*path, below) if isinstance(rel, ops.Set) else path)


def branch_of(path: Path) -> Path:
    """Return the part of a union or the subquery that a place belongs to, as its path."""
    ends = [n + 1 for n, each in enumerate(path) if not isinstance(each, ops.Reference)]
    return path[: max(ends, default=0)]


def default_of(op: ops.Value) -> tuple[ops.Value, ops.Literal] | None:
    """Return a value and the constant that stands for null in it, if that is what it is."""
    match op:
        case ops.Coalesce(arg=(value, ops.Literal() as default)):
            return value, default
    return None


def not_zero(condition: ops.Value, path: Path) -> frozenset[Key]:
    """Return the values that are not 0 where a condition holds."""
    zero = ops.Literal(0, "int64")
    found = set()
    for each in conjuncts(condition):
        match each:
            case ops.Comparison(right=ops.Literal()) if not holds(each, zero):
                found.add(end_of(each.left, path))
    return frozenset(found)


def copied(op: ops.Value) -> Iterator[ops.Value]:
    """Yield a value, and the values that it copies."""
    key: Key | None = (op, ())
    while key:
        yield key[0]
        key = step(*key)


def is_metric(op: ops.Value) -> bool:
    """Tell whether a value is an aggregate, not a column by which rows are grouped."""
    return (
        isinstance(op, ops.Field)
        and isinstance(op.rel, ops.Aggregate)
        and (op.name in op.rel.metrics)
    )


def holds(op: ops.Comparison, left: ops.Literal) -> bool:
    """Tell whether a comparison with a constant holds for another constant; if unknown, it does."""
    compare = COMPARED.get(type(op))
    try:
        return compare is None or bool(compare(left.value, op.right.value))
    except TypeError:
        return True


COMPARED: Mapping[type[ops.Node], Callable[[Any, Any], object]] = {
    ops.Equals: operator.eq,
    ops.NotEquals: operator.ne,
    ops.Greater: operator.gt,
    ops.GreaterEqual: operator.ge,
    ops.Less: operator.lt,
    ops.LessEqual: operator.le,
}


def _is_rounded(op: ops.Value, scale: int | None) -> bool:
    """Tell whether a decimal has more digits than a scale; Ibis infers too few for products."""
    digits = precision_and_scale(op)
    return scale is not None and (digits[1] if digits else op.dtype.scale or 0) > scale


@dataclass(frozen=True)
class Own:
    """A column of the query itself; with a `default`, what it is where the value is null."""

    name: str
    default: ops.Literal | None = None


@dataclass(frozen=True)
class Context:
    """What is known of a whole query: its columns, the tables it reads, and its joins."""

    query: ops.Relation
    not_null: NotNull

    @cached_property
    def tables(self) -> frozenset[str]:
        """The names of the tables that it reads."""
        return tables_of(self.query)

    @cached_property
    def links(self) -> Mapping[ops.Relation, ops.JoinLink]:
        """The joined tables, without the first ones, each with its join."""
        return {link.table: link for link in self.query.find(ops.JoinLink)}

    @cached_property
    def unmatched(self) -> frozenset[ops.Relation]:
        """The joined tables of which a row may be missing."""
        found = set[ops.Relation]()
        for chain in self.query.find(ops.JoinChain):
            before = [chain.first]
            for link in chain.rest:
                found.update([link.table] if link.how in OUTER else [])
                found.update(before if link.how in ("right", "outer") else [])
                before.append(link.table)
        return frozenset(found)

    @cached_property
    def places(self) -> Mapping[str, tuple[Path, ...]]:
        """By table, where its rows are read, without those of aggregates."""
        found: dict[str, tuple[Path, ...]] = {}
        for name, path in places_of(self.query, ()):
            found[name] = (*found.get(name, ()), path)
        return found

    @cached_property
    def is_joined_with_itself(self) -> bool:
        """Tell whether a row of the query may be computed from several rows of a table."""
        places = ((name, branch_of(path)) for name, paths in self.places.items() for path in paths)
        return any(count > 1 for count in Counter(places).values())

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the columns of the query and of the tables that it reads."""
        read = self.query.find(ops.PhysicalTable)
        return frozenset(self.query.schema.names).union(*(each.schema.names for each in read))

    @cached_property
    def own(self) -> Mapping[Key, tuple[Own, ...]]:
        """The columns of the query by the values that they copy."""
        found: dict[Key, tuple[Own, ...]] = {}
        for name in self.query.schema.names:
            for key, default in chain(ops.Field(self.query, name)):
                if not isinstance(key[0], ops.Literal):
                    found[key] = (*found.get(key, ()), Own(name, default))
        return found


OUTER = ("left", "any_left", "outer", "asof")
DAYS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY")
