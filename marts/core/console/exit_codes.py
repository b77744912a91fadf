"""Exit codes: 0 done, 1 something failed, 2 usage error, 130 interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marts.core.console.streams import warn
from marts.core.errors import EngineError, MartsError, NoSuchRowError

if TYPE_CHECKING:
    from marts.core.run.report import Report

DONE, FAILED, USAGE_ERROR, INTERRUPTED = 0, 1, 2, 130
BY_STATUS = {
    "published": DONE,
    "unchanged": DONE,
    "checked": DONE,
    "interrupted": INTERRUPTED,
    "failed": FAILED,
    "partly_published": FAILED,
    "unknown": FAILED,
    "error": FAILED,
}


def of_error(error: Exception) -> int | None:
    """Return the exit code of an error that the user can fix, None for a bug."""
    if isinstance(error, EngineError | NoSuchRowError):
        return FAILED
    return USAGE_ERROR if isinstance(error, MartsError) else None


def of_run(report: Report, errors: Sequence[EngineError]) -> int:
    """Return a run's exit code, and print the errors that occurred after it.

    A run that has published everything is done, even if its report cannot be written.
    """
    status = report.status
    code, is_published = BY_STATUS[status], status in ("published", "unchanged")
    if {each.status for each in report.groups} <= {"error", "left", "unchanged"}:
        code = of_refusals([each.error for each in report.groups if each.error]) or code
    warn_of(errors, is_published=is_published)
    return FAILED if errors and code == DONE and not is_published else code


def warn_of(errors: Sequence[EngineError], *, is_published: bool) -> None:
    """Print errors that occurred after a run."""
    for error in errors:
        warn(f"{'everything is published, but ' if is_published else ''}{error}")


def of_refusals(errors: Sequence[MartsError]) -> int:
    """Return the exit code of errors that ended groups of a run before they had done anything."""
    codes = {of_error(error) for error in errors}
    return USAGE_ERROR if codes == {USAGE_ERROR} else FAILED if codes else DONE
