"""This module provides the terminal: what people and machines read, kept apart from the noise of libraries.

Spark's JVM, py4j, MLflow and Great Expectations write to the process's own output. While work is under way both
streams of the process therefore go to a log file; our lines go to copies of the real ones, made before. Of several
problems side by side each has a terminal that marks its lines, and a log for what Python writes in its thread; what
other processes write, Spark's JVM above all, can be told apart by nobody and goes to the log of the whole.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        self._one_at_a_time = threading.RLock()

    def beside(self, name: str, *, silent: Callable[[], bool]) -> Terminal:
        """Return the terminal of one of several problems that share this one.

        Args:
            name: What its lines begin with.
            silent: Says whether its lines are to be kept back, because the whole was interrupted.
        """
        return _TerminalBeside(self, name, silent)

    def say(self, text: str = "") -> None:
        """Show a line for people."""
        if not self.quiet:
            with self._one_at_a_time:
                self._console(self._err if self.machine else self._out).print(text, highlight=False, soft_wrap=True)

    def table(self, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Show a table for people; it is never cut off."""
        from rich import box  # noqa: PLC0415 - not needed for --help
        from rich.table import Table  # noqa: PLC0415

        drawn = Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            drawn.add_row(*row)
        if not self.quiet:
            with self._one_at_a_time:
                self._console(self._err if self.machine else self._out).print(drawn)

    def document(self, value: Mapping[str, Any]) -> None:
        """Print a JSON document for a machine."""
        print(json.dumps(value, indent=2, ensure_ascii=False), file=self._out, flush=True)

    def complain(self, text: str) -> None:
        """Show an error."""
        from rich.text import Text  # noqa: PLC0415 - not needed for --help

        with self._one_at_a_time:
            self._console(self._err).print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)

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
            with _python_noise_by_thread():
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


class _TerminalBeside(Terminal):
    """The terminal of one of several problems that run side by side."""

    def __init__(self, whole: Terminal, name: str, silent: Callable[[], bool]) -> None:
        super().__init__(quiet=whole.quiet, machine=whole.machine)
        self._whole = whole
        self._name = name
        self._silent = silent

    def say(self, text: str = "") -> None:
        """Show a line for people, marked with the problem's name."""
        from rich.markup import escape  # noqa: PLC0415 - not needed for --help

        if not self._silent():
            self._whole.say("\n".join(f"[cyan]{escape(self._name)}[/]  {line}" for line in text.split("\n")))

    def table(self, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Show a table for people, under the problem's name."""
        with self._whole._one_at_a_time:
            self.say()
            self._whole.table(headers, rows)

    def complain(self, text: str) -> None:
        """Show an error."""
        if not self._silent():
            self._whole.complain(text)

    def progress(self) -> Progress:
        """Return silence: the bars of several problems would draw over one another."""
        return SilentProgress()

    @contextmanager
    def noise_to(self, log: Path) -> Iterator[None]:
        """Send what Python writes in this thread to a file while the block runs; the rest goes to the whole's log."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            _noise.stream = stream
            try:
                yield
            finally:
                _noise.stream = None


class _Noise(threading.local):
    """Where a thread's noise goes; None is where everybody's goes."""

    stream: IO[str] | None = None


_noise = _Noise()


class _StreamByThread:
    """A stream in the place of ``sys.stdout`` or ``sys.stderr`` that writes to the calling thread's own log."""

    def __init__(self, everybodys: Any) -> None:
        self._everybodys = everybodys

    def write(self, text: str) -> int:
        """Write to the log of this thread."""
        written: int = (_noise.stream or self._everybodys).write(text)
        return written

    def flush(self) -> None:
        """Flush the log of this thread."""
        (_noise.stream or self._everybodys).flush()

    def __getattr__(self, name: str) -> Any:
        """Return whatever else is asked for of everybody's stream."""
        return getattr(self._everybodys, name)


@contextmanager
def _python_noise_by_thread() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    ours: tuple[Any, Any] = _StreamByThread(sys.stdout), _StreamByThread(sys.stderr)
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        if (sys.stdout, sys.stderr) == ours:
            sys.stdout, sys.stderr = before


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
