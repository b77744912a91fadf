"""Completion: marts and selectors of the package in use, read and never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.engines import GRAPH
from support.processes import Marts

BOOM = "raise SystemExit(7)\n"
ODD = """
from marts import mart as m
import marts

@m(grain="a", columns=[], tags="north")
def renamed(a): ...

@marts.mart(grain="a", columns=[], tags=["south", *HERE, f"{1}"])
def dotted(a): ...

def helper(mart): ...

@other(mart=1)
def decorated(a): ...
"""


def offered(marts: Marts, line: str, **environment: str) -> list[str]:
    """Return what bash offers at the end of a line."""
    done = marts(
        _MARTS_COMPLETE="bash_complete",
        COMP_WORDS=line,
        COMP_CWORD=str(len(line.split(" ")) - 1),
        **environment,
    )
    assert done.stderr == ""
    return [each.partition(",")[2] for each in done.stdout.splitlines() if each]


@pytest.fixture
def odd(tmp_path: Path) -> None:
    """Write a package that must not be run, and has files that cannot be read."""
    files = {
        "__init__.py": BOOM,
        "team/__init__.py": BOOM,
        "team/deep/__init__.py": BOOM,
        "team/deep/odd.py": BOOM + ODD,
        "team/broken.py": "@mart(\ndef (:",
        "team/warns.py": '@mart(grain="a")\ndef warns(a): return "\\d"\n',
        "team/null.py": "@mart()\n\x00",
        "team/latin.py": "",
        ".ipynb_checkpoints/old.py": '@mart(grain="a")\ndef old(a): ...\n',
    }
    for name, text in files.items():
        file = tmp_path / "firm" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    (tmp_path / "firm/team/latin.py").write_bytes(b"@mart()\ndef caf\xe9(a): ...")
    (tmp_path / "firm/team/gone.py").symlink_to("nowhere.py")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("marts show metric_", {name for name in GRAPH.order if name.startswith("metric_")}),
        ("marts show c", {"campaign_audiences", "customer_360_profile", "customer_segments"}),
        ("marts show co", set()),
        ("marts show tag", set()),
        ("marts run -s cu", {"customer_360_profile", "customer_analytics", "customer_segments"}),
        ("marts test --select tag:m", {"tag:metrics", "tag:mom"}),
        ("marts ls --exclude +metric_c", {"+metric_customer_ltv"}),
        ("marts run tag:m", {"tag:metrics", "tag:mom"}),
        ("marts run tag:a,+metric_c", {"tag:a,+metric_customer_ltv"}),
        ("marts compile -s customer_segments,tag:l", {"customer_segments,tag:ltv"}),
        ("marts mutate mark", {"marketing"}),
        ("marts lineage fct", {"fct_transactions"}),
        (
            "marts lineage customer_segments.customer_",
            {f"customer_segments.customer_{name}" for name in ("id", "key", "segment")},
        ),
        ("marts lineage fct_transactions.s", {"fct_transactions.status"}),
        ("marts explain segment_summary.customer_", {"segment_summary.customer_segment"}),
        ("marts run --package nowhere -s ", set()),
        ("marts run --package csv -s ", set()),
        ("marts run --package marts.core -s ", set()),
        ("marts run --package ../.. -s ", set()),
    ],
)
def test_completion_offers_marts_and_selectors(line: str, expected: set[str], marts: Marts) -> None:
    assert offered(marts, line) == sorted(expected)


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("marts show --package firm ", "dotted renamed warns"),
        ("marts run --package firm -s ", "dotted renamed tag:north tag:south team team/deep warns"),
        ("marts run --package firm -s team/", "team/deep"),
        ("marts run --package firm.team -s ", "deep dotted renamed tag:north tag:south warns"),
    ],
)
def test_completion_reads_another_package_without_running_it(
    line: str, expected: str, marts: Marts
) -> None:
    assert offered(marts, line) == expected.split()


@pytest.mark.usefixtures("odd")
def test_completion_knows_the_package_of_the_environment(marts: Marts, tmp_path: Path) -> None:
    assert offered(marts, "marts show d", MARTS_PACKAGE="firm") == ["dotted"]
    lib = str(tmp_path / "firm")
    assert offered(marts, "marts show d", MARTS_PACKAGE="team", PYTHONPATH=lib) == ["dotted"]


@pytest.mark.usefixtures("odd")
def test_completion_knows_the_package_of_the_project(marts: Marts, tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[tool.marts]\npackage = "firm"\n', "utf-8")
    assert offered(marts, "marts show d", MARTS_PACKAGE="") == ["dotted"]
    project.write_text("[tool.marts", "utf-8")
    assert offered(marts, "marts show d", MARTS_PACKAGE="") == []
    project.unlink()
    assert offered(marts, "marts run ", MARTS_PACKAGE="") == []


def test_completion_offers_the_environments_of_the_project(marts: Marts, tmp_path: Path) -> None:
    tables = "".join(f"[tool.marts.environments.{name}]\n" for name in ("dev", "prod", "preview"))
    (tmp_path / "pyproject.toml").write_text(f"[tool.marts]\n{tables}", "utf-8")
    assert offered(marts, "marts run --env pr") == ["preview", "prod"]
    assert "--env" in offered(marts, "marts doctor --e")


def test_completion_loads_no_heavy_library(marts: Marts) -> None:
    done = marts(
        _MARTS_COMPLETE="bash_complete",
        COMP_WORDS="marts run -s ",
        COMP_CWORD="3",
        PYTHONPROFILEIMPORTTIME="1",
    )
    assert "metric_customer_ltv" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {
        "ibis",
        "duckdb",
        "sqlglot",
        "pandas",
        "pyarrow",
        "rich",
        "marts.sources",
    }
    assert "marts.core.authoring.tables" not in imported
