"""Checks in words: what each of them asks of its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.known_values import Context
from marts.core.analysis.readable import readable_query
from marts.core.authoring.checks import (
    NOT_EMPTY,
    Check,
    FreshCheck,
    Predicate,
    RelationshipCheck,
    RowCheck,
    SpellingCheck,
    TableCheck,
    UniqueCheck,
    WholeCheck,
    implied_checks,
)
from marts.core.authoring.columns import Column
from marts.core.authoring.signature import BOOLEAN_COLUMN, call, function_of
from marts.core.authoring.tables import Mart, Source
from marts.core.authoring.tolerance import Rate
from marts.core.catalog.facts import Facts
from marts.core.catalog.pages import CheckPage
from marts.core.query.contract import schema_of
from marts.core.query.nulls import NOTHING_DECLARED

EMPTY = "The table has rows if its sources have some"
FINITE = {"float64": "is a finite number, never NaN or infinite"}


def check_page(
    owner: Source | Mart,
    check: Check,
    facts: Facts,
    tables: Mapping[str, Source | Mart] | None = None,
) -> CheckPage:
    """Return a check with its description, the columns that it reads and its history.

    The description is a text in which names are code. `tables` are those of the project.
    """
    implied = _implied(owner, check)
    words = [implied or _asked(owner, check, tables or {}), *_tolerated(check)]
    if check.because and not implied and not isinstance(check, WholeCheck):
        words.append(check.because)
    return CheckPage(
        name=check.name,
        description=f"{'; '.join(words)}.",
        severity=check.severity,
        columns=_columns(owner, check, _table(owner)),
        history=facts.history(owner.name, check.name),
    )


def _table(of: Source | Mart) -> ir.Table:
    return ibis.table(schema_of(of.columns), name=of.name)


def _implied(owner: Source | Mart, check: Check) -> str:
    """Return what a check asks that a declaration implies; nothing of one that an author wrote."""
    if check is NOT_EMPTY:
        return EMPTY
    for column in owner.columns:
        if check.name.startswith(column.name):
            words = check.name.removeprefix(column.name)
            if any(each.name == check.name for each in implied_checks(column)):
                return f"{_code(column.name)} {_of_column(column, words)}"
    return ""


def _of_column(column: Column, suffix: str) -> str:
    finite = "is a date of the years 1 to 9999, and not infinite"
    known = {
        "_not_null": "is never null",
        "_accepted_values": f"is {_one_of(column.values)}{', or null' if column.null else ''}",
        "_finite": FINITE.get(column.type, finite),
        f"_at_least_{column.at_least}": f"is at least {column.at_least}",
        f"_at_most_{column.at_most}": f"is at most {column.at_most}",
    }
    return known[suffix]


def _one_of(values: Sequence[str]) -> str:
    codes = list(map(_code, values))
    if len(codes) < 2:
        return "".join(codes)
    return f"{'one of ' if len(codes) > 2 else ''}{', '.join(codes[:-1])} or {codes[-1]}"


def _code(text: str) -> str:
    """Return a text as code of Markdown, which is a link if it is a name."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def _asked(owner: Source | Mart, check: Check, tables: Mapping[str, Source | Mart]) -> str:
    match check:
        case SpellingCheck():
            asked = (
                f"No {_code(check.column)} differs only in case, spaces or Unicode form from a text"
                " that marts compare it with"
            )
        case RowCheck():
            where = _where(owner, check, check.where)
            asked = f"No row has {_said(owner, check, check.offending)}{where}"
        case UniqueCheck():
            several = " and ".join(map(_code, check.columns))
            asked = f"No two rows have the same {several}{_where(owner, check, check.where)}"
        case RelationshipCheck():
            asked = _of_relationship(owner, check, tables)
        case WholeCheck():
            asked = f"This does not hold: {_fails(owner, check)}"
        case FreshCheck():
            asked = f"The newest {_code(check.column)} is at most {check.hours:g} hours old"
        case TableCheck():
            asked = _of_tables(check)
        case _:
            assert_never(check)
    return asked


def _of_relationship(
    owner: Source | Mart, check: RelationshipCheck, tables: Mapping[str, Source | Mart]
) -> str:
    is_null = any(c.null for c in owner.columns if c.name == check.column)
    to, rows = tables.get(check.to_table), ""
    if check.to_where and to:
        rows = f", among its rows with {_said(to, check, check.to_where)}"
    return (
        f"Each {_code(check.column)}{' that is not null' if is_null else ''} is a"
        f" {_code(check.to_column)} of {_code(check.to_table)}{rows}"
        f"{_where(owner, check, check.where)}"
    )


def _of_tables(check: TableCheck) -> str:
    """Return what a check of whole tables looks for, in its author's words if there are any."""
    function = function_of(check.offending)
    said = (function.__doc__ or "").strip() if function else ""
    if said:
        first, _, _ = said.partition("\n")
        return f"There must be none of these: {first.rstrip('.').removeprefix('Return ')}"
    others = f" and {', '.join(map(_code, check.inputs))}" if check.inputs else ""
    return f"A calculation over this table{others} finds nothing; its author has not described it"


def _tolerated(check: Check) -> Iterator[str]:
    if isinstance(check.threshold, Rate):
        yield f"up to {check.threshold} of the rows may break this"
    elif check.threshold:
        yield f"up to {check.threshold:,} may break this"


def _where(owner: Source | Mart, check: Check, where: Predicate | None) -> str:
    return f", among the rows with {_said(owner, check, where)}" if where else ""


def _said(owner: Source | Mart, check: Check, predicate: Predicate) -> str:
    table = _table(owner)
    found = _predicate(owner, check, predicate, table)
    return _code(_readable(table.select(found=found.to_expr())))


def _fails(owner: Source | Mart, check: WholeCheck) -> str:
    """Return when a check of all rows fails: in the words of its report, if it has any."""
    table = _table(owner)
    return check.because or _code(_readable(table.aggregate(found=check.fails(table))))


def _readable(query: ir.Table) -> str:
    """Return the only column of a query as a person would write it, in one line."""
    (text,) = readable_query(Context(query.op(), NOTHING_DECLARED)).columns.values()
    return " ".join(text.split())


def _columns(owner: Source | Mart, check: Check, table: ir.Table) -> tuple[str, ...]:
    names = {column.name for column in owner.columns}
    match check:
        case SpellingCheck() | RelationshipCheck() | FreshCheck():
            return (check.column,)
        case UniqueCheck():
            return check.columns
        case RowCheck():
            op = _predicate(owner, check, check.offending, table)
        case WholeCheck():
            op = check.fails(table).op()
        case TableCheck():
            return ()
        case _:
            assert_never(check)
    return tuple(dict.fromkeys(f.name for f in op.find(ops.Field) if f.name in names))


def _predicate(
    owner: Source | Mart,
    check: Check,
    predicate: Predicate,
    table: ir.Table,
) -> ops.Value:
    what = f"check {check.name} of {owner.name}"
    found: ir.BooleanColumn = call(
        predicate, table, what=what, location=owner.location, expected=BOOLEAN_COLUMN
    )
    return found.op()
