"""Run a process and say what it cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, seconds of all cores together, and the largest resident memory."""

    wall: float
    cpu: float
    peak_mb: float


def cost_of(command: Sequence[object], *, cwd: Path) -> Cost:
    """Run a command to its end; its output goes to `output.txt` in `cwd`.

    Raises SystemExit with that output where it fails.
    """
    log = cwd / "output.txt"
    inherited = {name: value for name, value in os.environ.items() if name[:6] != "MARTS_"}
    inherited["MARTS_PACKAGE"] = "marts"
    # Compiled once, not at every start.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    with log.open("w", encoding="utf-8") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), cwd=cwd, env=inherited, stdout=output, stderr=output
        )
        # The kernel's own account of this one child, threads included.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{log.read_text('utf-8')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def typical(costs: Iterable[Cost]) -> Cost:
    """Return the median of each figure."""
    costs = list(costs)
    return Cost(
        median(cost.wall for cost in costs),
        median(cost.cpu for cost in costs),
        median(cost.peak_mb for cost in costs),
    )
