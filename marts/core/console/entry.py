"""Start the command line with the modules of marts, whatever PYTHONPATH holds.

It is installed as the top-level module `_marts_entry` (see pyproject.toml), because it must not be
imported through a name that a module on PYTHONPATH may have, too.
"""

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

INTERRUPTED = 130


def main() -> None:
    """Import marts from where it is installed, and run the command line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    home = next(path for path in sys.path if Path(path, "marts/core/__init__.py").is_file())
    sys.path.insert(0, home)
    import_module("marts.core")
    if Path(home, "marts/core/_cli.py").exists():
        # Everything else of the wheel is below this package; of a checkout, it is beside it.
        sys.path.remove(home)
    from cli import main as run

    run()


def _leave(_number: int, _frame: object) -> None:
    """End at once: while modules are imported, there is nothing to clean up."""
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(INTERRUPTED)
