"""Whatever fails, and whenever: readers see the old build or the new one, and reports are true.

Each test takes a few statements; `pytest --sweep` takes all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from support.account import Account
from support.fault_cases import FAULTS, SCHEMA, Outcome, Sweep, opened, table_of
from support.fault_races import BOTH, MEANWHILE, WAITED, Asked, Race, Upon, race
from support.fault_shop import NEW, OLD, OTHER, FaultShop

COMMIT = "publish: COMMIT"
CLAIM_OF_THE_LOCK = r"INSERT INTO \S+ \([^)]*\)\nSELECT [^(]*\(SELECT '' AS \S+ 'lock'"
AT_STATEMENTS = {
    "refused": "drop: DELETE FROM",
    "executed, session lost": COMMIT,
    "never arrived, no answer": "publish: INSERT OVERWRITE INTO",
    "executed, no answer": "publish: MERGE INTO",
    "killed": "drop: DROP TABLE IF EXISTS",
}
"""Each fault, and the kind of statement that meets it where not all do."""
OF_PUBLICATIONS = {
    "interrupted": "annotate: ALTER TABLE",
    "interrupted twice": "publish: UPDATE",
    "interrupted, session lost": COMMIT,
}
UNREACHABLE = {"unreachable before": OLD, "unreachable after": NEW}
"""Who is cut off at the commit, and what readers see then."""


@pytest.fixture(scope="module")
def sweep(emulated: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    found = opened(FaultShop(emulated, tmp_path_factory.mktemp("faults")))
    yield found
    found.tail.close()


@pytest.fixture
def all_of_them(pytestconfig: pytest.Config) -> bool:
    """Tell whether every statement is wanted."""
    return bool(pytestconfig.getoption("--sweep"))


@pytest.fixture
def in_the_sweep(all_of_them: bool) -> None:
    """Skip what takes long, unless every statement is wanted."""
    if not all_of_them:
        pytest.skip("takes long: pytest --sweep")


@pytest.fixture
def case(request: pytest.FixtureRequest) -> str:
    """Return a test's case; skip it if it takes long, unless every statement is wanted."""
    found: str = request.param
    if found in RARE:
        request.getfixturevalue("in_the_sweep")
    return found


RARE = {"interrupted", "interrupted twice", "unreachable before", "an input", "unrelated"}


def kinds_of(sweep: Sweep) -> list[str]:
    """Return the kind of each statement."""
    return [each.kind for each in sweep.statements]


def publishing(sweep: Sweep) -> list[int]:
    """Return the statements from the announcement to the end, but for the record of the end."""
    first = kinds_of(sweep).index("record: UPDATE")
    return [*range(first, len(sweep.statements) - 1)]


def struck(sweep: Sweep, numbers: Sequence[int], fault: str) -> list[Outcome]:
    """Return what comes of a fault at each statement; it must be true, and mended."""
    only = FAULTS[fault].only_changes
    outcomes = []
    for number in numbers:
        if sweep.statements[number].changes or not only:
            outcomes.append(sweep.strike(number, fault))
            print(outcomes[-1], flush=True)
    print(table_of(outcomes))
    assert outcomes
    assert not [str(each) for each in outcomes if each.wrong]
    return outcomes


@pytest.mark.parametrize("fault", AT_STATEMENTS)
def test_a_fault_at_a_statement(fault: str, sweep: Sweep, all_of_them: bool) -> None:
    first = publishing(sweep)[0]
    # What matters most comes first.
    every = [*range(first, len(sweep.statements)), *range(first)]
    struck(sweep, every if all_of_them else [kinds_of(sweep).index(AT_STATEMENTS[fault])], fault)


@pytest.mark.parametrize("case", OF_PUBLICATIONS, indirect=True)
def test_an_interrupt_of_a_publication(case: str, sweep: Sweep, all_of_them: bool) -> None:
    one = kinds_of(sweep).index(OF_PUBLICATIONS[case])
    struck(sweep, publishing(sweep) if all_of_them else [one], case)


@pytest.mark.parametrize("case", UNREACHABLE, indirect=True)
def test_nobody_can_know_what_became_of_a_commit(case: str, sweep: Sweep) -> None:
    (found,) = struck(sweep, [kinds_of(sweep).index(COMMIT)], case)
    assert found.status == "unknown"
    assert found.recorded == "publishing"
    assert found.state[0] == UNREACHABLE[case]


def assert_true(races: Sequence[Race]) -> None:
    assert races
    assert not [str(each) for each in races if each.wrong]


ONE, ANOTHER = ("-s", "thing_gone", "--force"), ("-s", "thing_totals", "--force")
"""The first reads nothing that the second publishes."""
RUNS: dict[str, tuple[Asked, Asked]] = {
    "all": BOTH,
    "an input": ((OLD, NEW, ()), (OLD, OLD, ONE)),
    "unrelated": ((OLD, OLD, ONE), (OLD, OLD, ANOTHER)),
}
ENDS = {"an input": ("published", MEANWHILE), "unrelated": ("published", "published")}


@pytest.mark.parametrize("case", RUNS, indirect=True)
def test_two_runs_at_once(case: str, sweep: Sweep, all_of_them: bool) -> None:
    kinds, is_all = kinds_of(sweep), case == "all"
    begins, commits = kinds.index("publish: BEGIN TRANSACTION"), kinds.index(COMMIT)
    some: dict[str, list[int | str]] = {
        "all": [commits],
        "an input": ["^COMMIT"],
        "unrelated": ["^BEGIN"],
    }
    races = []
    for at in publishing(sweep) if all_of_them and is_all else some[case]:
        has_lock = isinstance(at, int) and begins + 1 < at <= commits
        for is_patient in (True, False) if has_lock else (True,):
            upon: Upon = "saved" if is_all else "anew"
            races.append(race(sweep, at, runs=RUNS[case], upon=upon, is_patient=is_patient))
            print(races[-1], flush=True)
    assert_true(races)
    assert is_all or races[0].ends == ENDS[case]


@pytest.mark.usefixtures("in_the_sweep")
def test_two_first_publications_at_once(sweep: Sweep, all_of_them: bool) -> None:
    every = [n for n, each in enumerate(sweep.first) if each.changes]
    races = []
    for number in every if all_of_them else every[:1]:
        races.append(race(sweep, number, upon="nothing"))
        print(races[-1], flush=True)
    assert_true(races)


def test_what_another_run_claimed_in_vain_is_published(sweep: Sweep) -> None:
    found = race(sweep, CLAIM_OF_THE_LOCK, upon="nothing", refused="^MERGE")
    assert_true([found])
    assert found.ends[0] == "published"
    assert "lacks a privilege" in found.ends[1]


@pytest.mark.usefixtures("in_the_sweep")
def test_what_another_run_has_published_anew_is_not_dropped(sweep: Sweep) -> None:
    number = kinds_of(sweep).index("drop: SELECT")
    last = (OTHER, NEW, ("-s", "thing_gone", "--force"))
    found = race(sweep, number, runs=(BOTH[0], last), upon="anew")
    assert_true([found])
    assert found.ends == ("published", "published")
    assert "thing_gone: another run has published it meanwhile" in found.ended[0].stdout
    assert "THING_GONE" in sweep.shop.account.tables(SCHEMA)
    assert sweep.shop.recorded(SCHEMA)["thing_gone"] == found.run_ids[1]


@pytest.mark.usefixtures("in_the_sweep")
def test_a_killed_run_is_not_said_to_publish(sweep: Sweep) -> None:
    killed = sweep.strike(kinds_of(sweep).index(COMMIT), "killed", heals=False)
    assert killed.recorded == "publishing"
    found = race(sweep, "^COMMIT", is_patient=False, upon="last")
    assert_true([found])
    assert found.ends == ("published", WAITED)
    said = found.ended[1].stderr
    # The one that holds the lock comes first; of the others, only what they said is said.
    assert re.findall(r"run (\S+) of user", said)[0] == found.run_ids[0]
    assert "has been publishing" not in said
