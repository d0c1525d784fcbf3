"""The comparison with a champion: yes if shown, no if the opposite was or it could have been, else undecided."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from gauntlet.core.errors import DataError, InputError
from gauntlet.core.statistics.comparison import ComparisonRule, compare
from gauntlet.core.statistics.delong import paired_auc
from gauntlet.core.statistics.holm import holm_adjusted
from gauntlet.core.statistics.intervals import normal_tail
from gauntlet.core.statistics.power import noninferiority_power, superiority_power

pytestmark = pytest.mark.unit

NOT_WORSE = ComparisonRule(question="not_worse", margins={"auc": 0.02, "brier": 0.01}, repetitions=400)
BETTER = replace(NOT_WORSE, question="better")


def _models(*separations, rows=1300, share=0.2, own=0.3, seed=5):
    """Models whose scores share most of their noise; a greater separation makes a better one."""
    generator = np.random.default_rng(seed)
    label = (generator.random(rows) < share).astype(int)
    shared = generator.normal(size=rows)
    scores = [apart * label + shared + own * generator.normal(size=rows) for apart in separations]
    return [expit(score - 1.6) for score in scores], label


def _compared(rule, *separations, **options):
    (candidate, champion), label = _models(*separations, **options)
    return compare(candidate, champion, label, rule=rule, generator=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("rule", "separations", "options", "decision", "reason"),
    [
        (NOT_WORSE, (1.2, 1.2), {}, "yes", "is not worse than the champion"),
        (NOT_WORSE, (1.6, 1.2), {}, "yes", "is not worse than the champion"),
        (NOT_WORSE, (0.8, 1.2), {}, "no", "worse than allowed in AUC"),
        (NOT_WORSE, (1.2, 1.2), {"own": 1.5, "seed": 6}, "undecided", "cannot be told: the chance to show it was"),
        (BETTER, (1.6, 1.2), {}, "yes", "is better than the champion"),
        (BETTER, (0.8, 1.2), {}, "no", "worse than allowed in AUC"),
        (BETTER, (1.2, 1.2), {"rows": 6000}, "no", "could have been shown to be better in AUC, and was not"),
        (BETTER, (1.2, 1.2), {"own": 1.5}, "undecided", "whether the candidate is better in AUC cannot be told"),
        (NOT_WORSE, (1.6, 1.2), {"rows": 120}, "undecided", "fewer than 30 positive and 30 negative rows"),
        (NOT_WORSE, (0.8, 1.2), {"share": 0.99}, "undecided", "fewer than 30 positive and 30 negative rows"),
    ],
)
def test_the_decision_is_what_the_rows_show(rule, separations, options, decision, reason):
    found = _compared(rule, *separations, **options)
    assert found.decision == decision, found.sentence
    assert reason in found.sentence


def test_a_comparison_says_what_it_looked_at():
    found = _compared(NOT_WORSE, 1.2, 1.2)
    assert [metric.metric for metric in found.metrics] == ["auc", "brier"]
    assert found.rows == found.positives + found.negatives == 1300
    for metric in found.metrics:
        assert metric.interval[0] < metric.difference < metric.interval[1]
        assert 1 <= (metric.interval[1] - metric.interval[0]) / (2 * 1.6448 * metric.standard_error) < 1.12
        assert f"{metric.difference:+.4f}" in found.sentence
    assert f"{found.positives} positive and {found.negatives} negative rows" in found.sentence


def test_no_single_approximation_is_trusted():
    (candidate, champion), label = _models(1.6, 1.2)
    found = compare(candidate, champion, label, rule=NOT_WORSE, generator=np.random.default_rng(1))
    # All resamples lie above the bound, and the normal approximations would say nearly 0.
    assert [metric.p for metric in found.metrics] == [1 / 401, 1 / 401]
    (candidate, champion), label = _models(1.2, 1.2)
    area = compare(candidate, champion, label, rule=NOT_WORSE, generator=np.random.default_rng(1)).metrics[0]
    paired = paired_auc(candidate, champion, label)
    assert area.difference == paired.difference
    assert area.standard_error >= paired.standard_error
    assert area.p >= normal_tail((paired.difference + 0.02) / paired.standard_error)


def test_several_metrics_share_the_level():
    found = _compared(NOT_WORSE, 1.2, 1.2, own=1.5, seed=6)
    assert {metric.metric: metric.adjusted_p for metric in found.metrics} == holm_adjusted(
        {metric.metric: metric.p for metric in found.metrics}
    )
    for metric in found.metrics:
        margin = NOT_WORSE.margins[metric.metric]
        assert metric.power == noninferiority_power(metric.standard_error, margin=margin, alpha=0.025)
    area = _compared(replace(BETTER, margins={"auc": 0.02}, effect=0.03), 1.2, 1.2).metrics[0]
    assert area.power == superiority_power(area.standard_error, effect=0.03, alpha=0.05)


def test_differences_are_positive_where_the_candidate_is_better():
    better, worse = _compared(NOT_WORSE, 1.6, 1.2), _compared(NOT_WORSE, 1.2, 1.6)
    assert all(metric.difference > 0 for metric in better.metrics)
    assert all(metric.difference < 0 for metric in worse.metrics)


def test_the_order_of_the_margins_changes_nothing():
    turned = replace(NOT_WORSE, margins={"brier": 0.01, "auc": 0.02})
    assert _compared(turned, 1.2, 1.2) == _compared(NOT_WORSE, 1.2, 1.2)


@pytest.mark.parametrize(("rule", "decision"), [(NOT_WORSE, "yes"), (BETTER, "no")])
def test_equal_predictions_are_not_worse_and_not_better(rule, decision):
    (model,), label = _models(1.2)
    found = compare(model, model, label, rule=rule, generator=np.random.default_rng(1))
    assert found.decision == decision
    assert {(metric.difference, metric.standard_error) for metric in found.metrics} == {(0, 0)}


def test_better_order_bought_with_worse_probabilities_is_not_better():
    (candidate, champion), label = _models(1.6, 1.2)
    inflated = 1 - (1 - candidate) / 3  # a rising function: the order is kept
    found = compare(inflated, champion, label, rule=BETTER, generator=np.random.default_rng(1))
    assert found.metrics[0].adjusted_p < 0.05
    assert found.decision == "no"
    assert "Brier score" in found.sentence
    # Its errors differ between the classes, so what the class sizes vary by must be in its interval too.
    saved = (champion - label) ** 2 - (inflated - label) ** 2
    low, high = found.metrics[1].interval
    assert high - low >= 2 * 1.6448 * saved.std(ddof=1) / math.sqrt(len(label))
    only_order = replace(BETTER, margins={"auc": 0.02})
    assert compare(inflated, champion, label, rule=only_order, generator=np.random.default_rng(1)).decision == "yes"


def test_a_sound_brier_score_does_not_hide_a_worse_order():
    (champion,), label = _models(1.2)
    coarse = np.where(champion > np.median(champion), champion[champion > np.median(champion)].mean(), 0.1)
    found = compare(coarse, champion, label, rule=NOT_WORSE, generator=np.random.default_rng(1))
    assert found.metrics[0].difference < -0.02
    assert found.decision == "no"


def test_pairing_is_used():
    (candidate, champion), label = _models(1.2, 1.2)
    mixed = champion.copy()
    generator = np.random.default_rng(2)
    for value in (0, 1):  # the same AUC and Brier score, but of other rows
        mixed[label == value] = generator.permutation(champion[label == value])
    paired, unpaired = (
        compare(candidate, model, label, rule=NOT_WORSE, generator=np.random.default_rng(1))
        for model in (champion, mixed)
    )
    for own, other in zip(paired.metrics, unpaired.metrics, strict=True):
        assert own.difference == pytest.approx(other.difference)
        assert own.standard_error < 0.6 * other.standard_error
    assert unpaired.decision == "undecided"


def test_one_row_of_a_class_decides_nothing():
    found = compare([0.1, 0.2, 0.9], [0.1, 0.2, 0.8], [0, 0, 1], rule=NOT_WORSE, generator=np.random.default_rng(1))
    assert (found.decision, found.metrics) == ("undecided", ())
    assert "1 positive and 2 negative rows" in found.sentence


@pytest.mark.parametrize(
    ("candidate", "champion", "label", "reason"),
    [
        ([0.1, math.nan], [0.1, 0.2], [0, 1], "NaN"),
        ([0.1, 0.2], [0.1, math.inf], [0, 1], "infinite"),
        ([0.1, 0.2], [0.1], [0, 1], "do not fit"),
        ([0.1, 0.2], [0.1, 1.2], [0, 1], "between 0 and 1"),
        ([0.1, 0.2], [0.1, 0.2], [1, 1], "all 2 rows are of class 1"),
        ([], [], [], "no rows"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(candidate, champion, label, reason):
    with pytest.raises(DataError, match=reason):
        compare(candidate, champion, label, rule=NOT_WORSE, generator=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"margins": {}}, "must name some of auc, brier"),
        ({"margins": {"accuracy": 0.1}}, "accuracy"),
        ({"margins": {"auc": 0.0}}, "margin of auc must be a finite number greater than 0"),
        ({"margins": {"auc": math.nan}}, "margin of auc"),
        ({"question": "better", "margins": {"brier": 0.1}}, "name auc among the margins"),
        ({"question": "equal"}, "not_worse or better"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"power": 1.0}, "power"),
        ({"effect": 0.0}, "effect"),
        ({"repetitions": 39}, "at least 40 repetitions"),
    ],
)
def test_a_rule_that_could_not_decide_is_refused(change, reason):
    with pytest.raises(InputError, match=reason):
        replace(NOT_WORSE, **change)
