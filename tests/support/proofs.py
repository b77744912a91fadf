"""Records of proofs, made up for tests: what `marts prove` would write if everything held."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from marts.core.operations.proofs import canon_of, compiler_versions
from marts.core.plan.proofs import Mutants, Proof
from marts.core.project.graph import Graph
from marts.core.proof.canonical import absence

PROVED_AT = datetime.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  (UTC)


def proofs_of(graph: Graph, names: Iterable[str] | None = None, **changes: Any) -> list[Proof]:
    """Return a full proof of each mart as it is now."""
    canon = canon_of(graph)
    held: dict[str, Any] = {
        "proved_at": PROVED_AT,
        "worlds": 40,
        "cases": ("", *(absence([n]) for n, s in graph.project.sources.items() if s.optional)),
        "engines": ("duckdb", "emulator"),
        "twin": True,
        "mutants": Mutants(12),
        "versions": compiler_versions(),
    }
    return [
        Proof(
            package=graph.project.package,
            mart=name,
            canonical=canon.of(name),
            **held | changes,
        )
        for name in (graph.order if names is None else names)
    ]
