"""Proofs: what was tried on a mart and what held, keyed by a digest of what decides its numbers.

Plain values; they are exchanged with files and with engines, which know their table from here.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, get_args

from marts.core.project.reserved import PROOFS

PROOFS_TABLE = PROOFS
"""The table beside the marts in which proofs are recorded; rows are only ever added to it."""

Level = Literal["engines", "reference", "reference + mutants"]
"""How much a proof says, the least first; each level includes those before it.

`engines`: the engines agree with each other, which proves no number. `reference`: they also agree
with a calculation by somebody else: a twin, or the expected rows of examples. `reference +
mutants`: and that would have noticed each planted defect that can matter.
"""

LEVELS: tuple[Level, ...] = get_args(Level)

PROOFS_COLUMNS = {
    "package": "string",
    "mart": "string",
    "digest": "string",
    "level": "string",
    "proved_at": "timestamp",
    "user_name": "string",
    "role_name": "string",
    "record": "string",
}
"""The columns of the table of proofs. The engine fills in the user and the role that add a row;
`level` is null if none was reached; `record` is the whole proof as JSON."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Canonical:
    """What decides a mart's numbers, and nothing else: not comments, places, pins or warehouses.

    `sql` has its SQL by dialect, over bare names, with a slot such as `{as_of - 90}` for each date
    that derives from the run's date; for a mart that reads optional sources, the text for each set
    of them that may be absent. `contract` and `checks` are its own, `sources` says how each source
    that it reads is adapted and checked, `marts` has the digests of the marts that it reads, and
    `parameters` the parameters of sessions that change results, by dialect. All are plain data.
    """

    sql: Mapping[str, Mapping[str, str]]
    contract: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Any] = field(default_factory=dict)
    marts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """The digest by which proofs are found, the same in every process and repository."""
        text = json.dumps(self.to_document(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_document(self) -> Document:
        """Return it as JSON data."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_document(cls, found: Document) -> Canonical:
        """Return what a document says; raise TypeError for one of another version."""
        return cls(**found)


@dataclass(frozen=True)
class Mutants:
    """Planted defects of a mart: how many were noticed, and which were not.

    `allowed` has those that may live, each with the reason; `surviving` those that may not.
    """

    killed: int = 0
    allowed: Mapping[str, str] = field(default_factory=dict)
    surviving: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was tried on a mart, and what held.

    `cases` says which optional sources were absent in some of the worlds: an empty text for none,
    or a text such as "without reviews". `engines` are those on which all `worlds` gave the same
    rows. `twin` says whether a twin was compared, `examples` and `invariants` how many held.
    `readers` are the marts with a twin or examples of their own whose worlds ran through this mart:
    what an intermediate mart has in place of a reference. `mutants` is None if none were planted.
    `failures` says in a line each what did not hold. `quick` marks a short try, which proves
    nothing. `versions` are those of marts, of compilers and of engines; `proved_at` is UTC, without
    a zone.
    """

    package: str
    mart: str
    canonical: Canonical
    proved_at: datetime.datetime
    worlds: int = 0
    cases: tuple[str, ...] = ("",)
    engines: tuple[str, ...] = ()
    twin: bool = False
    examples: int = 0
    invariants: int = 0
    readers: tuple[str, ...] = ()
    mutants: Mutants | None = None
    failures: tuple[str, ...] = ()
    quick: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest by which the proof is found."""
        return self.canonical.digest

    @property
    def level(self) -> Level | None:
        """The highest level that was reached; None if something failed or nothing was compared."""
        if self.failures or not self.worlds or len(set(self.engines)) < 2:
            return None
        if not (self.twin or self.examples or self.readers):
            return "engines"
        return "reference" if self.mutants is None or self.mutants.surviving else LEVELS[-1]

    def proves(self, wanted: Level) -> bool:
        """Tell whether it suffices for a project that asks for a level."""
        return not self.quick and rank(self.level) >= rank(wanted)

    def to_document(self) -> Document:
        """Return the record as JSON data, with its digest and level for those who read it."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **own,
            "digest": self.digest,
            "level": self.level,
            "canonical": self.canonical.to_document(),
            "proved_at": self.proved_at.isoformat(timespec="seconds"),
            "mutants": asdict(self.mutants) if self.mutants else None,
        }

    def to_text(self) -> str:
        """Return the record as text, which the table of proofs stores."""
        return json.dumps(self.to_document(), sort_keys=True)

    @classmethod
    def from_document(cls, found: object) -> Proof | None:
        """Return the record of a document; None if this version does not understand it.

        None also if its digest is not that of its contents.
        """
        try:
            given = dict(found)  # type: ignore[call-overload]
            digest, _ = given.pop("digest"), given.pop("level")
            mutants = given.pop("mutants")
            proof = cls(
                **given
                | {
                    "canonical": Canonical.from_document(given["canonical"]),
                    "proved_at": datetime.datetime.fromisoformat(given["proved_at"]),
                    "mutants": _mutants(mutants) if mutants else None,
                    **{
                        name: tuple(given[name])
                        for name in ("cases", "engines", "readers", "failures")
                    },
                }
            )
        except (ValueError, TypeError, KeyError):
            return None
        return proof if proof.digest == digest else None

    @classmethod
    def from_text(cls, text: str | None) -> Proof | None:
        """Return the record of a text, None if this version does not understand it."""
        try:
            return cls.from_document(json.loads(text or ""))
        except ValueError:
            return None


def _mutants(found: Document) -> Mutants:
    return Mutants(**found | {"surviving": tuple(found["surviving"])})


@dataclass(frozen=True)
class Stamp:
    """What is recorded with a published mart of its proof: the digest, or why there is none.

    `accepted` is the reason for which it was published without a proof, empty with one. `digest` is
    empty for a mart that has no canonical form.
    """

    digest: str
    accepted: str = ""

    def to_text(self) -> str:
        """Return the stamp as text, which the state table stores."""
        return f"{self.digest} unproven: {self.accepted}".strip() if self.accepted else self.digest

    def is_on(self, recorded: str | None) -> bool:
        """Tell whether what is recorded of a published mart says at least as much."""
        if not self.accepted:
            return recorded == self.digest
        return (recorded or "").partition(" ")[0] == (self.digest or "unproven:")


def rank(level: Level | None) -> int:
    """Return how much a level says, as a number: -1 for none."""
    return LEVELS.index(level) if level else -1


def deciding(records: Iterable[Proof]) -> dict[tuple[str, str, str], Proof]:
    """Return the record that decides, by package, mart and digest.

    What held for a digest holds forever, so a later record of a lower level takes nothing away; but
    one in which something failed takes all away that was recorded before it. A quick try proves
    nothing, but what it finds counts.
    """
    found: dict[tuple[str, str, str], Proof] = {}
    # Of one second, a failure counts.
    for record in sorted(records, key=lambda each: (each.proved_at, bool(each.failures))):
        key = record.package, record.mart, record.digest
        known = found.get(key)
        if known and not record.failures and _weight(record) == _weight(known):
            cases = tuple(sorted({*known.cases, *record.cases}))
            found[key] = replace(record, cases=cases)
        elif known is None or record.failures or _weight(record) > _weight(known):
            found[key] = record
    return found


def _weight(record: Proof) -> tuple[bool, int]:
    """Return how much a record says; one with failures less than any other."""
    if record.failures:
        return False, -2
    return not record.quick, rank(record.level)
