"""A command that lacks an extra says which, and what is installed instead."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from marts.core.console.extras import explained

CONNECTOR = "snowflake-connector-python"


@pytest.mark.parametrize(
    ("module", "extra", "found"),
    [
        (
            "snowflake.connector.session_manager",
            "snowflake",
            f"{CONNECTOR} {version(CONNECTOR)} is",
        ),
        ("numpy", "generate", f"numpy {version('numpy')} is"),
    ],
)
def test_a_version_without_what_is_imported_is_named(module: str, extra: str, found: str) -> None:
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert str(explained(error)).splitlines() == [
        f"this command needs marts[{extra}]",
        f"  No module named {module!r}",
        f"  {found} installed",
        f"hint: pip install 'marts[{extra}]'",
    ]


def test_another_missing_module_is_not_explained() -> None:
    error = ModuleNotFoundError("No module named 'yaml'", name="yaml")
    assert explained(error) is error
