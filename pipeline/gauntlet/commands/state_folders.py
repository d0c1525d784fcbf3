"""This module provides the commands about state folders."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.markup import escape

from gauntlet.adapters.state_place import relocate
from gauntlet.core.errors import ExitCode
from gauntlet.core.state import State
from gauntlet.terminal import Terminal


def relocate_state(folder: Path, terminal: Terminal) -> int:
    """Make a copied or moved state folder usable where it lies, and say what was changed.

    Raises:
        InputError: If it is no state folder of target ``local``.
        RefusedError: If it is not complete.
        RequirementError: If another process uses it.
    """
    done = relocate(State(folder))
    if terminal.machine:
        terminal.document(asdict(done) | {"exit_code": int(ExitCode.DONE)})
    elif done.former:
        terminal.say(
            f"{escape(str(folder))}: {done.changed} addresses name this folder now, and no longer "
            f"{escape(', '.join(done.former))}"
        )
    else:
        terminal.say(f"{escape(str(folder))}: lies in its place already; nothing was changed")
    return ExitCode.DONE
