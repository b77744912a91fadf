"""Proofs on Snowflake: recorded beside the marts, required, and carried by what is published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from marts.core.run.proof_records import write_records
from support.account import Account
from support.processes import Result
from support.proofs import PROVED_AT, proofs_of
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop

SOURCES, GOLD = "PROOFS_SHOP", "PROOFS_GOLD"
PROOFS = proofs_of(SHOP)
PUBLISHED = {
    each.mart: each.digest for each in PROOFS if not SHOP.project.marts[each.mart].is_temporary
}


@pytest.fixture(scope="module")
def shop(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load the bicycle shop, and publish its marts without proofs; return the folder."""
    folder = tmp_path_factory.mktemp("proofs")
    workshop = Workshop(folder, SHOP)
    workshop.write(customers=CUSTOMERS, orders=ORDERS)
    words = (*account.load_words(SOURCES), "--data", workshop.data)
    assert account.call(*words, cwd=folder).returncode == 0
    assert run(account, folder).returncode == 0
    write_records(folder / "ci" / "proof.json", PROOFS)
    return folder


def run(account: Account, folder: Path, *more: str) -> Result:
    location = account.run_words(schema=GOLD, sources=SOURCES)
    words = ("run", "--package", "toy_shop", "--as-of", "2025-06-30", *location)
    return account.call(*words, *more, cwd=folder)


def recorded(account: Account) -> dict[object, object]:
    state = account.location(GOLD, "MARTS_STATE")
    rows = account.rows(f"SELECT NAME, PROOF FROM {state} WHERE KIND IN ('table', 'view')")
    return dict(rows)


def test_production_asks_for_the_proofs_that_ci_has_recorded(shop: Path, account: Account) -> None:
    assert recorded(account) == dict.fromkeys(PUBLISHED)
    # An earlier version's table has no such column.
    state = account.location(GOLD, "MARTS_STATE")
    account.rows(f'ALTER TABLE {state} DROP COLUMN "PROOF"')
    refused = run(account, shop, "--require-proof")
    assert refused.returncode == 2
    assert f"{GOLD}.MARTS_PROOFS, which does not exist" in refused.stderr
    assert (
        f"hint: prove them: marts prove {' '.join(PUBLISHED)} && marts attest\n" in refused.stderr
    )
    attest = ("attest", "--package", "toy_shop", "ci/proof.json", "--backend", "snowflake")
    for said in ("4 proofs", "0 proofs; 4 were there, or are of another package"):
        done = account.call(*attest, *account.words(schema=GOLD), cwd=shop)
        assert (done.returncode, done.stdout) == (0, f"recorded {said}\n"), done.stderr
    columns = "MART, DIGEST, LEVEL, PROVED_AT, USER_NAME IS NOT NULL"
    found = account.rows(f"SELECT {columns} FROM {account.location(GOLD, 'MARTS_PROOFS')}")
    assert sorted(found) == sorted(
        (each.mart, each.digest, "reference + mutants", PROVED_AT, True) for each in PROOFS
    )
    with account.recorded() as sent:
        done = run(account, shop, "--require-proof")
    assert done.returncode == 0, done.stderr
    assert "published without its proof" in done.stdout
    assert recorded(account) == PUBLISHED
    results = json.loads((shop / "target/run_results.json").read_text("utf-8"))
    assert {name: each["digest"] for name, each in results["proofs"].items()} == PUBLISHED
    # A statement that changes a table commits, so it must come before the transaction.
    texts = [each["sql"] for each in sent]
    altered = [n for n, text in enumerate(texts) if text.startswith(f"ALTER TABLE {state} ADD")]
    assert len(altered) == 1
    assert altered[0] < texts.index("BEGIN TRANSACTION")
    assert run(account, shop, "--require-proof").stdout.count("nothing to do") == 1
