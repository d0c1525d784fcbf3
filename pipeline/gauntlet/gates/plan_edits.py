"""This module provides edits of a plan's document: what saboteurs of plans have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gauntlet.core.errors import DataError
from gauntlet.core.planned_values import Path

Change = dict[str, Any]


def resources_of(document: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    """Return the managed resources of some types that are there after apply.

    Raises:
        DataError: If there are none.
    """
    found = [
        entry
        for entry in document.get("resource_changes", [])
        if entry.get("mode") == "managed" and entry["type"] in types and entry["change"].get("after") is not None
    ]
    if not found:
        raise DataError(f"there is no {' or '.join(types)} to break")
    return found


def change_of(document: dict[str, Any], *types: str) -> Change:
    """Return what is done with the first resource of some types.

    Raises:
        DataError: If there is none.
    """
    change: Change = resources_of(document, *types)[0]["change"]
    return change


def put(change: Change, path: Path, value: Any) -> None:
    """Set a value of a resource after apply; it is known then, whatever it was before."""
    *above, last = path
    target = change["after"]
    for step in above:
        target = target[step]
    if isinstance(target, dict):
        target[last] = value
    else:
        target[last : last + 1] = [value]  # type: ignore[operator]
    marks: Any = change.get("after_unknown")
    for step in above:
        inside = isinstance(marks, dict) and step in marks
        inside = inside or (isinstance(marks, list) and isinstance(step, int) and step < len(marks))
        marks = marks[step] if inside else None
    if isinstance(marks, dict):
        marks.pop(last, None)
    elif isinstance(marks, list) and isinstance(last, int) and last < len(marks):
        marks[last] = False


def paths_to(values: Any, *names: str) -> Iterator[Path]:
    """Give the paths to all nested blocks of a name below a name, and so on: ``paths_to(job, "task", "library")``."""
    name, *further = names
    for place, block in enumerate(values.get(name) or []):
        if isinstance(block, dict):
            for below in paths_to(block, *further) if further else [()]:
                yield (name, place, *below)


def first_path(change: Change, *names: str) -> Path:
    """Return the path to the first of such blocks.

    Raises:
        DataError: If there is none.
    """
    for path in paths_to(change["after"], *names):
        return path
    raise DataError(f"there is no {'.'.join(names)} to break")


def at(change: Change, path: Path) -> Any:
    """Return a value of a resource after apply; None if it is not there."""
    value = change["after"]
    for step in path:
        value = value.get(step) if isinstance(value, dict) else value[step]
    return value
