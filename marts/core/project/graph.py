"""The graph of inputs: which marts read which others, and the order to build them in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from marts.core.authoring.bindings import refuse_rebound
from marts.core.authoring.checks import (
    Check,
    RelationshipCheck,
    TableCheck,
    is_fused,
    tables_read,
)
from marts.core.authoring.columns import SUM
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.signature import bound_parameters
from marts.core.authoring.tables import DEFAULT_GROUP, Mart, Source, checks_of
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.project.check_flaws import refuse_check_flaws
from marts.core.project.example_flaws import refuse_example_flaws
from marts.core.project.groups import Group, groups_of, published_reads
from marts.core.project.loading import Declarations
from marts.core.project.reserved import refuse_reserved


@dataclass(frozen=True)
class Graph:
    """A project whose inputs all exist; in `order` every mart is after those it reads.

    With a `group`, it is the graph for a run of this group, which makes no check of other groups.
    """

    project: Declarations
    order: tuple[str, ...]
    group: str | None = None

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of the marts, each after those that it reads."""
        return groups_of(self.project)

    @property
    def own_group(self) -> str:
        """The group that a run of this graph publishes, the first if it is for several."""
        return self.group or next((each.name for each in self.groups), DEFAULT_GROUP)

    def within(self, group: str) -> Graph:
        """Return the graph for a run of one group."""
        return self if len(self.groups) == 1 else replace(self, group=group)

    def upstream(self, *names: str) -> set[str]:
        """Return the marts that some marts read, directly or indirectly."""
        return _reached(names, self._marts_read)

    def downstream(self, *names: str) -> set[str]:
        """Return the marts that read some marts, directly or indirectly."""
        return _reached(names, self._readers)

    def temporaries(self, *names: str, through_checks: bool = False) -> set[str]:
        """Return the temporary marts that marts read, directly or through temporary ones.

        With `through_checks`, include those that their checks read, and the checks of these.
        """
        marts = self.project.marts

        def read(name: str) -> set[str]:
            more = self.read_by_checks[name] if through_checks else frozenset[str]()
            tables = {*marts[name].inputs, *more} & marts.keys()
            return {each for each in tables if marts[each].is_temporary}

        return _reached(names, read)

    def marts_behind(self, name: str) -> list[str]:
        """Return the published marts that a mart reads, also through temporary ones.

        Those of other groups that only its checks read are included: another run publishes them,
        and the checks must be made again.
        """
        temporary = self.temporaries(name)
        read = set[str]().union(*(self._marts_read(each) for each in (name, *temporary)))
        return sorted((read - temporary) | self._checked_in_other_groups(name))

    def _checked_in_other_groups(self, name: str) -> set[str]:
        if len(self.groups) == 1:
            return set()
        marts = self.project.marts
        read = published_reads(self.project, name)
        return {each for each in read if marts[each].group != marts[name].group}

    def sources_behind(self, name: str) -> list[str]:
        """Return the sources that a mart and its checks read, also through temporary marts."""
        read = {name, *self.temporaries(name, through_checks=True)}
        return sorted(self._read_with_checks(read) & self.project.sources.keys())

    def sources_read(self, names: Iterable[str]) -> set[str]:
        """Return the sources that marts and their checks read directly."""
        return self._read_with_checks(names) & self.project.sources.keys()

    def wide_checks(self, building: Collection[str]) -> list[tuple[Mart, Check]]:
        """Return the checks with queries of their own that a run makes if it builds some marts.

        These are the checks of the built marts, and the checks of other marts that read one of
        them. A temporary mart does not count as read: building it publishes nothing.
        """
        marts, built = self.project.marts, set(building)
        changed = {name for name in built if not marts[name].is_temporary}
        return [
            (owner, check)
            for owner, check in self._wide_checks
            if owner.name in built or (not owner.is_temporary and changed & tables_read(check))
        ]

    def built_with(self, selected: Iterable[str]) -> tuple[str, ...]:
        """Return the given marts and the temporary ones that they and a run's checks read."""
        names = set(selected)
        read = self._temporary_among(self._read_by_wide_checks(names))
        return self._in_order(names | read | self.temporaries(*names, *read))

    def built_to_check(self, selected: Iterable[str]) -> tuple[str, ...]:
        """Return the temporary marts that must be built to check the given marts."""
        names = set(selected)
        temporary = self._temporary_among(names | self._read_by_wide_checks(names))
        return self._in_order(temporary | self.temporaries(*temporary))

    def read_as_published(self, selected: Iterable[str]) -> dict[str, str]:
        """Return the marts that a run reads as they are published, each with what reads it.

        Marts that are read only by checks of marts that the run does not build are not included.
        """
        building = dict.fromkeys(self.built_with(selected))
        found: dict[str, str] = {}
        for name in building:
            read = [(each, name) for each in self.project.marts[name].inputs]
            for check in checks_of(self.project.marts[name]):
                read += [(each, f"the check {name}.{check.name}") for each in tables_read(check)]
            for each, reader in read:
                if each in self.project.marts and each not in building:
                    found.setdefault(each, reader)
        return {name: found[name] for name in self._in_order(found)}

    def related(self, selected: Iterable[str]) -> set[str]:
        """Return the marts whose state a run of the selected ones may depend on.

        These are the views downstream of them, what these and their checks read, and so on.
        """
        marts = self.project.marts
        found, new = set[str](), set(selected)
        while new:
            found |= new
            behind = self.downstream(*new)
            views = {name for name in behind if marts[name].materialized == "view"}
            owners = {owner.name for owner, _ in self.wide_checks(found)}
            checked = owners | self._read_by_wide_checks(found)
            new = views.union(checked, self.upstream(*found, *checked)) - found
        return found

    def is_concerned(self, mart: Mart, invariant: Invariant) -> bool:
        """Tell whether an invariant is about a mart, which may be exempt from it.

        It names the mart, or changes a source behind it. Intermediate marts are tested by those
        that read them.
        """
        if invariant.marts:
            return mart.name in invariant.marts
        marts = [mart, *(self.project.marts[name] for name in self.upstream(mart.name))]
        return not mart.is_intermediate and any(invariant.source in each.inputs for each in marts)

    @cached_property
    def read_by_checks(self) -> Mapping[str, frozenset[str]]:
        """The tables that the checks of each mart read besides the mart."""
        return {
            name: frozenset[str]().union(*(tables_read(check) for check in checks_of(mart)))
            for name, mart in self.project.marts.items()
        }

    @cached_property
    def _wide_checks(self) -> list[tuple[Mart, Check]]:
        return [
            (mart, check)
            for mart in self.project.marts.values()
            for check in checks_of(mart)
            if not is_fused(check)
            and (self.group is None or mart.is_temporary or mart.group == self.group)
        ]

    @cached_property
    def _readers_of(self) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {name: set() for name in self.project.marts}
        for name in found:
            for each in self._marts_read(name):
                found[each].add(name)
        return found

    def _readers(self, name: str) -> set[str]:
        return self._readers_of[name]

    def _marts_read(self, name: str) -> set[str]:
        return {*self.project.marts[name].inputs} & self.project.marts.keys()

    def _read_with_checks(self, names: Iterable[str]) -> set[str]:
        marts = self.project.marts
        return {
            each for name in names for each in (*marts[name].inputs, *self.read_by_checks[name])
        }

    def _read_by_wide_checks(self, building: Collection[str]) -> set[str]:
        """Return the marts that are read by the checks of a run with queries of their own."""
        read = {table for _, check in self.wide_checks(building) for table in tables_read(check)}
        return read & self.project.marts.keys()

    def _temporary_among(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if self.project.marts[name].is_temporary}

    def _in_order(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in self.order if name in names)


def _reached(names: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    """Return what can be reached from names; each is visited once, since paths are too many."""
    found, waiting = set[str](), list(names)
    while waiting:
        new = set(step(waiting.pop())) - found
        found |= new
        waiting += new
    return found


def link(project: Declarations) -> Graph:
    """Link the declarations by name.

    Raises DefinitionError for an unknown input of a mart, a check, an invariant or an example
    query, for a table that an example query must not read, for a column that varies with something
    that no invariant defines, for a mart that is exempt from an invariant that does not concern it,
    for a cycle of marts or groups, for a reserved name, and for a function whose variables have
    changed since it was declared.
    """
    known = [*project.sources, *project.marts]
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    for table in tables:
        refuse_reserved(table)
        for reader, name in _names_read(table):
            if name not in known:
                raise DefinitionError(
                    f"{reader} reads {name}, which is neither a source nor a mart",
                    table.location,
                    hint=did_you_mean(name, known) or f"declare {name}, or rename the parameter",
                )
        refuse_check_flaws(table, project)
        _refuse_function_flaws(table, known)
    for invariant in project.invariants.values():
        _refuse_invariant_flaws(invariant, project)
        _refuse_defaults(f"invariant {invariant.name}", invariant.change, invariant.location, known)
        refuse_rebound(f"invariant {invariant.name}", invariant.bindings)
    for query in project.queries.values():
        refuse_example_flaws(query, project)
        _refuse_defaults(f"example query {query.name}", query.define, query.location, known)
        refuse_rebound(f"example query {query.name}", query.bindings)
    _refuse_unknown_words(project)
    for mart in project.marts.values():
        _refuse_what_cannot_be_published(mart, project)
    graph = Graph(project, _order(project))
    for mart in project.marts.values():
        _refuse_needless_exemptions(mart, graph)
    # This raises the errors of wrong groups.
    _ = graph.groups
    return graph


def _refuse_what_cannot_be_published(mart: Mart, project: Declarations) -> None:
    temporary = [n for n in mart.inputs if n in project.marts and project.marts[n].is_temporary]
    if mart.materialized == "view" and temporary:
        raise DefinitionError(
            f"the view {mart.name} reads {temporary[0]}, which is gone when it is published",
            mart.location,
            hint=f'make {mart.name} a table, or {temporary[0]} materialized="table"',
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
                f"{what} would not receive {name}: its parameter has a default",
                location,
                hint=f"write {name} alone, or rename the parameter",
            )


def _refuse_invariant_flaws(invariant: Invariant, project: Declarations) -> None:
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


def _refuse_unknown_words(project: Declarations) -> None:
    invariants = project.invariants.values()
    known = {SUM, *(word for invariant in invariants for word in invariant.varies_with)}
    for mart in project.marts.values():
        for column in mart.columns:
            for word in column.varies_with:
                if word not in known:
                    raise DefinitionError(
                        f"{mart.name}: column {column.name} varies with {word!r},"
                        " which no invariant defines",
                        mart.location,
                        hint=did_you_mean(word, known) or f"known: {', '.join(sorted(known))}",
                    )


def _refuse_needless_exemptions(mart: Mart, graph: Graph) -> None:
    known = graph.project.invariants
    for name in mart.exempt:
        if name not in known:
            raise DefinitionError(
                f"mart {mart.name} is exempt from {name}, which is not an invariant",
                mart.location,
                hint=did_you_mean(name, known),
            )
        if not graph.is_concerned(mart, known[name]):
            raise DefinitionError(
                f"mart {mart.name} is exempt from the invariant {name}, which does not concern it",
                f"the invariant changes {known[name].source}: {known[name].location}",
                mart.location,
                hint="leave the exemption out",
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


def _order(project: Declarations) -> tuple[str, ...]:
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
