"""This module provides the area under the ROC curve with its standard error, of one model and of two on the same rows.

The AUC is the probability that a positive row scores higher than a negative one, ties counting half. A row's placement
is the share of rows of the other class that it is in the right order with; the AUC's variance follows from how much
placements vary within each class, and two models' covariance from how their placements vary together: E. R. DeLong,
D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
characteristic curves: a nonparametric approach", Biometrics 44 (1988) 837-845. Placements are taken from midranks, in
the time of a sort instead of all pairs: X. Sun and W. Xu, "Fast implementation of DeLong's algorithm for comparing the
areas under correlated receiver operating characteristic curves", IEEE Signal Processing Letters 21 (2014) 1389-1393.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.intervals import Interval, binomial_interval, normal_quantile, normal_tail
from gauntlet.core.statistics.rows import scored_rows

# An AUC of 0 or 1 has no logit.
_LEAST_AUC = 1e-9


@dataclass(frozen=True)
class AucEstimate:
    """The AUC of one model.

    Attributes:
        auc: The area under the ROC curve.
        standard_error: DeLong's standard error of it.
        positives: The number of positive rows.
        negatives: The number of negative rows.
    """

    auc: float
    standard_error: float
    positives: int
    negatives: int

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return a confidence interval of the AUC, inside [0, 1].

        The normal interval is taken on the logit scale and taken back. Where the standard error is 0 (a perfect order,
        a constant score) it says nothing; there the interval is the exact binomial one (Clopper and Pearson) of as
        many pairs as the smaller class has rows: that many pairs share no row, so they are independent, and each is
        in the right order with the AUC's probability. It is wide, as it should be.

        Raises:
            DataError: If the confidence is not between 0 and 1.
        """
        quantile = normal_quantile((1 + confidence) / 2)
        if self.standard_error == 0 or not 0 < self.auc < 1:
            return binomial_interval(self.auc, min(self.positives, self.negatives), confidence=confidence)
        logit = math.log(self.auc / (1 - self.auc))
        reach = quantile * self.standard_error / (self.auc * (1 - self.auc))
        return _logistic(logit - reach), _logistic(logit + reach)

    def p_of_at_least(self, value: float) -> float:
        """Return the one-sided p-value of "the true AUC is at least this value": small where the estimate lies below.

        It belongs to ``interval``: the logit scale, and the exact binomial test where the standard error is 0.

        Args:
            value: The AUC to test, between 0 and 1.
        """
        held = min(max(value, _LEAST_AUC), 1 - _LEAST_AUC)
        if self.standard_error == 0 or not 0 < self.auc < 1:
            from scipy.stats import binom  # noqa: PLC0415 - takes a while to import

            pairs = min(self.positives, self.negatives)
            return float(binom.cdf(math.floor(self.auc * pairs + 1e-9), pairs, held))
        distance = math.log(held / (1 - held)) - math.log(self.auc / (1 - self.auc))
        return normal_tail(distance * self.auc * (1 - self.auc) / self.standard_error)


@dataclass(frozen=True)
class PairedAuc:
    """The AUCs of two models on the same rows.

    Attributes:
        first: The first model's AUC.
        second: The second model's AUC.
        difference: The first less the second.
        standard_error: The difference's standard error; it knows that both models saw the same rows.
        positives: The number of positive rows.
        negatives: The number of negative rows.
    """

    first: float
    second: float
    difference: float
    standard_error: float
    positives: int
    negatives: int


def auc_estimate(probability: ArrayLike, label: ArrayLike) -> AucEstimate:
    """Return a model's AUC with DeLong's standard error.

    Args:
        probability: One score a row; only their order counts.
        label: One 0 or 1 a row.

    Raises:
        DataError: If the rows cannot be judged (see ``scored_rows``), or a class has a single row.
    """
    of_positives, of_negatives = placements(probability, label)
    return AucEstimate(
        auc=float(of_positives.mean()),
        standard_error=_standard_error(of_positives, of_negatives),
        positives=len(of_positives),
        negatives=len(of_negatives),
    )


def paired_auc(first: ArrayLike, second: ArrayLike, label: ArrayLike) -> PairedAuc:
    """Return how the AUCs of two models differ on the same rows.

    Args:
        first: The first model's scores, one a row.
        second: The second model's scores, one a row; the scales may differ.
        label: One 0 or 1 a row.

    Raises:
        DataError: If the rows cannot be judged (see ``scored_rows``), or a class has a single row.
    """
    first_positives, first_negatives = placements(first, label)
    second_positives, second_negatives = placements(second, label)
    of_positives, of_negatives = first_positives - second_positives, first_negatives - second_negatives
    return PairedAuc(
        first=float(first_positives.mean()),
        second=float(second_positives.mean()),
        difference=float(of_positives.mean()),
        standard_error=_standard_error(of_positives, of_negatives),
        positives=len(of_positives),
        negatives=len(of_negatives),
    )


def placements(probability: ArrayLike, label: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of the other class that each row is in the right order with, ties counting half.

    Returns:
        The positive rows' placements, then the negative ones', each in the order of the rows; the mean of either is
        the AUC.

    Raises:
        DataError: If the rows cannot be judged; see ``scored_rows``.
    """
    score, truth = scored_rows(probability, label)
    positive, negative = score[truth == 1], score[truth == 0]
    ranks = _midranks(score)
    # Among all rows a row's rank counts the rows of both classes below it; its rank in its own class, those of its own.
    of_positives = (ranks[truth == 1] - _midranks(positive)) / len(negative)
    of_negatives = 1 - (ranks[truth == 0] - _midranks(negative)) / len(positive)
    return of_positives, of_negatives


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (below + up_to + 1) / 2


def _standard_error(of_positives: NDArray[np.float64], of_negatives: NDArray[np.float64]) -> float:
    smaller = min(len(of_positives), len(of_negatives))
    if smaller < 2:
        raise DataError(
            f"scores: {len(of_positives)} positive and {len(of_negatives)} negative rows give no standard error; at "
            "least 2 of each are needed"
        )
    variance = of_positives.var(ddof=1) / len(of_positives) + of_negatives.var(ddof=1) / len(of_negatives)
    return math.sqrt(variance)


def _logistic(value: float) -> float:
    # Either form overflows on one side only; this one never does.
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
