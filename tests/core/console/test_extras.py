"""A command that lacks an extra says which, and what is installed instead."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest

from marts.core.console.extras import explained

CONNECTOR = "snowflake-connector-python"


@pytest.mark.parametrize(
    ("module", "extra", "found", "needed"),
    [
        (
            "snowflake.connector.session_manager",
            "snowflake",
            f"{CONNECTOR} {version(CONNECTOR)} is",
            CONNECTOR,
        ),
        ("numpy", "generate", f"numpy {version('numpy')} is", "numpy"),
        ("vl_convert", "docs", f"vl-convert-python {version('vl-convert-python')} is", "jinja2"),
        ("hypothesis", "proof", f"hypothesis {version('hypothesis')} is", "fakesnow[server]"),
    ],
)
def test_a_version_without_what_is_imported_is_named(
    module: str, extra: str, found: str, needed: str
) -> None:
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    *lines, hint = str(explained(error)).splitlines()
    assert lines == [
        f"this command needs marts[{extra}]",
        f"  No module named {module!r}",
        f"  {found} installed",
    ]
    # Not marts[…], which may be on no index.
    assert re.fullmatch(rf"hint: pip install .*'{re.escape(needed)}[<>=~].+'", hint)


def test_another_missing_module_is_not_explained() -> None:
    error = ModuleNotFoundError("No module named 'yaml'", name="yaml")
    assert explained(error) is error
