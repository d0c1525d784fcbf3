"""Holm's adjustment: worked by hand, monotone, and never smaller than the p-value itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.core.errors import DataError
from gauntlet.core.statistics.holm import holm_adjusted

pytestmark = pytest.mark.unit


def test_a_case_worked_by_hand():
    # Ordered 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04; the last may not fall below 0.06.
    found = holm_adjusted({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert found == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.06, "d": 0.06})
    assert list(found) == ["a", "b", "c", "d"]


def test_one_p_value_stays_and_none_exceeds_one():
    assert holm_adjusted({"a": 0.3}) == {"a": 0.3}
    assert holm_adjusted({"a": 0.9, "b": 0.6}) == {"a": 1.0, "b": 1.0}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=8))
def test_the_order_is_kept_and_nothing_is_made_more_significant(p_values):
    adjusted = holm_adjusted(p_values)
    assert adjusted.keys() == p_values.keys()
    assert all(p_values[name] <= adjusted[name] <= min(1, len(p_values) * p_values[name]) for name in p_values)
    by_p = sorted(p_values, key=lambda name: (p_values[name], adjusted[name]))
    assert [adjusted[name] for name in by_p] == sorted(adjusted.values())


@pytest.mark.parametrize("p_values", [{}, {"a": math.nan}, {"a": 0.1, "b": -0.1}, {"a": 1.1}])
def test_what_is_no_p_value_is_refused(p_values):
    with pytest.raises(DataError, match="p-values"):
        holm_adjusted(p_values)
