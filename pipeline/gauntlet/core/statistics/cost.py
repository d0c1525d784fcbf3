"""This module provides what deciding by a threshold costs, with intervals, and what it saves over not deciding at all.

Costs are a row, in the unit of the problem's two costs. Deciding every row positive (accept all) or every row negative
(reject all) needs no model; a model is worth having if it is cheaper than both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Costs
from gauntlet.core.statistics.bootstrap import bootstrap, percentile_interval, weighted_mean
from gauntlet.core.statistics.intervals import Estimate
from gauntlet.core.statistics.rows import probability_rows


@dataclass(frozen=True)
class CostIntervals:
    """What a threshold's decisions cost a row.

    Attributes:
        cost: The expected cost.
        saving_over_accept_all: The cost of deciding every row positive less ours; positive means that ours is cheaper.
        saving_over_reject_all: The cost of deciding every row negative less ours; positive means that ours is cheaper.
    """

    cost: Estimate
    saving_over_accept_all: Estimate
    saving_over_reject_all: Estimate


@overload
def expected_cost(
    probability: ArrayLike, label: ArrayLike, *, threshold: float, costs: Costs, weights: None = None
) -> float: ...


@overload
def expected_cost(
    probability: ArrayLike, label: ArrayLike, *, threshold: float, costs: Costs, weights: ArrayLike
) -> NDArray[np.float64]: ...


def expected_cost(
    probability: ArrayLike, label: ArrayLike, *, threshold: float, costs: Costs, weights: ArrayLike | None = None
) -> float | NDArray[np.float64]:
    """Return the cost a row of deciding rows at or above a threshold positive.

    Args:
        probability: One probability a row.
        label: One 0 or 1 a row.
        threshold: The threshold; best chosen on other rows, or its cost here is too good.
        costs: What a wrong decision costs.
        weights: One row a resample, one column a row of the data; without them each row counts once.

    Returns:
        One number, or one a row of ``weights``.

    Raises:
        DataError: If the rows cannot be judged (see ``probability_rows``), or the threshold is not finite.
    """
    paid = _paid(*probability_rows(probability, label), threshold=threshold, costs=costs)
    return float(paid.mean()) if weights is None else weighted_mean(paid, weights)


def cost_intervals(  # noqa: PLR0913 - what is estimated, and how surely, each by name
    probability: ArrayLike,
    label: ArrayLike,
    *,
    threshold: float,
    costs: Costs,
    generator: np.random.Generator,
    repetitions: int = 2000,
    confidence: float = 0.95,
) -> CostIntervals:
    """Return what a threshold's decisions cost, and what they save over deciding all rows alike.

    The savings are paired: each row's cost is compared with the same row's. The bootstrap resamples all rows alike,
    not each class to its own size, for how many positives there are is part of what deciding costs.

    Raises:
        DataError: If the rows cannot be judged (see ``probability_rows``), or the threshold is not finite.
    """
    given, truth = probability_rows(probability, label)
    paid = _paid(given, truth, threshold=threshold, costs=costs)
    accepting, rejecting = costs.false_positive * (truth == 0) - paid, costs.false_negative * (truth == 1) - paid
    alike = np.zeros(len(given), dtype=np.int8)

    def estimate(rows: NDArray[np.float64]) -> Estimate:
        drawn = bootstrap(partial(weighted_mean, rows), alike, repetitions=repetitions, generator=generator)
        return Estimate(float(rows.mean()), percentile_interval(drawn, confidence))

    return CostIntervals(
        cost=estimate(paid),
        saving_over_accept_all=estimate(accepting),
        saving_over_reject_all=estimate(rejecting),
    )


def _paid(
    given: NDArray[np.float64], truth: NDArray[np.int8], *, threshold: float, costs: Costs
) -> NDArray[np.float64]:
    """Return what each row's decision costs."""
    if not math.isfinite(threshold):
        raise DataError(f"cost: the threshold must be a finite number, not {threshold}")
    decided = given >= threshold
    wrongly_accepted, missed = decided & (truth == 0), ~decided & (truth == 1)
    return np.asarray(costs.false_positive * wrongly_accepted + costs.false_negative * missed, dtype=np.float64)
