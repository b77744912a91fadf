"""What is wrong with an example query, given all declarations."""

from __future__ import annotations

from marts.core.authoring.queries import ExampleQuery
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.project.loading import RESERVED, Declarations


def refuse_example_flaws(query: ExampleQuery, project: Declarations) -> None:
    """Raise DefinitionError for a name that is taken, and for what readers do not find published.

    They find neither sources nor temporary marts, and nothing may rely on intermediate ones.
    """
    what = f"example query {query.name}"
    if query.name in project.sources or query.name in project.marts or query.name in RESERVED:
        kind = "a source" if query.name in project.sources else "a mart"
        raise DefinitionError(
            f"{query.name} is both an example query and {RESERVED.get(query.name, kind)}",
            query.location,
            hint="rename the function, for example to what it lists",
        )
    published = [
        name
        for name, mart in project.marts.items()
        if not mart.is_temporary and not mart.is_intermediate
    ]
    for name in query.inputs:
        if name in published:
            continue
        if name in project.sources:
            why = "a source: example queries read published marts"
        elif name not in project.marts:
            why = "not a mart"
        elif project.marts[name].is_temporary:
            why = "a temporary mart, which is gone when readers come"
        else:
            why = "an intermediate mart, on which nothing outside may rely"
        raise DefinitionError(
            f"{what} reads {name}, which is {why}",
            query.location,
            hint=did_you_mean(name, published) or f"published: {', '.join(published)}",
        )
