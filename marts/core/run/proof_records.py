"""Proofs in files: `proof.json`, which `marts prove` writes and CI keeps as an artefact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from marts.core.errors import UsageError
from marts.core.plan.proofs import Proof, deciding
from marts.core.run.files import write_json

PROOF_FILE = "proof.json"
"""The name of the file in the folder for artefacts."""
SCHEMA_VERSION = 1


def read_records(path: Path) -> tuple[Proof, ...]:
    """Return the proofs in a file; those that another version of marts wrote are left out.

    Raises UsageError for a file that does not exist or is not one of proofs.
    """
    try:
        records = list(json.loads(path.read_text("utf-8"))["proofs"])
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no file {path} of proofs", hint="`marts prove` writes it"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}", error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not a file of proofs", "expected JSON with a list `proofs`"
        ) from error
    return tuple(proof for each in records if (proof := Proof.from_document(each)))


def write_records(path: Path, records: Iterable[Proof]) -> None:
    """Add proofs to those in a file, which is created if it does not exist.

    Of each mart's digest, the record that decides is kept. A file that is not one of proofs is
    refused. Raises UsageError for it, and EngineError if the file cannot be written.
    """
    before = read_records(path) if path.exists() else ()
    kept = deciding([*before, *records])
    documents = [kept[key].to_document() for key in sorted(kept)]
    write_json(path, {"schema_version": SCHEMA_VERSION, "proofs": documents})
