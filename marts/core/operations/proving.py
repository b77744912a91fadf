"""Prove marts, and record what was tried: records travel with the SQL that they are about."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from marts.core.errors import DefinitionError
from marts.core.operations.proofs import canon_of, compiler_versions, proof_file
from marts.core.operations.prove import ProveOptions, Tried, Watch, prove
from marts.core.operations.wiring import Linked
from marts.core.plan.proofs import Level, Mutants, Proof
from marts.core.project.settings import Settings
from marts.core.proof.canonical import Canon
from marts.core.proof.equivalent_mutants import Equivalent, MutationReport
from marts.core.proof.mutants import Mutant
from marts.core.proof.results import MartResult
from marts.core.run.proof_records import write_records

ENGINES = ("duckdb", "fakesnow", "snowflake-connector-python")
"""What executes SQL, as packages."""


@dataclass(frozen=True)
class Proven:
    """What was tried, and its records by mart.

    `refused` says what is wrong with marts that have no record, because a proof of them would be
    about one date only. `wanted` is the level that the project asks for; `file` has the records.
    """

    tried: Tried
    proofs: Mapping[str, Proof]
    refused: tuple[DefinitionError, ...]
    wanted: Level
    file: Path

    @property
    def unproven(self) -> tuple[str, ...]:
        """The marts whose proof is less than what the project asks for."""
        names = [each.mart for each in self.tried.results]
        return tuple(n for n in names if n not in self.proofs or not self._suffices(n))

    def _suffices(self, name: str) -> bool:
        return self.proofs[name].proves(self.wanted)

    @property
    def has_failed(self) -> bool:
        """Whether anything did not hold, or less was tried than the project asks for.

        A quick try, and that of a case, are not asked to prove anything.
        """
        return self.tried.has_failed or (not self.tried.is_partial and bool(self.unproven))


def proven(
    settings: Settings, options: ProveOptions, *, watch: Watch, project: Linked | None = None
) -> Proven:
    """Try the selected marts as `prove` does, and add what was tried to the project's records."""
    tried = prove(settings, options, watch=watch, project=project)
    watch("recording")
    canon, now = canon_of(tried.graph, tried.compiled), datetime.datetime.now(datetime.UTC)
    at, versions = now.replace(tzinfo=None, microsecond=0), dict(_versions())
    proofs, refused = {}, []
    for result in tried.results:
        try:
            proofs[result.mart] = _record(canon, tried, result, at, versions)
        except DefinitionError as error:
            refused.append(error)
    file = proof_file(settings)
    if options.case is None:
        write_records(file, proofs.values())
    return Proven(tried, proofs, tuple(refused), cast("Level", settings.proof_level), file)


def _record(
    canon: Canon,
    tried: Tried,
    result: MartResult,
    now: datetime.datetime,
    versions: dict[str, str],
) -> Proof:
    refuted = {each.sides[1] for each in result.failures if each.kind == "engines"}
    return Proof(
        package=canon.graph.project.package,
        mart=result.mart,
        canonical=canon.of(result.mart),
        proved_at=now,
        worlds=result.worlds,
        cases=result.cases,
        engines=tuple(
            name for name in tried.engines if result.engines.get(name) and name not in refuted
        ),
        twin=result.has_twin,
        examples=result.examples,
        invariants=result.invariants,
        readers=result.readers,
        mutants=_mutants(result.mutants, tried.allowed) if result.mutants else None,
        failures=tuple(each.summary for each in result.failures),
        quick=tried.is_partial,
        versions=versions,
    )


def _mutants(report: MutationReport, allowed: tuple[Equivalent, ...]) -> Mutants:
    reasons = {each.key: each.reason for each in allowed}
    return Mutants(
        killed=report.killed,
        allowed={_text(each): reasons[each.key] for each in report.allowed},
        surviving=tuple(_text(each) for each in report.surviving),
    )


def _text(mutant: Mutant) -> str:
    return f"{mutant.operator}: {mutant.before} → {mutant.after}"


def _versions() -> Iterator[tuple[str, str]]:
    yield from compiler_versions().items()
    for name in ENGINES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
