"""This module provides the options that several commands have. What it imports, ``gauntlet --help`` waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

problem_option = click.option(
    "--problem",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A problem file (TOML); by default the wine problem that ships with the package.",
)
settings_option = click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Replace one value of the problem, by dotted key: --set sweep.trials=24. May be given often.",
)


def target_option(*, help: str) -> Callable[[Command], Command]:
    """Return what adds the option that chooses the target.

    Args:
        help: What the target decides.
    """
    return click.option(
        "--target",
        type=click.Choice(("local", "remote", "databricks")),
        default="local",
        envvar="GAUNTLET_TARGET",
        show_default=True,
        show_envvar=True,
        help=help,
    )


def terminal_options(command: Command) -> Command:
    """Add the options that say what a command prints."""
    machine = click.option("--json", "machine", is_flag=True, help="Print one JSON document on standard output.")
    quiet = click.option("--quiet", "-q", is_flag=True, help="Show errors and the result only.")
    return machine(quiet(command))


def common_options(*, state: str) -> Callable[[Command], Command]:
    """Return what adds the options that every command with a state folder has.

    Args:
        state: The help on the state folder.
    """
    folder = click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(".gauntlet"),
        envvar="GAUNTLET_STATE",
        show_default=True,
        show_envvar=True,
        help=state,
    )

    def added(command: Command) -> Command:
        return folder(terminal_options(command))

    return added
