"""This module provides split thresholds between training values instead of on them.

XGBoost's ``hist`` method takes its cuts from the data: a row goes left if its value is less than a cut, and each cut
is a value that training rows have. A value that is measured or converted a little differently then changes sides.
Moving each threshold midway between the two training values around it changes no answer to a training row.

See https://github.com/dmlc/xgboost/issues/5095.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xgboost import Booster

# The distinct values of each column of a training matrix, rising, without missing ones.
TrainingValues = tuple[NDArray[np.float32], ...]


def training_values(matrix: NDArray[np.float32]) -> TrainingValues:
    """Return the distinct values of each column of a matrix, rising, without missing ones."""
    return tuple(np.unique(column[~np.isnan(column)]) for column in matrix.T)


def with_thresholds_midway(booster: Booster, values: TrainingValues) -> Booster:
    """Return a booster whose thresholds lie midway between two neighbouring training values.

    A threshold that no training value lies below, or none at or above, stays where it is. The given booster is not
    changed, and doing this twice changes nothing more.

    Args:
        booster: A booster of trees with numeric splits.
        values: The values of the rows that it was fitted on.
    """
    document = document_of(booster)
    trees: list[dict[str, Any]] = document["learner"]["gradient_booster"]["model"]["trees"]
    features = np.concatenate([np.asarray(tree["split_indices"], dtype=np.int64) for tree in trees])
    # A leaf has no children, and holds its answer in place of a threshold.
    is_split = np.concatenate([np.asarray(tree["left_children"], dtype=np.int64) >= 0 for tree in trees])
    conditions = np.concatenate([np.asarray(tree["split_conditions"], dtype=np.float32) for tree in trees])
    moved = conditions.copy()
    for feature in np.unique(features[is_split]):
        places = np.flatnonzero(is_split & (features == feature))
        moved[places] = _moved_midway(conditions[places], values[feature])
    start = 0
    for tree in trees:
        end = start + len(tree["split_conditions"])
        tree["split_conditions"] = written(moved[start:end])
        start = end
    return booster_of(document)


def document_of(booster: Booster) -> dict[str, Any]:
    """Return a booster as the JSON document that XGBoost writes."""
    document: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return document


def booster_of(document: dict[str, Any]) -> Booster:
    """Return the booster of a JSON document."""
    import xgboost  # noqa: PLC0415 - takes a second to import

    content = json.dumps(document, separators=(",", ":"))
    return xgboost.Booster(params={"nthread": 1}, model_file=bytearray(content, "utf-8"))


def written(values: NDArray[np.float32]) -> list[float]:
    """Return numbers as a document holds them: the shortest text of each, as XGBoost reads no more digits exactly."""
    return [float(str(value)) for value in values]


def snapped_to_training_values(matrix: NDArray[np.float32], values: TrainingValues) -> NDArray[np.float32]:
    """Return a matrix with each value moved to the training value on its side of the nearest midway threshold.

    A booster answers these rows as the one with thresholds midway answers the rows as they are. So a sweep can judge
    each trial by the model that would be kept, without making that model. Missing values, and values below the least
    or above the greatest training value, stay.
    """
    snapped = matrix.copy()
    for place, known in enumerate(values):
        column = matrix[:, place]
        inner, lower, upper = _neighbours(column, known)
        inside = column[inner]
        snapped[inner, place] = np.where(inside < _midway(lower, upper), lower, upper)
    return snapped


def _moved_midway(thresholds: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    inner, lower, upper = _neighbours(thresholds, values)
    moved = thresholds.copy()
    moved[inner] = _midway(lower, upper)
    return moved


def _neighbours(
    given: NDArray[np.float32], values: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """Return which numbers lie between two known values, and these two: the one below, and the one at or above."""
    place = np.searchsorted(values, given, side="left")  # a missing value comes after all others
    inner = (place > 0) & (place < len(values))
    return inner, values[place[inner] - 1], values[place[inner]]


def _midway(lower: NDArray[np.float32], upper: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the float32 midway between two, above the lower one: rows with the lower value must still go left."""
    middle = ((lower.astype(np.float64) + upper.astype(np.float64)) / 2).astype(np.float32)
    return np.where(middle > lower, middle, upper)
