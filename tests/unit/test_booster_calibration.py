"""Boosters with calibrated probabilities: the line that is fitted, and the model that carries it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from gauntlet.adapters.booster_calibration import calibrated, with_scaled_margins
from gauntlet.core.errors import DataError
from gauntlet.core.scores import auc
from gauntlet.core.statistics.calibration import Scaling, calibration, platt_scaling

pytestmark = pytest.mark.unit


def labels_of(margin: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int8]:
    return (generator.random(len(margin)) < expit(margin)).astype(np.int8)


@pytest.mark.parametrize("spread", [1e-3, 1, 30])
@pytest.mark.parametrize("centre", [-6, 0, 4])
def test_a_known_line_is_found(spread: float, centre: float) -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    true = generator.normal(-0.5, 1.5, 20_000)
    label = labels_of(true, generator)
    found = platt_scaling(true * spread + centre, label)
    assert found is not None
    assert found.slope * spread == pytest.approx(1, abs=0.05)
    assert found.slope * centre + found.intercept == pytest.approx(0, abs=0.08)


def test_it_is_the_likeliest_line_for_targets_within_0_and_1() -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    margin = generator.normal(size=90)
    label = labels_of(2 * margin - 1, generator)
    positives, negatives = label.sum(), (1 - label).sum()
    target = np.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # The same likelihood by another road: each row counts in part as positive and in part as negative.
    rows, weights = np.concatenate([margin, margin])[:, None], np.concatenate([target, 1 - target])
    other = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(rows, np.repeat([1, 0], len(margin)), weights)
    found = platt_scaling(margin, label)
    assert found is not None
    assert found.slope == pytest.approx(other.coef_[0, 0], rel=1e-4)
    assert found.intercept == pytest.approx(other.intercept_[0], rel=1e-4)


def test_rows_divided_without_error_get_a_finite_line() -> None:
    found = platt_scaling(np.arange(40.0), np.repeat([0, 1], 20))
    assert found is not None
    assert 0 < found.slope < 5


def test_margins_that_fall_or_stand_still_get_none() -> None:
    assert platt_scaling(np.arange(40.0), np.repeat([1, 0], 20)) is None
    assert platt_scaling(np.full(40, 0.3), np.repeat([1, 0], 20)) is None


def test_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="one class only"):
        platt_scaling(np.arange(4.0), np.ones(4))


def made_booster(
    generator: np.random.Generator, **parameters: float
) -> tuple[xgboost.Booster, NDArray[np.float32], NDArray[np.int8]]:
    """Return a booster, and 4,000 rows that it was not fitted on with their labels."""
    rows = generator.normal(size=(5000, 4)).astype(np.float32)
    label = labels_of(1.5 * rows[:, 0] - rows[:, 1] - 1, generator)
    settings = {"objective": "binary:logistic", "nthread": 1, "max_depth": 3, **parameters}
    booster = xgboost.train(settings, xgboost.QuantileDMatrix(rows[:1000], label[:1000]), num_boost_round=12)
    return booster, rows[1000:], label[1000:]


@pytest.mark.parametrize("base_score", [None, 0.5, 1e-3])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (3.7, -2), (0.04, 0.3), (40, 35), (9, -40)])
def test_margins_are_those_of_the_line(
    slope: float, intercept: float, base_score: float | None, tmp_path: Path
) -> None:
    given = {} if base_score is None else {"base_score": base_score}
    booster, rows, _ = made_booster(np.random.Generator(np.random.PCG64(3)), **given)
    before = booster.inplace_predict(rows, predict_type="margin")
    scaled = with_scaled_margins(booster, Scaling(slope, intercept))
    wanted = slope * before.astype(np.float64) + intercept
    np.testing.assert_allclose(scaled.inplace_predict(rows, predict_type="margin"), wanted, rtol=1e-4, atol=1e-4)
    assert booster.inplace_predict(rows, predict_type="margin").tobytes() == before.tobytes()
    scaled.save_model(tmp_path / "model.ubj")
    read = xgboost.Booster(model_file=tmp_path / "model.ubj")
    assert read.inplace_predict(rows).tobytes() == scaled.inplace_predict(rows).tobytes()


def test_explanations_follow() -> None:
    booster, rows, _ = made_booster(np.random.Generator(np.random.PCG64(3)))
    scaled = with_scaled_margins(booster, Scaling(3, -1))
    for approximate in (False, True):
        before, after = (
            model.predict(xgboost.DMatrix(rows[:50]), pred_contribs=True, approx_contribs=approximate)
            for model in (booster, scaled)
        )
        np.testing.assert_allclose(after[:, :-1], 3 * before[:, :-1], rtol=1e-4, atol=1e-4)


def test_few_trees_at_a_small_rate_are_calibrated_and_order_rows_as_before() -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    booster, rows, label = made_booster(generator, learning_rate=0.02)
    mended = calibrated(booster, rows[:1000], label[:1000])
    excess, area = (
        [read(model.inplace_predict(rows[1000:])) for model in (booster, mended)]
        for read in (
            lambda given: calibration(given, label[1000:], generator=generator, repetitions=200).excess.value,
            lambda given: auc(given, label[1000:]),
        )
    )
    assert excess[0] > 0.1
    assert abs(excess[1]) < 0.05
    assert area[1] == pytest.approx(area[0], abs=1e-5)
