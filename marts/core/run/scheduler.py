"""Carry out steps side by side, each as soon as what it reads is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from typing import assert_never

from marts.core.authoring.checks import tables_read
from marts.core.plan.steps import Build, CheckTable, Step


def in_order_of_need(
    *stages: Sequence[Step],
    carry_out: Callable[[Step], None],
    threads: int,
    goes_on: Callable[[], bool] = lambda: True,
) -> None:
    """Carry out all steps in so many threads; raise what the first that fails raises.

    A stage begins when the one before it is done, and only if it `goes_on`. On an exception, an
    interrupt included, no further step begins, and those that go on are not waited for: the caller
    cancels what they run.
    """
    # One pool for all stages: with each of its threads goes a session.
    pool = ThreadPoolExecutor(threads)
    try:
        for steps in stages:
            if goes_on():
                _in_order_of_need(steps, carry_out, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_order_of_need(
    steps: Sequence[Step], carry_out: Callable[[Step], None], pool: ThreadPoolExecutor
) -> None:
    building = {step.mart.name: n for n, step in enumerate(steps) if isinstance(step, Build)}
    sorter = TopologicalSorter(
        {
            number: {building[name] for name in needs(step) if name in building}
            for number, step in enumerate(steps)
        }
    )
    sorter.prepare()
    running: dict[Future[None], int] = {}
    while sorter.is_active():
        running |= {pool.submit(carry_out, steps[n]): n for n in sorted(sorter.get_ready())}
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            future.result()
            sorter.done(running.pop(future))


def needs(step: Step) -> set[str]:
    """Return the tables that a step reads."""
    match step:
        case Build(mart):
            return set(mart.inputs)
        case CheckTable(table, checks):
            return {table.name}.union(*map(tables_read, checks))
        case _:
            assert_never(step)
