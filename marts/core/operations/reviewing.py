"""What a publication would change, before it does: candidates compared with what is published."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property, partial

import ibis

from marts.core.analysis.as_of_columns import as_of_columns
from marts.core.authoring.columns import personal_in
from marts.core.authoring.tables import Mart
from marts.core.authoring.tolerance import Rate
from marts.core.errors import EngineError, UsageError
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.query.alignment import GONE, NOT_COMPARED, Types, aligned, is_compared
from marts.core.query.comparison import BEFORE, Comparison, cast
from marts.core.query.contract import schema_of
from marts.core.run.backend import Backend
from marts.core.run.compared import MartDifference
from marts.core.run.comparing import Sides, reviewed, share_of

DROPPED = "it is dropped"
LOSSES = (NOT_COMPARED, GONE, DROPPED)
"""Words in notes that no limit lets through: how much changes is not known, or all is gone."""
FIRST = "it is published for the first time: there is nothing to compare it with"


def rate_of(text: str | None, *, dry_run: bool, shows: bool) -> Rate | None:
    """Return how much may change; raise UsageError for what is not a rate, or for a dry run."""
    if dry_run and (text is not None or shows):
        raise UsageError(
            "a dry run builds nothing that could be compared",
            hint="leave out --dry-run, or compare without publishing: marts diff",
        )
    if text is None:
        return None
    try:
        rate = Rate(Decimal(text.strip().removesuffix("%").strip()))
    except InvalidOperation:
        rate = Rate(Decimal(-1))
    if not (rate.percent.is_finite() and rate.percent >= 0):
        raise UsageError(f"--max-change {text} is not a percentage", hint="write --max-change 5%")
    return rate


@dataclass
class Reviewer:
    """Compares each candidate of a run with the published mart, and stops what changes too much.

    `told` is told of each mart. The columns that change with every as-of date are left out, unless
    the published mart has the same one.
    """

    graph: Graph
    most: Rate | None = None
    """How much may change of the rows of a mart, and of the sum of each of its measures."""
    told: Callable[[MartDifference], None] = lambda _: None
    marts: list[MartDifference] = field(default_factory=list)
    left_out: dict[str, frozenset[str]] = field(default_factory=dict)
    """The columns that were left out of each mart."""

    @cached_property
    def dated(self) -> Mapping[str, frozenset[str]]:
        """The columns of each mart that change with every as-of date."""
        return as_of_columns(self.graph)

    def __call__(self, plan: Plan, backend: Backend) -> None:
        """Compare what a plan has built; raise EngineError if it changes more than it may."""
        refused = list[str]()
        for found in self._found(plan, backend):
            refused += [f"{found.mart}: {each}" for each in too_much(found, self.most)]
            self.marts.append(found)
            self.told(found)
        if refused:
            raise EngineError(
                f"the run would change more than {self.most}; nothing was published",
                *refused,
                hint="look at the rows: marts diff; if the change is meant, pass a higher"
                " --max-change, or none",
            )

    def _found(self, plan: Plan, backend: Backend) -> Iterator[MartDifference]:
        published = backend.describe_published()
        for step in plan.builds:
            mart = step.mart
            if mart.is_temporary:
                continue
            if mart.name in published:
                recorded = plan.state.recorded.get(mart.name)
                is_dated = recorded is None or recorded.as_of != plan.as_of.day
                self.left_out[mart.name] = self.dated[mart.name] if is_dated else frozenset()
                yield self._compared(mart, published[mart.name].types, backend)
                continue
            query = _rows(ibis.table(schema_of(mart.columns), name=mart.name))
            (row,) = backend.fetch(query, about=mart.name)
            rows = (None, row["rows"])
            yield MartDifference(mart=mart.name, grain=mart.grain, rows=rows, notes=(FIRST,))
        for name in plan.publication.drops if plan.publication else ():
            if name in published:
                query = _rows(ibis.table({"nothing": "int64"}, name=_before(name)))
                (row,) = backend.fetch(query, about=name, published={_before(name): name})
                rows = (row["rows"], None)
                yield MartDifference(mart=name, grain=(), rows=rows, notes=(DROPPED,))

    def _compared(self, mart: Mart, types: Types, backend: Backend) -> MartDifference:
        after = ibis.table(schema_of(mart.columns), name=mart.name)
        found = {name.lower(): kind.copy(nullable=True) for name, kind in types.items()}
        kept = {name: found[name.lower()] for name in types if is_compared(found[name.lower()])}
        before = ibis.table(ibis.schema(kept), name=_before(mart.name)).rename(str.lower)
        columns = {column.name: column for column in mart.columns}
        left_out = self.left_out[mart.name]
        # What identifies a row of a build may be its date.
        grain = tuple(name for name in mart.grain if name not in left_out)
        # Engines may store the same type of a contract in another way than they are asked to.
        how = aligned(columns, grain, found, dict(after.schema().items()), one_engine=False)
        if how.comparison is None:
            return MartDifference(
                mart=mart.name, grain=mart.grain, rows=(None, None), notes=how.notes
            )
        comparison = _without(how.comparison, left_out)
        first, second = (
            table.select(**{n: cast(table[n], kind) for n, kind in comparison.types.items()})
            for table in (before, after)
        )
        personal = personal_in(mart.columns)
        sides = Sides(mart.name, comparison, first, second, personal, how.notes)
        names = {_before(mart.name): mart.name}
        return reviewed(sides, partial(backend.fetch, about=mart.name, published=names))


def too_much(found: MartDifference, most: Rate | None) -> Iterator[str]:
    """Yield what of a mart changes more than it may, in words."""
    if most is None:
        return
    limit = float(Fraction(most.percent) / 100)
    yield from (note for note in found.notes if any(word in note for word in LOSSES))
    before = found.rows[0] or 0
    count = found.added + found.removed + found.changed
    share = share_of(before, before + count)
    if share > limit:
        yield (
            f"{count:,} of {before:,} rows{_percent(share)}: {found.added:,} added,"
            f" {found.removed:,} removed, {found.changed:,} changed"
        )
    for column in found.columns:
        # Where no value differs, a sum of floats does by the order of rows.
        differs = bool(column.changed or found.added or found.removed)
        if differs and column.share is not None and column.share > limit:
            values = " → ".join(map(str, column.totals)) if column.totals else "personal data"
            yield f"the sum of {column.name}{_percent(column.share)}: {values}"


def _before(name: str) -> str:
    """Return what stands for a published mart in a query: never the mart's own name."""
    return f"{name}_{BEFORE}"


def _without(how: Comparison, left_out: frozenset[str]) -> Comparison:
    kept = {name: kind for name, kind in how.columns.items() if name not in left_out}
    types = {name: kind for name, kind in how.types.items() if name in how.key or name in kept}
    return replace(how, columns=kept, types=types)


def _rows(table: ibis.Table) -> ibis.Table:
    return table.aggregate(rows=table.count())


def _percent(share: float) -> str:
    return "" if math.isinf(share) else f", {share * 100:.3g}%"
