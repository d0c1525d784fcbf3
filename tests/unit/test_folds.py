"""Folds for cross-fitting: each row is held out once, groups stay whole, and no model answers rows before its own."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.core.folds import FOLDS, cross_fit_folds

pytestmark = pytest.mark.unit


def _label(rows, seed=3):
    return (np.random.default_rng(seed).random(rows) < 0.4).astype(np.int8)


def _folds(group, label, *, time=None, seed=1):
    return list(cross_fit_folds(pd.Series(group), label, time=time, seed=seed))


def test_every_row_is_held_out_once_and_in_one_part_of_each_fold():
    folds = _folds([f"g{number}" for number in range(300)], _label(300))
    assert len(folds) == FOLDS
    assert (np.sum([fold.held_out for fold in folds], axis=0) == 1).all()
    for fold in folds:
        assert (fold.train.astype(int) + fold.selection + fold.held_out == 1).all()
        assert [round(part.mean(), 1) for part in (fold.train, fold.selection, fold.held_out)] == [0.6, 0.2, 0.2]


@given(st.lists(st.integers(0, 40), min_size=150, max_size=250), st.booleans())
def test_groups_stay_whole_and_the_order_of_rows_changes_nothing(numbers, timed):
    group, label = np.array([f"g{number}" for number in numbers]), _label(len(numbers))
    time = np.random.default_rng(1).integers(0, 50, len(numbers)) if timed else None
    folds = _folds(group, label, time=time)
    for fold in folds:
        for part in (fold.train, fold.selection, fold.held_out):
            assert not set(group[part]) & set(group[~part & (fold.train | fold.selection | fold.held_out)])
    order = np.random.default_rng(2).permutation(len(numbers))
    again = _folds(group[order], label[order], time=None if time is None else time[order])
    assert len(folds) == len(again)
    for fold, other in zip(folds, again, strict=True):
        assert (fold.held_out[order] == other.held_out).all()
        assert (fold.train[order] == other.train).all()


def test_with_a_time_no_model_answers_rows_that_are_earlier_than_its_own():
    time = np.random.default_rng(5).permutation(700)
    folds = _folds([f"g{number}" for number in range(700)], _label(700), time=time)
    assert len(folds) == FOLDS
    for fold in folds:
        assert time[fold.train].max() < time[fold.selection].min()
        assert time[fold.selection].max() < time[fold.held_out].min()


def test_a_fold_without_rows_of_both_classes_is_left_out():
    label = np.zeros(100, dtype=np.int8)
    label[:2] = 1
    assert _folds([f"g{number}" for number in range(100)], label) == []


def test_another_seed_gives_other_folds():
    group, label = [f"g{number}" for number in range(300)], _label(300)
    first, second = _folds(group, label, seed=1)[0], _folds(group, label, seed=2)[0]
    assert (first.held_out != second.held_out).any()
