"""Try marts on worlds: what their SQL computes, on two engines, against references.

Of each mart and kind of failure, the first one is kept, on the smallest world that shows it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from marts.core.authoring.invariants import Invariant
from marts.core.errors import EngineError, MartsError
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.canonical import case_of, optional_behind
from marts.core.proof.comparison import AnyTable, Differences, compared_rows
from marts.core.proof.examples import Example, ExampleResult, run_examples
from marts.core.proof.responses import Response, Responses
from marts.core.proof.results import Failure, Kind
from marts.core.proof.worlds import World
from marts.core.query.invariant_checks import concerns

Twins = Mapping[str, Callable[[World], AnyTable]]
"""What calculates a mart a second time, by the mart's name."""
Keys = Sequence[Sequence[object]]
"""Values of a mart's grain."""


class Smallest(Protocol):
    """What makes a world smaller."""

    def __call__(
        self, world: World, differs: Callable[[World], bool], /, *, mart: str, keys: Keys
    ) -> World:
        """Return the smallest world on which `differs` holds, about rows of a mart, some known."""


def as_it_is(world: World, differs: object, *, mart: str, keys: Keys) -> World:  # noqa: ARG001
    """Return a world as it is, in a hurry."""
    return world


@dataclass(frozen=True)
class Answer:
    """Somebody's rows of a mart, for any world."""

    name: str
    of: Callable[[World], AnyTable]


class Prover:
    """Tries marts on one world after another; DuckDB comes first, `others` are compared with it."""

    def __init__(
        self,
        graph: Graph,
        selected: Collection[str],
        twins: Twins,
        duckdb: WorldBuilder,
        others: Sequence[WorldBuilder] = (),
        *,
        smallest: Smallest = as_it_is,
    ) -> None:
        self.graph = graph
        self.selected = tuple(selected)
        self.twins = {name: twin for name, twin in twins.items() if name in self.selected}
        self.duckdb = duckdb
        self.others = tuple(others)
        self.smallest = smallest
        self.worlds: Counter[str] = Counter()
        """The number of worlds on which each mart was built."""
        self.agreed: dict[str, Counter[str]] = defaultdict(Counter)
        """By mart, the number of worlds on which each engine gave DuckDB's rows."""
        self.cases: dict[str, set[str]] = defaultdict(set)
        """By mart, which optional sources were absent in some world with rows."""
        self.held: dict[str, set[str]] = defaultdict(set)
        """By mart, the invariants that held on some world."""
        self.failures: dict[tuple[str, Kind], Failure] = {}
        self._responses = Responses(duckdb)

    def try_world(self, world: World, *, on_others: bool) -> None:
        """Compare the marts of a world with their twins, and with the other engines' if wanted."""
        here = self._built(self.duckdb, world)
        for name, table in here.items():
            self.worlds[name] += 1
            self.agreed[name][self.duckdb.engine.name] += 1
            if name in self.twins:
                self._compare_with_twin(name, world, table)
        for other in self.others if on_others else ():
            there = self._built(other, world)
            for name in here.keys() & there.keys():
                answer = _answer_of(other, name)
                if self._compare(name, "engines", world, here[name], there[name], answer):
                    self.agreed[name][answer.name] += 1
                    if world.rows:
                        self.cases[name].add(case_of(self.graph, name, world.tables))

    def _compare_with_twin(self, name: str, world: World, table: AnyTable) -> None:
        """Compare a mart with its twin; a twin that fails is shown on the smallest world, too."""
        if (name, "twin") in self.failures:
            return
        twin = Answer("twin", self.twins[name])
        try:
            expected = twin.of(world)
        except MartsError:
            found = self.smallest(world, partial(_fails, twin), mart=name, keys=())
            error = _error_of(twin, found)
            self._remember(Failure(name, "twin", (twin.name, ""), found, error=error))
        else:
            self._compare(name, "twin", world, table, expected, twin)

    def differs_from_twin(self, name: str, world: World) -> bool:
        """Tell whether a mart of a world is another than its twin says."""
        return self._differs(name, Answer("twin", self.twins[name]), world)

    def _differs(self, name: str, answer: Answer, world: World) -> bool:
        """Tell whether a mart is another than an answer; not where either fails."""
        try:
            return bool(self._differences(name, world, answer.of(world)))
        except MartsError:
            return False

    def _differences(self, name: str, world: World, expected: AnyTable) -> Differences:
        built = self.duckdb.build(world, [name]).tables[name]
        return compared_rows(self.graph.project.marts[name], built, expected)

    def try_invariants(self, world: World, *, is_over: Callable[[], bool] = lambda: False) -> None:
        """Check how the marts of a world respond to changes of its sources, until time is over.

        An invariant that multiplies the greatest amounts of a world may not fit into their type: it
        is left to other worlds.
        """
        marts = self.graph.project.marts
        for invariant in self.graph.project.invariants.values():
            concerned = [
                name
                for name in self.selected
                if concerns(invariant, marts[name], self.graph)
                and is_tried(world, name, self.graph)
                and (name, "query") not in self.failures
            ]
            if is_over():
                return
            responses = list[Response]()
            try:
                for response in self._responses.to(invariant, concerned, world):
                    responses.append(response)
                    if is_over():
                        break
            except EngineError:
                continue
            for response in responses:
                self._take(invariant, response, world)

    def _take(self, invariant: Invariant, response: Response, world: World) -> None:
        """Count a response, or remember the smallest world on which it is wrong."""
        name = response.mart
        if not response.wrong:
            self.held[name].add(invariant.name)
            return
        if (name, "invariant") in self.failures:
            return

        def is_wrong(smaller: World) -> bool:
            try:
                (found,) = self._responses.to(invariant, [name], smaller)
            except MartsError:
                return False
            return found.wrong > 0

        found = self.smallest(world, is_wrong, mart=name, keys=response.keys)
        error = f"the invariant {invariant.name} does not hold"
        self._remember(Failure(name, "invariant", (name, ""), found, error=error))

    def try_examples(self, examples: Iterable[Example]) -> list[ExampleResult]:
        """Compare marts with what examples expect of them, and return the results."""
        results = []
        for result in run_examples(self.duckdb, examples):
            results.append(result)
            if not result.holds:
                self._remember(_failure_of(result, self.duckdb.engine.name))
        return results

    def _built(self, builder: WorldBuilder, world: World) -> Mapping[str, AnyTable]:
        """Build the marts; remember those that the engine refuses, and leave them out."""
        concerned = (name for name in self.selected if is_tried(world, name, self.graph))
        wanted = [name for name in concerned if (name, "query") not in self.failures]
        try:
            return builder.build(world, wanted).tables
        except EngineError:
            return {name: table for name in wanted for table in self._alone(builder, world, name)}

    def _alone(self, builder: WorldBuilder, world: World, name: str) -> Iterator[AnyTable]:
        """Yield a mart, or remember why the engine refuses it; not if it refuses what it reads."""
        if any((each, "query") in self.failures for each in self.graph.upstream(name)):
            return
        try:
            yield builder.build(world, [name]).tables[name]
        except EngineError as error:
            refused = _answer_of(builder, name)
            found = self.smallest(world, partial(_fails, refused), mart=name, keys=())
            text = str(error)
            self._remember(Failure(name, "query", (refused.name, ""), found, error=text))

    def _compare(
        self,
        name: str,
        kind: Kind,
        world: World,
        actual: AnyTable,
        expected: AnyTable,
        answer: Answer,
    ) -> bool:
        """Tell whether a mart equals another answer; remember the smallest world that differs."""
        if (name, kind) in self.failures:
            return False
        mart = self.graph.project.marts[name]
        first = compared_rows(mart, actual, expected)
        if not first:
            return True
        found = self.smallest(
            world,
            partial(self._differs, name, answer),
            mart=name,
            keys=first.keys if first.grain == mart.grain else (),
        )
        expected = answer.of(found)
        shown = self._differences(name, found, expected)
        sides = self.duckdb.engine.name, answer.name
        self._remember(Failure(name, kind, sides, found, shown, expected))
        return False

    def _remember(self, failure: Failure) -> None:
        self.failures.setdefault((failure.mart, failure.kind), failure)


def is_tried(world: World, name: str, graph: Graph) -> bool:
    """Tell whether a mart is not the same in the world from which sources were left out."""
    return not world.without or bool(world.without & optional_behind(graph, name))


def _failure_of(result: ExampleResult, engine: str) -> Failure:
    example = result.example
    return Failure(
        example.mart.name,
        "example",
        (engine, f"example {example.name}"),
        example.world,
        result.differences,
        example.expected,
        error=None if result.error is None else str(result.error),
    )


def _answer_of(builder: WorldBuilder, name: str) -> Answer:
    return Answer(builder.engine.name, lambda world: builder.build(world, [name]).tables[name])


def _error_of(answer: Answer, world: World) -> str | None:
    """Return why there is no answer, None if there is one."""
    try:
        answer.of(world)
    except MartsError as error:
        return str(error)
    return None


def _fails(answer: Answer, world: World) -> bool:
    return _error_of(answer, world) is not None
