"""What governs a published table or view is read, and put on what replaces it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from backends import snowflake_ddl as ddl
from backends.snowflake_access import close_to_readers
from backends.snowflake_candidates import Candidate
from backends.snowflake_governance import (
    Governance,
    Grant,
    Policy,
    Tag,
    carried,
    gone,
    governance,
    grantee,
    of_its_columns,
)
from backends.snowflake_keys import Key, declare_key, drop_key, keys
from backends.snowflake_kinds import unreplaceable
from backends.snowflake_replacement import replacement
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError
from support.grammar import check

GOLD = Namespace("GOLD", "DB1")
T, CANDIDATE = '"DB1"."GOLD"."T"', '"DB1"."GOLD_CANDIDATES"."T__CANDIDATE_1"'
P = '"GOV"."POLICIES"'
TABLE = Governance(
    policies=(
        Policy("MASKING_POLICY", f'{P}."MASK"', "EMAIL"),
        Policy("MASKING_POLICY", f'{P}."MASK IF"', "NAME", ("COUNTRY",)),
        Policy("ROW_ACCESS_POLICY", f'{P}."OWN"', None, ("CITY", "ID")),
    ),
    tags=(Tag(f'{P}."OWNER"', "it's us", None), Tag(f'{P}."PII"', "yes", "EMAIL")),
    grants=(
        Grant("SELECT", 'ROLE "ANALYST"'),
        Grant("SELECT", 'DATABASE ROLE "DB1"."READER"', with_grant_option=True),
        Grant("INSERT", 'SHARE "PARTNER"'),
    ),
    clustering='"CITY", "ID"',
)
COLUMNS = ("name", "email", "country", "city", "id")
MART = Candidate("t", CANDIDATE, "table", COLUMNS)
VIEW = Candidate("t", CANDIDATE, "view", COLUMNS, "SELECT 1", "A view.", {"email": "its email"})
PUT_ON = [
    f'ALTER TABLE {CANDIDATE} CLUSTER BY ("CITY", "ID")',
    f'ALTER TABLE {CANDIDATE} MODIFY COLUMN "EMAIL" SET MASKING POLICY {P}."MASK"',
    (
        f'ALTER TABLE {CANDIDATE} MODIFY COLUMN "NAME" SET MASKING POLICY {P}."MASK IF"'
        ' USING ("NAME", "COUNTRY")'
    ),
    f'ALTER TABLE {CANDIDATE} ADD ROW ACCESS POLICY {P}."OWN" ON ("CITY", "ID")',
    f"ALTER TABLE {CANDIDATE} SET TAG {P}.\"OWNER\" = 'it\\'s us'",
    f'ALTER TABLE {CANDIDATE} MODIFY COLUMN "EMAIL" SET TAG {P}."PII" = \'yes\'',
    f"ALTER TABLE {CANDIDATE} SET DATA_RETENTION_TIME_IN_DAYS = 1",
]
GOVERNED_VIEW = f"""\
CREATE OR REPLACE SECURE VIEW {T} (
  "NAME" WITH MASKING POLICY {P}."MASK IF" USING ("NAME", "COUNTRY"),
  "EMAIL" WITH MASKING POLICY {P}."MASK" WITH TAG ({P}."PII" = 'yes') COMMENT 'its email',
  "COUNTRY",
  "CITY",
  "ID"
)
COPY GRANTS
COMMENT = 'A view.'
WITH ROW ACCESS POLICY {P}."OWN" ON ("CITY", "ID")
WITH TAG ({P}."OWNER" = 'it\\'s us')
AS
SELECT 1"""
REPLACEMENTS = {
    "a table by a table": (
        MART,
        "table",
        [*PUT_ON, f"CREATE OR REPLACE TRANSIENT TABLE {T} CLONE {CANDIDATE} COPY GRANTS"],
    ),
    "a view by a table": (
        MART,
        "view",
        [
            *PUT_ON,
            f'GRANT SELECT ON TABLE {CANDIDATE} TO ROLE "ANALYST"',
            (
                f'GRANT SELECT ON TABLE {CANDIDATE} TO DATABASE ROLE "DB1"."READER"'
                " WITH GRANT OPTION"
            ),
            f'GRANT INSERT ON TABLE {CANDIDATE} TO SHARE "PARTNER"',
            f"DROP VIEW IF EXISTS {T}",
            f"CREATE OR REPLACE TRANSIENT TABLE {T} CLONE {CANDIDATE} COPY GRANTS",
        ],
    ),
    "a view by a view": (VIEW, "view", [GOVERNED_VIEW]),
    "a table by a view": (
        VIEW,
        "table",
        [
            f"DROP TABLE IF EXISTS {T}",
            GOVERNED_VIEW.replace("COPY GRANTS\n", ""),
            f'GRANT SELECT ON VIEW {T} TO ROLE "ANALYST"',
            f'GRANT SELECT ON VIEW {T} TO DATABASE ROLE "DB1"."READER" WITH GRANT OPTION',
        ],
    ),
}


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_a_replacement_is_governed_as_what_it_replaces(name: str) -> None:
    candidate, existing, statements = REPLACEMENTS[name]
    found = replace(TABLE, is_secure=candidate is VIEW)
    written = list(replacement(candidate, T, existing, found))  # type: ignore[arg-type]
    assert written == statements
    check(written)


def test_an_ungoverned_view_keeps_its_grants_and_a_new_one_has_none_to_keep() -> None:
    (over_another,) = replacement(VIEW, T, "view", Governance())
    assert over_another == VIEW.create_view(T, "SELECT 1")
    assert "COPY GRANTS\n" in over_another
    assert "COPY" not in VIEW.create_view(T, "SELECT 1", kept=ddl.NOTHING)


def test_what_goes_with_a_column_is_named() -> None:
    columns = ("name", "country", "city", "id")
    assert gone(TABLE, columns) == (
        f'masking policy {P}."MASK" goes with column EMAIL',
        f'tag {P}."PII" goes with column EMAIL',
    )
    left = carried(TABLE, columns, about="t")
    assert [each.column for each in left.policies] == ["NAME", None]
    assert left.tags == TABLE.tags[:1]
    assert gone(TABLE, COLUMNS) == ()
    assert carried(TABLE, COLUMNS, about="t") == TABLE


def test_a_policy_that_cannot_be_put_on_is_refused() -> None:
    other = Policy("AGGREGATION_POLICY", f'{P}."GROUPS"', None)
    found = replace(TABLE, policies=(*TABLE.policies, other))
    with pytest.raises(EngineError) as refused:
        list(replacement(Candidate("t", CANDIDATE, "table", ("name",)), T, "table", found))
    assert str(refused.value).splitlines() == [
        "policies of t could not be kept; nothing was published",
        f'  {P}."MASK IF" needs column COUNTRY, which is gone',
        f'  {P}."OWN" needs column CITY, which is gone',
        f'  {P}."OWN" needs column ID, which is gone',
        f'  {P}."GROUPS" is of kind aggregation policy',
        "hint: keep the columns, or let the policies' owner take these off first",
    ]
    with pytest.raises(EngineError) as refused:
        carried(found, ("name", "country", "id"), about="t", in_place=True)
    assert refused.value.facts == (f'{P}."OWN" needs column CITY, which is gone',)
    assert carried(found, COLUMNS, about="t", in_place=True) == found


Answers = Mapping[str, Sequence[Mapping[str, Any]]]


class Catalog:
    """Answers queries by a word in them, and remembers them."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def records(self, sql: str, _: str) -> Sequence[Mapping[str, Any]]:
        """Return the answer to a query, which Snowflake's grammar has."""
        self.asked.append(sql)
        check([sql])
        (found,) = [rows for word, rows in self.answers.items() if word in sql]
        return found


DDL = """\
create or replace TRANSIENT TABLE DB1.GOLD.T cluster by (COUNTRY)(
\tNAME VARCHAR(16777216) WITH MASKING POLICY GOV.POLICIES."MASK IF" USING(NAME, COUNTRY) COMMENT \
'no MASKING POLICY x, it''s said',
\tEMAIL VARCHAR(16777216) WITH MASKING POLICY GOV.POLICIES.MASK WITH TAG (GOV.POLICIES.PII='yes'),
\tPOLICY VARCHAR(16777216),
\tCOUNTRY VARCHAR(2),
\tCITY VARCHAR(16777216)
)WITH ROW ACCESS POLICY GOV.POLICIES.OWN ON (CITY,ID) WITH TAG (GOV.POLICIES.OWNER='it''s us');
"""


def policy(kind: str, name: str, column: str | None, arguments: str | None = None) -> Any:
    return {
        "policy_db": "GOV",
        "policy_schema": "POLICIES",
        "policy_name": name,
        "policy_kind": kind,
        "ref_column_name": column,
        "ref_arg_column_names": arguments,
        "tag_name": None,
    }


def tag(name: str, value: str, level: str, column: str | None = None) -> Any:
    names = {"tag_database": "GOV", "tag_schema": "POLICIES", "tag_name": name}
    return names | {"tag_value": value, "level": level, "column_name": column}


def grant(privilege: str, kind: str, name: str, option: str = "false") -> Any:
    words = {"privilege": privilege, "granted_to": kind, "grantee_name": name}
    return words | {"grant_option": option}


OF_TABLE: Answers = {
    "GET_DDL": [{"ddl": DDL}],
    "POLICY_REFERENCES": [
        policy("MASKING_POLICY", "MASK", "EMAIL"),
        policy("MASKING_POLICY", "MASK IF", "NAME"),
        policy("ROW_ACCESS_POLICY", "OWN", None, '[ "CITY", "ID" ]'),
        policy("MASKING_POLICY", "OF THE TAG", "EMAIL") | {"tag_name": "PII"},
    ],
    "TAG_REFERENCES(": [tag("OWNER", "it's us", "TABLE"), tag("COST", "1", "DATABASE")],
    "TAG_REFERENCES_ALL": [
        tag("PII", "yes", "COLUMN", "EMAIL"),
        tag("OWNER", "it's us", "TABLE", "EMAIL"),
    ],
    "SHOW GRANTS": [
        grant("OWNERSHIP", "ROLE", "MARTS_BUILDER"),
        grant("SELECT", "ROLE", "ANALYST"),
        grant("SELECT", "DATABASE_ROLE", "READER", "true"),
        grant("INSERT", "SHARE", "PARTNER"),
    ],
}


def test_what_governs_a_table_is_read() -> None:
    catalog = Catalog(OF_TABLE)
    key = 'LINEAR("CITY", "ID")'
    assert governance(GOLD, "t", "table", catalog.records, clustering=key) == TABLE
    argument = '\'"DB1"."GOLD"."T"\''
    assert catalog.asked == [
        f"SELECT GET_DDL('TABLE', {argument}, TRUE) AS \"ddl\"",
        (
            'SELECT * FROM TABLE("DB1".INFORMATION_SCHEMA.POLICY_REFERENCES('
            f"REF_ENTITY_NAME => {argument}, REF_ENTITY_DOMAIN => 'TABLE'))"
        ),
        f"SELECT * FROM TABLE(\"DB1\".INFORMATION_SCHEMA.TAG_REFERENCES({argument}, 'TABLE'))",
        (
            'SELECT * FROM TABLE("DB1".INFORMATION_SCHEMA.TAG_REFERENCES_ALL_COLUMNS('
            f"{argument}, 'TABLE'))"
        ),
        f"SHOW GRANTS ON TABLE {T}",
    ]


def test_an_ungoverned_view_takes_two_statements() -> None:
    # A role without a privilege on any policy must not ask for the policies of its own table.
    text = "create or replace secure view V(\n\tX\n) as SELECT 'MASKING POLICY p TAG (' AS X"
    catalog = Catalog({"GET_DDL": [{"ddl": text}], "SHOW GRANTS ON VIEW": []})
    assert governance(GOLD, "v", "view", catalog.records) == Governance(is_secure=True)
    assert len(catalog.asked) == 2


@pytest.mark.parametrize(
    "answers",
    [
        {"GET_DDL": [{"ddl": "create table T (X INT WITH MASKING POLICY #UNKNOWN_POLICY)"}]},
        {"GET_DDL": [{"ddl": "create table T (X INT WITH TAG (#UNKNOWN_TAG='#UNKNOWN_VALUE'))"}]},
        {"GET_DDL": [{"ddl": DDL}], "POLICY_REFERENCES": OF_TABLE["POLICY_REFERENCES"][:2]},
    ],
    ids=["policy", "tag", "fewer policies than the DDL has"],
)
def test_a_policy_that_the_role_may_not_see_is_an_error(answers: Answers) -> None:
    with pytest.raises(EngineError, match="replacing it would drop them"):
        governance(GOLD, "t", "table", Catalog(answers).records)


def test_policies_of_columns_are_read_though_others_may_not_be_seen() -> None:
    # The DDL has more policies than the role sees, and is not read; nor are grants.
    unread = ("GET_DDL", "SHOW GRANTS", "TAG_REFERENCES(")
    answers = {key: rows for key, rows in OF_TABLE.items() if key not in unread}
    email = tuple(each for each in TABLE.policies if each.column == "EMAIL")
    tags = tuple(each for each in TABLE.tags if each.column == "EMAIL")
    assert email
    assert tags
    catalog = Catalog({**answers, "POLICY_REFERENCES": OF_TABLE["POLICY_REFERENCES"][::3]})
    wanted = Governance(policies=email, tags=tags)
    found = of_its_columns(GOLD, "t", "table", catalog.records, wanted=wanted)
    assert found == wanted
    assert len(catalog.asked) == 2
    alone = Catalog(answers)
    of_its_columns(GOLD, "t", "table", alone.records, wanted=Governance(tags=tags))
    assert ["TAG_REFERENCES_ALL_COLUMNS" in sql for sql in alone.asked] == [True]


def test_grantees_are_spelled_as_sql_wants_them() -> None:
    names = {
        ("ROLE", "ANALYST"): 'ROLE "ANALYST"',
        ("ROLE", '"an analyst"'): 'ROLE "an analyst"',
        ("ROLE", "an.alyst"): 'ROLE "an.alyst"',
        ("DATABASE_ROLE", "READER"): 'DATABASE ROLE "DB1"."READER"',
        ("DATABASE_ROLE", 'DB2."a.b"'): 'DATABASE ROLE "DB2"."a.b"',
        ("APPLICATION_ROLE", "APP.R"): 'APPLICATION ROLE "APP"."R"',
        ("USER", "ANNA@EXAMPLE.ORG"): 'USER "ANNA@EXAMPLE.ORG"',
        ("APPLICATION", "APP"): 'APPLICATION "APP"',
    }
    assert {given: grantee(*given, GOLD) for given in names} == names


SCHEMA = '"DB1"."GOLD_CANDIDATES"'
CANDIDATES = Namespace("GOLD_CANDIDATES", "DB1")
OWN = grant("OWNERSHIP", "ROLE", "MARTS_BUILDER")
FOREIGN = [
    grant("USAGE", "ROLE", "ANALYST"),
    grant("MONITOR", "ROLE", "ANALYST"),
    grant("USAGE", "SHARE", "PARTNER"),
]
ROLE = [{"role": "MARTS_BUILDER"}]


def test_a_schema_of_its_owner_alone_is_closed() -> None:
    catalog = Catalog({"SHOW GRANTS ON SCHEMA": [OWN]})
    close_to_readers(CANDIDATES, is_new=False, records=catalog.records, execute=_refuse)
    assert catalog.asked == [f"SHOW GRANTS ON SCHEMA {SCHEMA}"]
    other = [grant("OWNERSHIP", "ROLE", "SYSADMIN"), grant("USAGE", "ROLE", "MARTS_BUILDER")]
    catalog = Catalog({"SHOW GRANTS ON SCHEMA": other, "CURRENT_ROLE": ROLE})
    close_to_readers(CANDIDATES, is_new=False, records=catalog.records, execute=_refuse)


def _refuse(*_: str) -> None:
    raise AssertionError


def test_future_grants_on_a_new_schema_are_revoked() -> None:
    left, revoked = [OWN, *FOREIGN], list[str]()

    def revoke(sql: str, _: str, step: str) -> None:
        assert step == "begin"
        check([sql])
        revoked.append(sql)
        name = sql.split('"')[-2]
        left[:] = [row for row in left if row["grantee_name"] != name]

    catalog = Catalog({"SHOW GRANTS": left, "CURRENT_ROLE": ROLE})
    close_to_readers(CANDIDATES, is_new=True, records=catalog.records, execute=revoke)
    assert revoked == [
        f'REVOKE ALL PRIVILEGES ON SCHEMA {SCHEMA} FROM ROLE "ANALYST"',
        f'REVOKE USAGE ON SCHEMA {SCHEMA} FROM SHARE "PARTNER"',
    ]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_schema_that_stays_open_is_refused(is_new: bool) -> None:
    catalog = Catalog({"SHOW GRANTS": [OWN, *FOREIGN[:2]], "CURRENT_ROLE": ROLE})
    revoked: list[str] = []
    with pytest.raises(EngineError) as refused:
        close_to_readers(
            CANDIDATES,
            is_new=is_new,
            records=catalog.records,
            execute=lambda sql, *_: revoked.append(sql),
        )
    assert len(revoked) == is_new
    assert str(refused.value).splitlines() == [
        "unchecked candidates in schema DB1.GOLD_CANDIDATES could be read",
        '  ROLE "ANALYST" has USAGE, MONITOR',
        f'hint: REVOKE ALL PRIVILEGES ON SCHEMA {SCHEMA} FROM ROLE "ANALYST"',
    ]


KEYS = {
    # key that is there, grain, what is run before publishing, and after it
    "a new table": (None, ("a", "b"), "", 'ADD PRIMARY KEY ("A", "B") RELY'),
    "the same grain": (Key(("A", "B")), ("b", "a"), "", ""),
    "the same, not relied on": (Key(("A",), False), ("a",), "", "MODIFY PRIMARY KEY RELY"),
    "another grain": (
        Key(("A",)),
        ("a", "b"),
        "DROP PRIMARY KEY",
        'ADD PRIMARY KEY ("A", "B") RELY',
    ),
    "a grain that is not checked": (Key(("A",)), (), "DROP PRIMARY KEY", ""),
    "neither": (None, (), "", ""),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_dropped_before_it_is_wrong_and_declared_once_it_is_right(name: str) -> None:
    found, grain, before, after = KEYS[name]
    dropped, declared = drop_key(T, found, grain), declare_key(T, found, grain)
    assert dropped == [f"ALTER TABLE {T} {before}"][: bool(before)]
    assert declared == [f"ALTER TABLE {T} {after}"][: bool(after)]
    check([*dropped, *declared])


def test_keys_are_read_in_order() -> None:
    def column(table: str, name: str, number: int, rely: str = "true") -> Any:
        row = {"table_name": table, "column_name": name, "key_sequence": number}
        return row | {"rely": rely, "constraint_name": "SYS_1"}

    rows = [column("T", "B", 2), column("U", "X", 1, "false"), column("T", "A", 1)]
    catalog = Catalog({'SHOW PRIMARY KEYS IN SCHEMA "DB1"."GOLD"': rows})
    assert keys(GOLD, catalog.records) == {
        "T": Key(("A", "B")),
        "U": Key(("X",), is_relied_on=False),
    }


def relation(**columns: str) -> Mapping[str, Any]:
    plain = dict.fromkeys(("IS_DYNAMIC", "IS_ICEBERG", "IS_HYBRID", "IS_TEMPORARY"), "NO")
    return {"TABLE_NAME": "T", "TABLE_TYPE": "BASE TABLE"} | plain | columns


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (relation(), None),
        (relation(TABLE_TYPE="VIEW"), None),
        (relation(TABLE_TYPE="MATERIALIZED VIEW"), "T is a materialized view"),
        (relation(TABLE_TYPE="EXTERNAL TABLE"), "T is an external table"),
        (relation(TABLE_TYPE="EVENT TABLE"), "T is an event table"),
        (relation(TABLE_TYPE="LOCAL TEMPORARY"), "T is a local temporary table"),
        (relation(IS_DYNAMIC="YES"), "T is a dynamic table"),
        (relation(IS_ICEBERG="YES"), "T is an Iceberg table"),
        (relation(IS_HYBRID="YES"), "T is a hybrid table"),
        (relation(IS_TEMPORARY="YES"), "T is a temporary table"),
    ],
)
def test_a_relation_of_another_kind_is_not_replaced(row: Any, line: str | None) -> None:
    assert unreplaceable(row, "table") == line


def test_a_secure_view_is_replaced_by_a_view_only() -> None:
    row, secure = relation(TABLE_TYPE="VIEW"), {"TABLE_NAME": "T", "IS_SECURE": "YES"}
    assert unreplaceable(row, "table", secure) == "T is a secure view"
    assert unreplaceable(row, "view", secure) is None
    assert unreplaceable(row, "table", secure | {"IS_SECURE": "NO"}) is None
