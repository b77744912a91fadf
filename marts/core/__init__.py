"""The framework: knows Ibis; knows no customer, no engine, no environment."""

from pathlib import Path

DISTRIBUTION = "marts"
"""What is installed: whose version it is, and whose settings a project's file has."""

PACKAGE = __name__
"""What the modules of the framework begin with, whichever room they are in."""

FOLDER = Path(__file__).parent
"""Where the framework's files are."""
