"""How many examples a test draws, where each of them takes long."""

from __future__ import annotations

from hypothesis import settings

USUAL = 200
"""How many the profile for CI has."""


def at_most(number: int) -> settings:
    """Return settings of few examples; but of all, in a profile that has more than CI's."""
    wanted = settings().max_examples
    return settings(max_examples=wanted if wanted > USUAL else min(wanted, number))
