"""Copies of rows are told from rows of a coarse table that coincide by chance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.core.chance_repeats import judge_repeats
from gauntlet.core.grouping import near_neighbours
from gauntlet.core.problem import Column
from gauntlet.core.seeding import Seeds
from tests.near_repeats import CHOICES, all_pairs, rows_of
from tests.near_repeats import COLUMNS as MIXED

pytestmark = pytest.mark.unit


def _columns(count, **described):
    return [Column(name=f"c{place}", kind="integer", **described) for place in range(count)]


def _coarse(rows, *, levels=6, columns=4, seed=1, pull=1.2):
    """Return a table of few levels whose label hangs on all columns."""
    draw = np.random.default_rng(seed)
    values = np.clip(np.round(draw.normal(levels / 2, levels / 4, (rows, columns))), 0, levels - 1)
    risk = (values - levels / 2) / (levels / 4) @ np.linspace(1.2, 0.2, columns) * pull - 1
    frame = pd.DataFrame(values, columns=[f"c{place}" for place in range(columns)])
    frame["label"] = (draw.random(rows) < 1 / (1 + np.exp(-risk))).astype(np.int8)
    return frame


def _with_copies(frame, share, *, seed=2):
    copies = frame.sample(frac=share, random_state=seed)
    return pd.concat([frame, copies], ignore_index=True)


def _judged(frame, **asked):
    columns = _columns(sum(name.startswith("c") for name in frame.columns))
    return judge_repeats(frame, columns=columns, seeds=Seeds(3), **asked)


@pytest.mark.parametrize("rows", [300, 1000, 5000])
@pytest.mark.parametrize("shape", [(6, 4), (4, 6)], ids=["four columns", "six columns"])
def test_a_coarse_table_repeats_by_chance_however_much_its_columns_tell(rows, shape):
    for seed, pull in enumerate((0.3, 1.2, 3)):
        found = _judged(_coarse(rows, levels=shape[0], columns=shape[1], seed=seed, pull=pull))
        assert found.by_chance, found.sentence
    assert found.repeats > 0.05 * rows


@pytest.mark.parametrize("rows", [300, 1000])
@pytest.mark.parametrize("shape", [(6, 4), (4, 6)], ids=["four columns", "six columns"])
def test_copies_in_a_coarse_table_agree_in_their_labels(rows, shape):
    for seed in range(3):
        frame = _coarse(rows, levels=shape[0], columns=shape[1], seed=seed)
        found = _judged(_with_copies(frame, 0.3))
        assert not found.by_chance
        assert "labels" in found.sentence or "permuted independently" in found.sentence


def test_copies_with_a_drawn_label_are_found_by_their_number_where_columns_are_fine():
    draw = np.random.default_rng(1)
    frame = pd.DataFrame(draw.normal(size=(600, 4)), columns=[f"c{place}" for place in range(4)])
    frame["label"] = (draw.random(600) < 0.3).astype(np.int8)
    copied = _with_copies(frame, 0.1)
    copied["label"] = draw.permutation(copied["label"])
    found = _judged(copied)
    assert (found.repeats, found.expected, found.by_chance) == (60, 0, False)
    assert "60 of 660 rows repeat another" in found.sentence
    assert _judged(frame).by_chance


@pytest.mark.parametrize("near", [False, True], ids=["equal", "near"])
def test_test_rows_copied_into_train_are_found_where_many_rows_repeat_anyway(near):
    frame = _coarse(1000, columns=6 if near else 4, levels=9 if near else 6)
    columns = _columns(6 if near else 4, resolution=1.0 if near else None)
    frame["split"] = np.random.default_rng(5).choice(["train", "validation", "test"], 1000, p=[0.6, 0.2, 0.2])
    free = judge_repeats(frame, columns=columns, seeds=Seeds(3), near=near)
    assert free.by_chance
    assert free.across == pytest.approx(free.across_expected, rel=0.1)
    copies = frame[frame["split"] == "test"].head(150).assign(split="train")
    copied = pd.concat([frame, copies], ignore_index=True)
    found = judge_repeats(copied, columns=columns, seeds=Seeds(3), near=near)
    assert found.across > found.across_expected
    assert found.across_p < 1e-4
    assert judge_repeats(copied.drop(columns="split"), columns=columns, seeds=Seeds(3), near=near).across is None


def test_copies_one_unit_away_are_near_repeats():
    draw = np.random.default_rng(1)
    columns = _columns(4, resolution=1.0)
    frame = pd.DataFrame(draw.integers(0, 60, (800, 4)) * 1.0, columns=[column.name for column in columns])
    frame["label"] = (draw.random(800) < 0.3).astype(np.int8)
    moved = frame.head(80).copy()
    moved[["c0", "c1", "c2", "c3"]] += draw.integers(-1, 2, (80, 4))
    both = pd.concat([frame, moved], ignore_index=True)
    for table, by_chance in ((frame, True), (both, False)):
        found = judge_repeats(table, columns=columns, seeds=Seeds(3), near=True)
        assert found.by_chance is by_chance, found.sentence


def test_missing_values_texts_and_one_class_are_taken():
    frame = _coarse(400)
    frame.loc[frame.index % 5 == 0, "c1"] = np.nan
    frame["c2"] = "level " + frame["c2"].astype(int).astype(str)
    columns = [column.model_copy(update={"kind": "text"}) if column.name == "c2" else column for column in _columns(4)]
    assert judge_repeats(frame, columns=columns, seeds=Seeds(3)).by_chance
    one_class = judge_repeats(frame.assign(label=np.int8(0)), columns=columns, seeds=Seeds(3))
    assert (one_class.agreement, one_class.least_agreement) == (0, 0)


def test_many_rows_are_sampled(monkeypatch):
    monkeypatch.setattr("gauntlet.core.chance_repeats.MOST_ROWS", 500)
    frame = _coarse(1200)
    assert _judged(frame).rows == 500
    assert _judged(frame) == _judged(frame)
    assert not _judged(_with_copies(frame, 1.0)).by_chance


def test_each_reason_is_said():
    sound = _judged(_coarse(300))
    assert "permuted independently repeat" in replace(sound, repeats=10 * sound.repeats).fault
    assert "labels of rows" in replace(sound, agreement=0.5, least_agreement=0.4).fault
    assert "free division" in replace(sound, across=90, across_expected=40.0, across_p=1e-6).fault
    # A small excess is what any model leaves unexplained, however significant.
    assert replace(sound, agreement=0.09, least_agreement=0.08).by_chance
    doubtful = replace(sound, agreement=0.12, least_agreement=0.05)
    assert doubtful.by_chance
    assert "some may be copies" in doubtful.doubt == doubtful.sentence
    assert not replace(sound, agreement=0.12, least_agreement=-0.01).doubt


@settings(max_examples=60)
@given(st.lists(CHOICES, min_size=2, max_size=25), st.sampled_from([0.0, 1e-6, 0.2]))
def test_near_neighbours_are_those_of_comparing_all_pairs(rows, tolerance):
    names = [column.name for column in MIXED]
    points = rows_of(rows).drop_duplicates([*names, "split"]).reset_index(drop=True)
    first, second = near_neighbours(points[names], MIXED, relative_tolerance=tolerance, most=len(points))
    pairs = {(int(a), int(b)) for a, b in zip(first, second, strict=True)}
    assert pairs == {(b, a) for a, b in pairs}
    across = {(a, b) for a, b in pairs if a < b and points["split"][a] != points["split"][b]}
    assert across == all_pairs(points, tolerance=tolerance)
