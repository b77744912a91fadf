"""Which tests are not in a developer's loop of seconds: `pytest -m "not slow"`."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.paths import TESTS

FILES = (
    "end_to_end/test_snowflake_faults.py",
    "end_to_end/test_doctor.py",
    "end_to_end/test_snowflake_state.py",
    "test_three_ways.py",
    "end_to_end/test_publishing.py",
    "end_to_end/test_docs.py",
    "end_to_end/test_prove.py",
    "test_invariants.py",
    "end_to_end/test_output.py",
    "test_marts.py",
    "end_to_end/test_foreign_project.py",
    "test_guide.py",
    "end_to_end/test_init.py",
    "end_to_end/test_command_line.py",
    "core/plan/test_changes.py",
    "core/plan/test_findings.py",
    "end_to_end/test_snowflake_errors.py",
    "end_to_end/test_up_to_date.py",
    "core/plan/test_any_changes.py",
    "end_to_end/test_snowflake_publishing.py",
    "end_to_end/test_invariants.py",
    "core/proof/test_shrinking.py",
    "core/proof/test_mutation.py",
    "end_to_end/test_snowflake_proofs.py",
    "end_to_end/test_required_proofs.py",
    "core/proof/test_canonical.py",
    "test_examples.py",
    "core/proof/test_example_scores.py",
    "core/proof/test_example_files.py",
    "end_to_end/test_snowflake.py",
    "core/catalog/test_site_in_browser.py",
    "test_readme.py",
    "end_to_end/test_witness.py",
    "end_to_end/test_mutate.py",
    "end_to_end/test_duckdb_doctor.py",
    "end_to_end/test_reliance.py",
    "end_to_end/test_marts.py",
    "end_to_end/test_snowflake_load.py",
    "end_to_end/test_init_snowflake.py",
    "end_to_end/test_emulator.py",
    "end_to_end/test_snowflake_sources.py",
    "end_to_end/test_snowflake_economy.py",
    "end_to_end/test_bad_input.py",
    "support/test_worlds.py",
    "core/analysis/test_lint.py",
    "core/plan/test_source_checks.py",
    "test_packaging.py",
    "core/analysis/test_reliance_checks.py",
    "core/run/test_grouped.py",
    "core/run/test_runner.py",
    "backends/test_duckdb_sources.py",
    "support/test_saved_worlds.py",
    "backends/test_duckdb.py",
    "core/run/test_artifacts.py",
    "core/query/test_checks.py",
    "core/query/test_difference.py",
    "core/authoring/test_invariants.py",
    "test_snowflake_sql.py",
    "test_sql.py",
    "fixtures/test_generate.py",
    "fixtures/test_histories.py",
    "fixtures/test_corpus.py",
    "backends/test_snowflake.py",
    "core/authoring/test_memtables.py",
    "core/run/test_formats.py",
    "emulator/test_front.py",
    "emulator/test_faults.py",
    "emulator/test_transactions.py",
    "emulator/test_locks.py",
    "emulator/test_time_travel.py",
    "emulator/test_adaptations.py",
    "support/test_data_sets.py",
    "test_architecture.py",
    "backends/test_duckdb_files.py",
    "end_to_end/test_bad_packages.py",
    "core/proof/test_partial_compilation.py",
)
"""The files that take longest, in the order in which they begin.

Else a worker would do the last of them while the others have nothing left to do.
"""
FAST = {"core/analysis/test_lint.py", "core/plan/test_findings.py", "test_architecture.py"}
"""Of these, only tests that are marked themselves are slow."""
FIXTURES = {"marts", "finished_run", "account", "raw", "adapted", "snowflake_emulator"}
"""They start processes of `marts`, or an emulator."""

SLOW = {TESTS / name for name in (*FILES, "end_to_end", "nightly") if name not in FAST}
RANKS = {TESTS / name: rank for rank, name in enumerate(FILES)}


def rank(item: pytest.Item) -> int:
    """Return when a test's file begins."""
    return RANKS.get(item.path, len(RANKS))


def is_slow_file(path: Path) -> bool:
    """Tell whether all tests of a file, or of a folder, are slow."""
    return path in SLOW or not SLOW.isdisjoint(path.parents)


def is_slow(item: pytest.Item) -> bool:
    """Tell whether a test is slow by its file, or by what it needs."""
    needs = getattr(item, "fixturenames", ())
    return is_slow_file(item.path) or not FIXTURES.isdisjoint(needs)
