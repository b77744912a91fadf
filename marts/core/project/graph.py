"""The graph of inputs: order, selection, and what each table reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from marts.core.authoring.bindings import refuse_rebound
from marts.core.authoring.checks import RelationshipCheck, TableCheck
from marts.core.authoring.columns import SUM
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.signature import bound_parameters
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.project.loading import Project

RESERVED = ("marts_state", "int_published_marts")
"""The tables that record what is published, this version's and an earlier one's."""


@dataclass(frozen=True)
class Graph:
    """A project whose inputs all exist; `order` puts every mart behind those it reads."""

    project: Project
    order: tuple[str, ...]

    def upstream(self, name: str) -> set[str]:
        """Return the marts that a mart reads, directly or not."""
        return set(self._upstream[name])

    def temporaries(self, names: Iterable[str]) -> set[str]:
        """Return the temporary marts that marts read, directly or through temporary ones."""
        marts, found = self.project.marts, set[str]()
        waiting = [each for name in names for each in marts[name].inputs]
        while waiting:
            name = waiting.pop()
            if name in marts and marts[name].is_temporary and name not in found:
                found.add(name)
                waiting += marts[name].inputs
        return found

    def inputs(self, name: str) -> tuple[str, ...]:
        """Return the sources and marts that a mart reads, through temporary ones as well."""
        temporary = self.temporaries([name])
        found = {each for mart in (name, *temporary) for each in self.project.marts[mart].inputs}
        return tuple(sorted(found - temporary))

    def downstream(self, name: str) -> set[str]:
        """Return the marts that read a mart, directly or not."""
        return {other for other in self.order if name in self._upstream[other]}

    @cached_property
    def _upstream(self) -> Mapping[str, frozenset[str]]:
        # In build order, so that each closure is made of finished ones: a tangle has more paths
        # than anybody can walk, a chain more links than Python recurses.
        marts, found = self.project.marts, dict[str, frozenset[str]]()
        for name in _order(self.project):
            direct = frozenset(marts[name].inputs) & marts.keys()
            found[name] = direct.union(*(found[each] for each in direct))
        return found


def link(project: Project) -> Graph:
    """Join the declarations by name.

    Raises DefinitionError for an unknown input, of a mart, a check or an invariant, for a column's
    word that no invariant knows, for a cycle, and for a function that would see other values than
    where it was declared.
    """
    known = [*project.sources, *project.marts]
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    for table in tables:
        for reader, name in _names_read(table):
            if name not in known:
                raise DefinitionError(
                    f"{reader} reads {name}, which is neither a source nor a mart",
                    table.location,
                    hint=did_you_mean(name, known) or f"declare {name}, or rename the parameter",
                )
        _refuse_check_flaws(table, project)
        _refuse_function_flaws(table, known)
    for invariant in project.invariants.values():
        _refuse_invariant_flaws(invariant, project)
        _refuse_defaults(f"invariant {invariant.name}", invariant.change, invariant.location, known)
        refuse_rebound(f"invariant {invariant.name}", invariant.bindings)
    _refuse_unknown_words(project)
    for mart in project.marts.values():
        _refuse_what_cannot_be_published(mart, project)
    return Graph(project, _order(project))


def _refuse_what_cannot_be_published(mart: Mart, project: Project) -> None:
    if mart.name in RESERVED:
        raise DefinitionError(
            f"{mart.name} is the table that records what is published",
            mart.location,
            hint="give the mart another name",
        )
    temporary = [n for n in mart.inputs if n in project.marts and project.marts[n].is_temporary]
    if mart.materialized == "view" and temporary:
        raise DefinitionError(
            f"the view {mart.name} reads {temporary[0]}, which is gone when it is published",
            mart.location,
            hint=f'make {mart.name} a table, or {temporary[0]} materialized="table"',
        )


def _refuse_check_flaws(table: Source | Mart, project: Project) -> None:
    checks = checks_of(table)
    for name, count in Counter(check.name for check in checks).items():
        if count > 1:
            raise DefinitionError(
                f"{table.name} has {count} checks of the name {name}",
                table.location,
                hint="its columns and grain imply some: leave yours out, or name it otherwise",
            )
    for check in checks:
        if isinstance(check, RelationshipCheck):
            other = project.sources.get(check.to_table) or project.marts[check.to_table]
            columns = [column.name for column in other.columns]
            if check.to_column not in columns:
                raise DefinitionError(
                    f"check {check.name} of {table.name}: {other.name} has no column"
                    f" {check.to_column}",
                    table.location,
                    hint=did_you_mean(check.to_column, columns),
                )


def _refuse_function_flaws(table: Source | Mart, known: Collection[str]) -> None:
    if isinstance(table, Mart):
        _refuse_defaults(f"mart {table.name}", table.define, table.location, known)
        refuse_rebound(f"mart {table.name}", table.bindings)
    for check in table.checks:
        what = f"check {check.name} of {table.name}"
        if isinstance(check, TableCheck):
            _refuse_defaults(what, check.offending, table.location, known)
        refuse_rebound(what, check.bindings)


def _refuse_defaults(
    what: str, function: Callable[..., object], location: str, known: Collection[str]
) -> None:
    for name in bound_parameters(function):
        if name in known:
            raise DefinitionError(
                f"{what} would not be given {name}: its parameter has a default",
                location,
                hint=f"write {name} alone, or rename the parameter",
            )


def _refuse_invariant_flaws(invariant: Invariant, project: Project) -> None:
    for kind, names, known in (
        ("source", (invariant.source, *invariant.inputs), project.sources),
        ("mart", invariant.marts, project.marts),
    ):
        for name in names:
            if name not in known:
                raise DefinitionError(
                    f"invariant {invariant.name} names {name}, which is not a {kind}",
                    invariant.location,
                    hint=did_you_mean(name, known),
                )


def _refuse_unknown_words(project: Project) -> None:
    invariants = project.invariants.values()
    known = {SUM, *(word for invariant in invariants for word in invariant.varies_with)}
    for mart in project.marts.values():
        for column in mart.columns:
            for word in column.varies_with:
                if word not in known:
                    raise DefinitionError(
                        f"{mart.name}: column {column.name} varies with {word!r},"
                        " a word that no invariant knows",
                        mart.location,
                        hint=did_you_mean(word, known) or f"known: {', '.join(sorted(known))}",
                    )


def _names_read(table: Source | Mart) -> list[tuple[str, str]]:
    """Return each name that a declaration reads, with what reads it."""
    read = []
    if isinstance(table, Mart):
        read = [(f"mart {table.name}", name) for name in table.inputs]
    for check in table.checks:
        reader = f"check {check.name} of {table.name}"
        if isinstance(check, RelationshipCheck):
            read.append((reader, check.to_table))
        if isinstance(check, TableCheck):
            read.extend((reader, name) for name in check.inputs)
    return read


def _order(project: Project) -> tuple[str, ...]:
    sorter = TopologicalSorter(
        {
            name: [i for i in mart.inputs if i in project.marts]
            for name, mart in sorted(project.marts.items())
        }
    )
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        path = error.args[1]
        raise DefinitionError(
            f"the inputs form a cycle: {' → '.join(reversed(path))}",
            *(project.marts[name].location for name in path[:-1]),
            hint="let one of them read a table that both can read",
        ) from error
