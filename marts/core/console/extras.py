"""Which extra a command needs that is not installed."""

from __future__ import annotations

EXTRAS = {"snowflake": "snowflake", "numpy": "generate"}
"""By the module that is missing; pyproject.toml says what each extra installs."""


def explained(error: Exception) -> Exception:
    """Return a usage error with the extra to install where one is missing, else the same error."""
    missing = ((isinstance(error, ImportError) and error.name) or "").partition(".")[0]
    if missing not in EXTRAS:
        return error
    from marts.core.errors import UsageError

    extra = f"marts[{EXTRAS[missing]}]"
    return UsageError(f"this command needs {extra}", str(error), hint=f"pip install '{extra}'")
