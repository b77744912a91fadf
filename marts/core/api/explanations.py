"""How one number came about: an explanation that prints as the command line does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marts.core.api.html import text_html
from marts.core.console.explain_messages import document, text_of
from marts.core.operations.explained import Explanation


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Explained(Explanation):
    """How one value of a mart came about, as data; it prints as `marts explain` does."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The explanation as `marts explain --rows --json` prints it, with all rows."""
        return document(self, rows=max((len(each.rows) for each in self.sources), default=0))

    def __repr__(self) -> str:
        return text_of(self)

    def _repr_html_(self) -> str:
        return text_html(text_of(self))
