"""What a proof has tried on each mart, and what did not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from marts.core.proof.comparison import Differences
from marts.core.proof.equivalent_mutants import MutationReport
from marts.core.proof.example_scores import ExampleScores
from marts.core.proof.worlds import World

Kind = Literal["query", "twin", "engines", "example", "invariant"]
"""An engine refuses the mart's query; a mart differs from its twin; engines differ from each other;
an example or an invariant does not hold."""


@dataclass(frozen=True)
class Failure:
    """Something that did not hold on a world.

    `sides` names the two answers of which `differences` has the rows, the first as `actual`;
    `expected` is the other one. `error` is what was said if there is no answer.
    """

    mart: str
    kind: Kind
    sides: tuple[str, str]
    world: World
    differences: Differences | None = None
    expected: pa.Table | None = None
    error: str | None = None

    @property
    def summary(self) -> str:
        """What failed, in a line without values."""
        one, other = self.sides
        if self.kind == "invariant":
            return f"{self.error} on {self.world.origin}"
        if self.error is not None:
            return f"{one} fails on {self.world.origin}: {self.error.partition(chr(10))[0]}"
        where = "" if other == self.world.origin else f" on {self.world.origin}"
        return f"{one} differs from {other}{where}"


@dataclass(frozen=True, kw_only=True)
class MartResult:
    """What was tried on one mart.

    `worlds` counts the data sets that were built; `engines` has, by its name, on how many of them
    an engine gave the rows of DuckDB, `cases` which optional sources were absent in some of them.
    `examples` and `invariants` count those that held, and `scores` says which mutants each example
    kills. `readers` are the marts with a twin whose worlds ran through this one. `mutants` is None
    if none were planted.
    """

    mart: str
    worlds: int
    engines: Mapping[str, int]
    cases: tuple[str, ...] = ()
    has_twin: bool = False
    examples: int = 0
    examples_tried: int = 0
    scores: ExampleScores | None = None
    invariants: int = 0
    readers: tuple[str, ...] = ()
    mutants: MutationReport | None = None
    failures: tuple[Failure, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Whether every world is compared with a twin, its own or that of marts that read it."""
        return self.has_twin or bool(self.readers)

    @property
    def has_failed(self) -> bool:
        """Whether anything did not hold, or an entry of the list of allowed mutants is stale.

        A mutant that survives is not a failure: the mart is then proven less.
        """
        return bool(self.failures or (self.mutants and self.mutants.stale))
