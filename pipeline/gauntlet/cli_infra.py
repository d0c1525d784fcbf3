"""This module provides ``gauntlet infra``. What it imports at the top, ``gauntlet --help`` waits for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gauntlet.cli_options import Command, common_options
from gauntlet.cli_plan_gate import plan_gate_command
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.commands.infra_opening import InfraOptions


_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("infra"))
_common = common_options(state="The folder where plans are kept.")


def _options(command: Command) -> Command:
    """Add the folder, and the options that every command has."""
    return _folder(_common(command))


_stack = click.option("--stack", type=click.Choice(("infra", "workspace")), help="One stack alone.")
_timeout = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Interrupt a command of Terraform after this time; by default 90. It saves its state first.",
)


def _opened(options: dict[str, Any]) -> tuple[InfraOptions, Terminal]:
    from gauntlet.commands.infra_opening import InfraOptions  # noqa: PLC0415 - keeps --help fast

    terminal = Terminal(quiet=options.pop("quiet"), machine=options.pop("machine"))
    return InfraOptions(**options), terminal


@click.group(no_args_is_help=True)
def infra() -> None:
    """Make a Databricks workspace in Azure, with Terraform, from one file: FOLDER/infra.toml (by default ./infra).

    The order is init, plan, create; then plan and create once more for what goes into the workspace.
    """


@infra.command()
@_options
def init(**options: Any) -> int:
    """Write infra.toml to fill in; once it is, check it and write the stacks with their inputs.

    Nothing is written unless everything is right.
    """
    from gauntlet.commands.infra import init_environment  # noqa: PLC0415 - keeps --help fast

    return init_environment(*_opened(options))


@infra.command()
@_options
@_stack
@_timeout
def plan(stack: str | None, **options: Any) -> int:
    """Plan, keep the plan, and show what would be made, changed and destroyed. Changes nothing.

    Exit code 0 with and without changes; --json says which.
    """
    from gauntlet.commands.infra import plan_environment  # noqa: PLC0415 - keeps --help fast

    return plan_environment(*_opened(options), stack=stack)  # type: ignore[arg-type] # click checked it


@infra.command()
@_options
@_stack
@_timeout
def create(stack: str | None, **options: Any) -> int:
    """Do what the last plan said, and nothing else; a plan that is stale is refused with exit code 1."""
    from gauntlet.commands.infra import create_environment  # noqa: PLC0415 - keeps --help fast

    return create_environment(*_opened(options), stack=stack)  # type: ignore[arg-type] # click checked it


@infra.command()
@_options
@_stack
@_timeout
@click.option("--include-data", is_flag=True, help="Destroy the storage account with all tables and models, too.")
@click.option("--auto-approve", is_flag=True, help="Do not ask for the environment's name.")
def destroy(stack: str | None, include_data: bool, auto_approve: bool, **options: Any) -> int:
    """Destroy what was made, after asking for the environment's name. The data is kept unless --include-data."""
    from gauntlet.commands.infra_removal import Removal, destroy_environment  # noqa: PLC0415 - keeps --help fast

    removal = Removal(stack=stack, include_data=include_data, approved=auto_approve)  # type: ignore[arg-type]
    return destroy_environment(*_opened(options), removal=removal)


@infra.command()
@_options
@click.option("--write", is_flag=True, help="Write host, workspace and cluster for target databricks.")
def outputs(write: bool, **options: Any) -> int:
    """Show what was made: addresses and ids. Sensitive values are not shown."""
    from gauntlet.commands.infra import show_outputs  # noqa: PLC0415 - keeps --help fast

    return show_outputs(*_opened(options), write=write)


infra.add_command(plan_gate_command)
