"""Which checks of sources a run makes, and what is remembered of those that were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from marts.core.model import Check


@dataclass(frozen=True)
class CheckedSource:
    """What a published run found of one version of a source.

    `checks` are digests of the checks that held; `rows` is None where nobody counted; `orphans` are
    the shares, from 0 to 1, of rows that found nothing in a lookup, by the name of the check.
    """

    version: str
    checks: frozenset[str] = frozenset()
    rows: int | None = None
    orphans: Mapping[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the record as an engine keeps it."""
        return json.dumps(asdict(self) | {"checks": sorted(self.checks)}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> CheckedSource | None:
        """Return the record of its text; None where another version of the framework wrote it."""
        try:
            found = json.loads(text or "")
            return cls(**found | {"checks": frozenset(found["checks"])})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class SourceChecks:
    """The checks of sources that a run makes, by source, and their digests.

    `sources` are all that the marts to be built rely on. `remembered` are the digests of those that
    need not be made again, as the version of the source has not changed; `is_left_out` where
    somebody wanted none.
    """

    sources: tuple[str, ...] = ()
    by_source: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    digests: Mapping[tuple[str, str], str] = field(default_factory=dict)
    remembered: Mapping[str, frozenset[str]] = field(default_factory=dict)
    orphans: frozenset[tuple[str, str]] = frozenset()
    """The checks, by source and name, whose share of rows is remembered."""
    is_left_out: bool = False
