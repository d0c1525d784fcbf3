"""This module provides the reading of problem files, with one clear message for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from gauntlet.core.checked_toml import checked, read_toml
from gauntlet.core.errors import ProblemFileError
from gauntlet.core.problem import Problem

DEFAULT_PROBLEM = "wine_quality"


def default_problem_path() -> Path:
    """Return the path of the problem file that ships with the package."""
    return Path(str(resources.files("gauntlet") / "problems" / f"{DEFAULT_PROBLEM}.toml"))


def load_problem(path: Path | None = None, *, overrides: Mapping[str, Any] | None = None) -> Problem:
    """Read a problem file.

    Args:
        path: The file; None takes the default problem.
        overrides: Values that replace the file's, by dotted key, for example ``{"split.protocol": "notebook"}``.

    Raises:
        ProblemFileError: If the file cannot be read, is not TOML, or does not describe a problem. The message names
            the file, each wrong key and what was expected there.
    """
    path = path or default_problem_path()
    document = read_toml(path, error=ProblemFileError, advice="give --problem an existing file")
    for key, value in (overrides or {}).items():
        _override(document, key, value)
    known_keys = "the commented default problem"
    return checked(Problem, document, path=path, error=ProblemFileError, known_keys=known_keys)


def _override(document: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        document = document.setdefault(section, {})
    document[last] = value
