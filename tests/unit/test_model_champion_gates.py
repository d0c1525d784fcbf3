"""The gates on the champion and on the openings of test: who is champion, what it may know, and what must be shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status
from gauntlet.gates.model_answer_saboteurs import Altered
from gauntlet.gates.model_champion import champion_is_known, not_worse_than_champion
from gauntlet.gates.model_champion_saboteurs import champion_fitted_on_the_test_rows, champion_much_better
from gauntlet.gates.model_test_reads import test_reads_in_order as reads_in_order
from gauntlet.stages.candidate import Incumbent
from tests.made_candidate import VERSION, champion_of, made_candidate, made_test_ledger

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return made_candidate(tmp_path_factory.mktemp("candidate"))


def _against(candidate, **changes):
    return candidate.changed(incumbent=champion_of(candidate, **changes))


def _with(candidate, **bounds):
    overrides = {f"gates.model.{name}": value for name, value in bounds.items()}
    return candidate.changed(problem=load_problem(overrides=overrides))


def _champion_shaken(candidate, *, by):
    """Return the candidate against its own model, its answers mixed with noise by a share."""
    noise = np.random.default_rng(3).random(len(candidate.splits.rows("test").label))
    shaken = replace(candidate.model, scorer=Altered(candidate.model.scorer, lambda _, p: (1 - by) * p + by * noise))
    return _against(candidate, model=shaken)


def test_a_bootstrap_needs_registry_and_ledger_to_say_so(sound):
    for gate in (champion_is_known, not_worse_than_champion):
        verdict = gate(sound.changed(incumbent=Incumbent()))
        assert (verdict.status, verdict.sentence.startswith("bootstrap: ")) == (Status.PASS, True)
    after = champion_is_known(sound.changed(incumbent=Incumbent(sequence=3)))
    assert (after.status, "after 3 entries" in after.sentence) == (Status.PASS, True)


UNKNOWN = {
    "the registry did not answer": Incumbent(fault="the registry did not answer"),
    "only the ledger": Incumbent(ledger_version=4, sequence=1),
    "only the registry": Incumbent(version=VERSION),
    "two versions": Incumbent(version=VERSION, ledger_version=3, sequence=2),
    "not loadable": Incumbent(version=VERSION, ledger_version=4, fault="version 4 could not be loaded"),
    "not loadable, itself": Incumbent(version=VERSION, ledger_version=4, fault="broken", is_candidate=True),
    "nobody asked": None,
}


@pytest.mark.parametrize("incumbent", UNKNOWN.values(), ids=UNKNOWN)
def test_a_champion_that_is_not_known_is_not_no_champion(sound, incumbent):
    for gate in (champion_is_known, not_worse_than_champion):
        verdict = gate(sound.changed(incumbent=incumbent))
        assert verdict.status is Status.CONFIG_ERROR
        assert "bootstrap" not in verdict.sentence


def test_registry_and_ledger_that_disagree_are_named_with_what_to_do(sound):
    verdict = champion_is_known(_against(sound, ledger_version=3))
    assert verdict.sentence.startswith("the registry says that version 4 is champion, the ledger says version 3;")
    assert "gauntlet audit" in verdict.sentence


@pytest.mark.parametrize(
    "changes",
    [{"model": None}, {"fault": "half loaded"}, {"training": None}, {"training": pd.DataFrame({"label": [0, 1]})}],
    ids=["no model", "a fault", "no training rows", "no features"],
)
def test_a_champion_of_which_too_little_is_known_is_a_configuration_error(sound, changes):
    assert not_worse_than_champion(_against(sound, **changes)).status is Status.CONFIG_ERROR


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_a_champion_that_answers_no_probabilities_is_a_configuration_error(sound, value):
    wrong = replace(sound.models["forest"], scorer=Altered(sound.model.scorer, lambda _, given: given * 0 + value))
    assert not_worse_than_champion(_against(sound, model=wrong)).status is Status.CONFIG_ERROR


def test_the_champion_itself_is_recognised(sound):
    verdict = not_worse_than_champion(_against(sound, is_candidate=True))
    assert verdict.status is Status.PASS
    assert verdict.sentence == "the candidate is the champion itself, version 4"


def test_not_to_be_worse_must_be_shown_and_a_champion_as_good_is_enough(sound):
    verdict = not_worse_than_champion(_champion_shaken(sound, by=0.0))
    assert (verdict.status, verdict.measured, verdict.bound) == (Status.PASS, 0.0, -0.02)
    assert "0 of 600 test rows are left out" in verdict.sentence
    assert verdict.rows == 600


def test_a_much_better_champion_is_kept(sound):
    verdict = not_worse_than_champion(champion_much_better(sound))
    assert verdict.status is Status.FAIL
    assert verdict.interval[1] < verdict.bound


def test_what_the_rows_cannot_decide_blocks_and_says_how_many_rows_would(sound):
    alike = _with(_champion_shaken(sound, by=0.02), margins={"auc": 0.0001})
    verdict = not_worse_than_champion(alike)
    assert (verdict.status, verdict.sentence.startswith("No decision, the champion stays")) == (Status.FAIL, True)
    assert verdict.rows_needed > len(sound.splits.frame)
    assert f"a table of about {verdict.rows_needed} such rows" in verdict.sentence


@pytest.mark.parametrize("margin", [0.0005, 0.001])
def test_the_rows_that_would_decide_grow_with_the_square_of_the_margin(sound, margin):
    wide, narrow = (
        not_worse_than_champion(_with(_champion_shaken(sound, by=0.02), margins={"auc": one})).rows_needed
        for one in (margin, margin / 2)
    )
    assert narrow == pytest.approx(4 * wide, rel=0.01)


def test_better_asks_for_more_than_not_worse(sound):
    for by, passes in ((0.0, False), (0.8, True)):
        verdict = not_worse_than_champion(_with(_champion_shaken(sound, by=by), against_champion="better"))
        assert (verdict.status is Status.PASS, verdict.bound) == (passes, 0), verdict.sentence


def test_too_few_rows_of_a_class_decide_nothing(sound):
    verdict = not_worse_than_champion(_with(_against(sound), minimum_class_rows=200))
    assert (verdict.status, "fewer than 200 positive" in verdict.sentence) == (Status.FAIL, True)


def _known_to_champion(candidate, count):
    rows = candidate.splits.rows("test").features
    return pd.concat([candidate.splits.rows("train").features, rows[:count]], ignore_index=True)


def test_rows_that_the_champion_was_fitted_on_are_left_out_and_counted(sound):
    label = sound.splits.rows("test").label
    known = np.arange(len(label)) < 250
    # The champion gives half of the rows their labels away: those it was fitted on.
    told = replace(sound.model, scorer=Altered(sound.model.scorer, lambda _, p: np.where(known, label, p)))
    fair = not_worse_than_champion(_against(sound, model=told, training=_known_to_champion(sound, 250)))
    assert (fair.status, fair.measured, fair.rows) == (Status.PASS, 0.0, 350)
    assert "250 of 600 test rows are left out, as the champion was fitted on them" in fair.sentence
    assert not_worse_than_champion(_against(sound, model=told)).status is Status.FAIL


def test_a_champion_that_knows_all_rows_cannot_be_compared_with(sound):
    verdict = not_worse_than_champion(champion_fitted_on_the_test_rows(sound))
    assert (verdict.status, verdict.rows) == (Status.FAIL, 0)


def test_the_type_of_the_champions_training_rows_does_not_hide_them(sound):
    training = _known_to_champion(sound, 600).assign(is_red=lambda rows: rows["is_red"] == 1)
    assert not_worse_than_champion(_against(sound, training=training)).rows == 0


def test_rows_are_known_by_the_features_that_the_champion_had(sound):
    training = _known_to_champion(sound, 600).drop(columns="pH")
    assert not_worse_than_champion(_against(sound, training=training)).rows == 0


def test_where_rows_repeat_by_chance_a_row_is_known_by_its_identifier(sound):
    split = sound.problem.split.model_copy(update={"repeats": "by chance"})
    candidate = sound.changed(problem=sound.problem.model_copy(update={"split": split}))
    test = candidate.splits.rows("test")
    # The champion was fitted on rows of the same features; ten of them are test rows themselves.
    names = [*test.row_id[:10], *(f"other {number}" for number in range(590))]
    training = test.features.assign(label=test.label, row_id=names)
    assert not_worse_than_champion(_against(candidate, training=training)).rows == 590
    assert not_worse_than_champion(_against(sound, training=training)).rows == 0
    # Without identifiers, or with other features, rows are known by what they share.
    for lacking in ("row_id", "alcohol"):
        assert not_worse_than_champion(_against(candidate, training=training.drop(columns=lacking))).rows == 0


def test_openings_for_frozen_choices_are_in_order(sound, tmp_path):
    ledger = made_test_ledger(tmp_path, "first", "second", "second")
    verdict = reads_in_order(sound.changed(test_ledger=ledger))
    assert (verdict.status, verdict.measured) == (Status.PASS, 2)


DISORDER = {
    "no opening": ({"reads": ()}, Status.FAIL, "no opening for it is recorded"),
    "another split's opening": ({"split": "another"}, Status.FAIL, "no opening for it is recorded"),
    "another choice's opening": ({"selection": "third"}, Status.FAIL, "no opening for it is recorded"),
    "a choice that was not frozen": ({"frozen": frozenset({"second"})}, Status.FAIL, "no frozen choice"),
    "a broken ledger": ({"fault": "line 2 was changed"}, Status.CONFIG_ERROR, "line 2 was changed"),
}


@pytest.mark.parametrize(("changes", "status", "words"), DISORDER.values(), ids=DISORDER)
def test_openings_out_of_order_are_found(sound, tmp_path, changes, status, words):
    ledger = replace(made_test_ledger(tmp_path, "first", "second"), **changes)
    verdict = reads_in_order(sound.changed(test_ledger=ledger))
    assert (verdict.status, words in verdict.sentence) == (status, True), verdict.sentence


def test_an_unfrozen_choice_of_another_split_says_nothing_of_this_one(sound, tmp_path):
    ledger = made_test_ledger(tmp_path, "first", "second")
    other = ledger.reads[0].model_copy(update={"split": "another", "selection": "never frozen"})
    assert (
        reads_in_order(sound.changed(test_ledger=replace(ledger, reads=(other, *ledger.reads)))).status is Status.PASS
    )


@pytest.mark.parametrize(("most", "status"), [(3, Status.PASS), (2, Status.FAIL)])
def test_a_test_split_wears_out(sound, tmp_path, most, status):
    ledger = made_test_ledger(tmp_path, "first", "second", "third")
    assert reads_in_order(_with(sound.changed(test_ledger=ledger), maximum_test_selections=most)).status is status
