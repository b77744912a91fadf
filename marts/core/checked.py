"""Which checks of sources a run makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from marts.core.model import Check


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

    def that_must_hold(self) -> SourceChecks:
        """Return those whose violation is an error."""
        errors = {
            name: tuple(check for check in checks if check.severity == "error")
            for name, checks in self.by_source.items()
        }
        by_source = {name: checks for name, checks in errors.items() if checks}
        return replace(self, by_source=by_source)
