"""Calibration: errors worked by hand, and an excess that is nothing for a calibrated model and much for another."""

import numpy as np
import pytest
from scipy.special import expit, logit

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.calibration import brier, calibration, expected_calibration_error

pytestmark = pytest.mark.unit


def _rows(rows, seed=3):
    generator = np.random.default_rng(seed)
    probability = expit(generator.normal(-1.5, 1, size=rows))
    return probability, (generator.random(rows) < probability).astype(int), generator


def test_scores_worked_by_hand():
    assert brier([0.1, 0.8, 0.4], [0, 1, 1]) == pytest.approx((0.01 + 0.04 + 0.36) / 3)
    # Two bins of two rows: means 0.2 and 0.8, shares of positives 0.5 and 1.
    assert expected_calibration_error([0.1, 0.3, 0.7, 0.9], [0, 1, 1, 1], bins=2) == pytest.approx((0.3 + 0.2) / 2)
    assert expected_calibration_error([0.25] * 4, [0, 0, 0, 1], bins=4) == 0


def test_where_equals_lie_in_the_middle_decides_their_bin():
    # Of two bins the first is that of 0.1 alone: |1 - 0.1| of one row and |0 - 0.5| of three.
    assert expected_calibration_error([0.1, 0.5, 0.5, 0.5], [1, 0, 0, 0], bins=2) == pytest.approx((0.9 + 1.5) / 4)


def test_equal_probabilities_share_a_bin_whatever_the_order_of_the_rows():
    probability, label, generator = _rows(500)
    probability = probability.round(1)
    found = expected_calibration_error(probability, label)
    turned = generator.permutation(500)
    assert expected_calibration_error(probability[turned], label[turned]) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("rows", [200, 1300, 20_000])
def test_a_calibrated_model_has_an_error_but_no_excess(rows):
    probability, label, generator = _rows(rows)
    found = calibration(probability, label, generator=generator, repetitions=300)
    assert found.error.value == expected_calibration_error(probability, label) > 0
    assert found.expected_error == pytest.approx(0.95 / np.sqrt(rows), rel=0.15)
    assert found.excess.value == pytest.approx(found.error.value - found.expected_error)
    assert found.excess.interval[0] < 0 < found.excess.interval[1]
    assert found.brier.interval[0] < found.brier.value < found.brier.interval[1]


@pytest.mark.parametrize(
    "broken",
    [
        lambda probability: expit(2.5 * logit(probability)),
        lambda probability: 1 - (1 - probability) / 2,
        lambda probability: np.full_like(probability, 0.5),
    ],
)
def test_a_model_that_is_not_calibrated_has_an_excess(broken):
    probability, label, generator = _rows(1300)
    found = calibration(broken(probability), label, generator=generator, repetitions=300)
    assert found.excess.interval[0] > 0.02
    assert found.excess.value < found.error.value
    assert found.error.interval[0] > 0.02


def test_excess_is_nothing_on_average():
    excesses = []
    for seed in range(60):
        probability, label, generator = _rows(300, seed)
        excesses.append(calibration(probability, label, generator=generator, repetitions=40).excess.value)
    assert abs(np.mean(excesses)) < 3 * np.std(excesses) / np.sqrt(60)


def test_equal_generators_give_equal_intervals():
    probability, label, _ = _rows(300)
    first, second = (
        calibration(probability, label, generator=np.random.default_rng(1), repetitions=50) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("probability", "label", "reason"),
    [
        ([0.1, np.nan], [0, 1], "NaN"),
        ([0.1, 1.2], [0, 1], "between 0 and 1"),
        ([0.1, 0.2], [0, 0], "both classes"),
        ([], [], "no rows"),
        ([0.1], [0, 1], "do not fit"),
        ([0.1, 0.2], [0, 1], "2 rows do not fill 10 bins"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(probability, label, reason):
    with pytest.raises(DataError, match=reason):
        expected_calibration_error(probability, label)
    with pytest.raises(DataError, match=reason):
        calibration(probability, label, generator=np.random.default_rng(1))
