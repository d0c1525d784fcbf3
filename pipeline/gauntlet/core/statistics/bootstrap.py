"""This module provides the bootstrap: a statistic of many resamples of the rows at once.

A resample is written as weights: how often each row was drawn. Statistics take a matrix of weights (one row a resample,
one column a row of the data), so a thousand resamples cost a few passes over a matrix and no loop. Two models are
compared on the same weights, which keeps their rows paired. B. Efron and R. J. Tibshirani, "An Introduction to the
Bootstrap", Chapman & Hall (1993).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.intervals import Interval
from gauntlet.core.statistics.rows import probability_rows, scored_rows

# Resamples are drawn in blocks of so many weights (16 MiB), whatever the number of rows and resamples.
_BLOCK_WEIGHTS = 2**21

Weights = NDArray[np.int64] | NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def stratified_weights(label: ArrayLike, *, repetitions: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each row is drawn when each class is resampled, with replacement, to its own size.

    Args:
        label: One class a row, of any number of classes; a constant one resamples all rows alike.
        repetitions: The number of resamples.
        generator: Where the draws come from.

    Returns:
        One row a resample, one column a row of the data; each class's weights add up to its number of rows.

    Raises:
        DataError: If there are no rows, or fewer than 1 repetition is asked for.
    """
    classes, member = np.unique(np.asarray(label), return_inverse=True)
    if member.ndim != 1 or len(member) == 0:
        raise DataError(f"bootstrap: one label a row is needed, not labels of shape {np.shape(label)}")
    if repetitions < 1:
        raise DataError(f"bootstrap: at least 1 repetition is needed, not {repetitions}")
    weights = np.empty((repetitions, len(member)), dtype=np.int64)
    first = np.arange(repetitions, dtype=np.int64)[:, None]
    for place in range(len(classes)):
        rows = np.flatnonzero(member == place)
        drawn = generator.integers(0, len(rows), size=(repetitions, len(rows)))
        counts = np.bincount((drawn + first * len(rows)).ravel(), minlength=repetitions * len(rows))
        weights[:, rows] = counts.reshape(repetitions, len(rows))
    return weights


def bootstrap(
    statistic: Statistic, label: ArrayLike, *, repetitions: int = 2000, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return a statistic of many resamples.

    Args:
        statistic: Takes weights (resamples by rows) and returns one number a resample.
        label: The classes that keep their sizes; see ``stratified_weights``.
        repetitions: The number of resamples.
        generator: Where the draws come from.

    Raises:
        DataError: If there are no rows, or fewer than 1 repetition is asked for.
        ValueError: If the statistic does not return one number a resample.
    """
    classes = np.asarray(label)
    if repetitions < 1:
        raise DataError(f"bootstrap: at least 1 repetition is needed, not {repetitions}")
    block = max(1, _BLOCK_WEIGHTS // max(1, len(classes)))
    found = []
    for start in range(0, repetitions, block):
        size = min(block, repetitions - start)
        values = np.asarray(statistic(stratified_weights(classes, repetitions=size, generator=generator)))
        if values.shape != (size,):
            raise ValueError(f"the statistic returned {values.shape} numbers for {size} resamples")
        found.append(values.astype(np.float64))
    return np.concatenate(found)


def weighted_auc(probability: ArrayLike, label: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Return the AUC of weighted rows, ties counting half, one a row of ``weights``.

    Args:
        probability: One score a row; only their order counts.
        label: One 0 or 1 a row.
        weights: One row a resample, one column a row of the data; not negative.

    Raises:
        DataError: If the rows cannot be judged, the weights do not fit them, or leave a class without weight.
    """
    score, truth = scored_rows(probability, label)
    given = _checked_weights(weights, len(score))
    positives, negatives = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    negatives = negatives[np.argsort(score[negatives])]
    of_positives = given[:, positives]
    # What all negative rows up to each place weigh; none before the first.
    running = np.zeros((len(given), len(negatives) + 1), dtype=given.dtype)
    np.cumsum(given[:, negatives], axis=1, out=running[:, 1:])
    below = np.searchsorted(score[negatives], score[positives], "left")
    up_to = np.searchsorted(score[negatives], score[positives], "right")
    ordered = np.einsum("ij,ij->i", of_positives, running[:, below] + running[:, up_to])
    pairs = of_positives.sum(axis=1) * running[:, -1]
    if not (pairs > 0).all():
        raise DataError("bootstrap: the weights leave a class without any weight")
    return np.asarray(ordered / (2 * pairs), dtype=np.float64)


def weighted_brier(probability: ArrayLike, label: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Return the Brier score (the mean squared error of the probabilities) of weighted rows, one a row of ``weights``.

    Raises:
        DataError: If the rows cannot be judged, the weights do not fit them, or are all 0.
    """
    given, truth = probability_rows(probability, label)
    return weighted_mean((given - truth) ** 2, weights)


def weighted_mean(values: NDArray[np.float64], weights: ArrayLike) -> NDArray[np.float64]:
    """Return the mean of weighted rows' values, one a row of ``weights``.

    Raises:
        DataError: If the weights do not fit the values, or are all 0.
    """
    given = _checked_weights(weights, len(values))
    total = given.sum(axis=1)
    if not (total > 0).all():
        raise DataError("bootstrap: the weights are all 0")
    # Not a matrix product: that may round otherwise with other numbers of threads.
    return np.asarray(np.einsum("ij,j->i", given, values) / total, dtype=np.float64)


def percentile_interval(samples: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the interval between the two quantiles that leave out equal shares of the samples.

    Raises:
        DataError: If there are no samples, one is NaN or infinite, or the confidence is not between 0 and 1.
    """
    drawn = np.asarray(samples, dtype=np.float64)
    if drawn.size == 0:
        raise DataError("bootstrap: an interval needs samples, and there are none")
    bad = int((~np.isfinite(drawn)).sum())
    if bad:
        raise DataError(f"bootstrap: {bad} of {drawn.size} samples are NaN or infinite")
    if not 0 < confidence < 1:
        raise DataError(f"bootstrap: a confidence must lie between 0 and 1, both excluded, not {confidence}")
    low, high = np.quantile(drawn, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)


def _checked_weights(weights: ArrayLike, rows: int) -> Weights:
    given = np.asarray(weights)
    if given.ndim != 2 or given.shape[1] != rows:
        raise DataError(f"bootstrap: weights of shape {given.shape} do not fit {rows} rows")
    # Whole weights stay whole, as 64 bits, so that sums of them are exact in any order.
    wide: Weights = given.astype(np.int64, copy=False) if given.dtype.kind in "iub" else given.astype(np.float64)
    if not (np.isfinite(wide).all() and (wide >= 0).all()):
        raise DataError("bootstrap: weights must be finite and not negative")
    return wide
