"""`marts doctor`: examine the engine, the data and what the role may do, before a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from marts.core.console import exit_codes
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    engine_options,
    json_option,
    package_option,
    target_option,
    with_settings,
)
from marts.core.console.streams import warn
from marts.core.operations import wiring
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
    from marts.core.console.diagnosis_messages import diagnoses_document, diagnoses_line
    from marts.core.run.diagnosis import is_safe

    if {"connection", "backend"} & settings.given == {"connection"}:
        settings = with_given(settings, backend=SNOWFLAKE)
    start, doctor = time.perf_counter(), opened(settings)
    stop.raise_once()
    # Nested, so that an interrupt which hits the inner `finally` does not leave anything either.
    try:
        try:
            found = diagnosed(doctor, stop, to_stderr=as_json)
        finally:
            stop.hold()
    finally:
        for line in doctor.close():
            warn(line)
    if stop.is_set():
        raise KeyboardInterrupt
    console = terminal.console(to_stderr=as_json)
    terminal.say(console, diagnoses_line(found, time.perf_counter() - start))
    if as_json:
        terminal.print_json(diagnoses_document(found, backend=settings.backend))
    return exit_codes.DONE if is_safe(found) else exit_codes.FAILED


def diagnosed(doctor: Doctor, stop: Interrupts, *, to_stderr: bool) -> list[Diagnosis]:
    """Make all experiments; print a line for each when it has ended."""
    from marts.core.console import terminal
    from marts.core.console.diagnosis_messages import diagnosis_line

    console = terminal.console(to_stderr=to_stderr)
    found: list[Diagnosis] = []
    width = max(len(each.name) for each in doctor.experiments)
    console.print(doctor.where)
    with terminal.showing(console) as show:
        for experiment in doctor.experiments:
            show(experiment.name)
            if stop.is_set():
                raise KeyboardInterrupt
            found.append(doctor.examine(experiment))
            terminal.say(console, diagnosis_line(found[-1], width=width))
    return found


def opened(settings: Settings) -> Doctor:
    """Return the doctor of the engine that the settings name."""
    from backends.factory import doctor

    # Without a package, the bundled data are nobody's.
    sources, data = None, settings.data
    if settings.package is not None:
        graph, _ = wiring.linked(settings)
        sources, data = wiring.contracts_of(graph), wiring.data_of(settings)
    return doctor(
        settings,
        data=data,
        sources=sources,
        version=wiring.version_of_marts(),
        run_id=wiring.run_id(),
    )
