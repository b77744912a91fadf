"""Proofs of a project: their canonical forms, where they are recorded, and what a run asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import cast

from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.operations.wiring import Linked
from marts.core.plan.changes import refuse_unknown_marts
from marts.core.plan.proofs import Level, Proof
from marts.core.project.graph import Graph
from marts.core.project.settings import DUCKDB, Settings
from marts.core.proof.canonical import NONE_KNOWN, Canon, KnownQueries
from marts.core.proof.requirement import Recorded, Requirement
from marts.core.run.backend import Backend
from marts.core.run.proof_records import PROOF_FILE, read_records

COMPILERS = ("ibis-framework", "sqlglot")
"""What makes SQL of marts, as packages."""


def canon_of(graph: Graph, known: KnownQueries = NONE_KNOWN) -> Canon:
    """Return what makes the canonical forms of a project's marts, in the dialects of all engines.

    It needs no connection, and compiles no query that is `known`. `canon_of(graph).of(mart)` is the
    form, `.digest` that of a proof.
    """
    from backends.factory import dialects

    return Canon(graph, dialects(), known)


def compiler_versions() -> Mapping[str, str]:
    """Return the versions of marts and of what makes SQL of marts, for records of proofs."""
    return {"marts": wiring.version_of_marts(), **{name: version(name) for name in COMPILERS}}


def proof_file(settings: Settings) -> Path:
    """Return the file that `marts prove` adds its records to."""
    return settings.proof_file or settings.target / PROOF_FILE


def append_records(
    settings: Settings, records: Sequence[Proof], *, project: Linked | None = None
) -> int:
    """Add proofs to the table beside the marts, where a run finds them; return how many are new.

    The table is created if it does not exist. Raises MartsError if it cannot be written.
    """
    graph, _ = project or wiring.linked(settings)
    with wiring.connected(graph, settings, read_only=False) as backend:
        package, table = graph.project.package, backend.proofs
        known = {
            proof.to_text()
            for proof in table.read(package, digests={each.digest for each in records})
        }
        new = [each for each in records if each.package == package and each.to_text() not in known]
        if new:
            table.append(new)
        return len(new)


def requirement(
    settings: Settings,
    graph: Graph,
    backend: Backend,
    *,
    accepted: Collection[str] = (),
    reason: str | None = None,
) -> Requirement | None:
    """Return what a run asks of marts, None if it asks for no proof.

    `accepted` are marts that may be published without, for a `reason`. Raises UsageError for
    options that do not fit together, and for an unknown mart.
    """
    refuse_unknown_marts("--accept-unproven", accepted, graph)
    if accepted and not (reason and reason.strip()):
        raise UsageError(
            "--accept-unproven needs a reason, which is recorded",
            hint="pass --reason TEXT, too",
        )
    if not settings.require_proof:
        for option, given in (
            ("--accept-unproven", bool(accepted)),
            ("--proof-file", "proof_file" in settings.given),
        ):
            if given:
                raise UsageError(
                    f"{option} is for a run that requires proofs",
                    hint=f"pass --require-proof, too, or leave out {option}",
                )
        return None
    return Requirement(
        canon_of(graph),
        _recorded(settings, graph.project.package, backend),
        cast("Level", settings.proof_level),
        dict.fromkeys(accepted, (reason or "").strip()),
        compiler_versions(),
    )


def _recorded(settings: Settings, package: str, backend: Backend) -> Recorded:
    """Return where proofs are recorded: a file that is named, else the table beside the marts.

    On DuckDB, whose file belongs to whoever runs, the file that `marts prove` writes counts, too.
    """
    table, where = backend.proofs, list[str]()
    files = tuple[Proof, ...]()
    path = proof_file(settings)
    if settings.proof_file or (settings.backend == DUCKDB and path.exists()):
        files = tuple(each for each in read_records(path) if each.package == package)
        where.append(str(path))
    uses_table = settings.proof_file is None
    if uses_table:
        where.append(table.where if table.exists() else f"{table.where}, which does not exist")

    def with_digests(digests: Collection[str]) -> Sequence[Proof]:
        found = [each for each in files if each.digest in digests]
        return [*found, *(table.read(package, digests=digests) if uses_table else ())]

    def of_mart(mart: str) -> Sequence[Proof]:
        found = [each for each in files if each.mart == mart]
        return [*found, *(table.read(package, mart=mart) if uses_table else ())]

    return Recorded(
        where=" and ".join(where),
        with_digests=with_digests,
        of_mart=of_mart,
        command="" if settings.proof_file or settings.backend == DUCKDB else _attest(settings),
    )


def _attest(settings: Settings) -> str:
    return f"marts attest --env {settings.env}" if settings.env else "marts attest"
