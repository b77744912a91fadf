"""Equivalent mutants, which no data can distinguish from the original: their list, and scores."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from marts.core.errors import UsageError
from marts.core.proof.mutants import Key, Mutant
from marts.core.proof.mutation import MutationRun


@dataclass(frozen=True)
class Equivalent:
    """One entry of the list: a mutant, and why it is allowed to survive."""

    mart: str
    operator: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> Key:
        """What identifies the mutant."""
        return (self.mart, self.operator, self.before, self.after)


@dataclass(frozen=True)
class Stale:
    """An entry that must be removed, and why."""

    entry: Equivalent
    why: str


@dataclass(frozen=True)
class MutationReport:
    """The score of one mart: its allowed and its surviving mutants, and its stale entries."""

    run: MutationRun
    allowed: tuple[Mutant, ...]
    surviving: tuple[Mutant, ...]
    stale: tuple[Stale, ...]

    @property
    def killed(self) -> int:
        """How many mutants were killed."""
        return len(self.run.results) - len(self.allowed) - len(self.surviving)

    @property
    def has_failed(self) -> bool:
        """Whether a mutant survives or an entry is stale."""
        return bool(self.surviving or self.stale)


def score(run: MutationRun, entries: Iterable[Equivalent]) -> MutationReport:
    """Score a mart's mutants against the list, and find the mart's stale entries."""
    own = {entry.key: entry for entry in entries if entry.mart == run.mart.name}
    alive = {r.mutant.key: r.mutant for r in run.results if r.killed_by is None}
    killed = {r.mutant.key: r for r in run.results if r.killed_by}
    stale = []
    for key, entry in own.items():
        if key in killed:
            stale.append(Stale(entry, f"it is killed: {killed[key].evidence}"))
        elif key not in alive:
            stale.append(Stale(entry, "there is no such mutant"))
    return MutationReport(
        run,
        allowed=tuple(mutant for key, mutant in alive.items() if key in own),
        surviving=tuple(mutant for key, mutant in alive.items() if key not in own),
        stale=tuple(stale),
    )


def unknown_entries(entries: Iterable[Equivalent], marts: Collection[str]) -> tuple[Stale, ...]:
    """Return the entries of marts that do not exist."""
    return tuple(Stale(e, "there is no such mart") for e in entries if e.mart not in marts)


def read_equivalents(text: str, *, location: str) -> tuple[Equivalent, ...]:
    """Return the entries of a list in TOML: tables `[[equivalent]]` with the keys of Equivalent.

    Raises UsageError if the text is not TOML, an entry lacks a key, or two entries are equal.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{location} is not TOML: {error}") from error
    tables = document.pop("equivalent", [])
    if document or not isinstance(tables, list):
        raise UsageError(f"{location} may only have tables [[equivalent]]", *document)
    entries = [_entry(table, f"{location}, entry {n}") for n, table in enumerate(tables, start=1)]
    keys = [entry.key for entry in entries]
    for entry in entries:
        if keys.count(entry.key) > 1:
            raise UsageError(f"{location} has the same entry twice", entry_text(entry))
    return tuple(entries)


def _entry(table: object, location: str) -> Equivalent:
    names = [field.name for field in fields(Equivalent)]
    given = table if isinstance(table, dict) else {}
    if set(given) != set(names) or not all(
        isinstance(v, str) and v.strip() for v in given.values()
    ):
        raise UsageError(
            f"{location}: expected exactly these keys, each with a text: {', '.join(names)}",
            hint="take mart, operator, before and after from what `marts mutate` prints",
        )
    return Equivalent(**given)


def entry_of(mutant: Mutant, *, reason: str) -> Equivalent:
    """Return the entry that would allow a mutant."""
    return Equivalent(*mutant.key, reason)


def entry_text(entry: Equivalent) -> str:
    """Return an entry as TOML."""
    lines = (
        f"{field.name} = {json.dumps(getattr(entry, field.name), ensure_ascii=False)}"
        for field in fields(Equivalent)
    )
    return "\n".join(["[[equivalent]]", *lines])
