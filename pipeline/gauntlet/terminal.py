"""This module provides the terminal: what people and machines read, kept apart from the noise of libraries.

Spark's JVM, py4j, MLflow and Great Expectations write to the process's own output. While work is under way both
streams of the process therefore go to a log file; our lines go to copies of the real ones, made before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gauntlet.core.progress import Progress, SilentProgress, SilentTask, Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@dataclass
class Terminal:
    """Where our own lines go.

    Attributes:
        quiet: Show errors and the result only.
        machine: Print one JSON document on standard output; lines for people go to standard error.
    """

    quiet: bool = False
    machine: bool = False

    def __post_init__(self) -> None:
        self._out: IO[str] = sys.stdout
        self._err: IO[str] = sys.stderr

    def say(self, text: str = "") -> None:
        """Show a line for people."""
        if not self.quiet:
            self._console(self._err if self.machine else self._out).print(text, highlight=False, soft_wrap=True)

    def table(self, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Show a table for people; it is never cut off."""
        from rich import box  # noqa: PLC0415 - not needed for --help
        from rich.table import Table  # noqa: PLC0415

        drawn = Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            drawn.add_row(*row)
        if not self.quiet:
            self._console(self._err if self.machine else self._out).print(drawn)

    def document(self, value: Mapping[str, Any]) -> None:
        """Print a JSON document for a machine."""
        print(json.dumps(value, indent=2, ensure_ascii=False), file=self._out, flush=True)

    def complain(self, text: str) -> None:
        """Show an error."""
        from rich.text import Text  # noqa: PLC0415 - not needed for --help

        console = self._console(self._err)
        console.print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)

    def progress(self) -> Progress:
        """Return bars on standard error where that is a terminal that somebody watches, else silence."""
        if self.quiet or not self._err.isatty():
            return SilentProgress()
        return _BarProgress(self._console(self._err))

    @contextmanager
    def noise_to(self, log: Path) -> Iterator[None]:
        """Send what libraries write, in this process and its children, to a file while the block runs."""
        log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        saved = os.dup(1), os.dup(2)
        ours = self._out, self._err
        self._out = os.fdopen(os.dup(saved[0]), "w", encoding="utf-8")
        self._err = os.fdopen(os.dup(saved[1]), "w", encoding="utf-8")
        with log.open("a", encoding="utf-8") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for descriptor in saved:
                os.close(descriptor)
            self._out.close()
            self._err.close()
            self._out, self._err = ours

    def _console(self, stream: IO[str]) -> Console:
        from rich.console import Console  # noqa: PLC0415 - not needed for --help

        return Console(file=stream, width=None if stream.isatty() else 200)


class _BarProgress:
    """Progress as bars."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Task]:
        """Open a bar of so many steps; it vanishes when the task is over."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            yield _BarTask(bars, bars.add_task(description, total=total, note=""))


class _BarTask(SilentTask):
    """One bar."""

    def __init__(self, bars: Bars, identifier: TaskID) -> None:
        self._bars = bars
        self._identifier = identifier

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Move the bar."""
        if note:
            self._bars.update(self._identifier, advance=steps, note=note)
        else:
            self._bars.update(self._identifier, advance=steps)
