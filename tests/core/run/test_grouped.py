"""Groups on DuckDB: each is all new or all as before, whichever fails, and the next run repairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marts.core.console.interrupts import Interrupts
from marts.core.console.messages import table_of
from marts.core.operations.run_options import RunOptions
from marts.core.plan.steps import CheckTable, Plan
from marts.core.run.report import Report
from support.grouped import (
    LIMIT,
    Group,
    Grouped,
    expected,
    graph_of,
    relying_on,
)
from support.workshop import Workshop

BEFORE, AFTER = 10, 20


@st.composite
def dags(draw: st.DrawFn) -> tuple[Group, ...]:
    """Draw groups, each of which reads earlier ones."""
    groups: list[Group] = []
    for number in range(draw(st.integers(2, 4))):
        earlier = st.frozensets(st.integers(0, number - 1)) if number else st.just(frozenset())
        groups.append(Group(draw(earlier), draw(earlier), draw(st.booleans())))
    return tuple(groups)


def grouped(folder: Path | str, *groups: Group) -> Grouped:
    """Return groups of which nothing is built, with data."""
    found = Grouped(Workshop(Path(folder), graph_of(groups)), groups)
    found.write({number: BEFORE + number for number in range(len(groups))})
    return found


def interrupting(number: int) -> Callable[[Plan], None]:
    """Return what interrupts the run when a group begins."""

    def planned(plan: Plan) -> None:
        if plan.group == f"g{number}":
            raise KeyboardInterrupt

    return planned


def statuses(report: Report) -> dict[str, str]:
    """Return how each group ended."""
    return {each.name: each.status for each in report.groups}


@settings(max_examples=8)
@given(
    groups=dags(),
    number=st.integers(0, 3),
    how=st.sampled_from(["source check", "check", "unreadable", "missing", "interrupt"]),
)
def test_a_group_is_all_new_or_all_as_before_and_the_next_run_repairs(
    groups: tuple[Group, ...], number: int, how: str
) -> None:
    number %= len(groups)
    with TemporaryDirectory() as folder:
        run = grouped(folder, *groups)
        assert run.run().status == "published"
        before, first = run.seen(), run.recorded()
        values = {each: AFTER + each for each in range(len(groups))}
        run.write(values)
        fails = relying_on(groups, number)
        if how == "interrupt":
            order = [group.name for group in run.shop.graph.groups]
            fails = {int(name[1:]) for name in order[order.index(f"g{number}") :]}
        elif how == "unreadable":
            (run.shop.data / f"s{number}.parquet").write_bytes(b"PAR1 no longer PAR1")
        elif how == "missing":
            (run.shop.data / f"s{number}.parquet").unlink()
        else:
            run.write({number: -1 if how == "source check" else LIMIT + 1})
        report = run.run(planned=interrupting(number) if how == "interrupt" else lambda _: None)

        new = expected(groups, values)
        stays = {name for name in new if int(name[1:]) in fails}
        assert run.seen() == {name: before[name] if name in stays else new[name] for name in new}
        recorded = run.recorded()
        assert recorded == {
            name: first[name] if name in stays else (f"marts_state__g{name[1:]}", "2025-2")
            for name in new
        }
        done = {f"g{each}" for each in range(len(groups)) if each not in fails}
        assert {name for name, end in statuses(report).items() if end == "published"} == done
        if fails:
            wanted = {"interrupt": "interrupted", "unreadable": "error", "missing": "error"}
            assert report.status == wanted.get(how, "failed")

        run.write({number: values[number]})
        again = run.run()
        assert run.seen() == new
        repaired = {name: (f"marts_state__g{name[1:]}", "2025-3") for name in stays}
        assert run.recorded() == recorded | repaired
        assert again.status == ("published" if fails else "unchanged")


def test_an_interrupt_while_a_group_is_cleaned_up_stops_the_next_one(tmp_path: Path) -> None:
    run, stop = grouped(tmp_path, Group(), Group()), Interrupts()

    def ending() -> None:
        stop.hold()
        stop.arrive()

    report = run.run(ending=ending, going_on=stop.go_on)
    assert statuses(report) == {"g0": "published", "g1": "interrupted"}
    assert report.status == "interrupted"
    assert run.seen().keys() == {"a0", "b0"}
    assert statuses(run.run()) == {"g0": "unchanged", "g1": "published"}


def test_a_check_of_a_source_is_made_once_and_fails_all_groups_that_rely_on_it(
    tmp_path: Path,
) -> None:
    run = grouped(tmp_path, Group(shares=True), Group(shares=True), Group())

    def made() -> list[str]:
        return [
            step.table.name
            for plan in run.plans
            for step in plan.steps
            if isinstance(step, CheckTable) and step.table.name == "s0"
        ]

    report = run.run()
    assert statuses(report) == {"g0": "published", "g1": "published", "g2": "published"}
    assert len(made()) == 1
    run.write({0: -1, 1: AFTER, 2: AFTER})
    report = run.run()
    assert statuses(report) == {"g0": "failed", "g1": "failed", "g2": "published"}
    assert [made.check.name for _, made in report.failures] == ["value_at_least_0"]
    # What g1 relies on is still not checked, though g0 was the one to make the check.
    assert run.run("a1", "b1", "a2", "b2").status == "failed"
    run.write({0: AFTER})
    assert run.run("a1", "b1", "a2", "b2").status == "published"


def test_a_source_that_changes_meanwhile_stops_the_groups_that_read_it(tmp_path: Path) -> None:
    run = grouped(tmp_path, Group(), Group(), Group(frozenset({0})))
    run.run()
    before = run.seen()
    run.write({0: AFTER, 1: AFTER})

    def meanwhile(plan: Plan) -> None:
        if plan.group == "g0":
            run.write({1: AFTER + 1})

    report = run.run(planned=meanwhile)
    assert statuses(report) == {"g0": "published", "g1": "error", "g2": "published"}
    assert report.error is not None
    assert report.error.summary.startswith("sources changed while the run read them")
    kept = {name: before[name] for name in ("a1", "b1")}
    assert run.seen() == expected(run.groups, {0: AFTER, 1: AFTER + 1, 2: BEFORE + 2}) | kept
    assert run.run().status == "published"
    assert run.seen() == expected(run.groups, {0: AFTER, 1: AFTER + 1, 2: BEFORE + 2})


def test_a_check_between_groups_is_reported_until_it_is_made(tmp_path: Path) -> None:
    run = grouped(tmp_path, Group(), Group(checks=frozenset({0})))
    run.run()
    run.write({0: AFTER, 1: -1})
    report = run.run()
    assert statuses(report) == {"g0": "published", "g1": "failed"}
    assert [(s.table, s.check, s.missing) for s in report.skipped] == [("b1", "key_in_b0", ("b1",))]
    run.write({1: BEFORE + 1})
    report = run.run()
    assert statuses(report) == {"g0": "unchanged", "g1": "published"}
    assert report.skipped == ()


def test_a_mart_that_moves_to_another_group_is_published_and_recorded_there(
    tmp_path: Path,
) -> None:
    run = grouped(tmp_path, Group(), Group())
    run.run()
    run.regrouped("b1", "moved")
    report = run.run()
    assert statuses(report) == {"g0": "unchanged", "g1": "unchanged", "moved": "published"}
    assert run.plans[-1].reasons == {"b1": "in group g1 before"}
    assert run.recorded()["b1"] == ("marts_state__moved", "2025-2")
    assert run.run().status == "unchanged"


def test_tables_that_are_no_longer_marts_go_with_the_last_group_if_all_are_published(
    tmp_path: Path,
) -> None:
    run = grouped(tmp_path, Group(), Group(), Group())
    run.run()
    smaller = grouped(tmp_path, Group(), Group())
    smaller.write({0: -1, 1: AFTER})
    drop = RunOptions(drop_orphans=True)
    assert statuses(smaller.run(options=drop)) == {"g0": "failed", "g1": "published"}
    assert {"a2", "b2"} <= smaller.seen().keys()
    smaller.write({0: AFTER})
    assert smaller.run(options=drop).status == "published"
    assert not {"a2", "b2"} & smaller.seen().keys()
    assert not {"a2", "b2"} & smaller.recorded().keys()


def test_a_shrunk_source_is_compared_with_what_each_group_published(tmp_path: Path) -> None:
    run = grouped(tmp_path, Group(shares=True), Group(shares=True), Group())
    run.run()
    run.shop.write(s0=[])
    run.shop.write(s0=[{"key": "x", "value": 1}])
    wide = {"s0": [{"key": str(n), "value": 1} for n in range(10)]}
    run.shop.write(**wide)
    assert run.run("a0", "b0", "a1", "b1").status == "published"
    run.shop.write(s0=[{"key": "x", "value": 1}])
    accepted = run.run("a0", "b0", "a2", "b2", options=RunOptions(accept_shrink=True))
    assert accepted.status == "published"
    assert statuses(run.run("a1", "b1", "a2", "b2")) == {"g1": "failed", "g2": "unchanged"}


@pytest.mark.parametrize("force", [False, True])
def test_a_dry_run_plans_what_a_run_does(tmp_path: Path, force: bool) -> None:
    run = grouped(tmp_path, Group(), Group(frozenset({0})), Group(checks=frozenset({1})))
    if force:
        run.run()
    options = RunOptions(force=force)
    with run.shop.backend() as backend:
        supposed = run.planner(backend, options=options).supposed()
    run.run(options=options)

    def told(plan: Plan) -> list[str]:
        return [f"{type(step).__name__} {table_of(step)}" for step in plan.steps]

    assert [told(part) for part in supposed.parts] == [told(plan) for plan in run.plans]
    assert supposed.reasons == {n: why for plan in run.plans for n, why in plan.reasons.items()}


def test_a_dry_run_says_which_groups_cannot_be_planned(tmp_path: Path) -> None:
    run = grouped(tmp_path, Group(), Group(), Group(frozenset({0})), Group(frozenset({1})))
    (run.shop.data / "s1.parquet").unlink()
    with run.shop.backend() as backend:
        parts = run.planner(backend).supposed().parts
    refused = {part.group: part.refused.summary for part in parts if part.refused}
    assert refused == {
        "g1": "the sources do not fit their contracts; nothing was built",
        "g3": "reads g1",
    }
    assert [sorted(part.reasons) for part in parts if part.group == "g2"] == [["a2", "b2"]]


def test_a_run_of_one_group_says_which_checks_of_others_it_leaves(tmp_path: Path) -> None:
    run = grouped(tmp_path, Group(), Group(checks=frozenset({0})))
    run.run()
    run.write({0: AFTER})
    run.runs += 1
    with run.shop.backend() as backend:
        plan = run.planner(backend, "a0", "b0").plan(run.shop.graph.groups[0])
    assert [(each.table, each.check) for each in plan.skipped] == [("b1", "key_in_b0")]


def test_a_mart_that_two_groups_have_recorded_is_built_anew(tmp_path: Path) -> None:
    run = grouped(tmp_path, Group(), Group())
    run.run()
    with run.shop.backend() as backend:
        backend._connection.execute(
            "INSERT INTO gold.marts_state__g1 SELECT * FROM gold.marts_state__g0 WHERE name = 'a0'"
        )
    report = run.run()
    assert statuses(report) == {"g0": "published", "g1": "unchanged"}
    assert run.plans[0].reasons["a0"] == "not known what it was made from"
    assert run.recorded()["a0"] == ("marts_state__g0", "2025-2")
