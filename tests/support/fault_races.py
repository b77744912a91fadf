"""Two runs at once: the first is held before one of its statements, while the second goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from backends.emulator.faults import Told
from support.fault_cases import BUILDS, DONE, DROPS, FAILED, REFUSED, SCHEMA, Sweep
from support.fault_shop import DETACHED, NEW, OLD, OTHER, TOOL, Seen, Sent
from support.forked import Ended, Fork

LOCK = r'^UPDATE \S*"MARTS_STATE" SET "RUN_ID"'
MEANWHILE, WAITED = "another run published meanwhile", "another run is publishing into this schema"
Asked = tuple[str, str, tuple[str, ...]]
"""A run: the version, the sources, and further words."""
BOTH: tuple[Asked, Asked] = ((NEW, NEW, (DROPS,)), (NEW, OTHER, (DROPS,)))
Upon = Literal["saved", "anew", "last", "nothing"]
ALL_BUILDS: tuple[tuple[str, str], ...] = (*BUILDS, (OTHER, OTHER))


@dataclass
class Race:
    """What came of two runs; `wrong` has a line for each untrue or broken thing."""

    held: Sent
    ended: tuple[Ended, Ended]
    run_ids: tuple[str, str]
    seen: Seen
    published: set[str]
    state: tuple[str, str]
    wrong: list[str] = field(default_factory=list)

    @property
    def ends(self) -> tuple[str, str]:
        """How both runs ended, in a word each."""
        first, second = (_end(each) for each in self.ended)
        return first, second

    def __str__(self) -> str:
        return f"held at {self.held}: {self.ends}, {self.state}, {self.wrong or 'all true'}"


def _end(ended: Ended) -> str:
    if ended.returncode == DONE:
        return str(ended.results and ended.results["status"])
    for words in (MEANWHILE, WAITED):
        if words in ended.stderr:
            return words
    return ended.stderr.partition("\n")[0] or f"exit {ended.returncode}"


def race(
    sweep: Sweep,
    at: int | str,
    *,
    runs: tuple[Asked, Asked] = BOTH,
    upon: Upon = "saved",
    is_patient: bool = True,
    refused: str = "",
) -> Race:
    """Hold a run before a statement, the nth or of a pattern, until another has ended or waits.

    They run `upon` the publication that was saved, or one made anew, or the last case's, or
    nothing. Unless the other run `is_patient`, it waits for a second, while the first is held. It
    may be `refused` the statements of a pattern.
    """
    sweep.cases += 1
    _begin(sweep, upon)
    tail, shop, before = sweep.tail, sweep.shop, len(sweep.tail.read())
    pattern, number = ("", at) if isinstance(at, int) else (at, 0)
    stall = {"pattern": pattern, "tag": f"{TOOL}(?#{sweep.cases})", "skip": number, "times": 1}

    told: Told = {"stall": stall, "detached": DETACHED}
    if refused:
        told["fail"] = {"pattern": refused, **REFUSED}

    def arrived() -> list[Sent]:
        return [each for each in tail.found[before:] if re.match(pattern, each.sql)][number:]

    with (
        shop.polled(SCHEMA) as seen,
        shop.account.told(**told) as emulator,
    ):
        first = _start(sweep, "first", runs[0])
        tail.until(lambda: arrived() or not first.is_alive)
        assert arrived(), first.wait()
        held = arrived()[0]
        done = [each.sql for each in tail.found[before:-1]]
        has_lock = any(re.match(LOCK, sql) for sql in done) and "COMMIT" not in done
        known = len(tail.found)
        seconds = "60" if is_patient else "1"
        second = _start(sweep, "second", runs[1], "--lock-timeout", seconds)
        tail.until(
            lambda: not second.is_alive or (is_patient and has_lock and _waits(sweep, known))
        )
        emulator.control(detached=DETACHED)
        ended = (first.wait(), second.wait())
    found = Race(held, ended, _ids(ended), seen, shop.publications(SCHEMA), shop.read(SCHEMA))
    fine = ALL_BUILDS
    if upon == "nothing":
        # The new view is created after the commit, and then a poll takes two statements.
        fine = (*fine, ("", ""), (NEW, ""), (OTHER, ""))
    elif runs[0][0] == OLD:
        # The first version with the second's sources.
        fine = (*fine, (NEW, ""))
    _judge(found, sweep, fine)
    return found


def _begin(sweep: Sweep, upon: Upon) -> None:
    if upon == "saved":
        sweep.shop.bring_back(SCHEMA, sweep.view)
    elif upon != "last":
        sweep.shop.drop(SCHEMA)
    if upon == "anew":
        done = sweep.shop.run(SCHEMA, OLD, f"anew {sweep.cases}")
        assert done.returncode == DONE, done.stderr


def _start(sweep: Sweep, name: str, asked: Asked, *more: str) -> Fork:
    build, sources, words = asked
    name = f"{name} {sweep.cases}"
    return sweep.shop.start(SCHEMA, build, name, *words, *more, sources=sources)


def _waits(sweep: Sweep, known: int) -> bool:
    return any(re.match(LOCK, each.sql) for each in sweep.tail.found[known:])


def _ids(ended: tuple[Ended, Ended]) -> tuple[str, str]:
    first, second = (str(each.results and each.results["run_id"]) for each in ended)
    return first, second


def _judge(found: Race, sweep: Sweep, fine: Sequence[tuple[str, str]]) -> None:
    wrong = found.wrong
    if found.state not in fine:
        wrong.append(f"readers see a mixture: {found.state}")
    if mixtures := found.seen.mixtures(*fine):
        wrong.append(f"polls saw mixtures: {mixtures}")
    runs = sweep.shop.runs(SCHEMA)
    for ended, run_id in zip(found.ended, found.run_ids, strict=True):
        status = ended.results and ended.results["status"]
        said = ended.stdout + ended.stderr
        is_published = run_id in found.published
        if (ended.returncode == DONE) != is_published or (status == "published") != is_published:
            wrong.append(f"exit {ended.returncode}, {status}, published: {is_published}: {said}")
        if ended.returncode not in (DONE, FAILED) or "Traceback" in said:
            wrong.append(f"exit {ended.returncode}: {said}")
        if runs.get(run_id, status) != status:
            wrong.append(f"the table of runs says {runs.get(run_id)}, not {status}")
    if WAITED in found.ends[1] and f"run {found.run_ids[0]} of user MARTS" not in (
        found.ended[1].stderr
    ):
        wrong.append(f"it does not say who publishes: {found.ended[1].stderr}")
    if not found.published & {*found.run_ids}:
        wrong.append(f"neither was published: {found.ends}")
