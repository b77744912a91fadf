"""Start the command line, after checking that the modules it loads are those of marts.

It is installed as the top-level module `_marts_entry` (see pyproject.toml). The names cli, marts,
backends and fixtures are so general that a module on PYTHONPATH may shadow ours, so this check must
not be imported through any of them.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

NAMES = ("cli", "marts", "backends", "fixtures")


def main() -> None:
    """Run the command line; exit with 1 if another module shadows one of ours."""
    home = next(path for path in sys.path if Path(path, "marts/core/__init__.py").is_file())
    for name in NAMES:
        spec = find_spec(name)
        found = Path((spec and spec.origin) or name).resolve()
        if not found.is_relative_to(Path(home).resolve()):
            sys.exit(
                f"error: {found} shadows a module of marts\n"
                f"  marts is installed in {home}\n"
                "hint: remove its folder from PYTHONPATH, or rename it"
            )
    from cli import main as run

    run()
