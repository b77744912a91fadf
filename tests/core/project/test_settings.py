"""Settings of a project's file: read by type, refused with file, key and the nearest name."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marts.core.errors import UsageError
from marts.core.project.settings import KEYS, Settings, settings_of_file, with_given

FILE = Path("shop/pyproject.toml")
ALL = """
package = "shop"
env = "trial"
defer = "prod"
exclude = ["old_*", "tag:trial"]
backend = "snowflake"
data = "data"
database = "ANALYTICS"
schema = "dev"
source_database = "RAW"
source_schema = "STAR"
connection = "production"
warehouse = "WH"
role = "BUILDER"
threads = 4
memory_limit = "4GB"
lock_timeout = 60
reshape = ["totals"]
target = "/var/target"
proof = ["tests/proof", "checks/revenue.py"]
examples = "examples"
proof_level = "reference"
require_proof = true
proof_file = "proof.json"
strict = true

[sources]
orders = "raw/orders.csv"

[personal]
email = { masking_policy = 'RULES.P."hide e-mail"' }
name = { tag = "rules.tags.pii" }

[environments.trial]
[environments.prod]

[[acknowledge]]
table = "orders"
check = "few"
reason = "summer"
until = 2027-06-30
"""


def settings(text: str, env: str | None = None) -> Settings:
    return settings_of_file(tomllib.loads(text), FILE, env=env)


def test_every_key_sets_the_field_of_its_name() -> None:
    read = settings(ALL)
    assert tomllib.loads(ALL).keys() == KEYS.keys()
    assert all(getattr(read, key) != getattr(Settings(), key) for key in KEYS)
    assert (read.exclude, read.threads, read.strict) == (("old_*", "tag:trial"), 4, True)
    assert (read.data, read.target) == (Path("shop/data"), Path("/var/target"))
    assert read.proof == (Path("shop/tests/proof"), Path("shop/checks/revenue.py"))
    assert read.personal == {
        "email": {"masking_policy": 'RULES.P."hide e-mail"'},
        "name": {"tag": "rules.tags.pii", "value": "name"},
    }
    ((table, known),) = read.acknowledge
    assert (table, known.check, known.until) == ("orders", "few", datetime.date(2027, 6, 30))
    assert (read.folder, read.file) == (Path("shop"), FILE)


def test_what_is_not_said_is_the_default_in_the_projects_folder() -> None:
    assert settings("") == Settings(folder=Path("shop"), target=Path("shop/target"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('pakage = "shop"', "marts.pakage in {} is not a setting\nhint: did you mean package?"),
        ('source-schema = "s"', "is not a setting\nhint: did you mean source_schema?"),
        ('password = "hush"', "password in {} is not a setting\nhint: the settings are: "),
        ("package = 3", "tool.marts.package in {} is 3\n  expected a non-empty string"),
        ('package = " "', 'tool.marts.package in {} is " "\n'),
        ('connection = {password = "hush"}', "connection in {} is a table\n  expected a non-empty"),
        ('backend = "duck"', 'is "duck"\n  expected "duckdb" or "snowflake"'),
        ("backend = []", "is an array\n  expected"),
        ("threads = 0", "threads in {} is 0\n  expected a whole number from 1"),
        ("threads = true", "threads in {} is true\n"),
        ('threads = "four"', 'threads in {} is "four"\n'),
        ("threads = 2027-06-30", 'threads in {} is "2027-06-30"\n'),
        ('exclude = "a"', 'exclude in {} is "a"\n  expected an array of non-empty strings'),
        ('exclude = ["a", 1]', "exclude in {} is an array\n"),
        ('require_proof = "proof.json"', "expected true or false"),
        ('proof_level = "full"',
         'expected "engines" or "reference" or "reference + mutants"'),
        ('strict = "yes"', 'strict in {} is "yes"\n  expected true or false'),
        ("sources = 1", "sources in {} is 1\n  expected a table of non-empty strings, one for"),
        ('sources = {orders = ""}', "sources in {} is a table\n  expected a table of non-empty"),
        ("acknowledge = 1", "each written as [[tool.marts.acknowledge]]"),
        ("acknowledge = [1]", "each written as [[tool.marts.acknowledge]]"),
        ("sources = {orders = 1}", "sources in {} is a table\n  expected a table of non-empty"),
        ("environments = 1", "environments in {} is 1\n  expected tables, each written as [tool."),
        ("environments.dev = 1", "each written as [tool.marts.environments.NAME]"),
        ('environments.dev.shema = "s"',
         "tool.marts.environments.dev.shema in {} is not a setting\nhint: did you mean schema?"),
        ("environments.dev.threads = 0", "environments.dev.threads in {} is 0\n  expected"),
        ('environments.dev.package = "p"', "environments.dev.package in {} is not a setting\n"),
        ('environments.dev.env = "p"', "tool.marts.environments.dev.env in {} is not a setting\n"),
        ('env = "prd"\nenvironments.prod = {}',
         '"prd": there is no such environment\n  the environments in {} are: prod\nhint: did you'),
        ('env = "dev"', "  {} has no environments\nhint: write its settings below [tool.marts.e"),
        ('acknowledge = [{table = "a"}]', "an acknowledgement in {} has table\nhint: it needs"),
        ("personal.email = 1", "personal in {} is a table\n  expected tables by kind of personal"),
        ('personal.email = {masking = "A.B.C"}',
         "tool.marts.personal.email in {} has masking\nhint: did you mean masking_policy?"),
        ("personal.email = {}", "email in {} names neither a masking_policy nor a tag\nhint"),
        ('personal.name = {value = "n"}', "name in {} has a value, and no tag that has it\n"),
        ('personal.name = {tag = "PII"}', 'tag is "PII"\n  expected a qualified name\nhint: write'),
        ('personal.name = {tag = "A.B.C.D"}', "expected a qualified name"),
        ('personal.name = {tag = "A.B."}', "expected a qualified name"),
        ('personal.name = {tag = "A.B.C; DROP"}', "expected a qualified name"),
        ('personal.name = {tag = "A.B.C", value = ""}', 'value is ""\n  expected a non-empty'),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_refused(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings(text)
    assert expected.replace("{}", str(FILE)) in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "database", "acknowledged"),
    [
        ({}, "x.duckdb", 1),
        ({"package": "shop", "backend": "duckdb"}, "x.duckdb", 1),
        ({"package": "other"}, "x.duckdb", 0),
        ({"backend": "snowflake"}, None, 1),
        ({"backend": "snowflake", "database": "DB"}, "DB", 1),
    ],
)
def test_another_package_or_engine_has_nothing_of_the_files(
    given: dict[str, Any], database: str | None, acknowledged: int
) -> None:
    entry = '[[acknowledge]]\ntable = "a"\ncheck = "b"\nreason = "c"\nuntil = "2027-01-01"'
    file = settings(f'package = "shop"\ndatabase = "x.duckdb"\n{entry}')
    merged = with_given(file, **given)
    assert (merged.database, len(merged.acknowledge)) == (database, acknowledged)
    # Locations of sources are of the file's package, engine and data.
    is_same = given.get("package", "shop") == "shop" and given.get("backend", "duckdb") == "duckdb"
    located = replace(file, sources={"orders": "raw/orders.csv"})
    assert with_given(located, **given).sources == (located.sources if is_same else {})
    assert with_given(located, data=Path("other"), **given).sources == {}
    on_snowflake = replace(located, backend="snowflake")
    assert with_given(on_snowflake, data=Path("other")).sources == located.sources
    # What is given stays, whatever is given later.
    assert with_given(merged, backend="snowflake").database == (given.get("database"))


def test_paths_are_relative_to_who_says_them() -> None:
    file = settings('package = "shop"\ndatabase = "x.duckdb"')
    assert {file.folder_of("package"), file.folder_of("database")} == {Path("shop")}
    given = with_given(file, package="other")
    assert (given.folder_of("package"), given.folder_of("database")) == (Path(), Path("shop"))


ENVIRONMENTS = """
data = "data"
database = "x.duckdb"
schema = "gold"
threads = 2
sources = {orders = "raw/orders.csv", items = "raw/items.csv"}

[environments.dev]
schema = "dev"
target = "out"
sources = {orders = "small/orders.csv"}

[environments.prod]
backend = "snowflake"
connection = "production"
sources = {orders = "ERP.PUBLIC.ORDERS"}

[environments.here]
backend = "duckdb"
database = "y.duckdb"

[environments.other]
data = "other"
sources = {items = "other/items.csv"}
"""


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (None, {"env": None, "schema": "gold", "backend": "duckdb", "database": "x.duckdb"}),
        ("dev", {"env": "dev", "schema": "dev", "threads": 2, "database": "x.duckdb",
                 "data": Path("shop/data"), "target": Path("shop/out"),
                 "sources": {"orders": "small/orders.csv", "items": "raw/items.csv"}}),
        # Another engine reads neither the file of the first nor its sources.
        ("prod", {"backend": "snowflake", "connection": "production", "schema": "gold",
                  "database": None, "sources": {"orders": "ERP.PUBLIC.ORDERS"}}),
        ("here", {"database": "y.duckdb", "sources": {"orders": "raw/orders.csv",
                                                      "items": "raw/items.csv"}}),
        # A location beside `data` is not for other data.
        ("other", {"data": Path("shop/other"), "sources": {"items": "other/items.csv"}}),
    ],
)  # fmt: skip
def test_an_environment_overrides_the_table_of_the_project(
    env: str | None, expected: dict[str, Any]
) -> None:
    read = settings(ENVIRONMENTS, env)
    assert {name: getattr(read, name) for name in expected} == expected
    assert (read.environments, read.folder) == (("dev", "prod", "here", "other"), Path("shop"))
    if env is not None:
        assert settings(f'env = "{env}"{ENVIRONMENTS}') == read


def test_locations_without_data_beside_them_are_for_all_environments() -> None:
    text = ENVIRONMENTS.replace('data = "data"\n', "", 1)
    assert settings(text, "other").sources == {
        "orders": "raw/orders.csv",
        "items": "other/items.csv",
    }


def test_another_engine_than_the_environments_has_nothing_of_it_but_its_schema() -> None:
    text = (
        ENVIRONMENTS + '[environments.cloud]\nbackend = "snowflake"\ndatabase = "DB"\nschema = "S"'
    )
    read = with_given(settings(text, "cloud"), env="cloud", backend="duckdb")
    assert (read.database, read.sources, read.schema) == (None, {}, "S")
    assert with_given(settings(text, "cloud"), backend="snowflake").database == "DB"
    # Nor does another package have the sources of this one.
    assert with_given(settings(f'package = "shop"{text}', "dev"), package="other").sources == {}


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as refused:
        settings(ENVIRONMENTS, "prd")
    assert str(refused.value) == (
        f"--env prd: there is no such environment\n"
        f"  the environments in {FILE} are: dev, prod, here, other\nhint: did you mean prod?"
    )
    with pytest.raises(UsageError, match="write its settings below"):
        settings(ENVIRONMENTS, "")
