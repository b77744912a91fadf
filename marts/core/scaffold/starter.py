"""The first mart of a new project: something sensible on whatever sources there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf, log

from marts.core.scaffold import naming
from marts.core.scaffold.code import Argument, Call, call, imported, lines, listed, literal
from marts.core.scaffold.declarations import NewColumn, NewSource
from marts.core.scaffold.sources_file import column_code

ROWS_PER_KEY = 10
"""How many rows that refer to a key make the best first mart."""
LARGEST_SUM = Decimal(10) ** 15
"""What a sum may reach, so that it fits its type many times over."""


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A mart to write: rows of `facts`, counted for each value of the columns of `grain`.

    With `owner`, each row of it has a row, by `reference`, the column of the facts that names it.
    """

    name: str
    facts: NewSource
    grain: NewColumn | None
    owner: NewSource | None = None
    reference: str = ""
    is_complete: bool = True
    """Whether every row of the facts with a reference has an owner."""

    @property
    def day(self) -> NewColumn | None:
        """The first column of the facts that says when each of them happened."""
        kinds = ("date", "timestamp")
        return next((c for c in self.facts.columns if c.type in kinds and not c.null), None)

    @property
    def amount(self) -> NewColumn | None:
        """The first exact amount of the facts, of which a sum makes sense."""
        decimals = (c for c in self.facts.columns if c.type.startswith("decimal"))
        return next((c for c in decimals if c.at_least == 0 and is_summed(c)), None)

    @property
    def counted(self) -> str:
        """The name of the column with the number of rows."""
        return f"number_of_{naming.plain(self.facts.name)}"


def is_summed(column: NewColumn) -> bool:
    """Tell whether the sum of an amount fits 18 digits with its own digits after the point."""
    precision, scale = (int(each) for each in column.type[8:-1].split(","))
    return scale <= 4 and precision <= 18


def starter_of(sources: Sequence[NewSource]) -> Starter:
    """Return the mart that suits the sources best.

    It is a summary for each row of a table to which another one refers; else counts by the labels
    of a column; else the number of rows of the largest table.
    """
    taken = {source.name for source in sources}
    candidates = [*_summaries(sources)]
    found = min(candidates, key=_oddness) if candidates else _counts(sources)
    name = found.name
    while name in taken:
        name = f"{name}_summary"
    return replace(found, name=name)


def _summaries(sources: Sequence[NewSource]) -> Iterator[Starter]:
    by_name = {source.name: source for source in sources}
    for facts in sources:
        for check in facts.checks:
            table, _, key = (check.to or "").partition(".")
            owner = by_name.get(table)
            if owner is None or owner is facts or owner.grain != (key,):
                continue
            yield Starter(
                name=f"{naming.entity_of(owner.name)}_{naming.plain(facts.name)}",
                facts=facts,
                grain=owner.column(key),
                owner=owner,
                reference=check.columns[0],
                is_complete=not check.severity,
            )


def _oddness(starter: Starter) -> tuple[bool, bool, float, str]:
    """Return how far a summary is from the best one."""
    owners = starter.owner.rows if starter.owner else None
    facts = starter.facts.rows
    per_key = facts / owners if facts and owners else 0
    distance = abs(log(per_key / ROWS_PER_KEY)) if per_key else inf
    return not starter.is_complete, starter.day is None, distance, starter.name


def _counts(sources: Sequence[NewSource]) -> Starter:
    largest = sorted(sources, key=lambda source: -(source.rows or 0))
    for source in largest:
        for column in source.columns:
            if column.values:
                name = f"{source.name}_by_{column.name}"
                return Starter(name=name, facts=source, grain=column)
    return Starter(name=f"{largest[0].name}_count", facts=largest[0], grain=None)


# The file


def mart_file(starter: Starter) -> str:
    """Return the file of a starter mart."""
    what = f"The rows of {starter.facts.name}, counted" + (
        f" for each {starter.grain.name}" if starter.grain else ""
    )
    columns = [*_columns(starter)]
    kinds = {column.opening.removesuffix("(") for column in columns}
    used = {"Table", "mart", "table_check", *kinds}
    if starter.day or starter.grain is None:
        used.add("AsOf")
    checks = [*_checks(starter)]
    if any("row_check" in each.opening for each in checks):
        used.add("row_check")
    head = [f'"""{what}."""', "", *imported("marts", sorted(used)), "", ""]
    helpers = [*_helper(starter), *_reconciliation(starter), "", ""]
    arguments = [
        Argument(literal(starter.grain.name if starter.grain else "counted_on"), "grain"),
        Argument(listed(map(Argument, columns)), "columns", is_apart=True),
        Argument(listed(map(Argument, checks)), "checks", is_apart=True),
    ]
    decorator = lines(call("@mart", arguments), apart=True)
    return "\n".join([*head, *helpers, *decorator, *_function(starter)]) + "\n"


def _of(table: str, column: str) -> str:
    """Return a column of a table as code: not an attribute if a method has its name."""
    import ibis.expr.types as ir

    return f"{table}[{literal(column)}]" if hasattr(ir.Table, column) else f"{table}.{column}"


def _names(starter: Starter) -> tuple[str, str]:
    """Return the names of the columns with the last day and the sum."""
    prefix = naming.prefix_of([column.name for column in starter.facts.columns])
    day, amount = starter.day, starter.amount
    return (
        f"last_{naming.stem_of(day.name, prefix)}" if day else "",
        f"sum_of_{naming.stem_of(amount.name, prefix)}" if amount else "",
    )


def _columns(starter: Starter) -> Iterator[Call]:
    last, total = _names(starter)
    facts, may_be_none = starter.facts.name, starter.owner is not None
    without = "; 0 without any" if may_be_none else ""
    default = [Argument("0", "default")] if may_be_none else []
    if starter.grain:
        kept = NewColumn(
            name=starter.grain.name, type=starter.grain.type, values=starter.grain.values
        )
        yield column_code(kept)
    else:
        yield call("date", [Argument('"counted_on"'), Argument('"as_of"', "doc")])
    doc = Argument(literal(f"rows of {facts}{without}"), "doc")
    least = Argument("1" if starter.grain and not may_be_none else "0", "at_least")
    yield call("int64", [Argument(literal(starter.counted)), doc, *default, least])
    if starter.grain and starter.amount:
        scale = starter.amount.type[8:-1].split(",")[1].strip()
        doc = Argument(literal(f"sum of {starter.amount.name}{without}"), "doc")
        digits = [] if scale == "2" else [Argument("18"), Argument(scale)]
        kind = "decimal" if digits else "money"
        least = Argument("0", "at_least")
        null = [] if may_be_none or not starter.amount.null else [Argument("0", "default")]
        yield call(kind, [Argument(literal(total)), *digits, doc, *(default or null), least])
    if starter.grain and starter.day:
        text = f"last {starter.day.name}" + ("; null without any" if may_be_none else "")
        null = [Argument("True", "null")] if may_be_none else []
        yield call("date", [Argument(literal(last)), Argument(literal(text), "doc"), *null])


def _checks(starter: Starter) -> Iterator[Call]:
    last, _ = _names(starter)
    if starter.owner and starter.day:
        arguments = [
            Argument(literal(f"{last}_if_any")),
            Argument(f"lambda t: t.{last}.isnull()", "offending"),
            Argument(f"lambda t: t.{starter.counted} > 0", "where"),
        ]
        yield call("row_check", arguments)
    name = literal(f"all_{starter.facts.name}_counted")
    yield call("table_check", [Argument(name), Argument("_not_all_counted", "offending")])


def _conditions(starter: Starter) -> list[tuple[str, str]]:
    """Return the conditions of the rows that count, each with its words."""
    facts, day = starter.facts.name, starter.day
    needed = starter.reference or (starter.grain.name if starter.grain else "")
    found = []
    if needed and starter.facts.column(needed).null:
        found.append((f"{_of(facts, needed)}.notnull()", f"with a {needed}"))
    if day and day.type == "date":
        found.append((f"{_of(facts, day.name)} <= as_of.date", "up to as_of"))
    elif day:
        limit = 'as_of.plus(days=1).cast("timestamp")'
        found.append((f"{_of(facts, day.name)} < {limit}", "up to as_of"))
    return found


def _helper(starter: Starter) -> list[str]:
    """Return the function that selects the rows that count; none if all do."""
    facts, conditions = starter.facts.name, _conditions(starter)
    if not conditions:
        return []
    parameters = [f"{facts}: Table", *(["as_of: AsOf"] if starter.day else [])]
    words = " and ".join(said for _, said in conditions)
    body = call(f"{facts}.filter", [Argument(condition) for condition, _ in conditions])
    return [
        *_signature("_counted", parameters),
        f'    """Return the rows of {facts} {words}."""',
        *lines(body, depth=1, before="return "),
        "",
        "",
    ]


def _rows(starter: Starter) -> str:
    """Return the rows that count, as code."""
    facts = starter.facts.name
    passed = ", as_of" if starter.day else ""
    return f"_counted({facts}{passed})" if _conditions(starter) else facts


def _signature(name: str, parameters: Sequence[str]) -> list[str]:
    """Return the head of a function that returns a table."""
    return lines(call(f"def {name}", map(Argument, parameters)), after=" -> Table:")


def _local(starter: Starter) -> str:
    """Return the name of the rows that count in a function: not that of one of its tables."""
    tables = {starter.facts.name, starter.owner.name if starter.owner else ""}
    return next(name for name in ("t", "rows", "found") if name not in tables)


def _reconciliation(starter: Starter) -> list[str]:
    """Return the check that every row that counts is in one of the mart's counts."""
    facts, t = starter.facts.name, _local(starter)
    sides = "" if starter.is_complete else " but those without an owner"
    compare = "!=" if starter.is_complete else ">"
    parameters = ["this: Table", f"{facts}: Table", *(["as_of: AsOf"] if starter.day else [])]
    return [
        *_signature("_not_all_counted", parameters),
        f'    """Return both numbers if the counts do not add up to all rows{sides}."""',
        f"    {t} = {_rows(starter)}",
        f"    there = {t}.aggregate(rows={t}.count())",
        f"    here = this.aggregate(counted=this.{starter.counted}.sum())",
        f"    return here.cross_join(there).filter(lambda both: both.counted {compare} both.rows)",
    ]


def _function(starter: Starter) -> list[str]:
    facts, owner, day, t = starter.facts.name, starter.owner, starter.day, _local(starter)
    tables = [owner.name, facts] if owner else [facts]
    needs_date = day is not None or starter.grain is None
    parameters = [*(f"{each}: Table" for each in tables), *(["as_of: AsOf"] if needs_date else [])]
    until = " up to the run's date" if day else ""
    rows = f"for each of {owner.name}" if owner else "in all"
    if starter.grain and not owner:
        rows = f"for each {starter.grain.name}"
    return [
        *_signature(starter.name, parameters),
        f'    """The rows of {facts}{until}, counted; one row {rows}."""',
        f"    {t} = {_rows(starter)}",
        *_body(starter, t),
    ]


def _body(starter: Starter, t: str) -> list[str]:
    """Return the lines that count the rows `t`."""
    last, total = _names(starter)
    figures = [Argument(f"{t}.count()", starter.counted)]
    if starter.grain is None:
        body = lines(call(f"{t}.aggregate", figures), depth=1, before="counts = ")
        return [*body, "    return counts.mutate(counted_on=as_of.date)"]
    if starter.amount:
        figures.append(Argument(f"{_of(t, starter.amount.name)}.sum()", total))
    if starter.day:
        figures.append(Argument(f"{_of(t, starter.day.name)}.max()", last))
    key = starter.grain.name
    if starter.owner is None:
        grouped = f"{t}.group_by({literal(key)}).aggregate"
        return lines(call(grouped, figures), depth=1, before="return ")
    grouped = f"{t}.group_by({key}={_of(t, starter.reference)}).aggregate"
    return [
        f"    keys = {starter.owner.name}.select({literal(key)})",
        *lines(call(grouped, figures), depth=1, before="counts = "),
        f"    return keys.left_join(counts, {literal(key)})",
    ]
