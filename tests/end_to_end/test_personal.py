"""A person's name in the data, which fails in every way that quotes values: nobody prints it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from support.processes import Marts, Result
from support.refusals import ASKED_WRONGLY, FAILED

PLANTED = "Zoë O'Planted"
PARTS = ("Zoë", "Planted", "ZOË", "PLANTED", "4711471147")
"""What must not be seen anywhere, in any case."""

SOURCES = """
from marts import int64, relationship, source, string, timestamp, unique

members = source(
    "members",
    doc="Members.",
    grain="member",
    columns=[
        int64("member"),
        string("name", personal="name"),
        string("email", personal="email", null=True),
        int64("phone", personal="phone", null=True),
        timestamp("born", personal="birthday", null=True),
        string("city", null=True),
    ],
    checks=[{checks}],
)
"""
MART = '''
import ibis
from marts import *


@mart(
    grain="member",
    columns=[
        int64("member"),
        string("name", personal="name"),
        string("mail", personal="email", null=True),
        int64("number", null=True, not_personal="a test says so"),
        string("city", null=True),
    ],
    checks=[{checks}],
    materialized="{kind}",
)
def people(members: Table) -> Table:
    """Members."""
    return members.mutate(mail=members.email, number={number} + members.name.length())
'''
PYPROJECT = '[tool.marts]\npackage = "club"\ndata = "data"\n'
NAMES = f"""
(SELECT m AS member,
        '{PLANTED.replace("'", "''")}' AS name, 'Zoë@Planted' AS email, 4711471147 AS phone,
        TIMESTAMP '1947-11-04' AS born, 'Bonn' AS city
 FROM range(1, 4) r(m))
"""


@dataclass(frozen=True)
class Way:
    """How the planted value fails: declarations, rows, a command, and what it says instead."""

    says: str
    of_source: str = ""
    of_mart: str = ""
    number: str = "members.member"
    kind: str = "table"
    rows: str = f"FROM {NAMES}"
    suffix: str = "parquet"
    words: tuple[str, ...] = ("run",)
    sampled: bool = False
    """Whether a file has rows that failed, with masks."""


ROW = 'row_check("known", offending=lambda t: {column}.length() > 3, severity="{severity}")'
WAYS = {
    "a source's check of rows": Way(
        "members.known", of_source=ROW.format(column="t.name", severity="error"), sampled=True
    ),
    "a source's uniqueness": Way("members.email_unique", of_source='unique("email")', sampled=True),
    "a source's reference": Way(
        "members.email_in_members",
        of_source='relationship("email", to="members.name", severity="error")',
        sampled=True,
    ),
    "a mart's check of rows": Way(
        "people.known", of_mart=ROW.format(column="t.mail", severity="error"), sampled=True
    ),
    "a mart's warning": Way(
        "people.known", of_mart=ROW.format(column="t.name", severity="warn"), sampled=True
    ),
    "a check of a published mart": Way(
        "people.known",
        of_mart=ROW.format(column="t.name", severity="warn"),
        words=("test",),
        sampled=True,
    ),
    "a check of a table, under other names": Way(
        "people.odd",
        of_mart='table_check("odd", offending=lambda this, members: this.join('
        'members.select("member", other=members.email.upper() + "!"), "member"))',
        sampled=True,
    ),
    "a text that is almost another": Way(
        "members.name_spelling",
        of_source="",
        number='ibis.cases((members.name == "zoë o\'planted", 1), else_=0)',
        sampled=True,
    ),
    "a source's age": Way(
        "the age of the newest born is not shown: it is personal",
        of_source='fresh(hours=1, by="born")',
    ),
    "an engine that computes the mart": Way(
        "Could not convert string …", number='members.name.cast("int64")'
    ),
    "an engine that reads a view": Way(
        "Could not convert string …",
        of_mart='row_check("known", offending=lambda t: t.number < 0)',
        number='members.name.cast("int64")',
        kind="view",
    ),
    "an engine's sum": Way(
        "Overflow in multiplication of INT64 …", number="members.phone * 9000000000000"
    ),
    "a CSV file with a text for a number": Way(
        "found text with 3 values that do not fit, such as *** on line 2",
        rows=f"SELECT * REPLACE (name AS phone) FROM {NAMES}",
        suffix="csv",
    ),
    "a CSV file with too many fields": Way(
        "line 2 has 7 fields", rows=f"FROM {NAMES}", suffix="unquoted"
    ),
    "a Parquet file with too large a number": Way(
        "with 3 values that do not fit, such as ***",
        rows=f"SELECT * REPLACE (phone::DECIMAL(38, 1) + 0.5 AS phone) FROM {NAMES}",
    ),
    "a doctor who looks at the sources": Way(
        "such as ***",
        rows=f"SELECT * REPLACE (phone::DECIMAL(38, 1) + 0.5 AS phone) FROM {NAMES}",
        words=("doctor",),
    ),
}


def write(folder: Path, way: Way) -> None:
    package, data = folder / "club", folder / "data"
    for each in (package, data):
        each.mkdir()
    (package / "__init__.py").touch()
    (package / "sources.py").write_text(
        SOURCES.replace("{checks}", way.of_source)
        .replace("import int64", "import fresh, int64")
        .replace("relationship,", "relationship, row_check,"),
        "utf-8",
    )
    text = MART.replace("{checks}", way.of_mart).replace("{number}", way.number)
    (package / "people.py").write_text(text.replace("{kind}", way.kind), "utf-8")
    (folder / "pyproject.toml").write_text(PYPROJECT, "utf-8")
    with duckdb.connect() as connection:
        if way.suffix == "unquoted":
            lines = connection.execute(way.rows).fetchall()
            header = "member,name,email,phone,born,city\n"
            rows = (",".join([*map(str, row), PLANTED]) + "\n" for row in lines)
            (data / "members.csv").write_text(header + "".join(rows), "utf-8")
        else:
            connection.execute(f"COPY ({way.rows}) TO '{data / 'members'}.{way.suffix}'")


def nobody_says_it(result: Result, target: Path) -> None:
    """Look for the planted value in what was printed, and in each file but the database."""
    files = [each for each in target.rglob("*") if each.is_file() and "duckdb" not in each.name]
    shown = {"the terminal": result.stdout + result.stderr}
    shown |= {str(each): each.read_bytes().decode("utf-8", "replace") for each in files}
    for where, text in shown.items():
        assert not [part for part in PARTS if part in text], f"{where}:\n{text}"


@pytest.mark.parametrize("name", WAYS)
def test_a_personal_value_is_shown_nowhere(name: str, tmp_path: Path, called: Marts) -> None:
    way = WAYS[name]
    write(tmp_path, way)
    if way.words == ("test",):
        called("run", MARTS_PACKAGE="club")
        shutil.rmtree(tmp_path / "target/failures")
    result = called(*way.words, MARTS_PACKAGE="club")
    assert way.says in " ".join((result.stdout + result.stderr).split()), result.stdout
    nobody_says_it(result, tmp_path / "target")
    samples = [each.read_text("utf-8") for each in (tmp_path / "target").rglob("failures/*.csv")]
    assert bool(samples) == way.sampled
    assert all("***" in each for each in samples)


def test_the_catalogue_has_marks_and_no_values(tmp_path: Path, called: Marts) -> None:
    write(tmp_path, Way(""))
    assert called("run", MARTS_PACKAGE="club").returncode == 0
    result = called("docs", MARTS_PACKAGE="club")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "target/docs/tables/people.html").read_text("utf-8")
    assert "personal: email" in page
    # It has read the published rows, for the columns that are not personal.
    assert 'id="values"' in page
    nobody_says_it(result, tmp_path / "target")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_witness_in_real_data_has_masks(
    words: tuple[str, ...], tmp_path: Path, called: Marts
) -> None:
    write(tmp_path, Way(""))
    other = (tmp_path / "club/people.py").read_text("utf-8")
    other = other.replace("mail=members.email", "mail=members.email.reverse(), old=members.name")
    other = other.replace("columns=[", 'columns=[string("old", personal="name"),')
    (tmp_path / "other.py").write_text(other, "utf-8")
    call = ("witness", "people", "--data", "data", "--against", "other.py", "--seconds", "0")
    result = called(*call, *words, MARTS_PACKAGE="club")
    assert result.returncode == FAILED, result.stderr
    assert "***" in result.stdout
    nobody_says_it(result, tmp_path / "target")
    result = called(*call, "--accept", "is", MARTS_PACKAGE="club")
    assert result.returncode == ASKED_WRONGLY
    assert "an example of these rows would keep personal data" in result.stderr
    assert "members.email" in result.stderr
    assert not (tmp_path / "tests").exists()


def test_a_kind_without_protection_that_shows_a_protected_one_is_refused(
    tmp_path: Path, called: Marts
) -> None:
    write(tmp_path, Way(""))
    mart = (tmp_path / "club/people.py").read_text("utf-8")
    mart = mart.replace('personal="email"', 'personal="contact"')
    mart = mart.replace("mail=members.email", "mail=members.name + members.email")
    (tmp_path / "club/people.py").write_text(mart, "utf-8")
    entries = "[tool.marts.personal]\n"
    for kind in ("name", "email"):
        entries += f'{kind} = {{ masking_policy = "GOVERNANCE.POLICIES.HIDE" }}\n'
    (tmp_path / "pyproject.toml").write_text(PYPROJECT + entries, "utf-8")
    result = called("run", MARTS_PACKAGE="club")
    assert result.returncode == ASKED_WRONGLY, result.stderr
    assert 'people.mail is personal="contact", and shows values of: email, name' in result.stderr
    assert "members.email → people.mail" in result.stderr
    edit = 'contact = { masking_policy = "DATABASE.SCHEMA.POLICY" }'
    assert edit in result.stderr
    added = edit.replace("DATABASE.SCHEMA", "GOVERNANCE.POLICIES")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT + entries + added, "utf-8")
    assert called("run", MARTS_PACKAGE="club").returncode == 0
