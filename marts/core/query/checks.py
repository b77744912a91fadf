"""Checks as queries: each is an Ibis expression that is true for an offending row.

All checks of single rows, and of the uniqueness of one column, become one aggregate query for a
table; each of the others is a query of its own. A violation is an offending row; for uniqueness, a
row beyond the first of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.authoring.checks import (
    THIS,
    Check,
    FreshCheck,
    RelationshipCheck,
    RowCheck,
    SpellingCheck,
    TableCheck,
    UniqueCheck,
    WholeCheck,
)
from marts.core.authoring.expressions import AS_OF, AsOf
from marts.core.authoring.signature import BOOLEAN_COLUMN, TABLE_OR_BOOLEAN, call, naming
from marts.core.authoring.tables import Mart, Source
from marts.core.authoring.tolerance import Rate

SAMPLE_ROWS = 20
HOLDS_NOT = "holds_not"
"""The column of a check that is one boolean."""
ROWS = "rows"
"""The column of the fused query that counts all rows."""


def fused_query(
    owner: Source | Mart,
    table: ir.Table,
    checks: Iterable[Check],
    *,
    proven: Collection[Check] = (),
) -> ir.Table:
    """Return one row: `rows`, and for the n-th check its violations as column `c<n>`.

    Of a check of freshness, `c<n>` is the newest value: how old it is, no query says. For a check
    with a rate and a condition on rows, `l<n>` counts the rows that meet it. A count is null if the
    table is empty. A `proven` check is not made: its count is 0.
    """
    counts: dict[str, ir.Scalar] = {}
    with naming(f"a check of {owner.name}", owner.location):
        for n, check in enumerate(checks):
            if check in proven:
                counts[f"c{n}"] = table.count() * 0
                continue
            counts[f"c{n}"] = _violations(owner, table, check)
            if isinstance(check.threshold, Rate) and isinstance(check, RowCheck) and check.where:
                counts[f"l{n}"] = _filter(owner, check, check.where, table).sum()
        return table.aggregate(**{ROWS: table.count()}, **counts)


def query_by_value(
    owner: Source | Mart, table: ir.Table, column: str, checks: Iterable[Check]
) -> ir.Table:
    """Return the result of `fused_query` for checks that depend only on one column's values."""
    count = free_name(ROWS, [column])
    values = table.group_by(column).aggregate(**{count: table.count()})
    counts = {
        f"c{n}": ibis.ifelse(_offending(owner, values, check), values[count], 0).sum()
        if isinstance(check, RowCheck)
        else _violations(owner, values, check)
        for n, check in enumerate(checks)
    }
    return values.aggregate(**{ROWS: values[count].sum()}, **counts)


def _violations(owner: Source | Mart, table: ir.Table, check: Check) -> ir.Scalar:
    match check:
        case FreshCheck():
            return table[check.column].max()
        case RowCheck():
            return _offending(owner, table, check).sum()
        case WholeCheck():
            return ibis.ifelse(check.fails(table), 1, 0)
        case UniqueCheck(columns=(name,)):
            value = table[name]
            if check.where is not None:
                value = ibis.ifelse(_filter(owner, check, check.where, table), value, ibis.null())
            return value.count() - value.nunique()
        case _:
            raise AssertionError(f"{check.name} is not a part of the fused query")


def count_query(
    owner: Source | Mart, check: Check, tables: Mapping[str, ir.Table], as_of: AsOf
) -> ir.Table:
    """Return one row with column `c0`: the violations of one check that has its own query.

    With a rate, `l0` is the number of rows of the check's table.
    """
    with naming(f"check {check.name} of {owner.name}", owner.location):
        counted = _counted(owner, check, tables, as_of)
    if isinstance(check.threshold, Rate):
        return counted.mutate(l0=tables[owner.name].count().as_scalar())
    return counted


def _counted(
    owner: Source | Mart, check: Check, tables: Mapping[str, ir.Table], as_of: AsOf
) -> ir.Table:
    if isinstance(check, RelationshipCheck):
        return _orphans_counted(owner, check, tables)
    rows = offending_rows(owner, check, tables, as_of)
    if isinstance(check, UniqueCheck):
        return rows.aggregate(c0=(rows[rows.columns[-1]] - 1).sum())
    # Counting needs one column; computing the others may be expensive.
    one = rows.select(rows.columns[0])
    return one.aggregate(c0=one.count())


def _orphans_counted(
    owner: Source | Mart, check: RelationshipCheck, tables: Mapping[str, ir.Table]
) -> ir.Table:
    """Count by distinct values, because there are fewer of them than rows."""
    rows, known, value = _looked_up(owner, check, tables[owner.name], tables[check.to_table])
    count = free_name(ROWS, [check.column, value])
    grouped = rows.group_by(check.column).aggregate(**{count: rows.count()})
    joined = grouped.left_join(known, grouped[check.column] == known[value])
    unknown = joined.filter(joined[value].isnull())
    return unknown.aggregate(c0=unknown[count].sum())


def ascending_query(table: ir.Table, column: str, middle: ir.Scalar | None = None) -> ir.Table:
    """Return one row with column `c0`: 0 only if a column ascends, and so is unique.

    It needs an engine that reads all rows in one sequence, in any order. With a `middle`, the
    values up to it are one sequence, and the others another, so that two cores read them. Equal
    values are in the same one; a null, or a row that is in neither, makes `c0` greater than 0.
    """
    values = table.filter(table[column].notnull()).select(value=table[column])
    if middle is None:
        pairs = _pairs(values)
        return pairs.aggregate(c0=pairs.count(where=~pairs.is_more))
    halves = (values.filter(half) for half in (values.value <= middle, values.value > middle))
    pairs = ibis.union(*map(_pairs, halves))
    missed = table.count().as_scalar() - pairs.count()
    return pairs.aggregate(c0=pairs.count(where=~pairs.is_more) + missed)


def _pairs(values: ir.Table) -> ir.Table:
    """Compare each value with the one before."""
    return values.select(is_more=values.value > values.value.lag().over(ibis.window()))


def hashed_query(table: ir.Table, column: str) -> ir.Table:
    """Return one row with column `c0`: 0 only if a column is unique, but no count of violations.

    Equal values have equal hashes, and are adjacent in the order of hashes.
    """
    hashes = table.filter(table[column].notnull()).select(value=table[column].hash())
    before = hashes.value.lag().over(ibis.window(order_by=hashes.value))
    pairs = hashes.select(is_equal=hashes.value == before)
    return pairs.aggregate(c0=pairs.is_equal.sum())


def sample_query(
    owner: Source | Mart, check: Check, tables: Mapping[str, ir.Table], as_of: AsOf
) -> ir.Table | None:
    """Return at most 20 offending rows: the grain's key, then the columns that the check reads.

    The declared columns follow if there is no key to find a row by.

    None for a check that is one boolean, or of freshness: it has no rows to show.
    """
    if isinstance(check, FreshCheck):
        return None
    others = () if owner.grain else tuple(column.name for column in owner.columns)
    rows = offending_rows(owner, check, tables, as_of, others=others)
    if rows.columns == (HOLDS_NOT,):
        return None
    if isinstance(check, SpellingCheck):
        text, count = rows.columns
        return rows.order_by(rows[count].desc(), text).limit(SAMPLE_ROWS)
    keys = [key for key in owner.grain if key in rows.columns]
    return rows.order_by(keys or rows.columns[:1]).limit(SAMPLE_ROWS)


def offending_rows(
    owner: Source | Mart,
    check: Check,
    tables: Mapping[str, ir.Table],
    as_of: AsOf,
    *,
    others: Sequence[str] = (),
) -> ir.Table:
    """Return the offending rows; for uniqueness, each repeated key with its number of `rows`.

    Rows of the table itself have the key, the columns that the check reads, and the `others`.
    """
    table = tables[owner.name]
    match check:
        case SpellingCheck():
            rows = table.filter(_offending(owner, table, check))
            count = free_name(ROWS, [check.column])
            return rows.group_by(check.column).aggregate(**{count: rows.count()})
        case WholeCheck():
            result = table.aggregate(**{HOLDS_NOT: check.fails(table)})
            return result.filter(result[HOLDS_NOT])
        case RowCheck():
            bad = _offending(owner, table, check)
            columns = [*owner.grain, *(field.name for field in bad.op().find(ops.Field))]
            return table.filter(bad).select(*dict.fromkeys([*columns, *others]))
        case UniqueCheck(columns=names):
            rows = table.filter([table[name].notnull() for name in names])
            if check.where is not None:
                rows = rows.filter(_filter(owner, check, check.where, rows))
            count = free_name(ROWS, names)
            grouped = rows.group_by(list(names)).aggregate(**{count: rows.count()})
            return grouped.filter(grouped[count] > 1)
        case RelationshipCheck():
            orphans = _orphans(owner, check, table, tables[check.to_table])
            return orphans.select(*dict.fromkeys([*owner.grain, check.column, *others]))
        case TableCheck():
            return _table_rows(owner, check, tables, as_of)
        case FreshCheck():
            raise AssertionError(f"{check.name} offends with no row")


def _offending(owner: Source | Mart, table: ir.Table, check: RowCheck) -> ir.BooleanColumn:
    bad = _filter(owner, check, check.offending, table)
    return bad if check.where is None else _filter(owner, check, check.where, table) & bad


def _orphans(
    owner: Source | Mart, check: RelationshipCheck, table: ir.Table, other: ir.Table
) -> ir.Table:
    rows, known, value = _looked_up(owner, check, table, other)
    # A left join, since not every engine has an anti join.
    joined = rows.left_join(known, rows[check.column] == known[value])
    return joined.filter(joined[value].isnull())


def _looked_up(
    owner: Source | Mart, check: RelationshipCheck, table: ir.Table, other: ir.Table
) -> tuple[ir.Table, ir.Table, str]:
    """Return the rows to look up, the known values, and the name of the known values' column."""
    rows = table.filter(table[check.column].notnull())
    if check.where is not None:
        rows = rows.filter(_filter(owner, check, check.where, rows))
    if check.to_where is not None:
        other = other.filter(_filter(owner, check, check.to_where, other))
    value = free_name("known_value", rows.columns)
    return rows, other.select(**{value: other[check.to_column]}).distinct(), value


def _table_rows(
    owner: Source | Mart, check: TableCheck, tables: Mapping[str, ir.Table], as_of: AsOf
) -> ir.Table:
    named = {**tables, THIS: tables[owner.name], AS_OF: as_of}
    given = (named[name] for name in check.parameters)
    what = f"check {check.name} of {owner.name}"
    found: ir.Table | ir.BooleanScalar = call(
        check.offending, *given, what=what, location=owner.location, expected=TABLE_OR_BOOLEAN
    )
    if isinstance(found, ir.Table):
        return found
    # Ibis needs a table to filter, and a boolean over several tables has none of its own.
    return ibis.literal(value=True).name(HOLDS_NOT).as_table().filter(found)


def _filter(
    owner: Source | Mart,
    check: Check,
    predicate: Callable[[ir.Table], ir.BooleanColumn],
    table: ir.Table,
) -> ir.BooleanColumn:
    """Call an author's predicate."""
    what = f"check {check.name} of {owner.name}"
    found: ir.BooleanColumn = call(
        predicate, table, what=what, location=owner.location, expected=BOOLEAN_COLUMN
    )
    return found


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: the name, with underscores appended if necessary."""
    while name in taken:
        name += "_"
    return name
