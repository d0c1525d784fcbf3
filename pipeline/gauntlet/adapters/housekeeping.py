"""This module provides the cleaning of a state folder: what no current result needs, and its deletion.

Kept are all tables, MLflow's runs and models, evidence and ledgers, every frozen choice, the newest run, and the stages
that the newest run and every run that promoted a champion are made of.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gauntlet.adapters.origin_files import size_of
from gauntlet.core.state import State


@dataclass(frozen=True)
class Garbage:
    """A folder that can go.

    Attributes:
        path: The folder.
        bytes: What it holds.
        why: Why nothing needs it.
    """

    path: Path
    bytes: int
    why: str


def superseded(state: State) -> tuple[Garbage, ...]:
    """Return what no current result needs."""
    runs = _summaries(state)
    newest = max(runs, default=None)
    promoted = {folder for folder, document in runs.items() if _promoted(document)}
    kept_runs = {newest, *promoted}
    keys = {
        (stage, key[:16])
        for folder, document in runs.items()
        if folder in kept_runs
        for stage, key in document.get("keys", {}).items()
    }
    found: list[Garbage] = []
    for folder in sorted((state.root / "stages").glob("*/*")):
        if folder.parent.name == "select":  # the ledger of test reads names every frozen choice for ever
            continue
        complete = (folder / "result.json").exists()
        # A stage that is not complete may be a sweep's journal, which the next run goes on from.
        if complete and (folder.parent.name, folder.name) not in keys:
            found.append(Garbage(folder, size_of(folder), "a result that a newer one replaced"))
    for folder in sorted(state.runs.glob("*")):
        if folder not in kept_runs:
            found.append(Garbage(folder, size_of(folder), "log of an older run that promoted nothing"))
    return tuple(found)


def delete(garbage: tuple[Garbage, ...]) -> None:
    """Delete folders."""
    for item in garbage:
        shutil.rmtree(item.path)


def _summaries(state: State) -> dict[Path, dict[str, Any]]:
    return {path.parent: document for path in state.runs.glob("*/summary.json") for document in _read(path)}


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return


def _promoted(document: dict[str, Any]) -> bool:
    return document.get("champion") is not None and document.get("stages", {}).get("promote") == "ran"
