"""This module provides the options that every command has. What it imports, ``gauntlet --help`` waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def common_options(*, state: str) -> Callable[[Command], Command]:
    """Return what adds the options that every command has.

    Args:
        state: The help on the state folder.
    """
    options = (
        click.option(
            "--state",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path(".gauntlet"),
            envvar="GAUNTLET_STATE",
            show_default=True,
            show_envvar=True,
            help=state,
        ),
        click.option("--json", "machine", is_flag=True, help="Print one JSON document on standard output."),
        click.option("--quiet", "-q", is_flag=True, help="Show errors and the result only."),
    )

    def added(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return added
