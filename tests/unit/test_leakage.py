"""The leak probes find a label that is copied, hidden in a range or split over two columns; an easy problem passes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from gauntlet.core.gate_rules import SplitRules
from gauntlet.core.leakage import LabelledRows, find_leaks, probe_leaks
from gauntlet.core.problem import Column

pytestmark = pytest.mark.unit

RULES = SplitRules()


def _table(rows, *, seed=1):
    """Return ten features of noise, of which the first tells something, and the label."""
    draw = np.random.default_rng(seed)
    features = pd.DataFrame(draw.normal(size=(rows, 10)), columns=[f"x{place}" for place in range(10)])
    label = (draw.random(rows) < 1 / (1 + np.exp(1 - 1.5 * features["x0"]))).astype(np.int8)
    return features, label.to_numpy()


def _leaks(features, label, **columns):
    described = [Column(name=name, **columns.get(name, {})) for name in features.columns]
    return find_leaks(features, label, columns=described, rules=RULES, seed=4)


@pytest.mark.parametrize("rows", [300, 600, 1000, 5000])
@pytest.mark.parametrize("decimals", [None, 2, 1])
def test_a_label_split_over_two_columns_is_found_and_both_are_named(rows, decimals):
    features, label = _table(rows)
    noise = np.random.default_rng(2).normal(size=rows)
    both = {"a": noise, "b": noise + label / 2}
    leaks = _leaks(
        features.assign(**{k: v if decimals is None else np.round(v, decimals) for k, v in both.items()}), label
    )
    assert [set(leak.columns) for leak in leaks] == [{"a", "b"}]
    assert "weighted sum" in leaks[0].sentence
    assert _leaks(features.assign(a=noise, b=noise + np.random.default_rng(3).permutation(label) / 2), label) == ()


def test_a_large_number_hides_no_leak():
    features, label = _table(600)
    noise = 1e9 + np.round(np.random.default_rng(2).normal(size=600) * 1e6)
    assert [set(leak.columns) for leak in _leaks(features.assign(a=noise, b=noise + label / 2), label)] == [{"a", "b"}]


def test_missing_values_and_texts_enter_the_line():
    features, label = _table(600)
    draw = np.random.default_rng(2)
    level = draw.integers(0, 4, 600)
    # The text says by how much the number is off.
    leaking = features.assign(a=level + label / 2.0, b=np.array(["n", "e", "s", "w"])[level])
    leaking.loc[draw.random(600) < 0.2, "x3"] = np.nan
    assert [set(leak.columns) for leak in _leaks(leaking, label, b={"kind": "text"})] == [{"a", "b"}]
    # Whether x1 is missing, plus noise that x2 repeats, is the label.
    noise = draw.normal(size=600)
    hidden = features.assign(x1=np.where(label == draw.integers(0, 2, 600), np.nan, 1.0))
    hidden["x2"], hidden["x3"] = noise, noise + label - hidden["x1"].isna()
    assert set(_leaks(hidden, label)[0].columns) == {"x1", "x2", "x3"}


def test_several_leaks_are_found_one_after_the_other():
    features, label = _table(600)
    noise = np.random.default_rng(2).normal(size=600)
    text = np.where(label == 1, "yes", "no")
    leaking = features.assign(copy=label * 1.0, told=text, a=noise, b=noise - label)
    assert [set(leak.columns) for leak in _leaks(leaking, label, told={"kind": "text"})] == [
        {"copy", "told"},
        {"a", "b"},
    ]
    known = {"told": {"kind": "text", "known_before": True}, "copy": {"known_before": True}}
    assert [set(leak.columns) for leak in _leaks(leaking, label, **known)] == [{"a", "b"}]


def test_too_few_rows_of_a_class_tell_nothing():
    features, _ = _table(40)
    label = (np.arange(40) < 3).astype(np.int8)
    assert _leaks(features.assign(copy=label * 1.0), label) == ()


@pytest.mark.parametrize("seed", range(10))
def test_a_real_easy_table_has_no_leak(seed):
    features, label = load_breast_cancer(return_X_y=True, as_frame=True)
    columns = [Column(name=name.replace(" ", "_")) for name in features.columns]
    features.columns = [column.name for column in columns]
    assert find_leaks(features, label, columns=columns, rules=RULES, seed=seed) == ()
    train = np.random.default_rng(seed).random(len(label)) < 0.75
    rows = [LabelledRows(features[part].reset_index(drop=True), label[part].to_numpy()) for part in (train, ~train)]
    probes = probe_leaks(*rows, columns=columns, seed=1)
    assert probes.line > 0.96
    assert probes.leak(RULES) is None
