"""Candidates on Snowflake: they are in their targets' schema; names have the run's start.

Pure functions and values.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from backends import snowflake_ddl as ddl
from marts.core.plan.state import Materialized

CANDIDATE = re.compile(r".+__CANDIDATE_(\d{8}T\d{6})_[0-9A-F]{8}", re.IGNORECASE)
LEFT_OVER_AFTER = datetime.timedelta(hours=24)
"""The age from which a candidate cannot belong to a run in progress."""


@dataclass(frozen=True)
class Candidate:
    """A relation that is built but not published; `qualified` is the candidate's name, as SQL.

    `definition` is the query of a view, over published names; empty for a table. `key` has the
    columns that the run checks to identify a row, in any case; it is empty if it does not.
    """

    name: str
    qualified: str
    kind: Materialized
    columns: tuple[str, ...]
    definition: str = ""
    comment: str = ""
    column_comments: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()

    def create_view(self, qualified: str, query: str) -> str:
        """Return the statement that creates this view under a name, from a query."""
        return ddl.create_view(
            qualified,
            query,
            columns=self.columns,
            comment=self.comment,
            column_comments=self.column_comments,
        )


def candidate_name(name: str, run_id: str) -> str:
    """Return the name of a mart's candidate in a run."""
    return f"{name}__CANDIDATE_{run_id.replace('-', '_')}".upper()


def is_left_over(name: str, now: datetime.datetime) -> bool:
    """Tell whether a name is that of a candidate too old for a run in progress; `now` is UTC."""
    found = CANDIDATE.fullmatch(name)
    if found is None:
        return False
    made = datetime.datetime.strptime(found[1].upper(), "%Y%m%dT%H%M%S")  # noqa: DTZ007  (UTC)
    return now - made > LEFT_OVER_AFTER
