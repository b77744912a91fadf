"""What a caller may ask of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run may do besides building what is not up to date."""

    checks_sources: bool = True
    accept_shrink: bool = False
    """Publish even if a source has lost half of its rows."""
    force: bool = False
    """Build marts that are up to date, too."""
    adopt: tuple[str, ...] = ()
    """The marts that may replace a table that is not recorded as made by the package."""
    accept_unproven: tuple[str, ...] = ()
    """The marts that may be published without a proof, if proofs are required."""
    reason: str | None = None
    """Why they may."""
    drop_orphans: bool = False
    """Drop published marts that no longer exist."""

    @property
    def only_updates(self) -> bool:
        """Whether nothing is asked but to build what is not up to date."""
        return not (self.force or self.adopt or self.accept_unproven or self.drop_orphans)
