"""Where values of rows become what a report shows: personal data are masked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from marts.core.errors import masked


def masked_row(row: Mapping[str, object], personal: Collection[str]) -> dict[str, object]:
    """Return a row for people to read, with a mask for each value of a personal column."""
    return {name: masked(value, is_personal=name in personal) for name, value in row.items()}


def masked_rows(
    rows: Iterable[Mapping[str, object]], personal: Collection[str]
) -> tuple[Mapping[str, object], ...]:
    """Return rows for people to read, with the same masks."""
    return tuple(masked_row(row, personal) if personal else row for row in rows)
