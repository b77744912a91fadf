"""How candidates are named on Snowflake, which tells when they were made; pure functions."""

from __future__ import annotations

import datetime
import re

CANDIDATE = re.compile(r".+__CANDIDATE_(\d{8}T\d{6})_[0-9A-F]{8}", re.IGNORECASE)
LEFT_OVER_AFTER = datetime.timedelta(hours=24)
"""A candidate this old belongs to no run that is still going on."""


def candidate_name(name: str, run_id: str) -> str:
    """Return the name of a mart's candidate in a run."""
    return f"{name}__CANDIDATE_{run_id.replace('-', '_')}".upper()


def is_left_over(name: str, now: datetime.datetime) -> bool:
    """Tell whether a name is that of a candidate, by now of a run that broke; times in UTC."""
    found = CANDIDATE.fullmatch(name)
    if found is None:
        return False
    made = datetime.datetime.strptime(found[1].upper(), "%Y%m%dT%H%M%S")  # noqa: DTZ007  (UTC)
    return now - made > LEFT_OVER_AFTER
