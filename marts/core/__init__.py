"""The framework: it knows Ibis, but no engine, no environment and no business."""

from pathlib import Path

DISTRIBUTION = "marts"
"""The installed distribution; a project's settings are in the table `[tool.<its name>]`."""

PACKAGE = __name__
"""The prefix of the names of the framework's modules."""

FOLDER = Path(__file__).parent
"""Where the framework's files are."""
