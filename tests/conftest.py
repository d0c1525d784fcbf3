"""The fixtures that several tiers share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.target import LocalTarget
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.stages.context import StageContext


@pytest.fixture(scope="session")
def wine_problem() -> Problem:
    """The default problem with a small sweep."""
    return load_problem(overrides={"sweep.trials": 6, "sweep.lag": 4, "sweep.max_rounds": 40})


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, wine_problem: Problem) -> Any:
    """The one Spark session of the test run, with Delta; started at the first use."""
    target = LocalTarget(problem=wine_problem, state=State(tmp_path_factory.mktemp("spark")), workers=2)
    return target.spark()


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[..., StageContext]:
    """Make the context of a stage in a state folder of its own; ask for ``spark`` too where Spark is needed."""

    def make(problem: Problem, *, stage: str = "stage", key: str = "k" * 64, **options: Any) -> StageContext:
        state = State(tmp_path / "state")
        folder = state.stage_folder(stage, key)
        folder.mkdir(parents=True, exist_ok=True)
        target = LocalTarget(problem=problem, state=state, workers=2)
        return StageContext(problem=problem, target=target, state=state, folder=folder, key=key, **options)

    return make
