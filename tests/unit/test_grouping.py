"""Rows that repeat each other stay together, whatever their order."""

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.grouping import group_rows, split_groups
from gauntlet.core.problem import Column, Fractions

pytestmark = pytest.mark.unit

COLUMNS = (
    Column(name="acid", resolution=0.1),
    Column(name="salt", resolution=0.01),
    Column(name="colour", kind="text"),
    Column(name="score"),
)


def _frame(*rows):
    return pd.DataFrame(rows, columns=[column.name for column in COLUMNS])


def _group(frame, *, near_repeats=True, content=None):
    content = content or [str(tuple(row)) for row in frame.itertuples(index=False)]
    return group_rows(frame, columns=COLUMNS, content=content, near_repeats=near_repeats)


def test_exact_repeats_are_one_group():
    grouping = _group(_frame((7.0, 0.5, "red", 1.0), (9.0, 0.9, "red", 1.0), (7.0, 0.5, "red", 1.0)))
    assert grouping.group[0] == grouping.group[2] != grouping.group[1]
    assert len(grouping.near_pairs) == 0


def test_rows_one_unit_apart_on_every_feature_are_near_repeats():
    grouping = _group(_frame((1.1, 0.30, "red", 1.0), (1.0, 0.29, "red", 1.0)))
    assert grouping.count == 1
    assert grouping.near_pairs.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    "other",
    [(1.3, 0.30, "red", 1.0), (1.1, 0.32, "red", 1.0), (1.1, 0.30, "white", 1.0), (1.1, 0.30, "red", 1.5)],
    ids=["two units apart", "two small units apart", "another text", "another unmeasured number"],
)
def test_rows_further_apart_are_not(other):
    assert _group(_frame((1.1, 0.30, "red", 1.0), other)).count == 2


def test_a_chain_of_near_repeats_is_one_group():
    grouping = _group(_frame(*((1.0 + 0.1 * step, 0.3, "red", 1.0) for step in range(5))))
    assert grouping.count == 1
    assert len(grouping.near_pairs) == 4


def test_a_missing_value_equals_only_a_missing_value():
    grouping = _group(_frame((np.nan, 0.3, "red", 1.0), (np.nan, 0.3, "red", 1.0), (0.0, 0.3, "red", 1.0)))
    assert grouping.group[0] == grouping.group[1] != grouping.group[2]


def test_equal_features_stay_together_even_where_labels_differ():
    frame = _frame((1.0, 0.3, "red", 1.0), (1.0, 0.3, "red", 1.0))
    for near_repeats in (True, False):
        assert _group(frame, near_repeats=near_repeats, content=["quality 6", "quality 7"]).count == 1


def test_near_repeats_are_counted_even_where_they_may_be_torn_apart():
    grouping = _group(_frame((1.0, 0.3, "red", 1.0), (1.1, 0.3, "red", 1.0)), near_repeats=False)
    assert grouping.count == 2
    assert len(grouping.near_pairs) == 1


def test_many_rows_of_equal_features_do_not_explode():
    frame = _frame(*([(1.0, 0.3, "red", 1.0)] * 20_000))
    grouping = _group(frame, content=[str(number) for number in range(20_000)])
    assert grouping.count == 1
    assert len(grouping.near_pairs) == 19_999


def _made(rows=2000, seed=5):
    generator = np.random.default_rng(seed)
    group = generator.integers(0, rows // 2, rows)
    label = (generator.random(rows) < 0.2).astype(np.int8)
    return group, label, [f"{number:06d}" for number in range(rows)]


def test_no_group_is_torn_apart_and_the_splits_are_alike():
    group, label, order = _made()
    names = split_groups(group, label, order=order, fractions=Fractions(), generator=np.random.default_rng(1))
    assert pd.Series(names).groupby(group).nunique().max() == 1
    shares = {name: float(np.mean(names == name)) for name in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.6, "validation": 0.2, "test": 0.2}, abs=0.01)
    rates = [label[names == name].mean() for name in shares]
    assert max(rates) - min(rates) < 0.05


def test_the_order_of_rows_changes_nothing():
    group, label, order = _made()
    names = split_groups(group, label, order=order, fractions=Fractions(), generator=np.random.default_rng(1))
    shuffle = np.random.default_rng(2).permutation(len(group))
    again = split_groups(
        # Another order numbers the groups anew, too.
        (group.max() - group)[shuffle],
        label[shuffle],
        order=[order[position] for position in shuffle],
        fractions=Fractions(),
        generator=np.random.default_rng(1),
    )
    assert np.array_equal(names[shuffle], again)


def test_another_seed_gives_another_split():
    group, label, order = _made()
    first, second = (
        split_groups(group, label, order=order, fractions=Fractions(), generator=np.random.default_rng(seed))
        for seed in (1, 2)
    )
    assert (first != second).mean() > 0.2
