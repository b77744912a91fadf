"""Who runs this process."""

from __future__ import annotations

import os
import pwd


def user_of_process() -> str:
    """Return the name of the user of this process, or its number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container, a process may have a number only.
        return str(os.getuid())
