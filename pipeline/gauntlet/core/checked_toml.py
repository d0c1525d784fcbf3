"""This module provides the reading of TOML files that a model describes, with one clear message for each mistake."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gauntlet.core.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, *, error: type[InputError], advice: str) -> dict[str, Any]:
    """Return the document that a file holds.

    Args:
        path: The file.
        error: What is raised where it cannot be read or is not TOML.
        advice: What to do where there is no such file.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise error(f"{path}: cannot be read ({cause.strerror}); {advice}") from cause
    except UnicodeDecodeError as cause:
        raise error(f"{path}: not UTF-8 text at byte {cause.start}; save the file as UTF-8") from cause
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{path}: not TOML: {cause}") from cause


def checked(  # noqa: PLR0913 - all but the first two say how a mistake is told
    model: type[Model],
    document: Mapping[str, Any],
    *,
    path: Path,
    error: type[InputError],
    known_keys: str,
    context: Mapping[str, Any] | None = None,
) -> Model:
    """Return a document as its model.

    Args:
        model: The model.
        document: What the file holds.
        path: The file, for messages.
        error: What is raised where the document does not fit; one line for each wrong key, with what was expected.
        known_keys: Where the known keys can be seen.
        context: What the model's validators are told.
    """
    try:
        return model.model_validate(document, context=dict(context or {}))
    except ValidationError as cause:
        lines = [f"{path}: {_sentence(detail, known_keys=known_keys)}" for detail in cause.errors()]
        raise error("\n".join(lines)) from cause


def _sentence(detail: Any, *, known_keys: str) -> str:
    """Say one of pydantic's findings in the terms of the file."""
    key = _key(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key; see {known_keys} for the known ones"
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
