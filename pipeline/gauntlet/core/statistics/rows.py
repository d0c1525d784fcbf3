"""This module provides the checks of scored rows: a probability and a label each, both classes, nothing missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError


def scored_rows(score: ArrayLike, label: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Return scores as float64 and labels as 0 and 1, checked; scores may have any scale.

    Args:
        score: One number a row; greater means more probably positive.
        label: One 0 or 1 (or boolean) a row.

    Raises:
        DataError: If there are no rows, shapes differ, a value is missing or infinite, a label is neither 0 nor 1, or
            all rows are of one class.
    """
    given, truth = _numbers(score, "probabilities"), _numbers(label, "labels")
    if given.ndim != 1 or given.shape != truth.shape:
        raise DataError(f"scores: {given.shape} probabilities do not fit {truth.shape} labels")
    if len(given) == 0:
        raise DataError("scores: there are no rows to judge on")
    bad = int((~np.isfinite(given)).sum())
    if bad:
        raise DataError(f"scores: {bad} of {len(given)} probabilities are NaN or infinite")
    classes = np.unique(truth)
    if not np.isin(classes, (0, 1)).all():
        raise DataError(f"scores: labels must be 0 or 1, not {', '.join(f'{value:g}' for value in classes[:5])}")
    if len(classes) < 2:
        raise DataError(f"scores: all {len(given)} rows are of class {classes[0]:g}; both classes are needed")
    return given, truth.astype(np.int8)


def probability_rows(probability: ArrayLike, label: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Return probabilities and labels, checked as ``scored_rows`` does, and each probability between 0 and 1.

    Raises:
        DataError: As ``scored_rows``, or if a probability is less than 0 or greater than 1.
    """
    given, truth = scored_rows(probability, label)
    if given.min() < 0 or given.max() > 1:
        raise DataError(f"scores: probabilities must lie between 0 and 1, not {given.min():g} and {given.max():g}")
    return given, truth


def _numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"scores: {what} must be numbers, one a row ({error})") from error
