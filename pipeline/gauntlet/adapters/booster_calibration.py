"""This module provides boosters whose probabilities are calibrated, with the scaling inside the model's own numbers.

Boosted trees that stop early on their AUC stop where the order of rows is best, whatever the probabilities are by then:
few trees at a small learning rate leave them all near the share of positives. A line through the margins mends that and
changes no order. It is written into the leaves and the base score, so that whatever reads the model has it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gauntlet.adapters.split_thresholds import booster_of, document_of, written
from gauntlet.core.statistics.calibration import Scaling, platt_scaling

if TYPE_CHECKING:
    from xgboost import Booster

# XGBoost moves a base score that is nearer to 0 or 1 than a millionth, and 32 bits hold few digits of one near 1.
_LEAST_BASE_SCORE = 1e-3


def calibrated(booster: Booster, matrix: NDArray[np.float32], label: NDArray[np.int8]) -> Booster:
    """Return a booster whose margins are scaled to be the log odds of a label; the given one if no rising line does so.

    Args:
        booster: A booster of trees with the objective ``binary:logistic``.
        matrix: Rows that it was not fitted on.
        label: 0 or 1, one a row, both among them.

    Raises:
        DataError: If the rows have one class only.
    """
    scaling = platt_scaling(booster.inplace_predict(matrix, predict_type="margin"), label)
    return booster if scaling is None else with_scaled_margins(booster, scaling)


def with_scaled_margins(booster: Booster, scaling: Scaling) -> Booster:
    """Return a booster whose margins are those of the given one, scaled; the given one is not changed."""
    document = document_of(booster)
    settings = document["learner"]["learner_model_param"]
    # A number until XGBoost 3.0, a list of one number since.
    base = np.atleast_1d(json.loads(settings["base_score"]))[0]
    margin = scaling.slope * math.log(base / (1 - base)) + scaling.intercept
    moved = min(max(1 / (1 + math.exp(-margin)), _LEAST_BASE_SCORE), 1 - _LEAST_BASE_SCORE)
    settings["base_score"] = f"[{moved:.9g}]" if settings["base_score"].startswith("[") else f"{moved:.9g}"
    rest = margin - math.log(moved / (1 - moved))  # what a base score cannot hold is added to the first tree's leaves
    for place, tree in enumerate(document["learner"]["gradient_booster"]["model"]["trees"]):
        line = Scaling(scaling.slope, 0 if place else rest)
        # A leaf has no children, and holds its answer in place of a threshold.
        is_leaf = np.asarray(tree["left_children"]) < 0
        tree["split_conditions"] = _scaled(tree["split_conditions"], line, where=is_leaf)
        tree["base_weights"] = _scaled(tree["base_weights"], line, where=np.ones_like(is_leaf))
    return booster_of(document)


def _scaled(values: list[float], line: Scaling, *, where: NDArray[np.bool_]) -> list[float]:
    given = np.asarray(values, dtype=np.float32)
    scaled = np.where(where, (given * line.slope + line.intercept).astype(np.float32), given)
    return written(scaled)
