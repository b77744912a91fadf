"""Sources and marts as their authors declare them: frozen values, without an engine."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import ibis.expr.types as ir

from marts.core.authoring.bindings import Binding, bindings_of
from marts.core.authoring.checks import (
    NOT_EMPTY,
    Check,
    UniqueCheck,
    check_flaws,
    implied_checks,
    parameters_of,
    refuse,
)
from marts.core.authoring.columns import Column, flaws, names_in_source, zones_of
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.signature import location_of_caller, location_of_function
from marts.core.authoring.tolerance import (
    Acknowledgement,
    acknowledgement_flaws,
)
from marts.core.errors import DefinitionError

Materialized = Literal["table", "view", "temporary"]
"""A temporary mart is built whenever a mart that reads it is, and dropped when the run ends."""


DEFAULT_GROUP = "default"
"""The group of marts that declare none."""
GROUP_NAME = re.compile(r"[a-z][a-z0-9_]*")

INTERMEDIATE = "int_"
"""The prefix of marts that are implementation details, on which nothing outside may rely."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table that is read, never written; where an optional one is absent, it counts as empty."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    checks: tuple[Check, ...]
    optional: bool
    location: str
    acknowledged: tuple[Acknowledgement, ...] = ()
    source_name: str | None = None
    """The name of the table, file or folder, if it is another one."""
    owner: str | None = None
    """Who answers questions about it: a team, a person, an address."""


@dataclass(frozen=True, kw_only=True)
class Mart:
    """A table that is built: its contract, its checks, and the function that defines it."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    checks: tuple[Check, ...]
    tags: tuple[str, ...]
    materialized: Materialized
    unchecked: bool
    define: Callable[..., ir.Table]
    parameters: tuple[str, ...]
    module: str
    location: str
    acknowledged: tuple[Acknowledgement, ...] = ()
    many_to_many: str = ""
    """Why one of its joins may multiply the rows of both sides."""
    group: str = DEFAULT_GROUP
    """The group that it is published with; a temporary mart is in none."""
    exempt: Mapping[str, str] = field(default_factory=dict)
    """The invariants that need not hold for it, each with the reason."""
    owner: str | None = None
    """Who answers questions about it: a team, a person, an address."""
    bindings: tuple[Binding, ...] = field(default=(), repr=False, compare=False)
    """The names that its function looks up outside, with their values when it was declared."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources and marts it reads."""
        return tuple(name for name in self.parameters if name != AS_OF)

    @property
    def is_temporary(self) -> bool:
        """Tell whether it is built only for the marts that read it, and never published."""
        return self.materialized == "temporary"

    @property
    def is_intermediate(self) -> bool:
        """Tell whether it is an implementation detail, on which nothing outside may rely."""
        return self.name.startswith(INTERMEDIATE)


def source(  # noqa: PLR0913  (they are the keywords of a declaration)
    name: str,
    *,
    doc: str,
    grain: str | Iterable[str],
    columns: Iterable[Column],
    checks: Iterable[Check] = (),
    optional: bool = False,
    acknowledged: Iterable[Acknowledgement] = (),
    source_name: str | None = None,
    owner: str | None = None,
) -> Source:
    """Declare a table that marts may read, and the columns on which they may rely.

    `doc` is its comment. `grain` names the columns that together identify a row; they are checked
    to be unique and not null. It is `()` if no columns identify a row, and no join can rely on it
    then. A missing column, or one of a type that does not fit, stops a run; other columns are
    ignored. An `optional` source may be absent, and counts as empty then. `source_name` is the name
    of the table, file or folder, if it is another one: any text, such as "Order Details". `owner`
    is who answers questions about it: a team, a person, an address. Warnings of its checks that are
    `acknowledged` are counted, but not shown. Raises DefinitionError, with file and line, if the
    declaration contradicts itself.
    """
    location = location_of_caller(1)
    columns, keys, checks = tuple(columns), keys_named(grain), tuple(checks)
    known = tuple(acknowledged)
    found = [
        *flaws(columns, keys, needs_grain=False),
        *check_flaws(columns, checks),
        *acknowledgement_flaws(known),
    ]
    found += [
        f"column {column.name} has a default, which only a mart has"
        for column in columns
        if column.default is not None
    ]
    found += [
        f"column {column.name} has not_personal, which only a mart's computed column has"
        for column in columns
        if column.not_personal
    ]
    if source_name is not None and (not isinstance(source_name, str) or not source_name):
        found.append(f"its source_name is {source_name!r}, which is not a name")
    found += _flaws_of_owner(owner)
    comment = _comment(doc, f"source {name}", location)
    refuse(f"source {name}", location, found)
    return Source(
        name=name,
        comment=comment,
        columns=columns,
        grain=keys,
        checks=checks,
        optional=optional,
        location=location,
        acknowledged=known,
        source_name=source_name,
        owner=owner,
    )


def mart(  # noqa: PLR0913  (they are the keywords of a declaration)
    *,
    grain: str | Iterable[str],
    columns: Iterable[Column],
    checks: Iterable[Check] = (),
    tags: str | Iterable[str] = (),
    materialized: Materialized = "table",
    unchecked: bool = False,
    acknowledged: Iterable[Acknowledgement] = (),
    many_to_many: str = "",
    group: str | None = None,
    exempt: Mapping[str, str] | None = None,
    owner: str | None = None,
) -> Callable[[Callable[..., ir.Table]], Mart]:
    """Declare the decorated function as a mart of the same name.

    The function's parameters name its inputs, sources or marts; `as_of` is the run's date. It
    returns a table that has at least the `columns`, which are selected in this order and cast to
    their types. Its docstring becomes the table's comment. `grain` names the columns that together
    identify a row; they are checked to be unique and not null.

    `materialized` is "table", "view", or "temporary": built whenever a mart that reads it is, and
    dropped when the run ends. An `unchecked` mart has no checks, because its rows are checked
    elsewhere; it may have the grain `()` if no columns identify a row. `many_to_many` is the reason
    why a join may multiply the rows of both sides; without it, such a join is refused. Warnings
    that are `acknowledged` are counted, but not shown. `exempt` maps the name of each invariant
    that need not hold for the mart to the reason. The marts of a `group` are published together, or
    none of them; by default, all are in one. `owner` is who answers questions about it: a team, a
    person, an address. Raises DefinitionError, with file and line, if the declaration contradicts
    itself.
    """
    columns, keys, checks = tuple(columns), keys_named(grain), tuple(checks)
    known = tuple(acknowledged)

    def declare(define: Callable[..., ir.Table]) -> Mart:
        location = location_of_function(define) or location_of_caller(1)
        if not hasattr(define, "__name__"):
            raise DefinitionError(
                f"a mart is a {type(define).__name__}, which has no name",
                location,
                hint="decorate a function: def <mart>(<inputs>)",
            )
        found = flaws(columns, keys, needs_grain=not unchecked) + check_flaws(columns, checks)
        found += [*_only_of_sources(columns), *acknowledgement_flaws(known)]
        found += _flaws_of_keywords(materialized, many_to_many, exempt)
        found += [*_flaws_of_group(group, materialized), *_flaws_of_owner(owner)]
        comment = _comment(define.__doc__ or "", f"mart {define.__name__}", location)
        if not comment:
            found.append("it has no docstring, which becomes the table's comment")
        hint = _hint(columns) if keys or unchecked else NO_GRAIN
        refuse(f"mart {define.__name__}", location, found, hint)
        return Mart(
            name=define.__name__,
            comment=comment,
            columns=columns,
            grain=keys,
            checks=checks,
            tags=(tags,) if isinstance(tags, str) else tuple(tags),
            materialized=materialized,
            unchecked=unchecked,
            define=define,
            parameters=parameters_of(define, f"mart {define.__name__}", location),
            module=define.__module__,
            location=location,
            bindings=bindings_of(define),
            acknowledged=known,
            many_to_many=many_to_many,
            group=DEFAULT_GROUP if group is None else group,
            exempt=dict(exempt or {}),
            owner=owner,
        )

    return declare


def _flaws_of_group(group: object, materialized: object) -> list[str]:
    if group is None:
        return []
    if materialized == "temporary":
        return ["it names a group, but a temporary mart is built for every group that reads it"]
    if isinstance(group, str) and GROUP_NAME.fullmatch(group):
        return []
    return [f"group is {group!r}: a name has lower-case letters, digits and underscores"]


def _flaws_of_owner(owner: object) -> list[str]:
    if owner is None or (isinstance(owner, str) and owner.strip() and owner.isprintable()):
        return []
    return [f"owner is {owner!r}: name a team, a person or an address on one line"]


def _only_of_sources(columns: Iterable[Column]) -> list[str]:
    """Return a line for each keyword of a mart's columns that only a source's may have."""
    columns = tuple(columns)
    return [
        *(f"column {name} names a zone, which only a source has" for name in zones_of(columns)),
        *(
            f"column {name} has a source_name, which only a source has"
            for name in names_in_source(columns)
        ),
    ]


NO_GRAIN = (
    'name the columns that identify a row: grain="order_id", or grain=["order_id", "line"];'
    " grain=() needs unchecked=True"
)


def _hint(columns: Iterable[Column]) -> str | None:
    renamed = [f'{name}: string("{name}", …)' for name in names_in_source(columns)]
    return f"declare it for the mart without source_name: {', '.join(renamed)}" if renamed else None


def _flaws_of_keywords(
    materialized: object, many_to_many: object, exempt: Mapping[str, str] | None
) -> Iterator[str]:
    if materialized not in get_args(Materialized):
        yield f"materialized is {materialized!r}; known: {', '.join(get_args(Materialized))}"
    if not isinstance(many_to_many, str):
        yield f"many_to_many is {many_to_many!r}, not the reason, a text"
    if not isinstance(exempt, Mapping | None):
        yield f'exempt is {exempt!r}, not {{"invariant": "reason"}}'
        return
    for name, reason in (exempt or {}).items():
        if not isinstance(reason, str) or not reason.strip():
            yield f"it is exempt from the invariant {name} without a reason"


def _comment(doc: str, what: str, location: str) -> str:
    """Return a table's comment; raise DefinitionError if it describes columns in a section."""
    comment = inspect.cleandoc(doc).strip()
    if re.search(r"^Columns:$", comment, re.MULTILINE):
        refuse(
            what,
            location,
            ["its docstring has a section Columns:, where nobody reads it"],
            hint='describe a column where it is declared: string("city", doc="…")',
        )
    return comment


def keys_named(grain: str | Iterable[str]) -> tuple[str, ...]:
    """Return the columns of a grain, given as one name or several."""
    return (grain,) if isinstance(grain, str) else tuple(grain)


def checked_key(mart: Mart) -> tuple[str, ...]:
    """Return the columns that a run checks to identify a row of a mart; none if it does not."""
    return () if mart.unchecked else mart.grain


def column_comments(table: Source | Mart) -> dict[str, str]:
    """Return the comment of each column that has one, its own or an inherited one."""
    return {column.name: column.doc for column in table.columns if column.doc}


def checks_of(table: Source | Mart) -> tuple[Check, ...]:
    """Return all checks of a table: those its columns and grain imply, then the declared ones."""
    if isinstance(table, Mart) and table.unchecked:
        return ()
    implied: list[Check] = [check for column in table.columns for check in implied_checks(column)]
    keys = [c.name for c in table.columns if c.unique and (c.name,) != table.grain]
    unique = [columns for columns in (table.grain, *((k,) for k in keys)) if columns]
    implied += [UniqueCheck(columns=columns) for columns in unique]
    if isinstance(table, Mart):
        implied.append(NOT_EMPTY)
    return (*implied, *table.checks)
