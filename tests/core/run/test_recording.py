"""The row of a run: what a report says in it, and that writing it never changes a run."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from marts.core.errors import EngineError, MartsError, PartlyPublishedError, UsageError
from marts.core.plan.runs import (
    LONGEST_RESULTS,
    RUNS_COLUMNS,
    RUNS_KEY,
    RecordedRun,
    TableResult,
    results_of_text,
    results_text,
)
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.steps import SkippedCheck
from marts.core.run.backend import Statement
from marts.core.run.recording import (
    ATTEMPTS,
    LONGEST_ERROR,
    QUERY_IDS,
    Recorder,
    counts_of,
    results_of,
)
from marts.core.run.report import GroupReport, Report
from support.workshop import Workshop, order

DAY = datetime.date(2025, 6, 30)
ROW = RecordedRun(
    run_id="R1",
    package="toy",
    status="running",
    started_at=datetime.datetime(2025, 7, 1, 4, 30),  # noqa: DTZ001  (UTC)
    backend="duckdb",
    marts_version="1",
)
REPORT = Report("R1", "error", ROW.started_at, 1.0, (), (), (), ())


@dataclass
class Writes:
    """An engine that keeps what is written; before each write it may raise something."""

    raised: list[BaseException | None] = field(default_factory=list)
    runs: list[RecordedRun] = field(default_factory=list)

    def record_run(self, run: RecordedRun) -> None:
        """Keep a row, or raise what comes next."""
        error = self.raised.pop(0) if self.raised else None
        if error:
            raise error
        self.runs.append(run)


def recorder(*raised: BaseException | None) -> tuple[Recorder, Writes]:
    writes = Writes(list(raised))
    return Recorder(writes, "R1", ROW), writes  # type: ignore[arg-type]


def test_a_row_has_the_columns_that_are_documented() -> None:
    assert list(RUNS_COLUMNS) == list(RecordedRun.__dataclass_fields__)
    assert set(RUNS_KEY) <= set(RUNS_COLUMNS)


def test_a_row_goes_from_running_to_publishing_to_the_end() -> None:
    recording, writes = recorder()
    recording.planned(DAY)
    recording.running()
    recording.publishing()
    recording.ended(replace(REPORT, status="published"))
    # What comes later is about something else: the run has ended.
    recording.broke_off("error", "no report could be written")
    assert [run.status for run in writes.runs] == ["running", "publishing", "published"]
    assert {run.as_of for run in writes.runs} == {DAY}
    assert [run.ended_at is None for run in writes.runs] == [True, True, False]
    assert recording.failure is None


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1, ATTEMPTS])
def test_an_interrupt_does_not_keep_the_end_from_being_recorded(times: int) -> None:
    recording, writes = recorder(*[KeyboardInterrupt()] * times)
    recording.ended(replace(REPORT, status="interrupted"))
    wanted = ["interrupted"] if times < ATTEMPTS else []
    assert [run.status for run in writes.runs] == wanted


def test_an_interrupt_before_the_end_is_the_runs() -> None:
    recording, _ = recorder(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        recording.running()


FULL = EngineError("the disk is full")


@pytest.mark.parametrize(
    ("raised", "reason", "failure"),
    [
        ([FULL], None, None),
        ([FULL, FULL], None, FULL),
        ([None, FULL], UsageError("wrong"), FULL),
        # The run has said so already.
        ([FULL, FULL], EngineError("the disk is full", "42 bytes"), None),
    ],
)
def test_a_write_that_fails_is_kept_for_a_warning(
    raised: Sequence[BaseException | None], reason: MartsError | None, failure: MartsError | None
) -> None:
    recording, _ = recorder(*raised)
    recording.running()
    recording.ended(replace(REPORT, error=reason))
    assert recording.failure is failure


def test_an_error_is_one_short_line() -> None:
    recording, writes = recorder()
    recording.broke_off("refused", "sources\n  are" + " missing" * LONGEST_ERROR)
    (run,) = writes.runs
    assert run.error
    assert run.error.startswith("sources are missing missing")
    assert (len(run.error), run.error[-1]) == (LONGEST_ERROR, "…")


def test_checks_are_counted_by_their_outcome(shop: Workshop) -> None:
    shop.write(orders=[order("o1", "nobody", "10.00"), order("o2", "c1", "-1.00")])
    counts = counts_of(shop.check(source_checks=True))
    assert counts["checks_warned"] == counts["checks_failed"] == 1
    assert counts["checks_made"] == counts["checks_passed"] + 2
    assert (counts["marts_built"], counts["rows_built"]) == (0, 0)


def test_what_was_published_is_counted_as_far_as_it_is_known(shop: Workshop) -> None:
    report = shop.run()
    wanted = {"published": 4, "error": 0, "interrupted": 0, "unknown": None}
    for status, number in wanted.items():
        found = counts_of(replace(report, status=status))  # type: ignore[arg-type]
        assert (found["marts_built"], found["marts_published"]) == (4, number)
    broken = PartlyPublishedError(["a"], ["b"], EngineError("no"))
    partly = replace(report, status="partly_published", error=broken)
    assert counts_of(partly)["marts_published"] == 1


def test_what_was_found_of_each_table_is_recorded_without_a_value(shop: Workshop) -> None:
    shop.write(orders=[order("o1", "nobody", "10.00"), order("o2", "c1", "-1.00")])
    text = counts_of(shop.check(source_checks=True))["results"]
    found = results_of_text(text)
    assert (found["orders"].rows, found["orders"].seconds) == (2, None)
    wanted = {"amount_at_least_0": ("fail", 1), "customer_id_in_customers": ("warn", 1)}
    others = {name: each for name, each in found["orders"].checks.items() if name not in wanted}
    assert wanted.items() <= found["orders"].checks.items()
    assert others
    assert {*others.values()} == {("pass", 0)}
    assert "nobody" not in text


def test_of_several_groups_what_was_made_counts_more_than_what_had_held(shop: Workshop) -> None:
    done = shop.check(source_checks=True)
    held = SourceChecks(
        digests={("orders", "order_id_unique"): "a", ("orders", "earlier"): "b", ("x", "y"): "c"},
        remembered={"orders": frozenset({"a", "b"})},
    )
    second = replace(done, tables=(), source_checks=held)
    groups = (GroupReport("one", (), "checked", done), GroupReport("two", (), "checked", second))
    left = (SkippedCheck("totals", "of_another_group", ("totals",)),)
    found = results_of(replace(done, groups=groups, skipped=left))
    assert found["orders"].checks["order_id_unique"] == ("pass", 0)
    assert found["orders"].checks["earlier"] == ("held", None)
    assert found["totals"].checks == {"of_another_group": ("skipped", None)}
    assert "x" not in found
    # Nothing was made, and so there is nothing to tell.
    assert results_of(second) == {}


def test_results_that_are_too_long_keep_what_did_not_hold() -> None:
    checks = {f"a_check_that_has_a_long_name_{n}": ("pass", 0) for n in range(20)}
    many = {f"mart_{n}": TableResult(rows=0, checks=checks) for n in range(500)}
    many["bad"] = TableResult(
        rows=3,
        seconds=0.25,
        check_seconds=1.5,
        checks={"a": ("pass", 0), "b": ("fail", 2), "c": ("held", None), "d": ("skipped", None)},
    )
    text = results_text(many)
    assert text
    assert len(text) < LONGEST_RESULTS
    found = results_of_text(text)
    assert found["mart_0"] == TableResult(rows=0, left_out=20)
    assert found["bad"].checks == {"b": ("fail", 2), "d": ("skipped", None)}
    few = {"bad": many["bad"]}
    assert results_of_text(results_text(few)) == few


@pytest.mark.parametrize("text", [None, "", "no JSON", "[]", '{"a": {"unknown": 1}}', '{"a": 1}'])
def test_results_of_another_version_are_not_known(text: str | None) -> None:
    assert results_of_text(text) == {}


def test_the_last_query_ids_are_kept() -> None:
    statements = tuple(Statement("", "query", f"id{n}", None, 0.1) for n in range(QUERY_IDS + 9))
    without = Statement("", "query", None, None, 0.1)
    found = json.loads(counts_of(replace(REPORT, statements=(*statements, without)))["query_ids"])
    assert (found[0], found[-1], len(found)) == ("id9", f"id{QUERY_IDS + 8}", QUERY_IDS)
    assert counts_of(replace(REPORT, statements=(without,)))["query_ids"] is None
