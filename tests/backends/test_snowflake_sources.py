"""The sources of a schema on Snowflake at one moment, from canned answers: without an account."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ibis
import pytest
import sqlglot.expressions as sge

from backends.snowflake_catalog import Catalog, Row
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_pinning import in_words, moment_of, pinned
from backends.snowflake_sources import SnowflakeSources
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError, SourceError
from marts.core.plan.state import TableState
from marts.core.run.backend import Contract
from support.snowflake_catalog import row


def text(tree: sge.Expr) -> str:
    return tree.sql("snowflake")


def at(second: float, *, zone: int = 0) -> datetime.datetime:
    """Return a moment after midnight, in a zone some hours off."""
    midnight = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC)
    there = datetime.timezone(datetime.timedelta(hours=zone))
    return (midnight + datetime.timedelta(seconds=second)).astimezone(there)


PINNED = (
    " AT (TIMESTAMP => TO_TIMESTAMP_TZ("
    "'2026-11-26 00:01:00.000 +00:00', 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM'))"
)


class Schema(Catalog):
    """A schema's catalog whose contents a test defines, with the queries of its values."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self.rows_: dict[str, dict[str, Any]] = {}
        self.columns_: list[dict[str, Any]] = []
        self.streams_: list[str] = []
        self.secure: set[str] = set()
        self.refused: set[str] = set()
        self.refusal = EngineError("Time travel data is not available")
        self.answers: Iterator[Sequence[Any]] = iter(())
        self.clock = at(60)
        self.asked: list[str] = []
        self.sources = SnowflakeSources(
            Namespace("RAW", "DB"), contracts, catalog=self, row=self.look
        )

    def tables(self, namespace: Namespace) -> dict[str, Row]:
        """Return the rows of TABLES."""
        self.asked.append(f"tables of {namespace}")
        return dict(self.rows_)

    def views(self, namespace: Namespace) -> dict[str, Row]:
        """Return which views are secure."""
        assert namespace == Namespace("RAW", "DB")
        views = [name for name, row in self.rows_.items() if row["TABLE_TYPE"] == "VIEW"]
        return {name: {"IS_SECURE": "YES" if name in self.secure else "NO"} for name in views}

    def columns(self, namespace: Namespace) -> list[Row]:
        """Return the rows of COLUMNS."""
        assert namespace == Namespace("RAW", "DB")
        return list(self.columns_)

    def streams(self, namespace: Namespace) -> list[str]:
        """Return the streams."""
        self.asked.append(f"streams of {namespace}")
        return self.streams_

    def look(self, query: sge.Select, about: str, step: str) -> Sequence[Any]:
        """Answer a query: of the clock, whether some tables can be pinned, of their values."""
        sql = text(query)
        if step == "moment":
            assert sql == "SELECT CURRENT_TIMESTAMP()"
            self.asked.append("clock")
            return (self.clock,)
        if step == "probe":
            tables = re.findall(r'"RAW"\."(\w+)"', sql)
            self.asked.append(f"probe of {', '.join(tables)}")
            if self.refused & set(tables):
                raise self.refusal
            return (1,)
        self.asked.append(f"values of {about}: {sql.partition(' FROM ')[2]}")
        return next(self.answers)

    def create(
        self, name: str, *, rows: int | None = 1, kind: str = "BASE TABLE", **columns: str
    ) -> None:
        """Create a table, or replace it."""
        self.rows_[name] = {
            "TABLE_NAME": name,
            "TABLE_TYPE": kind,
            "RETENTION_TIME": 1,
            "CREATED": at(0),
            "LAST_ALTERED": at(1),
            "LAST_DDL": at(1),
            "ROW_COUNT": rows,
            "BYTES": None,
        }
        self.columns_ += [row(name, column, kind) for column, kind in columns.items()]

    def found(self, *names: str) -> Mapping[str, TableState]:
        """Describe sources."""
        return self.sources.describe(names)


@pytest.fixture
def schema() -> Schema:
    contract = Contract(ibis.schema({"id": "int64", "at": "timestamp"}))
    optional = replace(contract, optional=True)
    return Schema({"visits": contract, "shops": contract, "other": contract, "maybe": optional})


PLAIN: Mapping[str, Any] = {"ID": "NUMBER(5,0)", "AT": "DATE"}


@pytest.mark.parametrize(
    ("clock", "moment"),
    [
        (at(11.123), "2026-11-26 00:00:11.123 UTC"),
        (at(11.123001), "2026-11-26 00:00:11.124 UTC"),
        (at(11.9999), "2026-11-26 00:00:12.000 UTC"),
        (at(60, zone=2), "2026-11-26 00:01:00.000 UTC"),
    ],
)
def test_a_moment_is_a_whole_millisecond_that_is_not_before_the_clock(
    clock: datetime.datetime, moment: str
) -> None:
    assert in_words(moment_of(clock)) == moment


def test_a_moment_is_written_as_snowflake_reads_it_in_every_session() -> None:
    assert text(pinned(sge.table_("t", quoted=True), at(60))) == f'"t"{PINNED}'


def test_values_that_do_not_fit_are_named_with_their_count(schema: Schema) -> None:
    schema.create("VISITS", ID="INT", AT="TIMESTAMP_NTZ")
    schema.answers = iter([(1_200, str(2**63), 1, "1970-01-01 00:00:00.000001010")])
    found = schema.found("visits")["visits"]
    assert found.misfits == (
        (
            "column id: expected int64, found decimal(38, 0) with 1,200 values that do"
            " not fit, such as 9223372036854775808"
        ),
        (
            "column at: expected timestamp, found timestamp with 1 value that does"
            " not fit, such as 1970-01-01 00:00:00.00000101"
        ),
    )
    with pytest.raises(SourceError, match="source visits does not fit its contract"):
        schema.sources.qualified("visits")
    schema.answers = iter([(0, None, 0, None)])
    assert schema.found("visits")["visits"].misfits == ()
    assert text(schema.sources.qualified("visits")) == f'"DB"."RAW"."VISITS"{PINNED}'
    assert text(schema.sources.live("visits")) == '"DB"."RAW"."VISITS"'


def test_versions_are_read_before_the_moment_at_which_everything_else_is_read(
    schema: Schema,
) -> None:
    schema.create("visits", id="INT", AT="DATE")
    schema.create("SHOPS", **PLAIN)
    schema.answers = iter([(0, None)])
    schema.found("visits", "shops")
    assert schema.asked == [
        "tables of DB.RAW",
        "clock",
        "probe of visits, SHOPS",
        f'values of visits: "DB"."RAW"."visits"{PINNED} AS "S"',
    ]
    assert text(schema.sources.qualified("visits")).endswith(
        f'FROM "DB"."RAW"."visits"{PINNED} AS "S")'
    )


def test_a_source_is_looked_at_when_it_is_first_read(schema: Schema) -> None:
    schema.create("visits", **PLAIN)
    schema.create("OTHER", **PLAIN)
    assert PINNED in text(schema.sources.qualified("visits"))
    schema.clock = at(61)
    assert PINNED in text(schema.sources.qualified("other"))
    assert PINNED in text(schema.sources.qualified("visits"))
    assert text(schema.sources.qualified("shops")) == '"DB"."RAW"."SHOPS"'
    assert schema.asked.count("clock") == 1


def test_sources_described_again_are_all_read_at_a_new_moment(schema: Schema) -> None:
    schema.create("visits", **PLAIN)
    schema.create("OTHER", **PLAIN)
    schema.found("visits", "other")
    schema.clock = at(61)
    schema.found("other")
    read = {text(schema.sources.qualified(name)) for name in ("visits", "other")}
    assert all("00:01:01.000" in sql for sql in read)
    assert set(schema.sources.read().values()) == {"pinned at 2026-11-26 00:01:01.000 UTC"}


COMPARED = "not pinned; compared again at the end"
COPIED = "not pinned; a run that builds copies it"


@pytest.mark.parametrize(
    ("kind", "also", "read"),
    [
        ("BASE TABLE", {"RETENTION_TIME": 90}, "pinned at 2026-11-26 00:01:00.000 UTC"),
        ("BASE TABLE", {"RETENTION_TIME": 0}, COMPARED),
        ("BASE TABLE", {"RETENTION_TIME": None}, COMPARED),
        ("BASE TABLE", {"RETENTION_TIME": 0, "LAST_ALTERED": None}, COPIED),
        ("VIEW", {}, "pinned at 2026-11-26 00:01:00.000 UTC"),
        ("EXTERNAL TABLE", {}, COPIED),
        ("MATERIALIZED VIEW", {}, COPIED),
        ("EVENT TABLE", {}, COPIED),
    ],
)
def test_what_can_be_pinned_is_known_by_its_kind(
    kind: str, also: dict[str, Any], read: str, schema: Schema
) -> None:
    schema.create("VISITS", kind=kind, **PLAIN)
    schema.rows_["VISITS"] |= also
    schema.found("visits")
    assert schema.sources.read() == {"visits": read}
    assert list(schema.sources.to_copy()) == (["visits"] if read == COPIED else [])


def test_a_secure_view_is_copied(schema: Schema) -> None:
    schema.create("VISITS", kind="VIEW", **PLAIN)
    schema.secure = {"VISITS"}
    schema.found("visits")
    assert schema.sources.read() == {"visits": COPIED}


def test_what_cannot_be_pinned_after_all_is_found_by_trying(schema: Schema) -> None:
    schema.create("VISITS", kind="VIEW", **PLAIN)
    schema.create("SHOPS", **PLAIN)
    schema.create("OTHER", **PLAIN)
    schema.refused = {"VISITS", "OTHER"}
    schema.found("visits", "shops", "other")
    pinned_at = "pinned at 2026-11-26 00:01:00.000 UTC"
    assert schema.sources.read() == {"visits": COPIED, "shops": pinned_at, "other": COMPARED}
    assert schema.asked[2:] == [
        "probe of VISITS, SHOPS, OTHER",
        *(f"probe of {name}" for name in ("VISITS", "SHOPS", "OTHER")),
    ]


def test_an_error_of_the_connection_is_no_answer_about_time_travel(schema: Schema) -> None:
    schema.create("VISITS", **PLAIN)
    schema.refused, schema.refusal = {"VISITS"}, LostAnswerError("the line is dead")
    with pytest.raises(LostAnswerError):
        schema.found("visits")


def test_a_copy_has_the_columns_as_they_are_and_is_read_like_its_source(schema: Schema) -> None:
    schema.create("visits", kind="EXTERNAL TABLE", id="INT", AT="DATE", more="TEXT")
    schema.answers = iter([(0, None), (0, None)])
    schema.found("visits")
    before = text(schema.sources.qualified("visits"))
    copies: list[str] = []

    def create(name: str, query: sge.Select) -> sge.Table:
        copies.append(f"{name}: {text(query)}")
        return sge.table_("V__1", db="own", catalog="DB", quoted=True)

    schema.clock = at(90)
    schema.sources.copy(create)
    assert copies == ['visits: SELECT "S"."id", "S"."AT" FROM "DB"."RAW"."visits" AS "S"']
    assert schema.asked[-1] == 'values of visits: "DB"."own"."V__1" AS "S"'
    now = text(schema.sources.qualified("visits"))
    assert now == before.replace('"DB"."RAW"."visits"', '"DB"."own"."V__1"')
    assert text(schema.sources.live("visits")) == before
    assert schema.sources.read() == {"visits": "copied at 2026-11-26 00:01:30.000 UTC"}
    del schema.rows_["visits"]
    assert schema.sources.changed() == []


def test_a_copy_with_a_value_that_does_not_fit_is_refused(schema: Schema) -> None:
    schema.create("VISITS", kind="EXTERNAL TABLE", ID="INT", AT="DATE")
    schema.answers = iter([(0, None), (1, str(2**63))])
    schema.found("visits")
    with pytest.raises(SourceError, match="source visits does not fit its contract"):
        schema.sources.copy(lambda *_: sge.table_("V__1", db="own", catalog="DB"))


def test_a_stream_is_not_a_source(schema: Schema) -> None:
    schema.streams_ = ["Visits", "MAYBE"]
    found = schema.found("visits", "shops", "maybe")
    assert list(found) == ["visits"]
    assert found["visits"].misfits == (
        "found a stream; a run that reads it would consume its changes",
    )
    with pytest.raises(SourceError, match="source visits"):
        schema.sources.qualified("visits")
    assert schema.sources.read() == {}
    assert list(schema.sources.to_copy()) == []


def test_sources_that_changed_so_that_two_states_may_have_been_read_are_named(
    schema: Schema,
) -> None:
    assert schema.sources.changed() == []
    for name in ("VISITS", "shops", "OTHER", "X"):
        schema.create(name, id="NUMBER(5,0)", AT="DATE")
        schema.rows_[name]["RETENTION_TIME"] = int(name == "OTHER")
    found = schema.found("visits", "shops", "other")
    assert found["visits"].version != found["shops"].version
    assert found["visits"].types == ibis.schema({"id": "int64", "at": "timestamp"})
    assert schema.sources.changed() == []
    for row_ in schema.rows_.values():
        row_["LAST_ALTERED"] = at(70)
    del schema.rows_["shops"]
    assert schema.sources.changed() == [
        "source visits: DB.RAW.VISITS changed",
        "source shops: DB.RAW.shops is gone",
    ]
    assert "shops" not in schema.found("visits", "shops")
    assert schema.sources.changed() == []


@pytest.mark.parametrize("kind", ["BASE TABLE", "VIEW"])
def test_a_pinned_source_may_change_and_go_but_not_become_another(
    kind: str, schema: Schema
) -> None:
    schema.create("VISITS", kind=kind, **PLAIN)
    assert (schema.found("visits")["visits"].version is None) == (kind == "VIEW")
    schema.rows_["VISITS"] |= {"LAST_ALTERED": at(70), "ROW_COUNT": 2}
    assert schema.sources.changed() == []
    replaced = ["source visits: DB.RAW.VISITS was replaced or altered"]
    for column in ("CREATED", "LAST_DDL"):
        before = dict(schema.rows_["VISITS"])
        schema.rows_["VISITS"][column] = at(70)
        assert schema.sources.changed() == replaced
        schema.rows_["VISITS"] = before
    del schema.rows_["VISITS"]
    assert schema.sources.changed() == []


def test_a_source_that_changed_right_before_the_moment_has_a_version_of_its_own(
    schema: Schema,
) -> None:
    schema.create("VISITS", **PLAIN)
    schema.rows_["VISITS"]["LAST_ALTERED"] = at(59.8)
    settled = [schema.found("visits")["visits"].version for _ in range(2)]
    assert settled[0] == settled[1]
    schema.clock = at(59.85)
    soon = schema.found("visits")["visits"].version
    assert soon not in settled
    assert schema.sources.changed() == []
