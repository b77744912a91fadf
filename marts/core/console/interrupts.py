"""Ctrl-C and requests to terminate: raised at once, until only the report is left."""

from __future__ import annotations

import threading


class Interrupts(threading.Event):
    """Is set by each interrupt.

    A run checks it before each step, since Python swallows exceptions in finalizers, and Ibis has
    many of these.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_held = self._is_once = False

    def arrive(self) -> None:
        """Remember an interrupt, and raise KeyboardInterrupt unless interrupts are held."""
        self.set()
        if not self._is_held:
            self._is_held = self._is_once
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From now on only remember interrupts: what is left is short, and must be done."""
        self._is_held = True

    def go_on(self) -> None:
        """From now on raise interrupts again; raise one that has come while they were held."""
        self._is_held = False
        if self.is_set():
            raise KeyboardInterrupt

    def begin(self) -> None:
        """Forget all interrupts, and raise those to come."""
        self.clear()
        self._is_held = self._is_once = False

    def raise_once(self) -> None:
        """From now on hold interrupts after the first one: what it ends has to be cleaned up."""
        self._is_once = True
