"""The bootstrap: resamples keep the classes' sizes, and a statistic of weights is the statistic of the rows drawn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gauntlet.core.errors import DataError
from gauntlet.core.statistics import bootstrap as module
from gauntlet.core.statistics.bootstrap import (
    bootstrap,
    percentile_interval,
    stratified_weights,
    weighted_auc,
    weighted_brier,
)
from gauntlet.core.statistics.calibration import brier

pytestmark = pytest.mark.unit

GENERATOR = np.random.default_rng(3)
LABEL = (GENERATOR.random(90) < 0.3).astype(int)
PROBABILITY = np.clip(0.3 * LABEL + 0.7 * GENERATOR.random(90), 0, 1).round(2)


def _weights(repetitions=50, seed=1):
    return stratified_weights(LABEL, repetitions=repetitions, generator=np.random.default_rng(seed))


def test_each_class_is_resampled_to_its_own_size():
    weights = _weights(400)
    assert weights.shape == (400, 90)
    assert np.issubdtype(weights.dtype, np.integer)
    assert (weights[:, LABEL == 1].sum(axis=1) == LABEL.sum()).all()
    assert (weights.sum(axis=1) == 90).all()
    # A row is left out of a resample of n rows with chance (1 - 1/n) ** n.
    assert (weights[:, LABEL == 0] == 0).mean() == pytest.approx(
        (1 - 1 / (LABEL == 0).sum()) ** (LABEL == 0).sum(), abs=0.01
    )
    assert weights.mean(axis=0) == pytest.approx(np.ones(90), abs=0.25)


def test_equal_generators_draw_equal_resamples():
    assert (_weights() == _weights()).all()
    assert (_weights() != _weights(seed=2)).any()


@pytest.mark.parametrize(
    ("weighted", "plain"), [(weighted_auc, lambda p, y: roc_auc_score(y, p)), (weighted_brier, brier)]
)
def test_weights_count_as_repeated_rows(weighted, plain):
    weights = _weights()
    found = weighted(PROBABILITY, LABEL, weights)
    repeated = [plain(np.repeat(PROBABILITY, row), np.repeat(LABEL, row)) for row in weights]
    assert found == pytest.approx(np.array(repeated))
    assert weighted(PROBABILITY, LABEL, weights / 7) == pytest.approx(found)
    # Narrow whole weights must not overflow.
    assert weighted(PROBABILITY, LABEL, weights.astype(np.int8)) == pytest.approx(found)


def test_blocks_change_nothing_but_the_memory(monkeypatch):
    seen = []

    def statistic(weights):
        seen.append(len(weights))
        return weighted_auc(PROBABILITY, LABEL, weights)

    monkeypatch.setattr(module, "_BLOCK_WEIGHTS", 90 * 16)
    found = bootstrap(statistic, LABEL, repetitions=50, generator=np.random.default_rng(1))
    assert (len(found), seen) == (50, [16, 16, 16, 2])
    assert found[:16] == pytest.approx(weighted_auc(PROBABILITY, LABEL, _weights(16)))
    assert len(set(found)) > 40


def test_the_bootstrap_of_a_mean_has_its_standard_error():
    rows = GENERATOR.normal(size=500)
    found = bootstrap(lambda w: w @ rows / 500, np.zeros(500), repetitions=2000, generator=np.random.default_rng(4))
    assert found.std() == pytest.approx(rows.std() / np.sqrt(500), rel=0.07)
    low, high = percentile_interval(found)
    assert low < rows.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * found.std(), rel=0.1)


def test_a_percentile_interval_leaves_out_equal_shares():
    assert percentile_interval(np.arange(101), 0.9) == pytest.approx((5, 95))


@pytest.mark.parametrize(
    ("samples", "confidence", "reason"),
    [
        ([], 0.95, "there are none"),
        ([0.1, np.nan], 0.95, "1 of 2 samples"),
        ([np.inf], 0.9, "1 of 1"),
        ([1.0], 1.0, "confid"),
    ],
)
def test_an_interval_of_bad_samples_is_refused(samples, confidence, reason):
    with pytest.raises(DataError, match=reason):
        percentile_interval(samples, confidence)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (np.ones(90), "do not fit"),
        (np.ones((2, 89)), "do not fit"),
        (np.full((2, 90), np.nan), "finite"),
        (-np.ones((2, 90)), "not negative"),
        (np.zeros((1, 90)), "class without|all 0"),
    ],
)
@pytest.mark.parametrize("weighted", [weighted_auc, weighted_brier])
def test_weights_that_do_not_fit_are_refused(weighted, weights, reason):
    with pytest.raises(DataError, match=reason):
        weighted(PROBABILITY, LABEL, weights)


def test_a_class_without_weight_has_no_auc():
    with pytest.raises(DataError, match="class without any weight"):
        weighted_auc(PROBABILITY, LABEL, np.array([LABEL]))


def test_impossible_resamples_are_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(DataError, match="at least 1 repetition"):
        bootstrap(lambda w: w.sum(axis=1), LABEL, repetitions=0, generator=generator)
    with pytest.raises(DataError, match="at least 1 repetition"):
        stratified_weights(LABEL, repetitions=0, generator=generator)
    with pytest.raises(DataError, match="one label a row"):
        stratified_weights([], repetitions=1, generator=generator)
    with pytest.raises(ValueError, match="for 5 resamples"):
        bootstrap(lambda w: w, LABEL, repetitions=5, generator=generator)
