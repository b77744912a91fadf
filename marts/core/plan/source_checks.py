"""Which checks of sources a run makes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from marts.core.analysis.reliance import Reliance
from marts.core.analysis.reliance_checks import Deriving
from marts.core.authoring.checks import Check, FreshCheck, WholeCheck
from marts.core.authoring.tables import Source
from marts.core.plan.state import EngineState, TableState
from marts.core.project.graph import Graph
from marts.core.query.contract import mismatches


@dataclass(frozen=True)
class EarlierChecks:
    """What earlier groups of the same run have found of sources, which a later one does not repeat.

    `outcomes` are by source and digest of the check: pass, warn, acknowledged or fail. `rows` are
    the counted rows of sources, `shares` those of orphans, by source and name of the check.
    """

    outcomes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceChecks:
    """The checks of sources that a run makes, by source, and their digests.

    `sources` are all that the marts to be built rely on. `remembered` has the digests of checks
    that held and are not made again, because the source has not changed; `is_left_out` says that
    the caller wants no checks of sources.
    """

    sources: tuple[str, ...] = ()
    by_source: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    digests: Mapping[tuple[str, str], str] = field(default_factory=dict)
    remembered: Mapping[str, frozenset[str]] = field(default_factory=dict)
    orphans: frozenset[tuple[str, str]] = frozenset()
    """The checks, by source and name, of which the share of orphans is recorded."""
    is_left_out: bool = False
    earlier: EarlierChecks = field(default_factory=EarlierChecks)
    """What earlier groups of the same run have found."""
    failed: tuple[tuple[str, str], ...] = ()
    """The keys of the checks that failed for an earlier group of the same run."""

    def key(self, source: str, check: Check) -> tuple[str, str]:
        """Return what identifies a check of a source in all groups of a run."""
        known = self.digests.get((source, check.name))
        return source, known or f"{check.name}: {check.because}"

    def held(self) -> Iterator[tuple[str, str]]:
        """Yield the checks that are not made again, by source and name."""
        for (source, check), digest in self.digests.items():
            if digest in self.remembered.get(source, ()):
                yield source, check

    def after(self, earlier: EarlierChecks) -> SourceChecks:
        """Return what is left to check after other groups of the same run."""
        found = earlier.outcomes
        left = {
            name: tuple(check for check in checks if self.key(name, check) not in found)
            for name, checks in self.by_source.items()
        }
        passed = {key for key, end in found.items() if end == "pass"}
        held = {
            name: known
            | {d for (s, _), d in self.digests.items() if s == name and (s, d) in passed}
            for name, known in self.remembered.items()
        }
        keys = (self.key(name, each) for name, checks in self.by_source.items() for each in checks)
        return replace(
            self,
            by_source={name: checks for name, checks in left.items() if checks},
            remembered=held,
            earlier=earlier,
            failed=tuple(key for key in keys if found.get(key) == "fail"),
        )

    def that_must_hold(self) -> SourceChecks:
        """Return the checks of severity error, and those of freshness: time has passed."""
        errors = {
            name: tuple(c for c in checks if c.severity == "error" or isinstance(c, FreshCheck))
            for name, checks in self.by_source.items()
        }
        by_source = {name: checks for name, checks in errors.items() if checks}
        return replace(self, by_source=by_source)

    @property
    def are_remembered(self) -> bool:
        """Tell whether any check is made that is not made again if it holds."""
        return any(
            not isinstance(check, FreshCheck)
            for checks in self.by_source.values()
            for check in checks
        )


@dataclass(frozen=True)
class SourceCheckOptions:
    """What a caller wants: whether sources are checked, and whether they may shrink."""

    source_checks: bool = True
    accept_shrink: bool = False


def source_checks(
    graph: Graph,
    reliance: Reliance,
    state: EngineState,
    options: SourceCheckOptions,
    names: Collection[str],
) -> SourceChecks:
    """Return the checks of sources that some marts rely on, except those that are remembered."""
    read = reliance.columns_of_sources(names)
    sources = tuple(
        name for name in graph.project.sources if name in read and name in state.sources
    )
    if not options.source_checks:
        return SourceChecks(sources, is_left_out=True)
    deriving = Deriving(graph, reliance)
    needed = {
        name: deriving.checks(
            graph.project.sources[name],
            read[name],
            names,
            present=state.sources,
            shares=state.checked[name].orphans if name in state.checked else {},
        )
        for name in sources
        # A source that does not fit its contract is refused, unless no mart to be built reads it.
        if _fits(graph.project.sources[name], state.sources[name])
    }
    pairs = [(name, check) for name, checks in needed.items() for check in checks]
    digests = {
        (name, check.name): deriving.digest(name, check, state.source_version)
        for name, check in pairs
        # Time passes while a source stays the same: this is checked every time.
        if not isinstance(check, FreshCheck)
    }
    remembered = {name: _remembered(name, state) for name in needed}
    due = {
        name: tuple(c for c in checks if digests.get((name, c.name)) not in remembered[name])
        + (() if options.accept_shrink else _shrink(name, state))
        for name, checks in needed.items()
    }
    orphans = {
        (name, check.name) for name, check in pairs if check.name in deriving.orphans.get(name, ())
    }
    by_source = {name: checks for name, checks in due.items() if checks}
    return SourceChecks(sources, by_source, digests, remembered, frozenset(orphans))


def _fits(source: Source, found: TableState) -> bool:
    return not found.misfits and not mismatches(source.columns, found.types)


def _remembered(name: str, state: EngineState) -> frozenset[str]:
    """Return the digests of the checks that held of this version of a source."""
    known, version = state.checked.get(name), state.source_version(name)
    own = known.checks if known and version and known.version == version else frozenset()
    # A fact about rows, whichever group has found it.
    return own | (state.held.get((name, version), frozenset()) if version else frozenset())


def _shrink(name: str, state: EngineState) -> tuple[Check, ...]:
    """Return the check that a changed source still has half of its recorded rows."""
    known, version = state.checked.get(name), state.source_version(name)
    if known is None or not known.rows or (version and known.version == version):
        return ()
    least = (known.rows + 1) // 2
    return (
        WholeCheck(
            name="not_shrunk",
            fails=lambda t: t.count() < least,
            because=f"less than half of the {known.rows:,} rows of the last published run;"
            " --accept-shrink publishes anyway",
        ),
    )
