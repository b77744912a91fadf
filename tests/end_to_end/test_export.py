"""`marts export`: the rows of a mart in a file that is complete, or not there."""

from __future__ import annotations

import csv
import io
import json
import signal
import stat
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from marts.core.operations import export
from marts.core.plan.state import RecordedTable
from marts.core.proof.comparison import assert_same_table
from marts.core.query.contract import schema_of
from support.engines import GRAPH
from support.processes import GUARD, Marts, end, started
from support.refusals import Refused, assert_says

DONE, FAILED, ASKED_WRONGLY, INTERRUPTED = 0, 1, 2, 130
PROFILE = GRAPH.project.marts["customer_360_profile"]
PERSONAL = ("full_name", "first_name", "last_name", "email")
CAMPAIGN = [
    *("export", "customer_360_profile", "--include-personal"),
    *("--columns", "customer_id,full_name,email,lifetime_value,spend_change_pct"),
    *("--where", "eligible_for_retention_campaign and lifetime_value >= 50000"),
    *("--order-by", "spend_change_pct", "--limit", "7"),
]


@pytest.fixture
def campaign(published: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return the rows of CAMPAIGN."""
    return published.execute(
        "SELECT customer_id, full_name, email, lifetime_value, spend_change_pct"
        " FROM gold.customer_360_profile"
        " WHERE eligible_for_retention_campaign AND lifetime_value >= 50000"
        " ORDER BY spend_change_pct NULLS LAST, customer_id LIMIT 7"
    ).fetchall()


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_campaign_list_is_one_command(
    form: str, campaign: list[tuple[Any, ...]], called: Marts, tmp_path: Path
) -> None:
    file = tmp_path / f"list.{form}"
    done = called(*CAMPAIGN, "--output", file.name)
    assert done.returncode == DONE, done.stderr
    total = done.stdout.split()[3]
    assert done.stdout == (
        f"done  7 of {total} rows of customer_360_profile as of 2025-06-30 → {file.name}\n"
    )
    assert int(total) > len(campaign) == 7
    if form == "csv":
        _, *found = csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline=""))
        assert found == [[str(value) for value in row] for row in campaign]
    elif form == "json":
        read = json.loads(file.read_text("utf-8"), parse_float=Decimal)
        money = [row["lifetime_value"] for row in read]
        assert [str(value) for value in money] == [str(row[3]) for row in campaign]
    else:
        assert [tuple(row.values()) for row in pq.read_table(file).to_pylist()] == campaign
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("database")
def test_all_rows_have_the_types_of_the_contract(
    published: duckdb.DuckDBPyConnection, called: Marts, tmp_path: Path
) -> None:
    done = called("export", PROFILE.name, "--output", "a.parquet", "--include-personal")
    assert done.returncode == DONE, done.stderr
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.schema.equals(schema_of(PROFILE.columns).to_pyarrow())
    expected = published.execute(f"FROM gold.{PROFILE.name}").to_arrow_table()
    assert_same_table(found, expected, grain=PROFILE.grain)
    assert done.stdout == "done  2,000 rows of customer_360_profile as of 2025-06-30 → a.parquet\n"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("mart", ["customer_360_profile", "int_customers"])
def test_personal_data_are_left_out_with_a_note(mart: str, called: Marts, tmp_path: Path) -> None:
    done = called("export", mart, "--output", "a.csv", "--limit", "2")
    assert done.returncode == DONE, done.stderr
    header, *rows = csv.reader(io.StringIO((tmp_path / "a.csv").read_text("utf-8-sig")))
    assert len(rows) == 2
    assert not {*header} & {*PERSONAL}
    assert "email" in done.stdout
    assert "--include-personal includes them" in done.stdout
    assert names(tmp_path) == {"a.csv", "target"}


REFUSED = [
    (["--output", "a.xlsx"], "cannot tell from a.xlsx which format is meant"),
    (["--output", "no/a.csv"], "there is no folder no"),
    (["--output", "there.csv"], "there.csv exists"),
    (["--output", "a.csv", "--columns", "age,EMAIL"], "holds personal data in email"),
    (["--output", "a.csv", "--columns", "agee"], "did you mean age"),
    (["--output", "a.csv", "--where", "agee > 1"], "did you mean age"),
    (["--output", "a.csv", "--order-by", "agee"], "did you mean age"),
    (["--output", "a.csv", "--as-of", "2025-05-31"], "is published as of 2025-06-30"),
    (["--output", "a.csv", "--schema", "empty"], "is not published"),
    ([], "Missing option '--output'"),
]


@pytest.mark.usefixtures("left_alone")
@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_wrong_is_refused_and_nothing_is_left(
    words: list[str], said: str, refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "there.csv").write_text("old", "utf-8")
    printed = refused("export", PROFILE.name, *words, code=ASKED_WRONGLY)
    assert_says(printed, said)
    assert names(tmp_path) == {"target", "there.csv"}
    assert (tmp_path / "there.csv").read_text("utf-8") == "old"


@pytest.mark.usefixtures("database")
def test_a_file_is_replaced_when_asked_to(called: Marts, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old", "utf-8")
    words = ("export", PROFILE.name, "--output", "a.json", "--limit", "0", "--overwrite")
    assert called(*words).returncode == DONE
    assert (tmp_path / "a.json").read_text("utf-8") == "[]\n"


def endless(database: Path) -> None:
    """Let the published profile have more rows than anybody can read."""
    with duckdb.connect(str(database)) as connection:
        connection.execute("ALTER TABLE gold.customer_360_profile RENAME TO few")
        connection.execute(
            "CREATE VIEW gold.customer_360_profile AS"
            " SELECT few.* FROM range(1000000000) CROSS JOIN gold.few"
        )


@pytest.mark.parametrize(("form", "sent"), [("csv", signal.SIGINT), ("parquet", signal.SIGTERM)])
def test_an_interrupt_leaves_nothing(
    form: str, sent: signal.Signals, database: Path, tmp_path: Path
) -> None:
    endless(database)
    words = ("export", PROFILE.name, "--output", f"a.{form}")
    with started(*words, cwd=tmp_path) as process:
        deadline = time.monotonic() + GUARD
        while not any(each.stat().st_size for each in tmp_path.glob(".a.*")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        printed = end(process, sent)
    assert (process.returncode, printed.strip()) == (INTERRUPTED, "interrupted")
    assert names(tmp_path) == {"target"}


def test_what_fails_halfway_leaves_nothing_and_quotes_no_value(
    database: Path, called: Marts, tmp_path: Path
) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("ALTER TABLE gold.customer_360_profile RENAME TO few")
        connection.execute(
            "CREATE VIEW gold.customer_360_profile AS SELECT few.* REPLACE"
            " (CASE WHEN i = 99 AND age > 20 THEN email ELSE '1' END::INT AS age)"
            " FROM gold.few CROSS JOIN range(100) t(i)"
        )
    done = called("export", PROFILE.name, "--output", "a.csv")
    assert done.returncode == FAILED
    assert "could not query customer_360_profile" in done.stderr
    assert "@" not in done.stderr
    assert names(tmp_path) == {"target"}


def test_rows_of_two_publications_are_not_mixed_with_one_date(
    database: Path, called: Marts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter("ab")
    monkeypatch.setattr(
        export,
        "publication_of",
        lambda mart, _: RecordedTable("marts", mart.name, "table", next(runs), None),
    )
    done = called("export", PROFILE.name, "--output", "a.csv")
    assert database.exists()
    assert done.returncode == FAILED
    assert "was published again while it was read" in done.stderr
    assert names(tmp_path) == {"target"}
