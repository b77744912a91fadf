"""What a run asks of the marts that it publishes: a proof of the very SQL that will run."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from marts.core.errors import DefinitionError, UsageError
from marts.core.plan.proofs import Canonical, Level, Proof, Stamp, deciding
from marts.core.plan.queries import Queries
from marts.core.proof.canonical import Canon, case_of
from marts.core.proof.causes import causes, difference

SHOWN = 3
"""How many surviving mutants or failures of a proof a message names."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Where the proofs of a project are recorded, and what reads them.

    `command` is what records there what `marts prove` has written; it is empty where nothing must.
    """

    where: str
    with_digests: Callable[[Collection[str]], Sequence[Proof]]
    of_mart: Callable[[str], Sequence[Proof]]
    command: str = ""


@dataclass
class Requirement:
    """Asks for proofs at a level; `accepted` has the marts let through, each with the reason.

    `versions` are those of marts and of the compilers now.
    """

    canon: Canon
    recorded: Recorded
    level: Level
    accepted: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    _stamps: dict[str, Stamp] = field(default_factory=dict)

    def stamp(self, name: str) -> Stamp:
        """Return what is to be recorded of a mart's proof; it must not have been refused."""
        return self._stamps[name]

    def refuse_unproven(
        self, names: Collection[str], queries: Queries, day: datetime.date, present: Collection[str]
    ) -> None:
        """Raise UsageError for marts whose SQL as of a day is not proven, unless it is accepted.

        `queries` are those of the run, compiled for its engine; `present` are the sources that
        exist. What a mart reads must have the SQL that was proven with it, too.
        """
        digests, wrong = dict[str, str](), dict[str, DefinitionError]()
        for name in names:
            try:
                digests[name] = self.canon.of(name).digest
                self._refuse_other_sql(name, queries, day, present)
            except DefinitionError as error:
                wrong[name] = error
        known = deciding(self.recorded.with_digests([*digests.values()])) if digests else {}
        proofs = {(mart, digest): proof for (_, mart, digest), proof in known.items()}
        refused = dict[str, list[str]]()
        for name in names:
            digest = digests.get(name, "")
            proof, fault = proofs.get((name, digest)), wrong.get(name)
            case = case_of(self.canon.graph, name, present)
            if fault is None and proof and proof.proves(self.level) and case in proof.cases:
                self._stamps[name] = Stamp(digest)
            elif name in self.accepted:
                self._stamps[name] = Stamp(digest, self.accepted[name])
            else:
                refused[name] = list(self._why(name, case, proof, fault, queries))
        if refused:
            raise self._refusal(refused)

    def _refuse_other_sql(
        self, name: str, queries: Queries, day: datetime.date, present: Collection[str]
    ) -> None:
        project = self.canon.graph.project
        for each in sorted({name, *self.canon.graph.upstream(name)}):
            mart, sources = project.marts[each], project.sources
            read = [sources[n] for n in mart.inputs if n in sources]
            # Without a source that must exist, planning refuses the mart, and says so better.
            is_planned = all(source.optional or source.name in present for source in read)
            if is_planned and (query := queries.compiled(mart)):
                self.canon.refuse_other_sql(each, query, day, present)

    def _refusal(self, refused: Mapping[str, Sequence[str]]) -> UsageError:
        one = len(refused) == 1
        are = f"{next(iter(refused))} is" if one else f"{len(refused)} marts are"
        prove = f"marts prove {' '.join(refused)}"
        if self.recorded.command:
            prove += f" && {self.recorded.command}"
        accept = " ".join(f"--accept-unproven {name}" for name in refused)
        return UsageError(
            f"{are} not proven at the level {self.level}; nothing was built",
            *(line for lines in refused.values() for line in lines),
            f"looked in {self.recorded.where}",
            hint=f"prove {'it' if one else 'them'}: {prove}\n"
            f"  or publish without: marts run {accept} --reason TEXT",
        )

    def _why(
        self,
        name: str,
        case: str,
        proof: Proof | None,
        error: DefinitionError | None,
        queries: Queries,
    ) -> Iterator[str]:
        """Yield why a mart is not proven, in lines; `case` says which sources are absent."""
        if error:
            what = "" if error.summary.startswith(f"mart {name} ") else f"{name}: "
            yield f"{what}{error.summary}"
            yield from (f"  {fact}" for fact in error.facts)
        elif proof and proof.proves(self.level):
            words = case or "with all optional sources"
            yield f"{name}: its proof of {proof.proved_at.date()} tried no data {words}"
        elif proof:
            yield f"{name}: {_what_is_missing(proof)}"
            survivors = proof.mutants.surviving if proof.mutants else ()
            lines = proof.failures or survivors
            yield from (f"  {line}" for line in lines[:SHOWN])
            if more := len(lines) - SHOWN if len(lines) > SHOWN else 0:
                yield f"  … and {more} more"
        elif nearest := self._nearest(name, queries):
            yield f"{name}: it is not what was proven on {nearest.proved_at.date()}"
            now, dialect = self.canon.of(name), self._dialect(queries, name)
            yield from (f"  {line}" for line in self._causes(name, nearest, now))
            yield from (f"    {line}" for line in difference(nearest.canonical, now, dialect))
        else:
            yield f"{name}: no proof of it is recorded"

    def _dialect(self, queries: Queries, name: str) -> str:
        query = queries.compiled(self.canon.graph.project.marts[name])
        return query.dialect if query else next(iter(self.canon.dialects))

    def _nearest(self, name: str, queries: Queries) -> Proof | None:
        """Return the proof of a mart whose SQL differs least; of several, the latest."""
        records = deciding(self.recorded.of_mart(name)).values()
        sufficient = [each for each in records if each.proves(self.level)]
        now, dialect = self.canon.of(name), self._dialect(queries, name)

        def distance(proof: Proof) -> tuple[int, float]:
            lines = difference(proof.canonical, now, dialect)
            return len(lines), -proof.proved_at.timestamp()

        return min(sufficient, key=distance, default=None)

    def _causes(self, name: str, nearest: Proof, now: Canonical) -> Iterator[str]:
        def forms(mart: str, digest: str) -> tuple[Canonical | None, Canonical]:
            found = [p.canonical for p in self.recorded.with_digests([digest]) if p.mart == mart]
            return (found[0] if found else None), self.canon.of(mart)

        graph = self.canon.graph
        yield from dict.fromkeys(causes(name, nearest.canonical, now, graph, forms=forms))
        for tool, version in self.versions.items():
            if (before := nearest.versions.get(tool, version)) != version:
                yield f"{tool} was {before}, and is {version}"


def _what_is_missing(proof: Proof) -> str:
    day = proof.proved_at.date()
    if proof.failures:
        return f"its proof of {day} failed"
    if proof.quick:
        return f"only a quick proof is recorded, of {day}"
    if proof.level is None:
        return f"its proof of {day} compared no two engines"
    survivors = len(proof.mutants.surviving) if proof.mutants else 0
    more = f", and {survivors} of its mutants survive" if survivors else ""
    if proof.level == "engines":
        more = ": it has neither a twin nor examples"
    return f"its proof of {day} reached the level {proof.level}{more}"
