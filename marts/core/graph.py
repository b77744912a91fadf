"""The graph of inputs: order, selection, and what each table reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from marts.core.authored import bound_parameters, refuse_rebound
from marts.core.checks import checks_of
from marts.core.contract import SUM
from marts.core.errors import DefinitionError, UsageError, did_you_mean
from marts.core.model import Mart, RelationshipCheck, Source, TableCheck
from marts.core.project import Project
from marts.core.relation import Relation
from marts.core.state import RESERVED


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

    Raises DefinitionError for an unknown input, of a mart, a check or a relation, for a column's
    word that no relation knows, for a cycle, and for a function that would see other values than
    where it was declared.
    """
    known = [*project.sources, *project.marts]
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    for table in tables:
        for reader, name in _names_read(table):
            if name not in known:
                raise DefinitionError(
                    f"{reader} reads {name}, which is neither a source nor a mart",
                    table.place,
                    hint=did_you_mean(name, known) or f"declare {name}, or rename the parameter",
                )
        _refuse_check_flaws(table, project)
        _refuse_function_flaws(table, known)
    for relation in project.relations.values():
        _refuse_relation_flaws(relation, project)
        _refuse_defaults(f"relation {relation.name}", relation.change, relation.place, known)
        refuse_rebound(f"relation {relation.name}", relation.bindings)
    _refuse_unknown_words(project)
    for mart in project.marts.values():
        _refuse_what_cannot_be_published(mart, project)
    return Graph(project, _order(project))


def _refuse_what_cannot_be_published(mart: Mart, project: Project) -> None:
    if mart.name in RESERVED:
        raise DefinitionError(
            f"{mart.name} is the table that records what is published",
            mart.place,
            hint="give the mart another name",
        )
    temporary = [n for n in mart.inputs if n in project.marts and project.marts[n].is_temporary]
    if mart.materialized == "view" and temporary:
        raise DefinitionError(
            f"the view {mart.name} reads {temporary[0]}, which is gone when it is published",
            mart.place,
            hint=f'make {mart.name} a table, or {temporary[0]} materialized="table"',
        )


def _refuse_check_flaws(table: Source | Mart, project: Project) -> None:
    checks = checks_of(table)
    for name, count in Counter(check.name for check in checks).items():
        if count > 1:
            raise DefinitionError(
                f"{table.name} has {count} checks of the name {name}",
                table.place,
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
                    table.place,
                    hint=did_you_mean(check.to_column, columns),
                )


def _refuse_function_flaws(table: Source | Mart, known: Collection[str]) -> None:
    if isinstance(table, Mart):
        _refuse_defaults(f"mart {table.name}", table.define, table.place, known)
        refuse_rebound(f"mart {table.name}", table.bindings)
    for check in table.checks:
        what = f"check {check.name} of {table.name}"
        if isinstance(check, TableCheck):
            _refuse_defaults(what, check.offending, table.place, known)
        refuse_rebound(what, check.bindings)


def _refuse_defaults(
    what: str, function: Callable[..., object], place: str, known: Collection[str]
) -> None:
    for name in bound_parameters(function):
        if name in known:
            raise DefinitionError(
                f"{what} would not be given {name}: its parameter has a default",
                place,
                hint=f"write {name} alone, or rename the parameter",
            )


def _refuse_relation_flaws(relation: Relation, project: Project) -> None:
    for kind, names, known in (
        ("source", (relation.source, *relation.inputs), project.sources),
        ("mart", relation.marts, project.marts),
    ):
        for name in names:
            if name not in known:
                raise DefinitionError(
                    f"relation {relation.name} names {name}, which is not a {kind}",
                    relation.place,
                    hint=did_you_mean(name, known),
                )


def _refuse_unknown_words(project: Project) -> None:
    relations = project.relations.values()
    known = {SUM, *(word for relation in relations for word in relation.moves)}
    for mart in project.marts.values():
        for column in mart.columns:
            for word in column.moves:
                if word not in known:
                    raise DefinitionError(
                        f"{mart.name}: column {column.name} moves by {word!r},"
                        " a word that no relation knows",
                        mart.place,
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
            *(project.marts[name].place for name in path[:-1]),
            hint="let one of them read a table that both can read",
        ) from error


def select(
    graph: Graph, selectors: Iterable[str] = (), *, exclude: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the marts that the selectors name, in build order; all where there is none.

    A selector is a name, a pattern (`metric_*`), `tag:…` or a folder; `+` before it adds all
    that it reads, `+` behind it all that read it. Raises UsageError for one that names nothing, and
    for a package without marts.
    """
    if not graph.order:
        package = graph.project.package
        raise UsageError(
            f"package {package} declares no mart",
            hint="write one: a function below @mart(…), in a module of its name in the package",
        )
    words = list(selectors)
    chosen = _union(graph, words) if words else set(graph.order)
    chosen -= _union(graph, exclude)
    if not chosen:
        raise UsageError("the selection is empty", hint="leave out --exclude, or select more")
    return tuple(name for name in graph.order if name in chosen)


def _union(graph: Graph, selectors: Iterable[str]) -> set[str]:
    return set[str]().union(*(_matches(graph, selector) for selector in selectors))


def _matches(graph: Graph, selector: str) -> set[str]:
    body = selector.removeprefix("+").removesuffix("+")
    found = {name for name, mart in graph.project.marts.items() if body in _handles(graph, mart)}
    found |= {name for name in graph.order if fnmatchcase(name, body)}
    if not found:
        known = {handle for m in graph.project.marts.values() for handle in _handles(graph, m)}
        raise UsageError(
            f"no mart matches {selector}",
            hint=did_you_mean(body, sorted(known)) or "`marts ls` lists the marts",
        )
    upstream = [graph.upstream(name) for name in found] if selector.startswith("+") else []
    downstream = [graph.downstream(name) for name in found] if selector.endswith("+") else []
    return found.union(*upstream, *downstream)


def _handles(graph: Graph, mart: Mart) -> set[str]:
    """Return the words that select a mart: its name, its tags and its folders."""
    folders = mart.module.removeprefix(f"{graph.project.package}.").split(".")[:-1]
    paths = {"/".join(folders[: depth + 1]) for depth in range(len(folders))}
    package = graph.project.package
    return (
        {mart.name}
        | {f"tag:{tag}" for tag in mart.tags}
        | paths
        | {f"{package}/{path}" for path in paths}
    )
