"""The twins by the name of their mart: each is a function in a file of its name, with a GRAIN."""

from collections.abc import Callable, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path

import pandas as pd

from reference.history import Sources

Twin = Callable[[Sources, date], pd.DataFrame]

OF_MARTS = [
    module
    for file in sorted(Path(__file__).parent.glob("*.py"))
    if "\nGRAIN = " in file.read_text("utf-8")
    for module in [import_module(f"reference.{file.stem}")]
]
TWINS: Mapping[str, Twin] = {
    name: getattr(module, name)
    for module in OF_MARTS
    for name in [module.__name__.rpartition(".")[2]]
}
GRAINS: Mapping[str, tuple[str, ...]] = {
    name: module.GRAIN for name, module in zip(TWINS, OF_MARTS, strict=True)
}


def expected(mart_name: str, sources: Sources, as_of: date) -> pd.DataFrame:
    """Calculate what a mart must hold, with columns and rows in the spec's order."""
    return TWINS[mart_name](sources, as_of)
