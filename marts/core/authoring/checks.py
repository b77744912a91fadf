"""Checks: those that authors declare, and those that columns imply."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import ibis.expr.types as ir

from marts.core.authoring import signature as authored
from marts.core.authoring.bindings import Binding, bindings_of
from marts.core.authoring.columns import Column
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.signature import location_of_caller, location_of_function
from marts.core.authoring.tolerance import (
    Severity,
    Threshold,
    threshold_flaw,
    threshold_of,
)
from marts.core.errors import DefinitionError, did_you_mean

Predicate = Callable[[ir.Table], ir.BooleanColumn]
"""A condition on the rows of a table."""

THIS = "this"
"""The parameter by which a table check names the table it belongs to."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """When violations of a check count: their severity, and how many of them are tolerated."""

    severity: Severity = "error"
    threshold: Threshold = 0
    because: str = ""
    """What to add to the report of a violation."""
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """The names that its functions look up outside, with their values when it was declared."""


@dataclass(frozen=True, kw_only=True)
class RowCheck(Tolerance):
    """A predicate that is true for an offending row; null passes."""

    name: str
    offending: Predicate
    where: Predicate | None = None


@dataclass(frozen=True, kw_only=True)
class UniqueCheck(Tolerance):
    """Columns that together identify a row; a row with a null among them passes."""

    columns: tuple[str, ...]
    where: Predicate | None = None

    @property
    def name(self) -> str:
        """The name of the check in reports."""
        return f"{'_and_'.join(self.columns)}_unique"


@dataclass(frozen=True, kw_only=True)
class RelationshipCheck(Tolerance):
    """A column whose values must exist in a column of another table; null passes."""

    column: str
    to_table: str
    to_column: str
    where: Predicate | None = None
    to_where: Predicate | None = None

    @property
    def name(self) -> str:
        """The name of the check in reports."""
        return f"{self.column}_in_{self.to_table}"


@dataclass(frozen=True, kw_only=True)
class TableCheck(Tolerance):
    """An expression over whole tables, which its parameters name.

    It returns the offending rows, or one boolean that is true if the check fails; null passes.
    """

    name: str
    offending: Callable[..., ir.Table | ir.BooleanScalar]
    parameters: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The other tables it reads."""
        return tuple(name for name in self.parameters if name not in (AS_OF, THIS))


@dataclass(frozen=True, kw_only=True)
class SpellingCheck(RowCheck):
    """A check that no text of a column is a variant of an expected one.

    A variant differs only in case, spaces or Unicode form. `meant` maps the folded form of each
    expected text to the text.
    """

    column: str
    meant: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class WholeCheck(Tolerance):
    """An aggregate over all rows of the check's own table, true if the check fails; null passes."""

    name: str
    fails: Callable[[ir.Table], ir.BooleanScalar]
    column: str = ""
    """The column whose set of values decides the result, however often each value occurs."""


@dataclass(frozen=True, kw_only=True)
class FreshCheck(Tolerance):
    """A column whose newest value must be at most some hours before the moment of the run.

    It is made in every run: time passes even if nothing else changes.
    """

    column: str
    hours: float

    @property
    def name(self) -> str:
        """The name of the check in reports."""
        return f"{self.column}_fresh"


Check = RowCheck | UniqueCheck | RelationshipCheck | TableCheck | WholeCheck | FreshCheck


class Tolerated(TypedDict, total=False):
    """Keywords of every check.

    `severity` is "error", or "warn", which does not stop a run from publishing. `threshold` is how
    many violations are tolerated: a number of rows, or a rate such as "0.5%".
    """

    severity: Severity
    threshold: int | str


class OfSomeRows(Tolerated, total=False):
    """Keywords of checks that can be restricted to the rows for which `where` holds."""

    where: Predicate


def row_check(name: str, *, offending: Predicate, **keywords: Unpack[OfSomeRows]) -> RowCheck:
    """Check each row: `offending` returns true for a row that violates the check.

    A row for which it returns null passes. `where` restricts the check to some rows, `severity` is
    "error" or "warn", and `threshold` is how many violations are tolerated, as a number of rows or
    a rate such as "0.5%". `source` and `mart` raise DefinitionError for a wrong keyword's value.
    """
    bindings = bindings_of(offending, keywords.get("where"))
    return RowCheck(name=name, offending=offending, bindings=bindings, **_read(keywords))


def unique(*columns: str, **keywords: Unpack[OfSomeRows]) -> UniqueCheck:
    """Check that the columns together are unique; a row with a null among them passes.

    Keywords and errors are those of `row_check`. Where it is an error without threshold, joins may
    rely on it.
    """
    bindings = bindings_of(keywords.get("where"))
    return UniqueCheck(columns=columns, bindings=bindings, **_read(keywords))


def relationship(
    column: str, *, to: str, to_where: Predicate | None = None, **keywords: Unpack[OfSomeRows]
) -> RelationshipCheck:
    """Check that each value of a column exists in `to`, a "table.column"; null passes.

    `to_where` restricts the rows of the other table. The other keywords, and errors, are those of
    `row_check`.
    """
    to_table, _, to_column = to.partition(".")
    return RelationshipCheck(
        column=column,
        to_table=to_table,
        to_column=to_column,
        to_where=to_where,
        bindings=bindings_of(keywords.get("where"), to_where),
        **_read(keywords),
    )


def table_check(
    name: str,
    *,
    offending: Callable[..., ir.Table | ir.BooleanScalar],
    **keywords: Unpack[Tolerated],
) -> TableCheck:
    """Check whole tables, which the parameters of `offending` name.

    It returns the offending rows, or one boolean that is true if the check fails; null passes. The
    parameter `this` is the table that declares the check, `as_of` the run's date. `severity` and
    `threshold` are those of `row_check`. Raises DefinitionError for parameters that are not plain
    names.
    """
    location = location_of_function(offending) or location_of_caller(1)
    return TableCheck(
        name=name,
        offending=offending,
        parameters=parameters_of(offending, f"check {name}", location),
        bindings=bindings_of(offending),
        **_read(keywords),
    )


def fresh(*, hours: float, by: str, severity: Severity = "error") -> FreshCheck:
    """Check that the newest value of `by`, a date or timestamp column, is at most `hours` old.

    Its age is that at the moment of the run, or at the end of the as-of date if that is over: at
    00:00 UTC of the next day. A timestamp is UTC, or the local time of the `zone` that a source's
    column names; a date counts from its first hour, 00:00 UTC. Without any value, the check fails,
    and so it does if the newest one is more than a day in the future. It is made in every run, also
    if nothing has changed. `source` and `mart` raise DefinitionError
    for a column of another type, and for hours that are not a positive number; loading does for a
    mart's column that copies local times of a source.
    """
    return FreshCheck(column=by, hours=hours, severity=severity)


def _read(keywords: Mapping[str, Any]) -> dict[str, Any]:
    return {**keywords, "threshold": threshold_of(keywords.get("threshold", 0))}


def parameters_of(function: Callable[..., object], what: str, location: str) -> tuple[str, ...]:
    """Return the names of the arguments that an author's function asks for.

    A parameter with a default is not among them. Raises DefinitionError for parameters that are not
    plain names.
    """
    asked, odd = authored.parameters_of(function)
    found = [f"parameter {each} is not a plain name" for each in odd]
    bound = [name for name in authored.bound_parameters(function) if name in (AS_OF, THIS)]
    found += [f"parameter {name} has a default, so it would not be passed" for name in bound]
    refuse(what, location, found)
    return asked


def check_flaws(columns: tuple[Column, ...], checks: tuple[Check, ...]) -> list[str]:
    """Return what is wrong with a table's declared checks, one line each; empty if nothing is."""
    names = [column.name for column in columns]
    found = []
    for check in checks:
        if check.severity not in ("error", "warn"):
            found.append(f"check {check.name}: severity is {check.severity!r}, not error or warn")
        if flaw := threshold_flaw(check.threshold):
            found.append(f"check {check.name}: {flaw}")
        for column in _columns_named_by(check):
            if column not in names:
                guess = did_you_mean(column, names)
                found.append(
                    f"check {check.name}: no column {column}" + (f"; {guess}" if guess else "")
                )
        if isinstance(check, FreshCheck):
            found += _flaws_of_freshness(check, columns)
        if isinstance(check, UniqueCheck) and not check.columns:
            found.append("a unique check names no column")
        if isinstance(check, RelationshipCheck) and not check.to_column:
            found.append(f"check {check.name}: to={check.to_table!r} is not a table.column")
    return found


def _flaws_of_freshness(check: FreshCheck, columns: tuple[Column, ...]) -> Iterator[str]:
    for column in columns:
        if column.name == check.column and column.type not in ("date", "timestamp"):
            yield f"check {check.name}: {column.name} is {column.type}, not a date or timestamp"
    is_number = isinstance(check.hours, int | float) and not isinstance(check.hours, bool)
    if not is_number or not 0 < check.hours < math.inf:
        yield f"check {check.name}: hours is {check.hours!r}, not a positive number"


def _columns_named_by(check: Check) -> tuple[str, ...]:
    match check:
        case UniqueCheck():
            return check.columns
        case RelationshipCheck() | FreshCheck():
            return (check.column,)
        case RowCheck() | TableCheck() | WholeCheck():
            return ()


def refuse(what: str, location: str, found: list[str], hint: str | None = None) -> None:
    """Raise DefinitionError if anything was found to be wrong with a declaration."""
    if found:
        # A flaw of a column has the column's location, which may be this one.
        flaws = (flaw.removesuffix(f" ({location})") for flaw in found)
        raise DefinitionError(f"{what} is declared wrongly", *flaws, location, hint=hint)


NOT_EMPTY = WholeCheck(
    name="not_empty",
    fails=lambda t: t.count() == 0,
    severity="warn",
    because="0 rows, though its sources have some",
)
"""The check that every mart has, unless it is unchecked."""


def implied_checks(column: Column) -> list[RowCheck]:
    """Return the checks of single rows that a column's declaration implies."""
    name, low, high = column.name, column.at_least, column.at_most
    found = []
    if not column.null:
        found.append(RowCheck(name=f"{name}_not_null", offending=lambda t: t[name].isnull()))
    if column.values:
        found.append(
            RowCheck(
                name=f"{name}_accepted_values", offending=lambda t: t[name].notin(column.values)
            )
        )
    if low is not None:
        found.append(RowCheck(name=f"{name}_at_least_{low}", offending=lambda t: t[name] < low))
    if high is not None:
        found.append(RowCheck(name=f"{name}_at_most_{high}", offending=lambda t: t[name] > high))
    if column.type == "float64":
        # NaN sorts above every number, but a comparison does not find it: the statistics of Parquet
        # files leave NaN out, and DuckDB takes them for the bounds of all values.
        found.append(
            RowCheck(name=f"{name}_finite", offending=lambda t: t[name].isnan() | t[name].isinf())
        )
    if column.type in FIRST_AND_LAST:
        # DuckDB has infinite dates, which Snowflake does not have; no function finds them on both.
        first, last = FIRST_AND_LAST[column.type]
        found.append(
            RowCheck(
                name=f"{name}_finite",
                offending=lambda t: (t[name] < first) | (t[name] > last),
                because="infinite, or of a year outside 1 to 9999",
            )
        )
    return found


FIRST_AND_LAST: Mapping[str, tuple[datetime.date, datetime.date]] = {
    "date": (datetime.date.min, datetime.date.max),
    "timestamp": (datetime.datetime.min, datetime.datetime.max),  # noqa: DTZ901  (it has no zone)
}
"""By type of a column: the least and the greatest value that every engine and Python have."""


def is_fused(check: Check) -> bool:
    """Tell whether a check is part of its table's one aggregate query."""
    return isinstance(check, RowCheck | WholeCheck | FreshCheck) or (
        isinstance(check, UniqueCheck) and len(check.columns) == 1
    )


def tables_read(check: Check) -> set[str]:
    """Return the tables that a check reads besides its own."""
    match check:
        case RelationshipCheck():
            return {check.to_table}
        case TableCheck():
            return set(check.inputs)
        case RowCheck() | UniqueCheck() | WholeCheck() | FreshCheck():
            return set()
