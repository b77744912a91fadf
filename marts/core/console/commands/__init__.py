"""The commands, one file each; a file is imported when its command is called."""

from __future__ import annotations

from importlib import import_module

import click

from marts.core.console.options import ALIASES

NAMES = (
    *("init", "run", "test", "ls", "compile", "show", "mutate", "load", "generate", "doctor"),
    "help",
)


class Commands(click.Group):
    """The group of commands; each is the object `command` in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Return the names, in the order of the help."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in NAMES:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command


def current_name(option: str) -> str:
    """Return the current name of an option."""
    return ALIASES.get(option, option)
