"""What the catalogue says of proofs: which marts are proven as they are, in a line each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from marts.core.errors import DefinitionError
from marts.core.operations.proofs import canon_of, proof_file
from marts.core.plan.proofs import LEVELS, Proof, deciding
from marts.core.project.graph import Graph
from marts.core.project.settings import Settings
from marts.core.run.backend import Proofs
from marts.core.run.proof_records import read_records


def proven(settings: Settings, graph: Graph, table: Proofs | None) -> dict[str, str]:
    """Return a line for each mart that is proven as it is, by a record in the file or the table.

    Raises MartsError if the records cannot be read.
    """
    path = proof_file(settings)
    files = read_records(path) if path.exists() else ()
    has_table = table is not None and table.exists()
    if not files and not has_table:
        # Making the canonical forms of all marts takes seconds.
        return {}
    canon, digests = canon_of(graph), dict[str, str]()
    for name in graph.order:
        with suppress(DefinitionError):
            digests[name] = canon.of(name).digest
    package, wanted = graph.project.package, {*digests.values()}
    records = [each for each in files if each.package == package and each.digest in wanted]
    if table is not None and has_table and wanted:
        records += table.read(package, digests=wanted)
    known = deciding(records)
    found = ((name, known.get((package, name, digest))) for name, digest in digests.items())
    return {name: proof_line(proof) for name, proof in found if proof and is_proof(proof)}


def is_proof(proof: Proof) -> bool:
    """Tell whether a record proves anything."""
    return proof.level is not None and not proof.quick


def proof_line(proof: Proof) -> str:
    """Return in a line what was tried and when."""
    only = ", but compared with no reference" if proof.level == LEVELS[0] else ""
    return f"{proof.level}, on {proof.proved_at.date()}: {', '.join(_tried(proof))}{only}"


def _tried(proof: Proof) -> Iterator[str]:
    yield f"the same rows on {' and '.join(dict.fromkeys(proof.engines))}"
    yield f"in {proof.worlds:,} small data sets"
    if proof.twin:
        yield "as calculated in pandas"
    if proof.examples:
        yield f"{proof.examples} example{'s' * (proof.examples != 1)}"
    if proof.readers:
        yield f"through {', '.join(proof.readers)}"
    if proof.mutants:
        yield f"{proof.mutants.killed:,} planted mistakes noticed"
