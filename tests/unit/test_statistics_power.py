"""Power: the normal formula, its inverse, its two ends, and what it is of a simulated test."""

import math

import numpy as np
import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.power import detectable_effect, noninferiority_power, superiority_power

pytestmark = pytest.mark.unit


def test_power_is_what_the_tables_say():
    # z of 0.95 is 1.6449 and of 0.8 is 0.8416: 80 % at 2.4865 standard errors.
    assert superiority_power(1.0, effect=2.48647, alpha=0.05) == pytest.approx(0.8, abs=1e-5)
    assert noninferiority_power(0.01, margin=0.0248647, alpha=0.05) == pytest.approx(0.8, abs=1e-5)
    assert detectable_effect(0.01, alpha=0.05, power=0.8) == pytest.approx(0.0248647, abs=1e-6)


def test_at_the_null_the_power_is_alpha():
    assert superiority_power(0.02, effect=0.0, alpha=0.05) == pytest.approx(0.05)
    assert noninferiority_power(0.02, margin=0.03, alpha=0.1, true_difference=-0.03) == pytest.approx(0.1)


def test_the_computed_power_is_the_simulated_one():
    estimates = np.random.default_rng(2).normal(0.01, 0.012, size=200_000)
    shown = (estimates + 0.02) / 0.012 >= 1.6448536
    assert noninferiority_power(0.012, margin=0.02, alpha=0.05, true_difference=0.01) == pytest.approx(
        shown.mean(), abs=0.004
    )


@pytest.mark.parametrize(("effect", "power"), [(0.01, 1.0), (0.0, 0.0), (-0.01, 0.0)])
def test_without_error_all_or_nothing_can_be_shown(effect, power):
    assert superiority_power(0.0, effect=effect, alpha=0.05) == power
    assert noninferiority_power(0.0, margin=0.02, alpha=0.05, true_difference=effect - 0.02) == power


def test_without_error_any_effect_can_be_detected():
    assert detectable_effect(0.0, alpha=0.05, power=0.8) == 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1])
def test_a_standard_error_or_margin_that_is_none_is_refused(wrong):
    with pytest.raises(DataError, match="standard error"):
        superiority_power(wrong, effect=0.1, alpha=0.05)
    with pytest.raises(DataError, match="standard error"):
        detectable_effect(wrong, alpha=0.05, power=0.8)
    with pytest.raises(DataError, match="margin"):
        noninferiority_power(0.1, margin=wrong, alpha=0.05)


@pytest.mark.parametrize("wrong", [0.0, 1.0, math.nan])
def test_a_level_that_is_none_is_refused(wrong):
    with pytest.raises(DataError, match="between 0 and 1"):
        superiority_power(0.1, effect=0.1, alpha=wrong)
    with pytest.raises(DataError, match="between 0 and 1"):
        detectable_effect(0.1, alpha=0.05, power=wrong)


def test_an_effect_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="finite"):
        superiority_power(0.1, effect=math.nan, alpha=0.05)
