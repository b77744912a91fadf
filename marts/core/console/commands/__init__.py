"""The commands, one file each; a file is imported when its command is called."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module

import click

from marts.core.console.options import ALIASES

NAMES = (
    *("init", "run", "status", "deploy", "test", "ls", "compile"),
    *("show", "export", "diff", "explain", "lineage", "docs"),
    *("prove", "witness", "mutate", "attest"),
    *("load", "generate", "doctor", "emulator", "help"),
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a call; the error for an unknown one names the nearest."""
        word = args[0]
        if word not in NAMES and word[:1] != "-" and not ctx.resilient_parsing:
            near = get_close_matches(word, NAMES, n=1)
            ctx.fail(f"No such command {word!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


def with_nearest(error: click.ClickException) -> click.ClickException:
    """Return the error for an unknown option with the nearest option, or none; others as they are.

    It may be the value of an option: --json of a command that has --format json. Click compares
    with the dashes, and takes --as-of for near to --json.
    """
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        word, declared = error.option_name.lstrip("-"), error.ctx.command.get_params(error.ctx)
        options = [each for each in declared if isinstance(each, click.Option)]
        values = {
            value: f"{each.opts[0]} {value}"
            for each in options
            if isinstance(each.type, click.Choice)
            for value in each.type.choices
        }
        names = {name.lstrip("-"): name for each in options for name in each.opts}
        near = get_close_matches(word, names, n=1, cutoff=0.7)
        found = values.get(word) or next((names[each] for each in near), None)
        message = error.message + (f" Did you mean {found!r}?" if found else "")
        return click.UsageError(message, error.ctx)
    return error


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
