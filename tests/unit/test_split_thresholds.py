"""Thresholds midway between training values: the same answers to training rows, and no row on the edge."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from gauntlet.adapters.split_thresholds import (
    snapped_to_training_values,
    training_values,
    with_thresholds_midway,
)

pytestmark = pytest.mark.unit

ROWS = 600


def made_columns(kind: str, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return three columns of a kind."""
    shape = (ROWS, 3)
    normal = generator.normal(size=shape)
    columns = {
        "whole numbers": generator.integers(-20, 60, shape),
        "zero and one": generator.integers(0, 2, shape),
        "coarse": np.round(normal * 2) / 4,
        "floats": normal,
        "tenths": np.round(normal, 1),
        "missing": np.where(generator.random(shape) < 0.3, np.nan, np.round(normal, 1)),
        # No float32 lies between two of these values.
        "adjacent": (np.float32(1).view(np.int32) + generator.integers(0, 4, shape)).astype(np.int32).view(np.float32),
        "negative zero": np.where(generator.random(shape) < 0.5, np.float32(-0.0), generator.integers(-1, 2, shape)),
        "tiny": 3 * generator.integers(-3, 4, shape) * np.float64(np.finfo(np.float32).smallest_subnormal),
        "huge": generator.integers(-3, 4, shape) * np.float64(np.finfo(np.float32).max / 4),
    }
    return columns[kind].astype(np.float32)


KINDS = (
    "whole numbers", "zero and one", "coarse", "floats", "tenths", "missing", "adjacent", "negative zero", "tiny",
    "huge",
)  # fmt: skip


def fitted(train: NDArray[np.float32], generator: np.random.Generator) -> xgboost.Booster:
    """Return a booster on rows whose label the columns' ranks explain in part."""
    ranks = np.column_stack([np.unique(column, return_inverse=True)[1] for column in np.nan_to_num(train).T])
    score = ranks[:, 0] / ranks[:, 0].max() + ranks[:, 1] / ranks[:, 1].max() + generator.normal(0, 0.3, len(train))
    label = (score > np.median(score)).astype(np.int8)
    parameters = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "max_depth": 6}
    return xgboost.train(parameters, xgboost.QuantileDMatrix(train, label), num_boost_round=20)


def splits_of(booster: xgboost.Booster) -> list[tuple[int, np.float32]]:
    """Return the column and threshold of each split."""
    trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
    return [
        (feature, np.float32(condition))
        for tree in trees
        for feature, condition, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        )
        if left >= 0
    ]


def with_threshold(value: float) -> xgboost.Booster:
    """Return a booster of one split, at this value of the first column."""
    rows = np.array([[1], [2], [3], [4]], dtype=np.float32)
    booster = xgboost.train(
        {"tree_method": "hist", "nthread": 1, "max_depth": 1, "min_child_weight": 0},
        xgboost.QuantileDMatrix(rows, [0, 0, 1, 1]),
        num_boost_round=1,
    )
    document: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    document["learner"]["gradient_booster"]["model"]["trees"][0]["split_conditions"][0] = float(value)
    return xgboost.Booster(model_file=bytearray(json.dumps(document), "utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_training_rows_are_answered_alike_bit_for_bit(kind: str) -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    train = made_columns(kind, generator)
    booster = fitted(train, generator)
    midway = with_thresholds_midway(booster, training_values(train))
    assert splits_of(booster)
    assert booster.inplace_predict(train).tobytes() == midway.inplace_predict(train).tobytes()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "adjacent"])
def test_each_threshold_lies_midway_between_two_training_values(kind: str) -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    train = made_columns(kind, generator)
    values = training_values(train)
    booster = fitted(train, generator)
    moved = 0
    for (feature, before), (_, after) in zip(
        splits_of(booster), splits_of(with_thresholds_midway(booster, values)), strict=True
    ):
        if not values[feature][0] < before <= values[feature][-1]:
            assert after == before
            continue
        place = np.searchsorted(values[feature], before)
        lower, upper = values[feature][place - 1].astype(np.float64), values[feature][place].astype(np.float64)
        assert before == upper  # XGBoost's own threshold is a training value
        assert after == np.float32((lower + upper) / 2)
        moved += 1
    assert moved > 10


def test_values_next_to_each_other_keep_their_threshold() -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    train = made_columns("adjacent", generator)
    booster = fitted(train, generator)
    # The middle of two such values rounds to the lower one half of the time; its rows would go right.
    assert splits_of(with_thresholds_midway(booster, training_values(train))) == splits_of(booster)


@pytest.mark.parametrize(
    ("threshold", "moved"), [(3, 2.5), (2.2, 2.5), (2.9, 2.5), (1, 1), (0.5, 0.5), (9, 9), (4, 3.5)]
)
def test_thresholds_outside_the_training_values_stay(threshold: float, moved: float) -> None:
    values = training_values(np.array([[1], [2], [3], [4], [np.nan]], dtype=np.float32))
    assert splits_of(with_thresholds_midway(with_threshold(threshold), values)) == [(0, np.float32(moved))]


@pytest.mark.parametrize("kind", KINDS)
def test_snapped_rows_are_answered_as_the_midway_model_answers_the_rows(kind: str) -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    train = made_columns(kind, generator)
    values, booster = training_values(train), fitted(train, generator)
    midway = with_thresholds_midway(booster, values)
    known = np.concatenate(values).astype(np.float64)
    between = (
        known[generator.integers(0, len(known), (4000, 3))] + known[generator.integers(0, len(known), (4000, 3))]
    ) / 2
    wide = generator.uniform(known.min() * 1.2, known.max() * 1.2, (4000, 3)) if kind != "huge" else between
    rows = np.concatenate([train, between, wide]).astype(np.float32)
    rows[generator.random(rows.shape) < 0.05] = np.nan
    snapped = snapped_to_training_values(rows, values)
    assert booster.inplace_predict(snapped).tobytes() == midway.inplace_predict(rows).tobytes()
    if kind in ("whole numbers", "coarse", "tenths", "missing"):
        assert booster.inplace_predict(rows).tobytes() != midway.inplace_predict(rows).tobytes()


def test_a_millionth_of_noise_turns_no_answer_of_whole_numbers() -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    train = made_columns("whole numbers", generator)
    booster = fitted(train, generator)
    noisy = (train * (1 + generator.uniform(-1e-6, 1e-6, train.shape))).astype(np.float32)
    assert np.mean(booster.inplace_predict(noisy) != booster.inplace_predict(train)) > 0.3
    midway = with_thresholds_midway(booster, training_values(train))
    assert midway.inplace_predict(noisy).tobytes() == midway.inplace_predict(train).tobytes()


def test_moving_twice_changes_nothing_more_and_the_given_booster_stays() -> None:
    generator = np.random.Generator(np.random.PCG64(5))
    train = made_columns("tenths", generator)
    values, booster = training_values(train), fitted(train, generator)
    before = bytes(booster.save_raw())
    once = with_thresholds_midway(booster, values)
    assert bytes(booster.save_raw()) == before != bytes(once.save_raw())
    assert bytes(with_thresholds_midway(once, values).save_raw()) == bytes(once.save_raw())


def test_a_column_without_values_is_left_alone() -> None:
    rows = np.full((3, 1), np.nan, dtype=np.float32)
    np.testing.assert_array_equal(snapped_to_training_values(rows + 1, training_values(rows)), rows)
