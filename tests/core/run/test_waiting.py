"""Waiting for other threads: Ctrl-C is met, whenever it arrives."""

from __future__ import annotations

import signal
import time
from concurrent import futures
from concurrent.futures import Future
from typing import Any

import pytest

from marts.core.run.waiting import first_done, result_of


def test_a_signal_just_before_the_wait_is_met_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python's handler would run after the wait: here the first wait is what sends it."""
    waits = futures.wait

    def wait(*words: Any, **options: Any) -> object:
        done = waits(*words, **options)
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr("marts.core.run.waiting.AWAKE_SECONDS", 0.01)
    monkeypatch.setattr("marts.core.run.waiting.wait", wait)
    with pytest.raises(KeyboardInterrupt):
        result_of(Future[None]())


def test_it_ends_with_the_first_future_or_the_time() -> None:
    done, never = Future[int](), Future[int]()
    done.set_result(3)
    assert result_of(done) == 3
    first_done([never, done])
    start = time.monotonic()
    first_done([never], 0.7)
    assert time.monotonic() - start >= 0.7
