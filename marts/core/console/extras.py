"""Explain what to install if a command needs an extra."""

from __future__ import annotations

from importlib import metadata

from marts.core import DISTRIBUTION

EXTRAS = {
    "snowflake": ("snowflake", "snowflake-connector-python"),
    "numpy": ("generate", "numpy"),
    "fakesnow": ("proof", "fakesnow"),
    "uvicorn": ("proof", "uvicorn"),
    "hypothesis": ("proof", "hypothesis"),
    "pandas": ("proof", "pandas"),
    "jinja2": ("docs", "jinja2"),
    "igraph": ("docs", "igraph"),
    "vl_convert": ("docs", "vl-convert-python"),
}
"""By missing module: the extra, and the distribution that it installs, as in pyproject.toml."""


def explained(error: Exception, *, what: str = "this command") -> Exception:
    """Return a usage error with what to install if an extra is missing, else the same error."""
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
    # The requirements, since marts itself may be on no index: a wheel, or a git reference.
    needed = " ".join(f"'{each}'" for each in _requirements(name))
    return UsageError(f"{what} needs marts[{name}]", *facts, hint=f"pip install {needed}")


def _requirements(extra: str) -> list[str]:
    """Return what an extra installs, as pip takes it."""
    lines = (line.partition(";") for line in metadata.requires(DISTRIBUTION) or ())
    markers = (f"extra == '{extra}'", f'extra == "{extra}"')
    return [needed.strip() for needed, _, marker in lines if marker.strip() in markers]
