"""This module provides scores: how well probabilities order rows, and what deciding by them costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Costs
from gauntlet.core.results import CostPoint
from gauntlet.core.statistics.rows import probability_rows

CURVE_POINTS = 200

Curve = tuple[tuple[float, float], ...]


def auc(probability: ArrayLike, label: ArrayLike) -> float:
    """Return the area under the ROC curve.

    Raises:
        DataError: If there are no rows, a probability is missing or none, or there is one class only.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes a second to import

    given, truth = probability_rows(probability, label)
    return float(roc_auc_score(truth, given))


def roc_curve(probability: ArrayLike, label: ArrayLike) -> Curve:
    """Return points (false positive rate, true positive rate) from (0, 0) to (1, 1), at most ``CURVE_POINTS``."""
    from sklearn import metrics  # noqa: PLC0415 - takes a second to import

    given, truth = probability_rows(probability, label)
    false, true, _ = metrics.roc_curve(truth, given)
    return _thinned(false, true)


def precision_recall_curve(probability: ArrayLike, label: ArrayLike) -> Curve:
    """Return points (recall, precision) by rising recall, at most ``CURVE_POINTS``."""
    from sklearn import metrics  # noqa: PLC0415 - takes a second to import

    given, truth = probability_rows(probability, label)
    precision, recall, _ = metrics.precision_recall_curve(truth, given)
    return _thinned(recall[::-1], precision[::-1])


def best_threshold(probability: ArrayLike, label: ArrayLike, costs: Costs) -> CostPoint:
    """Return the threshold of the least expected cost a row, and that cost.

    All thresholds that decide differently are tried; rows at or above one are decided positive. A threshold lies midway
    between two neighbouring probabilities, not on one that rows have. The lowest (all rows positive) lies midway
    between 0 and the least probability, the highest (no row positive) between the greatest one and 1; where a row has
    probability 1, the highest is the next number above 1. Of equally cheap ones the lowest is taken: it finds the most
    positive rows.
    """
    table = _costs(probability, label, costs)
    place = int(np.argmin(table.cost))
    return CostPoint(threshold=float(table.threshold[place]), cost=float(table.cost[place]))


def cost_curve(probability: ArrayLike, label: ArrayLike, costs: Costs) -> tuple[CostPoint, ...]:
    """Return threshold against cost by rising threshold, at most ``CURVE_POINTS``, the best threshold among them."""
    table = _costs(probability, label, costs)
    places = np.union1d(_places(len(table.cost), CURVE_POINTS - 1), [np.argmin(table.cost)])
    return tuple(CostPoint(threshold=float(table.threshold[i]), cost=float(table.cost[i])) for i in places)


def costs_in_force(costs: Costs | None, *, positive_share: float) -> Costs:
    """Return the costs that a threshold is chosen by.

    Where none are set, both classes have the same expected cost: a false positive costs 1, a false negative
    (1 - p) / p with p the share of positive training rows. On rows with that share, deciding all rows positive costs as
    much as deciding all negative.

    Args:
        costs: The problem's costs; None where it sets none.
        positive_share: The share of positive rows among the training rows.

    Raises:
        DataError: If no costs are set and the training rows are of one class.
    """
    if costs is not None:
        return costs
    if not 0 < positive_share < 1:
        raise DataError("scores: the training rows are of one class, which gives no balanced costs; set [costs]")
    return Costs(false_positive=1.0, false_negative=(1 - positive_share) / positive_share)


def accept_all_cost(label: ArrayLike, costs: Costs) -> float:
    """Return the cost a row of deciding every row positive."""
    return costs.false_positive * float(np.mean(np.asarray(label) == 0))


def reject_all_cost(label: ArrayLike, costs: Costs) -> float:
    """Return the cost a row of deciding every row negative."""
    return costs.false_negative * float(np.mean(np.asarray(label) == 1))


@dataclass(frozen=True)
class _CostTable:
    """Every threshold that decides differently, rising, with its cost a row."""

    threshold: NDArray[np.float64]
    cost: NDArray[np.float64]


def _costs(probability: ArrayLike, label: ArrayLike, costs: Costs) -> _CostTable:
    given, truth = probability_rows(probability, label)
    distinct, place = np.unique(given, return_inverse=True)
    positives = np.bincount(place, weights=truth, minlength=len(distinct))
    rows = np.bincount(place, minlength=len(distinct))
    # Rows below a threshold are decided negative: what lies before it, none before the first, all before the last.
    missed = np.concatenate([[0], np.cumsum(positives)])
    wrongly_accepted = (rows - positives).sum() - np.concatenate([[0], np.cumsum(rows - positives)])
    below = np.concatenate([[0.0], distinct])
    above = np.append(distinct, max(1.0, np.nextafter(distinct[-1], np.inf)))
    middle = (below + above) / 2
    # Between two numbers next to each other the middle is one of them; the rows of the lower one must stay below.
    threshold = np.where(middle > below, middle, above)
    cost = (costs.false_positive * wrongly_accepted + costs.false_negative * missed) / len(given)
    return _CostTable(threshold=threshold, cost=cost)


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    return tuple((float(x[i]), float(y[i])) for i in _places(len(x), CURVE_POINTS))


def _places(count: int, most: int) -> NDArray[np.int64]:
    """Return at most so many places out of ``count``, evenly spread, the first and the last among them."""
    if count <= most:
        return np.arange(count)
    return np.round(np.linspace(0, count - 1, most)).astype(np.int64)
