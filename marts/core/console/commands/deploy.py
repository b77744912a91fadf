"""`marts deploy`: schedule the marts inside Snowflake."""

from __future__ import annotations

import click

from marts.core.console.options import (
    DEFAULTS,
    account_options,
    database_option,
    option,
    options,
    package_option,
    schema_option,
    source_namespace_options,
    with_settings,
)
from marts.core.project.settings import BACKENDS, Settings

SIZES = ("XSMALL", "SMALL", "MEDIUM", "LARGE", "XLARGE", "XXLARGE")

schedule_options = options(
    option(
        "--schedule",
        metavar="CRON",
        help='When to run, such as "0 3 * * *".  [default: as it is deployed]',
    ),
    option(
        "--timezone",
        metavar="NAME",
        help="The time zone of the schedule, and of the runs' dates.  [default: as it is deployed,"
        " else UTC]",
    ),
    option(
        "--serverless",
        type=click.Choice(SIZES, case_sensitive=False),
        help="Run without a warehouse, at first of this size.",
    ),
)
proof_options = options(
    option("--require-proof", is_flag=True, help="Refuse marts that are not proven: marts prove."),
    option(
        "--accept-unproven",
        multiple=True,
        metavar="MART",
        help="Deploy it without a proof; needs --reason.",
    ),
    option("--reason", metavar="TEXT", help="Why it may be deployed without; recorded."),
)
actions = options(
    option("--dry-run", is_flag=True, help="Print the whole script; connect to nothing."),
    # A variable must not remove a schedule.
    click.option("--suspend", is_flag=True, help="Let no run begin any more."),
    click.option("--status", is_flag=True, help="Show the tasks, and the last runs."),
    click.option("--remove", is_flag=True, help="Drop tasks and procedures; marts stay."),
)


@click.command("deploy")
@package_option
@option(
    "--backend", type=click.Choice(BACKENDS), help=f"The engine.  [default: {DEFAULTS.backend}]"
)
@database_option
@schema_option
@account_options
@source_namespace_options
@schedule_options
@proof_options
@actions
@with_settings
def command(
    settings: Settings,
    schedule: str | None,
    timezone: str | None,
    serverless: str | None,
    accept_unproven: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    suspend: bool,
    status: bool,
    remove: bool,
) -> int:
    """Turn the marts into tasks that Snowflake runs on a schedule, without marts.

    Each run checks the sources, builds and checks the marts, and publishes all of them or none,
    from the same statements as `marts run`. Deploying again changes what differs, and starts the
    schedule.
    """
    from marts.core.console import deploy_messages, terminal
    from marts.core.console.exit_codes import DONE
    from marts.core.errors import UsageError
    from marts.core.operations import deploy

    actions = {"--dry-run": dry_run, "--suspend": suspend, "--status": status, "--remove": remove}
    chosen = [name for name, is_chosen in actions.items() if is_chosen]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other", hint="pass one of them")
    wanted = deploy.Wanted(
        cron=schedule,
        timezone=timezone,
        warehouse=settings.warehouse,
        serverless=serverless.upper() if serverless else None,
        accept_unproven=accept_unproven,
        reason=reason,
    )
    if dry_run:
        if settings.require_proof:
            terminal.say(terminal.console(to_stderr=True), deploy_messages.NO_PROOFS)
        terminal.print_text(deploy.schedule_script(settings, wanted))
        return DONE
    if suspend:
        lines = deploy_messages.suspended(deploy.suspend(settings))
    elif remove:
        lines = deploy_messages.removed(deploy.remove(settings))
    elif status:
        lines = deploy_messages.state(deploy.state_of(settings))
    else:
        lines = deploy_messages.deployed(deploy.deploy(settings, wanted))
    for line in lines:
        click.echo(line)
    return DONE
