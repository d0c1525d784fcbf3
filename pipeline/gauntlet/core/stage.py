"""This module provides the key under which a stage's result is kept: the digest of all that the result depends on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gauntlet.core.canonical import JsonValue, digest, file_digest
from gauntlet.core.problem import Problem
from gauntlet.core.results import FileRef, StageResult, TableRef

# A change of one of these may change a number; a change of another library does not.
_LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "xgboost-cpu", "hyperopt", "mlflow", "great-expectations")


def key_parts(
    stage: str,
    *,
    problem: Problem,
    settings: tuple[str, ...],
    inputs: Mapping[str, StageResult],
    outside: Mapping[str, JsonValue],
) -> dict[str, str]:
    """Return the digests of what a stage's result depends on, by a name that people understand.

    Args:
        stage: The stage's name.
        problem: The problem.
        settings: The dotted names of the problem's parts that the stage reads.
        inputs: The results that it reads, by stage.
        outside: What it reads beyond those (the digests of source files).
    """
    parts = {"stage": stage, "the code or a library": code_digest()}
    parts |= {name: digest(setting(problem, name)) for name in settings}
    parts |= {f"the result of {name}": result.digest() for name, result in inputs.items()}
    parts |= {name: digest(value) for name, value in outside.items()}
    return parts


def setting(problem: Problem, name: str) -> Any:
    """Return a part of the problem by its dotted name, as JSON."""
    value: Any = problem.model_dump(mode="json")
    for part in name.split("."):
        value = value[part]
    return value


@cache
def code_digest() -> str:
    """Return the digest of this package's code and of the versions of the libraries that compute with it."""
    package = Path(__file__).resolve().parent.parent
    faces = {"cli.py", "terminal.py", "plugin.py", "__main__.py"}
    sources = [path for path in sorted(package.rglob("*")) if path.suffix in {".py", ".json", ".j2", ".css", ".js"}]
    files = {
        path.relative_to(package).as_posix(): file_digest(path)
        for path in sources
        if path.name not in faces and "suites" not in path.relative_to(package).parts
    }
    return digest({"files": files, "libraries": {name: _version(name) for name in _LIBRARIES}})


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ, in the order of ``after``."""
    return [name for name, value in after.items() if before.get(name) != value]


def references(result: StageResult) -> Iterator[TableRef | FileRef]:
    """Yield every table and file that a result names, so that their presence can be checked."""
    yield from _references(result)


def _references(value: Any) -> Iterator[TableRef | FileRef]:
    if isinstance(value, TableRef | FileRef):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _references(getattr(value, name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _references(item)
