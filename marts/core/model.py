"""Sources, marts and checks as their authors declare them: frozen values, no engine."""

from __future__ import annotations

import datetime
import inspect
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import ibis
import ibis.expr.types as ir

from marts.core import authored
from marts.core.authored import Binding, bindings_of, place_of_caller, place_of_function
from marts.core.contract import Column, flaws, zones_of
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.tolerance import (
    Acknowledgement,
    Severity,
    Threshold,
    acknowledgement_flaws,
    threshold_flaw,
    threshold_of,
)

Materialized = Literal["table", "view", "temporary"]
"""A temporary mart is built whenever a reader is, and gone when the run ends."""

AS_OF = "as_of"
"""The parameter by which a mart or a table check asks for the run's date."""

THIS = "this"
"""The parameter by which a table check names the table it belongs to."""


INTERMEDIATE = "int_"
"""How the names of tables begin that several marts share, and nothing outside relies on."""


class AsOf(ABC):
    """The date of a run, as expressions use it; no expression asks the engine what day it is."""

    @abstractmethod
    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days earlier."""

    def plus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days later."""
        return self.minus(days=-days)

    @property
    def date(self) -> ir.DateScalar:
        """The day itself."""
        return self.minus(days=0)


@dataclass(frozen=True)
class FixedAsOf(AsOf):
    """An as-of date that is known when the SQL is compiled: every bound is a constant in it."""

    day: datetime.date

    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days earlier, as a date literal."""
        return ibis.date(self.day - datetime.timedelta(days=days))


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """When violations of a check count: their severity, and how many rows, or which rate, pass."""

    severity: Severity = "error"
    threshold: Threshold = 0
    because: str = ""
    """What else to say where it does not hold."""
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """What its functions looked up outside when it was declared."""


@dataclass(frozen=True, kw_only=True)
class RowCheck(Tolerance):
    """A predicate that is true for an offending row; null passes."""

    name: str
    offending: Callable[[ir.Table], ir.BooleanColumn]
    where: Callable[[ir.Table], ir.BooleanColumn] | None = None


@dataclass(frozen=True, kw_only=True)
class UniqueCheck(Tolerance):
    """Columns that together name a row; a row with a null among them is not counted."""

    columns: tuple[str, ...]
    where: Callable[[ir.Table], ir.BooleanColumn] | None = None

    @property
    def name(self) -> str:
        """The name of the check in reports."""
        return f"{'_and_'.join(self.columns)}_unique"


@dataclass(frozen=True, kw_only=True)
class RelationshipCheck(Tolerance):
    """A column whose values exist in a column of another table; null passes."""

    column: str
    to_table: str
    to_column: str
    where: Callable[[ir.Table], ir.BooleanColumn] | None = None
    to_where: Callable[[ir.Table], ir.BooleanColumn] | None = None

    @property
    def name(self) -> str:
        """The name of the check in reports."""
        return f"{self.column}_in_{self.to_table}"


@dataclass(frozen=True, kw_only=True)
class TableCheck(Tolerance):
    """An expression over whole tables, named by its parameters.

    It returns the table of offending rows, or one boolean that is true where the check fails.
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
    """A text column that has no text which equals a meant one but for case, spaces or form.

    `meant` has the meant text of each folded one.
    """

    column: str
    meant: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class WholeCheck(Tolerance):
    """An aggregate over all rows of its own table, true where the check fails; null passes."""

    name: str
    fails: Callable[[ir.Table], ir.BooleanScalar]
    column: str = ""
    """The column whose values alone decide, however often each occurs."""


Check = RowCheck | UniqueCheck | RelationshipCheck | TableCheck | WholeCheck


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table that is read, never written; an optional one may be absent or empty."""

    name: str
    comment: str
    column_docs: Mapping[str, str]
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    checks: tuple[Check, ...]
    optional: bool
    place: str
    acknowledged: tuple[Acknowledgement, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Mart:
    """A table that is built: its contract, its checks, and the function that defines it."""

    name: str
    comment: str
    column_docs: Mapping[str, str]
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    checks: tuple[Check, ...]
    tags: tuple[str, ...]
    materialized: Materialized
    unchecked: bool
    define: Callable[..., ir.Table]
    parameters: tuple[str, ...]
    module: str
    place: str
    acknowledged: tuple[Acknowledgement, ...] = ()
    many_to_many: str = ""
    """Why a join of it may multiply the rows of both sides."""
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """What its function looked up outside when it was declared."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources and marts it reads."""
        return tuple(name for name in self.parameters if name != AS_OF)

    @property
    def is_temporary(self) -> bool:
        """Tell whether it is built whenever a reader is, and never published."""
        return self.materialized == "temporary"

    @property
    def is_intermediate(self) -> bool:
        """Tell whether it is an implementation matter, which nothing outside may rely on."""
        return self.name.startswith(INTERMEDIATE)


def source(
    name: str,
    *,
    doc: str,
    grain: str | Iterable[str],
    columns: Iterable[Column],
    checks: Iterable[Check] = (),
    optional: bool = False,
    acknowledged: Iterable[Acknowledgement] = (),
) -> Source:
    """Declare a table that marts may read, with the columns they may rely on.

    Warnings of its checks that are `acknowledged` are counted, not shown. Raises DefinitionError,
    with file and line, where the declaration contradicts itself.
    """
    place = place_of_caller(1)
    columns, keys, checks = tuple(columns), keys_named(grain), tuple(checks)
    comment, column_docs = _split_doc(doc)
    known = tuple(acknowledged)
    found = [*flaws(columns, keys), *_check_flaws(columns, checks), *acknowledgement_flaws(known)]
    _refuse(f"source {name}", place, [*found, *_doc_flaws(columns, column_docs)])
    return Source(
        name=name,
        comment=comment,
        column_docs=column_docs,
        columns=columns,
        grain=keys,
        checks=checks,
        optional=optional,
        place=place,
        acknowledged=known,
    )


def mart(
    *,
    grain: str | Iterable[str],
    columns: Iterable[Column],
    checks: Iterable[Check] = (),
    tags: str | Iterable[str] = (),
    materialized: Materialized = "table",
    unchecked: bool = False,
    acknowledged: Iterable[Acknowledgement] = (),
    many_to_many: str = "",
) -> Callable[[Callable[..., ir.Table]], Mart]:
    """Declare the decorated function as a mart of the same name.

    Its parameters name its inputs, and `as_of` the run's date; its docstring becomes the table's
    comment, and a section `Columns:` in it the columns' comments. An `unchecked` mart is built
    without a query of checks: for one whose rows are checked elsewhere. It alone may have the grain
    `()`, where no columns name a row. `many_to_many` is the reason why a join of it may multiply
    the rows of both sides; without one, such a join is refused. Warnings that are `acknowledged`
    are counted, not shown. Raises DefinitionError, with file and line, where the declaration
    contradicts itself.
    """
    columns, keys, checks = tuple(columns), keys_named(grain), tuple(checks)
    known = tuple(acknowledged)

    def declare(define: Callable[..., ir.Table]) -> Mart:
        place = place_of_function(define) or place_of_caller(1)
        if not hasattr(define, "__name__"):
            raise DefinitionError(
                f"a mart is a {type(define).__name__}, which has no name",
                place,
                hint="decorate a function: def <mart>(<inputs>)",
            )
        found = flaws(columns, keys, needs_grain=not unchecked) + _check_flaws(columns, checks)
        found += [
            f"column {name} names a zone, which only a source has" for name in zones_of(columns)
        ]
        found += acknowledgement_flaws(known)
        if not isinstance(many_to_many, str):
            found.append(f"many_to_many is {many_to_many!r}, not the reason, a text")
        comment, column_docs = _split_doc(define.__doc__ or "")
        found += _doc_flaws(columns, column_docs)
        if not comment:
            found.append("it has no docstring, which becomes the table's comment")
        if materialized not in get_args(Materialized):
            found.append(
                f"materialized is {materialized!r}; known: {', '.join(get_args(Materialized))}"
            )
        _refuse(f"mart {define.__name__}", place, found)
        return Mart(
            name=define.__name__,
            comment=comment,
            column_docs=column_docs,
            columns=columns,
            grain=keys,
            checks=checks,
            tags=(tags,) if isinstance(tags, str) else tuple(tags),
            materialized=materialized,
            unchecked=unchecked,
            define=define,
            parameters=parameters_of(define, f"mart {define.__name__}", place),
            module=define.__module__,
            place=place,
            bindings=bindings_of(define),
            acknowledged=known,
            many_to_many=many_to_many,
        )

    return declare


def row_check(
    name: str,
    *,
    offending: Callable[[ir.Table], ir.BooleanColumn],
    where: Callable[[ir.Table], ir.BooleanColumn] | None = None,
    severity: Severity = "error",
    threshold: int | str = 0,
) -> RowCheck:
    """Check that no row (of those `where` holds for) is offending; null passes."""
    return RowCheck(
        name=name,
        offending=offending,
        where=where,
        severity=severity,
        threshold=threshold_of(threshold),
        bindings=bindings_of(offending, where),
    )


def unique(
    *columns: str,
    where: Callable[[ir.Table], ir.BooleanColumn] | None = None,
    severity: Severity = "error",
    threshold: int | str = 0,
) -> UniqueCheck:
    """Check that the columns together are unique; a row with a null among them passes."""
    return UniqueCheck(
        columns=columns,
        where=where,
        severity=severity,
        threshold=threshold_of(threshold),
        bindings=bindings_of(where),
    )


def relationship(
    column: str,
    *,
    to: str,
    where: Callable[[ir.Table], ir.BooleanColumn] | None = None,
    to_where: Callable[[ir.Table], ir.BooleanColumn] | None = None,
    severity: Severity = "error",
    threshold: int | str = 0,
) -> RelationshipCheck:
    """Check that each value exists in `to`, a "table.column", among its rows of `to_where`."""
    to_table, _, to_column = to.partition(".")
    return RelationshipCheck(
        column=column,
        to_table=to_table,
        to_column=to_column,
        where=where,
        to_where=to_where,
        severity=severity,
        threshold=threshold_of(threshold),
        bindings=bindings_of(where, to_where),
    )


def table_check(
    name: str,
    *,
    offending: Callable[..., ir.Table | ir.BooleanScalar],
    severity: Severity = "error",
    threshold: int | str = 0,
) -> TableCheck:
    """Check whole tables: the parameters of `offending` name them.

    `this` is the table that carries the check, `as_of` the run's date.
    """
    place = place_of_function(offending) or place_of_caller(1)
    return TableCheck(
        name=name,
        offending=offending,
        parameters=parameters_of(offending, f"check {name}", place),
        severity=severity,
        threshold=threshold_of(threshold),
        bindings=bindings_of(offending),
    )


def _split_doc(doc: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into the table's comment and those of its section `Columns:`.

    There each line is `name: text`; lines that are indented further go on with the text.
    """
    comment, _, section = inspect.cleandoc(doc).partition("\nColumns:\n")
    found: dict[str, str] = {}
    for line in textwrap.dedent(section).splitlines():
        if line.startswith(" ") and found:
            found[list(found)[-1]] += f" {line.strip()}"
        elif line.strip():
            name, _, text = line.partition(":")
            found[name.strip()] = text.strip()
    return comment.strip(), found


def _doc_flaws(columns: tuple[Column, ...], documented: Mapping[str, str]) -> list[str]:
    names = [column.name for column in columns]
    return [
        f"the docstring's Columns: section names {name}, which is not a column"
        for name in documented
        if name not in names
    ]


def keys_named(grain: str | Iterable[str]) -> tuple[str, ...]:
    """Return the columns of a grain, given as one name or several."""
    return (grain,) if isinstance(grain, str) else tuple(grain)


def parameters_of(function: Callable[..., object], what: str, place: str) -> tuple[str, ...]:
    """Return the parameters of an author's function that it is to be given.

    One with a default keeps it. Raises DefinitionError for unusual ones.
    """
    asked, odd = authored.parameters_of(function)
    found = [f"parameter {each} is not a plain name" for each in odd]
    bound = [name for name in authored.bound_parameters(function) if name in (AS_OF, THIS)]
    found += [f"parameter {name} has a default, so that it would not be given" for name in bound]
    _refuse(what, place, found)
    return asked


def _check_flaws(columns: tuple[Column, ...], checks: tuple[Check, ...]) -> list[str]:
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
        if isinstance(check, UniqueCheck) and not check.columns:
            found.append("a unique check names no column")
        if isinstance(check, RelationshipCheck) and not check.to_column:
            found.append(f"check {check.name}: to={check.to_table!r} is not a table.column")
    return found


def _columns_named_by(check: Check) -> tuple[str, ...]:
    match check:
        case UniqueCheck():
            return check.columns
        case RelationshipCheck():
            return (check.column,)
        case RowCheck() | TableCheck() | WholeCheck():
            return ()


def _refuse(what: str, place: str, found: list[str]) -> None:
    if found:
        raise DefinitionError(f"{what} is declared wrongly", *found, place)
