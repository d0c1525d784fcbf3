"""Drift: the index as worked by hand, tests that keep their level, and moved columns found among ones that did not."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.drift import drift, population_stability_index, two_sample_p

pytestmark = pytest.mark.unit

MAKERS = {
    "number": lambda generator, rows: generator.normal(size=rows),
    "rounded": lambda generator, rows: generator.normal(size=rows).round(1),
    "gaps": lambda generator, rows: np.where(generator.random(rows) < 0.1, np.nan, generator.normal(size=rows)),
    "flag": lambda generator, rows: (generator.random(rows) < 0.05).astype(int),
    "boolean": lambda generator, rows: generator.random(rows) < 0.3,
    "text": lambda generator, rows: generator.choice(list("abcdef"), rows, p=[0.5, 0.3, 0.15, 0.03, 0.015, 0.005]),
    "words": lambda generator, rows: np.array([f"w{number}" for number in generator.geometric(0.03, size=rows)]),
}


COLUMNS = [name for name in MAKERS if name != "words"]  # too many values for the index of few rows


def _frame(rows, seed):
    generator = np.random.default_rng(seed)
    return pd.DataFrame({name: maker(generator, rows) for name, maker in MAKERS.items()})


def test_an_index_worked_by_hand():
    # Half a row more in each of two bins: 60.5/101 and 40.5/101 against 30.5/101 and 70.5/101.
    index = population_stability_index(["a"] * 60 + ["b"] * 40, ["a"] * 30 + ["b"] * 70)
    assert index == pytest.approx(30 / 101 * (math.log(60.5 / 30.5) + math.log(70.5 / 40.5)))


def test_an_index_of_numbers_is_of_the_references_quantiles():
    # The reference's bins are 1-25, 26-50, 51-75 and 76-100; all that is current lies in the last.
    index = population_stability_index(np.arange(1, 101), np.full(100, 1000.0), bins=4)
    before, after = 25.5 / 102, [0.5 / 102] * 3 + [100.5 / 102]
    assert index == pytest.approx(sum((share - before) * math.log(share / before) for share in after))


@pytest.mark.parametrize("name", MAKERS)
def test_what_did_not_move_has_no_index(name):
    column = _frame(500, 1)[name]
    assert population_stability_index(column, column) == 0
    assert two_sample_p(column, column) == pytest.approx(1)
    shuffled = column.sample(frac=1, random_state=2)
    assert population_stability_index(column, shuffled) == 0


@pytest.mark.parametrize("name", MAKERS)
def test_the_test_keeps_its_level(name):
    generator, maker = np.random.default_rng(4), MAKERS[name]
    p_values = np.array([two_sample_p(maker(generator, 300), maker(generator, 120)) for _ in range(200)])
    assert (p_values <= 0.05).mean() <= 0.09
    assert (p_values <= 0.5).mean() >= 0.2


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("number", lambda column: column + 1),
        ("number", lambda column: column * 3),
        ("rounded", lambda column: column + 1),
        ("gaps", lambda column: column.where(column > 0)),
        ("gaps", lambda column: column.where(column.isna(), 0.1)),
        ("number", lambda column: column.where(np.arange(len(column)) % 2 == 0)),
        ("number", lambda column: column * np.nan),
        ("flag", lambda column: 1 - column),
        ("boolean", lambda column: ~column),
        ("boolean", lambda column: column.astype(object).where(np.arange(len(column)) % 2 == 0)),
        ("text", lambda column: column.replace("a", "z")),
        ("text", lambda column: column.where(column != "a")),
    ],
)
def test_what_moved_is_found_and_nothing_else(name, broken):
    reference, current = _frame(1500, 5), _frame(500, 6)
    sound = drift(reference, current, columns=COLUMNS)
    assert all(column.psi < 0.1 for column in sound)
    assert all(column.adjusted_p > 0.05 for column in sound)
    found = drift(reference, current.assign(**{name: broken(current[name])}), columns=COLUMNS)
    assert [column.column for column in found if column.psi > 0.2 and column.adjusted_p < 0.001] == [name]
    assert [column.column for column in found] == COLUMNS


def test_numbers_are_compared_by_kolmogorov_smirnov_and_few_values_by_chi_squared():
    reference, current = _frame(300, 7), _frame(200, 8)
    expected = ks_2samp(reference.number, current.number, method="asymp").pvalue
    assert two_sample_p(reference.number, current.number) == pytest.approx(expected)
    for name in ("flag", "boolean"):
        table = pd.crosstab(np.repeat([0, 1], [300, 200]), pd.concat([reference[name], current[name]]).to_numpy())
        assert two_sample_p(reference[name], current[name]) == pytest.approx(
            chi2_contingency(table, correction=False).pvalue
        )


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, 2, None, 4], "Int64"), ([1, 2, None, 4], object), ([True, False, None, True], "boolean")],
)
def test_nullable_columns_are_columns_too(values, kind):
    column = pd.Series(values * 30, dtype=kind)
    plain = pd.Series(values * 30)
    assert population_stability_index(column, column.head(60)) == population_stability_index(plain, plain.head(60))
    assert two_sample_p(column, column.dropna()) == two_sample_p(plain, plain.dropna()) < 0.01


def test_a_text_that_is_missing_throughout_has_moved():
    assert population_stability_index(["a", "b"] * 50, np.full(100, np.nan)) > 1
    assert two_sample_p(["a", "b"] * 50, np.full(100, np.nan)) < 1e-6


def test_few_rows_are_compared_exactly():
    # Of 3 and 3 rows the most extreme table has chance 1/20 on either side (Fisher).
    assert two_sample_p([True] * 3, [False] * 3) == pytest.approx(0.1)


def test_a_constant_that_moved_is_found():
    assert population_stability_index([5.0] * 50, [4.0] * 50) > 1
    assert two_sample_p([5.0] * 50, [4.0] * 50) < 1e-6
    assert population_stability_index([5.0] * 50, [5.0] * 40) == pytest.approx(0)
    assert two_sample_p([5.0] * 50, [5.0] * 40) == 1


def test_a_text_of_very_many_values_has_a_finite_index():
    before, after = [f"a{number % 400}" for number in range(2000)], [f"a{number % 400}" for number in range(1000)]
    other = [f"b{number}" for number in range(1000)]
    assert population_stability_index(before, after) < 0.1
    assert 1 < population_stability_index(before, other) < math.inf
    assert population_stability_index(before[::-1], after[:130]) == population_stability_index(before, after[:130])
    assert two_sample_p(before, after) > 0.5
    assert two_sample_p(before, other) < 1e-6


@pytest.mark.parametrize(
    ("reference", "current", "reason"),
    [
        ([], [1.0], "0 reference and 1 current rows"),
        ([1.0], [], "1 reference and 0 current rows"),
        ([math.nan, None], [1.0], "all 2 values of the reference are missing"),
        ([1.0, math.inf], [1.0], "infinite"),
        ([1.0, 2.0], [1.0, -math.inf], "infinite"),
        ([1.0, 2.0], ["a", "b"], "values should hold numbers, and does not"),
        (["a", "b"], [1.0, 2.0], "did not in the reference"),
    ],
)
@pytest.mark.parametrize("measure", [population_stability_index, two_sample_p])
def test_what_cannot_be_compared_is_refused(measure, reference, current, reason):
    with pytest.raises(DataError, match=reason):
        measure(reference, current)


def test_no_column_or_a_missing_one_is_refused():
    frame = _frame(20, 1)
    with pytest.raises(DataError, match="no such column in one of the tables: gone"):
        drift(frame, frame, columns=["number", "gone"])
    with pytest.raises(DataError, match="no p-values"):
        drift(frame, frame, columns=[])
    with pytest.raises(DataError, match="at least 2 bins"):
        population_stability_index(frame.number, frame.number, bins=1)
