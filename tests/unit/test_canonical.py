"""Canonical JSON: one text a value."""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.core.canonical import canonical_json, digest, file_digest

pytestmark = pytest.mark.unit

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_does_not_depend_on_the_order_of_keys():
    assert canonical_json({"b": 1, "a": [1, 2]}) == canonical_json({"a": [1, 2], "b": 1}) == '{"a":[1,2],"b":1}'


@given(_json)
def test_reads_back_to_a_value_with_the_same_text(value):
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, -math.inf]])
def test_refuses_what_json_cannot_say(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_digests_differ_for_values_that_differ_in_type_only():
    assert len({digest(value) for value in (1, "1", [1], {"1": 1}, None, True)}) == 6


def test_file_digest_is_the_sha256_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"wine")
    assert file_digest(path) == hashlib.sha256(b"wine").hexdigest()
