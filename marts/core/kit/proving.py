"""Prove marts within a test."""

from __future__ import annotations

from marts.core.api.project import Project
from marts.core.console.commands.mutate import ALLOWED, equivalents
from marts.core.console.keywords import called
from marts.core.operations.prove import ProveOptions, prove


def assert_proven(project: Project, *marts: str, quick: bool = False) -> None:
    """Prove marts as `marts prove` does, by default all; `quick` proves nothing, but is fast.

    Raises AssertionError, with the smallest input of what failed, if anything does not hold or a
    mutant survives, and MartsError for what `marts prove` refuses.
    """
    from marts.core.console.proof_terminal import tried_text

    settings, _ = called(project.settings, "prove", {"select": marts or None})
    options = ProveOptions(
        quick=quick, allowed=equivalents(None, default=settings.folder / ALLOWED)
    )
    tried = prove(settings, options, watch=lambda _: None, project=project.linked)
    if tried.has_failed:
        raise AssertionError(tried_text(tried))
