"""Explain what to install if a command needs an extra."""

from __future__ import annotations

EXTRAS = {"snowflake": "snowflake", "numpy": "generate"}
"""The extra by missing module; pyproject.toml says what each extra installs."""


def explained(error: Exception) -> Exception:
    """Return a usage error with what to install if an extra is missing, else the same error."""
    missing = ((isinstance(error, ImportError) and error.name) or "").partition(".")[0]
    if missing not in EXTRAS:
        return error
    from marts.core.errors import UsageError

    extra = EXTRAS[missing]
    # The requirements, since marts itself may be on no index: a wheel, or a git reference.
    needed = " ".join(f"'{each}'" for each in _requirements(extra))
    return UsageError(
        f"this command needs marts[{extra}]", str(error), hint=f"pip install {needed}"
    )


def _requirements(extra: str) -> list[str]:
    """Return what an extra installs, as pip takes it."""
    from importlib.metadata import requires

    from marts.core import DISTRIBUTION

    lines = (line.partition(";") for line in requires(DISTRIBUTION) or ())
    markers = (f"extra == '{extra}'", f'extra == "{extra}"')
    return [needed.strip() for needed, _, marker in lines if marker.strip() in markers]
