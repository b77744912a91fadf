"""Explain which extra to install if a command needs one."""

from __future__ import annotations

from importlib import metadata

EXTRAS = {
    "snowflake": ("snowflake", "snowflake-connector-python"),
    "numpy": ("generate", "numpy"),
}
"""By missing module: the extra, and the distribution that it installs, as in pyproject.toml."""


def explained(error: Exception) -> Exception:
    """Return a usage error with the extra to install if one is missing, else the same error."""
    missing = ((isinstance(error, ImportError) and error.name) or "").partition(".")[0]
    if missing not in EXTRAS:
        return error
    from marts.core.errors import UsageError

    name, distribution = EXTRAS[missing]
    facts = [str(error)]
    try:
        # Another version lacks what we import.
        facts.append(f"{distribution} {metadata.version(distribution)} is installed")
    except metadata.PackageNotFoundError:
        facts.append(f"{distribution} is not installed")
    extra = f"marts[{name}]"
    return UsageError(f"this command needs {extra}", *facts, hint=f"pip install '{extra}'")
