"""What a mart was made from, as a value that is recorded with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Fingerprint:
    """What a mart was made from: a digest of its SQL, versions of sources, runs of marts.

    What temporary marts read is read by the mart that reads them. `is_unchecked` says that nobody
    looked whether its sources are what it relies on.
    """

    sql: str
    sources: Mapping[str, str]
    marts: Mapping[str, str]
    is_unchecked: bool = False

    def to_text(self) -> str:
        """Return the fingerprint as an engine keeps it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> Fingerprint | None:
        """Return the one of a text; None where another version of the framework wrote it."""
        try:
            return cls(**json.loads(text or ""))
        except (ValueError, TypeError):
            return None
