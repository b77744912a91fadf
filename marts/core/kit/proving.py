"""Prove marts within a test."""

from __future__ import annotations

from marts.core.api.project import Project
from marts.core.console.commands.mutate import equivalents
from marts.core.console.keywords import called
from marts.core.console.options import ALLOWED
from marts.core.operations.prove import ProveOptions
from marts.core.operations.proving import proven


def assert_proven(project: Project, *marts: str, quick: bool = False) -> None:
    """Prove marts as `marts prove` does, by default all; `quick` proves nothing, but is fast.

    What was tried is recorded, as the command does. Raises AssertionError, with the smallest input
    of what failed, if anything does not hold or a mart is proven less than the project asks for,
    and MartsError for what `marts prove` refuses.
    """
    from marts.core.console.proof_terminal import proven_text

    # Of pytest: it shows the test's own line.
    __tracebackhide__ = True

    settings, _ = called(project.settings, "prove", {"select": marts or None})
    default = settings.folder / ALLOWED
    options = ProveOptions(quick=quick, allowed=equivalents(None, default=default))
    found = proven(settings, options, watch=lambda _: None, project=project.linked)
    if found.has_failed:
        raise AssertionError(proven_text(found, allowed_in=str(default)))
