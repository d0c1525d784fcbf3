"""Scores: the order of probabilities, and the cost of deciding by them; what cannot be judged is refused."""

import numpy as np
import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Costs
from gauntlet.core.scores import (
    CURVE_POINTS,
    accept_all_cost,
    auc,
    best_threshold,
    cost_curve,
    costs_in_force,
    precision_recall_curve,
    reject_all_cost,
    roc_curve,
)

pytestmark = pytest.mark.unit

GENERATOR = np.random.default_rng(5)
LABEL = (GENERATOR.random(900) < 0.3).astype(int)
PROBABILITY = np.clip(0.3 * LABEL + GENERATOR.random(900) * 0.7, 0, 1).round(3)
COSTS = Costs(false_positive=1, false_negative=3)


def _cost(threshold, *, probability=PROBABILITY, label=LABEL, costs=COSTS):
    decided = probability >= threshold
    wrongly = costs.false_positive * (decided & (label == 0)) + costs.false_negative * (~decided & (label == 1))
    return float(wrongly.mean())


def test_auc_counts_the_pairs_in_the_right_order():
    positive, negative = PROBABILITY[LABEL == 1][:, None], PROBABILITY[LABEL == 0][None, :]
    assert auc(PROBABILITY, LABEL) == pytest.approx(((positive > negative) + 0.5 * (positive == negative)).mean())
    assert auc([0.1, 0.9], [0, 1]) == 1
    assert auc([0.9, 0.1], [0, 1]) == 0


@pytest.mark.parametrize(
    ("probability", "label", "reason"),
    [
        ([0.1, np.nan], [0, 1], "1 of 2 probabilities are NaN or infinite"),
        ([0.1, np.inf], [0, 1], "NaN or infinite"),
        ([0.1, 0.2], [1, 1], "all 2 rows are of class 1"),
        ([0.1, 0.2], [0, 0], "all 2 rows are of class 0"),
        ([], [], "no rows"),
        ([0.1], [0, 1], "do not fit"),
        ([[0.1, 0.9]], [[0, 1]], "do not fit"),
        ([0.1, 1.5], [0, 1], "between 0 and 1"),
        ([-0.1, 0.5], [0, 1], "between 0 and 1"),
        ([0.1, 0.5], [0, 2], "labels must be 0 or 1"),
    ],
)
@pytest.mark.parametrize("score", [auc, roc_curve, precision_recall_curve])
def test_what_cannot_be_judged_is_refused(score, probability, label, reason):
    with pytest.raises(DataError, match=reason):
        score(probability, label)


def test_a_threshold_needs_rows_that_can_be_judged():
    with pytest.raises(DataError, match="NaN"):
        best_threshold([0.1, np.nan], [0, 1], COSTS)


def test_curves_are_thin_and_keep_their_ends():
    roc = roc_curve(PROBABILITY, LABEL)
    assert len(roc) <= CURVE_POINTS
    assert (roc[0], roc[-1]) == ((0, 0), (1, 1))
    assert list(roc) == sorted(roc)
    recall_precision = precision_recall_curve(PROBABILITY, LABEL)
    assert len(recall_precision) == CURVE_POINTS
    assert recall_precision[0] == (0, 1)
    assert recall_precision[-1] == (1, pytest.approx(LABEL.mean()))
    assert [point[0] for point in recall_precision] == sorted(point[0] for point in recall_precision)
    assert roc == roc_curve(PROBABILITY, LABEL)


def test_the_best_threshold_is_the_best_of_all():
    found = best_threshold(PROBABILITY, LABEL, COSTS)
    tried = [*np.unique(PROBABILITY), 2.0]
    assert found.cost == pytest.approx(min(_cost(threshold) for threshold in tried))
    assert _cost(found.threshold) == pytest.approx(found.cost)
    assert found.cost < min(accept_all_cost(LABEL, COSTS), reject_all_cost(LABEL, COSTS))


def test_of_equally_cheap_thresholds_the_lowest_is_taken():
    # From 0.25 on one row is wrongly accepted, from 0.75 on one is missed: both cost 1/4.
    found = best_threshold([0.125, 0.25, 0.5, 0.75], [0, 1, 0, 1], Costs())
    assert (found.threshold, found.cost) == (0.1875, 0.25)


def test_rejecting_all_is_tried_too():
    found = best_threshold([0.2, 0.9], [1, 0], Costs(false_positive=9, false_negative=1))
    assert (found.threshold, found.cost) == (pytest.approx(0.95), 0.5)


def test_a_threshold_lies_midway_between_two_neighbouring_probabilities():
    found = best_threshold(PROBABILITY, LABEL, COSTS)
    assert found.threshold not in PROBABILITY
    place = np.searchsorted(np.unique(PROBABILITY), found.threshold)
    below, above = np.unique(PROBABILITY)[place - 1 : place + 1]
    assert found.threshold == (below + above) / 2
    assert _cost(found.threshold) == _cost(above) == pytest.approx(found.cost)


@pytest.mark.parametrize(
    ("probability", "label", "threshold"),
    [
        ([0.5, 0.5, 0.75], [1, 1, 0], 0.25),  # all positive: midway to 0
        ([0.0, 0.0, 0.75], [1, 1, 0], 0.0),  # all positive, and no probability is less
        ([0.25, 0.5, 0.5], [1, 0, 0], 0.75),  # none positive: midway to 1
        ([0.25, 1.0, 1.0], [1, 0, 0], np.nextafter(1, 2)),  # none positive, and no probability is greater
        ([0.5, np.nextafter(0.5, 1)], [0, 1], np.nextafter(0.5, 1)),  # no number lies between
        ([np.nextafter(0.5, 0), 0.5], [0, 1], 0.5),
    ],
)
def test_the_ends_and_adjacent_probabilities(probability, label, threshold):
    assert best_threshold(probability, label, Costs()).threshold == threshold


def test_accepting_all_is_the_choice_where_mistakes_of_that_kind_cost_nothing():
    found = best_threshold(PROBABILITY, LABEL, Costs(false_positive=0, false_negative=1))
    assert (found.threshold, found.cost) == (PROBABILITY.min() / 2, 0)


def test_set_costs_are_in_force_and_without_them_both_classes_count_alike():
    assert costs_in_force(COSTS, positive_share=LABEL.mean()) == COSTS
    balanced = costs_in_force(None, positive_share=LABEL.mean())
    assert balanced.false_positive == 1
    assert balanced.false_negative == pytest.approx((LABEL == 0).sum() / (LABEL == 1).sum())
    assert accept_all_cost(LABEL, balanced) == pytest.approx(reject_all_cost(LABEL, balanced))
    assert best_threshold(PROBABILITY, LABEL, balanced).cost < accept_all_cost(LABEL, balanced)


@pytest.mark.parametrize("share", [0.0, 1.0, np.nan])
def test_one_class_gives_no_balanced_costs(share):
    with pytest.raises(DataError, match="one class"):
        costs_in_force(None, positive_share=share)
    assert costs_in_force(COSTS, positive_share=share) == COSTS


def test_the_cost_curve_is_thin_rises_in_threshold_and_holds_the_best():
    curve = cost_curve(PROBABILITY, LABEL, COSTS)
    thresholds = [point.threshold for point in curve]
    assert len(curve) <= CURVE_POINTS
    assert thresholds == sorted(set(thresholds))
    assert best_threshold(PROBABILITY, LABEL, COSTS) in curve
    assert all(point.cost == pytest.approx(_cost(point.threshold)) for point in curve)
    assert curve[0].cost == pytest.approx(accept_all_cost(LABEL, COSTS))
    assert curve[-1].cost == pytest.approx(reject_all_cost(LABEL, COSTS))
