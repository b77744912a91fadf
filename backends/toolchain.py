"""The code that turns an expression into DuckDB's SQL, as a digest of its files.

Without it, the same expression would be the same SQL only until Ibis, SQLGlot or marts is changed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator

import ibis
import sqlglot

import marts.core.plan.state
from backends.code_files import add_file, add_folder
from backends.duckdb_ddl import DIALECT

COMPILERS = "ibis.backends.sql.compilers"
PACKAGES = ("ibis.backends.sql", "ibis.common", "ibis.expr")


def toolchain() -> str | None:
    """Return a digest of all that a query's SQL depends on, besides the query.

    None if somebody has loaded Ibis's compilers already: they might have changed them.
    """
    if COMPILERS in sys.modules:
        return None
    about = (DIALECT, platform.python_version(), ibis.options.sql)
    digest = hashlib.sha256(" ".join(map(str, about)).encode())
    for folder in _folders():
        add_folder(digest, folder)
    add_file(digest, marts.core.plan.state.__file__)
    return digest.hexdigest()


def _folders() -> Iterator[str]:
    """Yield the folders of the code that compiles."""
    installed = os.path.dirname(os.path.dirname(ibis.__file__))
    yield from (os.path.join(installed, *package.split(".")) for package in PACKAGES)
    yield os.path.dirname(sqlglot.__file__)
    yield os.path.dirname(__file__)
