"""Carry out steps side by side, each as soon as what it reads is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import assert_never

from marts.core.authoring.checks import tables_read
from marts.core.plan.steps import Build, CheckAcross, CheckRows, Publish, Step


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
    building = {step.mart.name for step in steps if isinstance(step, Build)}
    built: set[str] = set()
    waiting, running = list(steps), dict[Future[None], Step]()
    while waiting or running:
        ready = [step for step in waiting if needs(step) & building <= built]
        waiting = [step for step in waiting if step not in ready]
        running |= {pool.submit(carry_out, step): step for step in ready}
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            step = running.pop(future)
            future.result()
            if isinstance(step, Build):
                built.add(step.mart.name)


def needs(step: Step) -> set[str]:
    """Return the tables that a step reads."""
    match step:
        case Build(mart):
            return set(mart.inputs)
        case CheckRows(table):
            return {table.name}
        case CheckAcross(table, check):
            return {table.name, *tables_read(check)}
        case Publish(marts):
            return {mart.name for mart in marts}
        case _:
            assert_never(step)
