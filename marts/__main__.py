"""Run the command line: `python -m marts`."""

import sys


def main() -> None:
    """Run it, and import nothing of the current folder instead of what it needs.

    `python -m` has put this folder first on the path.
    """
    if not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))
    from cli import main as run

    run()


if __name__ == "__main__":
    main()
