"""Databases and schemas are named as Snowflake's catalog spells them: without an account."""

from __future__ import annotations

from typing import Any

import pytest

from backends.snowflake_catalog import Catalog, Row
from backends.snowflake_names import spelled
from backends.snowflake_sql import Namespace
from marts.core.errors import UsageError

SPELLED = [
    ("gold", {"gold", "GOLD", "Gold"}, "gold"),
    ("gold", {"GOLD", "Gold"}, "GOLD"),
    ("gold", {"Gold", "SILVER"}, "Gold"),
    ("GOLD", {"gold"}, "gold"),
    ('"gold"', {"gold", "GOLD"}, "gold"),
    ('"a""b"', {'a"b'}, 'a"b'),
    ("gold", {"SILVER"}, None),
    ("g_ld", {"GOLD"}, None),
]


@pytest.mark.parametrize(("name", "known", "found"), SPELLED)
def test_a_name_is_this_one_or_upper_case_or_the_only_one_in_another_case(
    name: str, known: set[str], found: str | None
) -> None:
    assert spelled("schema", name, known) == found


def test_a_name_that_may_be_several_is_refused_with_all_of_them() -> None:
    with pytest.raises(UsageError) as raised:
        spelled("schema", "gold", {"Gold", "gOLD"})
    assert str(raised.value) == (
        "the schema gold is ambiguous\n"
        "  found Gold and gOLD, which differ only in case\n"
        "hint: pass one of them, such as --schema Gold"
    )


class Account:
    """The databases and schemas of an account, and what is asked of them."""

    def __init__(self, **schemas: list[str]) -> None:
        self.schemas = schemas
        self.asked: list[str] = []
        self.catalog = Catalog(self.rows, self.shown)

    def rows(self, sql: str, view: str) -> list[tuple[Any, ...]]:
        """Return the schemas of a database."""
        self.asked.append(view)
        return [
            (each,) for name, all_ in self.schemas.items() if f'"{name}".' in sql for each in all_
        ]

    def shown(self, sql: str, what: str) -> list[Row]:
        """Return the databases, some of which do not match the pattern."""
        self.asked.append(what)
        assert sql.startswith("SHOW DATABASES LIKE '")
        return [{"name": name, "kind": "STANDARD"} for name in self.schemas]


def test_a_schema_is_found_in_its_database_and_each_is_asked_for_once() -> None:
    account = Account(dev=["raw", "PUBLIC"], DEV_2=["RAW"])
    found = [
        account.catalog.namespace(schema, database)
        for schema, database in [("RAW", "DEV"), ("gold", "DEV"), ("raw", "dev_2")]
    ]
    assert found == [
        Namespace("raw", "dev"),
        Namespace("GOLD", "dev"),
        Namespace("RAW", "DEV_2"),
    ]
    assert account.asked == ["DATABASES", "SCHEMATA", "DATABASES", "SCHEMATA"]


def test_a_database_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="database prod does not exist"):
        Account(DEV=["RAW"]).catalog.namespace("raw", "prod")
