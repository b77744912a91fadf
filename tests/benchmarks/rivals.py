"""Who builds the five tables, each as a cold process: the marts, and whom they are measured by."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.processes import Cost, cost_of

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("marts")

RUN, TEST = "`marts run`", "`marts test`"
UNCHECKED = "`marts run --no-source-checks`"
HAND_WRITTEN, FOUR_SCANS = "hand-written SQL", "a scan for each mart"
DBT, SQLMESH = "`dbt build`", "`sqlmesh plan`"
NO_SOURCES, AGAIN = ", sources unchecked", ", nothing to do"


@dataclass(frozen=True)
class Load:
    """A generated star schema in a folder, and beside it what is built from it."""

    folder: Path
    customers: int
    transactions: int

    @property
    def fixtures(self) -> Path:
        """Where its Parquet files are."""
        return self.folder / f"load-{self.customers}-{self.transactions}"

    @property
    def target(self) -> Path:
        """Where `marts run` leaves its results."""
        return self.folder / f"target-{self.customers}-{self.transactions}"

    def database(self, rival: str) -> Path:
        """Return the file in which a rival builds."""
        return self.folder_of(base_of(rival)).with_suffix(".duckdb")

    def folder_of(self, rival: str) -> Path:
        """Return the folder of its other files; its name is one of SQL, too."""
        stem = "".join(letter for letter in rival.lower() if letter.isalpha())
        return self.folder / f"{stem}_{self.customers}_{self.transactions}"

    def times(self, factor: float) -> Load:
        """Return a load of another size."""
        return Load(self.folder, *(round(n * factor) for n in (self.customers, self.transactions)))

    def generate(self) -> None:
        """Write the Parquet files, unless they are there."""
        if not (self.fixtures / "dataset.json").exists():
            sizes = ("--customers", self.customers, "--transactions", self.transactions)
            cost_of([PROGRAM, "generate", self.fixtures, *sizes], cwd=self.folder)


@dataclass(frozen=True)
class Run:
    """What `run_results.json` says of a run: its seconds, and those of them that checks took."""

    seconds: float
    check_seconds: float
    checks: int


def base_of(rival: str) -> str:
    """Return whose database a rival finds, if it does not build one of its own."""
    return rival.removesuffix(AGAIN)


def command_of(rival: str, load: Load) -> Sequence[object]:
    """Return the command by which a rival builds its database, or checks the marts'."""
    marts = ("--data", load.fixtures, "--database", load.database(RUN), "--target")
    by_sql = (sys.executable, HERE / "run_sql.py")
    made = (load.fixtures, load.database(rival))
    if rival.startswith((DBT, SQLMESH)):
        from benchmarks import frameworks

        return frameworks.command_of(rival, load)
    return {
        RUN: (PROGRAM, "run", *marts, load.target),
        RUN + AGAIN: (PROGRAM, "run", *marts, load.target),
        TEST: (PROGRAM, "test", *marts, load.folder / "checks"),
        UNCHECKED: (
            *(PROGRAM, "run", "--no-source-checks", "--data", load.fixtures),
            *("--database", load.database(UNCHECKED), "--target", load.folder_of(UNCHECKED)),
        ),
        HAND_WRITTEN: (*by_sql, HERE / "hand_written.sql", *made),
        FOUR_SCANS: (*by_sql, HERE / "four_scans.sql", *made),
    }[rival]


def compete(
    load: Load, rivals: Collection[str], *, rounds: int
) -> tuple[dict[str, list[Cost]], list[Run]]:
    """Let each rival take its turn, round after round; return their costs and the marts' runs.

    Each builds into a new database; `marts test` checks the one that was built last, and who has
    nothing to do finds its own, and has found it once before.
    """
    costs: dict[str, list[Cost]] = {rival: [] for rival in rivals}
    runs = []
    for _ in range(rounds):
        for rival in rivals:
            if rival != TEST and not rival.endswith(AGAIN):
                load.database(rival).unlink(missing_ok=True)
            if rival.endswith(AGAIN):
                cost_of(command_of(rival, load), cwd=load.folder)
            costs[rival].append(cost_of(command_of(rival, load), cwd=load.folder))
            if rival == RUN:
                runs.append(read_run(load.target))
    return costs, runs


def read_run(target: Path) -> Run:
    """Read what the last run left."""
    results = json.loads((target / "run_results.json").read_text("utf-8"))
    tables = results["tables"]
    return Run(
        results["seconds"],
        sum(table["check_seconds"] for table in tables),
        sum(len(table["checks"]) for table in tables),
    )


def typical_run(runs: Collection[Run]) -> Run:
    """Return the median of each figure."""
    return Run(
        median(run.seconds for run in runs),
        median(run.check_seconds for run in runs),
        round(median(run.checks for run in runs)),
    )
