"""The encoding is learnt on training rows and does not depend on their order."""

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.encoding import MAXIMUM_LEVELS, Encoding, encode, learn_encoding
from gauntlet.core.problem import Column

pytestmark = pytest.mark.unit

COLUMNS = (Column(name="age"), Column(name="member", kind="boolean"), Column(name="city", kind="text"))
FRAME = pd.DataFrame(
    {"age": [1.5, np.nan, 3.0], "member": [1.0, 0.0, np.nan], "city": ["Porto", "Lisbon", "Porto"]},
)


def test_texts_get_a_column_a_level_most_frequent_first():
    encoding = learn_encoding(FRAME, COLUMNS)
    assert encoding.matrix_columns == ("age", "member", "city=Porto", "city=Lisbon")
    matrix = encode(FRAME, encoding)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [[1.5, 1, 1, 0], [np.nan, 0, 0, 1], [3, np.nan, 1, 0]])


def test_unknown_and_missing_texts_are_rows_of_zeros():
    encoding = learn_encoding(FRAME, COLUMNS)
    other = pd.DataFrame({"age": [1.0, 2.0], "member": [0.0, 1.0], "city": ["Faro", None]})
    np.testing.assert_array_equal(encode(other, encoding)[:, 2:], np.zeros((2, 2)))


def test_the_order_of_rows_changes_nothing():
    rows = pd.DataFrame({"age": range(9), "member": 1.0, "city": list("abcabcabc")})
    assert learn_encoding(rows, COLUMNS) == learn_encoding(rows.sample(frac=1, random_state=3), COLUMNS)


def test_only_the_most_frequent_levels_get_a_column():
    rows = pd.DataFrame({"age": 1.0, "member": 1.0, "city": [f"{n:03d}" for n in range(100)] + ["099"] * 2})
    levels = learn_encoding(rows, COLUMNS).columns[2].levels
    assert len(levels) == MAXIMUM_LEVELS
    assert levels[0] == "099"


def test_a_text_column_without_values_keeps_its_place():
    rows = pd.DataFrame({"age": [1.0], "member": [1.0], "city": [None]})
    encoding = learn_encoding(rows, COLUMNS)
    np.testing.assert_array_equal(encode(rows, encoding), [[1, 1, 0]])


def test_survives_json():
    encoding = learn_encoding(FRAME, COLUMNS)
    assert Encoding.model_validate_json(encoding.model_dump_json()) == encoding


def test_matrix_columns_know_their_feature():
    encoding = learn_encoding(FRAME, COLUMNS)
    assert [encoding.source_of(name) for name in encoding.matrix_columns] == ["age", "member", "city", "city"]


def test_a_missing_feature_is_named():
    with pytest.raises(KeyError, match="city"):
        encode(FRAME.drop(columns="city"), learn_encoding(FRAME, COLUMNS))


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("number", [1e39, -1e39, np.inf])
def test_a_number_beyond_a_32_bit_float_is_refused_with_its_column(number):
    with pytest.raises(ValueError, match=r"column age is beyond 3\.4e38"):
        encode(FRAME.assign(age=[1.0, number, 2.0]), learn_encoding(FRAME, COLUMNS))
