"""The gates on the model: a sound candidate passes all, every saboteur is caught, and broken input never passes."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.problem import Costs
from gauntlet.core.problem_file import load_problem
from gauntlet.core.scores import best_threshold
from gauntlet.core.verdict import Status, is_number
from gauntlet.gates.gate import Gate
from gauntlet.gates.model import GATES
from gauntlet.gates.model_answer_saboteurs import answering
from gauntlet.gates.model_saboteurs import SABOTEURS
from gauntlet.stages.candidate import Refitted
from tests.made_candidate import Logistic, champion_of, made_candidate, made_frame

pytestmark = pytest.mark.unit

BY_NAME = {gate.name.removeprefix("model::"): gate for gate in GATES}
# What each gate asks the chosen model about.
ON_TEST = (
    "auc_at_least_minimum",
    "auc_at_least_baseline",
    "not_worse_than_champion",
    "better_than_trivial_models",
    "train_test_gap",
    "calibrated",
    "every_slice_holds",
    "stable_under_noise",
    "threshold_beats_trivial_decisions",
)
ON_SELECTION = ("recorded_metrics_are_true", "threshold_is_cheapest", "shuffled_labels_teach_nothing")
ON_TRAIN = ("train_test_gap", "better_than_trivial_models", "shuffled_labels_teach_nothing")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return made_candidate(tmp_path_factory.mktemp("candidate"))


def _ask(name, candidate):
    return BY_NAME[name](candidate)


def _with_frame(candidate, frame):
    return candidate.changed(splits=replace(candidate.splits, frame=frame.reset_index(drop=True)))


@pytest.mark.parametrize("champion", [False, True], ids=["no champion yet", "a champion"])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_sound_candidate_passes(sound, gate, champion):
    verdict = gate(sound.changed(incumbent=champion_of(sound)) if champion else sound)
    assert (verdict.status, is_number(verdict.measured)) == (Status.PASS, True), verdict.sentence


def test_the_same_candidate_gets_the_same_verdicts(sound):
    candidate = sound.changed(incumbent=champion_of(sound))
    assert [gate(candidate) for gate in GATES] == [gate(candidate) for gate in GATES]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_gate_says_what_it_guards_and_names_bounds_that_there_are(gate):
    assert isinstance(gate, Gate)
    assert gate.guards.startswith("Guard ")
    assert len(gate.remedy) > 40
    for bound in gate.bounds:
        value = load_problem()
        for key in bound.split("."):
            value = getattr(value, key)


def test_every_gate_has_a_saboteur_and_no_two_have_one_name():
    assert {saboteur.gate for saboteur in SABOTEURS} == {gate.name for gate in GATES}
    assert len({saboteur.name for saboteur in SABOTEURS}) == len(SABOTEURS)


WARNED = {"training_rows_known_by_heart"}
NOT_JUDGED = {
    "recorded_auc_is_nan",
    "recorded_auc_missing",
    "one_probability_is_nan",
    "one_probability_is_infinite",
    "baseline_is_the_candidate",
    "baseline_missing",
    "ledger_names_another_champion",
    "registry_forgot_the_champion",
    "ledger_lost",
    "registry_does_not_answer",
    "champions_training_rows_lost",
    "champion_cannot_be_loaded",
    "opening_taken_out_of_the_ledger",
}


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda saboteur: saboteur.name)
def test_a_saboteur_is_caught_and_leaves_the_sound_candidate_alone(sound, saboteur):
    frame, models = sound.splits.frame.copy(), dict(sound.models)
    verdict = BY_NAME[saboteur.gate.removeprefix("model::")](saboteur(sound))
    expected = Status.WARN if saboteur.name in WARNED else Status.FAIL
    assert verdict.status is (Status.CONFIG_ERROR if saboteur.name in NOT_JUDGED else expected), verdict.sentence
    assert sound.splits.frame.equals(frame)
    assert dict(sound.models) == models


def _answers(value):
    return lambda candidate: answering(candidate, lambda _, given: np.where(np.arange(len(given)) == 3, value, given))


def _raising(candidate):
    return answering(candidate, lambda *_: 1 / 0)


def _too_few(candidate):
    return answering(candidate, lambda _, given: given[:-1])


def _single(candidate):
    return answering(candidate, lambda _, given: given.astype(np.float32)[:, None])


def _lost(candidate):
    return candidate.changed(models={"forest": candidate.models["forest"]})


WRONG_ANSWERS = {
    "NaN": _answers(np.nan),
    "infinite": _answers(np.inf),
    "no probability": _answers(7.0),
    "an exception": _raising,
    "a row too few": _too_few,
    "another shape": _single,
    "no model": _lost,
}


@pytest.mark.parametrize("broken", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
@pytest.mark.parametrize("name", [*ON_TEST, *ON_SELECTION[:2]])
def test_answers_that_are_no_probabilities_are_a_configuration_error(sound, name, broken):
    verdict = _ask(name, broken(sound.changed(incumbent=champion_of(sound))))
    assert verdict.status is Status.CONFIG_ERROR, verdict.sentence


def _without(split):
    return lambda frame: frame[frame["split"] != split]


def _one_class(split):
    return lambda frame: frame[(frame["split"] != split) | (frame["label"] == 0)]


def _all_null(split):
    features = [column.name for column in load_problem().features]
    return lambda frame: frame.mask((frame["split"] == split).to_numpy()[:, None] & frame.columns.isin(features))


USELESS = {"no rows": _without, "one class": _one_class, "nothing but missing values": _all_null}


@pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS)
@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "test") for name in ON_TEST),
        *((name, "validation") for name in ON_SELECTION),
        *((name, "train") for name in ON_TRAIN),
    ],
)
def test_rows_that_cannot_judge_never_pass(sound, name, split, useless):
    frame = useless(split)(sound.splits.frame)
    verdict = _ask(name, _with_frame(sound.changed(incumbent=champion_of(sound)), frame))
    assert verdict.status is Status.CONFIG_ERROR, verdict.sentence


@pytest.mark.parametrize(
    ("part", "names"),
    {
        "incumbent": ("champion_is_known", "not_worse_than_champion"),
        "trainer": ("shuffled_labels_teach_nothing",),
        "threshold": ("stable_under_noise", "threshold_is_cheapest", "threshold_beats_trivial_decisions"),
        "test_ledger": ("test_reads_in_order",),
    }.items(),
)
def test_a_part_that_is_not_there_is_a_configuration_error(sound, part, names):
    for name in names:
        assert _ask(name, sound.changed(**{part: None})).status is Status.CONFIG_ERROR


@pytest.mark.parametrize("threshold", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["threshold_is_cheapest", "threshold_beats_trivial_decisions", "stable_under_noise"])
def test_a_threshold_that_is_no_number_is_a_configuration_error(sound, name, threshold):
    assert _ask(name, sound.changed(threshold=threshold)).status is Status.CONFIG_ERROR


def test_a_record_may_differ_by_rounding_only(sound):
    def recorded(by):
        model = replace(sound.model, recorded_auc=sound.model.recorded_auc + by)
        return _ask("recorded_metrics_are_true", sound.changed(models={**sound.models, "sweep": model})).status

    assert [recorded(by) for by in (5e-7, -5e-7, 2e-6)] == [Status.PASS, Status.PASS, Status.FAIL]


def test_the_record_of_every_model_is_looked_at(sound):
    forged = replace(sound.models["forest"], recorded_auc=0.99)
    verdict = _ask("recorded_metrics_are_true", sound.changed(models={**sound.models, "forest": forged}))
    assert (verdict.status, "forest is recorded with AUC 0.990000" in verdict.sentence) == (Status.FAIL, True)
    namesake = {"another": forged, "forest": sound.models["forest"], "sweep": sound.model}
    assert _ask("recorded_metrics_are_true", sound.changed(models=namesake)).status is Status.FAIL


def test_the_least_auc_is_the_problems_and_has_an_interval(sound):
    low = _ask("auc_at_least_minimum", sound).interval[0]
    for bound, status in ((low - 1e-9, Status.PASS), (low, Status.FAIL)):
        problem = load_problem(overrides={"gates.model.minimum_auc": bound})
        verdict = _ask("auc_at_least_minimum", sound.changed(problem=problem))
        assert verdict.status is status
        assert verdict.interval[0] < verdict.measured < verdict.interval[1]


def test_a_chosen_baseline_is_no_candidate_in_disguise(sound):
    verdict = _ask("auc_at_least_baseline", sound.changed(chosen="forest"))
    assert (verdict.status, "is the baseline itself" in verdict.sentence) == (Status.PASS, True)


@pytest.mark.parametrize("same", ["digest", "scorer"])
def test_a_baseline_that_is_the_candidate_is_no_baseline(sound, same):
    disguised = replace(sound.models["forest"], **{same: getattr(sound.model, same)})
    verdict = _ask("auc_at_least_baseline", sound.changed(models={**sound.models, "forest": disguised}))
    assert (verdict.status, verdict.sentence.startswith("compared with itself")) == (Status.CONFIG_ERROR, True)


def test_a_gap_beyond_its_bound_is_a_warning(sound):
    gap = _ask("train_test_gap", sound).measured
    problem = load_problem(overrides={"gates.model.maximum_gap": gap / 2})
    assert gap > 0
    assert _ask("train_test_gap", sound.changed(problem=problem)).status is Status.WARN


def test_a_threshold_that_costs_the_same_passes(sound):
    rows = sound.splits.rows("validation")
    given = sound.answers(sound.model, "validation")
    best = best_threshold(given, rows.label, sound.problem.costs).threshold
    above = given[given > best].min()
    for same in (best, above, np.nextafter(given[given < best].max(), 1)):
        assert _ask("threshold_is_cheapest", sound.changed(threshold=same)).status is Status.PASS
    assert _ask("threshold_is_cheapest", sound.changed(threshold=best / 2)).status is Status.FAIL


def _with_costs(candidate, costs):
    return candidate.changed(problem=candidate.problem.model_copy(update={"costs": costs}))


def test_without_costs_the_threshold_is_held_against_balanced_ones(sound):
    open_costs = _with_costs(sound, None)
    rows, train = sound.splits.rows("validation"), sound.splits.rows("train")
    negatives, positives = (train.label == 0).sum(), (train.label == 1).sum()
    balanced = Costs(false_positive=1.0, false_negative=negatives / positives)
    given = sound.answers(sound.model, "validation")
    for costs, status in ((balanced, Status.PASS), (Costs(), Status.FAIL)):
        best = best_threshold(given, rows.label, costs).threshold
        assert _ask("threshold_is_cheapest", open_costs.changed(threshold=best)).status is status


def test_without_costs_decisions_are_reported_and_not_judged(sound):
    test = sound.splits.rows("test")
    decided = sound.answers(sound.model, "test") >= sound.threshold
    verdict = _ask("threshold_beats_trivial_decisions", _with_costs(sound, None))
    assert (verdict.status, "set [costs]" in verdict.sentence) == (Status.NOTE, True)
    assert f"{decided.sum()} of {len(test.label)} test rows are decided positive" in verdict.sentence
    assert f"{(decided & (test.label == 1)).sum()} of {test.label.sum()} positive ones" in verdict.sentence
    assert f"{(decided & (test.label == 0)).sum()} of {(test.label == 0).sum()} negative ones" in verdict.sentence


def test_where_a_wrong_decision_costs_nothing_no_model_is_worth_having(sound):
    verdict = _ask("threshold_beats_trivial_decisions", _with_costs(sound, Costs(false_positive=0, false_negative=1)))
    assert verdict.status is Status.FAIL
    assert "over deciding all positive" in verdict.sentence
    assert verdict.interval[1] < 0


def test_decisions_that_may_be_dearer_are_a_warning(sound):
    # With costs at which a model is worth little, few decisions differ from all negative, and some of them are wrong.
    costs = Costs(false_positive=3, false_negative=1)
    label, given = sound.splits.rows("test").label, sound.answers(sound.model, "test")

    def saving(threshold):
        accepted = given >= threshold
        return float(((accepted & (label == 1)) * 1.0 - (accepted & (label == 0)) * 3.0).mean())

    threshold = next(t for t in sorted(given, reverse=True) if -0.01 < saving(t) < 0)
    verdict = _ask("threshold_beats_trivial_decisions", _with_costs(sound, costs).changed(threshold=threshold))
    assert (verdict.status, verdict.measured) == (Status.WARN, pytest.approx(saving(threshold)))
    assert verdict.interval[0] < 0 <= verdict.interval[1]
    assert "which may be dearer" in verdict.sentence


def test_deciding_every_row_negative_loses_nothing_over_that(sound):
    candidate = _with_costs(sound, Costs(false_positive=9, false_negative=1)).changed(threshold=2.0)
    verdict = _ask("threshold_beats_trivial_decisions", candidate)
    assert (verdict.status, verdict.measured, verdict.interval) == (Status.PASS, 0, (0, 0))


def test_few_rows_of_a_class_say_nothing_of_what_decisions_cost(sound):
    frame = sound.splits.frame
    positives = frame.index[(frame["split"] == "test") & (frame["label"] == 1)]
    for kept, noted in ((9, True), (10, False)):
        verdict = _ask("threshold_beats_trivial_decisions", _with_frame(sound, frame.drop(positives[kept:])))
        assert (verdict.status is Status.NOTE) is noted, verdict.sentence


@pytest.mark.parametrize("name", ["every_row_accepted", "decisions_reversed"])
def test_saboteurs_of_decisions_bring_the_costs_that_the_problem_lacks(sound, name):
    saboteur = next(saboteur for saboteur in SABOTEURS if saboteur.name == name)
    assert _ask("threshold_beats_trivial_decisions", saboteur(_with_costs(sound, None))).status is Status.FAIL


class _Recording:
    """A trainer that notes the labels it is given."""

    digest = "d"

    def __init__(self, problem):
        self.problem, self.labels = problem, []

    def fit(self, train, selection, *, seed=None):
        self.labels.append((train.label, selection.label))
        fitted = Logistic.fit(train, self.problem)
        return Refitted(digest=fitted.digest, scorer=fitted)


def test_neither_training_nor_selection_labels_reach_the_trainer_unshuffled(sound):
    trainer = _Recording(sound.problem)
    _ask("shuffled_labels_teach_nothing", sound.changed(trainer=trainer))
    assert len(trainer.labels) == sound.problem.gates.model.shuffles
    for name, given in zip(("train", "validation"), zip(*trainer.labels, strict=True), strict=True):
        true = sound.splits.rows(name).label
        for label in given:
            assert (np.sort(label) == np.sort(true)).all()
            assert np.corrcoef(label, true)[0, 1] < 0.1
        assert not (given[0] == given[1]).all()


@dataclass(frozen=True)
class _Function:
    """A model that is a function of the features."""

    function: Callable[[pd.DataFrame], Any]

    def probability(self, features):
        return np.clip(np.asarray(self.function(features), dtype=np.float64), 0, 1)


class _Given:
    """A trainer that fits nothing and returns the next of some models."""

    digest = "d"

    def __init__(self, *models):
        self.models = itertools.cycle(models)

    def fit(self, train, selection, *, seed=None):
        return Refitted(digest="d", scorer=_Function(next(self.models)))


def _noise(features):
    return np.random.default_rng(5).random(len(features))


LEARNT = {
    "directions far apart": (
        (lambda f: f["alcohol"] / 10, lambda f: f["alcohol"] / 10, lambda f: 1 - f["alcohol"] / 10),
        Status.PASS,
    ),
    "always the same noise": ((_noise,), Status.PASS),
    "always the same order": ((lambda f: f["alcohol"] / 10,), Status.FAIL),
    "always the other order": ((lambda f: 1 - f["alcohol"] / 10,), Status.FAIL),
}


@pytest.mark.parametrize(("models", "status"), LEARNT.values(), ids=LEARNT)
def test_what_shuffled_labels_taught_is_held_against_chance(sound, models, status):
    verdict = _ask("shuffled_labels_teach_nothing", sound.changed(trainer=_Given(*models)))
    assert verdict.status is status, verdict.sentence
    assert verdict.measured != 0.5


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_candidate_of_other_rows_passes_too(tmp_path, monkeypatch, seed):
    monkeypatch.setattr("tests.made_candidate.made_frame", lambda problem: made_frame(problem, seed=100 + seed))
    candidate = made_candidate(tmp_path)
    verdicts = [gate(candidate) for gate in GATES if not gate.slow]
    assert [verdict.sentence for verdict in verdicts if verdict.status is not Status.PASS] == []
