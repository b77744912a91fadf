"""Experiments on the catalog, and on changes of a table's shape that publication makes."""

from __future__ import annotations

import datetime
from dataclasses import replace

from backends import snowflake_ddl as ddl
from backends.snowflake_keys import declare_key, drop_key, keys
from backends.snowflake_scratch import Scratch, listed
from backends.snowflake_shape import Changes, Column, additive_statements, shapes
from backends.snowflake_state import LOCK, NOBODY, Schema
from marts.core.plan.state import RecordedTable
from marts.core.run.diagnosis import Experiment, Finding, verdict_of

REPORT = "do not publish; report this with the evidence: marts reads the catalog"


def catalog_after_overwrite(door: Scratch) -> Finding:
    """Look a table up before and after its rows are overwritten."""
    target = door.name("LOOKED_UP")
    door.first.run(
        ddl.create_target(target, {"K": "NUMBER(38, 0)"}, comment="", column_comments={})
    )
    candidate = door.table("LOOKED_UP_NEW", '"K" INTEGER', "1", "2")
    door.catalog.forget()
    before = door.catalog.tables(door.schema).get("LOOKED_UP")
    if before is None:
        return Finding("FAIL", ("INFORMATION_SCHEMA.TABLES has no table just created",), REPORT)
    door.first.run(ddl.BEGIN, ddl.overwrite(target, candidate, ["K"]), ddl.COMMIT)
    door.catalog.forget()
    after = door.catalog.tables(door.schema)["LOOKED_UP"]
    problems = []
    if after["CREATED"] != before["CREATED"]:
        problems.append(f"CREATED changed from {before['CREATED']} to {after['CREATED']}")
    if after["ROW_COUNT"] != 2:
        problems.append(f"ROW_COUNT is {after['ROW_COUNT']} right after an overwrite by 2 rows")
    evidence = "an overwrite changes ROW_COUNT at once, and leaves CREATED alone"
    remedy = "none: marts that are up to date are built again"
    return verdict_of(problems, evidence, bad="warn", remedy=remedy)


def catalog_sees(door: Scratch) -> Finding:
    """Look up what has just been created, in each view that marts reads."""
    table = door.table("CATALOGED", '"K" INTEGER NOT NULL, "V" VARCHAR, "A" NUMBER(10, 2)')
    view = ddl.create_view(
        door.name("CATALOGED_VIEW"),
        f'SELECT "K" FROM {table}',
        columns=["k"],
        comment="",
        column_comments={},
        kept=ddl.NOTHING,
    )
    door.first.run(view)
    door.catalog.forget()
    kinds, columns = door.catalog.kinds(door.schema), door.catalog.columns(door.schema)
    found = shapes(kinds, columns)
    views = door.catalog.views(door.schema)
    problems = []
    if not door.catalog.has_schema(door.schema):
        problems.append("SCHEMATA lacks the schema")
    if kinds.get("CATALOGED") != "table" or kinds.get("CATALOGED_VIEW") != "view":
        problems.append("TABLES lacks a table or a view, or has it as another kind")
    if "CATALOGED_VIEW" not in views:
        problems.append("VIEWS lacks the view")
    types = [each.type for each in found["CATALOGED"].columns.values()] if found else []
    wanted = ("NUMBER(38, 0)", "VARCHAR", "NUMBER(10, 2)")
    # A text's longest length is Snowflake's affair.
    if tuple(each if "NUMBER" in each else each.partition("(")[0] for each in types) != wanted:
        problems.append(f"COLUMNS has the types {listed(types)}")
    return verdict_of(
        problems, "SCHEMATA, TABLES, VIEWS and COLUMNS have them at once", bad="FAIL", remedy=REPORT
    )


def additive(door: Scratch) -> Finding:
    """Add and widen columns, and let one be null, as publication does before it begins."""
    table = door.table(
        "WIDENED", '"N" NUMBER(10, 2) NOT NULL, "V" VARCHAR(3)', "12345678.25, 'abc'"
    )
    wider = (Column("N", "NUMBER", None, 18, 2), Column("V", "TEXT"))
    changes = Changes(
        added=(Column("D", "DATE"), Column("B", "BOOLEAN")), widened=wider, nullable=("N",)
    )
    door.first.run(*additive_statements(table, changes))
    door.first.run(f"INSERT INTO {table} (\"V\") VALUES ('abcdef')")
    rows = sorted((str(n), v) for n, v in door.first.rows(f'SELECT "N", "V" FROM {table}'))
    wanted = [("12345678.25", "abc"), ("None", "abcdef")]
    problems = [] if rows == wanted else [f"the rows are {listed(rows)}"]
    door.catalog.forget()
    kinds, columns = door.catalog.kinds(door.schema), door.catalog.columns(door.schema)
    shape = shapes(kinds, columns)["WIDENED"].columns
    lacking = [name for name in ("N", "V", "D", "B") if name not in shape]
    problems += [f"column {name} is missing" for name in lacking]
    if "N" in shape and (shape["N"].type, shape["N"].is_nullable) != ("NUMBER(18, 2)", True):
        problems.append(f"column N is {shape['N']}")
    evidence = "columns were added and widened, and NOT NULL was dropped; the rows are the same"
    return verdict_of(problems, evidence, bad="FAIL", remedy=REPORT)


def key_relied_on(door: Scratch) -> Finding:
    """Declare a grain as PRIMARY KEY … RELY, and drop it again."""
    table = door.table("KEYED", '"K" INTEGER, "V" VARCHAR', "1, 'a'")
    door.first.run(*declare_key(table, None, ["k"]))
    declared = keys(door.schema, door.first.records).get("KEYED")
    not_null = _not_null(door, "KEYED")
    door.first.run(*drop_key(table, declared, ["v"]))
    left = keys(door.schema, door.first.records).get("KEYED")
    still = _not_null(door, "KEYED")
    problems = []
    if declared is None or declared.columns != ("K",) or not declared.is_relied_on:
        problems.append(f"SHOW PRIMARY KEYS has {declared}")
    if left is not None:
        problems.append("the key cannot be dropped")
    nullable = "NOT NULL" if not_null else "nullable as before"
    after = "NOT NULL" if still else "nullable"
    evidence = f"its column is {nullable}, and {after} once the key is dropped"
    remedy = "none: the grain is declared after publication, for the optimizer"
    return verdict_of(problems, evidence, bad="warn", remedy=remedy)


def _not_null(door: Scratch, table: str) -> bool:
    door.catalog.forget()
    return any(
        row["IS_NULLABLE"] == "NO"
        for row in door.catalog.columns(door.schema)
        if (row["TABLE_NAME"], row["COLUMN_NAME"]) == (table, "K")
    )


def state_table(door: Scratch) -> Finding:
    """Record marts in a state table of the doctor's own, by the statements that a run sends."""
    schema = Schema(door.schema, lambda sql, *_: door.first.execute(sql))
    schema.create_state()
    lock, mart = (RecordedTable(NOBODY, LOCK, LOCK, "1"), RecordedTable("p", "m", "table", "1"))
    for _ in range(2):
        schema.claim([lock, mart], step="claim")
    locked = schema.execute(ddl.lock(schema.state, "2", kind=LOCK), "", "lock").rowcount
    day = datetime.date(2025, 6, 30)
    new = RecordedTable("p", "n", "view", "2", day, "v", "o")
    schema.record([replace(mart, run_id="2", as_of=day, version="v", origin="o"), new], step="r")
    found = sorted(schema.rows(ddl.recorded_runs(schema.state, ["m", "n"]), "", "read"))
    schema.forget(["n"], step="forget")
    left = schema.rows(ddl.recorded_of(schema.state, "n", "view"), "", "read")
    problems = []
    if locked != 1:
        problems.append(f"the lock's row was updated {locked} times")
    if found != [("p", "m", "2"), ("p", "n", "2")]:
        problems.append(f"the rows are {listed(found)}")
    if left != [(0,)]:
        problems.append("a row that was deleted is left")
    evidence = "claimed once, locked, merged and deleted"
    return verdict_of(problems, evidence, bad="FAIL", remedy=REPORT)


EXPERIMENTS = (
    Experiment("state_table", "what is published is recorded", state_table),
    Experiment("catalog_sees", "the catalog has what was just created", catalog_sees),
    Experiment(
        "catalog_after_overwrite",
        "the catalog tells a mart that is up to date",
        catalog_after_overwrite,
    ),
    Experiment("additive_changes", "columns are added and widened in place", additive),
    Experiment(
        "primary_key", "the grain is declared as a primary key", key_relied_on, refused="warn"
    ),
)
"""The experiments on the catalog and on shapes."""
