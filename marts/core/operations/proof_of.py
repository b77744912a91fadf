"""What was tried as records of proofs, which travel with the SQL that they are about."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from marts.core.errors import DefinitionError
from marts.core.operations.proofs import canon_of, compiler_versions
from marts.core.operations.prove import Tried
from marts.core.plan.proofs import Mutants, Proof
from marts.core.proof.canonical import Canon
from marts.core.proof.equivalent_mutants import Equivalent, MutationReport
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import identity
from marts.core.proof.results import MartResult

ENGINES = ("duckdb", "fakesnow", "snowflake-connector-python")
"""What executes SQL, as packages."""


@dataclass(frozen=True)
class Records:
    """The records of marts, and what is wrong with the marts that have none."""

    proofs: Mapping[str, Proof]
    refused: tuple[DefinitionError, ...]


def records_of(tried: Tried) -> Records:
    """Return what was tried as records; none of a mart whose proof would be about one date only."""
    canon, now = canon_of(tried.graph), datetime.datetime.now(datetime.UTC)
    versions = {**compiler_versions(), **dict(_versions())}
    proofs, refused = {}, []
    for result in tried.results:
        try:
            proofs[result.mart] = _record(
                canon, tried, result, now.replace(tzinfo=None, microsecond=0), versions
            )
        except DefinitionError as error:
            refused.append(error)
    return Records(proofs, tuple(refused))


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
        engines=tuple(
            name for name in tried.engines if result.engines.get(name) and name not in refuted
        ),
        twin=result.has_twin,
        examples=result.examples,
        invariants=result.invariants,
        readers=result.readers,
        mutants=_mutants(result.mutants, tried.allowed) if result.mutants else None,
        failures=tuple(each.summary for each in result.failures),
        quick=tried.is_quick,
        versions=versions,
    )


def _mutants(report: MutationReport, allowed: tuple[Equivalent, ...]) -> Mutants:
    reasons = {each.key: each.reason for each in allowed}
    return Mutants(
        killed=report.killed,
        allowed={_text(each): reasons[identity(each)] for each in report.allowed},
        surviving=tuple(_text(each) for each in report.surviving),
    )


def _text(mutant: Mutant) -> str:
    return f"{mutant.operator}: {mutant.before} → {mutant.after}"


def _versions() -> Iterator[tuple[str, str]]:
    for name in ENGINES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
