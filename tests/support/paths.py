"""Where the repository and its data are."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BUNDLED = REPOSITORY / "fixtures"
SAVED_WORLDS = REPOSITORY / "tests/worlds"
