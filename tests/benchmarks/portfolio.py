"""Measure the marts against hand-written SQL and a scan for each mart; print Markdown.

`uv run python tests/benchmarks/portfolio.py`: a load of 50,000 customers and 13.5 million
transactions is generated once and kept. Every rival is a cold process that builds the same five
tables, which are compared with the marts'. They take turns, so that a slow minute of the machine
hits all of them; figures are medians.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TypeVar

T = TypeVar("T")
TESTS = Path(__file__).parent.parent
sys.path[0] = str(TESTS)  # as pytest has it, instead of this file's folder

from benchmarks.processes import Cost, cost_of, typical
from benchmarks.rivals import (
    AGAIN,
    FOUR_SCANS,
    HAND_WRITTEN,
    PROGRAM,
    RUN,
    TEST,
    UNCHECKED,
    Load,
    command_of,
    compete,
    read_run,
    typical_run,
)


def main() -> None:
    """Measure what was asked for, and print it."""
    options = _options()
    options.dir.mkdir(parents=True, exist_ok=True)
    load = Load(options.dir.resolve(), options.customers, options.transactions)
    load.generate()
    if options.ten_times:
        lines = _ten_times(load, options.rounds, options.memory_limit)
    else:
        lines = (_frameworks if options.frameworks else _all)(load, options.rounds)
    print(_machine(), end="\n\n")
    for line in lines:
        print(line, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    number = partial(parser.add_argument, metavar="N", type=int)
    number("--customers", default=50_000)
    number("--transactions", default=13_500_000)
    number("--rounds", default=5, help="turns that each rival takes  [default: 5]")
    parser.add_argument(
        "--dir", type=Path, default=Path("target/benchmark"), help="[default: target/benchmark]"
    )
    parser.add_argument(
        "--ten-times", action="store_true", help="measure a run on ten times the load instead"
    )
    parser.add_argument(
        "--frameworks", action="store_true", help="measure dbt and SQLMesh instead; installs them"
    )
    parser.add_argument("--memory-limit", default="4GB", help="of that run  [default: 4GB]")
    return parser.parse_args()


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    engines = {"DuckDB": "duckdb", "Ibis": "ibis-framework"}
    versions = ", ".join(f"{name} {version(package)}" for name, package in engines.items())
    return (
        f"{datetime.datetime.now(datetime.UTC).date()}; {os.cpu_count()} cores"
        f" ({platform.machine()}), {memory:.0f} GiB, load average {os.getloadavg()[0]:.1f};"
        f" Python {platform.python_version()}, {versions}."
    )


def _all(load: Load, rounds: int) -> Iterator[str]:
    """Yield the comparison, what reading takes, what commands take, and the same on a tenth."""
    yield from _comparison(load, (RUN, UNCHECKED, TEST, HAND_WRITTEN, FOUR_SCANS), rounds=rounds)
    yield from _readings(load)
    yield from _commands(load, rounds)
    yield _next_day(load, rounds)
    tenth = load.times(0.1)
    tenth.generate()
    yield ""
    yield from _comparison(tenth, (RUN, HAND_WRITTEN), rounds=1)


def _comparison(load: Load, rivals: Collection[str], *, rounds: int) -> Iterator[str]:
    taken, runs = compete(load, rivals, rounds=rounds)
    costs = {rival: typical(each) for rival, each in taken.items()}
    yield from _table(load, costs, to=HAND_WRITTEN)
    run = typical_run(runs)
    share = run.check_seconds / run.seconds
    yield f"- The run alone {run.seconds:.2f} s, of which checks {share:.0%}."
    if UNCHECKED in taken:
        pairs = zip(taken[RUN], taken[UNCHECKED], strict=True)
        ratio = median(checked.wall / unchecked.wall for checked, unchecked in pairs)
        yield f"- With the checks of the sources it takes {ratio:.2f} times as long as without."
    yield from _verdicts(load, rivals)


def _frameworks(load: Load, rounds: int) -> Iterator[str]:
    """Yield the comparison with dbt and SQLMesh, in full and in short."""
    from benchmarks.frameworks import FEWER, NAMES, WHOLE, checks_made, prepare

    prepare(load)
    again = [rival + AGAIN for rival in WHOLE]
    taken, runs = compete(load, (*WHOLE, *FEWER, HAND_WRITTEN, *again), rounds=rounds)
    costs = {rival: typical(each) for rival, each in taken.items()}
    checks = dict.fromkeys(costs, 0)
    for rival in (*WHOLE[1:], *FEWER[1:]):
        checks[rival] = checks_made(rival, load)
    checks[RUN] = typical_run(runs).checks
    checks[UNCHECKED] = read_run(load.folder_of(UNCHECKED)).checks
    yield from _table(load, costs, to=RUN, checks=checks)
    yield from _verdicts(load, (*WHOLE[1:], *FEWER[1:], HAND_WRITTEN))
    yield ""
    yield f"| | {' | '.join((*NAMES, HAND_WRITTEN))} |"
    yield "|---|---|---|---|---|"
    for what, row, other in (
        ("sources and marts checked", WHOLE, ""),
        ("only marts checked", FEWER, f"{costs[HAND_WRITTEN].wall:.1f} s, unchecked"),
        ("nothing to do", again, ""),
    ):
        cells = (what, *_to_first([costs[rival].wall for rival in row]), other)
        yield f"| {' | '.join(cells)} |"
    all_of = [costs[rival] for rival in (*WHOLE, HAND_WRITTEN)]
    yield f"| CPU time, all checked | {' | '.join(f'{cost.cpu:.1f} s' for cost in all_of)} |"
    yield f"| peak memory | {' | '.join(f'{cost.peak_mb:.0f} MB' for cost in all_of)} |"
    yield f"| checks | {' | '.join(str(checks[rival]) for rival in (*WHOLE, HAND_WRITTEN))} |"


def _to_first(seconds: Sequence[float]) -> Iterator[str]:
    """Yield seconds with their ratio to the first."""
    yield f"{seconds[0]:.1f} s"
    for other in seconds[1:]:
        yield f"{other:.1f} s ({other / seconds[0]:.1f})"


def _verdicts(load: Load, rivals: Collection[str]) -> Iterator[str]:
    for rival in rivals:
        if rival not in (RUN, UNCHECKED, TEST):
            wrong = _apart(_disagreements, load.database(RUN), load.database(rival))
            void = f"other tables, so that the comparison is void: {'; '.join(wrong)}"
            yield f"- {rival}: {void if wrong else 'the same five tables as the marts'}."


def _disagreements(marts: Path, rival: Path) -> list[str]:
    from benchmarks.agreement import disagreements

    return disagreements(marts, rival)


def _apart(work: Callable[..., T], *args: object, **options: object) -> T:
    """Return what a function returns in a process of its own.

    The peak of a process counts what its parent had when it was started.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as apart:
        return apart.submit(work, *args, **options).result()


def _table(
    load: Load, costs: Mapping[str, Cost], *, to: str, checks: Mapping[str, int] | None = None
) -> Iterator[str]:
    yield f"{load.customers:,} customers, {load.transactions:,} transactions:"
    yield ""
    yield f"| | wall | to {to} | CPU | peak memory |{' checks |' if checks else ''}"
    yield f"|---|---|---|---|---|{'---|' if checks else ''}"
    for rival, cost in costs.items():
        cells = (
            *(rival, f"{cost.wall:.2f} s", f"{cost.wall / costs[to].wall:.2f}"),
            *(f"{cost.cpu:.2f} s", f"{cost.peak_mb:.0f} MB"),
            *([f"{checks.get(rival, 0)}"] if checks else []),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _readings(load: Load) -> Iterator[str]:
    from benchmarks.reading import scans_of_facts, seconds_to_read

    scans = scans_of_facts(load.target / "run_results.json")
    where = ", ".join(f"{name} {count}" for name, count in scans.items())
    yield f"- fct_transactions is read {sum(scans.values())} times by what builds marts: {where}."
    for what, seconds in seconds_to_read(load.database(RUN)).items():
        yield f"- Reading {what}: {seconds * 1000:.1f} ms."


def _commands(load: Load, rounds: int) -> Iterator[str]:
    """Yield what small commands take; on the bundled data, a run, and one with nothing to do."""
    folder = load.folder / "bundled"
    folder.mkdir(exist_ok=True)
    for words in (["--help"], ["ls"], ["run", "--force"], ["run"]):
        cost = typical(cost_of([PROGRAM, *words], cwd=folder) for _ in range(rounds))
        data = " on the bundled data" if words[0] == "run" else ""
        yield f"- `marts {' '.join(words)}`{data}: {cost.wall:.2f} s, CPU {cost.cpu:.2f} s."


def _next_day(load: Load, rounds: int) -> str:
    """Say what an incremental run would take at least."""
    from benchmarks.next_day import measure

    run = typical(compete(load, [RUN], rounds=rounds)[0][RUN]).wall
    published = (load.database(RUN), load.target / "run_results.json")
    day = _apart(measure, *published, rounds=rounds)
    least = run - day.of_all + day.of_touched
    return (
        f"- The last day has transactions of {day.customers:,} customers, who have"
        f" {day.share_of_rows:.0%} of all. The tables made from transactions take"
        f" {day.of_all:.2f} s, for these customers alone {day.of_touched:.2f} s: a run that makes"
        f" no others anew takes at least {least:.2f} s, {least / run:.0%} of a run ({run:.2f} s)."
    )


def _ten_times(load: Load, rounds: int, memory_limit: str) -> Iterator[str]:
    """Yield what a run on ten times the load takes, to one on the load; its data are removed."""
    ten = load.times(10)
    ten.generate()
    once, _ = compete(load, [RUN], rounds=rounds)
    costs = {f"{RUN} on a tenth of it": typical(once[RUN])}
    try:
        limited = [*command_of(RUN, ten), "--memory-limit", memory_limit]
        costs[f"{RUN} --memory-limit {memory_limit}"] = cost_of(limited, cwd=ten.folder)
    finally:
        shutil.rmtree(ten.fixtures)
        ten.database(RUN).unlink(missing_ok=True)
    yield from _table(ten, costs, to=f"{RUN} on a tenth of it")


if __name__ == "__main__":
    main()
