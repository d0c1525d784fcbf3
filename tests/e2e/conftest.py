"""The command as a user runs it: in a process of its own, from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gauntlet.core.problem_file import load_problem
from tests.commands import SMALL_ROAD, Ended
from tests.session_target import SessionTarget

_SECONDS = 600
# The commands that are about a problem, whose names tests that share servers must tell apart.
WITH_PROBLEM = ("run", "stage", "gates", "sabotage", "evidence", "promote", "rollback", "audit")


@pytest.fixture(scope="session")
def gauntlet_command() -> Callable[..., list[str]]:
    """Give the command line of ``gauntlet`` in this environment."""

    def command(*arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "gauntlet", *(str(argument) for argument in arguments)]

    return command


@pytest.fixture(scope="session")
def gauntlet(gauntlet_command: Callable[..., list[str]], session_target: SessionTarget) -> Callable[..., Ended]:
    """Run ``gauntlet`` in a folder on the session's target, with the environment changed as asked."""
    there = dict(session_target.environment) | {"GAUNTLET_TARGET": session_target.name}

    def run(*arguments: str | Path, folder: Path, **changes: str) -> Ended:
        names = session_target.names(load_problem(), folder) if arguments[0] in WITH_PROBLEM else {}
        settings = [f"--set=names.{session_target.name}.{key}={value}" for key, value in names.items()]
        done = subprocess.run(
            gauntlet_command(*arguments, *settings),
            cwd=folder,
            env=os.environ | there | changes,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def small_road(gauntlet: Callable[..., Ended], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """Walk the small road once, and give its folder and how it ended; the champions' drill alone changes the folder."""
    folder = tmp_path_factory.mktemp("small_road")
    return folder, gauntlet("run", *SMALL_ROAD, "--json", folder=folder)


@pytest.fixture(scope="session")
def real_data() -> bool:
    """Say whether the real wine files are there; without them the road runs on synthetic rows."""
    return "GAUNTLET_DATA_DIR" in os.environ
