"""What `marts deploy` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from marts.core.console.messages import Line
from marts.core.run.deployment import Deployed, GraphState

NO_PROOFS: Line = (
    "skip",
    "the proofs are not looked up, because a dry run connects to nothing: the marts may be refused",
)


def deployed(found: Sequence[Deployed]) -> Iterator[str]:
    """Yield what was done for each group."""
    for each in found:
        for change in each.changes:
            yield f"alter {change}"
        for verb, names in (
            ("create", each.created),
            ("replace", each.replaced),
            ("drop", each.dropped),
        ):
            yield from (f"{verb} {name}" for name in names)
        done = len(each.created) + len(each.replaced) + len(each.dropped)
        what = f"{done} of {done + len(each.unchanged)} objects changed" if done else "unchanged"
        yield f"done  {what}; the schedule is started: {each.root}"


def suspended(roots: Sequence[str]) -> Iterator[str]:
    """Yield the schedules that are suspended now."""
    if not roots:
        yield "nothing is deployed"
    for name in roots:
        yield f"suspended {name}; a run that has begun goes on, and `marts deploy` starts it again"


def removed(names: Sequence[str]) -> Iterator[str]:
    """Yield what was dropped."""
    yield from (f"drop {name}" for name in names)
    yield "done  the published marts are as they were" if names else "nothing is deployed"


def state(found: GraphState) -> Iterator[str]:
    """Yield the tasks, and the last runs."""
    if not found.tasks:
        yield "nothing is deployed"
    for task in found.tasks:
        when = f"  {task.schedule}" if task.schedule else ""
        yield f"{task.state:<10} {task.name}  {task.compute}{when}"
    for run in found.runs:
        why = f"  {run.error}" if run.error else ""
        started = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
        yield f"{run.status:<10} {started} UTC  as of {run.as_of}  {run.run_id}{why}"
