"""This module provides ``gauntlet state``. What it imports at the top, ``gauntlet --help`` waits for."""

from __future__ import annotations

from pathlib import Path

import click

from gauntlet.cli_options import common_options
from gauntlet.terminal import Terminal


@click.group(no_args_is_help=True)
def state() -> None:
    """Look after state folders."""


@state.command()
@common_options(state="The copied or moved state folder.")
def relocate(state: Path, quiet: bool, machine: bool) -> int:
    """Make a copied or moved state folder usable where it lies.

    MLflow's database of target local holds absolute paths. They are changed to name this folder's own files; the
    original, and all other files of this folder, stay as they are.
    """
    from gauntlet.commands.state_folders import relocate_state  # noqa: PLC0415 - keeps --help fast

    return relocate_state(state, Terminal(quiet=quiet, machine=machine))
