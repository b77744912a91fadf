"""Candidates on Snowflake: in a schema that readers cannot use; names have the run's start.

Pure functions and values.
"""

from __future__ import annotations

import datetime
import hashlib
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
    columns that the run checks to identify a row, in any case; it is empty if it does not. `reads`
    has the sources and marts in its query.
    """

    name: str
    qualified: str
    kind: Materialized
    columns: tuple[str, ...]
    definition: str = ""
    comment: str = ""
    column_comments: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    reads: frozenset[str] = frozenset()

    def create_view(self, qualified: str, query: str, *, kept: ddl.Kept = ddl.KEPT) -> str:
        """Return the statement that creates this view under a name, from a query.

        `kept` is what it keeps of the view that it replaces.
        """
        return ddl.create_view(
            qualified,
            query,
            columns=self.columns,
            comment=self.comment,
            column_comments=self.column_comments,
            kept=kept,
        )

    @property
    def table(self) -> str:
        """The candidate's name as the catalog has it."""
        return self.qualified.rpartition(".")[2].strip('"')

    @property
    def text(self) -> str | None:
        """A digest of a view's definition; None for a table."""
        return digest_of_text(self.definition) if self.kind == "view" else None


def digest_of_text(definition: str) -> str:
    """Return a digest of a view's definition."""
    return hashlib.sha256(definition.encode()).hexdigest()


def candidate_name(name: str, run_id: str) -> str:
    """Return the name of a mart's candidate in a run."""
    return f"{name}__CANDIDATE_{run_id.replace('-', '_')}".upper()


def is_left_over(name: str, now: datetime.datetime) -> bool:
    """Tell whether a name is that of a candidate too old for a run in progress; `now` is UTC."""
    found = CANDIDATE.fullmatch(name)
    if found is None:
        return False
    return is_old(found[1].upper(), now)


def is_old(run_id: str, now: datetime.datetime) -> bool:
    """Tell whether a run, whose name has its start, cannot be in progress any more."""
    made = datetime.datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  (UTC)
    return now - made > LEFT_OVER_AFTER
