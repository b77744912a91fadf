"""Carry out steps in parallel, each as soon as the tables it reads are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from graphlib import TopologicalSorter

from marts.core.plan.steps import Build, Step, needs
from marts.core.run.waiting import first_done


def run_in_parallel(
    *stages: Sequence[Step],
    carry_out: Callable[[Step], None],
    pool: ThreadPoolExecutor,
    goes_on: Callable[[], bool] = lambda: True,
) -> None:
    """Carry out all steps in a pool of threads; raise what the first failing step raises.

    A stage begins when the one before it is done, and only if `goes_on()`. On an exception, an
    interrupt included, no further step begins, and running steps are not waited for: the caller
    cancels their statements. The pool takes no more steps afterwards.
    """
    try:
        for steps in stages:
            if goes_on():
                _run_stage(steps, carry_out, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _run_stage(
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
        first_done(running)
        for future in [each for each in running if each.done()]:
            future.result()
            sorter.done(running.pop(future))
