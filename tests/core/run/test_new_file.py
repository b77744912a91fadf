"""A file appears complete or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from marts.core.errors import EngineError, UsageError
from marts.core.run.new_file import new_file, refuse_wrong_place


def write(
    path: Path,
    *,
    overwrite: bool = False,
    private: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    with new_file(path, overwrite=overwrite, private=private) as file:
        file.write(b"new")
        assert not path.exists() or path.read_bytes() == b"old"
        meanwhile()


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "full"), ValueError])
@pytest.mark.parametrize("there", [True, False])
def test_an_error_leaves_what_was_there(error: BaseException, there: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    if there:
        path.write_bytes(b"old")
    before = names(tmp_path)

    def fail() -> NoReturn:
        raise error

    with pytest.raises(EngineError if isinstance(error, OSError) else error):  # type: ignore[arg-type]
        write(path, overwrite=there, meanwhile=fail)
    assert names(tmp_path) == before
    assert not there or path.read_bytes() == b"old"


def test_a_full_disk_is_an_engines_error_with_a_hint(tmp_path: Path) -> None:
    def fail() -> NoReturn:
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(EngineError, match=r"cannot write .*\n  full\nhint: free some space"):
        write(tmp_path / "a.csv", meanwhile=fail)


def test_only_its_owner_can_read_a_private_file(tmp_path: Path) -> None:
    (tmp_path / "private").write_bytes(b"old")
    write(tmp_path / "private", overwrite=True, private=True)
    write(tmp_path / "public")
    (tmp_path / "usual").touch()
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes["private"] == 0o600
    assert modes["public"] == modes["usual"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_links(*_: object) -> NoReturn:
        raise OSError(errno.EPERM, "no links here")

    if not has_links:
        monkeypatch.setattr(os, "link", without_links)
    path = tmp_path / "a.csv"
    with pytest.raises(UsageError, match="exists\nhint: pass --overwrite"):
        write(path, meanwhile=lambda: path.write_bytes(b"old"))
    assert (names(tmp_path), path.read_bytes()) == (["a.csv"], b"old")
    path.unlink()
    write(path)
    assert (names(tmp_path), path.read_bytes()) == (["a.csv"], b"new")


def test_a_link_stays_and_leads_to_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "there/a.csv")
    (tmp_path / "there/a.csv").write_bytes(b"old")
    write(tmp_path / "link.csv", overwrite=True)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "there/a.csv").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.csv", "a.csv exists\nhint: pass --overwrite"),
        ("none/a.csv", "there is no folder .*none\nhint: mkdir -p"),
        ("a.csv/b.csv", "a.csv is not a folder"),
        ("folder.csv", "folder.csv is not a file"),
    ],
)
def test_a_wrong_place_is_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"old")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=message):
        refuse_wrong_place(tmp_path / name, overwrite=False)
