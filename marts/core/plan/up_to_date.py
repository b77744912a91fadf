"""Which marts are up to date, here or in another environment, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from marts.core.plan.fingerprint import CurrentInputs, Fingerprint
from marts.core.plan.state import EngineState


def reasons_of(current: CurrentInputs, name: str, rebuilt: Collection[str]) -> Iterator[str]:
    """Yield why a mart is not up to date; `rebuilt` are others that are not up to date."""
    state, recorded = current.state, current.state.recorded.get(name)
    if name in state.deferred:
        return
    if name not in state.published or (recorded and recorded.as_of is None):
        yield "not published"
        return
    fingerprint = Fingerprint.from_text(recorded.origin) if recorded else None
    if recorded is None or fingerprint is None:
        yield "not known what it was made from"
        return
    if recorded.group != current.graph.project.marts[name].group:
        yield f"in group {recorded.group} before"
    if recorded.as_of != current.as_of.day:
        yield f"as of {recorded.as_of} before"
    if recorded.version != state.published[name].version:
        yield "altered since it was published"
    if fingerprint.is_unchecked and current.checks_sources:
        yield "its sources were not checked"
    if recorded.run_id != current.run_id:
        yield from _changed_inputs(current, name, fingerprint, rebuilt)
    if not current.is_made_by(fingerprint, name):
        yield "code changed"


def reason_of_proof(current: CurrentInputs, name: str) -> str | None:
    """Return why a mart that is up to date is built nevertheless: it does not carry its proof."""
    for stamp in current.proofs_of([name]).values():
        if not stamp.is_on(current.state.recorded[name].proof):
            return "published without its proof"
    return None


def _changed_inputs(
    current: CurrentInputs, name: str, fingerprint: Fingerprint, rebuilt: Collection[str]
) -> Iterator[str]:
    state = current.state
    for source in current.graph.sources_behind(name):
        version = state.source_version(source)
        if version is None or fingerprint.sources.get(source) != version:
            yield f"source {source} changed"
    for mart in current.graph.marts_behind(name):
        run_id = state.recorded[mart].run_id if mart in state.recorded else None
        if mart in rebuilt or fingerprint.marts.get(mart) != run_id:
            yield f"{mart} changed"


def outdated_among(
    current: CurrentInputs, names: Iterable[str], building: Collection[str]
) -> dict[str, str]:
    """Return the published marts among `names` that are not up to date, with the reason."""
    graph = current.graph
    upstream = {*names, *graph.upstream(*names)}
    rebuilt, found = {*building}, dict[str, str]()
    for name in graph.order:
        if name in building or name not in upstream or graph.project.marts[name].is_temporary:
            continue
        reason = next(reasons_of(current, name, rebuilt), None)
        if reason:
            rebuilt.add(name)
            if name in names:
                found[name] = reason
    return found


def deferred_for_checks(current: CurrentInputs, selected: Collection[str]) -> EngineState:
    """Return the state in which checks of published marts read others in the other environment.

    Only those are read there that are not published here, and are up to date there.
    """
    there = outdated_elsewhere(current, selected)
    if current.state.elsewhere:
        for name in sorted(current.graph.related(selected) - {*selected, *there}):
            is_temporary = current.graph.project.marts[name].is_temporary
            if name not in current.state.published and not is_temporary:
                current.defer(name)
    return current.state


def outdated_elsewhere(current: CurrentInputs, selected: Collection[str]) -> dict[str, str]:
    """Return the marts that are not up to date in the other environment, each with the reason."""
    if current.state.elsewhere is None:
        return {}
    graph, there = current.graph, current.elsewhere()
    related, found = graph.related(selected), dict[str, str]()
    for name in graph.order:
        if name in related and not graph.project.marts[name].is_temporary:
            reason = next(reasons_of(there, name, found), None)
            found |= {name: reason} if reason else {}
    return found
