"""The commands, one file each; a file is imported when its command is called."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

import click

from marts.core.console.options import ALIASES

NAMES = (
    *(
        "init",
        "run",
        "test",
        "ls",
        "compile",
        "show",
        "prove",
        "mutate",
        "load",
        "generate",
        "doctor",
        "emulator",
    ),
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


def wants_json(words: Sequence[str]) -> bool:
    """Tell whether the words of a call ask for a JSON document, even if they are wrong."""
    options = words[: words.index("--")] if "--" in words else words
    name = next((word for word in words if word in NAMES), None)
    if name is None:
        return False
    command: click.Command = import_module(f"{__name__}.{name}").command
    option = next((each for each in command.params if each.name == "as_json"), None)
    if option is None:
        return False
    context = click.Context(command)
    with suppress(click.ClickException):
        if option.type_cast_value(context, option.value_from_envvar(context)):
            return True
    return "--json" in options


def current_name(option: str) -> str:
    """Return the current name of an option."""
    return ALIASES.get(option, option)
