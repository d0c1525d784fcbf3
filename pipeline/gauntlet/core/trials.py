"""This module provides the trials of a sweep: what is tried, what came out, and the journal that survives a crash."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gauntlet.core.canonical import digest
from gauntlet.core.errors import DataError
from gauntlet.core.state import append_line, write_atomically

Params = Mapping[str, float | int]

_JOURNAL_VERSION = 1


@dataclass(frozen=True)
class Trial:
    """One point to try.

    Attributes:
        index: Its place in the sweep, from 0.
        seed: The seed of whatever is random in its evaluation.
        params: The point, by parameter.
    """

    index: int
    seed: int
    params: Params


@dataclass(frozen=True)
class TrialResult:
    """What came out of a trial: an AUC, or the reason why there is none.

    Attributes:
        index: The trial's place in the sweep.
        params: The point that was tried.
        auc: The area under the curve on the selection split; None if the trial failed.
        best_iteration: The iteration with that AUC, from 0; None for models without iterations.
        seconds: How long it took.
        started: When it began, in seconds since 1970.
        failure: Why it failed; None if it did not.
    """

    index: int
    params: Params
    auc: float | None
    best_iteration: int | None
    seconds: float
    started: float = 0.0
    failure: str | None = None

    def __post_init__(self) -> None:
        if (self.auc is None) == (self.failure is None):
            raise ValueError(f"trial {self.index}: give either an AUC or the reason why there is none")
        if self.auc is not None and not math.isfinite(self.auc):
            raise ValueError(f"trial {self.index}: an AUC of {self.auc} is a failure, not a result")

    def to_json(self) -> str:
        """Return the result as one line of JSON; floats come back from it as they were, bit for bit."""
        return json.dumps({**vars(self), "params": dict(self.params)}, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> TrialResult:
        """Return the result that a line of JSON says.

        Raises:
            ValueError: If the line is no result.
        """
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"not a trial's result: {line[:80]!r}") from error


def trials_digest(results: Iterable[TrialResult]) -> str:
    """Return the digest of what was tried and what came out, in index order.

    Times, and the wording of failures, are left out: the same sweep gives the same digest on any machine and with any
    number of workers.
    """
    ordered = sorted(results, key=lambda result: result.index)
    return digest([[r.index, dict(r.params), r.auc, r.best_iteration, r.failure is not None] for r in ordered])


def best_trial(results: Iterable[TrialResult]) -> TrialResult:
    """Return the result with the highest AUC; of equal ones the earliest.

    Raises:
        DataError: If no trial succeeded.
    """
    succeeded = [result for result in results if result.auc is not None]
    if not succeeded:
        raise DataError("sweep: no trial succeeded, so there is no model to choose")
    return min(succeeded, key=lambda result: (-(result.auc or 0.0), result.index))


@dataclass(frozen=True)
class Journal:
    """The finished trials of one sweep on disk: a line each, written through before the next is counted.

    The first line names the sweep. A process may be killed at any byte: a torn last line is dropped at the next start.

    Attributes:
        path: The file.
        identity: The digest of all that the sweep's results depend on.
    """

    path: Path
    identity: str

    def start(self) -> dict[int, TrialResult]:
        """Return the trials that are finished already, by index, and leave the file ready for more.

        A journal of another sweep is set aside under another name, and an empty one takes its place.
        """
        header, results, kept_bytes = _read(self.path)
        if header is not None and header.get("identity") == self.identity:
            if kept_bytes < self.path.stat().st_size:
                os.truncate(self.path, kept_bytes)
            return {result.index: result for result in results}
        if self.path.exists():
            other = str((header or {}).get("identity", "unreadable"))[:12]
            self.path.replace(self.path.with_name(f"{self.path.name}.{other}"))
        first = json.dumps({"journal": _JOURNAL_VERSION, "identity": self.identity})
        write_atomically(self.path, first + "\n")
        return {}

    def append(self, result: TrialResult) -> None:
        """Write a finished trial through to the disk."""
        append_line(self.path, result.to_json())


def read_journal(path: Path) -> tuple[TrialResult, ...]:
    """Return the results in a journal, in index order, whatever sweep it belongs to; none if there is no journal."""
    _, results, _ = _read(path)
    return tuple(sorted(results, key=lambda result: result.index))


def _read(path: Path) -> tuple[dict[str, Any] | None, list[TrialResult], int]:
    """Return the first line, the results up to the first line that cannot be read, and their size in bytes."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return None, [], 0
    header: dict[str, Any] | None = None
    results: list[TrialResult] = []
    size = 0
    for line in lines:
        try:
            if not line.endswith(b"\n"):
                break
            text = line.decode("utf-8")
            if header is None:
                header = dict(json.loads(text))
            else:
                results.append(TrialResult.from_json(text))
        except (ValueError, TypeError):
            break
        size += len(line)
    return header, results, size
