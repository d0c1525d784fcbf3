"""The gates on what answers can be relied on for: probabilities, parts of the rows, and noise of one measuring unit."""

from dataclasses import replace

import numpy as np
import pytest

from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status
from gauntlet.gates.model_answer_saboteurs import answering
from gauntlet.gates.model_robustness import calibrated, stable_under_noise
from gauntlet.gates.model_slices import every_slice_holds
from tests.made_candidate import made_candidate

pytestmark = pytest.mark.unit

FEATURE = "total_sulfur_dioxide"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return made_candidate(tmp_path_factory.mktemp("candidate"))


def _with_frame(candidate, frame):
    return candidate.changed(splits=replace(candidate.splits, frame=frame.reset_index(drop=True)))


def test_decisions_are_no_probabilities_however_good_they_are(sound):
    label = dict(zip(sound.splits.frame[FEATURE], sound.splits.frame["label"], strict=True))
    problem = load_problem(overrides={"gates.model.maximum_calibration_excess": 1.0})
    knowing = answering(sound.changed(problem=problem), lambda rows, _: rows[FEATURE].map(label).astype(float))
    assert calibrated(knowing).status is Status.FAIL


@pytest.mark.parametrize(("shift", "status"), [(0.0, Status.PASS), (0.035, Status.WARN), (0.2, Status.FAIL)])
def test_a_calibration_fails_only_where_its_interval_excludes_no_excess(sound, shift, status):
    problem = load_problem(overrides={"gates.model.maximum_calibration_excess": 0.01})
    verdict = calibrated(answering(sound.changed(problem=problem), lambda _, given: np.clip(given + shift, 0, 1)))
    assert verdict.status is status, verdict.sentence
    assert (verdict.interval[0] > 0) is (status is Status.FAIL)


def test_a_slice_with_few_rows_is_named_and_not_judged(sound):
    problem = load_problem(overrides={"gates.model.minimum_slice_class_rows": 60})
    verdict = every_slice_holds(sound.changed(problem=problem))
    assert (verdict.status, "too few rows to judge is_red == 1" in verdict.sentence) == (Status.PASS, True)
    problem = load_problem(overrides={"gates.model.minimum_slice_class_rows": 400})
    verdict = every_slice_holds(sound.changed(problem=problem))
    assert (verdict.status, "too few rows to judge" in verdict.sentence) == (Status.NOTE, True)
    assert f"from about {verdict.rows_needed} rows" in verdict.sentence


def test_regions_are_searched_where_no_column_has_few_values(sound):
    constant = _with_frame(sound, sound.splits.frame.assign(is_red=0.0))
    passing = every_slice_holds(constant)
    turned = answering(constant, lambda rows, given: np.where(rows[FEATURE] <= 40, 1 - given, given))
    failing = every_slice_holds(turned)
    assert (passing.status, failing.status) == (Status.PASS, Status.FAIL)
    assert "is_red" not in passing.sentence
    assert FEATURE in failing.sentence


def test_a_region_fails_only_with_its_whole_interval(sound):
    problem = load_problem(overrides={"gates.model.maximum_slice_loss": 0.01})
    verdict = every_slice_holds(_with_frame(sound.changed(problem=problem), sound.splits.frame.assign(is_red=0.0)))
    assert verdict.status is Status.WARN
    assert verdict.measured < verdict.bound < verdict.interval[1]


def test_a_named_slice_fails_where_it_is_shown_to_fall_short_at_all(sound):
    reds = sound.splits.frame["is_red"] == 1
    mixed = np.random.default_rng(6).random(int((sound.splits.frame["split"] == "test").sum()))
    shuffled = answering(sound, lambda rows, given: np.where(rows["is_red"] == 1, mixed, given))
    verdict = every_slice_holds(shuffled)
    assert (verdict.status, "is_red == 1" in verdict.sentence) == (Status.FAIL, True)
    assert reds.any()


def test_rows_that_are_all_alike_to_the_model_are_not_held_against_the_whole(sound):
    constant = _with_frame(sound, sound.splits.frame.assign(is_red=0.0))
    alike = every_slice_holds(answering(constant, lambda rows, given: np.where(rows[FEATURE] <= 40, 0.9, given)))
    assert (alike.status, alike.measured, FEATURE in alike.sentence) == (Status.PASS, 0.5, True)
    assert alike.bound == pytest.approx(0.5 - 0.15)


def test_a_group_that_the_model_is_blind_to_fails_where_the_baseline_sees(sound):
    blind = answering(sound, lambda rows, given: np.where(rows["is_red"] == 1, 0.3, given))
    verdict = every_slice_holds(blind)
    assert (verdict.status, "is_red == 1" in verdict.sentence) == (Status.FAIL, True)


def test_noise_is_one_measuring_unit_on_numbers_alone(sound):
    seen = []

    def watching(features, given):
        seen.append(features)
        return given

    stable_under_noise(answering(sound, watching))
    clean, noisy = seen
    for column in sound.problem.features:
        moved = (noisy[column.name] - clean[column.name]).abs().max()
        if column.kind == "boolean":
            assert moved == 0
        else:
            assert 0.9 * column.resolution < moved <= column.resolution * (1 + 1e-9)


def test_noise_on_whole_numbers_is_whole_and_missing_values_stay(sound):
    columns = [
        column.model_copy(update={"kind": "integer"}) if column.name == FEATURE else column
        for column in sound.problem.columns
    ]
    frame = sound.splits.frame.copy()
    frame.loc[::7, FEATURE] = np.nan
    changed = _with_frame(sound.changed(problem=sound.problem.model_copy(update={"columns": tuple(columns)})), frame)
    seen = []

    def watching(features, given):
        seen.append(features[FEATURE])
        return given

    class Fixed:
        def probability(self, features):
            return np.linspace(0, 1, len(features))

    model = replace(changed.model, scorer=Fixed())
    stable_under_noise(answering(changed.changed(models={"sweep": model}), watching))
    clean, noisy = seen
    assert clean.isna().equals(noisy.isna())
    assert set((noisy - clean).dropna()) == {-1.0, 0.0, 1.0}


def test_without_any_resolution_the_noise_is_that_of_rounding(sound):
    columns = tuple(column.model_copy(update={"resolution": None}) for column in sound.problem.columns)
    candidate = sound.changed(problem=sound.problem.model_copy(update={"columns": columns}))
    verdict = stable_under_noise(candidate)
    assert (verdict.status, "a millionth of each value" in verdict.sentence) == (Status.PASS, True)
    jittery = answering(
        candidate, lambda rows, given: np.where(rows[FEATURE] == rows[FEATURE].round(6), given, 1 - given)
    )
    assert stable_under_noise(jittery).status is Status.FAIL


@pytest.mark.parametrize(("allowed", "status"), [(0.1, Status.PASS), (0.05, Status.WARN), (0.01, Status.FAIL)])
def test_what_noise_costs_is_held_against_its_bound_with_its_whole_interval(sound, allowed, status):
    bounds = {"gates.model.maximum_flips": 1.0, "gates.model.maximum_noise_loss": allowed}
    candidate = sound.changed(problem=load_problem(overrides=bounds))
    other = np.random.default_rng(1).random(600)
    # Only noise leads off the measuring grid, and there the answers are worse.
    dulled = answering(
        candidate, lambda rows, given: np.where(rows[FEATURE] % 1 == 0, given, 0.7 * given + 0.3 * other)
    )
    assert stable_under_noise(dulled).status is status


def test_noise_is_asked_only_where_there_are_numbers():
    problem = load_problem()
    texts = tuple(column.model_copy(update={"kind": "text"}) for column in problem.columns)
    applies = stable_under_noise.applies
    assert (applies(problem), applies(problem.model_copy(update={"columns": texts}))) == (True, False)
