"""Names of databases and schemas, found in the catalog as it spells them; pure functions."""

from __future__ import annotations

from collections.abc import Collection

from marts.core.errors import UsageError


def bare(name: str) -> str:
    """Return a name without the double quotes around it, if it has any."""
    is_quoted = len(name) > 2 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if is_quoted else name


def spelled(what: str, name: str, known: Collection[str]) -> str | None:
    """Return a known name: this one, else in upper case, else the only one in another case.

    Returns None if there is none, since a schema may yet be created. Raises UsageError if several
    differ from it only in case; `what` says what is named.
    """
    wanted = bare(name)
    if found := next((each for each in (wanted, wanted.upper()) if each in known), None):
        return found
    alike = sorted(each for each in known if each.lower() == wanted.lower())
    if len(alike) > 1:
        raise UsageError(
            f"the {what} {name} is ambiguous",
            f"found {' and '.join(alike)}, which differ only in case",
            hint=f"pass one of them, such as --{what} {alike[0]}",
        )
    return alike[0] if alike else None
