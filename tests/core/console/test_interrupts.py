"""Interrupts that come while they are held are raised before the next group of a run."""

from __future__ import annotations

import pytest

from marts.core.console.interrupts import Interrupts


def test_an_interrupt_that_was_held_is_raised_when_the_run_goes_on() -> None:
    stop = Interrupts()
    stop.hold()
    stop.go_on()
    stop.hold()
    stop.arrive()
    with pytest.raises(KeyboardInterrupt):
        stop.go_on()
    with pytest.raises(KeyboardInterrupt):
        stop.arrive()
