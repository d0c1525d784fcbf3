"""Whether the candidate may be promoted: one item for each gate, and for each single expectation of each suite.

`pytest -m gates` makes a candidate first when none is there, in the state folder of the session's options.
"""

from gauntlet.testing import parametrize_with_gates


@parametrize_with_gates()
def test_gate(spark, gate):
    gate()
