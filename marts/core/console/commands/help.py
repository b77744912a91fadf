"""`marts help`: the pages of the guide."""

from __future__ import annotations

import click

from marts.core.console.guide import TOPICS, page_of, title_of
from marts.core.errors import UsageError, did_you_mean


@click.command("help")
@click.argument("topic", required=False, shell_complete=lambda *_: list(TOPICS))
@click.pass_context
def command(context: click.Context, topic: str | None) -> None:
    """Explain a topic, such as checks; without one, list the topics."""
    from marts.core.console import terminal

    if topic is None:
        width = max(map(len, TOPICS))
        lines = [f"{each:<{width}}  {title_of(each)}" for each in TOPICS]
        terminal.print_text("\n".join([*lines, "", "`marts help TOPIC` explains one of them."]))
        return
    group = context.parent.command if context.parent else None
    if topic not in TOPICS and isinstance(group, click.Group):
        if about := group.get_command(context, topic):
            with click.Context(about, info_name=topic, parent=context.parent) as inner:
                terminal.print_text(about.get_help(inner))
            return
        known = [*TOPICS, *group.list_commands(context)]
        raise UsageError(
            f"there is no help on {topic}",
            hint=did_you_mean(topic, known) or "`marts help` lists the topics",
        )
    terminal.print_markdown(page_of(topic))
