"""The sources of a project on Snowflake, all read as they were at one moment.

A source that Time Travel does not reach is copied when a run begins to build, and the copy is read;
if the catalog shows when its rows change, it is compared again at the end instead.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlglot.expressions as sge

from backends.snowflake_catalog import Catalog, Row, source_version
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_locations import Place, Places
from backends.snowflake_pinning import (
    CLOCK,
    Definition,
    Way,
    definition_of,
    in_words,
    is_settled,
    may_be_pinned,
    moment_of,
    probe,
)
from backends.snowflake_source import Source, find_source
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError, MartsError, SourceError
from marts.core.plan.state import TableState
from marts.core.run.backend import Contract

NOTHING: Row = {}
STREAM = "found a stream; a run that reads it would consume its changes"
NOT_PINNED: Mapping[Way, str] = {
    "compared": "not pinned; compared again at the end",
    "copied": "not pinned; a run that builds copies it",
}


@dataclass(frozen=True)
class Copy:
    """A source's copy: the table in its namespace, and when it was made."""

    source: Source
    namespace: Namespace
    made_at: datetime.datetime


@dataclass(frozen=True)
class Described:
    """A source that was found in a schema, and how it is read.

    `version` changes with its rows, and is None if the catalog does not show that; `definition`
    changes when it is replaced or altered.
    """

    source: Source
    way: Way
    version: str | None
    definition: Definition
    namespace: Namespace
    copy: Copy | None = None


class SnowflakeSources:
    """The sources of a project, inspected whenever they are described, or when first read.

    They are in the schema of `namespace`, unless `places` has others. `row` runs a query of one row
    about a source, in a step of the run.
    """

    def __init__(
        self,
        namespace: Namespace,
        contracts: Mapping[str, Contract],
        *,
        catalog: Catalog,
        row: Callable[[sge.Select, str, str], Sequence[Any]],
        places: Places | None = None,
    ) -> None:
        self.contracts = contracts
        self._places = places or Places(lambda: namespace, {}, Namespace, "")
        self._catalog = catalog
        self._row = row
        self._sources: dict[str, Described | None] = {}
        self._moment: datetime.datetime | None = None
        """The moment at which all pinned sources are read."""
        self._lock = threading.Lock()

    def describe(self, names: Iterable[str]) -> dict[str, TableState]:
        """Return the state of the sources that exist.

        If some were described before, all sources are read at a new moment from now on.
        """
        with self._lock:
            if self._sources.keys() & set(names):
                self._moment = None
            before = self._sources
            try:
                return self._describe(names)
            except MartsError:
                self._sources = before
                raise

    def _describe(self, names: Iterable[str]) -> dict[str, TableState]:
        # The versions are read before the moment is chosen. So a source that changes in between
        # has an older version than the rows that are read, and the next run builds again. In the
        # other order that run would find the version unchanged, and miss the change.
        places = {name: self._places.of(name, self.contracts[name]) for name in names}
        tables = self._tables(place.namespace for place in places.values())
        found = {name: self._find(name, place, tables) for name, place in places.items()}
        there = {name: read for name, read in found.items() if read}
        rows = {
            name: tables[read.namespace].get(read.source.table, NOTHING)
            for name, read in there.items()
        }
        if there and self._moment is None:
            self._moment = self._clock()
        tried = [read for name, read in there.items() if self._tries(rows[name], read.namespace)]
        pinned = self._pinnable(tried)
        self._sources = self._sources | dict.fromkeys(found)
        described = {}
        for name, read in there.items():
            if read in pinned:
                read = replace(read, way="pinned")  # noqa: PLW2901
            self._sources[name] = read = replace(read, source=self._counted(read))  # noqa: PLW2901
            described[name] = self._state(read, rows[name])
        return described

    def _tables(self, namespaces: Iterable[Namespace]) -> dict[Namespace, dict[str, Row]]:
        return {each: self._catalog.tables(each) for each in dict.fromkeys(namespaces)}

    def _find(
        self, name: str, place: Place, tables: Mapping[Namespace, Mapping[str, Row]]
    ) -> Described | None:
        """Return a source that exists, to be compared or copied; None if it is absent.

        Raises SourceError if its location is given, and nothing is there.
        """
        contract, namespace = self.contracts[name], place.namespace
        there = tables[namespace]
        found = find_source(
            name,
            contract,
            tuple(there),
            self._catalog.columns(namespace),
            spelled=place.find(tuple(there)),
        )
        if found is None and (place.is_given or not contract.optional):
            streams = place.find(self._catalog.streams(namespace))
            if streams:
                found = Source(name, streams[0], (), contract.schema, (STREAM,))
        if found is None and place.is_given:
            raise SourceError(
                f"source {name}: there is no table {place}, or the role may not read it",
                hint="correct its location in [tool.marts.sources]",
            )
        if found is None:
            return None
        row = there.get(found.table, NOTHING)
        version = source_version(row)
        way: Way = "compared" if version else "copied"
        return Described(found, way, version, definition_of(row), namespace)

    def _clock(self) -> datetime.datetime:
        (clock,) = self._row(CLOCK, "", "moment")
        return moment_of(clock)

    def _tries(self, table: Row, namespace: Namespace) -> bool:
        is_view = table.get("TABLE_TYPE") == "VIEW"
        views = self._catalog.views(namespace) if is_view else {}
        return bool(table) and may_be_pinned(table, views)

    def _pinnable(self, sources: Sequence[Described]) -> list[Described]:
        """Return those of some sources that can be read at the moment."""
        if not sources:
            return []
        tables = [each.source.at(each.namespace, self._moment) for each in sources]
        about = sources[0].source.name if len(sources) == 1 else ""
        try:
            self._row(probe(tables), about, "probe")
        except LostAnswerError:
            raise
        except EngineError:
            alone = sources if len(sources) > 1 else ()
            return [each for source in alone for each in self._pinnable([source])]
        return list(sources)

    def _counted(self, read: Described) -> Source:
        """Return a source with the values that do not fit."""
        source, namespace, moment = self._read(read)
        query = source.count(namespace, moment)
        if query is None:
            return read.source
        misfits = tuple(source.counted(self._row(query, source.name, "source")))
        return replace(read.source, misfits=misfits)

    def _state(self, read: Described, table: Row) -> TableState:
        version = read.version and f"{read.version} {read.namespace} {read.source.digest}"
        if version and self._moment and not is_settled(table, self._moment):
            # The rows that are read may lack the last change, so the next run builds again.
            version += f" at {self._moment}"
        rows = table.get("ROW_COUNT")
        return TableState(read.source.schema, rows, version, read.source.misfits)

    def _read(self, read: Described) -> tuple[Source, Namespace, datetime.datetime | None]:
        """Return what is read of a source, where, and at which moment."""
        if read.copy:
            return read.copy.source, read.copy.namespace, None
        return read.source, read.namespace, self._moment if read.way == "pinned" else None

    def qualified(self, name: str) -> sge.Table | sge.Subquery:
        """Return the table or subquery that reads a source; its default name if it is absent.

        Raises SourceError if the source cannot be read as its contract says.
        """
        read = self._described(name)
        if read is None:
            return self._absent(name)
        source, namespace, moment = self._read(read)
        return source.qualified(namespace, moment)

    def live(self, name: str) -> sge.Table | sge.Subquery:
        """Return the same for a view, which reads the source as it is at any time."""
        read = self._described(name)
        return read.source.qualified(read.namespace) if read else self._absent(name)

    def _absent(self, name: str) -> sge.Table:
        return self._places.of(name, self.contracts[name]).namespace.qualified(name)

    def found(self) -> dict[str, Described]:
        """Return the sources that were described and exist, with how each is read."""
        return {name: read for name, read in self._sources.items() if read}

    def place_of(self, name: str) -> Place:
        """Return where a source is searched for."""
        return self._places.of(name, self.contracts[name])

    def _described(self, name: str) -> Described | None:
        with self._lock:
            if name not in self._sources:
                self._describe([name])
        read = self._sources[name]
        if read and read.source.misfits:
            raise _unfit(read.source)
        return read

    def to_copy(self) -> dict[str, Described]:
        """Return the sources that have to be copied, by name."""
        described = {name: read for name, read in self._sources.items() if read}
        return {
            name: read
            for name, read in described.items()
            if read.way == "copied" and not read.copy and not read.source.misfits
        }

    def copied(self) -> set[str]:
        """Return the sources of which there is a copy."""
        return {name for name, read in self._sources.items() if read and read.copy}

    def copy(self, create: Callable[[str, sge.Select], sge.Table]) -> None:
        """Copy the sources that have to be copied, and read the copies from now on.

        `create` creates a table for a source from a query, and returns it. Raises SourceError if
        the values of a copy do not fit: rows may have been added since they were counted.
        """
        for name, read in self.to_copy().items():
            made_at = self._clock()
            table = create(name, read.source.as_it_is(read.namespace))
            copy = replace(read.source, table=table.name)
            copied = replace(read, copy=Copy(copy, Namespace(table.db, table.catalog), made_at))
            self._sources[name] = copied = replace(copied, source=self._counted(copied))
            if copied.source.misfits:
                raise _unfit(copied.source)

    def changed(
        self, names: Collection[str] | None = None, *, live: Collection[str] = ()
    ) -> list[str]:
        """Return which of some sources, or of all, a run may have read in two states.

        Of a pinned one it does not matter that its rows changed, or that it is gone, unless it is
        among those that are read `live`, too.
        """
        described = {
            name: read
            for name, read in self._sources.items()
            if read and (names is None or name in names or name in live)
        }
        if all(read.way == "copied" for read in described.values()) and not live:
            return []
        tables = self._tables(read.namespace for read in described.values())
        ends = {
            name: self._ended(
                read, tables[read.namespace].get(read.source.table), is_live=name in live
            )
            for name, read in described.items()
        }
        return [
            f"source {name}: {described[name].namespace}.{described[name].source.table} {end}"
            for name, end in ends.items()
            if end
        ]

    def _ended(self, read: Described, table: Row | None, *, is_live: bool) -> str:
        if read.way == "pinned" and not is_live:
            is_other = table is not None and definition_of(table) != read.definition
            return "was replaced or altered" if is_other else ""
        if read.way == "compared" or is_live:
            if table is None:
                return "is gone"
            return "changed" if source_version(table) != read.version else ""
        return ""

    def read(self) -> dict[str, str]:
        """Return how each source is read, in words."""
        found = ((name, read) for name, read in self._sources.items() if read)
        return {name: self._in_words(read) for name, read in found if not read.source.misfits}

    def moment(self) -> datetime.datetime | None:
        """Return the moment in UTC, without a zone, at which all sources are read, if all are."""
        ways = {read.way for read in self._sources.values() if read}
        return self._moment.replace(tzinfo=None) if self._moment and ways == {"pinned"} else None

    def _in_words(self, read: Described) -> str:
        if read.copy:
            return f"copied at {in_words(read.copy.made_at)}"
        if read.way == "pinned" and self._moment:
            return f"pinned at {in_words(self._moment)}"
        return NOT_PINNED[read.way]


def _unfit(source: Source) -> SourceError:
    return SourceError(f"source {source.name} does not fit its contract", *source.misfits)
