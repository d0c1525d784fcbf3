"""This module provides what the gates on the model share: checked answers, and the words for intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.gate_rules import MINIMUM_CLASS_ROWS
from gauntlet.core.problem import Costs, SplitName
from gauntlet.core.scores import costs_in_force
from gauntlet.core.statistics.intervals import Interval, normal_quantile
from gauntlet.core.statistics.rows import probability_rows
from gauntlet.core.verdict import Status, Verdict
from gauntlet.stages.candidate import Candidate, JudgedModel


@dataclass(frozen=True)
class Answered:
    """What a model says of the rows of a split, checked.

    Attributes:
        probability: One probability a row, finite and between 0 and 1.
        label: One 0 or 1 a row, both classes among them.
    """

    probability: NDArray[np.float64]
    label: NDArray[np.int8]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.label)


def model_of(candidate: Candidate, name: str) -> JudgedModel:
    """Return one of the candidate's models.

    Raises:
        DataError: If there is none of that name.
    """
    if name not in candidate.models:
        known = ", ".join(candidate.models) or "none"
        raise DataError(f"the candidate has no model {name!r}; known: {known}")
    return candidate.models[name]


def answered(candidate: Candidate, model: JudgedModel, split: SplitName = "test") -> Answered:
    """Return what a model says of the rows of a split.

    Raises:
        DataError: If there are no rows or rows of one class only, or the answers are no probabilities.
    """
    try:
        return Answered(*probability_rows(candidate.answers(model, split), candidate.splits.rows(split).label))
    except DataError as error:
        raise DataError(f"{model.name} on {split}: {error}") from error


def chosen_on(candidate: Candidate, split: SplitName = "test") -> Answered:
    """Return what the chosen model says of the rows of a split.

    Raises:
        DataError: As ``model_of`` and ``answered`` do.
    """
    return answered(candidate, model_of(candidate, candidate.chosen), split)


def threshold_of(candidate: Candidate) -> float:
    """Return the threshold that rows are decided by.

    Raises:
        DataError: If the candidate has none, or it is no finite number.
    """
    if candidate.threshold is None:
        raise DataError("the candidate has no threshold, so it decides nothing; choose one on the selection split")
    if not math.isfinite(candidate.threshold):
        raise DataError(f"the candidate's threshold must be a finite number, not {candidate.threshold}")
    return candidate.threshold


def costs_of(candidate: Candidate) -> Costs:
    """Return the costs that decisions are judged by: the problem's, or balanced ones where it sets none.

    Raises:
        DataError: As ``costs_in_force`` does.
    """
    frame = candidate.splits.frame
    share = float(frame.loc[frame["split"] == "train", "label"].mean())
    return costs_in_force(candidate.problem.costs, positive_share=share)


def too_few_rows(gate: str, candidate: Candidate, test: Answered) -> Verdict | None:
    """Return a NOTE if a class has fewer test rows than ``MINIMUM_CLASS_ROWS``; None if the gate can judge."""
    positives = int(test.label.sum())
    fewest = min(positives, test.rows - positives)
    if fewest >= MINIMUM_CLASS_ROWS:
        return None
    needed = rows_for_class(candidate, MINIMUM_CLASS_ROWS)
    message = (
        f"not judged: test has {positives} positive and {test.rows - positives} negative rows, and an estimate needs "
        f"{MINIMUM_CLASS_ROWS} of each; it can be judged from about {needed} rows of the table"
    )
    return Verdict(gate, Status.NOTE, message, float(fewest), float(MINIMUM_CLASS_ROWS), test.rows, rows_needed=needed)


def rows_for_class(candidate: Candidate, class_rows: int) -> int:
    """Return from about how many rows of the table the test split holds so many rows of its rarer class.

    Args:
        candidate: The candidate, whose table's share of the rarer class and test fraction are used.
        class_rows: The rows of the rarer class that are needed on test.
    """
    frame = candidate.splits.frame
    share = float(frame["label"].mean())
    test_share = float((frame["split"] == "test").mean())
    return math.ceil(class_rows / (min(share, 1 - share) * test_share))


def confidence_of(candidate: Candidate) -> float:
    """Return the confidence of two-sided intervals, so that each end is a one-sided bound of ``gates.model.level``."""
    return 1 - 2 * candidate.problem.gates.model.level


def normal_interval(value: float, standard_error: float, *, confidence: float) -> Interval:
    """Return the normal interval around an estimate."""
    reach = normal_quantile((1 + confidence) / 2) * standard_error
    return value - reach, value + reach


def spoken(interval: Interval, *, confidence: float) -> str:
    """Return an interval in words, such as ``90% interval 0.7957 to 0.8398``."""
    return f"{confidence:.0%} interval {interval[0]:.4f} to {interval[1]:.4f}"
