"""The table of `marts ls`."""

from __future__ import annotations

from collections.abc import Sequence

from marts.core.authoring.tables import Mart, checks_of


def listing(marts: Sequence[Mart]) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of a table of marts, with their groups if there are several."""
    has_groups = len({mart.group for mart in marts if not mart.is_temporary}) > 1

    def row(mart: Mart) -> list[str]:
        return [
            mart.name,
            mart.materialized,
            *(["" if mart.is_temporary else mart.group] if has_groups else []),
            ", ".join(mart.grain),
            ", ".join(mart.tags),
            str(len(checks_of(mart))),
            mart.comment.partition("\n")[0],
        ]

    group = ["group"] if has_groups else []
    heads = ["mart", "kind", *group, "grain", "tags", "checks", "what it is"]
    return heads, [row(mart) for mart in marts]
