"""This module provides the road that a test session asks for: the problem, target and state of its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gauntlet.adapters.target import open_target
from gauntlet.commands.opening import overrides
from gauntlet.core.errors import InputError
from gauntlet.core.problem_file import load_problem
from gauntlet.core.stage_names import STAGE_NAMES
from gauntlet.core.state import State
from gauntlet.pipeline import Road
from gauntlet.testing.session_options import path_option, state_folder_of, target_of


def road_of(config: pytest.Config, problem: Path | None) -> Road:
    """Return the road of a problem file, with what the session's options say.

    Args:
        config: pytest's configuration.
        problem: A problem file; None takes that of the options, or the packaged one.

    Raises:
        InputError: If the problem or an option cannot be used.
    """
    path = problem or path_option(config, "problem")
    settings = tuple(config.getoption("gauntlet_set") or ())
    described = load_problem(path, overrides=overrides(settings, protocol=None, seed=config.getoption("gauntlet_seed")))
    state = State(state_folder_of(config))
    name: Any = target_of(config)
    if name not in described.names:
        raise InputError(f"--target {name}: the problem has no names for it; it has {', '.join(described.names)}")
    return Road(
        problem=described,
        target=open_target(name, problem=described, state=state),
        state=state,
        problem_folder=path.resolve().parent if path else None,
        last=STAGE_NAMES[-1],
        synthetic_allowed=not config.getoption("gauntlet_no_synthetic"),
    )
