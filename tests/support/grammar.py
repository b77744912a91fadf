"""Whether Snowflake's grammar has a statement, as sqlfluff knows it.

sqlfluff shares no code with sqlglot. It proves that a statement can be parsed, and nothing of what
it means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

SHOWN = 4_000
"""How many characters of a wrong statement are shown."""


@dataclass(frozen=True)
class Allowed:
    """A form that the manual has, though not sqlfluff, and what is parsed in its place."""

    pattern: str
    instead: str
    example: str
    manual: str
    """The page."""


ALLOWED: Mapping[str, Allowed] = {
    "a synonym of TIMESTAMP_NTZ, as sqlglot writes it": Allowed(
        r"\bTIMESTAMPNTZ\b",
        "TIMESTAMP_NTZ",
        'SELECT CAST("A" AS TIMESTAMPNTZ) AS "B" FROM "T"',
        "https://docs.snowflake.com/en/sql-reference/data-types-datetime",
    ),
    "sqlfluff knows SHOW of other objects": Allowed(
        "^SHOW PRIMARY KEYS ",
        "SHOW TABLES ",
        'SHOW PRIMARY KEYS IN SCHEMA "D"."S"',
        "https://docs.snowflake.com/en/sql-reference/sql/show-primary-keys",
    ),
    "sqlfluff does not know SHOW TAGS either": Allowed(
        "^SHOW TAGS ",
        "SHOW TABLES ",
        """SHOW TAGS LIKE 'T' IN SCHEMA "D"."S\"""",
        "https://docs.snowflake.com/en/sql-reference/sql/show-tags",
    ),
    "sqlfluff knows APPLY ON policies, but not on a tag": Allowed(
        "^GRANT APPLY ON TAG ",
        "GRANT APPLY ON MASKING POLICY ",
        "GRANT APPLY ON TAG D.S.T TO ROLE R",
        "https://docs.snowflake.com/en/sql-reference/sql/grant-privilege",
    ),
}
"""By the reason. Take an entry out once sqlfluff parses its example."""


def stale(allowed: Mapping[str, Allowed] = ALLOWED) -> list[str]:
    """Return the exceptions that are not needed, or do not cover their own example."""
    return [
        reason
        for reason, each in allowed.items()
        if not fault(each.example, {}) or fault(each.example, {reason: each})
    ]


def fault(sql: str, allowed: Mapping[str, Allowed] = ALLOWED) -> str | None:
    """Return what sqlfluff says against a statement, None if it can be parsed."""
    for each in allowed.values():
        sql = re.sub(each.pattern, each.instead, sql)
    found = _linter().parse_string(sql).violations
    return "\n".join(each.desc() for each in found) or None


@cache
def _linter() -> Any:
    # It takes a second to load.
    from sqlfluff.core import FluffConfig, Linter

    # Without its templates, a brace is a brace.
    # Our deepest statements are nested 700 levels deep.
    overrides: dict[str, Any] = {"dialect": "snowflake", "templater": "raw", "max_parse_depth": 0}
    return Linter(config=FluffConfig(overrides=overrides))


TEXT, NAME, NUMBER = r"'(?:[^'\\]|''|\\.)*'", r'"(?:[^"]|"")*"', r"\b\d+(?:\.\d+)?\b"
TOKEN = re.compile(rf"({TEXT})|({NAME})|({NUMBER})|\s+", re.DOTALL)
STAND_INS = (" ", "'…'", '"…"', "0")


def shape(sql: str) -> str:
    """Return a statement less its values and names, equal neighbours in a list or union as one."""
    text = TOKEN.sub(lambda found: STAND_INS[found.lastindex or 0], sql)
    outer: list[list[str]] = []
    items = [""]
    for character in text:
        match character:
            case "(":
                outer.append(items)
                items = [""]
            case ")" if outer:
                inner, items = _joined(items), outer.pop()
                items[-1] += f"({inner})"
            case ",":
                items.append("")
            case _:
                items[-1] += character
    return _joined(items)


def _joined(items: Iterable[str]) -> str:
    listed = ", ".join(item for item, _ in groupby(map(str.strip, items)))
    return " UNION ALL ".join(query for query, _ in groupby(listed.split(" UNION ALL ")))


def sent_by_marts(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the statements that marts sent, of those that an emulator recorded."""
    return [event["sql"] for event in events if _tool(event["tag"]) == "marts"]


def _tool(tag: str | None) -> Any:
    return json.loads(tag).get("tool") if tag and tag.startswith("{") else None


def check(statements: Iterable[str]) -> None:
    """Fail for the statements that cannot be parsed, naming each with what sqlfluff says.

    One of each shape is parsed.
    """
    shapes: dict[str, str] = {}
    for sql in statements:
        shapes.setdefault(shape(sql), sql)
    found = {sql: fault(sql) for sql in shapes.values()}
    wrong = [f"{said}\n{sql[:SHOWN]}" for sql, said in found.items() if said]
    assert not wrong, "\n\n".join(["Snowflake's grammar has no such statement:", *wrong])
