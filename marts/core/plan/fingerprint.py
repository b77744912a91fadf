"""Fingerprints: what marts were made from, and what they would be made from now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import asdict, dataclass, replace

from marts.core.analysis.lineage import signature
from marts.core.authoring.checks import is_fused
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, checks_of, column_comments
from marts.core.plan.proofs import Stamp
from marts.core.plan.queries import Compile, Queries, fused_checks
from marts.core.plan.state import Elsewhere, EngineState
from marts.core.project.graph import Graph


@dataclass(frozen=True)
class Fingerprint:
    """What a mart was made from: a digest of its SQL, versions of sources, runs of marts.

    A mart's inputs include those of the temporary marts that it reads. `is_unchecked` says that
    its sources were not checked.
    """

    sql: str
    sources: Mapping[str, str]
    marts: Mapping[str, str]
    is_unchecked: bool = False

    def to_text(self) -> str:
        """Return the fingerprint as text, which the state table stores."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> Fingerprint | None:
        """Return the fingerprint of a text, None if another version of marts wrote it."""
        try:
            return cls(**json.loads(text or ""))
        except (ValueError, TypeError):
            return None


class CurrentInputs:
    """What a run would make marts from now: the project, the sources and the date.

    `compile_` compiles a query for the engine. If `checks_sources` is true, a mart that was made
    from unchecked sources is not up to date. One that the run `run_id` has published was made from
    the sources as they are read now, even if the engine does not know their versions. `stamp`
    returns what is to be recorded of a mart's proof, if proofs are asked for.
    """

    def __init__(
        self,
        graph: Graph,
        state: EngineState,
        as_of: FixedAsOf,
        compile_: Compile,
        *,
        checks_sources: bool = True,
        run_id: str | None = None,
        stamp: Callable[[str], Stamp] | None = None,
    ) -> None:
        self.graph = graph
        self.state = state
        self.as_of = as_of
        self.checks_sources = checks_sources
        self.run_id = run_id
        self._stamp = stamp
        self.queries = Queries(graph.project, state, as_of, compile_)
        self._digests: dict[str, str] = {}

    def within(self, graph: Graph, state: EngineState) -> CurrentInputs:
        """Return the same for another group of the run; the state has the same sources.

        Queries are shared, so that none is compiled for each group.
        """
        other = copy(self)
        other.graph, other.state = graph, state
        return other

    def elsewhere(self) -> CurrentInputs:
        """Return the same, but with what the other environment has published."""
        there = self.state.elsewhere or Elsewhere("", "")
        found = copy(self)
        found.state = replace(
            self.state, published=there.published, recorded=there.recorded, elsewhere=None
        )
        return found

    def defer(self, name: str) -> None:
        """Read a mart where the other environment has published it."""
        self.state = self.state.deferring(name)

    def proofs_of(self, names: Iterable[str]) -> dict[str, Stamp]:
        """Return what is to be recorded of the proofs of published marts; nothing if not asked."""
        marts = self.graph.project.marts
        wanted = (name for name in names if not marts[name].is_temporary)
        return {name: self._stamp(name) for name in wanted} if self._stamp else {}

    def fingerprint(self, name: str, runs: Mapping[str, str]) -> Fingerprint:
        """Return the fingerprint of a mart; `runs` has the runs that made the marts it reads."""
        graph, state = self.graph, self.state
        versions = {each: state.source_version(each) for each in graph.sources_behind(name)}
        return Fingerprint(
            self.digest(name),
            {source: version for source, version in versions.items() if version is not None},
            {mart: runs[mart] for mart in graph.marts_behind(name) if mart in runs},
            is_unchecked=not self.checks_sources,
        )

    def digest(self, name: str) -> str:
        """Return a digest of everything that defines a mart's rows and its checks.

        This is its SQL, its comments, its checks, how its sources are read, and the digests of the
        temporary marts that it reads.
        """
        if name not in self._digests:
            parts = "\n".join(sorted(self._parts(self.graph.project.marts[name])))
            self._digests[name] = hashlib.sha256(parts.encode()).hexdigest()
        return self._digests[name]

    def _parts(self, mart: Mart) -> Iterator[str]:
        project, queries = self.graph.project, self.queries
        yield json.dumps([mart.materialized, mart.comment, column_comments(mart)])
        if compiled := queries.compiled(mart):
            with naming(f"mart {mart.name}", mart.location):
                yield compiled.sql
        # Expressions suffice for checks: their SQL does not change a published number.
        if fused_checks(mart):
            with naming(f"a check of {mart.name}", mart.location):
                yield signature(queries.fused(mart).op())
        for check in checks_of(mart):
            yield f"{check.name} {check.severity} {check.threshold}"
            if not is_fused(check):
                with naming(f"check {check.name} of {mart.name}", mart.location):
                    yield signature(queries.of_check(mart, check).op())
        for each in {*mart.inputs, *self.graph.read_by_checks[mart.name]}:
            if each in project.sources:
                # The text of a column does not change how it is read.
                columns = (replace(column, doc="") for column in project.sources[each].columns)
                yield f"{each} {project.sources[each].source_name} {tuple(columns)}"
            elif project.marts[each].is_temporary:
                yield self.digest(each)
