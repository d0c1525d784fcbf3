"""Whether the candidate may be promoted: one item a gate, judged on a candidate made for this."""

import pytest

from gauntlet.adapters.target import LocalTarget
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State
from gauntlet.gates.promotion import CHOSEN_WITHOUT_TEST, GATES
from gauntlet.pipeline import Road

pytestmark = pytest.mark.gates

SMALL = {"sweep.trials": 8, "sweep.lag": 4, "sweep.max_rounds": 120}


def _walked(folder, **overrides):
    problem, state = load_problem(overrides=SMALL | overrides), State(folder)
    road = Road(problem=problem, target=LocalTarget(problem=problem, state=state), state=state, last="promote")
    return road.run().results


@pytest.fixture(scope="module")
def honest(spark, tmp_path_factory):
    """The results of an honest run up to its promotion."""
    return _walked(tmp_path_factory.mktemp("honest"))


@pytest.fixture(scope="module")
def notebook(spark, tmp_path_factory):
    """The results of the tutorial's protocol, which tunes on its test rows."""
    return _walked(tmp_path_factory.mktemp("notebook"), **{"split.protocol": "notebook"})


@pytest.mark.parametrize("gate", GATES)
def test_gate_passes(honest, gate):
    (verdict,) = [verdict for verdict in honest["promote"].verdicts if verdict.gate == gate]
    assert verdict.status == "PASS", verdict.sentence


def test_only_the_gates_that_exist_were_asked(honest):
    assert [verdict.gate for verdict in honest["promote"].verdicts] == list(GATES)


def test_the_candidate_is_champion_and_reads_back_equal(honest):
    promoted, chosen = honest["promote"], honest["select"].chosen.name
    assert promoted.refusal is None
    assert promoted.champion is not None
    assert promoted.auc_readback == pytest.approx(promoted.scores.auc[chosen], abs=1e-12)


def test_a_model_tuned_on_test_is_refused_by_name(notebook):
    promoted = notebook["promote"]
    (verdict,) = [verdict for verdict in promoted.verdicts if verdict.gate == CHOSEN_WITHOUT_TEST]
    assert verdict.status == "FAIL"
    assert "selected on test" in promoted.refusal
    assert promoted.champion is None
