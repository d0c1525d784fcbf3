"""This module provides the commands that draft: a problem file with its suites, and the suites anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.core.errors import ExitCode, InputError
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.adapters.drafted_files import DraftedFile


def write_draft(  # noqa: PLR0913 - one argument an option of the command
    *,
    table: Path,
    label: str,
    positive: str | None,
    name: str | None,
    output: Path | None,
    state: Path,  # noqa: ARG001 - a common option, without use here
    machine: bool,
    quiet: bool,
) -> int:
    """Write a problem file and suites for a table, and say what was decided."""
    from gauntlet.adapters.problem_draft import draft_problem  # noqa: PLC0415 - imports pandas

    terminal = Terminal(quiet=quiet, machine=machine)
    output = output or Path(f"{name or table.stem}.toml")
    draft = draft_problem(table, label=label, positive=positive, name=name, output=output)
    next_command = f"gauntlet run --problem {draft.problem}"
    if machine:
        terminal.document(
            {
                "problem": str(draft.problem),
                "suites": [str(suite) for suite in draft.suites],
                "files": _documents(draft.files),
                "columns": [asdict(column) for column in draft.columns],
                "notes": list(draft.notes),
                "forecast": draft.forecast.document(),
                "next": next_command,
            }
        )
        return ExitCode.DONE
    rows = [(escape(c.column), escape(c.read_as), _ROLES.get(c.role, c.role), escape(c.why)) for c in draft.columns]
    terminal.table(("column", "read as", "role", "why"), rows)
    for sentence in (*draft.notes, *draft.forecast.sentences()):
        terminal.say(escape(sentence))
    _show(draft.files, terminal, written=True)
    terminal.say(f"Next: {escape(next_command)}")
    return ExitCode.DONE


def sync_suites(
    *,
    problem: Path | None,
    check: bool,
    state: Path,  # noqa: ARG001 - a common option, without use here
    machine: bool,
    quiet: bool,
) -> int:
    """Draft a problem's suites anew and write what changes, or only say so."""
    from gauntlet.adapters.drafted_files import write_all  # noqa: PLC0415 - imports pandas
    from gauntlet.adapters.jars import cache_folder  # noqa: PLC0415 - as above
    from gauntlet.adapters.suite_sync import drafted_suites, source_table  # noqa: PLC0415 - as above
    from gauntlet.core.problem_file import load_problem  # noqa: PLC0415 - as above

    if problem is None:
        raise InputError("the suites of the packaged problem are not drafted; name a problem file with --problem")
    terminal = Terminal(quiet=quiet, machine=machine)
    loaded = load_problem(problem)
    table = source_table(loaded, cache=cache_folder())
    files = drafted_suites(loaded, table, problem_folder=problem.parent)
    if not check:
        write_all(files)
    changed = any(file.changes for file in files)
    code = ExitCode.REFUSED if check and changed else ExitCode.DONE
    if machine:
        terminal.document({"files": _documents(files), "changed": changed, "exit_code": int(code)})
    else:
        _show(files, terminal, written=not check)
    return code


_ROLES = {"feature": "feature", "ignored": "[yellow]ignored[/]", "label": "[green]label[/]"}


def _show(files: Iterable[DraftedFile], terminal: Terminal, *, written: bool) -> None:
    """Say which files change, with the difference, and what was edited and stays."""
    for file in files:
        if file.changes:
            verb = "wrote" if written else "would write"
            terminal.say(f"{verb} {escape(str(file.path))}")
        else:
            terminal.say(f"unchanged: {escape(str(file.path))}")
        if file.kept:
            terminal.say(f"  kept as edited: {escape(', '.join(file.kept))}")
        if file.before is not None and file.diff:
            if not file.changes:
                terminal.say("  a new draft differs from it so:")
            terminal.say(escape(file.diff))


def _documents(files: Iterable[DraftedFile]) -> list[dict[str, Any]]:
    return [
        {
            "path": str(file.path),
            "change": "written" if file.before is None else "updated" if file.changes else "none",
            "kept": list(file.kept),
            "diff": "" if file.before is None else file.diff,
        }
        for file in files
    ]
