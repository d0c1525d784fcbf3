"""This module provides the run of several problems in one process: one Spark session, a state folder each, one summary.

Each problem has a thread, a state folder with a lock and a log, lines that begin with its name, and on target ``local``
a registry and a ledger of its own; an error ends its own road only. They share the Spark session, and with it its
workers. Where a stage uses what a process has only once, MLflow's fluent interface, Great Expectations' context,
matplotlib's settings or the trap for global randomness, it waits until no other problem is at such a stage
(``Stage.alone``); reading, splitting, the forests, the sweep and the choice run side by side with everything.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from rich.markup import escape

from gauntlet.adapters.spark import import_for_many
from gauntlet.commands.opening import RoadOptions, Steps, run_folder_of
from gauntlet.commands.road import planned, walked
from gauntlet.core.errors import ExitCode, GauntletError, InputError
from gauntlet.core.refusals import Reason, headline
from gauntlet.core.state import State
from gauntlet.terminal import Terminal

# Each problem at work holds its tables and models in memory.
_MOST_AT_ONCE = 4


@dataclass(frozen=True)
class _Entry:
    """One problem of several: its file, and its name once the file could be read."""

    file: Path
    name: str | None = None
    error: GauntletError | None = None


def run_many_roads(  # noqa: PLR0913 - one argument an option of the command
    options: RoadOptions,
    terminal: Terminal,
    steps: Steps,
    *,
    problems: Sequence[Path],
    parallel: int | None = None,
    dry_run: bool = False,
) -> int:
    """Run the stages of several problems side by side, or say what would run; return the worst exit code.

    Args:
        options: What holds for all of them; each problem gets a folder of its name inside the state folder.
        terminal: Where the lines and the one summary go.
        steps: Which stages.
        problems: Problem files, and folders of them.
        parallel: How many run at once; None takes one for each core, and four at most.
        dry_run: Say what would run, and do nothing.

    Raises:
        InputError: If a folder holds no problem file, or two problems have one name; nothing has run then.
    """
    entries = _entries(options, problem_files(problems))
    at_once = 1 if dry_run else parallel or min(os.cpu_count() or 1, _MOST_AT_ONCE)
    if at_once > 1:
        import_for_many()
    interrupted = threading.Event()

    def ask(entry: _Entry) -> dict[str, Any]:
        beside = terminal.beside(entry.name or str(entry.file), silent=interrupted.is_set)
        return _run_one(options, beside, steps, entry, dry_run=dry_run)

    with run_folder_of(State(options.state), terminal) as run_folder:
        found = _side_by_side(ask, entries, at_once=at_once, interrupted=interrupted)
    worst = max(int(document["exit_code"]) for document in found)
    log = str((run_folder / "log.txt").resolve())
    if terminal.machine:
        terminal.document({"runs": found, "exit_code": worst, "log": log})
    if not dry_run:
        rows = [(escape(row["problem"] or row["file"]), *_ending(row)) for row in found]
        terminal.table(("problem", "", "how it ended"), rows)
        terminal.say(f"Log of the session: {escape(log)}")
    return worst


def _side_by_side(
    ask: Callable[[_Entry], dict[str, Any]],
    entries: Sequence[_Entry],
    *,
    at_once: int,
    interrupted: threading.Event,
) -> list[dict[str, Any]]:
    """Return each problem's document, in the problems' order.

    An interruption begins nothing more and is raised at once. What is under way ends with the process, as if it were
    killed: nothing is lost by that, and the next run goes on from there.
    """
    waiting = deque(enumerate(entries))
    ended: SimpleQueue[tuple[int, dict[str, Any] | BaseException]] = SimpleQueue()

    def work() -> None:
        while not interrupted.is_set():
            try:
                number, entry = waiting.popleft()
            except IndexError:
                return
            try:
                ended.put((number, ask(entry)))
            except BaseException as error:  # it is raised again where it is waited for
                interrupted.set()
                ended.put((number, error))

    for number in range(min(at_once, len(entries))):
        threading.Thread(target=work, name=f"road {number}", daemon=True).start()
    found: dict[int, dict[str, Any]] = {}
    try:
        while len(found) < len(entries):
            number, document = ended.get()
            if isinstance(document, BaseException):
                raise document
            found[number] = document
    finally:
        interrupted.set()
    return [found[number] for number in range(len(entries))]


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
        return "[bold red]refused[/]", escape(headline(tuple(Reason(**reason) for reason in document["reasons"])))
    champion = document["champion"]
    if champion:
        auc = f", AUC {champion['auc_test']:.4f} on test" if champion["auc_test"] is not None else ""
        warnings = len(document["warnings"] or ())
        warned = f", {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
        return "[green]champion[/]", escape(f"{champion['model']} version {champion['version']}{auc}{warned}")
    return "[green]done[/]", f"up to stage {list(document['stages'])[-1]}"
