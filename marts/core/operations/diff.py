"""Compare two builds of marts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, assert_never

from marts.core.analysis.changed_expressions import (
    ChangedExpression,
    Traced,
    changed_expressions,
)
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import ChangedSourcesError, UsageError
from marts.core.operations import wiring
from marts.core.operations.compared_copies import difference
from marts.core.operations.former import committed
from marts.core.operations.sides import (
    Copied,
    Place,
    VersionOfCode,
    Watch,
    built,
    published,
)
from marts.core.operations.wiring import Linked
from marts.core.project.graph import Graph
from marts.core.project.settings import DUCKDB, Settings, with_given
from marts.core.query.comparison import SIDES
from marts.core.run.compared import MartDifference
from marts.core.run.comparing import SHOWN


@dataclass(frozen=True)
class Data:
    """Other data, a folder or a DuckDB file, on which the same code is built."""

    path: Path


@dataclass(frozen=True)
class Revision:
    """The code of a git revision, built on the same data."""

    name: str


Against: TypeAlias = Settings | Data | Revision | datetime.date | None
"""What a build is compared with: what is published in another place, or builds of their own.

None is what is published here, before, compared with what a run would publish now.
"""


@dataclass(frozen=True)
class Difference:
    """How two builds differ: each in words, and the marts that were compared.

    `absent` are the marts that neither has; `notes` say what limits the comparison. `code` has the
    changed expressions by mart and column, if two versions of the code were compared.
    """

    before: str
    after: str
    marts: tuple[MartDifference, ...]
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    code: Mapping[tuple[str, str], tuple[ChangedExpression, ...]] = field(default_factory=dict)

    @property
    def is_different(self) -> bool:
        """Whether any mart differs."""
        return any(mart.is_different for mart in self.marts)


def diff(
    settings: Settings,
    against: Against,
    *,
    shown: int = SHOWN,
    watch: Watch = lambda _mart, _rows: None,
    project: Linked | None = None,
) -> Difference:
    """Compare two builds of marts, row by row; nothing is published.

    At most `shown` rows are reported of each kind of difference. The project is loaded unless it is
    given. Raises UsageError for what is refused, and EngineError for what fails.
    """
    graph, selected, _ = wiring.selected(settings, project)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="marts_diff_")))
        places = [Place(folder / side, watch) for side in SIDES]
        names = _compared_marts(graph, selected, settings, against)
        before, after = _sides(graph, settings, against, names, places, opened)
        if _is_itself(settings, against, before, after):
            raise UsageError(
                f"both sides are the same marts: {after.where}",
                hint="name another build: --against",
            )
        notes = _notes_on_sources(before, after) if _is_same_data(against) else ()
        known = dict.fromkeys((*names, *before.marts, *after.marts))
        found = [name for name in known if name in before.marts or name in after.marts]
        if not found:
            raise UsageError(
                "none of the selected marts is published",
                before.where,
                after.where,
                hint="publish them: marts run",
            )
        marts = tuple(
            difference(graph, name, before, after, settings, folder, shown) for name in found
        )
        code = _code(graph, before.code, marts) if before.code else {}
    absent = tuple(name for name in names if name not in found)
    return Difference(before.where, after.where, marts, absent, notes, code)


def _is_itself(settings: Settings, against: Against, before: Copied, after: Copied) -> bool:
    """Tell whether both sides are published in one place, or built from the same."""
    match against:
        case datetime.date():
            return before.where == after.where
        case Data(path):
            own = None if settings.sources else wiring.data_of(settings)
            return before.engine == after.engine and own is not None and own.samefile(path)
        case _:
            return before.place is not None and before.place == after.place


def _code(
    graph: Graph, former: VersionOfCode, marts: Sequence[MartDifference]
) -> dict[tuple[str, str], tuple[ChangedExpression, ...]]:
    """Return the changed expressions behind each column that differs, or the rows of a mart.

    Those that decide about rows are behind the columns of the grain.
    """
    columns = {
        (mart.mart, column): None
        for mart in marts
        if mart.mart in graph.project.marts
        for column in (
            *(mart.grain if mart.added or mart.removed else ()),
            *(each.name for each in mart.columns if each.changed),
        )
    }
    days = [mart.as_of[1] for mart in marts if mart.as_of[1]]
    if not columns or not days:
        return {}
    as_of = FixedAsOf(days[0])
    before = Traced(former.graph, as_of, within=former.within, shown=former.shown)
    after = Traced(graph, as_of)
    lineage = after.lineage()
    found = {
        (mart, column): changed_expressions(before, after, lineage, mart, column)
        for mart, column in columns
        if column in {each.name for each in graph.project.marts[mart].columns}
    }
    return {name: expressions for name, expressions in found.items() if expressions}


def _sides(
    graph: Graph,
    settings: Settings,
    against: Against,
    names: Sequence[str],
    places: Sequence[Place],
    opened: ExitStack,
) -> tuple[Copied, Copied]:
    """Copy both sides; engines are connected until the stack is closed."""
    there, here = places
    is_all = not (settings.select or settings.exclude)
    match against:
        case Settings():
            sides = (
                published(graph, against, names, there, all_marts=is_all),
                published(graph, settings, names, here, all_marts=is_all),
            )
        case None:
            sides = (
                published(graph, settings, names, there, all_marts=is_all),
                built(graph, settings, names, here, title="this code"),
            )
        case Revision(name):
            former = opened.enter_context(committed(settings, graph, name))
            then = former.load()
            gone = [name for name in then.order if is_all and name not in graph.project.marts]
            were = [*names, *gone]
            code = VersionOfCode(then, former.within, former.shown)
            sides = (
                built(then, settings, were, there, title=former.name, code=code),
                built(graph, settings, names, here, title="this code"),
            )
        case datetime.date():
            earlier = replace(settings, as_of=against)
            sides = (
                built(graph, earlier, names, there, title="this code"),
                built(graph, settings, names, here, title="this code"),
            )
        case Data(path):
            other = with_given(settings, data=path, backend=DUCKDB)
            sides = (
                built(graph, other, names, there, title=str(path)),
                built(graph, settings, names, here, title=str(wiring.data_of(settings) or "")),
            )
        case _:
            assert_never(against)
    before, after = sides
    return opened.enter_context(before), opened.enter_context(after)


def _is_same_data(against: Against) -> bool:
    """Tell whether both sides are to be built on the same data."""
    return isinstance(against, Revision | datetime.date)


def _notes_on_sources(before: Copied, after: Copied) -> tuple[str, ...]:
    """Return the sources of which it is not known whether both sides have read the same.

    Raises ChangedSourcesError if they have not.
    """
    if changed := before.changed():
        raise ChangedSourcesError(changed)
    if before.engine == DUCKDB:
        # The same files, however each version of the code reads them.
        return ()
    both = [name for name in before.sources if name in after.sources]
    versions = {name: (before.sources[name], after.sources[name]) for name in both}
    if changed := [
        f"{name}: it has changed" for name, (a, b) in versions.items() if a and b and a != b
    ]:
        raise ChangedSourcesError(changed)
    return tuple(
        f"whether source {name} was the same on both sides is not known"
        for name, pair in versions.items()
        if None in pair
    )


def _compared_marts(
    graph: Graph, selected: Sequence[str], settings: Settings, against: Against
) -> list[str]:
    """Return the selected marts that both sides can have; refuse temporary ones that are named."""
    marts = graph.project.marts
    if _is_same_data(against) or isinstance(against, Data):
        return list(selected)
    temporary = [name for name in selected if marts[name].is_temporary]
    if named := [name for name in temporary if name in settings.select]:
        raise UsageError(
            f"{', '.join(named)}: temporary, so it is not published anywhere",
            hint="compare marts that read it",
        )
    names = [name for name in selected if name not in temporary]
    if not names:
        raise UsageError("only temporary marts are selected", hint="select marts that read them")
    return names
