"""Where a doctor experiments on an account: two sessions, and a schema that is dropped again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from backends import snowflake_ddl as ddl
from backends.installation import Installation
from backends.snowflake_candidate_schema import SUFFIX
from backends.snowflake_catalog import Catalog
from backends.snowflake_connection import SnowflakeOptions, connect
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_governance import quoted
from backends.snowflake_locations import Places
from backends.snowflake_session import CLOSE_SECONDS, Result, Session, until_seen
from backends.snowflake_sql import Namespace
from backends.snowflake_work import remembering, started
from marts.core.errors import EngineError
from marts.core.run.backend import Contract

PREFIX = "MARTS_DOCTOR_"
"""The start of the names of scratch schemas."""


class NoScratchError(EngineError):
    """The scratch schema could not be created, so that nothing can be tried in it."""


@dataclass
class Client:
    """One session, which logs in when it is first used; `about` names the experiment.

    If it is patient, it waits for what the other session has created.
    """

    log_in: Callable[[], Session]
    tag: Mapping[str, str]
    is_patient: bool = False
    about: str = ""
    is_open: bool = False
    """Whether a transaction may be open."""
    opened: Session | None = None

    @property
    def session(self) -> Session:
        """The session; a new one if the last one is over."""
        if self.opened is None or self.opened.is_over:
            self.opened = self.log_in()
        return self.opened

    def execute(self, sql: str, *, uninterruptible: bool = False, retry: bool = True) -> Result:
        """Run one statement. Raises EngineError if it is refused."""
        attempt = partial(self._execute, sql, uninterruptible=uninterruptible)
        is_awaited = self.is_patient and retry and PREFIX in sql
        return until_seen(attempt, lambda _: True) if is_awaited else attempt()

    def _execute(self, sql: str, *, uninterruptible: bool) -> Result:
        self.is_open |= sql == ddl.BEGIN
        tag = json.dumps({**self.tag, "mart": self.about, "step": "doctor"})
        found = self.session.execute(
            sql, about=self.about, step="doctor", tag=tag, uninterruptible=uninterruptible
        )
        if sql in (ddl.COMMIT, ddl.ROLLBACK):
            self.is_open = False
        return found

    def run(self, *statements: str) -> None:
        """Run statements, one after the other."""
        for sql in statements:
            self.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [tuple(row) for row in self.execute(sql).fetchall()]

    def row(self, sql: str) -> tuple[Any, ...]:
        """Return the only row of a query."""
        (row,) = self.rows(sql)
        return row

    def value(self, sql: str) -> Any:
        """Return the only value of a query."""
        (value,) = self.row(sql)
        return value

    def records(self, sql: str, about: str = "") -> list[dict[str, Any]]:  # noqa: ARG002
        """Return the rows of a query, by lower-case names of columns."""
        return self.execute(sql).records()

    def refusal(self, sql: str) -> EngineError | None:
        """Return the error with which a statement is refused, None if it is not.

        Raises LostAnswerError if no answer arrives.
        """
        try:
            self.execute(sql)
        except LostAnswerError:
            raise
        except EngineError as error:
            return error
        return None

    def meanwhile(self, sql: str) -> Future[Result]:
        """Begin a statement, and return the future of its answer."""
        return started(partial(self.execute, sql))

    def roll_back(self) -> None:
        """Roll back what may be open."""
        if self.is_open and self.opened and not self.opened.is_unreachable:
            with suppress(EngineError):
                self.execute(ddl.ROLLBACK, uninterruptible=True)
        self.is_open = False


@dataclass
class Scratch:
    """The account as experiments see it; `contracts` is None if nobody named a package.

    `first` makes what the experiments need; `second` is another session, which sees only what is
    committed. The schemas are created when they are first used.
    """

    options: SnowflakeOptions
    run_id: str
    installed: Installation
    contracts: Mapping[str, Contract] | None = None
    created: list[Namespace] = field(default_factory=list)

    def __post_init__(self) -> None:
        tag = {"tool": "marts", "version": self.options.version, "run": self.run_id}
        self.first = Client(self._session, tag)
        self.second = Client(self._session, tag, is_patient=True)
        self.catalog = Catalog(lambda sql, _: self.first.rows(sql), self.first.records)

    def _session(self) -> Session:
        return Session(started(partial(connect, self.options)).result(), lambda _: None)

    @property
    def clients(self) -> tuple[Client, Client]:
        """Both sessions."""
        return self.first, self.second

    @cached_property
    def role(self) -> str:
        """The session's role."""
        return str(self.first.value("SELECT CURRENT_ROLE()"))

    @cached_property
    def user(self) -> str:
        """The session's user, as SQL."""
        return quoted(str(self.first.value("SELECT CURRENT_USER()")))

    @cached_property
    def database(self) -> str | None:
        """The database of the marts, as it is named by the options or the connection."""
        return self.options.database or self.first.session.connection.database

    def namespace(self, schema: str, database: str | None = None) -> Namespace:
        """Return a schema as the catalog spells it. Raises EngineError if no database is named."""
        named = database or self.database
        if named is None:
            raise EngineError(
                "no database is named", hint="pass --database, or set it in connections.toml"
            )
        return self.catalog.namespace(schema, named)

    @cached_property
    def marts(self) -> Namespace:
        """The schema of the marts, which readers use."""
        return self.namespace(self.options.schema)

    @property
    def candidates(self) -> Namespace:
        """The schema of the candidates."""
        return replace(self.marts, schema=f"{self.marts.schema}{SUFFIX}")

    @cached_property
    def sources(self) -> Namespace:
        """The schema of the sources."""
        options = self.options
        return self.namespace(options.source_schema or options.schema, options.source_database)

    @property
    def places(self) -> Places:
        """Where each source is."""
        return Places(
            lambda: self.sources,
            self.options.sources,
            self.namespace,
            self.options.source_database or "",
        )

    def source_schemas(self) -> list[Namespace]:
        """Return the schemas in which the project's sources are."""
        if not self.contracts:
            return [self.sources]
        found = (self.places.of(*each).namespace for each in self.contracts.items())
        return list(dict.fromkeys(found))

    @cached_property
    def schema(self) -> Namespace:
        """A schema of this doctor's own, which is created now."""
        return self._created("", ddl.create_schema)

    @cached_property
    def closed_schema(self) -> Namespace:
        """Another one, created as the candidates' schema is."""
        return self._created(SUFFIX, ddl.create_candidates_schema)

    def _created(self, suffix: str, create: Callable[[str], str]) -> Namespace:
        run = self.run_id.replace("-", "_")
        found = Namespace(f"{PREFIX}{run}{suffix}", self.marts.database)
        if found in self.created:
            raise NoScratchError(f"there is no scratch schema {found.schema}")
        # Also if the statement is interrupted: nobody knows then whether it ran.
        self.created.append(found)
        if refused := self.first.refusal(create(found.sql)):
            raise NoScratchError(refused.summary, *refused.facts) from refused
        return found

    def name(self, relation: str) -> str:
        """Return the qualified name of a relation in the scratch schema, as SQL."""
        return self.schema.qualified(relation).sql(ddl.DIALECT)

    def table(self, name: str, columns: str, *rows: str) -> str:
        """Create a table in the scratch schema, with rows such as "1, 'a'"; return its name."""
        relation = self.name(name)
        self.first.execute(f"CREATE TRANSIENT TABLE {relation} ({columns})")
        if rows:
            values = ", ".join(f"({row})" for row in rows)
            self.first.execute(f"INSERT INTO {relation} VALUES {values}")
        return relation

    def reset(self, about: str) -> None:
        """Roll back what an experiment has left open, and begin another one."""
        for client in self.clients:
            client.roll_back()
            client.about = about

    def close(self) -> list[str]:
        """Drop the schemas and end the sessions; an interrupt waits for that.

        Returns a line for each schema that is left, with the statement that drops it.
        """
        with remembering(lambda: None):
            sessions = [each.opened for each in self.clients if each.opened]
            wait([started(each.cancel) for each in sessions])
            self.reset("drop")
            left = list(self._drop())
            wait([each.opened.close() for each in self.clients if each.opened], CLOSE_SECONDS)
        return left

    def _drop(self) -> Iterator[str]:
        is_dead = any(each.opened and each.opened.is_unreachable for each in self.clients)
        for each in reversed(self.created):
            sql, why = f"DROP SCHEMA IF EXISTS {each.sql} CASCADE", "the connection is lost"
            if not is_dead:
                try:
                    self.first.execute(sql, uninterruptible=True)
                    continue
                except EngineError as error:
                    is_dead, why = isinstance(error, LostAnswerError), error.summary
            yield f"schema {each} is left, since {why}; drop it: {sql}"
        self.created.clear()


def listed(names: Iterable[object], *, otherwise: str = "none") -> str:
    """Return names in a line."""
    return ", ".join(map(str, names)) or otherwise
