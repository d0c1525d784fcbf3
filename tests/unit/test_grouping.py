"""Rows that repeat each other stay together, whatever their order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gauntlet.core.errors import DataError
from gauntlet.core.grouping import (
    SPLIT_ORDER,
    columns_of_split,
    group_by_keys,
    group_rows,
    near_repeats_across,
    source_order,
    split_by_time,
    split_groups,
    time_ranks,
)
from gauntlet.core.problem import Column, Fractions
from tests.made_problem import make_problem
from tests.near_repeats import CHOICES, all_pairs, rows_of
from tests.near_repeats import COLUMNS as MIXED

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


def _made(rows=2000, seed=5, *, share=0.2):
    """Return groups of two rows on average, labels, and identifiers."""
    generator = np.random.default_rng(seed)
    group = generator.integers(0, rows // 2, rows)
    label = (generator.random(rows) < share).astype(np.int8)
    return group, label, [f"{number:06d}" for number in range(rows)]


def _divide(group, label, order, *, seed=1):
    return split_groups(group, label, order=order, fractions=Fractions(), seed=seed)


def test_no_group_is_torn_apart_and_the_splits_are_alike():
    group, label, order = _made()
    names = _divide(group, label, order)
    assert pd.Series(names).groupby(group).nunique().max() == 1
    shares = {name: float(np.mean(names == name)) for name in SPLIT_ORDER}
    assert shares == pytest.approx({"train": 0.6, "validation": 0.2, "test": 0.2}, abs=0.01)
    rates = [label[names == name].mean() for name in shares]
    assert max(rates) - min(rates) < 0.05


def test_the_order_of_rows_changes_nothing():
    group, label, order = _made()
    names = _divide(group, label, order)
    shuffle = np.random.default_rng(2).permutation(len(group))
    # Another order numbers the groups anew, too.
    again = _divide((group.max() - group)[shuffle], label[shuffle], [order[position] for position in shuffle])
    assert np.array_equal(names[shuffle], again)


def test_another_seed_gives_another_split():
    group, label, order = _made()
    first, second = (_divide(group, label, order, seed=seed) for seed in (1, 2))
    assert (first != second).mean() > 0.2


def test_the_division_is_the_same_on_every_machine_and_release():
    # The numbers are written down: a change would move rows of every user's test split into train.
    names = _divide(np.arange(20), (np.arange(20) % 4 == 0).astype(np.int8), [f"row{n}" for n in range(20)])
    assert "".join(name[1] for name in names) == "aarrrraeeearrrrrrrer"


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(20, 600),
    appended=st.sampled_from([0.01, 0.1, 0.5]),
    size=st.sampled_from([1, 2, 5]),
)
def test_no_row_of_train_becomes_a_row_of_test_when_the_table_grows(seed, rows, appended, size):
    generator = np.random.default_rng(seed)
    more = int(np.ceil(appended * rows))
    identifiers = generator.permutation(10**6)[: rows + more]
    # Groups of equal labels, so that a group's stratum stays; old groups get no new rows.
    group = np.concatenate([np.arange(rows) // size, rows + np.arange(more) // size])
    label = (group * 7919 % 10 < 3).astype(np.int8)
    grown = [np.bincount(label[:count], minlength=2) for count in (rows, rows + more)]
    assume((grown[0] >= 3 * size).all() and (grown[1] < 2 * grown[0]).all())
    order = [f"{number:06d}" for number in identifiers]
    before = _divide(group[:rows], label[:rows], order[:rows])
    after = _divide(group, label, order)[:rows]
    assert not ((before == "train") & (after == "test")).any()


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_table_with_large_groups_grows_without_mixing_train_and_test(seed):
    generator = np.random.default_rng(seed)
    large = np.repeat(np.arange(4), [300, 100, 60, 30])
    group = np.concatenate([large, 4 + np.arange(1500)])
    label = (group % 10 < 3).astype(np.int8)
    order = [f"{number:06d}" for number in generator.permutation(len(group))]
    before, after = _divide(group[:1800], label[:1800], order[:1800]), _divide(group, label, order)
    assert not ((before == "train") & (after[:1800] == "test")).any()


@pytest.mark.parametrize("seed", range(12))
def test_a_group_of_a_third_of_the_rows_lands_in_train_and_the_sizes_hold(seed):
    group = np.concatenate([np.zeros(3334, dtype=int), np.arange(1, 7850)])
    label = (np.arange(len(group)) % 43 == 42).astype(np.int8)
    names = _divide(group, label, [f"{n:05d}" for n in range(len(group))], seed=seed)
    assert names[0] == "train"
    assert [np.mean(names == name) for name in SPLIT_ORDER] == pytest.approx([0.6, 0.2, 0.2], abs=0.001)


@pytest.mark.parametrize("positives", [3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
def test_every_split_keeps_rows_of_both_classes_where_that_is_possible(positives, seed):
    label = (np.arange(40) < positives).astype(np.int8)
    names = _divide(np.arange(40), label, [f"{n:02d}" for n in range(40)], seed=seed)
    assert {(name, int(value)) for name, value in zip(names, label, strict=True)} == {
        (name, value) for name in SPLIT_ORDER for value in (0, 1)
    }
    # Positives that only stand in groups with a majority of negatives count as well.
    mixed = _divide(np.arange(40) // 4, (np.arange(40) % 13 == 0).astype(np.int8), [f"{n:02d}" for n in range(40)])
    assert {mixed[n] for n in (0, 13, 26, 39)} == set(SPLIT_ORDER)


def test_two_positive_rows_cannot_stand_in_three_splits_and_are_divided_all_the_same():
    names = _divide(np.arange(30), (np.arange(30) < 2).astype(np.int8), [f"{n:02d}" for n in range(30)])
    assert set(names) == set(SPLIT_ORDER)


def test_rows_that_share_a_key_in_any_column_join_one_group():
    frame = _frame(*((10.0 * number, 0.5, "red", 1.0) for number in range(5)))
    keys = pd.DataFrame({"customer": ["a", "b", "a", "c", "d"], "house": [1, 2, 3, 3, 4]})
    content = [str(number) for number in range(5)]
    grouping = group_rows(frame, columns=COLUMNS, content=content, near_repeats=True, keys=keys)
    assert grouping.group[0] == grouping.group[2] == grouping.group[3]  # by customer, then by house
    assert grouping.count == 3
    plain = group_rows(frame, columns=COLUMNS, content=content, near_repeats=True)
    none = group_rows(frame, columns=COLUMNS, content=content, near_repeats=True, keys=keys[[]])
    assert np.array_equal(plain.group, none.group)


def test_rows_that_repeat_by_chance_are_joined_by_keys_only():
    keys = pd.DataFrame({"customer": ["a", "b", "a", "c", "d"]})
    grouping = group_by_keys(keys)
    assert grouping.group[0] == grouping.group[2]
    assert (grouping.count, len(grouping.near_pairs)) == (4, 0)
    assert group_by_keys(keys[[]]).count == 5
    with pytest.raises(DataError, match=r"split.groups: customer is missing in 1 of 2 rows"):
        group_by_keys(pd.DataFrame({"customer": ["x", None]}))


def test_the_order_of_the_files_is_that_of_the_problem():
    sources = [{"name": name, "file": f"{name}.csv"} for name in ("red", "white")]
    rows = pd.DataFrame(
        {
            "row_id": ["d", "c", "b", "a"],
            "source": ["white", "red", "white", "red"],
            "source_row": [0, 7, 1, 2],
        }
    )
    assert source_order(rows, make_problem(sources=sources)).tolist() == [2, 1, 3, 0]


def test_a_row_without_a_key_is_refused():
    frame = _frame((1.0, 0.5, "red", 1.0), (9.0, 0.5, "red", 1.0))
    with pytest.raises(DataError, match=r"split.groups: customer is missing in 1 of 2 rows"):
        group_rows(
            frame,
            columns=COLUMNS,
            content=["a", "b"],
            near_repeats=True,
            keys=pd.DataFrame({"customer": ["x", None]}),
        )


@pytest.mark.parametrize(
    "values",
    [
        [2019, 2020, 2021, 2020],
        [1.5, 2.5, 3.5, 2.5],
        ["2019-12-31", "2020-01-01T05:00:00", "2020-01-01T08:00:00+02:00", "2020-01-01T05:00:00Z"],
        pd.to_datetime(["2019-12-31", "2020-01-01", "2021-01-01", "2020-01-01"]),
    ],
    ids=["years", "numbers", "texts with and without zones", "timestamps"],
)
def test_times_are_ranked(values):
    assert time_ranks(pd.Series(values, name="day")).tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["2020-01-01", None], "day is missing in 1 of 2 rows"),
        ([1.0, np.nan], "day is missing in 1 of 2 rows"),
        ([1.0, np.inf], "day holds inf"),
        (["2020-01-01", "01/02/2020"], "day holds 01/02/2020"),
        ([True, False], "day holds"),
    ],
)
def test_what_is_no_time_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        time_ranks(pd.Series(values, name="day"))


def test_groups_are_cut_by_their_latest_time_and_ties_stay_together():
    # Group 0 reaches from the first day to the last; groups 1 to 9 have one row a day each, 4 and 5 on one day.
    group = np.array([0, 0, *range(1, 10)])
    time = np.array([0, 99, 1, 2, 3, 4, 4, 5, 6, 7, 8])
    names = split_by_time(group, time, fractions=Fractions())
    assert names[0] == names[1] == "test"
    assert names[5] == names[6]
    assert list(names[2:]) == ["train"] * 7 + ["validation"] * 2
    shuffle = np.random.default_rng(1).permutation(len(group))
    assert np.array_equal(split_by_time(group[shuffle] * 7, time[shuffle], fractions=Fractions()), names[shuffle])


@given(st.integers(0, 10_000))
def test_no_row_is_later_than_a_group_of_a_later_split(seed):
    generator = np.random.default_rng(seed)
    group, time = generator.integers(0, 60, 200), generator.integers(0, 40, 200)
    names = split_by_time(group, time, fractions=Fractions())
    latest = pd.Series(time).groupby(group).transform("max").to_numpy()
    assert pd.Series(names).groupby(group).nunique().max() == 1
    for earlier, later in (("train", ("validation", "test")), ("validation", ("test",))):
        assert time[names == earlier].max() < latest[np.isin(names, later)].min()
    assert abs((names == "train").mean() - 0.6) < 0.2


def test_the_columns_that_the_split_goes_by_are_each_named_once_and_features_are_not():
    columns = [
        {"name": "size"},
        {"name": "shop", "kind": "text", "role": "ignored"},
        {"name": "day", "kind": "integer", "role": "ignored"},
        {"name": "left", "kind": "text"},
    ]
    split = {"groups": ["shop", "size", "day"], "time": "day"}
    assert columns_of_split(make_problem(columns=columns, split=split)) == ("shop", "day")
    assert columns_of_split(make_problem()) == ()


@given(st.lists(CHOICES, min_size=2, max_size=25), st.sampled_from([0.0, 1e-6, 0.2]))
def test_near_repeats_across_splits_are_those_of_comparing_all_pairs(rows, tolerance):
    frame = rows_of(rows)
    found = near_repeats_across(frame, columns=MIXED, relative_tolerance=tolerance, most_compared=10_000)
    assert (found.rows, found.pairs) == (len(frame), len(all_pairs(frame, tolerance=tolerance)))
    assert (found.example is None) == (found.pairs == 0)


def test_near_repeats_too_dense_to_compare_are_not_told():
    frame = pd.DataFrame({"acid": np.arange(200) / 1000, "salt": 1.0, "colour": "red", "score": 1.0})
    frame = frame.assign(row_id=[str(number) for number in range(200)], split=["train", "test"] * 100)
    found = near_repeats_across(frame, columns=COLUMNS, relative_tolerance=0, most_compared=5000)
    assert found.pairs is None
    assert found.compared > 5000
