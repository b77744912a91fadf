"""A run on Snowflake asks for nothing twice: what is compiled, and what is read of the catalog."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pytest
from ibis.backends.sql.compilers.base import SQLGlotCompiler

from support.account import Account
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop

FORCE = "--force"
SOURCES, GOLD = "ECONOMY_SHOP", "ECONOMY_GOLD"


@pytest.fixture(scope="module")
def shop(emulated: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load the bicycle shop, and publish its marts; return the folder."""
    folder = tmp_path_factory.mktemp("economy")
    workshop = Workshop(folder, SHOP)
    workshop.write(customers=CUSTOMERS, orders=ORDERS)
    words = (*emulated.load_words(SOURCES), "--data", workshop.data)
    assert emulated.call(*words, cwd=folder).returncode == 0
    return folder


def run(account: Account, folder: Path, *more: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run all marts of the shop, and return the tags and SQL of what was sent, and the results."""
    location = account.run_words(schema=GOLD, sources=SOURCES)
    words = ("run", "--package", "toy_shop", "--as-of", "2025-06-30", *location, *more)
    with account.recorded() as sent:
        done = account.call(*words, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    results = json.loads((folder / "target/run_results.json").read_text("utf-8"))
    return [json.loads(each["tag"]) | {"sql": each["sql"]} for each in sent], results


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[ir.Table]:
    """Give the queries that are compiled meanwhile."""
    queries: list[ir.Table] = []
    compile_ = SQLGlotCompiler.to_sqlglot

    def to_sqlglot(self: SQLGlotCompiler, query: ir.Table, **words: Any) -> Any:
        queries.append(query)
        return compile_(self, query, **words)

    monkeypatch.setattr(SQLGlotCompiler, "to_sqlglot", to_sqlglot)
    return queries


@pytest.mark.parametrize("_time", ["first", "again"])
def test_every_mart_and_every_check_is_compiled_once(
    _time: str, shop: Path, emulated: Account, compiled: list[ir.Table]
) -> None:
    sent, results = run(emulated, shop, FORCE)
    assert results["status"] == "published"
    built = [tag["mart"] for tag in sent if tag["step"] == "build"]
    checks = [tag for tag in sent if tag["step"] == "query" and tag["mart"] != "marts_state"]
    assert len(compiled) == len(built) + len(checks)


def test_catalog_and_state_are_read_once_before_anything_is_built(
    shop: Path, emulated: Account
) -> None:
    run(emulated, shop, FORCE)
    sent, _ = run(emulated, shop, FORCE)
    steps = [tag["step"] for tag in sent]
    before = [tag for tag in sent[: steps.index("build")] if tag["step"] == "catalog"]
    schemas = [f"'{emulated.schema(name)}'" for name in (SOURCES, GOLD)]
    seen = Counter((tag["mart"], each) for tag in before for each in schemas if each in tag["sql"])
    expected = Counter((view, each) for view in ("TABLES", "COLUMNS") for each in schemas)
    # One of the marts is a view, which is not to be replaced if it is secure.
    assert seen == expected + Counter([("VIEWS", schemas[1])])
    # How database and schemas are spelled; then the candidates' schema, and who may use it.
    names = [tag["mart"] for tag in before if not any(each in tag["sql"] for each in schemas)]
    assert names == ["DATABASES", "SCHEMATA", "TABLES", f"{emulated.schema(GOLD)}_CANDIDATES"]
    assert [tag["mart"] for tag in sent].count("marts_state") == 1


OF_A_RUN, WITH_NOTHING_TO_DO = 39, 17
"""How many statements a run may send besides those of single marts; each is a round trip."""


def test_a_run_sends_few_statements_besides_those_of_its_marts(
    shop: Path, emulated: Account
) -> None:
    run(emulated, shop, FORCE)
    sent, results = run(emulated, shop, FORCE)
    assert results["status"] == "published"
    steps = Counter(tag["step"] for tag in sent)
    built = {tag["mart"] for tag in sent if tag["step"] == "build"}
    assert built == {*SHOP.order}
    of_marts = [tag["step"] for tag in sent if tag["mart"] in built]
    # One statement builds a mart, one drops its candidate, and one makes its row checks.
    assert Counter(of_marts) <= Counter(build=len(built), discard=len(built), query=steps["query"])
    assert len(sent) - len(of_marts) <= OF_A_RUN
    sent, results = run(emulated, shop)
    assert results["status"] == "unchanged"
    assert len(sent) <= WITH_NOTHING_TO_DO
