"""What a publication would change, before it does: candidates compared with what is published."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial

import ibis

from marts.core.analysis.as_of_columns import as_of_columns
from marts.core.authoring.columns import personal_in
from marts.core.authoring.tables import Mart
from marts.core.authoring.tolerance import Rate
from marts.core.errors import EngineError, UsageError
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.query.alignment import LOST, NOT_COMPARED, Types, aligned, is_compared
from marts.core.query.comparison import Comparison, cast
from marts.core.query.contract import schema_of
from marts.core.run.backend import Backend
from marts.core.run.compared import MartDifference
from marts.core.run.comparing import Sides, reviewed, share_of

PUBLISHED = "marts_before"
"""What stands for a published mart in a query."""
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

    `told` is told of each mart. The columns that change with every as-of date are left out.
    """

    graph: Graph
    most: Rate | None = None
    """How much may change of the rows of a mart, and of the sum of each of its measures."""
    told: Callable[[MartDifference], None] = lambda _: None
    marts: list[MartDifference] = field(default_factory=list)

    @cached_property
    def left_out(self) -> Mapping[str, frozenset[str]]:
        """The columns of each mart that are left out."""
        return as_of_columns(self.graph)

    def __call__(self, plan: Plan, backend: Backend) -> None:
        """Compare what a plan has built; raise EngineError if it changes more than it may."""
        published = backend.describe_published()
        refused = list[str]()
        for step in plan.builds:
            if step.mart.is_temporary:
                continue
            if step.mart.name in published:
                found = self._compared(step.mart, published[step.mart.name].types, backend)
                refused += [f"{step.mart.name}: {each}" for each in self._too_much(found)]
            else:
                rows = backend.fetch(_rows(step.mart), about=step.mart.name)[0]["rows"]
                found = MartDifference(
                    mart=step.mart.name, grain=step.mart.grain, rows=(None, rows), notes=(FIRST,)
                )
            self.marts.append(found)
            self.told(found)
        if refused:
            raise EngineError(
                f"the run would change more than {self.most}; nothing was published",
                *refused,
                hint="look at the rows: marts diff; if the change is meant, pass a higher"
                " --max-change, or none",
            )

    def _compared(self, mart: Mart, types: Types, backend: Backend) -> MartDifference:
        after = ibis.table(schema_of(mart.columns), name=mart.name)
        found = {name.lower(): kind.copy(nullable=True) for name, kind in types.items()}
        kept = {name: found[name.lower()] for name in types if is_compared(found[name.lower()])}
        before = ibis.table(ibis.schema(kept), name=PUBLISHED).rename(str.lower)
        columns = {column.name: column for column in mart.columns}
        # Engines may store the same type of a contract in another way than they are asked to.
        left_out = self.left_out[mart.name]
        # What identifies a row of a build may be its date.
        grain = tuple(name for name in mart.grain if name not in left_out)
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
        names = {PUBLISHED: mart.name}
        return reviewed(sides, partial(backend.fetch, about=mart.name, published=names))

    def _too_much(self, found: MartDifference) -> Iterator[str]:
        """Yield what of a mart changes more than it may."""
        if self.most is None:
            return
        limit = float(self.most.percent) / 100
        yield from (note for note in found.notes if NOT_COMPARED in note or note.endswith(LOST))
        before = found.rows[0]
        count = found.added + found.removed + found.changed
        share = share_of(before, (before or 0) + count)
        if share > limit:
            yield (
                f"{count:,} of {before or 0:,} rows{_percent(share)}: {found.added:,} added,"
                f" {found.removed:,} removed, {found.changed:,} changed"
            )
        for column in found.columns:
            if column.share is not None and column.share > limit:
                values = " → ".join(map(str, column.totals)) if column.totals else "personal data"
                yield f"the sum of {column.name}{_percent(column.share)}: {values}"


def _without(how: Comparison, left_out: frozenset[str]) -> Comparison:
    kept = {name: kind for name, kind in how.columns.items() if name not in left_out}
    types = {name: kind for name, kind in how.types.items() if name in how.key or name in kept}
    return replace(how, columns=kept, types=types)


def _rows(mart: Mart) -> ibis.Table:
    table = ibis.table(schema_of(mart.columns), name=mart.name)
    return table.aggregate(rows=table.count())


def _percent(share: float) -> str:
    return "" if math.isinf(share) else f", {share * 100:.3g}%"
