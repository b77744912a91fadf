"""`marts doctor` on the emulator: each experiment's known answer, and worlds that are not well."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backends.snowflake_doctor import EXPERIMENTS, SnowflakeDoctor
from backends.snowflake_scratch import PREFIX
from marts.core.run.backend import Protection
from marts.core.run.diagnosis import Verdict
from reference.example import write_small_star
from support.account import Account
from support.doctored import distorted, doctor
from support.processes import Process, end

BY_NAME = {each.name: each for each in EXPERIMENTS}
SOURCES, MARTS = "DOCTORED_SOURCES", "DOCTORED"

# What the emulator answers otherwise than ok, and why.
KNOWN: Mapping[str, Verdict] = {
    "cancel": "skip",  # it has no SYSTEM$WAIT
    "search_optimization_kept": "skip",  # it has none
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small star."""
    folder = tmp_path_factory.mktemp("doctored")
    write_small_star(folder)
    return folder


@pytest.fixture(scope="module")
def with_sources(emulated: Account, folder: Path) -> Account:
    """Return the account, in which the star is loaded."""
    done = emulated.call(*emulated.load_words(SOURCES), "--data", folder, cwd=folder)
    assert done.returncode == 0, done.stderr
    return emulated


def words(account: Account) -> list[str]:
    """Return a call of the doctor."""
    return ["doctor", *account.words(schema=MARTS, sources=SOURCES)]


def scratch_schemas(account: Account) -> list[str]:
    """Return the scratch schemas that are there."""
    rows = account.rows(f'SELECT SCHEMA_NAME FROM "{account.database}".INFORMATION_SCHEMA.SCHEMATA')
    return [name for (name,) in rows if name.startswith(PREFIX)]


def test_every_experiment_has_its_known_answer(with_sources: Account, folder: Path) -> None:
    before = scratch_schemas(with_sources)
    done = with_sources.call(*words(with_sources), "--json", cwd=folder)
    document = json.loads(done.stdout)
    found = {each["experiment"]: each for each in document["diagnoses"]}
    assert list(found) == list(BY_NAME)
    expected = {**dict.fromkeys(BY_NAME, "ok"), **KNOWN}
    verdicts = {name: each["verdict"] for name, each in found.items()}
    assert verdicts == expected, [each for each in found.values() if each["verdict"] != "ok"]
    for name, each in found.items():
        assert each["evidence"], name
        if each["verdict"] == "FAIL":
            assert each["remedy"], name
        assert f"{name}  " in done.stderr
    assert document["is_safe"] is ("FAIL" not in KNOWN.values())
    assert done.returncode == (0 if document["is_safe"] else 1)
    assert scratch_schemas(with_sources) == before


# Worlds that are not well


@dataclass(frozen=True)
class World:
    """Statements that become others on their way, or what was done before; and what that is.

    `says` is in the evidence or the remedy. With `anew`, a doctor has to look again at what it
    has seen already.
    """

    pattern: str = r"(?!)"
    replacement: str = ""
    verdict: Verdict = "FAIL"
    says: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    anew: bool = False
    database: str | None = None
    source_schema: str = SOURCES
    personal: Mapping[str, Protection] = field(default_factory=dict)


NO_TRANSACTION = (r"^BEGIN TRANSACTION$", "SELECT 1")
# How marts were published once.
CLONED = (
    r"^INSERT OVERWRITE INTO (\S+) \(.*\)\nSELECT .* FROM (\S+)$",
    r"CREATE OR REPLACE TRANSIENT TABLE \1 CLONE \2",
)
NOT_OURS = (r"IS_ROLE_IN_SESSION\('\w+'\)", "FALSE")
NOW = (r" AT \(TIMESTAMP => .*\)", "")
STATE = f'"MARTS"."{MARTS}"."MARTS_STATE"'
POLICY = f'"MARTS"."{SOURCES}"."HIDE"'
CUSTOMER = f'"MARTS"."{SOURCES}"."DIM_CUSTOMER"'

WORLDS: Mapping[str, World] = {
    "identity": World(r"CURRENT_ROLE\(\)", "NULL", says="--role"),
    "clock": World(r"SYSDATE\(\)", "DATEADD(DAY, 1, SYSDATE())", says="clock"),
    "parameters": World(
        r"^SHOW PARAMETERS IN SESSION$", "SELECT 'TIMEZONE', 'Europe/Berlin'", says="must be UTC"
    ),
    "warehouse": World(r"CURRENT_WAREHOUSE\(\)", "NULL", says='TO ROLE "MARTS_ROLE"'),
    "database": World(database="NOWHERE", anew=True, says='GRANT USAGE ON DATABASE "NOWHERE"'),
    "create_schema": World(
        r"^CREATE SCHEMA.*",
        'CREATE SCHEMA "NOWHERE"."X"',
        anew=True,
        says='GRANT CREATE SCHEMA ON DATABASE "MARTS" TO ROLE "MARTS_ROLE"',
    ),
    "marts_schema": World(
        *NOT_OURS,
        before=(f"CREATE SCHEMA MARTS.{MARTS}",),
        after=(f"DROP SCHEMA MARTS.{MARTS}",),
        anew=True,
        says=f'GRANT USAGE, CREATE TABLE, CREATE VIEW ON SCHEMA "MARTS"."{MARTS}"',
    ),
    "ownership": World(
        *NOT_OURS,
        before=(
            f"CREATE SCHEMA MARTS.{MARTS}",
            f"CREATE TABLE {STATE} AS SELECT 'm' AS \"NAME\", 'table' AS \"KIND\"",
            f'CREATE TABLE "MARTS"."{MARTS}"."M" AS SELECT 1 AS "X"',
        ),
        after=(f"DROP SCHEMA MARTS.{MARTS}",),
        anew=True,
        says=f'GRANT OWNERSHIP ON TABLE "MARTS"."{MARTS}"."M"',
    ),
    "readers": World(
        before=(
            f"CREATE SCHEMA MARTS.{MARTS}",
            f"GRANT SELECT ON FUTURE TABLES IN SCHEMA MARTS.{MARTS} TO ROLE ANALYST",
        ),
        after=(
            f"REVOKE SELECT ON FUTURE TABLES IN SCHEMA MARTS.{MARTS} FROM ROLE ANALYST",
            f"DROP SCHEMA MARTS.{MARTS}",
        ),
        anew=True,
        verdict="warn",
        says=f'GRANT SELECT ON FUTURE VIEWS IN SCHEMA "MARTS"."{MARTS}" TO ROLE "ANALYST"',
    ),
    "readers: of none": World(
        before=(f"CREATE SCHEMA MARTS.{MARTS}",),
        after=(f"DROP SCHEMA MARTS.{MARTS}",),
        anew=True,
        verdict="skip",
        says="nobody has future grants",
    ),
    "source_schema": World(
        source_schema="ELSEWHERE", anew=True, says='GRANT USAGE ON SCHEMA "MARTS"."ELSEWHERE"'
    ),
    "personal_data": World(
        personal={
            "email": Protection("MARTS.PUBLIC.NOT_THERE"),
            "name": Protection(tag="MARTS.PUBLIC.NOT_THERE", value="name"),
        },
        anew=True,
        says='GRANT APPLY ON MASKING POLICY "MARTS"."PUBLIC"."NOT_THERE" TO ROLE "MARTS_ROLE"',
    ),
    "left_over": World(
        before=(f"CREATE SCHEMA MARTS.{PREFIX}OLD",),
        after=(f"DROP SCHEMA MARTS.{PREFIX}OLD",),
        verdict="warn",
        says=f'DROP SCHEMA "MARTS"."{PREFIX}OLD"',
    ),
    "sources": World(
        r"^SELECT 1 FROM \S+DIM_CUSTOMER\S+ WHERE FALSE$",
        "SELECT 1 FROM MARTS.PUBLIC.NOT_THERE",
        says=f'GRANT SELECT ON TABLE {CUSTOMER} TO ROLE "MARTS_ROLE"',
    ),
    "unmasked_sources": World(
        before=(
            f"CREATE MASKING POLICY {POLICY} AS (V VARCHAR) RETURNS VARCHAR -> 'x'",
            f'ALTER TABLE {CUSTOMER} MODIFY COLUMN "EMAIL" SET MASKING POLICY {POLICY}',
        ),
        after=(f'ALTER TABLE {CUSTOMER} MODIFY COLUMN "EMAIL" UNSET MASKING POLICY',),
        verdict="warn",
        says="dim_customer: HIDE is on EMAIL",
    ),
    "schema_parameters": World(
        r"^SHOW PARAMETERS LIKE 'DEFAULT_DDL_COLLATION'.*",
        "SELECT 'DEFAULT_DDL_COLLATION', 'en-ci'",
        verdict="warn",
        says="UNSET DEFAULT_DDL_COLLATION",
    ),
    "dates": World(
        r"DATE_FROM_PARTS\((\d+), (\d+), (\d+)\)", r"DATE_FROM_PARTS(\1, \3, \2)", says="became"
    ),
    "read_consistency": World(
        told={
            "fail": {
                "pattern": r"SELECT \* FROM .*SEEN_0",
                "errno": 2003,
                "sqlstate": "42S02",
                "message": "does not exist",
                "times": 1,
            }
        },
        verdict="warn",
        says="READ_CONSISTENCY_MODE",
    ),
    "pinning": World(*NOW, says="had 2 rows"),
    "old_build": World(*NOW, verdict="warn", says="had 2 rows"),
    "source_version": World(r"^UPDATE .*", "SELECT 1", says="--force"),
    "streams": World(r"^CREATE STREAM.*", "SELECT 1", verdict="warn", says="SHOW STREAMS"),
    "atomic": World(*NO_TRANSACTION, says="a reader saw new, old"),
    "empty_overwrite": World(r"^INSERT OVERWRITE", "INSERT", says="1 rows are left"),
    "lock_times_out": World(*NO_TRANSACTION, says="did not wait"),
    "lock_goes_on": World(*NO_TRANSACTION, says="did not wait"),
    "claim_does_not_wait": World(
        r"^INSERT INTO (\S+) SELECT 'second', 'candidate'$",
        r'UPDATE \1 SET "KIND" = "KIND"',
        verdict="warn",
        says="another transaction kept the table locked",
    ),
    "abort_on_error": World(
        r"^INSERT INTO \S+NOT_THERE\S+ .*", "SELECT 1", verdict="warn", says="could be committed"
    ),
    "ddl_commits": World(
        r"^CREATE TRANSIENT TABLE \S+COMMITTING\S+ .*", "SELECT 1", verdict="warn", says="DDL"
    ),
    "row_hash": World(r"HASH_AGG\(.*?\)", "COUNT(*)", says="with another value"),
    "masking_policy_kept": World(*CLONED, says="MASKING_OF_KEPT_MASKING_POLICY"),
    "row_access_policy_kept": World(*CLONED, says="ROWS_OF_KEPT_ROW_ACCESS_POLICY"),
    "tags_kept": World(*CLONED, says="of the column"),
    "grants_kept": World(*CLONED, says='ROLE "PUBLIC"'),
    "clustering_kept": World(*CLONED, says="clustering="),
    "stream_kept": World(*CLONED, says="Stream"),
    "comments_kept": World(*CLONED, verdict="warn", says="None"),
    "view_comments": World(
        r"^COMMENT ON COLUMN.*", "SELECT 1", verdict="warn", says="that were changed"
    ),
    "clone_keeps": World(r" COPY GRANTS$", "", says="grants differ"),
    "future_grants": World(
        r"^GRANT SELECT ON FUTURE TABLES.*", "SELECT 1", verdict="warn", says="a new table has none"
    ),
    "candidates_closed": World(
        r"^REVOKE .*",
        "SELECT 1",
        before=("GRANT USAGE ON FUTURE SCHEMAS IN DATABASE MARTS TO ROLE PUBLIC",),
        after=("REVOKE USAGE ON FUTURE SCHEMAS IN DATABASE MARTS FROM ROLE PUBLIC",),
        says="REVOKE ALL PRIVILEGES ON SCHEMA",
    ),
    "candidates_closed: those of runs": World(
        before=(
            f"CREATE SCHEMA MARTS.{MARTS}_CANDIDATES",
            f"GRANT USAGE ON SCHEMA MARTS.{MARTS}_CANDIDATES TO ROLE ANALYST",
        ),
        after=(f"DROP SCHEMA MARTS.{MARTS}_CANDIDATES",),
        anew=True,
        says=f'ON SCHEMA "MARTS"."{MARTS}_CANDIDATES" FROM ROLE "ANALYST"',
    ),
    "state_table": World(r"\nWHERE NOT EXISTS .*", "", says="was updated 2 times"),
    "catalog_sees": World(
        r'("INFORMATION_SCHEMA"\."VIEWS"\s+WHERE)', r"\1 1 = 0 AND", says="VIEWS lacks the view"
    ),
    "catalog_after_overwrite": World(*CLONED, verdict="warn", says="CREATED changed"),
    "additive_changes": World(r'^ALTER TABLE \S+ ADD COLUMN "D".*', "SELECT 1", says="column D"),
    "primary_key": World(
        r"^ALTER TABLE \S+ DROP PRIMARY KEY", "SELECT 1", verdict="warn", says="cannot be dropped"
    ),
    "rounding": World(r"'2\.5'", "'2.4'", says="is 2, not 3"),
    "division": World(r"/ 3\.0", "/ 3.1", says="0.333"),
    "nulls": World(r"'' IS NULL", "NULL IS NULL", says="not False"),
    "text": World(r"'ab', 'x'\)", "'ab', 'xy')", says="not 'xcx'"),
    "date_values": World(r"2024, 3, 1\)", "2024, 3, 2)", says="is 3, not 2"),
    "aggregates": World(r"MAX\(B\)", "MIN(B)", says="not 'y'"),
    "exact_sum": World(r'SUM\("A"\)', 'SUM(CAST("A" AS DOUBLE))', says="not 0.02"),
    "division_by_zero": World(r"CAST\(0 AS", "CAST(1 AS", verdict="warn", says="has a value"),
    "case_of_names": World(r'"a"', '"A"', says="QUOTED_IDENTIFIERS_IGNORE_CASE"),
    "put_and_copy": World(r"/'\n", "'\n", verdict="warn", says="6 rows were loaded"),
}
WITHOUT = {
    "versions",  # test_installation.py
    "search_optimization_kept",  # the emulator has none
    "cancel",  # below, where the emulator stalls a statement
    "view_copy_grants",  # whatever it finds, marts leaves the clause out for new views
}


def test_every_experiment_has_a_world_that_is_not_well() -> None:
    assert {name.partition(":")[0] for name in WORLDS} | WITHOUT == BY_NAME.keys()


@pytest.fixture(scope="module")
def well(with_sources: Account) -> Iterator[SnowflakeDoctor]:
    """Give a doctor for experiments that are made once."""
    with doctor(with_sources, schema=MARTS, source_schema=SOURCES) as opened:
        yield opened


@pytest.mark.parametrize("name", WORLDS)
def test_an_experiment_notices(name: str, with_sources: Account, well: SnowflakeDoctor) -> None:
    world, experiment = WORLDS[name], BY_NAME[name.partition(":")[0]]
    for sql in world.before:
        with_sources.rows(sql)
    try:
        with with_sources.told(**world.told), distorted(world.pattern, world.replacement) as met:
            if world.anew:
                with doctor(
                    with_sources,
                    schema=MARTS,
                    source_schema=world.source_schema,
                    database=world.database,
                    personal=world.personal,
                ) as opened:
                    found = opened.examine(experiment).finding
            else:
                found = well.examine(experiment).finding
    finally:
        for sql in world.after:
            with_sources.rows(sql)
    assert met() or world.pattern == World.pattern
    assert found.verdict == world.verdict, found
    assert world.says in " ".join([*found.evidence, found.remedy or ""]), found
    assert found.remedy


def test_a_statement_is_cancelled(well: SnowflakeDoctor, emulated: Account) -> None:
    with emulated.told(stall={"pattern": r"SYSTEM\$WAIT"}):
        assert well.examine(BY_NAME["cancel"]).finding.verdict == "ok"


# However it ends


@pytest.mark.parametrize("refused", ["", "^DROP SCHEMA"])
def test_ctrl_c_drops_the_scratch_schema_or_says_how(
    refused: str, with_sources: Account, folder: Path
) -> None:
    before = scratch_schemas(with_sources)
    no = {"pattern": refused or "(?!)", "errno": 3001, "sqlstate": "42501", "message": "no"}
    with (
        with_sources.told(stall={"pattern": "ALTER SESSION"}, fail=no),
        with_sources.recorded() as events,
        with_sources.started(*words(with_sources), cwd=folder) as process,
    ):
        wait_for(process, "schema_parameters ")
        for _ in range(3):
            os.killpg(process.pid, signal.SIGINT)
        out = end(process, signal.SIGINT)
    assert process.returncode == 130, out
    left = [name for name in scratch_schemas(with_sources) if name not in before]
    drops = [f'DROP SCHEMA IF EXISTS "MARTS"."{name}" CASCADE' for name in left]
    assert len(left) == bool(refused)
    assert all(f"drop it: {sql}" in out for sql in drops)
    assert any(event["sql"].startswith("DROP SCHEMA") for event in events)
    for sql in drops:
        with_sources.rows(sql)


def test_a_lost_session_ends_it_and_leaves_no_schema(with_sources: Account, folder: Path) -> None:
    before = scratch_schemas(with_sources)
    with with_sources.told(lose={"pattern": "ALTER SESSION", "gone": "answered"}):
        done = with_sources.call(*words(with_sources), cwd=folder)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert scratch_schemas(with_sources) == before


def wait_for(process: Process, text: str) -> None:
    """Read lines of a process until one has a text."""
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"it never said {text}")


def test_without_a_package_it_looks_at_no_sources(emulated: Account, tmp_path: Path) -> None:
    with emulated.told(
        fail={
            "pattern": "^CREATE SCHEMA",
            "errno": 3001,
            "sqlstate": "42501",
            "message": "Insufficient privileges",
        }
    ):
        done = emulated.call(*words(emulated), cwd=tmp_path, MARTS_PACKAGE="")
    assert done.returncode == 1
    assert "no package is named, so that its sources were not looked at" in done.stdout
    assert 'remedy: GRANT CREATE SCHEMA ON DATABASE "MARTS" TO ROLE "MARTS_ROLE"' in done.stdout
    assert "there is no scratch schema" in done.stdout


def test_a_connection_that_is_not_there_is_a_usage_error(emulated: Account, tmp_path: Path) -> None:
    done = emulated.call("doctor", "--connection", "nobody", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no connection nobody" in done.stderr
