"""Numbers and times as a reader expects them."""

from __future__ import annotations

import datetime

import pytest

from marts.core.catalog import texts


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0.0312, "0.031 s"),
        (0.999, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (125.2, "2 min 5 s"),
        (3 * 3600 + 61, "3 h 1 min"),
    ],
)
def test_a_duration_has_the_units_that_matter(seconds: float | None, shown: str) -> None:
    assert texts.duration(seconds) == shown


def test_times_are_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=-8))
    assert texts.minute(datetime.datetime(2025, 6, 30, 23, 5, tzinfo=zone)) == "2025-07-01 07:05"
    naive = datetime.datetime(2025, 6, 30, 23, 5)  # noqa: DTZ001  (as engines store it)
    assert texts.moment(naive) == '<time datetime="2025-06-30T23:05Z">2025-06-30 23:05 UTC</time>'
