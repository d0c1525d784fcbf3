"""One seed, one result: streams hang on the root and the name only."""

import numpy as np
import pytest

from gauntlet.core.seeding import Seeds

pytestmark = pytest.mark.unit


def test_gives_the_same_stream_for_the_same_name():
    first, second = Seeds(7).generator("split"), Seeds(7).generator("split")
    assert np.array_equal(first.integers(0, 1000, 20), second.integers(0, 1000, 20))


@pytest.mark.parametrize(
    "other", [Seeds(8).sequence("split"), Seeds(7).sequence("sweep"), Seeds(7).sequence("split", 0)]
)
def test_gives_another_stream_for_another_root_or_name(other):
    here = Seeds(7).sequence("split").generate_state(4)
    assert not np.array_equal(here, other.generate_state(4))


def test_does_not_depend_on_how_many_streams_were_drawn_before():
    seeds = Seeds(7)
    alone = seeds.integer("baseline")
    for name in range(50):
        seeds.generator("sweep", name).random()
    assert seeds.integer("baseline") == alone


def test_integers_fit_what_libraries_accept():
    drawn = [Seeds(root).integer("trial", root) for root in range(200)]
    assert all(0 <= value < 2**31 for value in drawn)
    assert len(set(drawn)) == len(drawn)
