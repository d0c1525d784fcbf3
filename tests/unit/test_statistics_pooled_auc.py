"""The AUC within folds, and its error under no relation."""

import math

import numpy as np
import pytest

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.pooled_auc import FOLD_CORRELATION, pool_auc

pytestmark = pytest.mark.unit


def test_folds_are_weighted_by_their_pairs():
    small = (np.array([0.1, 0.9]), np.array([1, 0]))  # one pair, in the wrong order
    large = (np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]))  # four pairs, all right
    pooled = pool_auc([small, large])
    assert (pooled.auc, pooled.rows) == (pytest.approx(4 / 5), 6)


def test_folds_need_not_answer_on_one_scale():
    label = np.array([0, 0, 1, 1])
    score = np.array([0.1, 0.2, 0.8, 0.9])
    assert pool_auc([(score, label), (score / 1000, label)]).auc == 1.0


def test_the_error_is_that_of_the_mann_whitney_statistic_times_the_folds_correlation():
    label = np.repeat([0, 1], (30, 20))
    pooled = pool_auc([(np.arange(50.0), label)])
    assert pooled.null_error == pytest.approx(FOLD_CORRELATION * math.sqrt(51 / (12 * 30 * 20)))


def test_scores_of_no_relation_lie_within_the_error():
    generator = np.random.default_rng(1)
    label = np.repeat([0, 1], (40, 20))
    folds = [[(generator.random(60), generator.permutation(label)) for _ in range(6)] for _ in range(400)]
    aucs = np.array([pool_auc(one).auc for one in folds])
    # Independent folds: their spread is the error without the factor for shared training rows.
    assert aucs.std() * FOLD_CORRELATION == pytest.approx(pool_auc(folds[0]).null_error, rel=0.1)


def test_no_fold_gives_no_estimate():
    with pytest.raises(DataError, match="no fold of both classes"):
        pool_auc([])
