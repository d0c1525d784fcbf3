"""This module provides the lines that tell people of a promotion's warnings and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape

from gauntlet.terminal import Terminal


def show_warnings_and_notes(document: Mapping[str, Any], terminal: Terminal, *, subject: str = "") -> None:
    """Show each warning of a promotion with its message, and how many notes there are.

    Args:
        document: Holds the keys ``warnings`` and ``notes``, as ``core.summary.warnings_and_notes`` returns them.
        terminal: Where the lines go.
        subject: What was promoted, to begin the first line with, such as ``version 3 was``; by default the promotion
            that has just been made.
    """
    warnings, notes = document["warnings"], document["notes"]
    if warnings:
        count = _counted(warnings, "warning")
        said = f"{escape(subject)} promoted with {count}" if subject else f"Promoted with {count}"
        terminal.say(f"[yellow]{said}:[/]")
        for warning in warnings:
            terminal.say(f"  {escape(warning['gate'])}: {escape(warning['sentence'])}")
    if notes:
        gates = ", ".join(escape(note["gate"] + _rows(note)) for note in notes)
        terminal.say(f"[cyan]{_counted(notes, 'note')}[/] of gates that could not judge: {gates}")


def _counted(entries: Sequence[Any], noun: str) -> str:
    return f"{len(entries)} {noun}{'' if len(entries) == 1 else 's'}"


def _rows(note: Mapping[str, Any]) -> str:
    needed = note["rows_needed"]
    return "" if needed is None else f" (from about {needed:,} rows)"
