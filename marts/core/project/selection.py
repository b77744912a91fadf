"""Select marts by name, pattern, tag, group or folder."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError, did_you_mean
from marts.core.project.graph import Graph


def select(
    graph: Graph, selectors: Iterable[str] = (), *, exclude: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the marts that the selectors name, in build order; all without a selector.

    A selector is a name, a pattern (`metric_*`), `tag:…`, `group:…` or a folder; `+` before it
    adds all that it reads, `+` after it all that read it. Raises UsageError for one that matches
    nothing, and for a package without marts.
    """
    if not graph.order:
        package = graph.project.package
        raise UsageError(
            f"package {package} declares no marts",
            hint="write one: a function below @mart(…), in a module of its name in the package",
        )
    words = list(selectors)
    chosen = _union(graph, words) if words else set(graph.order)
    chosen -= _union(graph, exclude)
    if not chosen:
        raise UsageError("the selection is empty", hint="exclude fewer, or select more")
    return tuple(name for name in graph.order if name in chosen)


def _union(graph: Graph, selectors: Iterable[str]) -> set[str]:
    return set[str]().union(*(_matches(graph, selector) for selector in selectors))


def _matches(graph: Graph, selector: str) -> set[str]:
    body = selector.removeprefix("+").removesuffix("+")
    # A shell completes the name of a folder with a slash.
    body = body.rstrip("/") or body
    found = {name for name, mart in graph.project.marts.items() if body in _handles(graph, mart)}
    found |= {name for name in graph.order if fnmatchcase(name, body)}
    if not found:
        known = {handle for m in graph.project.marts.values() for handle in _handles(graph, m)}
        raise UsageError(
            f"no mart matches {selector}",
            hint=did_you_mean(body, sorted(known)) or "`marts ls` lists the marts",
        )
    upstream = graph.upstream(*found) if selector.startswith("+") else set[str]()
    downstream = graph.downstream(*found) if selector.endswith("+") else set[str]()
    return found | upstream | downstream


def _handles(graph: Graph, mart: Mart) -> set[str]:
    """Return the words that select a mart: its name, its tags, its group and its folders."""
    folders = mart.module.removeprefix(f"{graph.project.package}.").split(".")[:-1]
    paths = {"/".join(folders[: depth + 1]) for depth in range(len(folders))}
    package = graph.project.package
    return (
        {mart.name}
        | {f"tag:{tag}" for tag in mart.tags}
        | (set() if mart.is_temporary else {f"group:{mart.group}"})
        | paths
        | {f"{package}/{path}" for path in paths}
    )
