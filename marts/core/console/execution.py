"""Print how a plan is carried out, or what it would do: `marts run` and `marts test`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from marts.core.console import exit_codes, terminal
from marts.core.console.interrupts import Interrupts
from marts.core.console.messages import (
    Line,
    errors_of,
    head_line,
    outcome_lines,
    plan_document,
    plan_lines,
    reason_lines,
)
from marts.core.console.progress import progress
from marts.core.console.streams import print_error
from marts.core.operations.prepared import Ended, Prepared, carry_out
from marts.core.plan.steps import Plan

if TYPE_CHECKING:
    from marts.core.authoring.tolerance import Rate
    from marts.core.run.compared import MartDifference


def carry_out_and_print(
    prepared: Prepared,
    *,
    stop: Interrupts,
    as_json: bool,
    notes: Iterable[Line] = (),
    done: Callable[[Prepared, Ended, str, Sequence[Line]], None] | None = None,
) -> int:
    """Carry out a plan, write the artifacts, print what happened; return the exit code.

    The notes are printed first. If all went well, `done` is told what was printed but the
    progress, before the connection is closed.
    """
    console = terminal.console(to_stderr=as_json)
    plan, head, said = prepared.plan, head_line(prepared), list[Line]()

    def say(line: Line) -> None:
        said.append(line)
        terminal.say(console, line)

    console.print(head)
    for line in (*notes, *reason_lines(plan), *(("warn", str(each)) for each in prepared.findings)):
        say(line)
    with progress(console, plan, stop=stop) as observer:

        def planned(part: Plan) -> None:
            observer.planned(part)
            for label, text in reason_lines(part):
                say((label, f"group {part.group}: {text}"))

        ended = carry_out(
            prepared, observer, ending=stop.hold, going_on=stop.go_on, planned=planned
        )
    for error in errors_of(ended.report):
        print_error(error)
    if prepared.planner:
        # They are known now: the groups were planned one by one.
        for each in ended.findings:
            say(("warn", str(each)))
    for line in outcome_lines(ended.report, prepared.target):
        say(line)
    lost = terminal.json_lost(ended.results) if as_json else []
    code = exit_codes.of_run(ended.report, [*ended.errors, *lost])
    if done and code == exit_codes.DONE:
        done(prepared, ended, head, said)
    return code


def reviewing(prepared: Prepared, most: Rate | None, *, as_json: bool) -> Prepared:
    """Return a run that compares what it has built with what is published, and prints it."""
    from marts.core.console.diff_messages import review_lines
    from marts.core.operations.reviewing import Reviewer

    console = terminal.console(to_stderr=as_json)

    def told(mart: MartDifference) -> None:
        for line in review_lines(mart, reviewer.left_out.get(mart.mart, ())):
            terminal.say(console, line)

    reviewer = Reviewer(prepared.graph, most, told)
    return replace(prepared, review=reviewer)


def print_plan(prepared: Prepared, *, as_json: bool) -> int:
    """Print what a plan would do, and warnings of what engines would compute differently.

    Return the exit code: that of a run if one of several groups cannot be planned.
    """
    plan, findings, changes = prepared.plan, prepared.findings, prepared.changes
    sources_read = prepared.backend.sources_read()
    for finding in findings:
        terminal.say(terminal.console(to_stderr=True), ("warn", str(finding)))
    if as_json:
        terminal.print_json(plan_document(plan, findings, changes, sources_read))
    else:
        terminal.print_text("\n".join(plan_lines(plan, changes, sources_read)))
    refused = [part.refused for part in plan.parts if part.refused]
    if refused and any(part.publication for part in plan.parts):
        return exit_codes.FAILED
    return exit_codes.of_refusals(refused)
