"""Identifiers, constants and free text are told from measurements, and each with its own reason."""

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.unfit_columns import find_unfitness

pytestmark = pytest.mark.unit

_TEXTS = [f"note {number}" for number in range(400)]


def _find(values, *, kind="integer", name="value", ordered=True, **known):
    order = np.arange(len(values)) if ordered else None
    return find_unfitness(pd.Series(values, name=name), kind=kind, order=order, **known)


def _draw(seed=3):
    return np.random.default_rng(seed)


IDENTIFIERS = {
    "row numbers": np.arange(1.0, 401),
    "every tenth": np.arange(400) * 10.0,
    "equal steps of a float": 0.1 + 0.25 * np.arange(400),
    "falling, with gaps": -np.cumsum(_draw().integers(1, 9000, 400)).astype(float),
    "shuffled": _draw().permutation(400).astype(float),
    "shuffled, with gaps": _draw().permutation(1200)[:400].astype(float),
    "shuffled tens": _draw().permutation(400) * 10.0,
    "an outlier beside them": np.append(_draw().permutation(399), 999_999.0),
    "some missing": np.where(_draw().random(400) < 0.3, np.nan, _draw().permutation(400)),
}
MEASUREMENTS = {
    "a range of 25,000": _draw().integers(2000, 27_000, 400).astype(float),
    "a range of 200,000": _draw().integers(430_000, 630_000, 400).astype(float),
    "a bell": np.round(_draw().normal(50_000, 9000, 400)),
    "few values": _draw().integers(0, 7, 400).astype(float),
    "floats in no order": _draw().normal(0, 1, 400),
    "sorted floats": np.sort(_draw().normal(0, 1, 400)),
    "sorted, with repeats": np.sort(_draw().integers(0, 300, 400)).astype(float),
    "too few to tell": np.arange(15.0),
    "beyond what a double counts": 2.0**53 + 2 * np.arange(400),
}


@pytest.mark.parametrize("values", IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_identifiers_are_found(values):
    assert _find(values).reason == "identifier"
    assert _find(values, measured=True) is None


@pytest.mark.parametrize("values", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_measurements_are_none(values):
    assert _find(values) is None


def test_a_measurement_is_rarely_taken_for_an_identifier():
    # Equally likely values are the worst case: they repeat the least of all measurements.
    drawn = (_draw(seed).integers(0, size, n) for seed in range(200) for n, size in ((300, 300), (300, 3000), (60, 60)))
    assert sum(_find(values.astype(float), ordered=False) is not None for values in drawn) == 0


@pytest.mark.parametrize(
    "name", ["PassengerId", "customer_no", "EmployeeNumber", "id", "Unnamed: 0", "row_key", "UUID"]
)
def test_a_name_decides_where_the_numbers_cannot(name):
    values = _draw(5).integers(0, 10**9, 400).astype(float)
    assert _find(values) is None
    assert "name" in _find(values, name=name).sentence
    assert _find(np.append(values[:-1], values[0]), name=name) is None
    for other in ("paid", "grid", "valid_months", "number_of_rooms", "Humidity"):
        assert _find(values, name=other) is None


def test_texts_are_told_apart():
    assert _find(_TEXTS, kind="text").reason == "identifier"
    remarks = [f"the customer said {number} times that it works" for number in range(400)]
    assert _find(remarks, kind="text").reason == "free text"
    assert _find(_TEXTS[:370] + _TEXTS[:30], kind="text") is None
    assert _find(_TEXTS[:370] + _TEXTS[:30], kind="text", maximum_distinct_share=0.9).reason == "identifier"
    assert _find([None, *_TEXTS], kind="text").reason == "identifier"


def test_constants_and_booleans():
    for kind, value in (("number", 1.5), ("text", "a"), ("boolean", 1.0)):
        assert _find([value] * 30, kind=kind).reason == "constant"
    # Whether a value is missing may tell something.
    assert _find([1.5] * 30 + [np.nan], kind="number") is None
    assert _find([0.0, 1.0] * 20, kind="boolean") is None
    assert _find([np.nan] * 30) is None


def test_the_order_of_rows_changes_nothing_where_the_order_of_the_file_is_given():
    values = pd.Series(np.cumsum(_draw().integers(1, 10**6, 400)).astype(float), name="value")
    shuffle = _draw().permutation(400)
    assert find_unfitness(values.iloc[shuffle], kind="integer", order=shuffle).reason == "identifier"
    assert find_unfitness(values.iloc[shuffle], kind="integer", order=np.arange(400)) is None
