"""Time Travel: a table as it was at a moment, from copies that are made before it changes.

https://docs.snowflake.com/en/sql-reference/constructs/at-before
https://docs.snowflake.com/en/user-guide/data-time-travel
"""

from __future__ import annotations

import datetime
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp, parse_one

from backends.emulator import statements
from backends.emulator.rules import rewrite
from backends.emulator.statements import Name

KEPT = 100
"""Versions of a table: more than a run has statements; memory is finite."""
DEFAULT_RETENTION = 1
UNAVAILABLE = (
    "Time travel data is not available for table {}. The requested time is either beyond the"
    " allowed time travel period or before the object creation time."
)


@dataclass
class Past:
    """What is known of a table: when it was changed, and its earlier rows, until when.

    `defined` is when it was created or its definition changed last, `altered` when its rows were.
    """

    created: datetime.datetime
    retention: int
    defined: datetime.datetime
    altered: datetime.datetime
    versions: deque[tuple[datetime.datetime, pa.Table]] = field(
        default_factory=lambda: deque(maxlen=KEPT)
    )

    def at(self, moment: datetime.datetime) -> pa.Table | None:
        """Return the rows of a moment; None if they are the rows of now."""
        return next((rows for until, rows in self.versions if moment < until), None)


class History:
    """The past of all tables, by qualified name.

    Whoever commits a change, or reads the past, has the lock: else a table could change between
    the look at its versions and the statement that reads it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tables: dict[Name, Past] = {}
        self.schemas: dict[Name, int] = {}

    @contextmanager
    def changing(self, session: Any, names: Iterable[Name]) -> Iterator[None]:
        """Keep the rows of tables as they are before a change is committed."""
        with self.lock:
            known = {name: self.tables[name] for name in names if name in self.tables}
            with session._duck_conn.cursor() as committed:
                before = {
                    name: committed.execute(f"from {_sql(name)}").to_arrow_table()
                    for name, past in known.items()
                    if past.retention
                }
            yield
            for name, past in known.items():
                past.altered = _now()
                if name in before:
                    past.versions.append((past.altered, before[name]))
                self._publish(session, name)

    def _publish(self, session: Any, name: Name) -> None:
        """Show in the catalog what is known of a table."""
        database, *rest = name
        past = self.tables[name]
        with session._duck_conn.cursor() as autocommitting:
            autocommitting.execute(
                f"insert or replace into {_quoted(database)}._fs_information_schema._past"
                " values ($1, $2, $3, $4, $5)",
                [*rest, past.retention, past.defined, past.altered],
            )

    def _inherited(self, name: Name, clone: Expr | None, session: Any) -> int:
        """Return the retention of a new table that sets none: its schema's, or a clone's source's.

        On Snowflake a clone inherits only what is set on its source. That of candidates is set.
        """
        past = self.tables.get(statements.full_name(clone.this, session)) if clone else None
        return past.retention if past else self.schemas.get(name[:-1], DEFAULT_RETENTION)

    def note(self, session: Any, tree: Expr | None) -> None:
        """Remember what a definition that succeeded says of tables: created, dropped, kept."""
        match tree:
            case exp.Create(kind="SCHEMA"):
                name = statements.schema_name(tree.this, session)
                self.schemas[name] = _retention(tree, self.schemas.get(name, DEFAULT_RETENTION))
            case exp.Create(kind="TABLE"):
                name = statements.full_name(statements.target(tree), session)
                if tree.args.get("exists") and name in self.tables:
                    return
                default = self._inherited(name, tree.args.get("clone"), session)
                moment = _now()
                self.tables[name] = Past(moment, _retention(tree, default), moment, moment)
                self._publish(session, name)
            case exp.Alter() | exp.Comment() if tree.args.get("kind") == "TABLE":
                name = statements.full_name(tree.this, session)
                if past := self.tables.get(name):
                    past.retention = _retention(tree, past.retention)
                    past.altered = past.defined = _now()
                    self._publish(session, name)
            case exp.Drop(kind="TABLE"):
                self.tables.pop(statements.full_name(tree.this, session), None)
            case exp.Drop(kind="SCHEMA"):
                schema = statements.schema_name(tree.this, session)
                self.tables = {n: past for n, past in self.tables.items() if n[:-1] != schema}


HISTORY = History()
NUMBERS = itertools.count()


def time_travel() -> None:
    """Read `t AT(TIMESTAMP => …)`: a table, or the tables of a view, at a moment.

    It fails before the table's creation, and where the table's retention is 0 days.
    """

    def read_the_past(tree: Expr, self: Any) -> Expr:
        for table in list(tree.find_all(exp.Table)):
            if when := table.args.get("when"):
                moment = _moment(when, self._duck_conn)
                table.set("when", None)
                source = _at(table, moment, self._conn)
                table.replace(exp.alias_(source, table.alias_or_name, quoted=True, table=True))
        return tree

    rewrite(read_the_past)


def reads_the_past(tree: Expr | None) -> bool:
    """Tell whether a statement reads a table at a moment."""
    return tree is not None and tree.find(exp.HistoricalData) is not None


def _moment(when: exp.HistoricalData, duck: Any) -> datetime.datetime:
    expression = when.expression.sql("duckdb")
    if when.args["kind"] == "OFFSET":
        expression = f"now() + to_seconds({expression})"
    ((moment,),) = duck.execute(f"select cast({expression} as timestamptz)").fetchall()
    found: datetime.datetime = moment.astimezone(datetime.UTC)
    return found


def _at(table: exp.Table, moment: datetime.datetime, session: Any) -> exp.Table:
    """Return what a statement reads instead of a table: the table, or a view of its past."""
    duck, name = session._duck_conn, statements.full_name(table, session)
    _refuse_kind(name, duck)
    view = f"_AT_{next(NUMBERS)}"
    if definition := _definition(name, duck):
        for each in list(definition.find_all(exp.Table)):
            source = _at(each, moment, session)
            each.replace(exp.alias_(source, each.alias_or_name, quoted=True, table=True))
        duck.execute(f"create or replace temp view {view} as {definition.sql('duckdb')}")
        return exp.table_(view)
    past = HISTORY.tables.get(name)
    if past is None:
        # It does not exist, which DuckDB will say.
        return _plain(table)
    if moment < past.created:
        _refuse_moment(name)
    rows = past.at(moment)
    if rows is None:
        return _plain(table)
    duck.register(view, rows)
    return exp.table_(view)


def _refuse_kind(name: Name, duck: Any) -> None:
    """Refuse what has no Time Travel: external tables, secure views, or as a test says."""
    database, *rest = name
    schema = f"{_quoted(database)}._fs_information_schema"
    try:
        found = duck.execute(
            "select table_type in ('BASE TABLE', 'VIEW') and coalesce(is_secure, 'NO') = 'NO',"
            f" retention_time from {schema}._fs_tables"
            f" left join (select table_schema, table_name, is_secure from {schema}._fs_views)"
            " using (table_schema, table_name) where (table_schema, table_name) = ($1, $2)",
            rest,
        ).fetchall()
    except duckdb.CatalogException:
        # The database does not exist, as the statement will say.
        return
    for travels, retention in found:
        if not travels:
            message = f"Unsupported feature 'TIME TRAVEL on {name[-1]}'."
            raise ProgrammingError(msg=message, errno=2, sqlstate="0A000")
        if not retention:
            _refuse_moment(name)


def _refuse_moment(name: Name) -> None:
    raise ProgrammingError(msg=UNAVAILABLE.format(name[-1]), errno=707, sqlstate="02000")


def _plain(table: exp.Table) -> exp.Table:
    return exp.Table(**{part: table.args.get(part) for part in ("this", "db", "catalog")})


def _definition(name: Name, duck: Any) -> Expr | None:
    found = duck.execute(
        "select sql from duckdb_views()"
        " where (database_name, schema_name, view_name) = ($1, $2, $3)",
        list(name),
    ).fetchone()
    create = parse_one(found[0], read="duckdb") if found else None
    return create.expression if isinstance(create, exp.Create) else None


def _retention(tree: Expr, default: int) -> int:
    for found in tree.find_all(exp.Property):
        if found.name.upper() == "DATA_RETENTION_TIME_IN_DAYS":
            return int(found.args["value"].name)
    return default


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def _sql(name: Name) -> str:
    return exp.table_(name[2], db=name[1], catalog=name[0], quoted=True).sql("duckdb")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
