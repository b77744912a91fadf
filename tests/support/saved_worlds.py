"""Worlds worth keeping: examples that failed once, as small Parquet files under tests/worlds/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import settings

from support.engines import Layout
from support.paths import SAVED_WORLDS
from support.worlds import World


def save(world: World, folder: Path, *, about: str) -> None:
    """Write a world into a folder that `marts run --data` accepts; replace what it contains.

    `about` says why it is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for name, table in world.tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    content = {"as_of": str(world.as_of), "about": about, "layout": asdict(world.layout)}
    (folder / "dataset.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def load(folder: Path) -> World:
    """Read the world of a folder."""
    content = json.loads((folder / "dataset.json").read_text("utf-8"))
    return World(
        tables={file.stem: pq.read_table(file) for file in sorted(folder.glob("*.parquet"))},
        as_of=date.fromisoformat(content["as_of"]),
        layout=Layout(**content["layout"]),
    )


def saved_worlds() -> Mapping[str, World]:
    """Return all worlds that were kept, by name."""
    return {folder.name: load(folder) for folder in sorted(SAVED_WORLDS.iterdir())}


@contextmanager
def kept_if_failing(world: World, folder: Path | None) -> Iterator[None]:
    """Save a world on which the body fails, or say how; hypothesis tries its smallest one last."""
    try:
        yield
    except Exception as error:
        if folder:
            save(world, folder, about=str(error).partition("\n")[0])
            error.add_note(f"saved in {folder}; say in its dataset.json what it is about")
        else:
            profile = settings.get_current_profile_name()
            error.add_note(
                "to keep this world: uv run pytest tests/test_marts.py"
                f" --hypothesis-profile={profile} --save-world NAME"
            )
        raise
