"""Start the command line with the modules of marts, whatever PYTHONPATH holds.

It is installed as the top-level module `_marts_entry` (see pyproject.toml), because it must not be
imported through a name that a module on PYTHONPATH may have, too.
"""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Import marts from where it is installed, and run the command line."""
    home = next(path for path in sys.path if Path(path, "marts/core/__init__.py").is_file())
    sys.path.insert(0, home)
    import_module("marts.core")
    if Path(home, "marts/core/_cli.py").exists():
        # Everything else of the wheel is below this package; of a checkout, it is beside it.
        sys.path.remove(home)
    from cli import main as run

    run()
