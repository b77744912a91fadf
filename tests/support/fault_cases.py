"""A run with one fault: what readers saw, what was said of it, and if the next run mends it."""

from __future__ import annotations

import datetime
import re
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.fault_shop import (
    ADDED,
    DETACHED,
    GONE,
    MARTS,
    NEW,
    OLD,
    TOOL,
    FaultShop,
    Seen,
    Sent,
    Tail,
)
from support.forked import Ended, Fork

DONE, FAILED, INTERRUPTED = 0, 1, 130
SCHEMA = "SWEPT"
DROPS = "--drop-orphans"
REFUSED = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}
RUN = re.compile(r"\d{8}[Tt]\d{6}[-_][0-9A-Fa-f]{8}")
AT_ONCE = {"backends.snowflake_candidates.LEFT_OVER_AFTER": datetime.timedelta(0)}
"""Let candidates be old as soon as they are made."""
BUILDS = ((OLD, ""), (NEW, NEW))
"""What the marts of both versions show, and the new one."""
PATIENCE = (1, 4, 16)
"""Seconds after which a silent line is dead, in the first attempt and in later ones."""
Act = Callable[[Fork, Tail], None]


def _kill(run: Fork, _: Tail) -> None:
    run.send(signal.SIGKILL)


def _interrupt(times: int) -> Act:
    def send(run: Fork, tail: Tail) -> None:
        aborts = tail.aborts
        for _ in range(times):
            run.send(signal.SIGINT)
        if tail.found[-1].is_cancelled_by_an_interrupt:
            tail.until(lambda: tail.aborts > aborts or not run.is_alive)

    return send


@dataclass(frozen=True)
class Fault:
    """What the emulator does wrong at a statement, and what is done to the run meanwhile."""

    told: Mapping[str, Mapping[str, Any]]
    act: Act | None = None
    only_changes: bool = False
    """Whether it makes a difference only at statements that change something."""


FAULTS = {
    "refused": Fault({"fail": REFUSED}),
    "executed, session lost": Fault({"lose": {"gone": "answered"}}),
    "never arrived, no answer": Fault({"dead": {"runs": False}}),
    "executed, no answer": Fault({"dead": {"runs": True}}, only_changes=True),
    # A run that is killed after a statement leaves what one leaves that is killed before the next.
    "killed": Fault({"dead": {"runs": False}}, act=_kill),
    "interrupted": Fault({"stall": {}}, act=_interrupt(1)),
    "interrupted twice": Fault({"stall": {}}, act=_interrupt(2)),
    "interrupted, session lost": Fault(
        {"stall": {}, "lose": {"gone": "answered"}}, act=_interrupt(1), only_changes=True
    ),
    "unreachable before": Fault({"dead": {"runs": False, "logins": True}}),
    "unreachable after": Fault({"dead": {"runs": True, "logins": True}}, only_changes=True),
}
INTERRUPTS = ("interrupted", "interrupted twice", "interrupted, session lost")
UNREACHABLE = ("unreachable before", "unreachable after")


@dataclass
class Outcome:
    """What came of a run with a fault; `wrong` has a line for each untrue or broken thing."""

    number: int
    sent: Sent
    fault: str
    ended: Ended
    seen: Seen
    status: str | None
    recorded: str | None
    """The run's status in the table of runs."""
    state: tuple[str, str]
    healed: str = ""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        head = f"statement {self.number} ({self.sent}), {self.fault}: "
        facts = f"exit {self.ended.returncode}, {self.status}, recorded {self.recorded}"
        return f"{head}{facts}, readers {self.state}, {'; '.join(self.wrong) or 'all true'}"


@dataclass
class Sweep:
    """Runs of the second version with faults, each upon the first version's publication."""

    shop: FaultShop
    tail: Tail
    view: str
    old_run: str
    first: list[Sent]
    """The statements of a first publication."""
    statements: list[Sent]
    """Those of the second version's run."""
    catalog: Mapping[str, Any]
    healed: dict[str, str] = field(default_factory=dict)
    cases: int = 0

    def strike(self, number: int, fault: str, *, heals: bool = True) -> Outcome:
        """Let the nth statement of a run meet a fault, judge what is said of it, and run again."""
        for patience in PATIENCE:
            self.cases += 1
            self.shop.bring_back(SCHEMA, self.view)
            ended, seen, sent = self._run(number, FAULTS[fault], patience)
            # A slow machine may be taken for a dead line.
            if len(sent) > number:
                break
        run = next((each.run for each in reversed(sent) if each.run), _recorded_run(sent))
        met = sent[number] if len(sent) > number else sent[-1]
        recorded = self.shop.runs(SCHEMA).get(run)
        status = str(ended.results["status"]) if ended.results else None
        state = self.shop.read(SCHEMA)
        found = Outcome(number, met, fault, ended, seen, status, recorded, state)
        if len(sent) <= number:
            found.wrong.append("the run did not get so far")
        elif met.kind != self.statements[number].kind:
            found.wrong.append(f"not the statement that was recorded: {self.statements[number]}")
        self._judge(found, run)
        if heals:
            self._heal(found)
        return found

    def _run(self, number: int, fault: Fault, patience: int) -> tuple[Ended, Seen, list[Sent]]:
        account, before = self.shop.account, len(self.tail.read())
        # The emulator counts the statements that meet the same words.
        where = {"pattern": "", "tag": f"{TOOL}(?#{self.cases})", "skip": number, "times": 1}
        seconds = patience if "dead" in fault.told and not fault.act else None
        told = {kind: {**where, **words} for kind, words in fault.told.items()}
        with self.shop.polled(SCHEMA) as seen, account.told(detached=DETACHED, **told):  # type: ignore[arg-type]
            run = self.shop.start(SCHEMA, NEW, f"run {self.cases}", DROPS, patience=seconds)
            if fault.act:
                if self.tail.wait(before + number + 1, lambda: not run.is_alive):
                    fault.act(run, self.tail)
                account.emulator.control(detached=DETACHED)  # type: ignore[union-attr]
            ended = run.wait()
        return ended, seen, self.tail.read()[before:]

    def _judge(self, found: Outcome, run: str) -> None:
        """Compare what is said of a run with what readers see."""
        ended, wrong = found.ended, found.wrong
        is_new = found.state == (NEW, NEW)
        said = ended.stdout + ended.stderr
        expected = {NEW: run, OLD: self.old_run}.get(found.state[0])
        if not is_new and found.state != (OLD, ""):
            wrong.append(f"readers see a mixture: {found.state}")
        if mixtures := found.seen.mixtures(*BUILDS):
            wrong.append(f"polls saw mixtures: {mixtures}")
        if not found.seen.polls:
            wrong.append("nobody polled")
        state = self.shop.recorded(SCHEMA)
        if any(state.get(mart) != expected for mart in MARTS):
            wrong.append(f"the state table says {state}, readers see that of {expected}")
        if "Traceback" in said:
            wrong.append(f"a traceback: {said}")
        if found.fault == "killed":
            known = ("published",) if is_new else ()
            if found.recorded not in (None, "running", "publishing", *known):
                wrong.append(f"it was killed, and the table of runs says {found.recorded}")
            return
        self._judge_words(found, said, is_new=is_new)
        self._judge_record(found, said)

    def _judge_words(self, found: Outcome, said: str, *, is_new: bool) -> None:
        code, status, wrong = found.ended.returncode, found.status, found.wrong
        codes = (DONE, INTERRUPTED) if found.fault in INTERRUPTS else (DONE, FAILED)
        is_both = found.fault == "interrupted, session lost"
        if not said or code not in ((*codes, FAILED) if is_both else codes):
            wrong.append(f"exit code {code}: {said}")
        if status == "unknown":
            if found.fault not in UNREACHABLE or "is not known" not in said or code == DONE:
                wrong.append(f"unknown: {said}")
            return
        if (status == "published") != is_new:
            wrong.append(f"the report says {status}")
        if (code == DONE) != is_new:
            wrong.append(f"exit code {code}")
        if "nothing was published" in said and is_new:
            wrong.append(f"it is published: {said}")
        if "done  published" in said and not is_new:
            wrong.append(f"it is not published: {said}")

    def _judge_record(self, found: Outcome, said: str) -> None:
        is_warned = "was not written" in said
        if found.recorded == found.status or (found.status is None and found.recorded == "error"):
            return
        if found.fault in INTERRUPTS and found.status is None and found.recorded == "interrupted":
            return
        stale = (None, "running", "publishing")
        if not (is_warned or self._is_lost(said)) or found.recorded not in stale:
            found.wrong.append(f"the table of runs says {found.recorded}: {said}")

    @staticmethod
    def _is_lost(said: str) -> bool:
        """Tell whether the report itself says that the account could not be asked."""
        return "connection to Snowflake is lost" in said

    def _heal(self, found: Outcome) -> None:
        """Run again without faults; judge what it makes, and that a sweep leaves nothing."""
        there, recorded = self.shop.candidates(SCHEMA)
        if there - recorded:
            found.wrong.append(f"candidates that nobody will sweep: {there - recorded}")
        key = self._left(there)
        if key not in self.healed:
            self.healed[key] = self._healed()
        found.healed = self.healed[key]
        if found.healed not in ("published", "unchanged"):
            found.wrong.append(f"the next run: {found.healed}")
        if found.healed == "unchanged" and found.state != (NEW, NEW):
            found.wrong.append("the next run leaves it")

    def _left(self, candidates: set[str]) -> str:
        """Return what a run has left, without its name: the next run finds the same."""
        rows = self.shop.account.rows(
            f"SELECT PACKAGE, NAME, KIND, RUN_ID, AS_OF, ORIGIN FROM"
            f" {self.shop.account.location(SCHEMA, 'MARTS_STATE')} ORDER BY 1, 2"
        )
        names = {name.partition("__")[0] for name in candidates}
        left = repr([rows, sorted(names), self.shop.catalog(SCHEMA), self.shop.read(SCHEMA)])
        left = left.replace(self.old_run, "OLD")
        statuses = sorted(self.shop.runs(SCHEMA).values())
        return without_runs(left) + repr(statuses)

    def _healed(self) -> str:
        """Run until nothing is to do, and return how the first of these runs ended, or what not."""
        name = f"healed {self.cases}"
        ended = self.shop.run(SCHEMA, NEW, name, DROPS, changes=AT_ONCE)
        if ended.returncode != DONE or ended.results is None:
            return f"exit {ended.returncode}: {ended.stdout}{ended.stderr}"
        if self.shop.read(SCHEMA) != (NEW, NEW):
            return f"readers see {self.shop.read(SCHEMA)}"
        if len({*(self.shop.recorded(SCHEMA)[mart] for mart in (*MARTS, ADDED))}) != 1:
            return f"it records {self.shop.recorded(SCHEMA)}"
        if any(self.shop.candidates(SCHEMA)):
            swept = self.shop.run(SCHEMA, NEW, f"{name}, swept", "--force", DROPS, changes=AT_ONCE)
            if swept.returncode != DONE or any(self.shop.candidates(SCHEMA)):
                return f"what is left: {self.shop.candidates(SCHEMA)}: {swept.stderr}"
        if self.shop.catalog(SCHEMA) != self.catalog:
            return f"the catalog says {self.shop.catalog(SCHEMA)}, not {self.catalog}"
        return str(ended.results["status"])


def _recorded_run(sent: list[Sent]) -> str:
    """Return the run whose row is written, or nothing: before it begins it is not in the tags."""
    written = [each.sql for each in sent if each.step == "record"]
    return RUN.findall(written[0])[0] if written and RUN.search(written[0]) else ""


def without_runs(text: str) -> str:
    """Return a text without the names of runs."""
    return RUN.sub("RUN", text)


def opened(shop: FaultShop) -> Sweep:
    """Publish the first version, keep it, and run the second once without a fault."""
    assert shop.account.emulator
    tail = Tail(shop.account.emulator.folder / "record.jsonl")
    shop.prepare()
    first = shop.run(SCHEMA, OLD, "first")
    assert first.returncode == DONE, first.stderr
    published = tail.read()[:]
    is_view = f'^CREATE OR REPLACE VIEW .*"{SCHEMA}"'
    (view,) = (each.sql for each in tail.read() if re.match(is_view, each.sql))
    shop.save(SCHEMA)
    shop.bring_back(SCHEMA, view)
    before = len(tail.read())
    second = shop.run(SCHEMA, NEW, "second", DROPS)
    assert second.returncode == DONE, second.stderr
    statements = tail.read()[before:]
    assert first.results
    run_id = str(first.results["run_id"])
    found = Sweep(shop, tail, view, run_id, published, statements, shop.catalog(SCHEMA))
    assert GONE.upper() not in shop.account.tables(SCHEMA)
    assert shop.read(SCHEMA) == (NEW, NEW)
    return found


def table_of(outcomes: list[Outcome]) -> str:
    """Return how often each kind of statement with each fault came to what, for people."""
    counted: Counter[tuple[str, ...]] = Counter()
    for each in outcomes:
        what = f"exit {each.ended.returncode}, {each.status}, recorded {each.recorded}"
        counted[each.sent.kind, each.fault, f"{what}; {each.state[0]}; then {each.healed}"] += 1
    polls = sum(each.seen.polls for each in outcomes)
    mixtures = sum(sum(each.seen.mixtures(*BUILDS).values()) for each in outcomes)
    untrue = sum(bool(each.wrong) for each in outcomes)
    lines = [f"{' | '.join(key)} | {count}" for key, count in sorted(counted.items())]
    total = f"{len(outcomes)} cases, {untrue} untrue; {polls} polls, {mixtures} mixtures"
    return "\n".join([*lines, total])
