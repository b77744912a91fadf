"""Explain which extra to install if a command needs one."""

from __future__ import annotations

EXTRAS = {"snowflake": "snowflake", "numpy": "generate"}
"""The extra by missing module; pyproject.toml says what each extra installs."""


def explained(error: Exception) -> Exception:
    """Return a usage error with the extra to install if one is missing, else the same error."""
    missing = ((isinstance(error, ImportError) and error.name) or "").partition(".")[0]
    if missing not in EXTRAS:
        return error
    from marts.core.errors import UsageError

    extra = f"marts[{EXTRAS[missing]}]"
    return UsageError(f"this command needs {extra}", str(error), hint=f"pip install '{extra}'")
