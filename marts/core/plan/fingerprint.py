"""Fingerprints: what marts were made from, and what they would be made from now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import asdict, dataclass, replace

import ibis.expr.operations as ops

from marts.core.analysis.lineage import signature
from marts.core.authoring.checks import is_fused
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, checks_of, column_comments
from marts.core.plan.expressions import expression_digest
from marts.core.plan.proofs import Stamp
from marts.core.plan.queries import NONE_KNOWN, Compile, Queries, fused_checks
from marts.core.plan.state import Elsewhere, EngineState
from marts.core.project.graph import Graph


@dataclass(frozen=True)
class Fingerprint:
    """What a mart was made from: a digest of its SQL, versions of sources, runs of marts.

    A mart's inputs include those of the temporary marts that it reads. `is_unchecked` says that
    its sources were not checked. `expression` is a digest of the expressions from which the SQL was
    compiled, and of the code that compiled it; it is empty if they have none.
    """

    sql: str
    sources: Mapping[str, str]
    marts: Mapping[str, str]
    is_unchecked: bool = False
    expression: str = ""

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
    returns what is to be recorded of a mart's proof, if proofs are asked for. `toolchain` is a
    digest of the code that compiles; without it, every mart is compiled. `known` are queries that
    were made before (see `Queries`).
    """

    def __init__(  # noqa: PLR0913  (what is known when a run is planned)
        self,
        graph: Graph,
        state: EngineState,
        as_of: FixedAsOf,
        compile_: Compile,
        *,
        checks_sources: bool = True,
        run_id: str | None = None,
        stamp: Callable[[str], Stamp] | None = None,
        toolchain: str | None = None,
        known: Mapping[str, ops.Relation] = NONE_KNOWN,
    ) -> None:
        self.graph = graph
        self.state = state
        self.as_of = as_of
        self.checks_sources = checks_sources
        self.run_id = run_id
        self._stamp = stamp
        self._toolchain = toolchain
        self.queries = Queries(graph.project, state, as_of, compile_, known)
        self._digests: dict[str, str] = {}
        self._expressions: dict[str, str | None] = {}

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
            expression=self.expression(name) or "",
        )

    def is_made_by(self, fingerprint: Fingerprint, name: str) -> bool:
        """Tell whether a mart was made by the SQL, and has had the checks, that it has now.

        Equal expressions are compiled to equal SQL by the same code, so they are not compiled.
        """
        known = self.expression(name)
        is_known = known is not None and fingerprint.expression == known
        return is_known or fingerprint.sql == self.digest(name)

    def expression(self, name: str) -> str | None:
        """Return a digest like `digest`, of expressions and the code that compiles them.

        None if one of the expressions may be compiled differently although it looks the same.
        """
        if name not in self._expressions:
            found = self._toolchain and self._digest_of_expressions(name)
            self._expressions[name] = found or None
        return self._expressions[name]

    def _digest_of_expressions(self, name: str) -> str | None:
        mart = self.graph.project.marts[name]
        with naming(f"mart {name}", mart.location):
            query = expression_digest(self.queries.of(mart).op())
        temporary = {each: self.expression(each) for each in self._temporaries_of(mart)}
        if query is None or None in temporary.values():
            return None
        return _digest(
            [str(self._toolchain), query, *self._declared(mart), *map(str, temporary.values())]
        )

    def digest(self, name: str) -> str:
        """Return a digest of everything that defines a mart's rows and its checks.

        This is its SQL, its comments, its checks, how its sources are read, and the digests of the
        temporary marts that it reads.
        """
        if name not in self._digests:
            mart = self.graph.project.marts[name]
            compiled = self.queries.compiled(mart)
            with naming(f"mart {name}", mart.location):
                sql = [compiled.sql] if compiled else []
            self._digests[name] = _digest(
                [
                    *sql,
                    *self._declared(mart),
                    *map(self.digest, self._temporaries_of(mart)),
                ]
            )
        return self._digests[name]

    def _temporaries_of(self, mart: Mart) -> list[str]:
        """Return the temporary marts that a mart and its checks read."""
        marts = self.graph.project.marts
        read = {*mart.inputs, *self.graph.read_by_checks[mart.name]} & marts.keys()
        return sorted(name for name in read if marts[name].is_temporary)

    def _declared(self, mart: Mart) -> Iterator[str]:
        """Yield what else defines a mart: its comments, its checks, how its sources are read."""
        sources, queries = self.graph.project.sources, self.queries
        yield json.dumps([mart.materialized, mart.comment, column_comments(mart)])
        # Expressions suffice for checks: their SQL does not change a published number.
        if fused_checks(mart):
            with naming(f"a check of {mart.name}", mart.location):
                yield signature(queries.fused(mart).op())
        for check in checks_of(mart):
            yield f"{check.name} {check.severity} {check.threshold}"
            if not is_fused(check):
                with naming(f"check {check.name} of {mart.name}", mart.location):
                    yield signature(queries.of_check(mart, check).op())
        for each in {*mart.inputs, *self.graph.read_by_checks[mart.name]} & sources.keys():
            # The text of a column does not change how it is read.
            columns = (replace(column, doc="") for column in sources[each].columns)
            yield f"{each} {sources[each].source_name} {tuple(columns)}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
