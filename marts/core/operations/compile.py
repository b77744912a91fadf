"""Compile marts to SQL, without a connection."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from marts.core.analysis.rules import Finding
from marts.core.operations import wiring
from marts.core.operations.wiring import Linked
from marts.core.plan.findings import findings_of
from marts.core.plan.planner import plan_run
from marts.core.plan.queries import compiled_examples
from marts.core.plan.state import declared_state
from marts.core.plan.steps import compiled
from marts.core.project.settings import Settings


@dataclass(frozen=True)
class Compilation:
    """What engines would compute differently, and the SQL of the selected marts."""

    as_of: datetime.date
    findings: tuple[Finding, ...]
    statements: Mapping[str, str]
    """One query by mart, in the order in which a run builds them."""

    @property
    def text(self) -> str:
        """The statements, each below a comment with its mart and date."""
        pairs = self.statements.items()
        return "\n".join(f"-- {mart}, as of {self.as_of}\n{sql};\n" for mart, sql in pairs)


def compilation(settings: Settings, *, project: Linked | None = None) -> Compilation:
    """Compile the selected marts for the engine that the settings name; connect to nothing.

    The example queries that read one of them are compiled, too, to see that they can be. The
    project is loaded unless it is given. Raises UsageError and DefinitionError.
    """
    from backends.factory import offline_compiler

    graph, selected, _ = wiring.selected(settings, project)
    engine = offline_compiler(
        settings, data=wiring.data_of(settings), sources=wiring.contracts_of(graph)
    )
    state = declared_state(graph.project, sources=engine.sources)
    as_of = wiring.as_of(settings, lambda: engine.data_as_of)
    plan = plan_run(graph, selected, state, as_of)
    findings = tuple(findings_of(graph.project, plan))
    statements = compiled(plan, engine.compile)
    compiled_examples(graph, as_of, engine.compile, reading=selected)
    return Compilation(as_of.day, findings, statements)
