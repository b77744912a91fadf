"""The twins of our marts, found as those of any project are: by the project's setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial

import pandas as pd
import pyarrow as pa

from marts.core.console.project_file import project_settings
from marts.core.project.proof_modules import for_proof
from marts.core.proof.references import Frames, calculate, references_of
from marts.core.proof.worlds import World
from support.engines import GRAPH
from support.paths import REPOSITORY

REFERENCES = references_of(GRAPH, for_proof(GRAPH.project, project_settings(start=REPOSITORY)))


def expected(mart_name: str, sources: Mapping[str, pa.Table], as_of: date) -> pa.Table:
    """Calculate what a mart must hold, with the twin's order of rows."""
    frames = Frames(World(sources, as_of), GRAPH.project.sources)
    return calculate(REFERENCES[mart_name], frames)


def as_returned(mart_name: str, sources: Mapping[str, pa.Table], as_of: date) -> pd.DataFrame:
    """Calculate the same, with the kinds of values that the twin returns, whatever the contract."""
    frames = Frames(World(sources, as_of), GRAPH.project.sources)
    twin = REFERENCES[mart_name].twin
    found: pd.DataFrame = twin(*(frames.of(name) for name in twin.inputs), as_of=as_of)
    return found


Twin = Callable[[Mapping[str, pa.Table], date], pa.Table]
TWINS: Mapping[str, Twin] = {name: partial(expected, name) for name in REFERENCES}
GRAINS: Mapping[str, tuple[str, ...]] = {
    name: reference.mart.grain for name, reference in REFERENCES.items()
}
