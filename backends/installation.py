"""What is installed with marts, and whether it is what marts asks for."""

from __future__ import annotations

import operator
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from marts.core.run.diagnosis import Finding, verdict_of

DISTRIBUTION = "marts"
REQUIREMENT = re.compile(
    r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;\s*extra == ['\"](.*)['\"])?"
)
CLAUSE = re.compile(r"(==|~=|>=|<=|<|>|!=)\s*([^,\s]+)")
Version = tuple[int, ...]
OPERATORS: Mapping[str, Callable[[Version, Version], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "~=": lambda found, least: found >= least and found[: len(least) - 1] == least[:-1],
}


@dataclass(frozen=True)
class Installation:
    """Versions by name; `unmet` has a line, and a requirement, for each that is another."""

    versions: Mapping[str, str]
    unmet: Mapping[str, str]


def installation(version: str, *, extra: str | None = None) -> Installation:
    """Return what is installed of what marts needs, with one of its extras."""
    versions, unmet = {DISTRIBUTION: version, "Python": platform.python_version()}, {}
    for line in metadata.requires(DISTRIBUTION) or ():
        name, clauses, of_extra = _parts(line)
        if of_extra not in (None, extra):
            continue
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            unmet[f"{name} is not installed"] = f"{name}{clauses}"
            continue
        if not meets(versions[name], clauses):
            unmet[f"{name} {versions[name]} is installed"] = f"{name}{clauses}"
    return Installation(versions, unmet)


def _parts(line: str) -> tuple[str, str, str | None]:
    found = REQUIREMENT.match(line)
    return (found[1], found[2].strip(), found[3]) if found else (line, "", None)


def meets(version: str, clauses: str) -> bool:
    """Tell whether a version meets clauses such as ~=1.5.6 or <5,>=4.8; a suffix is ignored."""
    found = _numbers(version)
    for word, wanted in CLAUSE.findall(clauses):
        least = _numbers(wanted)
        size = max(len(found), len(least))
        padded = found + (0,) * (size - len(found))
        if not OPERATORS[word](padded, least if word == "~=" else _padded(least, size)):
            return False
    return True


def _padded(version: Version, size: int) -> Version:
    return version + (0,) * (size - len(version))


def _numbers(version: str) -> Version:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else (0,)


def versions_found(installed: Installation, *more: str) -> Finding:
    """Return the finding about versions; `more` are those of the engine itself."""
    named = [f"{name} {version}" for name, version in installed.versions.items()]
    wanted: Sequence[str] = tuple(installed.unmet.values())
    return verdict_of(
        [f"{line}, and marts asks for {what}" for line, what in installed.unmet.items()],
        ", ".join([*named, *more]),
        bad="warn",
        remedy=f"pip install {' '.join(map(repr, wanted))}",
    )
