"""The sweep's proposals: what they may depend on, and what they must not."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from gauntlet.adapters.objective import run_trial
from gauntlet.adapters.tpe import LagProposer
from gauntlet.core.search import SweepRule
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import Trial, TrialResult, trials_digest
from tests.sweep_objectives import SPACE, PatchyValley, Valley, sweep_rule

pytestmark = pytest.mark.unit

RULE = sweep_rule()


def one_by_one(rule: SweepRule = RULE, *, seed: int = 7, objective: Valley | None = None) -> dict[int, TrialResult]:
    proposer, finished = LagProposer(rule, seeds=Seeds(seed)), {}
    for index in range(rule.trials):
        trial = proposer.propose(index, finished=finished)
        finished[index] = run_trial(objective or Valley(), trial)
    return finished


def test_any_order_of_arrival_gives_the_same_sweep() -> None:
    expected = trials_digest(one_by_one().values())
    for seed in range(4):
        generator = np.random.Generator(np.random.PCG64(seed))
        proposer, finished, running, following = LagProposer(RULE, seeds=Seeds(7)), {}, list[Trial](), 0
        while len(finished) < RULE.trials:
            while following < proposer.frontier(finished):
                running.append(proposer.propose(following, finished=finished))
                following += 1
            arrived = run_trial(Valley(), running.pop(int(generator.integers(len(running)))))
            finished[arrived.index] = arrived
        assert trials_digest(finished.values()) == expected


def test_later_results_change_no_proposal() -> None:
    finished = one_by_one()
    index = 30
    known = {i: finished[i] for i in range(index - RULE.lag)}
    others = {i: run_trial(PatchyValley(), Trial(i, 1, {"rate": 1.0, "depth": 2})) for i in range(len(known), 36)}
    alone = LagProposer(RULE, seeds=Seeds(7)).propose(index, finished=known)
    assert LagProposer(RULE, seeds=Seeds(7)).propose(index, finished={**others, **known}) == alone
    backwards = dict(reversed(known.items()))
    assert LagProposer(RULE, seeds=Seeds(7)).propose(index, finished=backwards) == alone


def test_the_last_result_that_may_be_known_does_change_the_proposal() -> None:
    finished = one_by_one()
    index = 30
    last = index - RULE.lag - 1
    better = TrialResult(last, {"rate": 0.9, "depth": 39}, auc=0.99, best_iteration=1, seconds=0.0)
    first = LagProposer(RULE, seeds=Seeds(7)).propose(index, finished=finished)
    assert LagProposer(RULE, seeds=Seeds(7)).propose(index, finished={**finished, last: better}) != first


def test_a_proposal_is_not_made_before_its_time() -> None:
    finished = one_by_one()
    del finished[25]
    with pytest.raises(KeyError):
        LagProposer(RULE, seeds=Seeds(7)).propose(30, finished=finished)
    assert LagProposer(RULE, seeds=Seeds(7)).frontier(finished) == 30


def test_the_frontier_opens_lag_and_one_trials_at_once_and_ends_with_the_budget() -> None:
    finished = one_by_one()
    proposer = LagProposer(RULE, seeds=Seeds(7))
    assert proposer.frontier({}) == RULE.lag + 1
    assert proposer.frontier(finished) == RULE.trials


def test_seed_and_lag_make_the_sweep() -> None:
    assert trials_digest(one_by_one(seed=8).values()) != trials_digest(one_by_one(seed=7).values())
    longer = sweep_rule(lag=6)
    assert trials_digest(one_by_one(longer).values()) != trials_digest(one_by_one().values())


def test_a_failure_is_known_to_the_search_as_a_failure_whatever_its_reason() -> None:
    finished = one_by_one(objective=PatchyValley())
    assert any(r.failure is not None for r in finished.values())
    proposed = LagProposer(RULE, seeds=Seeds(7)).propose(35, finished=finished)
    failed = {
        i: TrialResult(i, r.params, None, None, 3.0, failure="x") if r.failure else r for i, r in finished.items()
    }
    assert LagProposer(RULE, seeds=Seeds(7)).propose(35, finished=failed) == proposed


def test_proposals_come_even_when_every_trial_failed() -> None:
    finished = {i: TrialResult(i, {"rate": 0.5, "depth": 9}, None, None, 0.0, failure="x") for i in range(36)}
    params = LagProposer(RULE, seeds=Seeds(7)).propose(35, finished=finished).params
    assert all(math.isfinite(value) for value in params.values())


def test_values_lie_in_the_space_and_whole_steps_are_integers() -> None:
    for result in one_by_one().values():
        assert math.exp(-3) <= result.params["rate"] <= 1
        assert isinstance(result.params["depth"], int)
        assert 2 <= result.params["depth"] <= 40


def test_a_step_that_is_no_whole_number_stays_a_float() -> None:
    rule = sweep_rule(space={"share": {"distribution": "quniform", "low": 0, "high": 2, "step": 0.5}})
    value = LagProposer(rule, seeds=Seeds(7)).propose(0, finished={}).params["share"]
    assert isinstance(value, float)
    assert value in (0.0, 0.5, 1.0, 1.5, 2.0)


def test_the_order_of_the_space_does_not_matter() -> None:
    turned = sweep_rule(space=dict(reversed(SPACE.items())))
    assert trials_digest(one_by_one(turned).values()) == trials_digest(one_by_one().values())


def test_the_search_finds_more_than_its_random_start() -> None:
    aucs = [result.auc or 0.0 for result in one_by_one(sweep_rule(trials=60)).values()]
    assert np.mean(aucs[40:]) > np.mean(aucs[:20])


def test_another_process_with_another_hash_seed_proposes_the_same() -> None:
    code = "from tests.unit.test_tpe import one_by_one, trials_digest\nprint(trials_digest(one_by_one().values()))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {trials_digest(one_by_one().values())}


def test_the_identity_names_all_that_proposals_depend_on() -> None:
    identities = {
        LagProposer(sweep_rule(), seeds=Seeds(7)).identity,
        LagProposer(sweep_rule(), seeds=Seeds(8)).identity,
        LagProposer(sweep_rule(lag=5), seeds=Seeds(7)).identity,
        LagProposer(sweep_rule(trials=37), seeds=Seeds(7)).identity,
        LagProposer(sweep_rule(space={"rate": SPACE["rate"]}), seeds=Seeds(7)).identity,
    }
    assert len(identities) == 5
    assert LagProposer(sweep_rule(), seeds=Seeds(7)).identity in identities
