"""This module provides the values of a test session's options: of the command line, the environment or the ini file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def option(config: pytest.Config, name: str) -> str | None:
    """Return an option's value: the command line's, the environment's, or the ini file's.

    Args:
        config: pytest's configuration.
        name: ``target``, ``problem`` or ``state``.
    """
    given = config.getoption(f"gauntlet_{name}") or os.environ.get(f"GAUNTLET_{name.upper()}")
    return str(given) if given else (str(config.getini(f"gauntlet_{name}")) or None)


def path_option(config: pytest.Config, name: str) -> Path | None:
    """Return an option's value as a path; a relative one counts from the root of the suite."""
    value = option(config, name)
    return config.rootpath / value if value else None


def target_of(config: pytest.Config) -> str:
    """Return the name of the session's target."""
    return option(config, "target") or "local"


def state_folder_of(config: pytest.Config) -> Path:
    """Return the session's state folder."""
    return path_option(config, "state") or config.rootpath / ".gauntlet"
