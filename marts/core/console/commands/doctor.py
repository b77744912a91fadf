"""`marts doctor`: examine the engine, the data and what the role may do, before a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from marts.core.console import exit_codes, wiring
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    engine_options,
    json_option,
    package_option,
    target_option,
    with_settings,
)
from marts.core.console.streams import warn
from marts.core.project.settings import SNOWFLAKE, Settings, with_given

if TYPE_CHECKING:
    from marts.core.run.diagnosis import Diagnosis, Doctor


@click.command("doctor")
@package_option
@engine_options
@target_option
@json_option
@click.pass_obj
@with_settings
def command(settings: Settings, stop: Interrupts, as_json: bool) -> int:
    """Find out whether a run would work, and be safe.

    On Snowflake, which --connection chooses as well as --backend, it makes small experiments in a
    schema of its own, and drops it; it only reads the sources, and uses a warehouse for a minute or
    two. On DuckDB it looks at the data, the database file and the disk. Exits with 1 if a run would
    not work, or not be safe.
    """
    from marts.core.console import terminal
    from marts.core.console.diagnosis_messages import (
        diagnoses_document,
        diagnoses_line,
        diagnosis_line,
    )
    from marts.core.run.diagnosis import is_safe

    if {"connection", "backend"} & settings.given == {"connection"}:
        settings = with_given(settings, backend=SNOWFLAKE)
    console, start = terminal.console(to_stderr=as_json), time.perf_counter()
    found: list[Diagnosis] = []
    with opened(settings, stop) as doctor, terminal.showing(console) as show:
        console.print(f"{settings.backend} · {doctor.where}")
        width = max(len(each.name) for each in doctor.experiments)
        for experiment in doctor.experiments:
            show(experiment.name)
            if stop.is_set():
                raise KeyboardInterrupt
            found.append(doctor.examine(experiment))
            terminal.say(console, diagnosis_line(found[-1], width=width))
        show("cleaning up")
    terminal.say(console, diagnoses_line(found, time.perf_counter() - start))
    if as_json:
        terminal.print_json(diagnoses_document(found, backend=settings.backend))
    return exit_codes.DONE if is_safe(found) else exit_codes.FAILED


@contextmanager
def opened(settings: Settings, stop: Interrupts) -> Iterator[Doctor]:
    """Give the doctor of an engine; at the end, say what it could not remove again."""
    from backends.factory import doctor

    sources = None
    if settings.package is not None:
        graph, _ = wiring.linked(settings)
        sources = wiring.contracts_of(graph)
    examiner = doctor(
        settings,
        data=wiring.data_of(settings),
        sources=sources,
        version=wiring.version_of_marts(),
        run_id=wiring.run_id(),
    )
    try:
        yield examiner
    finally:
        stop.hold()
        for line in examiner.close():
            warn(line)
    if stop.is_set():
        raise KeyboardInterrupt
