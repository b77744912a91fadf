"""The groups of a project: each is published as a whole, after the groups whose marts it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from marts.core.authoring.checks import tables_read
from marts.core.authoring.tables import Mart, checks_of
from marts.core.errors import DefinitionError
from marts.core.project.loading import Declarations


@dataclass(frozen=True)
class Group:
    """A group: its published marts, and the groups whose marts these or their checks read."""

    name: str
    marts: frozenset[str]
    reads: tuple[str, ...]


def groups_of(project: Declarations) -> tuple[Group, ...]:
    """Return the groups of a project, each after those that it reads.

    Temporary marts have no group: they are built for each group that reads them. Raises
    DefinitionError for groups that read each other, and for a view that reads another group.
    """
    marts: dict[str, set[str]] = {}
    for mart in _published(project):
        marts.setdefault(mart.group, set()).add(mart.name)
    # A single group cannot read another, and its marts may be many.
    paths = _paths(project) if len(marts) > 1 else {}
    for mart in _published(project):
        _refuse_view(mart, project)
    # Sorted, so that the order is the same each time.
    reads = {name: sorted(to for one, to in paths if one == name) for name in sorted(marts)}
    try:
        order = tuple(TopologicalSorter(reads).static_order())
    except CycleError as error:
        raise _cycle(list(reversed(error.args[1])), paths, project) from error
    return tuple(Group(name, frozenset(marts[name]), tuple(reads[name])) for name in order)


def published_reads(project: Declarations, name: str) -> dict[str, tuple[str, ...]]:
    """Return the published marts that a mart and its checks read, each with the path to it.

    A path leads from the mart through the temporary marts that a run builds for it and its checks.
    """
    found: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, ...]] = [(name,)]
    met = {name}
    while waiting:
        path = waiting.pop()
        for each in _read_by(project.marts[path[-1]], project):
            if not project.marts[each].is_temporary:
                found.setdefault(each, (*path, each))
            elif each not in met:
                met.add(each)
                waiting.append((*path, each))
    return found


def _published(project: Declarations) -> Iterator[Mart]:
    return (mart for mart in project.marts.values() if not mart.is_temporary)


def _read_by(mart: Mart, project: Declarations) -> list[str]:
    """Return the marts that a mart and its checks read themselves."""
    read = [*mart.inputs, *(each for check in checks_of(mart) for each in tables_read(check))]
    return [each for each in dict.fromkeys(read) if each in project.marts and each != mart.name]


def _paths(project: Declarations) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return for each group that reads another the marts by which it does, in a path."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for mart in _published(project):
        for each, path in published_reads(project, mart.name).items():
            pair = mart.group, project.marts[each].group
            if pair[0] != pair[1]:
                found.setdefault(pair, path)
    return found


def _refuse_view(mart: Mart, project: Declarations) -> None:
    """Raise DefinitionError for a view whose rows would change, unchecked, with another group."""
    if mart.materialized != "view":
        return
    for name in mart.inputs:
        other = project.marts.get(name)
        if other and not other.is_temporary and other.group != mart.group:
            raise DefinitionError(
                f"the view {mart.name} of group {mart.group} reads {name} of group {other.group}",
                f"whenever {other.group} is published, its rows would change without a check",
                mart.location,
                hint=f'make {mart.name} materialized="table", or put both in one group',
            )


def _cycle(
    cycle: list[str], paths: Mapping[tuple[str, str], tuple[str, ...]], project: Declarations
) -> DefinitionError:
    return DefinitionError(
        f"the groups form a cycle: {' → '.join(cycle)}",
        *(
            f"{reader} reads {read}: {' → '.join(paths[reader, read])}"
            f"  ({project.marts[paths[reader, read][0]].location})"
            for reader, read in pairwise(cycle)
        ),
        hint="put these marts into one group, or move one of them so that one group comes first",
    )
