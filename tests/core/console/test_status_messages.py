"""What `marts status` says of each way for a run to end."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pytest

from marts.core.console.messages import line_text
from marts.core.console.status_messages import status_lines
from marts.core.operations.status import ProjectStatus, PublishedMart, RunStatus
from marts.core.plan.runs import TableResult
from marts.core.run.history import PastRun

BEGAN = datetime.datetime.fromisoformat("2026-03-02T02:00:00")
DAY = datetime.date(2026, 3, 1)
RUN: Mapping[str, Any] = {"run_id": "R1", "started_at": BEGAN, "as_of": DAY, "user_name": "ana"}


def said(
    row: Mapping[str, Any],
    *,
    is_over: bool | None = True,
    shown: tuple[str, ...] = (),
    published: tuple[PublishedMart, ...] = (),
) -> list[str]:
    """Return what is said of one run, with single spaces."""
    now = (BEGAN + datetime.timedelta(hours=3, minutes=7)).replace(tzinfo=datetime.UTC)
    runs = (RunStatus(PastRun(**{**RUN, **row}), is_over, shown),)
    status = ProjectStatus("shop", None, "duckdb", "x", now, published, runs, ())
    return [" ".join(line_text(line).split()) for line in status_lines(status)]


HEAD = "2026-03-02 02:00:00"
KILLED = f"warn {HEAD} did not say how it ended as of 2026-03-01 ana"


@pytest.mark.parametrize(
    ("row", "more", "lines"),
    [
        (
            {"status": "published", "marts_built": 2, "marts_unchanged": 1, "checks_made": 1}
            | {"seconds": 1.5, "host_name": "vm", "selection": "+a"},
            {},
            [f"ok {HEAD} published as of {DAY} 2 built 1 unchanged 1 check 1.50 s ana on vm (+a)"],
        ),
        (
            {"status": "failed", "error": "checks that did not hold: a.late, a.x"}
            | {
                "results": {
                    "a": TableResult(
                        checks={
                            "late": ("warn", 1),
                            "x": ("fail", 1234),
                            "seen": ("acknowledged", 9),
                            "fine": ("pass", 0),
                        }
                    )
                }
            },
            {},
            [
                f"FAIL {HEAD} failed as of 2026-03-01 ana",
                "FAIL a.x: 1,234 violations",
                "warn a.late: 1 violation",
            ],
        ),
        (
            # Another version recorded no results.
            {"status": "failed", "error": "checks that did not hold: a.x", "as_of": None},
            {},
            [f"FAIL {HEAD} failed ana", "FAIL checks that did not hold: a.x"],
        ),
        (
            {"status": "error", "error": "the disk is full"},
            {},
            [f"FAIL {HEAD} ended by an error as of 2026-03-01 ana", "FAIL the disk is full"],
        ),
        (
            {"status": "done", "user_name": "SYSTEM", "host_name": "task SHOP__BEGIN"},
            {},
            [f"warn {HEAD} done as of 2026-03-01 task SHOP__BEGIN"],
        ),
        ({"status": "done"}, {}, [f"warn {HEAD} done as of 2026-03-01 ana"]),
        (
            {"status": "running"},
            {"is_over": None},
            [
                f"build {HEAD} running as of 2026-03-01 ana",
                "build for 3 h 7 min: it is still running, or was killed",
            ],
        ),
        (
            {"status": "running"},
            {},
            [KILLED, "warn it was killed before it published anything"],
        ),
        (
            {"status": "publishing"},
            {},
            [KILLED, "warn it was killed while it published, and readers see nothing of it"],
        ),
        (
            {"status": "publishing"},
            {"shown": ("totals",)},
            [KILLED, "warn it was killed after it had published 1 mart"],
        ),
    ],
)
def test_each_way_to_end_is_said(
    row: Mapping[str, Any], more: Mapping[str, Any], lines: list[str]
) -> None:
    assert said(row, **more) == lines


def test_marts_of_several_runs_are_listed_by_run_and_altered_ones_are_named() -> None:
    def mart(name: str, day: int, run_id: str, *, is_altered: bool = False) -> PublishedMart:
        return PublishedMart(name, datetime.date(2026, 3, day), run_id, is_altered)

    published = (mart("a", 1, "R1"), mart("b", 2, "R2", is_altered=True), mart("c", 1, "R1"))
    _, *lines = said({"status": "published"}, published=published)
    assert lines == [
        "done published as of 2026-03-02 by run R2: b",
        "done published as of 2026-03-01 by run R1: a, c",
        "warn altered after publication: b; run again",
    ]
