"""The guide is true: every page is followed, command by command, in a project of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import tomlkit

from marts.core.console.guide import PAGES, TOPICS, page_of, title_of
from support.account import Account
from support.account import account as open_account
from support.pages import Reader, is_shown
from support.processes import Marts, call_marts

ON_SNOWFLAKE = {"snowflake"}
"""The topics whose commands need an account."""
MART = '''
"""What each customer has bought."""

from marts import Table, date, int64, mart, money, string


@mart(
    grain="customer_id",
    columns=[
        string("customer_id"),
        string("name", doc="as on the customer's card"),
        int64("orders", doc="paid orders; 0 without any", default=0, at_least=0),
        money("spend", default=0, at_least=0),
        date("last_order_on", null=True),
    ],
)
def customer_totals(customers: Table, orders: Table) -> Table:
    """One row per customer, also for those who have bought nothing."""
    paid = orders.filter(orders.status == "paid")
    bought = paid.group_by("customer_id").aggregate(
        orders=paid.count(), spend=paid.amount.sum(), last_order_on=paid.ordered_on.max()
    )
    return customers.left_join(bought, "customer_id")
'''
ROWS = {
    "customers": """
        VALUES ('c1', 'Ada', 'Köln', DATE '2024-01-05'), ('c2', 'Ben', NULL, DATE '2024-02-11'),
            ('c3', 'Cem', 'Bonn', DATE '2024-03-20'), ('c4', 'Dora', 'Köln', DATE '2025-01-02')
        """,
    "orders": """
        VALUES ('o1', 'c1', DATE '2025-01-10', 120.00::DECIMAL(10, 2), 'paid'),
            ('o2', 'c1', DATE '2025-02-03', 80.50, 'paid'),
            ('o3', 'c2', DATE '2025-02-14', 45.25, 'paid'),
            ('o4', 'c2', DATE '2025-03-01', 700.00, 'cancelled'),
            ('o5', 'c3', DATE '2025-03-09', 60.00, 'paid'),
            ('o6', 'c1', DATE '2025-03-20', 19.99, 'paid'),
            ('o7', 'c3', DATE '2025-04-02', 250.00, 'paid'),
            ('o8', 'c4', DATE '2025-04-18', 35.00, 'cancelled')
        """,
}
COLUMNS = {
    "customers": "customer_id, name, city, joined_on",
    "orders": "order_id, customer_id, ordered_on, amount, status",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shop with its first mart; nothing is published."""
    folder = tmp_path_factory.mktemp("started") / "shop"
    (folder / "data").mkdir(parents=True)
    (folder / "shop_marts").mkdir()
    settings = '[tool.marts]\npackage = "shop_marts"\ndata = "data"\n'
    (folder / "pyproject.toml").write_text(settings, "utf-8")
    (folder / "shop_marts/__init__.py").write_text('"""The marts of a shop."""\n', "utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page_of("sources"), re.DOTALL)
    (folder / "shop_marts/sources.py").write_text(source, "utf-8")
    (folder / "shop_marts/customer_totals.py").write_text(MART.lstrip(), "utf-8")
    for name, rows in ROWS.items():
        query = f"FROM ({rows}) AS t({COLUMNS[name]})"
        duckdb.sql(query).write_parquet(str(folder / f"data/{name}.parquet"))
    return folder


@pytest.fixture
def shop(started: Path, tmp_path: Path) -> Path:
    """Return a copy of the shop, whose first mart is published."""
    folder = shutil.copytree(started, tmp_path / "shop")
    done = call_marts("run", cwd=folder, MARTS_PACKAGE="")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def account(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Account]:
    with open_account(pytestconfig, tmp_path_factory.mktemp("account")) as opened:
        yield opened


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic not in ON_SNOWFLAKE])
def test_a_page_works_as_printed(topic: str, shop: Path) -> None:
    Reader(shop).follow(page_of(topic))


@pytest.mark.parametrize("topic", sorted(ON_SNOWFLAKE))
def test_a_page_works_as_printed_in_an_account(topic: str, shop: Path, account: Account) -> None:
    environment = account.environment()
    connections = tomlkit.parse(environment["SNOWFLAKE_CONNECTIONS"])
    connections["production"] = connections[account.name]
    environment["SNOWFLAKE_CONNECTIONS"] = tomlkit.dumps(connections)
    Reader(shop, environment).follow(page_of(topic))


def test_every_page_is_a_topic() -> None:
    assert {file.stem for file in PAGES.iterdir()} == {*TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_short_and_says_what_it_is_about(topic: str) -> None:
    page = page_of(topic)
    assert len(page.splitlines()) <= 150
    assert title_of(topic)
    assert page.startswith(f"# {topic.capitalize()}: ")


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_names_only_what_is_installed(topic: str) -> None:
    page = page_of(topic)
    assert {*re.findall(r"`marts help (\w+)`", page)} <= {*TOPICS, "TOPIC"}
    # Who has installed marts has no checkout of it.
    assert not re.search(r"\]\((?!https://)", page)


# The command


def test_help_lists_the_topics(called: Marts) -> None:
    lines = called("help").stdout.splitlines()
    listed = dict(re.split(" +", line, maxsplit=1) for line in lines[: len(TOPICS)])
    assert listed == {topic: title_of(topic) for topic in TOPICS}


def test_help_in_a_pipe_is_the_page_itself(called: Marts) -> None:
    assert called("help", "checks").stdout == page_of("checks")


def test_help_on_a_command_is_its_own_help(called: Marts) -> None:
    assert called("help", "run").stdout == called("run", "--help").stdout


def test_an_unknown_topic_is_a_usage_error(called: Marts) -> None:
    done = called("help", "check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no help on check\nhint: did you mean checks?\n"


# How pages are followed


@pytest.mark.parametrize(
    ("shown", "printed", "is_it"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nc\n", False),
        ("a", "a\nb\n", False),
        ("…\nb", "a\n\na\nb\n", True),
        ("…\nb", "b\n", True),
        ("…", "", True),
        ("b\n…", "b\nc\nd", True),
        ("…\nc\n…", "a\nb", False),
        ("a … c", "a b c", True),
        ("a … c", "a b d", False),
        ("ok  1.25 s", "ok      0.01 s", True),
        ("ok  1.25", "ok  1.26", False),
        ("1 row (all)", "1 row (all)", True),
    ],
)
def test_what_a_page_shows_is_compared(shown: str, printed: str, is_it: bool) -> None:
    assert is_shown(shown, printed) is is_it


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ marts ls nothing\n```\n",
        "```console\n$ marts ls\nanother list\n```\n",
        "```console\n$ marts ls\n…\n$ echo $?\n1\n```\n",
        "```console\nmarts lst\n```\n",
        "Write this:\n\n```python\n1 / 0\n```\n",
        "```sql\nGRANT ALL OF IT TO ME;\n```\n",
    ],
)
def test_a_page_that_is_wrong_fails(page: str, shop: Path) -> None:
    with pytest.raises(AssertionError):
        Reader(shop).follow(page)
