"""Write files of a run's folder; needs none of the modules that know what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from marts.core.errors import EngineError
from marts.core.run.formats import json_text

RUN_RESULTS, MANIFEST, FAILURES = "run_results.json", "manifest.json", "failures"
ELSEWHERE = "pass a folder that can be written to"

Document = dict[str, object]


def prepare(target: Path) -> None:
    """Create the folder for artifacts, and make sure that they can be written there.

    The last run's artifacts stay until this one has ended; `run_id` and `started_at` tell them
    apart. Raises EngineError if something cannot be written.
    """
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=target):
            pass
    for name in (RUN_RESULTS, MANIFEST):
        if (target / name).is_dir():
            raise EngineError(f"cannot write {target / name}", "it is a folder", hint=ELSEWHERE)
    if (target / FAILURES).exists() and not (target / FAILURES).is_dir():
        raise EngineError(f"cannot write {target / FAILURES}", "it is a file", hint=ELSEWHERE)


def write_json(path: Path, document: Document) -> None:
    """Write a document atomically; after a failure there is no file.

    Raises EngineError.
    """
    partial_file = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial_file.write_text(json_text(document) + "\n", "utf-8")
            partial_file.replace(path)
        except OSError:
            for left in (partial_file, path):
                with suppress(OSError):
                    left.unlink()
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise EngineError for what keeps a path from being written."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"cannot write {path}", error.strerror or str(error), hint=ELSEWHERE
        ) from error
