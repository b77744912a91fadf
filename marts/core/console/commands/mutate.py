"""`marts mutate`: report defects that neither data nor warnings reveal."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from marts.core.console.exit_codes import DONE, FAILED
from marts.core.console.options import (
    ALLOWED,
    allow_option,
    as_of_option,
    corpus_option,
    json_option,
    selection_options,
    with_settings,
)
from marts.core.operations import wiring
from marts.core.project.settings import Settings

if TYPE_CHECKING:
    from marts.core.proof.equivalent_mutants import Equivalent


@click.command("mutate")
@selection_options
@corpus_option
@as_of_option
@allow_option
@json_option
@click.pass_obj
@with_settings
def command(settings: Settings, stop: Event, allow: Path | None, as_json: bool) -> int:
    """Plant defects in marts, and report those that nothing would detect.

    Each defect, a mutant, runs on a small corpus of data. It is killed if a test that compares the
    mart's rows on this data, or a warning of `marts compile`, would detect it. Each SELECTOR names
    marts as --select does; without one, all are mutated.
    """
    from marts.core.console import mutation_terminal as mutants
    from marts.core.console import terminal
    from marts.core.console.mutation_messages import mutation_document, report_line
    from marts.core.operations.mutate import mutations
    from marts.core.proof.equivalent_mutants import score, unknown_entries

    graph, selected, _ = wiring.selected(settings)
    default = settings.folder / ALLOWED
    entries = equivalents(allow, default=default)
    unknown = () if settings.select else unknown_entries(entries, graph.project.marts)
    reports = []
    console = terminal.console(to_stderr=as_json)
    with mutations(graph, settings) as found:
        console.print(found.about)
        with mutants.progress(console, stop=stop) as watch:
            for name in selected:
                run = found.run(graph.project.marts[name], watch=watch)
                reports.append(score(run, entries))
                terminal.say(console, report_line(reports[-1]))
    mutants.print_reports(console, reports, unknown, allowed_in=str(allow or default))
    if as_json:
        terminal.print_json(mutation_document(reports, unknown))
    return FAILED if unknown or any(each.has_failed for each in reports) else DONE


def equivalents(given: Path | None, *, default: Path) -> tuple[Equivalent, ...]:
    """Read the list of allowed mutants: the given file, else the default if it exists.

    Raises UsageError if it cannot be read.
    """
    from marts.core.errors import UsageError
    from marts.core.proof.equivalent_mutants import read_equivalents

    file = given or default
    if given is None and not file.exists():
        return ()
    try:
        return read_equivalents(file.read_text("utf-8"), location=str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", str(error)) from error
