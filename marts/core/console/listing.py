"""The rows of `marts ls`."""

from __future__ import annotations

from marts.core.authoring.tables import Mart, checks_of

LISTED = ("mart", "kind", "grain", "tags", "checks", "what it is")


def listed(mart: Mart) -> list[str]:
    """Return the row of a mart."""
    return [
        mart.name,
        mart.materialized,
        ", ".join(mart.grain),
        ", ".join(mart.tags),
        str(len(checks_of(mart))),
        mart.comment.partition("\n")[0],
    ]
