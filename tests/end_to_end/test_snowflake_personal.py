"""Policies and tags of personal data: on a column before any of its rows can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from snowflake.connector import DictCursor

from backends.snowflake_governance import Policy, Tag, governance
from backends.snowflake_sql import Namespace
from support.account import Account
from support.processes import Result
from support.refusals import ASKED_WRONGLY, FAILED

PEOPLE = '''"""Members."""

from marts import date, float64, int64, mart, source, string

members = source(
    "members",
    doc="Members.",
    grain="member",
    columns=[
        string("member"), string("name", personal="name"), string("email", personal="email"),
        int64("visits"),
    ],
)


@mart(
    grain="member",
    columns=[string("member"), string("email", personal="email"), {columns}],
)
def people(members, as_of):
    """Members, on a day."""
    return members.mutate(day=as_of.date)
'''
OTHERS = {
    "mailing": '''"""Mail."""

from marts import mart, string


@mart(
    grain="member",
    columns=[string("member"), string("email", personal="email")],
    materialized="view",
)
def mailing(people):
    """Who gets mail."""
    return people
''',
    "lengths": '''"""Lengths."""

from marts import int64, mart, string


@mart(grain="member", columns=[string("member"), int64("letters", not_personal="a length")])
def lengths(people, as_of):
    """How long addresses are."""
    return people.mutate(letters=people.email.length())
''',
}
DONE = 0
NAME, VISITS = 'string("name", personal="name")', 'int64("visits")'
DAY = 'date("day")'
BOTH = """
email = { masking_policy = "{policy}" }
name = { tag = "{tag}", value = "a name" }
"""
SET_UP = """\
CREATE SCHEMA IF NOT EXISTS {schema}
CREATE MASKING POLICY {schema}.HIDE AS (V VARCHAR) RETURNS VARCHAR -> '***'
CREATE MASKING POLICY {schema}."Show" AS (V VARCHAR) RETURNS VARCHAR -> V
CREATE MASKING POLICY {schema}.HIDE_IF AS (V VARCHAR, N NUMBER(38, 0)) RETURNS VARCHAR -> '***'
CREATE TAG {schema}.PII ALLOWED_VALUES 'a name', 'e-mail'"""
PROTECTING = r"SET (MASKING POLICY|TAG) |WITH (MASKING POLICY|TAG) "


@dataclass(frozen=True)
class Club:
    """A project in a folder, published in a schema of its own."""

    account: Account
    folder: Path
    schema: str

    @property
    def rules(self) -> str:
        """The schema of policies and tags, as SQL."""
        return f'"{self.account.database}"."{self.account.schema("RULES")}"'

    def configure(self, text: str = BOTH) -> None:
        """Write the settings of personal data."""
        rules = self.rules.replace('"', "")
        words = text.replace("{policy}", f"{rules}.hide").replace("{tag}", f"{rules}.pii")
        words = words.replace("{rules}", rules)
        (self.folder / "pyproject.toml").write_text(
            f'[tool.marts]\npackage = "club"\n[tool.marts.personal]\n{words}', "utf-8"
        )

    def run(self, *more: str, columns: tuple[str, ...] = (NAME, VISITS, DAY)) -> Result:
        """Run the marts as they are with these columns."""
        people = PEOPLE.replace("{columns}", ", ".join(columns))
        for name, text in {"people": people, **OTHERS}.items():
            (self.folder / f"club/{name}.py").write_text(text, "utf-8")
        location = self.account.run_words(schema=self.schema, sources="CLUB_SOURCES")
        words = ("run", "--as-of", "2025-06-30", *location, *more)
        return self.account.call(*words, cwd=self.folder, MARTS_PACKAGE="club")

    def records(self, sql: str, _: str = "") -> list[dict[str, Any]]:
        """Return a query's rows by lower-case column name."""
        with self.account.session.cursor(DictCursor) as cursor:
            cursor.execute(sql)
            rows: list[Any] = cursor.fetchall()
        return [{name.lower(): value for name, value in row.items()} for row in rows]

    def protected(self, name: str, kind: str = "table") -> tuple[set[Policy], set[Tag]]:
        """Return the policies and tags of a mart."""
        namespace = Namespace(self.account.schema(self.schema), self.account.database)
        found = governance(namespace, name, kind, self.records)
        return {*found.policies}, {*found.tags}

    def location(self, name: str) -> str:
        """Return a mart's qualified name."""
        return self.account.location(self.schema, name)

    @property
    def policy(self) -> Policy:
        """What each e-mail column has."""
        return Policy("MASKING_POLICY", f'{self.rules}."HIDE"', "EMAIL")

    @property
    def tag(self) -> Tag:
        """What the name's column has."""
        return Tag(f'{self.rules}."PII"', "a name", "NAME")

    def is_safe(self) -> bool:
        """Tell whether no e-mail can be read that no policy hides."""
        if "PEOPLE" not in self.account.tables(self.schema):
            return True
        ((count,),) = self.account.rows(f"SELECT COUNT(*) FROM {self.location('people')}")
        return not count or self.policy in self.protected("people")[0]


@pytest.fixture(scope="module", autouse=True)
def sources(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the source, and create the policies."""
    folder = tmp_path_factory.mktemp("club_sources")
    with duckdb.connect() as connection:
        rows = "SELECT 'm' || m AS member, 'Ann' AS name, 'a@b' AS email, m AS visits"
        connection.execute(f"COPY ({rows} FROM range(1, 4) r(m)) TO '{folder / 'members.parquet'}'")
    done = account.call(*account.load_words("CLUB_SOURCES"), "--data", folder, cwd=folder)
    assert done.returncode == DONE, done.stderr
    schema = f'"{account.database}"."{account.schema("RULES")}"'
    for sql in SET_UP.format(schema=schema).splitlines():
        account.rows(sql)


@pytest.fixture
def club(account: Account, own_schema: str, tmp_path: Path) -> Club:
    """Return the project, nothing published."""
    (tmp_path / "club").mkdir()
    (tmp_path / "club/__init__.py").touch()
    club = Club(account, tmp_path, own_schema)
    club.configure()
    return club


def test_policies_are_there_before_any_row(emulated: Account, club: Club) -> None:
    planned = club.run("--dry-run")
    assert planned.returncode == DONE, planned.stderr
    line = f"people: masking policy {club.policy.name} on column EMAIL"
    assert f"change   {line}" in planned.stdout
    assert f"change   people: tag {club.tag.name} = 'a name' on column NAME" in planned.stdout
    assert not emulated.tables(club.schema)
    with emulated.recorded() as sent:
        first = club.run()
    assert first.returncode == DONE, first.stderr + first.stdout
    statements = [each["sql"] for each in sent]
    begin = statements.index("BEGIN TRANSACTION")
    protecting = [n for n, sql in enumerate(statements) if re.search(PROTECTING, sql)]
    is_view = [statements[n].startswith("CREATE OR REPLACE VIEW") for n in protecting]
    assert is_view == [False, False, True]
    assert max(n for n, each in zip(protecting, is_view, strict=True) if not each) < begin
    assert club.protected("people") == ({club.policy}, {club.tag})
    assert club.protected("mailing", "view") == ({club.policy}, set())
    assert f"people, mailing: masking policy {club.policy.name} on column EMAIL" in first.stdout
    with emulated.recorded() as sent:
        again = club.run("--force")
    assert again.returncode == DONE, again.stderr
    assert not [each["sql"] for each in sent if re.search(r"SET (MASKING|TAG)", each["sql"])]


def test_a_published_mart_gets_what_the_settings_name_later(account: Account, club: Club) -> None:
    club.configure("")
    assert club.run().returncode == DONE
    assert club.protected("people") == (set(), set())
    club.configure()
    # Nothing is built.
    later = club.run()
    assert later.returncode == DONE, later.stderr
    assert "published" not in later.stdout.splitlines()[-1]
    assert f"masking policy {club.policy.name} on column EMAIL" in later.stdout
    assert club.protected("people") == ({club.policy}, {club.tag})
    assert club.protected("mailing", "view") == ({club.policy}, set())
    account.rows(f"ALTER TABLE {club.location('people')} MODIFY COLUMN EMAIL UNSET MASKING POLICY")
    assert club.run().returncode == DONE
    assert club.protected("people") == ({club.policy}, {club.tag})


def test_an_added_column_and_a_reshaped_mart_are_protected(club: Club) -> None:
    assert club.run(columns=(VISITS, DAY)).returncode == DONE
    assert club.protected("people") == ({club.policy}, set())
    assert club.run().returncode == DONE
    assert club.protected("people") == ({club.policy}, {club.tag})
    other = (NAME, 'float64("visits")', DAY)
    reshaped = club.run("--reshape", "people", columns=other)
    assert reshaped.returncode == DONE, reshaped.stderr
    assert club.protected("people") == ({club.policy}, {club.tag})


WRONG = {
    'email = { masking_policy = "{rules}.GONE" }': (
        '"GONE" does not exist, or the role may not put it on a column',
        "hint: GRANT APPLY ON MASKING POLICY ",
    ),
    'email = { masking_policy = "NOWHERE.RULES.HIDE" }': ('"HIDE" does not exist, or the role',),
    'name = { tag = "{rules}.GONE" }': ('"GONE" does not exist', "hint: GRANT APPLY ON TAG "),
    'name = { tag = "{rules}.PII" }': (
        'does not allow the value name\n  it allows ["a name", "e-mail"]',
    ),
    'email = { masking_policy = "{rules}.HIDE_IF" }': (
        "needs other columns\n  its arguments are (V VARCHAR, N NUMBER(38, 0))",
    ),
    'email = { masking_policy = "{rules}.\\"Show\\"" }': (
        "column EMAIL has masking policy",
        "hint: name the same in [tool.marts.personal]",
    ),
    'name = { tag = "{rules}.PII", value = "e-mail" }': (
        "column NAME has tag",
        "= 'a name', not 'e-mail'",
    ),
    'mail = { masking_policy = "{policy}" }': ("has mail, and no column", "did you mean email?"),
}


def test_what_cannot_be_put_on_is_refused_before_anything_is_built(
    emulated: Account, club: Club
) -> None:
    assert club.run().returncode == DONE
    for text, words in WRONG.items():
        club.configure(text)
        with emulated.recorded() as sent:
            refused = club.run("--force")
        assert refused.returncode == ASKED_WRONGLY, text
        assert not [each for each in words if each not in refused.stderr], refused.stderr
        assert not [each["sql"] for each in sent if "AS\nSELECT" in each["sql"]]
    assert club.protected("people") == ({club.policy}, {club.tag})


def test_no_mart_is_built_from_what_a_policy_hides(emulated: Account, club: Club) -> None:
    assert club.run().returncode == DONE
    # The emulator hides nothing: what a policy would show is written into the table.
    emulated.rows(f"UPDATE {club.location('people')} SET EMAIL = '***'")
    before = emulated.contents(club.schema)["LENGTHS"]
    refused = club.run("-s", "lengths", "--force")
    assert refused.returncode == FAILED
    assert "the role does not see the rows that were published" in refused.stdout + refused.stderr
    assert emulated.contents(club.schema)["LENGTHS"] == before


REFUSED = {"sqlstate": "42501", "message": "no"}
FAULTS: Mapping[str, tuple[str, Mapping[str, Mapping[str, object]]]] = {
    "the policy is refused": ("SET MASKING POLICY", {"fail": {"errno": 3001, **REFUSED}}),
    "the policy's answer is lost": ("SET MASKING POLICY", {"lose": {"gone": "cut"}}),
    "the tag is refused": ("SET TAG", {"fail": {"errno": 3001, **REFUSED}}),
    "the transaction does not begin": ("BEGIN TRANSACTION", {"fail": {"errno": 604, **REFUSED}}),
    "the rows are not written": ("INSERT OVERWRITE", {"lose": {"gone": "answered"}}),
    "the view is not created": ("CREATE OR REPLACE VIEW", {"fail": {"errno": 604, **REFUSED}}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_no_row_without_its_policy(
    fault: str, emulated: Account, club: Club
) -> None:
    pattern, what = FAULTS[fault]
    ((kind, words),) = what.items()
    said = {"pattern": pattern, "times": 1, **words}
    with emulated.told(**{kind: said}, detached=0.1):  # type: ignore[arg-type]
        broken = club.run()
    assert broken.returncode == FAILED, broken.stdout
    assert club.is_safe()
    again = club.run()
    assert again.returncode == DONE, again.stderr + again.stdout
    assert club.protected("people") == ({club.policy}, {club.tag})
    assert club.protected("mailing", "view") == ({club.policy}, set())
