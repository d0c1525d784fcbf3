"""This module provides what every stage is given beside its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gauntlet.adapters.target import Target
from gauntlet.core.problem import Problem
from gauntlet.core.progress import Progress, SilentProgress
from gauntlet.core.seeding import Seeds
from gauntlet.core.state import State


@dataclass(frozen=True)
class StageContext:
    """What a stage may use.

    Attributes:
        problem: What the run is about.
        target: Where Spark, the tables and MLflow are.
        state: The state folder.
        folder: The stage's own folder; it exists, and may hold what a killed run left there.
        key: The digest of all that the stage's result depends on; a mark for what it makes elsewhere (MLflow runs,
            model versions), so that a second try finds it instead of making it twice.
        synthetic_allowed: Whether generated data may stand in for data that cannot be had.
        incremental: Whether scoring leaves rows alone that have a prediction.
        problem_folder: The folder of the problem file, where its suites lie; None for the packaged problem.
        progress: Where long work is shown.
    """

    problem: Problem
    target: Target
    state: State
    folder: Path
    key: str
    synthetic_allowed: bool = True
    incremental: bool = False
    problem_folder: Path | None = None
    progress: Progress = field(default_factory=SilentProgress)

    @property
    def seeds(self) -> Seeds:
        """The source of random draws."""
        return Seeds(self.problem.seed)
