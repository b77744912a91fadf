"""A run that requires proofs: what is published was proven, or accepted without, and says so."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts import Project
from marts.core.errors import UsageError
from marts.core.operations.proofs import append_records
from marts.core.plan.proofs import Mutants
from marts.core.run.proof_records import write_records
from support.processes import call_marts
from support.proofs import PROVED_AT, proofs_of

SOURCES = """
from marts import date, money, source, string

orders = source(
    "orders", doc="Orders.", grain="order_id",
    columns=[string("order_id"), string("customer"), money("amount"), date("ordered_on")],
)
"""
RECENT = '''
from marts import AsOf, Table, date, mart, money, string

DAYS = 30


@mart(
    grain="order_id",
    columns=[string("order_id"), string("customer"), money("amount")],
    materialized="temporary",
)
def recent(orders: Table, as_of: AsOf) -> Table:
    """Orders of 30 days."""
    return orders.filter(orders.ordered_on > as_of.minus(days=DAYS))
'''
TOTALS = '''
from marts import Table, mart, money, string


@mart(grain="customer", columns=[string("customer"), money("total", default=0)])
def totals(recent: Table) -> Table:
    """What each customer has ordered."""
    return recent.group_by("customer").agg(total=recent.amount.sum())
'''
LARGEST = '''
from marts import Table, mart, money, string


@mart(grain="customer", columns=[string("customer"), money("total")], materialized="view"GROUP)
def largest(totals: Table) -> Table:
    """The customers with more than 3."""
    return totals.filter(totals.total > 3)
'''
MODULES = {
    "sources": SOURCES,
    "recent": RECENT,
    "totals": TOTALS,
    "largest": LARGEST.replace("GROUP", ""),
}
DAY = "2025-06-30"
ACCEPT = "--accept-unproven totals --accept-unproven largest"
MAXIMUM = 'return recent.group_by("customer").agg(total=recent.amount.max())'
REACHED = "totals: its proof of 2026-01-02 reached the level"
NOT_PROVEN = r"^(2 marts are|largest is) not proven"
SETTINGS = '[tool.marts]\npackage = "shop_marts"\ndata = "data"\n'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a project whose orders are of two customers, and work in its folder."""
    monkeypatch.delenv("MARTS_PACKAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "shop_marts").mkdir()
    (tmp_path / "shop_marts" / "__init__.py").touch()
    for name, text in MODULES.items():
        (tmp_path / "shop_marts" / f"{name}.py").write_text(text, "utf-8")
    (tmp_path / "data").mkdir()
    amounts = [Decimal("1.00"), Decimal("2.50"), Decimal("4.50")]
    table = {
        "order_id": ["o1", "o2", "o3"],
        "customer": ["c1", "c1", "c2"],
        "amount": pa.array(amounts, pa.decimal128(18, 2)),
        "ordered_on": [datetime.date(2025, 6, 20)] * 3,
    }
    pq.write_table(pa.table(table), tmp_path / "data/orders.parquet")
    return tmp_path


def edit(shop: Path, name: str, old: str, new: str) -> None:
    path = shop / "shop_marts" / f"{name}.py"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def prove(shop: Path, *names: str, **changes: Any) -> None:
    """Write what `marts prove` would if everything held."""
    graph = Project.load()._linked.graph
    write_records(shop / "target/proof.json", proofs_of(graph, names or None, **changes))


def run(*names: str, **options: Any) -> Any:
    return Project.load().run(names or None, as_of=DAY, **{"require_proof": True, **options})


def refused(*names: str, **options: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        run(*names, **options)
    return caught.value


def recorded(shop: Path, column: str = "proof", schema: str = "gold") -> dict[str, Any]:
    with duckdb.connect(str(shop / "target/marts.duckdb"), read_only=True) as connection:
        sql = f"SELECT name, {column} FROM {schema}.marts_state WHERE kind <> 'source'"
        return dict(connection.execute(sql).fetchall())


def digests() -> dict[str, str]:
    return {proof.mart: proof.digest for proof in proofs_of(Project.load()._linked.graph)}


def test_nothing_is_built_that_is_not_proven(shop: Path) -> None:
    said = call_marts(
        "run", "--require-proof", "--as-of", DAY, cwd=shop, MARTS_PACKAGE="shop_marts"
    )
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.splitlines() == [
        "error: 2 marts are not proven at the level reference + mutants; nothing was built",
        "  totals: no proof of it is recorded",
        "  largest: no proof of it is recorded",
        "  looked in the table gold.marts_proofs, which does not exist",
        "hint: prove them: marts prove totals largest",
        f"  or publish without: marts run {ACCEPT} --reason TEXT",
    ]
    with duckdb.connect(str(shop / "target/marts.duckdb"), read_only=True) as connection:
        runs = connection.execute("SELECT status, error FROM gold.marts_runs").fetchall()
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert [status for status, _ in runs] == ["refused"]
    assert names == [("marts_runs",)]


def test_what_is_published_carries_its_proof(shop: Path) -> None:
    prove(shop)
    report = run()
    assert (report.status, report.built) == ("published", ("totals", "largest"))
    found = {name: digest for name, digest in digests().items() if name != "recent"}
    assert recorded(shop) == found
    results = json.loads((shop / "target/run_results.json").read_text("utf-8"))
    said = {name: {"digest": found[name], "accepted_unproven": None} for name in found}
    assert results["proofs"] == said
    assert "ok    totals, largest: proven" in str(report).splitlines()
    again = run()
    assert (again.status, again.unchanged) == ("unchanged", ("totals", "largest"))
    assert again.document["proofs"] == said
    # Another day has the same proof.
    assert Project.load().run(as_of="2024-02-29", require_proof=True).ok
    assert recorded(shop) == found


def test_a_change_is_shown_where_its_author_wrote_it(shop: Path) -> None:
    prove(shop)
    run()
    before = recorded(shop, "run_id")
    edit(shop, "recent", "DAYS = 30", "DAYS = 31")
    edit(shop, "totals", "recent.amount.sum()", "recent.amount.max()")
    assert refused().facts == (
        "totals: it is not what was proven on 2026-01-02",
        "  shop_marts/recent.py:4: DAYS = 31",
        "  shop_marts/totals.py:8: " + MAXIMUM,
        "    --- proven",
        "    +++ now",
        "    @@ -6,3 +6,3 @@",
        '         "t0"."customer",',
        '    -    SUM("t0"."amount") AS "total"',
        '    +    MAX("t0"."amount") AS "total"',
        '       FROM "recent" AS "t0"',
        "largest: it is not what was proven on 2026-01-02",
        "  shop_marts/recent.py:4: DAYS = 31",
        "  shop_marts/totals.py:8: " + MAXIMUM,
        f"looked in {shop}/target/proof.json and the table gold.marts_proofs, which does not exist",
    )
    assert recorded(shop, "run_id") == before
    # A rollback is still proven.
    edit(shop, "recent", "DAYS = 31", "DAYS = 30")
    edit(shop, "totals", "recent.amount.max()", "recent.amount.sum()")
    assert run().status == "unchanged"


def test_a_view_of_what_is_selected_must_be_proven_too(shop: Path) -> None:
    prove(shop)
    run()
    edit(shop, "largest", "totals.total > 3", "totals.total > 2")
    assert refused("totals", force=True).facts[0].startswith("largest: it is not what was proven")
    edit(shop, "largest", "totals.total > 2", "totals.total > 3")
    assert run("totals", force=True).built == ("totals", "largest")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"quick": True}, ["totals: only a quick proof is recorded, of 2026-01-02"]),
        ({"mutants": None}, [f"{REACHED} reference"]),
        ({"twin": False}, [f"{REACHED} engines: it has neither a twin nor examples"]),
        (
            {"mutants": Mutants(3, {}, ("a", "b", "c", "d"))},
            [
                f"{REACHED} reference, and 4 of its mutants survive",
                *("  a", "  b", "  c", "  … and 1 more"),
            ],
        ),
        (
            {"failures": ("the twin differs",)},
            ["totals: its proof of 2026-01-02 failed", "  the twin differs"],
        ),
        ({"engines": ("duckdb",)}, ["totals: its proof of 2026-01-02 compared no two engines"]),
    ],
)
def test_a_weaker_proof_does_not_suffice(
    changes: dict[str, Any], why: list[str], shop: Path
) -> None:
    prove(shop, **changes)
    assert list(refused("totals").facts[:-1]) == why


def test_a_proof_is_about_the_sources_that_were_there(shop: Path) -> None:
    edit(shop, "sources", 'date("ordered_on")],', 'date("ordered_on")], optional=True,')
    prove(shop, cases=("",))
    assert run().ok
    (shop / "data/orders.parquet").unlink()
    assert refused("totals").facts[0] == (
        "totals: its proof of 2026-01-02 tried no data without orders"
    )
    prove(shop, cases=("without orders",))
    assert run().built == ("totals", "largest")


@pytest.mark.parametrize("level", ["reference", "engines"])
def test_the_project_says_which_level_it_asks_for(level: str, shop: Path) -> None:
    prove(shop, mutants=None, twin=level == "reference")
    (shop / "pyproject.toml").write_text(f'{SETTINGS}proof_level = "{level}"\n', "utf-8")
    assert run().status == "published"


def test_a_mart_can_be_let_through_with_a_reason_and_that_is_recorded(shop: Path) -> None:
    prove(shop, "totals")
    assert refused(accept_unproven="largest").summary == (
        "--accept-unproven needs a reason, which is recorded"
    )
    assert refused(accept_unproven="larges", reason="x").hint == "did you mean largest?"
    report = run(accept_unproven="largest", reason="the board meets at nine")
    digest = digests()["largest"]
    assert recorded(shop)["largest"] == f"{digest} unproven: the board meets at nine"
    accepted = {"digest": digest, "accepted_unproven": "the board meets at nine"}
    assert report.document["proofs"]["largest"] == accepted
    line = "warn  largest is not proven; accepted: the board meets at nine"
    assert line in str(report).splitlines()
    assert refused().facts[0] == "largest: no proof of it is recorded"
    assert run(accept_unproven="largest", reason="again").status == "unchanged"
    # Once it is proven, it is published with its proof.
    prove(shop)
    assert run().built == ("largest",)
    assert recorded(shop)["largest"] == digest


def test_what_was_published_without_a_proof_is_published_again_with_it(shop: Path) -> None:
    run(require_proof=False)
    assert recorded(shop) == {"totals": None, "largest": None}
    prove(shop)
    planned = run(dry_run=True)
    assert planned.document["reasons"]["totals"] == "published without its proof"
    assert planned.document["proofs"].keys() == {"totals", "largest"}
    assert run().built == ("totals", "largest")


def test_proofs_are_recorded_beside_the_marts(shop: Path) -> None:
    project = Project.load()
    proofs = proofs_of(project._linked.graph)
    assert append_records(project.settings, proofs) == 3
    assert append_records(project.settings, proofs) == 0
    with duckdb.connect(str(shop / "target/marts.duckdb"), read_only=True) as connection:
        sql = "SELECT mart, digest, level, proved_at, user_name <> '' FROM gold.marts_proofs"
        rows = connection.execute(f"{sql} ORDER BY ALL").fetchall()
    assert rows == [
        (each.mart, each.digest, each.level, each.proved_at, True)
        for each in sorted(proofs, key=lambda each: each.mart)
    ]
    assert run().status == "published"
    edit(shop, "totals", ".sum()", ".min()")
    assert '    +    MIN("t0"."amount") AS "total"' in refused().facts
    # A file that is named is all that counts.
    write_records(shop / "ci.json", [])
    assert refused(proof_file="ci.json").facts[-1] == "looked in ci.json"
    later = PROVED_AT + datetime.timedelta(days=1)
    append_records(
        project.settings,
        proofs_of(project._linked.graph, ["totals"], failures=("a difference",), proved_at=later),
    )
    edit(shop, "totals", ".min()", ".sum()")
    why = ("totals: its proof of 2026-01-03 failed", "  a difference")
    assert refused("totals").facts[:2] == why


def test_no_group_is_built_if_a_mart_of_a_later_one_is_not_proven(shop: Path) -> None:
    text = LARGEST.replace("GROUP", ', group="late"').replace('"view"', '"table"')
    (shop / "shop_marts/largest.py").write_text(text, "utf-8")
    prove(shop, "totals")
    assert refused().facts[0] == "largest: no proof of it is recorded"
    assert not (shop / "target/run_results.json").exists()
    report = run(accept_unproven="largest", reason="new")
    assert report.groups == {"default": "published", "late": "published"}
    assert report.document["proofs"].keys() == {"totals", "largest"}
    prove(shop)
    assert run(dry_run=True).document["reasons"] == {"largest": "published without its proof"}


def test_what_is_read_in_another_environment_has_the_proven_sql(shop: Path) -> None:
    environments = (
        '[tool.marts.environments.prod]\nschema = "gold"\n'
        '[tool.marts.environments.dev]\nschema = "dev"\nrequire_proof = true\n'
    )
    edit(shop, "largest", 'materialized="view"', 'materialized="table"')
    (shop / "pyproject.toml").write_text(SETTINGS + environments, "utf-8")
    Project.load(env="prod").run("totals", as_of=DAY)
    development = Project.load(env="dev", defer="prod")
    with pytest.raises(UsageError, match=NOT_PROVEN):
        development.run("largest", as_of=DAY)
    prove(shop, "largest")
    assert development.run("largest", as_of=DAY).built == ("largest",)
    assert recorded(shop, schema="dev") == {"largest": digests()["largest"]}


def test_no_option_and_no_variable_takes_back_what_the_file_requires(shop: Path) -> None:
    (shop / "pyproject.toml").write_text(f"{SETTINGS}require_proof = true\n", "utf-8")
    with pytest.raises(UsageError, match=NOT_PROVEN):
        Project.load(require_proof=False).run(as_of=DAY, require_proof=False)
    said = call_marts("run", cwd=shop, MARTS_PACKAGE="shop_marts", MARTS_REQUIRE_PROOF="0")
    assert said.returncode == 2
    assert "2 marts are not proven" in said.stderr


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "options", [{"accept_unproven": "totals", "reason": "x"}, {"proof_file": "proof.json"}]
)
def test_an_option_that_would_have_no_effect_is_refused(options: dict[str, str]) -> None:
    error = refused(require_proof=False, **options)
    assert error.summary.endswith(" is for a run that requires proofs")


def test_a_mart_is_not_proven_for_a_date_for_which_its_sql_is_another_one(shop: Path) -> None:
    edit(shop, "recent", "days=DAYS", "days=DAYS if as_of.day.month < 12 else 31")
    prove(shop)
    assert run().ok
    with pytest.raises(UsageError, match=NOT_PROVEN) as caught:
        Project.load().run(as_of="2025-12-24", require_proof=True)
    assert caught.value.facts[:3] == (
        "totals: mart recent depends on as_of in another way than by dates: it cannot be proven",
        "  a date is {as_of - 31} as of 2025-12-24, and {as_of - 30} as of 2019-02-16",
        "  shop_marts/recent.py:7",
    )
    edit(shop, "recent", " < 12 ", " < 3 ")
    assert "in another way than by dates" in refused("totals").facts[0]


def test_a_source_that_is_missing_is_what_the_error_says(shop: Path) -> None:
    prove(shop)
    (shop / "data/orders.parquet").unlink()
    with pytest.raises(Exception, match="the sources do not fit their contracts"):
        run()


def test_the_state_table_of_an_earlier_version_gets_the_column(shop: Path) -> None:
    run(require_proof=False)
    with duckdb.connect(str(shop / "target/marts.duckdb")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT * EXCLUDE (proof) FROM gold.marts_state")
        connection.execute("DROP TABLE gold.marts_state")
        names = "package, name, kind, run_id, as_of, published_at, version, origin"
        types = "TEXT, name TEXT, kind TEXT, run_id TEXT, as_of DATE, published_at TIMESTAMP"
        connection.execute(
            f"CREATE TABLE gold.marts_state (package {types}, version TEXT, origin TEXT,"
            " PRIMARY KEY (package, name))"
        )
        connection.execute(f"INSERT INTO gold.marts_state SELECT {names} FROM kept")
        connection.execute("DROP TABLE kept")
    assert run(require_proof=False).status == "unchanged"
    prove(shop)
    assert run("totals").built == ("totals", "largest")
    assert recorded(shop) == {n: d for n, d in digests().items() if n != "recent"}
