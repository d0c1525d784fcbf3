"""This module provides the candidate: all that a gate may look at before it says yes or no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gauntlet.core.problem import Problem
from gauntlet.core.results import ExpectationsResult, IngestResult, ModelVersion, SelectResult, SplitResult
from gauntlet.core.verdict import Verdict
from gauntlet.stages.training_rows import Rows


@dataclass(frozen=True)
class Incumbent:
    """The champion that a candidate is compared with.

    Attributes:
        version: Its version; None if there is none.
        probability: Its probabilities on the test rows; None if there is none, or it could not be loaded.
        fault: Why it could not be looked up, loaded or asked; None if it could, or if there positively is none.
        is_candidate: Whether it is the very model that is judged.
        rows: The fingerprint of the split that it was fitted on; None if it does not say.
    """

    version: ModelVersion | None = None
    probability: NDArray[np.float64] | None = None
    fault: str | None = None
    is_candidate: bool = False
    rows: str | None = None

    @property
    def bootstrap(self) -> bool:
        """Whether there positively is no champion yet."""
        return self.version is None and self.fault is None


@dataclass(frozen=True)
class Candidate:
    """A chosen model with the rows, tables and models that it is judged by.

    Attributes:
        problem: The problem, with the gates' bounds.
        ingest: The tables.
        expectations: What the suites said of them.
        split: How rows were divided.
        select: The frozen choice.
        rows: The test rows.
        probability: What each model says of the test rows, by the model's name.
        baseline: The name of the baseline model.
        model_digest: The digest of what the chosen model decides.
        incumbent: The champion to compare with.
    """

    problem: Problem
    ingest: IngestResult
    expectations: ExpectationsResult
    split: SplitResult
    select: SelectResult
    rows: Rows
    probability: Mapping[str, NDArray[np.float64]]
    baseline: str
    model_digest: str
    incumbent: Incumbent

    @property
    def chosen(self) -> str:
        """The name of the chosen model."""
        return self.select.chosen.name


Judge = Callable[[Candidate], tuple[Verdict, ...]]
