"""Putting policies and tags on published columns: read once, and told one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from backends.snowflake_catalog import Catalog
from backends.snowflake_protection import Protections
from backends.snowflake_protector import Protector
from backends.snowflake_sql import Namespace
from backends.snowflake_state import Schema
from marts.core.errors import EngineError
from marts.core.plan.state import Annotation, ShapeChange
from marts.core.run.backend import Protection

HIDE = Protection(masking_policy="GOVERNANCE.RULES.HIDE", tag="GOVERNANCE.RULES.PII", value="email")
MARTS = [Annotation(name, "table", "", {}, personal={"email": "email"}) for name in ("one", "two")]
COLUMNS = [{"TABLE_NAME": name, "COLUMN_NAME": "EMAIL"} for name in ("ONE", "TWO")]


class Account:
    """Two published tables without policies; refuses statements about some marts."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[str] = []
        self.namespace = Namespace("GOLD", "DB")

    def records(self, sql: str, _: str) -> Sequence[Mapping[str, Any]]:
        """Return what a query about policies and tags finds."""
        self.asked.append(sql)
        if sql.startswith("DESCRIBE"):
            return [{"signature": "(V VARCHAR)"}]
        return [{"name": "PII", "allowed_values": None}] if sql.startswith("SHOW TAGS") else []

    def execute(self, _: str, about: str, __: str) -> None:
        """Refuse to put anything on a refused mart."""
        if about in self.refused:
            raise EngineError("refused")

    def kinds(self, _: Namespace) -> Mapping[str, str]:
        """Return the kinds of the tables."""
        return {"ONE": "table", "TWO": "table"}

    def columns(self, _: Namespace) -> Sequence[Mapping[str, str]]:
        """Return the columns of the tables."""
        return COLUMNS

    @property
    def protector(self) -> Protector:
        """What puts policies on the tables."""
        schema = Schema(self.namespace, cast("Any", self.execute))
        protections = Protections({"email": HIDE}, self.records)
        return Protector(protections, schema, cast("Catalog", self), dict)


def test_what_columns_have_is_read_once_for_a_plan_and_what_carries_it_out() -> None:
    account = Account()
    protector = account.protector
    planned = protector.planned(MARTS)
    assert list(protector.protect(MARTS, read={})) == planned
    references = [sql for sql in account.asked if "_REFERENCES" in sql]
    assert len(references) == len({*references}) == 2 * len(MARTS)
    # The next plan reads again.
    protector.planned(MARTS)
    assert len([sql for sql in account.asked if "_REFERENCES" in sql]) == 2 * len(references)


def test_what_was_put_on_is_known_if_the_next_is_refused() -> None:
    told = list[ShapeChange]()
    with pytest.raises(EngineError):
        told.extend(Account("two").protector.protect(MARTS, read={}))
    assert [(each.mart, each.change.split()[0]) for each in told] == [
        ("one", "masking"),
        ("one", "tag"),
    ]
