"""This module provides the commands of the stack: the servers of target ``remote``, on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from gauntlet.core.errors import ExitCode
from gauntlet.core.state import State
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.adapters.stack import ServerStatus, StackOptions

_TITLES = {"spark": "Spark Connect", "mlflow": "MLflow"}
_MARKS = {"up": "[green]up[/]", "silent": "[red]silent[/]", "gone": "[red]gone[/]", "down": "[dim]down[/]"}


@dataclass(frozen=True)
class StackView:
    """Whose stack a command is about, and where it says what it did.

    Attributes:
        state: The state folder.
        terminal: Where lines go.
    """

    state: Path
    terminal: Terminal


def start_stack(view: StackView, options: StackOptions) -> int:
    """Start the servers that are not up.

    Raises:
        InputError: If the user or the database cannot be used.
        RequirementError: If something is missing, or a server does not come up.
    """
    from gauntlet.adapters.stack import Stack  # noqa: PLC0415 - keeps --help fast

    stack = Stack(State(view.state))
    started = stack.up(options)
    return _show(view, stack.status(), not_checked=started.not_checked)


def stop_stack(view: StackView, *, delete_data: bool) -> int:
    """Stop the servers, and delete what they kept if asked.

    Raises:
        RequirementError: If a server does not end.
    """
    from gauntlet.adapters.stack import Stack  # noqa: PLC0415 - keeps --help fast

    stack = Stack(State(view.state))
    stack.down()
    if delete_data:
        stack.remove()
    return _show(view, stack.status())


def show_stack(view: StackView) -> int:
    """Show how the servers stand; exit code 3 unless both answer."""
    from gauntlet.adapters.stack import Stack  # noqa: PLC0415 - keeps --help fast

    stack = Stack(State(view.state))
    statuses, known = stack.status(), stack.known()
    _show(view, statuses, not_checked=() if known is None else known.not_checked)
    return ExitCode.DONE if all(status.status == "up" for status in statuses) else ExitCode.ENVIRONMENT


def _show(view: StackView, statuses: Sequence[ServerStatus], *, not_checked: Sequence[str] = ()) -> int:
    if view.terminal.machine:
        servers = {
            s.name: {"status": s.status, "address": s.address, "process": s.process, "log": str(s.log or "")}
            for s in statuses
        }
        view.terminal.document({"servers": servers, "not_checked": list(not_checked)})
        return ExitCode.DONE
    rows = [(_TITLES[s.name], _MARKS[s.status], s.address, str(s.process or ""), str(s.log or "")) for s in statuses]
    view.terminal.table(("server", "", "address", "process", "log"), rows)
    for gap in not_checked:
        view.terminal.say(f"[yellow]not checked:[/] {escape(gap)}")
    return ExitCode.DONE
