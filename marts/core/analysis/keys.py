"""Keys: the columns that together name a row, declared for tables and derived for their queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.constants import constants_in, keys_of_rows, written_rows
from marts.core.analysis.lineage import expanded, resolved_operation
from marts.core.authoring.checks import UniqueCheck
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Project

Key = frozenset[str]
Keys = Mapping[str, frozenset[Key]]
"""The keys of each table, by its name."""

ROW_BY_ROW = (
    ops.Project,
    ops.DropColumns,
    ops.Filter,
    ops.Sort,
    ops.Limit,
    ops.Sample,
    ops.DropNull,
    ops.FillNull,
    ops.Reference,
)
"""The relations each of whose rows is one of their parent's."""

ONE_ROW: Key = frozenset()
"""The key of a relation that has one row at the most."""


def declared_keys(project: Project) -> Keys:
    """Return the keys that each source and mart declares: its grain and its unique columns."""
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    return DeclaredKeys(
        {table.name: frozenset(_declared(table)) for table in tables},
        {table.name: tuple(c for c in _enforced(table) if c.where is not None) for table in tables},
    )


class DeclaredKeys(dict[str, frozenset[Key]]):
    """The keys of tables, and beside them those that name a row of some of their rows alone."""

    def __init__(self, keys: Keys, conditional: Mapping[str, tuple[UniqueCheck, ...]]) -> None:
        super().__init__(keys)
        self.conditional = conditional


def _declared(table: Source | Mart) -> Iterator[Key]:
    if table.grain:
        yield frozenset(table.grain)
    yield from (frozenset({column.name}) for column in table.columns if column.unique)
    yield from (frozenset(check.columns) for check in _enforced(table) if check.where is None)


def _enforced(table: Source | Mart) -> Iterator[UniqueCheck]:
    """Yield the declared uniqueness that no run publishes without."""
    for check in table.checks:
        if isinstance(check, UniqueCheck) and check.severity == "error" and not check.threshold:
            yield check


def keys_of(rel: ops.Relation, known: Keys) -> frozenset[Key]:
    """Return the column sets that name a row of a relation; none where that is unknown."""
    for kinds, keys in KEYS:
        if isinstance(rel, kinds):
            return frozenset(keys(rel, known))
    return frozenset()


def _keys_of_a_set(rel: ops.Set, known: Keys) -> frozenset[Key]:
    whole = frozenset({frozenset(rel.schema.names)} if rel.distinct else ())
    if not isinstance(rel, ops.Union):
        return whole | keys_of(rel.left, known)
    rows = written_rows(rel)
    return whole | frozenset(keys_of_rows(rows) if rows is not None else _discriminated(rel, known))


def _discriminated(rel: ops.Union, known: Keys) -> Iterator[Key]:
    """Yield the keys of a union whose parts bear different constants in some column."""
    for name in rel.schema.names:
        left, right = (constants_in(side, name) for side in (rel.left, rel.right))
        if left is not None and right is not None and not left & right:
            for one in keys_of(rel.left, known):
                yield from (one | other | {name} for other in keys_of(rel.right, known))


def _unfilled(rel: ops.FillNull, known: Keys) -> Iterator[Key]:
    return (key for key in keys_of(rel.parent, known) if not key & _filled(rel).keys())


def _filled(rel: ops.FillNull) -> Mapping[str, object]:
    not_null = rel.replacements
    return not_null if isinstance(not_null, Mapping) else dict.fromkeys(rel.schema.names)


def _projected(rel: ops.Relation, known: Keys) -> Iterator[Key]:
    """Yield the keys of a projection: those that it keeps, and those that it counts out."""
    values = rel.values.items()
    if _unnests(rel):
        return
    if isinstance(rel, ops.DummyTable):
        yield ONE_ROW
        return
    if isinstance(rel.parent, ops.JoinChain):
        yield from _coalesced(rel.parent, rel.values, known)
    names = {field.name: name for name, value in values if (field := injective_column(value))}
    for key in keys_of(rel.parent, known):
        if key <= names.keys():
            yield frozenset(names[column] for column in key)
    for name, value in values:
        partition = _row_number_partition(value)
        if partition is not None and partition <= names.keys():
            yield frozenset({name, *(names[column] for column in partition)})


def _unnests(rel: ops.Relation) -> bool:
    return any(value.find(ops.Unnest, filter=ops.Value) for value in rel.values.values())


def injective_column(value: ops.Value) -> ops.Field | None:
    """Return the column whose different values a value keeps apart, None where there is none."""
    match value:
        case ops.Field():
            return value
        case ops.Alias():
            return injective_column(value.arg)
        case ops.Cast(arg=arg, to=to) if _is_injective_cast(arg.dtype, to):
            return injective_column(arg)
        case _:
            return None


def _is_injective_cast(found: dt.DataType, to: dt.DataType) -> bool:
    if type(found) is type(to):
        digits = getattr(found, "scale", None), getattr(to, "scale", None)
        return digits[0] == digits[1] or (isinstance(to, dt.Timestamp) and digits[1] is None)
    return bool(
        found.is_integer() and (to.is_integer() or to.is_decimal() or to.is_string())
    ) or bool(found.is_date() and (to.is_timestamp() or to.is_string()))


def _row_number_partition(value: ops.Value) -> frozenset[str] | None:
    """Return the columns within whose values each row has another number, None for no number."""
    match value:
        case (
            ops.Add(left=number, right=ops.Literal())
            | ops.Subtract(left=number, right=ops.Literal())
        ):
            return _row_number_partition(number)
        case ops.Cast(arg=number, to=to) if to.is_integer():
            return _row_number_partition(number)
        case ops.WindowFunction(func=ops.RowNumber()):
            fields = [injective_column(each) for each in value.group_by]
            return None if None in fields else frozenset(f.name for f in fields if f)
        case _:
            return None


# Filters


def predicates_of(rel: ops.Filter) -> Iterator[ops.Value]:
    """Yield the conditions that all hold for each row of a filter."""
    for predicate in rel.predicates:
        yield from _conjuncts(predicate)


def _conjuncts(op: ops.Value) -> Iterator[ops.Value]:
    if isinstance(op, ops.And):
        yield from _conjuncts(op.left)
        yield from _conjuncts(op.right)
    else:
        yield op


def _of_filter(rel: ops.Filter, known: Keys) -> set[Key]:
    keys = {*keys_of(rel.parent, known), *_conditional_keys(rel, known)}
    for predicate in predicates_of(rel):
        numbered = _first_of_each(predicate)
        if numbered is not None:
            keys.add(numbered)
        for column, by in _functional_dependencies(predicate):
            keys |= {(key - {column}) | by for key in keys if column in key}
    return keys


def _first_of_each(predicate: ops.Value) -> Key | None:
    """Return the columns of which a condition on a row's number leaves one row for each value."""
    match predicate:
        case (
            ops.Equals(left=number, right=ops.Literal())
            | ops.Equals(left=ops.Literal(), right=number)
        ):
            return _row_number_partition(number)
        case (
            ops.Less(left=number, right=ops.Literal(value=1))
            | ops.LessEqual(left=number, right=ops.Literal(value=0))
        ) if isinstance(resolved_operation(number), ops.RowNumber):
            return _row_number_partition(number)
        case _:
            return None


def _functional_dependencies(predicate: ops.Value) -> Iterator[tuple[str, Key]]:
    """Yield each column that a condition leaves one value, for each value of the columns beside."""
    match predicate:
        case ops.Field() | ops.Not(arg=ops.Field()):
            field = predicate if isinstance(predicate, ops.Field) else predicate.arg
            yield field.name, frozenset()
        case ops.InValues(value=ops.Field() as field, options=(_,)):
            yield field.name, frozenset()
        case ops.Equals() | ops.IdenticalTo():
            for one, other in [
                (predicate.left, predicate.right),
                (predicate.right, predicate.left),
            ]:
                field, by = injective_column(one), _determinants(other)
                if field is not None and by is not None:
                    yield field.name, by
        case (
            ops.Less(left=ops.Field() as field, right=ops.Literal(value=1))
            | ops.LessEqual(left=ops.Field() as field, right=ops.Literal(value=0))
        ) if isinstance(resolved_operation(field), ops.RowNumber):
            yield field.name, frozenset()


def _determinants(value: ops.Value) -> Key | None:
    """Return the columns that decide a value; None where rows that are alike may differ."""
    if value.find(ops.Impure, filter=ops.Value):
        return None
    if isinstance(value, ops.WindowFunction):
        fields = [injective_column(each) for each in value.group_by]
        ordered = value.order_by or value.start is not None or value.end is not None
        if ordered or not isinstance(value.func, ops.Reduction) or None in fields:
            return None
        return frozenset(field.name for field in fields if field)
    if value.find(ops.WindowFunction, filter=ops.Value):
        return None
    return frozenset(field.name for field in value.find(ops.Field, filter=ops.Value))


def _conditional_keys(rel: ops.Filter, known: Keys) -> Iterator[Key]:
    """Yield the keys that are declared for the rows for which the filter's conditions hold."""
    some = getattr(known, "of_some_rows", {})
    columns = {name: resolved_operation(ops.Field(rel, name)) for name in rel.schema.names}
    tables = {op.rel for op in columns.values() if isinstance(op, ops.Field)}
    for table in tables:
        if not isinstance(table, ops.PhysicalTable) or not some.get(table.name):
            continue
        names = {op.name: n for n, op in columns.items() if getattr(op, "rel", None) == table}
        if table not in _whole_tables(rel):
            continue
        holds = {expanded(each) for each in _all_predicates(rel)}
        for check in some[table.name]:
            condition = _condition(check, table)
            if set(check.columns) <= names.keys() and condition and condition <= holds:
                yield frozenset(names[column] for column in check.columns)


def _condition(check: UniqueCheck, table: ops.Relation) -> set[ops.Value]:
    try:
        found = check.where(table.to_expr()) if check.where else None
    except Exception:  # noqa: BLE001  (an author's slip, which the check itself reports)
        return set()
    return set(_conjuncts(found.op())) if isinstance(found, ir.Value) else set()


def _whole_tables(rel: ops.Relation) -> Iterator[ops.Relation]:
    """Yield the table of which a relation has each row once at the most."""
    while isinstance(rel, ROW_BY_ROW) and not _unnests(rel):
        rel = rel.parent
    yield rel


def _all_predicates(rel: ops.Relation) -> Iterator[ops.Value]:
    while isinstance(rel, ROW_BY_ROW):
        if isinstance(rel, ops.Filter):
            yield from predicates_of(rel)
        rel = rel.parent


# Joins

Column = tuple[ops.Relation | None, str]


@dataclass(frozen=True)
class JoinCardinality:
    """One link of a chain of joins: how many rows of one side a row of the other may meet.

    `matched` are the pairs of columns, left and right, that are equal where two rows meet.
    """

    link: ops.JoinLink
    matched: tuple[tuple[Column, Column], ...]
    left_is_unique: bool
    right_is_unique: bool

    @property
    def multiplies(self) -> bool:
        """Tell whether a row of either side may meet several of the other's."""
        return self.link.how not in ("semi", "anti") and not (
            self.left_is_unique or self.right_is_unique
        )


def join_cardinalities(chain: ops.JoinChain, known: Keys) -> tuple[JoinCardinality, ...]:
    """Return the links of a chain of joins, in order."""
    return tuple(cardinality for cardinality, _ in _walk(chain, known))


def _chained(chain: ops.JoinChain, known: Keys) -> frozenset[Key]:
    """Return the keys of a join: of one side where each of its rows meets one of the other's."""
    keys = [keys for _, keys in _walk(chain, known)][-1]
    alike = _alike(cardinality for cardinality, _ in _walk(chain, known))
    names: dict[Column, str] = {}
    for name, value in chain.values.items():
        field = injective_column(value)
        if field is not None:
            for column in alike.get((field.rel, field.name), {(field.rel, field.name)}):
                names.setdefault(column, name)
            names[field.rel, field.name] = name
    kept = (key for key in keys if key <= names.keys())
    found = frozenset(frozenset(names[column] for column in key) for key in kept)
    return found | {*_coalesced(chain, chain.values, known)}


def _coalesced(chain: ops.JoinChain, values: Mapping[str, ops.Value], known: Keys) -> Iterator[Key]:
    """Yield the key of an outer join of one row with one, whichever side has it."""
    if [link.how for link in chain.rest] != ["outer"]:
        return
    (cardinality,) = join_cardinalities(chain, known)
    names = {}
    for name, value in values.items():
        if isinstance(value, ops.Coalesce):
            sides = [injective_column(_within(chain, each)) for each in value.arg]
            names[frozenset((side.rel, side.name) for side in sides if side)] = name
    pairs = [frozenset(pair) for pair in cardinality.matched]
    if cardinality.left_is_unique and cardinality.right_is_unique and names.keys() >= {*pairs}:
        yield frozenset(names[pair] for pair in pairs)


def _within(chain: ops.JoinChain, value: ops.Value) -> ops.Value:
    is_its_own = isinstance(value, ops.Field) and value.rel == chain
    return chain.values[value.name] if is_its_own else value


def _alike(join_cardinalities: Iterable[JoinCardinality]) -> dict[Column, set[Column]]:
    """Return for each column those that hold the same where neither is null."""
    classes: dict[Column, set[Column]] = {}
    for cardinality in join_cardinalities:
        if cardinality.link.how in ("inner", "left", "any_inner", "any_left", "asof"):
            for pair in cardinality.matched:
                merged = set[Column]().union(*(classes.get(each, {each}) for each in pair))
                classes |= dict.fromkeys(merged, merged)
    return classes


def _walk(
    chain: ops.JoinChain, known: Keys
) -> Iterator[tuple[JoinCardinality, frozenset[frozenset[Column]]]]:
    """Yield each link of a chain, and the keys of what is joined so far."""

    def of(table: ops.Relation) -> set[frozenset[Column]]:
        return {frozenset((table, column) for column in key) for key in keys_of(table, known)}

    keys, done = of(chain.first), list[JoinCardinality]()
    for link in chain.rest:
        pairs = tuple(_matched(link))
        alike = _alike(done)
        left = set[Column]().union(*(alike.get(one, {one}) for one, _ in pairs))
        right = {other for _, other in pairs}
        added = of(link.table)
        left_is_unique = any(key <= left for key in keys)
        met = {frozenset((link.table, column) for column in key) for key in _met(link, known)}
        right_is_unique = any(key <= right for key in added | met) or link.how in AT_MOST_ONE_RIGHT
        cardinality = JoinCardinality(link, pairs, left_is_unique, right_is_unique)
        done.append(cardinality)
        keys = _joined(cardinality, keys, added)
        yield cardinality, frozenset(keys)


def _met(link: ops.JoinLink, known: Keys) -> frozenset[Key]:
    """Return the keys of the rows of a link's table for which its conditions on them alone hold."""
    own = [
        each
        for predicate in link.predicates
        for each in _conjuncts(predicate)
        if _tables(each) == {link.table}
    ]
    return keys_of(ops.Filter(link.table, own), known) if own else frozenset()


AT_MOST_ONE_RIGHT = ("asof", "any_inner", "any_left", "positional")
"""The joins of which each row of the left side meets one of the right's at the most."""


def _joined(
    cardinality: JoinCardinality, keys: set[frozenset[Column]], added: set[frozenset[Column]]
) -> set[frozenset[Column]]:
    how = cardinality.link.how
    if how in ("semi", "anti"):
        return keys
    stays_left = cardinality.right_is_unique and how in (
        "inner",
        "left",
        "cross",
        *AT_MOST_ONE_RIGHT,
    )
    stays_right = cardinality.left_is_unique and how in ("inner", "right", "cross")
    if stays_left or stays_right:
        return (keys if stays_left else set()) | (added if stays_right else set())
    # What a row matches by is known of the other side's row, which its key names.
    left, right = ({pair[side] for pair in cardinality.matched} for side in (0, 1))
    pairs = [(key, other) for key in keys for other in added]
    found = {key | other for key, other in pairs}
    if how in ("inner", "left"):
        found |= {key | (other - right) for key, other in pairs}
    if how in ("inner", "right"):
        found |= {(key - left) | other for key, other in pairs}
    return found


def _matched(link: ops.JoinLink) -> Iterator[tuple[Column, Column]]:
    """Yield the columns, left and right, that a link's equalities match.

    What is computed stands for itself, and no key contains it.
    """
    for predicate in link.predicates:
        for each in _conjuncts(predicate):
            if not isinstance(each, ops.Equals):
                continue
            for one, other in [(each.left, each.right), (each.right, each.left)]:
                if _tables(other) == {link.table} and link.table not in _tables(one):
                    yield _column(one), _column(other)


def _tables(value: ops.Value) -> set[ops.Relation]:
    return {field.rel for field in value.find(ops.Field, filter=ops.Value)}


def _column(value: ops.Value) -> Column:
    field = injective_column(value)
    if field is not None:
        return field.rel, field.name
    return next(iter(_tables(value)), None), "(computed)"


KEYS: tuple[
    tuple[
        type[ops.Relation] | tuple[type[ops.Relation], ...], Callable[[Any, Keys], Iterable[Key]]
    ],
    ...,
] = (
    (ops.AliasedRelation, lambda rel, known: keys_of(rel.parent, known)),
    (ops.PhysicalTable, lambda rel, known: known.get(rel.name, ())),
    (ops.Aggregate, lambda rel, _: [frozenset(rel.groups)]),
    (
        ops.Distinct,
        lambda rel, known: keys_of(rel.parent, known) | {frozenset(rel.schema.names)},
    ),
    (ops.Set, _keys_of_a_set),
    (ops.JoinChain, _chained),
    ((ops.Project, ops.DropColumns, ops.DummyTable), _projected),
    (ops.Filter, _of_filter),
    (ops.Limit, lambda rel, known: [ONE_ROW] if rel.n == 1 else keys_of(rel.parent, known)),
    (ops.FillNull, _unfilled),
    (ROW_BY_ROW, lambda rel, known: keys_of(rel.parent, known)),
)
"""How the keys of each kind of relation are found; the first that fits counts."""
