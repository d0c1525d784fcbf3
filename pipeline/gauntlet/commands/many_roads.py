"""This module provides the run of several problems in one process: one Spark session, a state folder each, one summary.

They run one after the other. Spark would take them at once, but the address of MLflow, the redirection of what
libraries print and the settings of the session belong to the whole process, so that two at once could write into each
other's folders. Each has a state folder of its own with a lock, on target ``local`` with its registry and its ledger
too, and an error ends its own road only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from gauntlet.commands.opening import RoadOptions, Steps
from gauntlet.commands.road import planned, walked
from gauntlet.core.errors import ExitCode, GauntletError, InputError
from gauntlet.terminal import Terminal


@dataclass(frozen=True)
class _Entry:
    """One problem of several: its file, and its name once the file could be read."""

    file: Path
    name: str | None = None
    error: GauntletError | None = None


def run_many_roads(
    options: RoadOptions, terminal: Terminal, steps: Steps, *, problems: Sequence[Path], dry_run: bool = False
) -> int:
    """Run the stages of several problems one after the other, or say what would run; return the worst exit code.

    Args:
        options: What holds for all of them; each problem gets a folder of its name inside the state folder.
        terminal: Where the lines and the one summary go.
        steps: Which stages.
        problems: Problem files, and folders of them.
        dry_run: Say what would run, and do nothing.

    Raises:
        InputError: If a folder holds no problem file, or two problems have one name; nothing has run then.
    """
    entries = _entries(options, problem_files(problems))
    found = [_run_one(options, terminal, steps, entry, dry_run=dry_run) for entry in entries]
    worst = max(int(document["exit_code"]) for document in found)
    if terminal.machine:
        terminal.document({"runs": found, "exit_code": worst})
    if not dry_run:
        rows = [(escape(row["problem"] or row["file"]), *_ending(row)) for row in found]
        terminal.table(("problem", "", "how it ended"), rows)
    return worst


def problem_files(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return the problem files that are meant: files as they are, of a folder all ``*.toml`` in it by name.

    Raises:
        InputError: If a folder holds none, or a file is named twice.
    """
    files: list[Path] = []
    for path in given:
        inside = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: the folder holds no problem file (*.toml)")
        files += inside
    twice = {file for file in files if [other.resolve() for other in files].count(file.resolve()) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(map(str, twice)))}: named twice; give each problem once")
    return tuple(files)


def _entries(options: RoadOptions, files: Sequence[Path]) -> list[_Entry]:
    """Read every problem's name before anything runs; one that cannot be read fails alone."""
    entries: list[_Entry] = []
    for file in files:
        try:
            entries.append(_Entry(file, name=replace(options, problem=file).described().name))
        except GauntletError as error:
            entries.append(_Entry(file, error=error))
    by_name: dict[str, list[str]] = {}
    for entry in entries:
        if entry.name is not None:
            by_name.setdefault(entry.name, []).append(str(entry.file))
    for name, of in by_name.items():
        if len(of) > 1:
            raise InputError(
                f"{' and '.join(of)}: both problems are named {name!r}, and would share a state folder; rename one"
            )
    return entries


def _run_one(options: RoadOptions, terminal: Terminal, steps: Steps, entry: _Entry, *, dry_run: bool) -> dict[str, Any]:
    """Run one problem and return its document; what goes wrong is in the document."""
    terminal.say(f"[bold]{escape(entry.name or str(entry.file))}[/]")
    document: dict[str, Any] = {"problem": entry.name, "file": str(entry.file)}
    try:
        if entry.error is not None:
            raise entry.error
        its_own = replace(options, problem=entry.file, state=options.state / (entry.name or ""))
        found = planned(its_own, terminal, steps) if dry_run else walked(its_own, terminal, steps)
        document |= {"exit_code": int(ExitCode.DONE)} | found
    except GauntletError as error:
        terminal.complain(f"{entry.file}: {error}")
        document |= {"error": str(error), "exit_code": int(error.exit_code)}
    return document


def _ending(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the mark and the sentence of one problem in the summary."""
    if "error" in document:
        return f"[bold red]exit code {document['exit_code']}[/]", escape(document["error"])
    if document["refusal"]:
        return "[bold red]refused[/]", escape(document["refusal"])
    champion = document["champion"]
    if champion:
        auc = f", AUC {champion['auc_test']:.4f} on test" if champion["auc_test"] is not None else ""
        return "[green]champion[/]", escape(f"{champion['model']} version {champion['version']}{auc}")
    return "[green]done[/]", f"up to stage {list(document['stages'])[-1]}"
