"""This module provides calibration: whether probabilities mean what they say.

The Brier score is the mean squared error of the probabilities (G. W. Brier, Monthly Weather Review 78 (1950) 1-3). The
expected calibration error puts the rows into bins of equal size by their probability and averages how far each bin's
mean probability lies from its share of positives (M. P. Naeini, G. F. Cooper and M. Hauskrecht, AAAI 2015). A share of
few rows is never exactly its probability, so even a perfectly calibrated model has an error greater than 0, and the
fewer the rows, the greater: see ``Calibration.excess`` for what is left when that noise is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.bootstrap import bootstrap, percentile_interval, weighted_mean
from gauntlet.core.statistics.intervals import Estimate, Interval
from gauntlet.core.statistics.rows import probability_rows

CalibrationEstimate = Estimate

# Labels are simulated in blocks of so many, whatever the number of rows and repetitions.
_BLOCK_LABELS = 2**21


@dataclass(frozen=True)
class Calibration:
    """How well probabilities are calibrated.

    Attributes:
        brier: The Brier score.
        error: The expected calibration error; biased upwards by noise, more so the fewer the rows.
        expected_error: The mean calibration error of a perfectly calibrated model with the same probabilities on as
            many rows, from simulated labels.
        excess: The error less the expected one: about 0 for a calibrated model, whatever the number of rows. For a
            badly calibrated one it is a little less than the true error, at most by ``expected_error``.
    """

    brier: CalibrationEstimate
    error: CalibrationEstimate
    expected_error: float
    excess: CalibrationEstimate


@dataclass(frozen=True)
class Scaling:
    """A straight line on the scale of log odds: ``slope * margin + intercept``.

    Attributes:
        slope: Greater than 0, so that the order of rows stays.
        intercept: What is added.
    """

    slope: float
    intercept: float


def platt_scaling(margin: ArrayLike, label: ArrayLike) -> Scaling | None:
    """Return the line that makes a model's margins the log odds of a label; None if no rising line does.

    The line is fitted by maximum likelihood to targets a little within 0 and 1, so that it stays finite where the rows
    are divided without error (J. C. Platt, Advances in Large Margin Classifiers (1999) 61-74). Both numbers have six
    significant digits: what machines compute differently in the last place does not change a model's bytes.

    Args:
        margin: One number a row, finite: the model's log odds of the positive class.
        label: One 0 or 1 a row, both classes among them; of rows that the model was not fitted on.

    Raises:
        DataError: If the rows have one class only.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - takes a while to import
    from scipy.special import expit  # noqa: PLC0415 - takes a while to import

    given, truth = np.asarray(margin, dtype=np.float64), np.asarray(label) == 1
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        raise DataError("calibration: the rows have one class only; a scaling needs both")
    centre, spread = float(given.mean()), float(given.std())
    if spread == 0:
        return None
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([(given - centre) / spread, np.ones(len(given))])

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = design @ line
        error = expit(odds) - target
        return float((np.logaddexp(0, odds) - target * odds).mean()), design.T @ error / len(target)

    def curvature(line: NDArray[np.float64]) -> NDArray[np.float64]:
        chance = expit(design @ line)
        return np.asarray(design.T @ (design * (chance * (1 - chance))[:, None]) / len(target))

    start = np.array([spread, centre])  # the margins as they are
    found = minimize(loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-9})
    slope = float(found.x[0]) / spread
    intercept = float(found.x[1]) - slope * centre
    slope, intercept = float(f"{slope:.6g}"), float(f"{intercept:.6g}")
    return Scaling(slope, intercept) if slope > 0 else None


def brier(probability: ArrayLike, label: ArrayLike) -> float:
    """Return the Brier score: the mean squared difference between probability and label.

    Raises:
        DataError: If the rows cannot be judged; see ``probability_rows``.
    """
    given, truth = probability_rows(probability, label)
    return float(((given - truth) ** 2).mean())


def expected_calibration_error(probability: ArrayLike, label: ArrayLike, *, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal size; rows of equal probability share a bin.

    It is biased upwards in small samples: with 1,300 rows, 10 bins and a perfect model it is about 0.02 to 0.03, not 0.

    Raises:
        DataError: If the rows cannot be judged (see ``probability_rows``), or are fewer than the bins.
    """
    given, truth = probability_rows(probability, label)
    binned = _binned(given, bins)
    return float(binned.errors((truth - given)[None, :])[0])


def calibration(  # noqa: PLR0913 - what is estimated, and how surely, each by name
    probability: ArrayLike,
    label: ArrayLike,
    *,
    generator: np.random.Generator,
    repetitions: int = 1000,
    confidence: float = 0.95,
    bins: int = 10,
) -> Calibration:
    """Return how well probabilities are calibrated, with intervals.

    The bootstrap resamples all rows alike, not each class to its own size: how many positives there are is part of
    what calibration is about. A resample is noisier than the sample itself, so its calibration error is greater by
    that noise; the intervals of ``error`` and ``excess`` are therefore moved to lie around the estimate.

    Args:
        probability: One probability a row.
        label: One 0 or 1 a row.
        generator: Where the draws come from.
        repetitions: The number of resamples, and of simulated label columns.
        confidence: The confidence of the intervals.
        bins: The number of bins.

    Raises:
        DataError: If the rows cannot be judged (see ``probability_rows``), or are fewer than the bins.
    """
    given, truth = probability_rows(probability, label)
    binned = _binned(given, bins)
    residual, squared = truth - given, (given - truth) ** 2
    alike = np.zeros(len(given), dtype=np.int8)
    scores = bootstrap(
        lambda weights: weighted_mean(squared, weights), alike, repetitions=repetitions, generator=generator
    )
    errors = bootstrap(
        lambda weights: binned.errors(weights * residual), alike, repetitions=repetitions, generator=generator
    )
    expected = _expected_error(given, binned, repetitions=repetitions, generator=generator)
    error = float(binned.errors(residual[None, :])[0])
    low, high = percentile_interval(errors - errors.mean(), confidence)
    return Calibration(
        brier=Estimate(float(squared.mean()), percentile_interval(scores, confidence)),
        error=Estimate(error, _within((error + low, error + high))),
        expected_error=expected,
        excess=Estimate(error - expected, (error - expected + low, error - expected + high)),
    )


@dataclass(frozen=True)
class _Bins:
    """Rows ordered by bin, and where each bin begins."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def errors(self, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibration error of each row of residuals (label less probability, times the row's weight)."""
        sums = np.add.reduceat(residual[:, self.order], self.starts, axis=1)
        return np.asarray(np.abs(sums).sum(axis=1) / residual.shape[1], dtype=np.float64)


def _binned(given: NDArray[np.float64], bins: int) -> _Bins:
    if bins < 1 or len(given) < bins:
        raise DataError(f"calibration: {len(given)} rows do not fill {bins} bins")
    order = np.argsort(given, kind="stable")
    ordered = given[order]
    # Where a row's equals lie in the middle decides the bin, so that equal rows share one whatever their order.
    middle = (np.searchsorted(ordered, ordered, "left") + np.searchsorted(ordered, ordered, "right")) / 2
    place = np.floor(middle * bins / len(given))
    starts = np.flatnonzero(np.concatenate([[True], np.diff(place) > 0]))
    return _Bins(order=order, starts=starts)


def _expected_error(
    given: NDArray[np.float64], binned: _Bins, *, repetitions: int, generator: np.random.Generator
) -> float:
    block = max(1, _BLOCK_LABELS // len(given))
    total = 0.0
    for start in range(0, repetitions, block):
        size = min(block, repetitions - start)
        labels = generator.random((size, len(given))) < given
        total += float(binned.errors(labels - given).sum())
    return total / repetitions


def _within(interval: Interval) -> Interval:
    return max(0.0, interval[0]), min(1.0, interval[1])
