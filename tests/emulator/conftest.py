"""Emulators for a whole session: fakesnow as it is, and as we adapt it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.fixtures import Emulator, emulator


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("raw"), "--raw") as running:
        yield running


@pytest.fixture(scope="session")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("adapted")) as running:
        yield running
