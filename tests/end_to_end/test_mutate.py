"""`marts mutate`, as somebody with marts of their own has it: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.processes import Marts, Result, call_marts, end, marts_process, started

DONE, FAILED, ASKED_WRONGLY, INTERRUPTED = 0, 1, 2, 130

SOURCES = """
from marts import int64, source, string

orders = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[string("order_id"), string("customer"), int64("cents")],
)
"""
TOTALS = '''
import ibis

from marts import Table, int64, mart, string


@mart(
    grain="customer",
    columns=[string("customer"), int64("cents"), string("tier")],
)
def totals(orders: Table) -> Table:
    """What each customer spent."""
    spent = orders.group_by("customer").aggregate(cents=orders.cents.sum())
    return spent.mutate(tier=ibis.ifelse(spent.cents >= 1000, "gold", "plain"))
'''
CUSTOMERS = '''
from marts import Table, mart, string


@mart(grain="customer", columns=[string("customer")])
def customers(orders: Table) -> Table:
    """Who ever bought something."""
    return orders.select("customer").distinct()
'''
BOUND_PLACE = "till/totals.py:14"
GAPS = [("a", 600), ("a", 700), ("b", 5)]
"""Nobody spends 1000, or 999."""
ROWS_AT_THE_BOUND = [*GAPS, ("c", 1000), ("d", 999)]
ALLOWED = """
[[equivalent]]
mart = "totals"
operator = "literal"
before = "cents >= 1000"
after = "cents >= 1001"
reason = "the till gives no such change"

[[equivalent]]
mart = "totals"
operator = "literal"
before = "cents >= 1000"
after = "cents >= 999"
reason = "the till gives no such change"
"""


def write_orders(folder: Path, rows: Iterable[tuple[str, int]]) -> None:
    folder.mkdir(exist_ok=True)
    named = [
        {"order_id": f"o{number}", "customer": customer, "cents": cents}
        for number, (customer, cents) in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(named), folder / "orders.parquet")
    (folder / "dataset.json").write_text('{"as_of": "2025-03-31"}', "utf-8")


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """Return a folder with a package of marts, and data with gaps and without."""
    package = tmp_path / "till"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sources.py").write_text(SOURCES, "utf-8")
    (package / "totals.py").write_text(TOTALS, "utf-8")
    (package / "customers.py").write_text(CUSTOMERS, "utf-8")
    write_orders(tmp_path / "gaps", GAPS)
    write_orders(tmp_path / "bounds", ROWS_AT_THE_BOUND)
    return tmp_path


def mutate(folder: Path, *words: object) -> Result:
    return call_marts("mutate", "--package", "till", *words, cwd=folder)


def test_all_is_well_where_each_mutant_is_killed(till: Path) -> None:
    done = marts_process("mutate", "--package", "till", "--data", "bounds", cwd=till)
    assert (done.returncode, done.stderr) == (DONE, ""), done.stdout
    first, customers, totals, last = done.stdout.splitlines()
    assert first == "as of 2025-03-31 · bounds"
    assert re.fullmatch(r"ok    customers +1 mutant +1 killed +0 allowed +\d+\.\d\d s", customers)
    assert re.fullmatch(r"ok    totals +7 mutants +7 killed +0 allowed +\d+\.\d\d s", totals)
    assert re.fullmatch(r"done  each of 8 mutants is killed or allowed, in \d+\.\d\d s", last)
    assert not (till / "target").exists()


def test_a_source_is_read_where_the_settings_say(till: Path) -> None:
    (till / "bounds/orders.parquet").rename(till / "elsewhere.parquet")
    settings = '[tool.marts]\n{}[tool.marts.sources]\norders = "elsewhere.parquet"\n'
    for data in ("", 'data = "bounds"\n'):
        (till / "pyproject.toml").write_text(settings.format(data), "utf-8")
        done = mutate(till, "--as-of", "2025-03-31")
        assert (done.returncode, done.stderr) == (DONE, ""), done.stdout


def test_what_survives_is_shown_as_a_difference_with_what_to_do(till: Path) -> None:
    done = mutate(till, "totals", "--data", "gaps")
    assert (done.returncode, done.stderr) == (FAILED, "")
    assert re.search(
        r"^FAIL  totals +7 mutants +5 killed +0 allowed    2 survive", done.stdout, re.MULTILINE
    )
    assert (
        f"\n{BOUND_PLACE}  totals, literal\n"
        '    return spent.mutate(tier=ibis.ifelse(spent.cents >= 1000, "gold", "plain"))\n'
        "  - cents >= 1000\n"
        "  + cents >= 1001\n"
    ) in done.stdout
    assert "add to tests/equivalent_mutants.toml, with the reason:" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("stop  2 of 7 mutants survive, in ")
    assert "\x1b" not in done.stdout


def test_the_entries_to_paste_are_what_the_list_takes(till: Path) -> None:
    printed = mutate(till, "--data", "gaps").stdout
    entries = printed[printed.index("[[equivalent]]") : printed.index("stop  ")]
    assert len(tomllib.loads(entries)["equivalent"]) == 2
    (till / "list.toml").write_text(entries, "utf-8")
    refused = mutate(till, "--data", "gaps", "--allow", "list.toml")
    assert refused.returncode == ASKED_WRONGLY
    assert (
        "error: list.toml, entry 1: expected exactly these keys, each with a text" in refused.stderr
    )
    reasoned = entries.replace('reason = ""', 'reason = "none"')
    (till / "list.toml").write_text(reasoned, "utf-8")
    assert mutate(till, "--data", "gaps", "--allow", "list.toml").returncode == DONE


def test_the_usual_list_is_read_where_there_is_one(till: Path) -> None:
    (till / "tests").mkdir()
    (till / "tests/equivalent_mutants.toml").write_text(ALLOWED, "utf-8")
    done = mutate(till, "--data", "gaps")
    assert done.returncode == DONE, done.stdout + done.stderr
    assert re.search(r"^ok    totals +7 mutants +5 killed +2 allowed", done.stdout, re.MULTILINE)


def test_a_stale_entry_fails(till: Path) -> None:
    gone = ALLOWED.replace("cents >= 999", "cents >= 9")
    (till / "list.toml").write_text(gone, "utf-8")
    done = mutate(till, "totals", "--data", "bounds", "--allow", "list.toml")
    assert done.returncode == FAILED
    assert (
        "FAIL  list of allowed mutants: totals, literal: cents >= 1000 → cents >= 1001\n"
        "      it is killed: totals, c: tier: gold → plain; remove the entry\n"
    ) in done.stdout
    assert (
        "FAIL  list of allowed mutants: totals, literal: cents >= 1000 → cents >= 9\n"
        "      there is no such mutant; remove the entry\n"
    ) in done.stdout
    assert "2 entries of the list are stale" in done.stdout.splitlines()[-1]


def test_an_entry_of_no_mart_fails_unless_some_marts_are_named(till: Path) -> None:
    strange = ALLOWED.replace('"totals"', '"total"', 1).replace("999", "998")
    (till / "list.toml").write_text(strange.partition("\n[[equivalent]]\n")[0], "utf-8")
    (till / "list.toml").write_text("\n".join(strange.strip().splitlines()[:6]), "utf-8")
    words = ("--data", "bounds", "--allow", "list.toml")
    done = mutate(till, *words)
    assert done.returncode == FAILED
    assert "there is no such mart; remove the entry" in done.stdout
    assert mutate(till, "totals", *words).returncode == DONE


def test_json_is_one_document_with_messages_beside_it(till: Path) -> None:
    (till / "list.toml").write_text("\n".join(ALLOWED.strip().splitlines()[:6]), "utf-8")
    done = mutate(till, "--data", "gaps", "--json", "--allow", "list.toml")
    assert done.returncode == FAILED
    document: Any = json.loads(done.stdout)
    customers, totals = document["marts"]
    assert customers["mart"] == "customers"
    assert (totals["mutants"], totals["killed"]) == (7, 5)
    assert totals["noticed_by"] == {"rows": 5}
    assert totals["surviving"] == [
        {
            "operator": "literal",
            "before": "cents >= 1000",
            "after": "cents >= 999",
            "place": BOUND_PLACE,
        }
    ]
    assert [allowed["after"] for allowed in totals["allowed"]] == ["cents >= 1001"]
    assert "stop  1 of 8 mutants survive" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("total",), "no mart matches total\nhint: did you mean totals?"),
        (("--data", "nowhere"), "there is no directory nowhere"),
        (("--data", "gaps", "--allow", "nowhere.toml"), "cannot read nowhere.toml"),
        (("--data", "till"), "source orders: found no such table"),
    ],
)
def test_bad_words_are_refused(words: tuple[str, ...], message: str, till: Path) -> None:
    done = mutate(till, *words)
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_our_own_marts_are_tried_on_the_bundled_data_and_any_date(marts: Marts) -> None:
    done = marts("mutate", "int_customers", "--as-of", "2025-01-31")
    assert done.returncode in (DONE, FAILED), done.stderr
    assert done.stdout.startswith("as of 2025-01-31 · ")
    assert re.search(r"^\w+ +int_customers +6 mutants", done.stdout, re.MULTILINE)


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    with started("mutate", cwd=tmp_path, PYTHONUNBUFFERED="1") as process:
        assert process.stdout.readline().startswith("as of")
        printed = end(process, signal.SIGINT)
    assert process.returncode == INTERRUPTED, printed
    assert printed.splitlines()[-1] == "interrupted"
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []
