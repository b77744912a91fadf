"""The last runs of a project, and what is published of it: it prints as the command line does."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marts.core.api.html import lines_html
from marts.core.console.messages import line_text
from marts.core.console.status_messages import head_of, status_document, status_lines
from marts.core.operations.status import ProjectStatus


@dataclass(frozen=True, repr=False)
class Status:
    """The last runs, the latest first, and what readers see now; times are UTC."""

    _found: ProjectStatus

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """All of it as data, as `marts status --json` prints it."""
        return status_document(self._found)

    @property
    def runs(self) -> tuple[Mapping[str, Any], ...]:
        """The last runs, the latest first, as the document has them."""
        return tuple(self.document["runs"])

    @property
    def published(self) -> Mapping[str, datetime.date]:
        """The date as of which each mart is published."""
        return {mart.name: mart.as_of for mart in self._found.published}

    def __repr__(self) -> str:
        lines = map(line_text, status_lines(self._found))
        return "\n".join([head_of(self._found), *lines])

    def _repr_html_(self) -> str:
        return lines_html([head_of(self._found), *status_lines(self._found)])
