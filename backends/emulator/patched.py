"""fakesnow's modules as the adaptations need them: with functions that can be replaced.

By import_module, because `fakesnow.server` names a function until that has been called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

arrow: Any = import_module("fakesnow.arrow")
connections: Any = import_module("fakesnow.conn")
copy_into: Any = import_module("fakesnow.copy_into")
cursor: Any = import_module("fakesnow.cursor")
info_schema: Any = import_module("fakesnow.info_schema")
server: Any = import_module("fakesnow.server")
stage: Any = import_module("fakesnow.transforms.stage")
transforms: Any = import_module("fakesnow.transforms")
