"""The floor: the AUC must be shown to be greater than the minimum, by cross-fitting where the rows are few."""

from dataclasses import replace

import numpy as np
import pytest

from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status
from gauntlet.gates.model_answer_saboteurs import answering, scored_by
from gauntlet.gates.model_auc import auc_at_least_baseline, train_test_gap
from gauntlet.gates.model_floor import auc_at_least_minimum
from gauntlet.gates.model_learning import better_than_trivial_models
from gauntlet.gates.model_robustness import calibrated
from gauntlet.gates.model_slices import every_slice_holds
from tests.made_candidate import Logistic, LogisticTrainer, made_candidate

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return made_candidate(tmp_path_factory.mktemp("candidate"))


@pytest.fixture(scope="module")
def small(sound):
    return _with_rows(sound, sound.splits.frame.iloc[:600])


def _with_rows(candidate, frame):
    """Return the candidate with these rows, its model fitted again to those of them that train."""
    changed = candidate.changed(splits=replace(candidate.splits, frame=frame.reset_index(drop=True)))
    fitted = Logistic.fit(changed.splits.rows("train"), changed.problem)
    return scored_by(changed, fitted).changed(trainer=LogisticTrainer(changed.problem, fitted.digest))


class _Counting(LogisticTrainer):
    """A trainer that notes which rows each recipe is fitted to."""

    seen: list

    def fit_recipe(self, train, selection, *, seeds):
        self.seen.append((set(train.row_id), set(selection.row_id), seeds.root))
        return super().fit_recipe(train, selection, seeds=seeds)


def _counting(candidate):
    trainer = _Counting(candidate.problem, candidate.trainer.digest)
    object.__setattr__(trainer, "seen", [])
    return candidate.changed(trainer=trainer), trainer.seen


def test_enough_rows_are_judged_on_test_alone(sound):
    candidate, seen = _counting(sound)
    verdict = auc_at_least_minimum(candidate)
    assert (verdict.status, verdict.rows, seen) == (Status.PASS, 600, [])


def test_few_rows_are_judged_by_five_folds_and_the_test_rows(small):
    candidate, seen = _counting(small)
    verdict = auc_at_least_minimum(candidate)
    frame = small.splits.frame
    test_rows = set(frame.loc[frame["split"] == "test", "row_id"])
    assert (verdict.status, verdict.rows) == (Status.PASS, len(frame))
    assert len(seen) == len({seed for _, _, seed in seen}) == 5
    assert not any(test_rows & (train | selection) for train, selection, _ in seen)
    assert verdict.rows_needed >= 1000


def test_the_folds_are_fitted_once_for_a_trainer_and_its_rows(small):
    candidate, seen = _counting(small)
    first = auc_at_least_minimum(candidate)
    assert auc_at_least_minimum(candidate.changed(threshold=0.3)) == first
    assert len(seen) == 5


def test_few_rows_of_a_class_are_cross_fitted_however_many_rows_there_are(sound):
    frame = sound.splits.frame
    rare = frame[(frame["label"] == 0) | (np.arange(len(frame)) % 8 == 0)]
    candidate, seen = _counting(_with_rows(sound, rare))
    assert len(rare) > 1000
    assert auc_at_least_minimum(candidate).status is Status.PASS
    assert len(seen) == 5


def test_rows_that_tell_nothing_are_refused(small):
    frame, passed = small.splits.frame, 0
    for seed in range(6):
        permuted = frame.assign(label=np.random.default_rng(seed).permutation(frame["label"]))
        passed += auc_at_least_minimum(_with_rows(small, permuted)).status is Status.PASS
    # One in a hundred passes by the floor's level; seed 4 is one of those.
    assert passed <= 1


def test_a_model_that_is_worse_than_its_recipe_is_refused(small):
    reversed_answers = answering(small, lambda _, given: 1 - given)
    verdict = auc_at_least_minimum(reversed_answers)
    assert (verdict.status, "worse than what its recipe gives" in verdict.sentence) == (Status.FAIL, True)


def test_a_model_that_cannot_be_fitted_again_is_judged_by_its_test_rows(small):
    verdict = auc_at_least_minimum(small.changed(trainer=None))
    assert verdict.rows == len(small.splits.rows("test").label)


def test_the_minimum_must_be_shown_not_only_reached(sound):
    measured = auc_at_least_minimum(sound).measured
    problem = load_problem(overrides={"gates.model.minimum_auc": measured - 0.01})
    assert auc_at_least_minimum(sound.changed(problem=problem)).status is Status.FAIL


@pytest.mark.parametrize(
    "gate",
    [auc_at_least_baseline, better_than_trivial_models, train_test_gap, calibrated, every_slice_holds],
    ids=lambda gate: gate.name,
)
def test_an_estimate_from_fewer_than_ten_test_rows_of_a_class_is_a_note(sound, gate):
    frame = sound.splits.frame
    positives = frame[(frame["split"] == "test") & (frame["label"] == 1)]
    nine, ten = (
        sound.changed(splits=replace(sound.splits, frame=frame.drop(positives.index[kept:]).reset_index(drop=True)))
        for kept in (9, 10)
    )
    verdict = gate(nine)
    assert (verdict.status, "test has 9 positive" in verdict.sentence) == (Status.NOTE, True)
    assert verdict.rows_needed is not None
    assert "test has" not in gate(ten).sentence
