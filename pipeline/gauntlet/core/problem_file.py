"""This module provides the reading of problem files, with one clear message for each mistake."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

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
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProblemFileError(f"{path}: cannot be read ({error.strerror}); give --problem an existing file") from error
    except UnicodeDecodeError as error:
        raise ProblemFileError(f"{path}: not UTF-8 text at byte {error.start}; save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ProblemFileError(f"{path}: not TOML: {error}") from error
    for key, value in (overrides or {}).items():
        _override(document, key, value)
    try:
        return Problem.model_validate(document)
    except ValidationError as error:
        lines = [f"{path}: {_sentence(detail)}" for detail in error.errors()]
        raise ProblemFileError("\n".join(lines)) from error


def _override(document: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        document = document.setdefault(section, {})
    document[last] = value


def _sentence(detail: Any) -> str:
    """Say one of pydantic's findings in the terms of the file."""
    key = _key(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key; see the commented default problem for the known ones"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "value_error":
        message = str(context.get("error", detail["msg"]))
        return f"{key}: {message}" if key else message
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{key}: {message}, not {detail['input']!r}"


def _key(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else str(part)
    return text
