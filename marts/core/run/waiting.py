"""Wait for work in other threads, so that Ctrl-C is met while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

AWAKE_SECONDS = 0.5
"""A signal that arrives just before a wait begins does not end it: Python handles it afterwards."""

T = TypeVar("T")


def first_done(futures: Iterable[Future[Any]], seconds: float = math.inf) -> None:
    """Wait until one of the futures is done, or the time is over."""
    futures, deadline = {*futures}, time.monotonic() + seconds
    left = seconds
    while left > 0 and not any(future.done() for future in futures):
        wait(futures, timeout=min(left, AWAKE_SECONDS), return_when=FIRST_COMPLETED)
        left = deadline - time.monotonic()


def result_of(future: Future[T]) -> T:
    """Wait for work, and return its result or raise its error."""
    first_done([future])
    return future.result()
