"""DeLong's AUC: equal to published numbers, to the definition over all pairs, and to the bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.bootstrap import bootstrap, weighted_auc
from gauntlet.core.statistics.delong import AucEstimate, auc_estimate, paired_auc, placements

pytestmark = pytest.mark.unit

# The 49 patients of DeLong, DeLong and Clarke-Pearson (1988), section 3: albumin, total protein, 12 less the
# Krebs-Goplerud score (here less a constant), and the outcome. Listed in the documentation of SAS/STAT
# (PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves", the 43 complete ones) and in the tests of pyroc
# (github.com/alistairewj/pyroc, MIT licence), which puts the median where a value is missing.
ALBUMIN = (
    "3.0 3.2 3.9 2.8 3.2 0.9 2.5 1.6 3.8 3.7 nan 3.2 3.8 4.1 3.6 4.3 3.6 2.3 4.2 4.0 3.5 3.8 3.0 4.5 3.7 3.1 4.1 4.3 "
    "4.3 3.2 2.6 3.3 1.7 nan 3.7 3.3 4.2 3.5 2.9 2.1 nan 2.8 nan nan 4.0 3.3 3.7 2.0 3.6"
)
PROTEIN = (
    "5.8 6.3 6.8 4.8 5.8 4.0 5.7 5.6 5.7 6.7 nan 5.4 6.6 6.6 5.7 7.0 6.7 4.4 7.6 6.6 5.8 6.8 4.7 7.4 7.4 6.6 8.2 7.0 "
    "6.5 5.1 4.7 6.8 4.0 nan 6.1 6.3 7.7 6.2 5.7 4.8 nan 6.2 nan nan 7.0 5.7 6.9 nan 6.6"
)
SCORE = "0574752554464556646443255445654434534513223334535"
OUTCOME = "0110100111111111010011011111111001111101101111111"


def _patients():
    measured = [np.array(text.split(), dtype=float) for text in (ALBUMIN, PROTEIN)]
    filled = [np.where(np.isnan(values), np.nanmedian(values), values) for values in measured]
    return [*filled, np.array(list(SCORE), dtype=float)], np.array(list(OUTCOME), dtype=int)


def _kernel(score, label):
    """The definition: every positive row against every negative one, ties counting half."""
    positive, negative = np.asarray(score)[label == 1][:, None], np.asarray(score)[label == 0]
    return (positive > negative) + 0.5 * (positive == negative)


def test_areas_are_those_of_the_paper():
    indices, outcome = _patients()
    assert [round(auc_estimate(index, outcome).auc, 2) for index in indices] == [0.72, 0.65, 0.69]


def test_paired_differences_give_the_published_joint_test():
    # pyroc tests the three areas for equality by one contrast of two rows: p = 0.42291256338064165. The contrast's
    # covariance matrix follows from the three pairs' standard errors.
    indices, outcome = _patients()
    ab, ac, bc = (paired_auc(indices[i], indices[j], outcome) for i, j in ((0, 1), (0, 2), (1, 2)))
    covariance = (ab.standard_error**2 + ac.standard_error**2 - bc.standard_error**2) / 2
    matrix = [[ab.standard_error**2, covariance], [covariance, ac.standard_error**2]]
    contrast = np.array([ab.difference, ac.difference])
    assert chi2.sf(contrast @ np.linalg.inv(matrix) @ contrast, 2) == pytest.approx(0.42291256338064165, rel=1e-9)


def test_a_small_case_worked_by_hand():
    # Positive 4 and 2, negative 3, 1 and 2: placements of positives 3/3 and (1 + 1/2)/3, of negatives 1/2, 1 and 3/4.
    of_positives, of_negatives = placements([4, 2, 3, 1, 2], [1, 1, 0, 0, 0])
    assert of_positives == pytest.approx(np.array([1, 0.5]))
    assert of_negatives == pytest.approx(np.array([0.5, 1, 0.75]))
    found = auc_estimate([4, 2, 3, 1, 2], [1, 1, 0, 0, 0])
    assert found.auc == pytest.approx(0.75)
    assert found.standard_error**2 == pytest.approx(0.125 / 2 + 0.0625 / 3)
    # The other model is constant: each placement of it is 1/2, so the difference varies as the first model does.
    paired = paired_auc([4, 2, 3, 1, 2], [7, 7, 7, 7, 7], [1, 1, 0, 0, 0])
    assert (paired.first, paired.second, paired.difference) == pytest.approx((0.75, 0.5, 0.25))
    assert paired.standard_error == pytest.approx(found.standard_error)
    assert (paired.positives, paired.negatives) == (2, 3)


LABELS = st.lists(st.integers(0, 1), min_size=4, max_size=30).filter(lambda label: 2 <= sum(label) <= len(label) - 2)


@given(st.data(), LABELS)
def test_midranks_give_what_all_pairs_give(data, label):
    truth = np.array(label)
    scores = st.lists(st.integers(0, 6), min_size=len(label), max_size=len(label))
    first, second = data.draw(scores), data.draw(scores)
    difference = _kernel(first, truth) - _kernel(second, truth)
    rows, columns = difference.mean(axis=1), difference.mean(axis=0)
    found = paired_auc(first, second, truth)
    assert found.first == pytest.approx(_kernel(first, truth).mean())
    assert found.difference == pytest.approx(difference.mean())
    assert found.standard_error**2 == pytest.approx(
        rows.var(ddof=1) / len(rows) + columns.var(ddof=1) / len(columns), abs=1e-12
    )
    assert auc_estimate(first, truth).auc == pytest.approx(found.first)


def test_the_standard_errors_are_those_of_the_bootstrap():
    generator = np.random.default_rng(7)
    label = (generator.random(600) < 0.3).astype(int)
    shared = label + generator.normal(size=600)
    first, second = shared + 0.4 * generator.normal(size=600), shared + 0.6 * generator.normal(size=600)
    paired = paired_auc(first, second, label)
    single = bootstrap(lambda weights: weighted_auc(first, label, weights), label, generator=generator)
    both = bootstrap(
        lambda weights: weighted_auc(first, label, weights) - weighted_auc(second, label, weights),
        label,
        generator=generator,
    )
    # 2,000 resamples know a standard error to about 1.6 %; four times that.
    assert single.std() == pytest.approx(auc_estimate(first, label).standard_error, rel=0.07)
    assert both.std() == pytest.approx(paired.standard_error, rel=0.07)
    unpaired = np.hypot(auc_estimate(first, label).standard_error, auc_estimate(second, label).standard_error)
    assert paired.standard_error < 0.6 * unpaired


def test_the_interval_covers_the_true_area_as_often_as_it_says():
    generator = np.random.default_rng(11)
    label, covered = np.repeat([1, 0], [40, 80]), 0
    for _ in range(400):
        low, high = auc_estimate(generator.normal(size=120) + 1.8124 * label, label).interval(0.9)
        covered += low <= 0.9 <= high  # Phi(1.8124 / sqrt 2) = 0.9
    assert 0.87 <= covered / 400 <= 0.93


@pytest.mark.parametrize(
    ("estimate", "interval"),
    [
        (AucEstimate(1.0, 0.0, 40, 900), (0.025 ** (1 / 40), 1.0)),
        (AucEstimate(0.0, 0.0, 40, 900), (0.0, 1 - 0.025 ** (1 / 40))),
    ],
)
def test_a_perfect_order_has_an_interval_too(estimate, interval):
    assert estimate.interval() == pytest.approx(interval)


def test_a_constant_score_is_not_known_to_be_half():
    low, high = auc_estimate([0.3] * 60, [0, 1] * 30).interval()
    assert low < 0.35
    assert high > 0.65


def test_the_interval_widens_with_confidence_and_stays_inside():
    estimate = auc_estimate([1, 2, 3, 4, 5, 6, 3], [0, 0, 0, 1, 1, 1, 1])
    narrow, wide = estimate.interval(0.5), estimate.interval(0.999)
    assert 0 <= wide[0] < narrow[0] < estimate.auc < narrow[1] < wide[1] <= 1
    with pytest.raises(DataError, match="between 0 and 1"):
        estimate.interval(1.0)


@pytest.mark.parametrize(
    ("score", "label", "reason"),
    [
        ([0.1, np.nan, 0.2, 0.3], [0, 1, 0, 1], "1 of 4 probabilities are NaN or infinite"),
        ([0.1, np.inf, 0.2, 0.3], [0, 1, 0, 1], "NaN or infinite"),
        ([0.1, None, 0.2, 0.3], [0, 1, 0, 1], "NaN or infinite"),
        (["high", "low"], [0, 1], "must be numbers"),
        ([0.1, 0.2], [1, 1], "all 2 rows are of class 1"),
        ([0.1, 0.2], [0, 0], "all 2 rows are of class 0"),
        ([0.1, 0.2], [0, np.nan], "labels must be 0 or 1"),
        ([0.1, 0.2], [0, 2], "labels must be 0 or 1"),
        ([], [], "no rows"),
        ([0.1], [0, 1], "do not fit"),
        ([[0.1, 0.9]], [[0, 1]], "do not fit"),
        ([0.1, 0.5, 0.7], [0, 1, 0], "1 positive and 2 negative rows give no standard error"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(score, label, reason):
    with pytest.raises(DataError, match=reason):
        auc_estimate(score, label)
    with pytest.raises(DataError, match=reason):
        paired_auc(score, score, label)


def test_models_of_different_rows_are_refused():
    with pytest.raises(DataError, match="do not fit"):
        paired_auc([1, 2, 3, 4], [1, 2, 3], [0, 0, 1, 1])
