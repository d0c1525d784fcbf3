"""This module provides ``gauntlet stack``. What it imports at the top, ``gauntlet --help`` waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gauntlet.cli_options import common_options
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.commands.stack import StackView

_common = common_options(state="The state folder whose stack it is.")


def _view(options: dict[str, Any]) -> StackView:
    from gauntlet.commands.stack import StackView  # noqa: PLC0415 - keeps --help fast

    return StackView(options["state"], Terminal(quiet=options["quiet"], machine=options["machine"]))


@click.group(no_args_is_help=True)
def stack() -> None:
    """Start and stop the servers of target remote: Spark Connect, and MLflow with authentication, on loopback."""


@stack.command()
@_common
@click.option("--user", default="nobody", show_default=True, help="Whom the servers run as, where you are root.")
@click.option(
    "--database",
    envvar="GAUNTLET_STACK_DATABASE",
    show_envvar=True,
    metavar="ADDRESS",
    help="A PostgreSQL database for MLflow, postgresql://USER:PASSWORD@HOST/NAME; by default SQLite files.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Spark's worker threads; by default one a core.")
def up(user: str, database: str | None, workers: int | None, **options: Any) -> int:
    """Start the servers that are not up; ports, password and token are chosen and kept in the state folder."""
    from gauntlet.adapters.stack import StackOptions  # noqa: PLC0415 - keeps --help fast
    from gauntlet.commands.stack import start_stack  # noqa: PLC0415 - keeps --help fast

    return start_stack(_view(options), StackOptions(user=user, database=database, workers=workers))


@stack.command()
@_common
@click.option("--delete-data", is_flag=True, help="Delete the servers' tables, runs and models, logs and password.")
def down(delete_data: bool, **options: Any) -> int:
    """Stop the servers and all their processes; what they keep stays unless --delete-data."""
    from gauntlet.commands.stack import stop_stack  # noqa: PLC0415 - keeps --help fast

    return stop_stack(_view(options), delete_data=delete_data)


@stack.command()
@_common
def status(**options: Any) -> int:
    """Show whether the servers are up, and where; exit code 3 unless both answer."""
    from gauntlet.commands.stack import show_stack  # noqa: PLC0415 - keeps --help fast

    return show_stack(_view(options))
