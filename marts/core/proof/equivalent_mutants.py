"""The list of mutants that no data can tell from the original, and what is left without them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from marts.core.errors import UsageError
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import MutationResults

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Equivalent:
    """One entry of the list: a mutant, and why it may live."""

    mart: str
    operator: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> Key:
        """What names the mutant."""
        return (self.mart, self.operator, self.before, self.after)


@dataclass(frozen=True)
class Stale:
    """An entry that is to be removed, and why."""

    entry: Equivalent
    why: str


@dataclass(frozen=True)
class MutationReport:
    """One mart's mutants: which were noticed, which are allowed, and which survive."""

    report: MutationResults
    allowed: tuple[Mutant, ...]
    surviving: tuple[Mutant, ...]
    stale: tuple[Stale, ...]

    @property
    def killed(self) -> int:
        """How many were noticed."""
        return len(self.report.results) - len(self.allowed) - len(self.surviving)

    @property
    def has_failed(self) -> bool:
        """Whether somebody has to do something about it."""
        return bool(self.surviving or self.stale)


def score(report: MutationResults, entries: Iterable[Equivalent]) -> MutationReport:
    """Return what is left of a mart's mutants, and which of its entries are stale."""
    own = {entry.key: entry for entry in entries if entry.mart == report.mart.name}
    alive = {_key(t.mutant): t.mutant for t in report.results if t.killed_by is None}
    noticed = {_key(trial.mutant): trial for trial in report.results if trial.killed_by}
    stale = []
    for key, entry in own.items():
        if key in noticed:
            stale.append(Stale(entry, f"it is noticed: {noticed[key].evidence}"))
        elif key not in alive:
            stale.append(Stale(entry, "there is no such mutant"))
    return MutationReport(
        report,
        allowed=tuple(mutant for key, mutant in alive.items() if key in own),
        surviving=tuple(mutant for key, mutant in alive.items() if key not in own),
        stale=tuple(stale),
    )


def unknown_entries(entries: Iterable[Equivalent], marts: Collection[str]) -> tuple[Stale, ...]:
    """Return the entries of marts that there are not."""
    return tuple(Stale(e, "there is no such mart") for e in entries if e.mart not in marts)


def read_equivalents(text: str, *, location: str) -> tuple[Equivalent, ...]:
    """Return the entries of a list: tables `[[equivalent]]` of TOML, each with all that names it.

    Raises UsageError where the text is not TOML, or an entry lacks something, or stands twice.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{location} is not TOML: {error}") from error
    tables = document.pop("equivalent", [])
    if document or not isinstance(tables, list):
        raise UsageError(f"{location} may only hold tables [[equivalent]]", *document)
    entries = [_entry(table, f"{location}, entry {n}") for n, table in enumerate(tables, start=1)]
    keys = [entry.key for entry in entries]
    for entry in entries:
        if keys.count(entry.key) > 1:
            raise UsageError(f"{location} has an entry twice", entry_text(entry))
    return tuple(entries)


def _entry(table: object, location: str) -> Equivalent:
    names = [field.name for field in fields(Equivalent)]
    given = table if isinstance(table, dict) else {}
    if set(given) != set(names) or not all(
        isinstance(v, str) and v.strip() for v in given.values()
    ):
        raise UsageError(
            f"{location}, has not what an entry has: {', '.join(names)}, each a text",
            hint="take mart, operator, before and after from what `marts mutate` prints",
        )
    return Equivalent(**given)


def entry_of(mutant: Mutant, *, reason: str) -> Equivalent:
    """Return the entry that would allow a mutant."""
    return Equivalent(*_key(mutant), reason)


def entry_text(entry: Equivalent) -> str:
    """Return an entry as TOML."""
    lines = (
        f"{field.name} = {json.dumps(getattr(entry, field.name), ensure_ascii=False)}"
        for field in fields(Equivalent)
    )
    return "\n".join(["[[equivalent]]", *lines])


def _key(mutant: Mutant) -> Key:
    return (mutant.mart.name, mutant.operator, mutant.before, mutant.after)
