"""Costs: equal to those of the scores, weighted as rows repeated, and savings that are told from none."""

import math

import numpy as np
import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Costs
from gauntlet.core.scores import accept_all_cost, best_threshold, reject_all_cost
from gauntlet.core.statistics.bootstrap import stratified_weights
from gauntlet.core.statistics.cost import cost_intervals, expected_cost

pytestmark = pytest.mark.unit

COSTS = Costs(false_positive=1, false_negative=3)
GENERATOR = np.random.default_rng(5)
LABEL = (GENERATOR.random(900) < 0.3).astype(int)
PROBABILITY = np.clip(0.3 * LABEL + GENERATOR.random(900) * 0.7, 0, 1).round(3)
BEST = best_threshold(PROBABILITY, LABEL, COSTS)


def _intervals(probability, threshold):
    return cost_intervals(
        probability, LABEL, threshold=threshold, costs=COSTS, generator=np.random.default_rng(1), repetitions=500
    )


def test_a_cost_worked_by_hand():
    # At 0.5 the second row is wrongly accepted (1) and the third is missed (3).
    assert expected_cost([0.2, 0.5, 0.4, 0.9], [0, 0, 1, 1], threshold=0.5, costs=COSTS) == 1


def test_costs_are_those_of_the_scores():
    assert expected_cost(PROBABILITY, LABEL, threshold=BEST.threshold, costs=COSTS) == pytest.approx(BEST.cost)
    assert expected_cost(PROBABILITY, LABEL, threshold=-1, costs=COSTS) == pytest.approx(accept_all_cost(LABEL, COSTS))
    assert expected_cost(PROBABILITY, LABEL, threshold=2, costs=COSTS) == pytest.approx(reject_all_cost(LABEL, COSTS))


def test_weights_count_as_repeated_rows():
    weights = stratified_weights(np.zeros(900), repetitions=5, generator=np.random.default_rng(2))
    found = expected_cost(PROBABILITY, LABEL, threshold=0.4, costs=COSTS, weights=weights)
    repeated = [
        expected_cost(np.repeat(PROBABILITY, row), np.repeat(LABEL, row), threshold=0.4, costs=COSTS) for row in weights
    ]
    assert found == pytest.approx(np.array(repeated))


def test_a_useful_model_saves_and_a_useless_one_does_not():
    useful, useless = (
        _intervals(PROBABILITY, BEST.threshold),
        _intervals(GENERATOR.permutation(PROBABILITY), BEST.threshold),
    )
    for saving, alone in (
        ("saving_over_accept_all", accept_all_cost(LABEL, COSTS)),
        ("saving_over_reject_all", reject_all_cost(LABEL, COSTS)),
    ):
        found = getattr(useful, saving)
        assert found.value == pytest.approx(alone - useful.cost.value)
        assert 0 < found.interval[0] < found.value < found.interval[1]
    assert min(useless.saving_over_accept_all.interval[0], useless.saving_over_reject_all.interval[0]) < 0
    assert useful.cost.interval[0] < useful.cost.value == pytest.approx(BEST.cost)


def test_savings_are_paired():
    # All but one row are decided as accept-all decides: the saving varies by that row alone, not as the costs do.
    found = _intervals(PROBABILITY, np.sort(PROBABILITY)[1])
    width = found.saving_over_accept_all.interval[1] - found.saving_over_accept_all.interval[0]
    assert width < 0.1 * (found.cost.interval[1] - found.cost.interval[0])


@pytest.mark.parametrize(
    ("probability", "threshold", "reason"),
    [
        ([0.1, math.nan], 0.5, "NaN"),
        ([0.1, 1.1], 0.5, "between 0 and 1"),
        ([0.1], 0.5, "do not fit"),
        ([0.1, 0.9], math.nan, "finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(probability, threshold, reason):
    with pytest.raises(DataError, match=reason):
        expected_cost(probability, [0, 1], threshold=threshold, costs=COSTS)
    with pytest.raises(DataError, match=reason):
        cost_intervals(
            probability, [0, 1], threshold=threshold, costs=COSTS, generator=np.random.default_rng(1), repetitions=10
        )
