"""The comparison keeps what it promises on models of known difference, and the simulation catches one that does not."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gauntlet.core.statistics.comparison import compare
from gauntlet.core.statistics.delong import auc_estimate
from tests.benchmarks import false_promotions as benchmark
from tests.benchmarks.false_promotions import (
    BETTER_BY_EFFECT,
    EQUAL,
    WORSE_BY_MARGIN,
    clopper_pearson,
    drawn,
    simulated,
)

pytestmark = pytest.mark.unit


def _unpaired(candidate, champion, label, *, rule, generator):
    """Compares on rows of the champion's that are not the candidate's: equal AUCs, but no pairing."""
    mixed = champion.copy()
    for value in (0, 1):
        mixed[label == value] = generator.permutation(champion[label == value])
    return compare(candidate, mixed, label, rule=rule, generator=generator)


def _wrong_sign(candidate, champion, label, *, rule, generator):
    return compare(champion, candidate, label, rule=rule, generator=generator)


def _by_the_estimate(candidate, champion, label, *, rule, generator):
    """Says yes if the estimate alone exceeds the bound."""
    found = compare(candidate, champion, label, rule=rule, generator=generator)
    shown = found.metrics[0].difference > rule.bound("auc")
    return replace(found, decision="yes" if shown else "no")


@pytest.mark.parametrize("scenario", [EQUAL, WORSE_BY_MARGIN, BETTER_BY_EFFECT])
def test_the_comparison_keeps_its_promises(scenario):
    found = simulated(scenario, pairs=300)
    assert found.holds, found
    assert found.interval[0] < found.share < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.12


@pytest.mark.parametrize(
    ("scenario", "broken"),
    [
        (BETTER_BY_EFFECT, _unpaired),
        (WORSE_BY_MARGIN, _wrong_sign),
        (BETTER_BY_EFFECT, _wrong_sign),
        (EQUAL, _by_the_estimate),
        (WORSE_BY_MARGIN, _by_the_estimate),
    ],
)
def test_a_broken_comparison_is_caught(scenario, broken):
    assert not simulated(scenario, pairs=120, comparison=broken).holds


def test_pairs_have_the_difference_they_are_said_to_have(monkeypatch):
    monkeypatch.setattr(benchmark, "POSITIVES", 40_000)
    monkeypatch.setattr(benchmark, "NEGATIVES", 120_000)
    candidate, champion, label = drawn(-0.03, np.random.default_rng(1))
    first, second = auc_estimate(candidate, label), auc_estimate(champion, label)
    assert abs(first.auc - 0.77) < 4 * first.standard_error
    assert abs(second.auc - 0.80) < 4 * second.standard_error
    assert np.corrcoef(candidate[label == 0], champion[label == 0])[0, 1] == pytest.approx(0.9, abs=0.02)


def test_the_binomial_interval_is_the_exact_one():
    low, high = clopper_pearson(0, 20)
    assert (low, high) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))
    low, high = clopper_pearson(5, 20)
    assert sum(math.comb(20, k) * low**k * (1 - low) ** (20 - k) for k in range(5, 21)) == pytest.approx(
        0.025, abs=1e-6
    )
    assert sum(math.comb(20, k) * high**k * (1 - high) ** (20 - k) for k in range(6)) == pytest.approx(0.025, abs=1e-6)
