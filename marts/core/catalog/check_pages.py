"""Checks in words: what each of them asks of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.formatting import Formatter
from marts.core.analysis.lineage import expanded
from marts.core.authoring.checks import (
    Check,
    FreshCheck,
    RelationshipCheck,
    RowCheck,
    SpellingCheck,
    TableCheck,
    UniqueCheck,
    WholeCheck,
)
from marts.core.authoring.signature import BOOLEAN_COLUMN, call, function_of
from marts.core.authoring.tables import Mart, Source
from marts.core.authoring.tolerance import Rate
from marts.core.catalog.facts import Facts
from marts.core.catalog.pages import CheckPage
from marts.core.query.contract import schema_of

FORMAT = Formatter()


def check_page(owner: Source | Mart, check: Check, facts: Facts) -> CheckPage:
    """Return a check with its description, the columns that it reads and its history."""
    table = ibis.table(schema_of(owner.columns), name=owner.name)
    words = [
        _asked(owner, check, table),
        *_tolerated(check),
        *([check.because] * bool(check.because)),
    ]
    return CheckPage(
        name=check.name,
        description="; ".join(words),
        severity=check.severity,
        columns=_columns(owner, check, table),
        history=facts.history(owner.name, check.name),
    )


def _asked(owner: Source | Mart, check: Check, table: ir.Table) -> str:
    match check:
        case SpellingCheck():
            asked = f"no {check.column} is an expected text with other case, spaces or characters"
        case RowCheck():
            bad = FORMAT(expanded(_predicate(owner, check, check.offending, table)))
            asked = f"no row has: {bad}{_where(owner, check, check.where, table)}"
        case UniqueCheck():
            several = " and ".join(check.columns)
            asked = f"no two rows have the same {several}{_where(owner, check, check.where, table)}"
        case RelationshipCheck():
            rows = "some " if check.to_where else ""
            where = _where(owner, check, check.where, table)
            asked = f"each {check.column} is a {check.to_column} of {rows}{check.to_table}{where}"
        case WholeCheck():
            asked = f"it does not hold that {FORMAT(expanded(check.fails(table).op()))}"
        case FreshCheck():
            asked = f"the newest {check.column} is at most {check.hours:g} hours old"
        case TableCheck():
            asked = _of_tables(check)
        case _:
            assert_never(check)
    return asked


def _of_tables(check: TableCheck) -> str:
    """Return what a check of whole tables looks for, in its author's words if there are any."""
    function = function_of(check.offending)
    said = (function.__doc__ or "").strip() if function else ""
    if said:
        first, _, _ = said.partition("\n")
        return f"nothing is found: {first.rstrip('.').removeprefix('Return ')}"
    others = f" and {', '.join(check.inputs)}" if check.inputs else ""
    return f"an expression over the table{others}"


def _tolerated(check: Check) -> Iterator[str]:
    if isinstance(check.threshold, Rate):
        yield f"up to {check.threshold} of the rows are tolerated"
    elif check.threshold:
        yield f"up to {check.threshold:,} are tolerated"


def _where(
    owner: Source | Mart,
    check: Check,
    where: Callable[[ir.Table], ir.BooleanColumn] | None,
    table: ir.Table,
) -> str:
    if where is None:
        return ""
    return f", of the rows with {FORMAT(expanded(_predicate(owner, check, where, table)))}"


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
    predicate: Callable[[ir.Table], ir.BooleanColumn],
    table: ir.Table,
) -> ops.Value:
    what = f"check {check.name} of {owner.name}"
    found: ir.BooleanColumn = call(
        predicate, table, what=what, location=owner.location, expected=BOOLEAN_COLUMN
    )
    return found.op()
