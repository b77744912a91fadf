"""Where the sources of Snowflake are: in one schema under their names, or where settings say.

A location is `[DATABASE.][SCHEMA.]TABLE`. A part in double quotes is meant as it is spelled. A part
without them means, like `--schema`, the name that is spelled so, else the one in upper case, else
the only one in another case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from backends.snowflake_names import bare
from backends.snowflake_sql import Namespace
from backends.source_types import named
from marts.core.errors import UsageError
from marts.core.run.backend import Contract

PART = r'"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*'
LOCATION = re.compile(rf"(?:(?:({PART})\.)?({PART})\.)?({PART})")


@dataclass(frozen=True)
class Written:
    """A location as it is written: its parts, None for those that are left out."""

    database: str | None
    schema: str | None
    table: str

    def __str__(self) -> str:
        return ".".join(filter(None, (self.database, self.schema, self.table)))


def written(name: str, text: str) -> Written:
    """Return the parts of a source's location. Raises UsageError if it is not of that form."""
    found = LOCATION.fullmatch(text)
    if found is None:
        raise UsageError(
            f"the location of source {name} is wrong: {text}",
            hint="on Snowflake write [DATABASE.][SCHEMA.]TABLE, with double quotes around a part"
            " that has other characters than letters, digits and _",
        )
    return Written(*found.groups())


@dataclass(frozen=True)
class Place:
    """The schema in which a source is, and its name there, in any case.

    The spellings in `first` come before all others, and with `is_exact` there are no others.
    `is_given` says that settings name this very table.
    """

    namespace: Namespace
    name: str
    first: tuple[str, ...] = ()
    is_given: bool = False
    is_exact: bool = False

    @property
    def assumed(self) -> str:
        """The spelling that it has if it was created without quotes, or as it is spelled here."""
        return self.first[-1] if self.first else self.name.upper()

    def find(self, tables: Sequence[str]) -> list[str]:
        """Return the tables that may be meant, in order."""
        if found := next((name for name in self.first if name in tables), None):
            return [found]
        alike = named(self.name, tables, as_spelled=False)
        return [] if self.is_exact else sorted(tables[number] for number in alike)

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"


@dataclass(frozen=True)
class Places:
    """Where sources are: in `default`, unless `given` has a location.

    `namespace_of` returns a schema, given the names of schema and database; `database` is that of
    locations without one.
    """

    default: Callable[[], Namespace]
    given: Mapping[str, str]
    namespace_of: Callable[[str, str], Namespace]
    database: str

    def of(self, name: str, contract: Contract) -> Place:
        """Return where a source is. Raises UsageError for a location that cannot be one."""
        if name not in self.given:
            other = contract.source_name
            return Place(self.default(), other or name, (other,) if other else ())
        location = written(name, self.given[name])
        namespace = self._namespace(location)
        table = bare(location.table)
        is_exact = _is_quoted(location.table)
        first = (table,) if is_exact else (table, table.upper())
        return Place(namespace, table, first, is_given=True, is_exact=is_exact)

    def _namespace(self, location: Written) -> Namespace:
        if location.schema is None:
            return self.default()
        found = self.namespace_of(location.schema, location.database or self.database)
        if _is_quoted(location.schema):
            found = replace(found, schema=bare(location.schema))
        if _is_quoted(location.database) and found.database != bare(location.database or ""):
            raise UsageError(f"database {location.database} does not exist in this spelling")
        return found


def _is_quoted(part: str | None) -> bool:
    return part is not None and part.startswith('"')


def assumed(schema: str, database: str | None) -> Namespace:
    """Return a schema as it is spelled if it was created without quotes."""
    parts = [
        each if each is None else bare(each) if _is_quoted(each) else each.upper()
        for each in (schema, database)
    ]
    return Namespace(parts[0] or "", parts[1] or None)


def in_words(default: Namespace, given: Mapping[str, str]) -> str:
    """Return where sources are searched for."""
    return ", ".join([str(default), *dict.fromkeys(given.values())])
