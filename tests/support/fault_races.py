"""Two runs at once: the first is held before one of its statements, while the second goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from emulator.faults import Told
from support.fault_cases import BUILDS, DONE, FAILED, REFUSED, SCHEMA, Sweep
from support.fault_shop import DETACHED, NEW, OTHER, TOOL, Seen, Sent
from support.forked import Ended

LOCK = r'^UPDATE \S*"MARTS_STATE" SET "RUN_ID"'
MEANWHILE, WAITED = "another run published meanwhile", "another run is publishing into this schema"
ALL_BUILDS = (*BUILDS, (OTHER, OTHER))


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
    words: tuple[Sequence[str], Sequence[str]] = ((), ()),
    is_first: bool = False,
    is_patient: bool = True,
    is_upon_the_last: bool = False,
    other: str = NEW,
    refused: str = "",
) -> Race:
    """Hold a run before a statement, the nth or of a pattern, until another has ended or waits.

    If it `is_first`, nothing has been published before; if it `is_upon_the_last`, all is as the
    last case left it. Unless the other run `is_patient`, it waits for a second, while the first is
    held. The other run is of a version, and may be `refused` the statements of a pattern.
    """
    sweep.cases += 1
    if is_first:
        sweep.shop.drop(SCHEMA)
    elif not is_upon_the_last:
        sweep.shop.bring_back(SCHEMA, sweep.view)
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
        first = shop.start(SCHEMA, NEW, f"first {sweep.cases}", *words[0])
        tail.until(lambda: arrived() or not first.is_alive)
        assert arrived(), first.wait()
        held = arrived()[0]
        has_lock = any(re.match(LOCK, each.sql) for each in tail.found[before:-1])
        known = len(tail.found)
        seconds = "60" if is_patient else "1"
        second = shop.start(
            *(SCHEMA, other, f"second {sweep.cases}", "--lock-timeout", seconds, *words[1]),
            sources=OTHER,
        )
        tail.until(
            lambda: not second.is_alive or (is_patient and has_lock and _waits(sweep, known))
        )
        emulator.control(detached=DETACHED)
        ended = (first.wait(), second.wait())
    found = Race(held, ended, _ids(ended), seen, shop.publications(SCHEMA), shop.read(SCHEMA))
    _judge(found, sweep, is_first=is_first)
    return found


def _waits(sweep: Sweep, known: int) -> bool:
    return any(re.match(LOCK, each.sql) for each in sweep.tail.found[known:])


def _ids(ended: tuple[Ended, Ended]) -> tuple[str, str]:
    first, second = (str(each.results and each.results["run_id"]) for each in ended)
    return first, second


def _judge(found: Race, sweep: Sweep, *, is_first: bool) -> None:
    wrong = found.wrong
    fine = (*ALL_BUILDS, ("", "")) if is_first else ALL_BUILDS
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
