"""Whether the candidate may be promoted: one item for each gate, and for each single expectation of each suite.

`pytest -m gates` makes a candidate first when none is there, in the state folder of the session's options.
"""

from dataclasses import replace

import pytest

from gauntlet.core.progress import SilentProgress
from gauntlet.gates.catalogue import AllGates, gates_of
from gauntlet.stages.candidate import Candidate
from gauntlet.testing import parametrize_with_gates

# The only gate that reads a clock: no two of its measurements are equal.
CLOCK = "artefact::latency_within_budget"


@parametrize_with_gates()
def test_gate(spark, gate):
    gate()


@pytest.mark.gates
def test_gates_asked_two_at_a_time_say_what_each_says_alone(candidate: Candidate) -> None:
    verdicts = AllGates().verdicts(candidate.changed(), progress=SilentProgress())
    together = {verdict.gate: verdict for verdict in verdicts}
    # Without the answers that the first judgement has kept.
    apart = candidate.changed(_answers={})
    for gate in gates_of(candidate.problem, candidate.suites):
        found, expected = together.pop(gate.name), gate(apart)
        if gate.name == CLOCK:
            found, expected = (
                replace(verdict, sentence="clock", measured=0.0, interval=None) for verdict in (found, expected)
            )
        assert found == expected
    assert not together
