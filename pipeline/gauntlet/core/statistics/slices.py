"""This module provides slices: how well a model orders the rows of a part of the data, which a whole hides.

Named slices are the values of the columns with few of them. Weak slices are searched for: a shallow regression tree is
fitted to how much greater each row's log-loss is than its own probability leads one to expect, so that its leaves are
regions where the model does worse than it says. (The plain log-loss would find where the classes are mixed, which is no
fault of the model.) A region picked because it looked bad looks worse than it is, so the tree sees one half of the rows
and its leaves are judged on the other half.

Within a slice the AUC is nearly always less than on all rows, the more so where the slice is cut by a feature that the
model relies on: its rows differ less, and no model could order them as well. So each slice also has the AUC to expect
of it, and one far below that is what speaks against the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.columns import as_numbers, is_binary, is_number
from gauntlet.core.statistics.delong import auc_estimate
from gauntlet.core.statistics.intervals import Interval
from gauntlet.core.statistics.rows import probability_rows
from gauntlet.core.statistics.slice_tree import TreeColumn, regions

# A column of more values than this is not sliced by value.
MOST_VALUES = 10

# Probabilities are held so far from 0 and 1: a row that was surely wrong would else rule the tree alone.
_LEAST_PROBABILITY = 1e-3


@dataclass(frozen=True)
class SliceEstimate:
    """How well a model orders the rows of a slice.

    Attributes:
        name: Which rows they are, such as ``alcohol > 10.75 and pH <= 3.2``.
        rows: The number of rows that it was estimated on.
        positives: The number of positive rows among them.
        auc: The AUC within the slice.
        interval: Its 95 % interval.
        standard_error: Its standard error.
        expected_auc: The AUC to expect within the slice if the model's probabilities are true.
    """

    name: str
    rows: int
    positives: int
    auc: float
    interval: Interval
    standard_error: float
    expected_auc: float


Slices = tuple[tuple[SliceEstimate, ...], tuple[str, ...]]


def named_slices(
    features: pd.DataFrame,
    probability: ArrayLike,
    label: ArrayLike,
    *,
    minimum_positives: int = 20,
    minimum_negatives: int = 20,
) -> Slices:
    """Return how well a model orders the rows of each value of each column with few values.

    Texts, booleans and numbers that are 0 or 1 are sliced, of 2 to ``MOST_VALUES`` values; missing values are a slice
    of their own.

    Args:
        features: One row a row, one column a feature; other columns may be among them.
        probability: One probability a row.
        label: One 0 or 1 a row.
        minimum_positives: A slice of fewer positive rows is not estimated.
        minimum_negatives: A slice of fewer negative rows is not estimated.

    Returns:
        The slices, and the names of those that have too few rows.

    Raises:
        DataError: If the rows cannot be judged (see ``probability_rows``), or are not as many as the features'.
    """
    given, truth = _checked(features, probability, label)
    named = [part for name in features.columns for part in _by_value(features[name])]
    return _estimated(named, given, truth, minimums=(minimum_positives, minimum_negatives))


def weak_slices(  # noqa: PLR0913 - what is searched, and how, each by name
    features: pd.DataFrame,
    probability: ArrayLike,
    label: ArrayLike,
    *,
    generator: np.random.Generator,
    depth: int = 2,
    minimum_positives: int = 20,
    minimum_negatives: int = 20,
) -> Slices:
    """Return how well a model orders the rows of regions where it seemed weak, the weakest first.

    Half of each class's rows, drawn at random, are searched: a regression tree of their losses. All leaves of it
    are then estimated on the other half, so the estimates are honest and the rows they speak of half as many. Numbers
    and booleans may be missing: missing values go to one side of a split, and the slice's name says so. A text column
    of at most ``MOST_VALUES`` values is searched value by value, one of more is not searched.

    Args:
        features: One row a row, one column a feature.
        probability: One probability a row.
        label: One 0 or 1 a row.
        generator: Where the draws come from.
        depth: The tree's depth: at most ``2 ** depth`` slices, of at most so many conditions.
        minimum_positives: A slice of fewer positive rows is not estimated.
        minimum_negatives: A slice of fewer negative rows is not estimated.

    Returns:
        The slices, and the names of those that have too few rows; nothing where no split makes a difference.

    Raises:
        DataError: If the rows cannot be judged (see ``probability_rows``), are not as many as the features', a class
            has a single row, or a feature is infinite.
    """
    given, truth = _checked(features, probability, label)
    columns = [column for name in features.columns for column in _searchable(features[name])]
    searched = _half(truth, generator)
    seed = int(generator.integers(0, 2**31))
    found = regions(
        columns,
        _excess_loss(given, truth),
        searched,
        depth=depth,
        least=minimum_positives + minimum_negatives,
        seed=seed,
    )
    judged = [(name, inside & ~searched) for name, inside in found]
    estimates, too_small = _estimated(judged, given, truth, minimums=(minimum_positives, minimum_negatives))
    return tuple(sorted(estimates, key=lambda estimate: (estimate.auc, estimate.name))), too_small


def expected_auc(probability: NDArray[np.float64]) -> float:
    """Return the AUC to expect of rows whose probabilities are true; 0.5 where they are all alike.

    It is the share of pairs in the right order when each row is positive with its probability: each pair of rows counts
    with the probability that the first is positive and the second negative.
    """
    ordered = np.sort(probability)
    running = np.concatenate([[0.0], np.cumsum(1 - ordered)])
    below, up_to = np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right")
    # A row makes no pair with itself, though it lies half below itself.
    own = ordered * (1 - ordered)
    pairs = float((ordered * running[-1] - own).sum())
    if pairs <= 0:  # all rows are surely of one class
        return 0.5
    return float((ordered * (running[below] + running[up_to]) - own).sum() / (2 * pairs))


def _checked(
    features: pd.DataFrame, probability: ArrayLike, label: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    given, truth = probability_rows(probability, label)
    if len(features) != len(given):
        raise DataError(f"slices: {len(features)} rows of features do not fit {len(given)} probabilities")
    return given, truth


def _estimated(
    named: Iterable[tuple[str, NDArray[np.bool_]]],
    given: NDArray[np.float64],
    truth: NDArray[np.int8],
    *,
    minimums: tuple[int, int],
) -> Slices:
    found, too_small = [], []
    for name, inside in named:
        positives, negatives = int((truth[inside] == 1).sum()), int((truth[inside] == 0).sum())
        # One row of a class gives no standard error, whatever was asked for.
        if positives < max(2, minimums[0]) or negatives < max(2, minimums[1]):
            too_small.append(name)
            continue
        estimate = auc_estimate(given[inside], truth[inside])
        found.append(
            SliceEstimate(
                name=name,
                rows=positives + negatives,
                positives=positives,
                auc=estimate.auc,
                interval=estimate.interval(),
                standard_error=estimate.standard_error,
                expected_auc=expected_auc(given[inside]),
            )
        )
    return tuple(found), tuple(too_small)


def _by_value(column: pd.Series) -> list[tuple[str, NDArray[np.bool_]]]:
    missing = column.isna().to_numpy()
    values = sorted(column.dropna().unique().tolist(), key=str)
    if not (_is_text(column) or is_binary(column)) or len(values) > MOST_VALUES or len(values) + missing.any() < 2:
        return []
    parts = [
        (f"{column.name} == {_shown(value)}", (column == value).fillna(False).to_numpy(dtype=np.bool_))
        for value in values
    ]
    return [*parts, (f"{column.name} is missing", missing)] if missing.any() else parts


def _searchable(column: pd.Series) -> list[TreeColumn]:
    """Return a column as numbers: itself, or one column a value of a text; nothing of a column without values."""
    name = str(column.name)
    values = sorted(column.dropna().unique().tolist(), key=str)
    if not values:
        return []
    if _is_text(column):
        if len(values) > MOST_VALUES:
            return []
        return [
            TreeColumn(
                name=name,
                values=(column == value).fillna(False).to_numpy(dtype=np.float64),
                sides=(f"{name} != {_shown(value)}", f"{name} == {_shown(value)}"),
            )
            for value in values
        ]
    numbers = as_numbers(column, f"slices: {name}").to_numpy()
    if not is_binary(column) or len(values) < 2:
        return [TreeColumn(name=name, values=numbers)]
    low, high = sorted(values)
    return [TreeColumn(name=name, values=numbers, sides=(f"{name} == {_shown(low)}", f"{name} == {_shown(high)}"))]


def _is_text(column: pd.Series) -> bool:
    return not is_number(column) and not is_binary(column)


def _shown(value: Any) -> str:
    """Return a value as the problem file's rules write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, (int, float)) else f'"{value}"'


def _half(truth: NDArray[np.int8], generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return which rows are searched: half of each class, drawn at random."""
    searched = np.zeros(len(truth), dtype=np.bool_)
    for value in (0, 1):
        rows = np.flatnonzero(truth == value)
        if len(rows) < 2:
            raise DataError(f"slices: one row of class {value} cannot be both searched and judged on")
        searched[generator.permutation(rows)[: len(rows) // 2]] = True
    return searched


def _excess_loss(given: NDArray[np.float64], truth: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return each row's log-loss less its expectation (the entropy) if the row's probability is true."""
    held = np.clip(given, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    positive, negative = -np.log(held), -np.log(1 - held)
    loss = np.where(truth == 1, positive, negative)
    return np.asarray(loss - (held * positive + (1 - held) * negative), dtype=np.float64)
