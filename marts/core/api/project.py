"""A project in Python: what the command line does, as methods that return what it prints."""

from __future__ import annotations

import logging
import threading
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Unpack

from marts.core.api.explanations import Explained
from marts.core.api.keywords import (
    Day,
    ExportKeywords,
    GivenSettings,
    Names,
    PathLike,
    RunKeywords,
    TestKeywords,
    known,
)
from marts.core.api.reports import RunReport, ended_report, planned_report
from marts.core.api.status import Status
from marts.core.api.tables import CompiledMarts, Marts, Rows
from marts.core.console.against import meant
from marts.core.console.commands.show import MOST_ROWS
from marts.core.console.extras import explained
from marts.core.console.keywords import called, project_settings_of
from marts.core.console.messages import doing, line_text, table_line, table_of
from marts.core.console.options import words
from marts.core.errors import MartsWarning, UsageError
from marts.core.operations import wiring
from marts.core.operations.compile import compilation
from marts.core.operations.diff import Difference, diff
from marts.core.operations.explain import explain
from marts.core.operations.explain_keys import key_text
from marts.core.operations.export import Export, Wanted, export
from marts.core.operations.prepared import Prepared, carry_out
from marts.core.operations.reviewing import Reviewer, rate_of
from marts.core.operations.run import RunOptions, prepared_run
from marts.core.operations.show import rows_of
from marts.core.operations.status import status_of
from marts.core.operations.test import prepared_test
from marts.core.operations.wiring import Linked
from marts.core.plan.steps import Plan, Step
from marts.core.project.packages import refuse_shadowed
from marts.core.project.reloading import anew
from marts.core.project.settings import Settings
from marts.core.run.formats import counted
from marts.core.run.report import TableReport

_loading = threading.RLock()
_log = logging.getLogger("marts")


@dataclass(frozen=True, repr=False)
class Project:
    """A project that is loaded: its marts and its settings.

    A method connects, does its work and closes the connection. It prints nothing, installs no
    signal handlers and never exits. It raises MartsError for what the command line refuses. Calls
    from several threads are safe; those on one DuckDB file wait for each other.

    An edited mart counts when the project is loaded again. A loaded project keeps the marts that it
    was loaded with, even if another one of the same package is loaded.
    """

    folder: Path
    """The folder of the project's file."""
    settings: Settings
    _linked: Linked

    @classmethod
    def load(cls, folder: PathLike | None = None, **settings: Unpack[GivenSettings]) -> Project:
        """Load the project that contains a folder, by default the current one.

        The settings are those of the command line: what is given here counts more than environment
        variables, and these count more than the project's pyproject.toml. All are read now. A path
        that is given here is relative to the current folder. The package is imported anew, so that
        the project has its files as they are now.

        Raises UsageError for wrong settings, and DefinitionError for wrong declarations.
        """
        refuse_shadowed()
        start = Path(folder or "").absolute()
        if not start.is_dir():
            raise UsageError(f"there is no folder {start}", hint="name the folder of a project")
        read = project_settings_of(start, known(GivenSettings, settings))
        with _loading, anew(read.package or "", read.folder):
            linked = wiring.linked(read)
        return cls(read.folder, read, linked)

    def __repr__(self) -> str:
        marts = counted(len(self._linked.graph.project.marts), "mart")
        return f"<Project {self.package} in {self.folder}: {marts}, {self.settings.backend}>"

    @property
    def package(self) -> str:
        """The package of the marts."""
        return self._linked.graph.project.package

    @property
    def linked(self) -> Linked:
        """The declarations as the framework has them, which may change from version to version."""
        return self._linked

    @property
    def marts(self) -> Marts:
        """The marts by name; it prints as a table."""
        graph, selected, _ = wiring.selected(self.settings, self._linked)
        return Marts([graph.project.marts[name] for name in selected])

    def run(self, select: Names | None = None, **options: Unpack[RunKeywords]) -> RunReport:
        """Build marts that are not up to date, check them, and publish all of a group or none.

        Returns the report also if checks fail or the engine does: see `ok` and
        `raise_for_status()`. Raises MartsError for a run that is refused, such as UsageError for
        an unknown mart, and KeyboardInterrupt, when nothing is left behind, if it is interrupted.
        """
        settings, own = called(
            self.settings, "run", known(RunKeywords, options) | {"select": select}
        )
        wanted = RunOptions(
            checks_sources=not own["no_source_checks"],
            accept_shrink=own["accept_shrink"],
            force=own["force"],
            adopt=own["adopt"],
            accept_unproven=own["accept_unproven"],
            reason=own["reason"],
            drop_orphans=own["drop_orphans"],
        )
        most = rate_of(own["max_change"], dry_run=own["dry_run"], shows=own["diff"])
        with prepared_run(
            settings, wanted, dry_run=own["dry_run"], warn=_warn, project=self._linked
        ) as prepared:
            if own["dry_run"]:
                return planned_report(prepared)
            review = Reviewer(prepared.graph, most) if own["diff"] or most else None
            return _carried_out(replace(prepared, review=review))

    def test(self, select: Names | None = None, **options: Unpack[TestKeywords]) -> RunReport:
        """Check the marts as they are published, or the sources.

        Returns the report also if checks fail; raises as `run` does.
        """
        keywords = known(TestKeywords, options) | {"select": select}
        # The option's own name, since `sources` is a field of the settings, too.
        keywords["of_sources"] = keywords.pop("sources", None)
        settings, own = called(self.settings, "test", keywords)
        with prepared_test(
            settings,
            sources=own["of_sources"],
            invariants=own["invariants"],
            project=self._linked,
        ) as prepared:
            return _carried_out(prepared)

    def compile(
        self,
        select: Names | None = None,
        *,
        exclude: Names | None = None,
        as_of: Day | None = None,
        dialect: Literal["duckdb", "snowflake"] | None = None,
    ) -> CompiledMarts:
        """Return the SQL by mart, for the project's engine or another one, without a connection."""
        given = {"select": select, "exclude": exclude, "as_of": as_of, "backend": dialect}
        settings, _ = called(self.settings, "compile", given)
        return CompiledMarts(compilation(settings, project=self._linked))

    def show(
        self,
        mart: str,
        *,
        where: str | None = None,
        columns: Names = (),
        order_by: Names = (),
        limit: int | None = 20,
        as_of: Day | None = None,
    ) -> Rows:
        """Return rows of a published mart, or of a temporary one that is built for it.

        `where` is a condition in SQL, such as "age > 40". `columns` and `order_by` are names, the
        latter each optionally followed by asc or desc; the default is all, and the grain. `limit`
        is the highest number of rows, None for all. Raises UsageError for a mart that is unknown or
        not published.
        """
        settings, _ = called(self.settings, "show", {"as_of": as_of}, words=("--", mart))
        found = rows_of(
            settings,
            mart,
            where=where,
            columns=_names(columns),
            order_by=_names(order_by),
            limit=MOST_ROWS if limit is None else limit,
            project=self._linked,
        )
        return Rows(found)

    def status(self, *, limit: int | None = None) -> Status:
        """Return the last runs, by default 10, the latest first, and what is published now.

        Raises UsageError for a database that does not exist, EngineError if the engine fails.
        """
        settings, own = called(self.settings, "status", {"limit": limit})
        return Status(status_of(settings, limit=own["limit"]))

    def explain(self, column: str, key: object, *, as_of: Day | None = None) -> Explained:
        """Return how one number came about, and compute it again from the rows behind it.

        `column` is MART.COLUMN. `key` is the value of the grain, or a mapping if it has several
        columns. Personal values are masked. Raises UsageError for a mart, a column or a key that
        does not exist, NoSuchRowError if there is no such row, and SourceError for sources that do
        not fit. A value that is not the published one is no error: see `is_same`.
        """
        words = ("--key", "-", "--", column)
        settings, _ = called(self.settings, "explain", {"as_of": as_of}, words=words)
        keys = key if isinstance(key, Mapping) else [key_text(key)]
        return Explained(**vars(explain(settings, column, keys, project=self._linked)))

    def docs(self, output: PathLike | None = None, *, offline: bool = False) -> Path:
        """Write the catalogue of the marts as a static site; return its start page.

        It is written to the folder `output`, by default `docs` in the project's target: a folder
        that has anything but an earlier catalogue is refused. With `offline`, it shows what is
        declared; else a MartsWarning says what is missing, such as a mart that is not published.
        Raises UsageError if the extra `docs` is not installed, and the error of an engine that
        cannot be read.
        """
        settings, own = called(self.settings, "docs", {"output": output, "offline": offline})
        try:
            from marts.core.operations.docs import write_docs
        except ImportError as error:
            raise explained(error, what="Project.docs") from error
        done = write_docs(settings, own["output"], offline=offline, project=self._linked)
        if done.site.notes and not offline:
            _warn("; ".join(done.site.notes))
        return done.start

    def export(
        self,
        mart: str,
        output: PathLike,
        *,
        as_of: Day | None = None,
        **options: Unpack[ExportKeywords],
    ) -> Export:
        """Write rows of a published mart to a file, or of a temporary one that is built for it.

        The suffix of the file says how: .csv, .json or .parquet. It appears when it is complete.
        `where`, `columns`, `order_by` and `limit` are those of `show`; all rows are the default.
        Columns that hold personal data are left out without `include_personal`. Raises UsageError
        for what is refused, such as a file that exists without `overwrite`, and EngineError for
        what fails.
        """
        given = known(ExportKeywords, options)
        file = Path(output).absolute()
        words = ("--output", str(file), "--", mart)
        settings, _ = called(self.settings, "export", {"as_of": as_of}, words=words)
        for several in ("columns", "order_by"):
            given[several] = _names(given.get(several) or ())
        return export(settings, Wanted(mart=mart, output=file, **given), project=self._linked)

    def diff(
        self,
        against: Day | PathLike | None = None,
        *,
        select: Names | None = None,
        exclude: Names | None = None,
        as_of: Day | None = None,
        largest: int = 3,
    ) -> Difference:
        """Compare two builds of marts, row by row; nothing is published.

        `against` is the build before: an environment, a DuckDB database, a folder of data, a git
        revision or a date, as in `marts diff`; by default it is what is published, and a build of
        this code comes after it. At most `largest` rows are returned of each kind of difference.
        Raises UsageError for what is refused, and EngineError for what fails.
        """
        given = {"select": select, "exclude": exclude, "as_of": as_of}
        settings, _ = called(self.settings, "diff", given)
        other = meant(None if against is None else str(against), settings, self._linked)
        return diff(settings, other, shown=largest, project=self._linked)


def _names(names: Names) -> list[str]:
    return words(names) if isinstance(names, str) else list(names)


def _warn(message: str) -> None:
    warnings.warn(message, MartsWarning, stacklevel=2)


def _carried_out(prepared: Prepared) -> RunReport:
    progress = _Logging(prepared.plan)
    ended = carry_out(prepared, progress, planned=progress.planned)
    for error in ended.errors:
        _warn(str(error))
    if ended.report.status == "interrupted":
        raise KeyboardInterrupt
    return ended_report(prepared, ended)


class _Logging:
    """Tells the logger `marts` of progress; nobody sees it unless logging is set up."""

    def __init__(self, plan: Plan) -> None:
        self.planned(plan)

    def planned(self, plan: Plan) -> None:
        """Expect the steps of a plan."""
        self.to_come = Counter(table_of(step) for step in plan.steps)

    def started(self, step: Step) -> None:
        """Tell of a step that begins."""
        _log.debug("%s", doing(step))

    def finished(self, step: Step, table: TableReport) -> None:
        """Tell of a table whose last step is done."""
        self.to_come[table_of(step)] -= 1
        if not self.to_come[table_of(step)]:
            _log.info("%s", line_text(table_line(table)))

    def publishing(self) -> None:
        """Tell that publishing begins."""
        _log.info("publishing")
