"""This module provides the opening of a road for a command: its options, its lock, its log, its lines for people."""

from __future__ import annotations

import tomllib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gauntlet.adapters.environment import require
from gauntlet.adapters.faults import explained
from gauntlet.core.errors import GauntletError, InputError
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.refusals import headline, reasons
from gauntlet.core.results import StageResult
from gauntlet.core.section import TargetName
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.state import State
from gauntlet.core.summary import sentence
from gauntlet.terminal import Terminal

if TYPE_CHECKING:
    from gauntlet.pipeline import Road, StageReport


@dataclass(frozen=True)
class RoadOptions:
    """What a command was told of the problem, the target and the state folder.

    Attributes:
        problem: The problem file; None for the one that ships with the package.
        target: The target's name.
        state: The state folder.
        protocol: Replaces ``split.protocol``.
        seed: Replaces the problem's seed.
        settings: Further replacements, ``KEY=VALUE`` each.
        no_synthetic: Fail rather than use generated data.
        workers: Spark's worker threads; None takes one a core.
        wait: How many seconds to wait for another run that uses the state folder.
    """

    problem: Path | None = None
    target: TargetName = "local"
    state: Path = Path(".gauntlet")
    protocol: str | None = None
    seed: int | None = None
    settings: tuple[str, ...] = ()
    no_synthetic: bool = False
    workers: int | None = None
    wait: float = 0.0

    @property
    def problem_folder(self) -> Path | None:
        """The folder of the problem file; None for the packaged problem."""
        return self.problem.resolve().parent if self.problem else None

    def described(self) -> Problem:
        """Return the problem, with what the command line replaces.

        Raises:
            InputError: If it cannot be read, or a replacement does not fit.
        """
        return load_problem(self.problem, overrides=overrides(self.settings, protocol=self.protocol, seed=self.seed))


@dataclass(frozen=True)
class Steps:
    """Which stages a command is about.

    Attributes:
        first: Redo this stage and all after it, done or not; None redoes nothing that is done.
        last: Stop after this stage.
        only: Run the last stage alone, and require that those before it are done.
        incremental: Score only rows that have no prediction.
    """

    first: str | None = None
    last: str = STAGE_NAMES[-1]
    only: bool = False
    incremental: bool = False


@contextmanager
def opened_road(options: RoadOptions, terminal: Terminal, steps: Steps) -> Iterator[tuple[Road, Path]]:
    """Give a road that nobody else uses meanwhile, and the folder of this run's log.

    Raises:
        GauntletError: If the problem cannot be read, the environment lacks something, or the folder is in use.
    """
    problem, folder = options.described(), State(options.state)
    require(folder, target=options.target)
    with folder.locked(wait_seconds=options.wait), run_folder_of(folder, terminal) as run_folder:
        from gauntlet.adapters.target import open_target  # noqa: PLC0415 - after the lock, the log and the checks
        from gauntlet.pipeline import Road  # noqa: PLC0415

        road = Road(
            problem=problem,
            target=open_target(options.target, problem=problem, state=folder, workers=options.workers),
            state=folder,
            problem_folder=options.problem_folder,
            synthetic_allowed=not options.no_synthetic,
            first=steps.first,
            last=steps.last,
            only=steps.only,
            incremental=steps.incremental,
            progress=terminal.progress(),
            listener=StageLines(terminal),
        )
        yield road, run_folder


@contextmanager
def run_folder_of(state: State, terminal: Terminal) -> Iterator[Path]:
    """Make a folder for one command's log and summary; an unknown error is explained by the log, not by a traceback."""
    folder = state.runs / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    log = folder / "log.txt"
    try:
        with terminal.noise_to(log):
            yield folder
    except (GauntletError, KeyboardInterrupt):
        raise
    except Exception as error:
        known = explained(error)
        if known is not None:
            raise known from error
        with log.open("a", encoding="utf-8") as stream:
            traceback.print_exc(file=stream)
        raise GauntletError(
            f"a defect in Gauntlet ({type(error).__name__}: {_first_line(error)}); please report it with {log}"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"


def overrides(settings: tuple[str, ...], *, protocol: str | None, seed: int | None) -> dict[str, Any]:
    """Return the problem's values that a command line replaces, by dotted key.

    Raises:
        InputError: If a setting is not ``KEY=VALUE``.
    """
    values: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {text}: expected KEY=VALUE, for example sweep.trials=24")
        values[key.strip()] = _value(value.strip())
    if protocol is not None:
        values["split.protocol"] = protocol
    if seed is not None:
        values["seed"] = seed
    return values


def _value(text: str) -> Any:
    """Read a value as TOML does; what is no TOML value is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


class StageLines:
    """One line a stage, shown as soon as it is done."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __call__(self, event: StageReport, result: StageResult) -> None:
        """Show the line of one stage."""
        marks = {"ran": "[green]✓[/]", "up to date": "[dim]=[/]", "refused": "[red]✗[/]"}
        took = f"{event.seconds:6.1f} s" if event.state != "up to date" else "        "
        text = escape(sentence(result) if result.refusal is None else headline(reasons({event.name: result})))
        self._terminal.say(f"{marks.get(event.state, ' ')} {event.name:<13}{took}  {text}")
