"""Work in threads of its own, and interrupts that are remembered instead of raised."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")


class Work(Generic[T]):
    """Work in a thread of its own, which the end of the process does not wait for.

    It begins once, even if an interrupt hits its start.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._claim = threading.Lock()
        self.future: Future[T] = Future()

    def start(self) -> Future[T]:
        """Begin, and return the future of the result."""
        threading.Thread(target=self._run, daemon=True).start()
        return self.future

    def prevent(self) -> bool:
        """Tell whether it had not begun; then it never will, and its future is cancelled."""
        return self._claim.acquire(blocking=False) and self.future.cancel()

    def _run(self) -> None:
        if not self._claim.acquire(blocking=False):
            return
        try:
            found = self._work()
        except BaseException as error:  # noqa: BLE001  (raised by whoever asks for the result)
            self.future.set_exception(error)
        else:
            self.future.set_result(found)


def started(work: Callable[[], T]) -> Future[T]:
    """Run work in a thread of its own, which the end of the process does not wait for."""
    return Work(work).start()


@contextmanager
def remembering(remember: Callable[[], None]) -> Iterator[None]:
    """Call a function at each interrupt, instead of raising KeyboardInterrupt.

    Two signals at once would escape any `except`. In other threads than the main one nothing
    changes: they are never interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        handler = usual[signal.Signals(number)]
        with suppress(KeyboardInterrupt):
            if callable(handler):
                handler(number, frame)
        remember()

    try:
        for number, handler in usual.items():
            if callable(handler):
                signal.signal(number, handle)
        yield
    finally:
        for number, handler in usual.items():
            if callable(handler):
                signal.signal(number, handler)
