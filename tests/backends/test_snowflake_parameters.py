"""The parameters of a session: ours win where results depend on them, and are looked at."""

from __future__ import annotations

import pytest

from backends import snowflake_parameters as parameters
from marts.core.errors import EngineError


@pytest.mark.parametrize(
    ("own", "lock_timeout", "expected"),
    [
        ({}, None, {"LOCK_TIMEOUT": 600, "STATEMENT_TIMEOUT_IN_SECONDS": 3_600}),
        ({"lock_timeout": 60}, None, {"LOCK_TIMEOUT": 60}),
        ({"LOCK_TIMEOUT": 60}, 7, {"LOCK_TIMEOUT": 7}),
        ({"Statement_Timeout_In_Seconds": 9}, None, {"STATEMENT_TIMEOUT_IN_SECONDS": 9}),
        ({"JSON_INDENT": 4}, None, {"JSON_INDENT": 4}),
        ({name.lower(): "mine" for name in parameters.FIXED}, None, {}),
    ],
)
def test_a_connection_sets_what_does_not_change_results(
    own: dict[str, object], lock_timeout: int | None, expected: dict[str, object]
) -> None:
    found = parameters.session_parameters(own, lock_timeout=lock_timeout)
    wanted = {**parameters.FIXED, **expected}
    assert {name: found[name] for name in wanted} == wanted
    assert len(found) == len({name.upper() for name in found})


def rows(**changed: str) -> list[tuple[str, str, str]]:
    def shown(value: object) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    session = {name: shown(value) for name, value in parameters.FIXED.items()}
    return [(name, value, "a default") for name, value in (session | changed).items()]


def test_a_session_is_refused_if_a_parameter_is_not_as_asked_for() -> None:
    wanted = parameters.FIXED
    parameters.refuse_others(wanted, rows(TIMEZONE="utc", JSON_INDENT="4"))
    parameters.refuse_others(wanted, rows()[3:])
    with pytest.raises(EngineError) as caught:
        parameters.refuse_others(wanted, rows(AUTOCOMMIT="false", DATE_INPUT_FORMAT="DD/MM/YYYY"))
    assert caught.value.facts == (
        "AUTOCOMMIT is false, and must be true",
        "DATE_INPUT_FORMAT is DD/MM/YYYY, and must be AUTO",
    )


def test_a_schema_that_changes_tables_is_worth_a_warning() -> None:
    assert parameters.of_schema('"D"."S"')[0] == (
        'SHOW PARAMETERS LIKE \'DEFAULT_DDL_COLLATION\' IN SCHEMA "D"."S"'
    )
    usual = [("DEFAULT_DDL_COLLATION", ""), ("DEFAULT_METADATA_WRITE_FORMAT", "SNOWFLAKE")]
    assert list(parameters.schema_warnings(usual)) == []
    assert list(parameters.schema_warnings([("DEFAULT_DDL_COLLATION", "de-ci"), usual[1]])) == [
        "DEFAULT_DDL_COLLATION is de-ci: new columns would compare and group text by this collation"
    ]
