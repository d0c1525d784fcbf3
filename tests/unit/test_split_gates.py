"""The gates on the split: a sound candidate passes all, every saboteur is caught, and broken input never passes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.encoding import Encoding
from gauntlet.core.grouping import group_rows, split_by_time, split_groups, time_ranks
from gauntlet.core.problem import Column, Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.verdict import Status, broke, is_number
from gauntlet.gates.split import GATES
from gauntlet.gates.split_rows import with_rows
from gauntlet.gates.split_saboteurs import SABOTEURS
from tests.made_candidate import champion_of, made_candidate

pytestmark = pytest.mark.unit

BY_NAME = {gate.name.removeprefix("split::"): gate for gate in GATES}
FOR_ALL = [gate for gate in GATES if gate.applies(load_problem())]


def _ask(name, candidate):
    return BY_NAME[name](candidate)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return made_candidate(tmp_path_factory.mktemp("candidate"))


def _problem(**split):
    """Return the wines' problem with two columns that no model sees: where a wine is from, and when it was made."""
    problem = load_problem()
    extra = (Column(name="cellar", kind="text", role="ignored"), Column(name="day", kind="integer", role="ignored"))
    document = problem.model_dump(mode="json", by_alias=True)
    document["columns"] += [column.model_dump(mode="json") for column in extra]
    document["split"] |= split
    return Problem.model_validate(document)


def _divided(sound, **split):
    """Return the sound candidate with its rows divided by cellar and, if asked for, by day."""
    problem = _problem(groups=["cellar"], **split)
    frame = sound.splits.frame.copy()
    number = np.arange(len(frame))
    frame["cellar"], frame["day"] = [f"cellar {n // 6}" for n in number], (number * 7) % 400
    features = frame[[column.name for column in problem.features]]
    grouping = group_rows(
        features, columns=problem.features, content=list(frame["row_id"]), near_repeats=True, keys=frame[["cellar"]]
    )
    frame["group_id"] = frame["row_id"].groupby(grouping.group).transform("min")
    if problem.split.time:
        frame["split"] = split_by_time(grouping.group, time_ranks(frame["day"]), fractions=problem.split.fractions)
    else:
        frame["split"] = split_groups(
            grouping.group,
            frame["label"].to_numpy(),
            order=list(frame["row_id"]),
            fractions=problem.split.fractions,
            seed=problem.seed,
        )
    return sound.changed(problem=problem, splits=replace(sound.splits, frame=frame))


@pytest.fixture(scope="module")
def grouped(sound):
    return _divided(sound)


@pytest.fixture(scope="module")
def ordered(sound):
    return _divided(sound, time="day")


@pytest.mark.parametrize("champion", [False, True], ids=["no champion yet", "a champion"])
@pytest.mark.parametrize("gate", FOR_ALL, ids=lambda gate: gate.name)
def test_a_sound_candidate_passes(sound, gate, champion):
    verdict = gate(sound.changed(incumbent=champion_of(sound)) if champion else sound)
    assert (verdict.status, is_number(verdict.measured)) == (Status.PASS, True), verdict.sentence


def test_rows_divided_by_group_and_by_time_pass_their_gates_too(grouped, ordered):
    for candidate in (grouped, ordered):
        asked = [gate for gate in GATES if gate.applies(candidate.problem)]
        said = {gate.name: gate(candidate) for gate in asked}
        assert {verdict.status for verdict in said.values()} == {Status.PASS}, said
    assert BY_NAME["groups_kept_together"].applies(grouped.problem)
    # Rows of another time may differ: with an order in time likeness is not asked for.
    assert BY_NAME["time_order"].applies(ordered.problem)
    assert not BY_NAME["splits_alike"].applies(ordered.problem)
    assert BY_NAME["splits_alike"].applies(grouped.problem)


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda saboteur: saboteur.name)
def test_every_saboteur_is_caught_and_leaves_the_sound_candidate_alone(sound, grouped, ordered, saboteur):
    gate = next(gate for gate in GATES if gate.name == saboteur.gate)
    candidate = next(c for c in (sound, grouped, ordered) if gate.applies(c.problem))
    before = candidate.splits.frame.copy()
    verdict = gate(saboteur(candidate))
    harmless = saboteur.name in ("identifier_as_feature", "text_identifier_as_feature")
    assert verdict.status is (Status.WARN if harmless else Status.FAIL), verdict.sentence
    pd.testing.assert_frame_equal(candidate.splits.frame, before)
    assert gate(candidate).status is Status.PASS


def _with(column, value, rows=slice(None)):
    def broken(candidate):
        frame = candidate.splits.frame.copy()
        frame.loc[frame.index[rows], column] = value
        return with_rows(candidate, frame)

    return broken


def _without(condition):
    return lambda candidate: with_rows(candidate, candidate.splits.frame[~condition(candidate.splits.frame)])


BROKEN = {
    "no splits": lambda candidate: candidate.changed(splits=None),
    "no rows": _without(lambda frame: frame["split"].notna()),
    "no test rows": _without(lambda frame: frame["split"] == "test"),
    "no training rows": _without(lambda frame: frame["split"] == "train"),
    "one class in test": _without(lambda frame: (frame["split"] == "test") & (frame["label"] == 1)),
    "labels missing": lambda candidate: with_rows(candidate, candidate.splits.frame.assign(label=np.nan)),
    "a feature all missing": _with("alcohol", np.nan),
    "an infinite value": _with("alcohol", np.inf, slice(5, 6)),
    "a row in no split": _with("split", None, slice(5, 6)),
    "a row in an unknown split": _with("split", "holdout", slice(5, 6)),
    "a repeated identifier": _with("row_id", "row00000", slice(5, 6)),
    "a row without a group": _with("group_id", None, slice(5, 6)),
    "a feature lost": lambda candidate: candidate.changed(
        splits=replace(candidate.splits, frame=candidate.splits.frame.drop(columns="alcohol"))
    ),
    "features in another order": lambda candidate: candidate.changed(
        splits=replace(candidate.splits, features=candidate.splits.features[::-1])
    ),
    "no features": lambda candidate: candidate.changed(splits=replace(candidate.splits, features=())),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_input_never_passes(sound, grouped, ordered, broken):
    for gate in GATES:
        candidate = next(c for c in (sound, grouped, ordered) if gate.applies(c.problem))
        verdict = gate(BROKEN[broken](candidate))
        assert verdict.status is Status.CONFIG_ERROR, f"{verdict.gate}: {verdict.sentence}"
        assert broke(verdict) == (broken == "no splits")


def _notebook(candidate, frame):
    draw = np.random.default_rng(3).random(len(frame))
    frame = frame.assign(split=np.where(draw < 0.25, "test", "train"))
    return candidate.changed(splits=replace(candidate.splits, frame=frame, protocol="notebook", selection="test"))


def test_the_tutorials_protocol_is_red_for_choosing_on_test_and_for_its_leaks(sound):
    frame = sound.splits.frame
    repeats = frame.head(500).assign(row_id=frame["row_id"].head(500) + "-1")
    candidate = _notebook(sound, pd.concat([frame, repeats], ignore_index=True))
    verdicts = {name: _ask(name, candidate) for name in BY_NAME}
    assert verdicts["chosen_without_test"].status is Status.FAIL
    assert verdicts["chosen_without_test"].sentence.startswith("selected on test: under the protocol notebook")
    for name in ("no_repeats_across_splits", "no_near_repeats_across_splits"):
        assert verdicts[name].status is Status.FAIL
        assert 100 < verdicts[name].measured < 300
    # There is no validation split; the other gates judge what there is.
    assert verdicts["splits_alike"].status is Status.PASS, verdicts["splits_alike"].sentence
    assert verdicts["no_target_leakage"].status is Status.PASS


def test_repeats_are_found_whatever_the_split_says_of_groups_and_between_missing_values(sound):
    frame = sound.splits.frame.copy()
    test, train = (frame.index[frame["split"] == name][0] for name in ("test", "train"))
    features = list(sound.splits.features)
    frame.loc[train, features] = frame.loc[test, features]
    frame.loc[[test, train], "alcohol"] = np.nan
    frame["group_id"] = "one"
    verdict = _ask("no_repeats_across_splits", with_rows(sound, frame))
    assert (verdict.status, verdict.measured) == (Status.FAIL, 1)
    assert frame.loc[test, "row_id"] in verdict.sentence


@pytest.mark.parametrize(("units", "status"), [(1.0, Status.FAIL), (2.0, Status.PASS)])
def test_a_near_repeat_lies_within_one_unit_on_every_feature(sound, units, status):
    frame = sound.splits.frame.copy()
    test, train = (frame.index[frame["split"] == name][0] for name in ("test", "train"))
    frame.loc[train, list(sound.splits.features)] = frame.loc[test, list(sound.splits.features)]
    frame.loc[train, "alcohol"] += units * sound.problem.column("alcohol").resolution
    verdict = _ask("no_near_repeats_across_splits", with_rows(sound, frame))
    assert verdict.status is status, verdict.sentence
    assert (frame.loc[test, "row_id"] in verdict.sentence) == (status is Status.FAIL)


def test_rows_that_lie_too_dense_to_be_compared_fail(sound):
    problem = load_problem(overrides={"gates.split.maximum_compared_pairs": 10})
    verdict = _ask("no_near_repeats_across_splits", sound.changed(problem=problem))
    assert (verdict.status, verdict.bound) == (Status.FAIL, 10)
    assert verdict.measured > 10
    assert not BY_NAME["no_near_repeats_across_splits"].applies(load_problem(overrides={"split.near_repeats": False}))


def _by_chance(candidate):
    split = candidate.problem.split.model_copy(update={"repeats": "by chance"})
    return candidate.changed(problem=candidate.problem.model_copy(update={"split": split}))


def _coarse(sound):
    """Return the candidate with two levels a column, its rows divided freely."""
    frame = sound.splits.frame.copy()
    for column in sound.problem.features:
        if column.kind != "boolean":
            frame[column.name] = (
                np.where(frame[column.name] < frame[column.name].median(), 1.0, 3.0) * column.resolution
            )
    frame["group_id"] = frame["row_id"]
    return with_rows(sound, frame)


def test_repeats_by_chance_pass_where_the_problem_says_so_and_copies_do_not(sound):
    coarse = _coarse(sound)
    for name in ("no_repeats_across_splits", "no_near_repeats_across_splits"):
        assert _ask(name, coarse).status is Status.FAIL
        verdict = _ask(name, _by_chance(coarse))
        assert verdict.status is Status.PASS, verdict.sentence
        assert verdict.measured > 500
        test = coarse.splits.frame[coarse.splits.frame["split"] == "test"]
        copies = test.assign(row_id=test["row_id"] + "-copy", split="train", group_id=test["row_id"] + "-copy")
        copied = with_rows(_by_chance(coarse), pd.concat([coarse.splits.frame, copies], ignore_index=True))
        verdict = _ask(name, copied)
        assert verdict.status is Status.FAIL
        assert verdict.sentence.startswith('split.repeats says "by chance", but ')
    # The claim is of the rows, not of their order.
    shuffled = with_rows(_by_chance(coarse), coarse.splits.frame.sample(frac=1, random_state=2))
    assert _ask("no_repeats_across_splits", shuffled) == _ask("no_repeats_across_splits", _by_chance(coarse))


def test_likeness_counts_one_row_of_each_group(sound):
    frame = sound.splits.frame
    first = frame[frame["split"] == "train"].iloc[[0]]
    # One training row stands there a thousand times: by rows train is unlike all others, by groups it is not.
    repeats = pd.concat([first] * 1000, ignore_index=True)
    repeats["row_id"] = [f"{first['row_id'].iloc[0]}-{number}" for number in range(1000)]
    verdict = _ask("splits_alike", with_rows(sound, pd.concat([frame, repeats], ignore_index=True)))
    assert verdict.status is Status.PASS
    assert "; by rows " in verdict.sentence
    assert verdict.measured == _ask("splits_alike", sound).measured
    alone = repeats.assign(group_id=repeats["row_id"])
    assert _ask("splits_alike", with_rows(sound, pd.concat([frame, alone], ignore_index=True))).status is Status.FAIL


def test_a_group_or_time_that_is_missing_or_unreadable_is_an_error(ordered):
    for name, column, value, message in (
        ("groups_kept_together", "cellar", None, "cellar is missing in 1 of"),
        ("time_order", "day", np.nan, "day is missing in 1 of"),
        ("time_order", "day", np.inf, "day holds inf"),
    ):
        frame = ordered.splits.frame.astype({"day": float})
        frame.loc[frame.index[3], column] = value
        verdict = _ask(name, with_rows(ordered, frame))
        assert verdict.status is Status.CONFIG_ERROR
        assert message in verdict.sentence
    lost = replace(ordered.splits, frame=ordered.splits.frame.drop(columns=["cellar", "day"]))
    for name in ("groups_kept_together", "time_order"):
        assert "no column" in _ask(name, ordered.changed(splits=lost)).sentence
        assert "names no column" in _ask(name, ordered.changed(problem=load_problem())).sentence


def test_a_group_may_reach_back_in_time_but_no_training_row_may_reach_forward(ordered):
    frame = ordered.splits.frame.copy()
    test = frame.index[frame["split"] == "test"]
    companion = frame["group_id"] == frame.loc[test[-1], "group_id"]
    assert frame[companion]["day"].min() < frame.loc[frame["split"] == "train", "day"].max()
    frame.loc[frame.index[frame["split"] == "train"][0], "day"] = 10_000
    verdict = _ask("time_order", with_rows(ordered, frame))
    assert (verdict.status, verdict.measured) == (Status.FAIL, 1)
    assert "with day 10000" in verdict.sentence


def _leaking(sound, kind, values):
    """Return the candidate with one more feature."""
    columns = (*sound.problem.columns, Column(name="extra", kind=kind))
    problem = sound.problem.model_copy(update={"columns": columns})
    return with_rows(sound, sound.splits.frame.assign(extra=values), problem=problem)


def _texts(label, generator):
    return np.where(label == 1, generator.choice(["a", "b"], len(label)), generator.choice(["c", "d"], len(label)))


LEAKS = {
    "a text that tells": ("text", _texts),
    "a missing value that tells": ("number", lambda label, g: np.where(label == 1, np.nan, g.random(len(label)))),
    "the label reversed": ("boolean", lambda label, _g: 1.0 - label),
    "a nearly perfect order": ("number", lambda label, g: label + g.normal(0, 0.2, len(label))),
}
HARMLESS = {
    "a text of its own for every row": ("text", lambda label, _g: [f"text {n}" for n in range(len(label))]),
    "a good feature": ("number", lambda label, g: label + g.normal(0, 1, len(label))),
    "a constant": ("number", lambda label, _g: np.ones(len(label))),
    "missing at random": ("number", lambda label, g: np.where(g.random(len(label)) < 0.5, np.nan, 1.0)),
}


@pytest.mark.parametrize("leak", [*LEAKS, *HARMLESS])
def test_a_feature_that_gives_the_label_away_is_named_and_no_other(sound, leak):
    kind, make = {**LEAKS, **HARMLESS}[leak]
    values = make(sound.splits.frame["label"].to_numpy(), np.random.default_rng(6))
    verdict = _ask("no_target_leakage", _leaking(sound, kind, values))
    assert verdict.status is (Status.FAIL if leak in LEAKS else Status.PASS), verdict.sentence
    assert ("extra" in verdict.sentence) == (leak in LEAKS or leak == "a good feature")
    assert ("extra alone orders" in verdict.sentence) == (leak in LEAKS)


def test_an_identifier_that_predicts_nothing_is_a_warning_and_a_measurement_is_none(sound):
    numbers = np.arange(len(sound.splits.frame), dtype=float)
    draw = np.random.default_rng(7)
    for kind, values, resolution, status in (
        ("integer", numbers, None, Status.WARN),
        ("number", numbers, None, Status.WARN),
        ("number", numbers + 0.5, None, Status.WARN),
        ("number", draw.random(len(numbers)), None, Status.PASS),
        ("integer", draw.permutation(len(numbers)), None, Status.WARN),
        ("integer", draw.integers(0, 25_000, len(numbers)), None, Status.PASS),
        ("integer", numbers, 1.0, Status.PASS),
        ("integer", numbers % 100, None, Status.PASS),
        ("integer", np.where(numbers < 10, numbers, np.nan), None, Status.PASS),
        ("text", [f"text {n % 100}" for n in range(len(numbers))], None, Status.PASS),
        ("text", [f"a remark with number {n}" for n in range(len(numbers))], None, Status.WARN),
    ):
        columns = (*sound.problem.columns, Column(name="extra", kind=kind, resolution=resolution))
        problem = sound.problem.model_copy(update={"columns": columns})
        frame = sound.splits.frame.assign(extra=values)
        verdict = _ask("no_identifier_feature", with_rows(sound, frame, problem=problem))
        assert verdict.status is status, (kind, resolution, verdict.sentence)
        assert ("extra" in verdict.sentence) == (status is Status.WARN)


def test_the_order_of_the_file_counts_only_where_it_is_known(sound):
    values = np.sort(np.random.default_rng(7).integers(0, 10**9, len(sound.splits.frame))).astype(float)
    assert len(np.unique(values)) == len(values)
    candidate = _leaking(sound, "integer", values)
    assert _ask("no_identifier_feature", candidate).status is Status.WARN
    unknown = candidate.splits.frame.drop(columns="source_row")
    assert _ask("no_identifier_feature", with_rows(candidate, unknown)).status is Status.PASS
    shuffled = candidate.splits.frame.assign(source_row=np.random.default_rng(8).permutation(len(values)))
    assert _ask("no_identifier_feature", with_rows(candidate, shuffled)).status is Status.PASS


def test_a_leak_is_answered_by_a_column_that_is_known_before_the_label(sound):
    leaking = _leaking(sound, "number", sound.splits.frame["label"].to_numpy(dtype=float))
    assert _ask("no_target_leakage", leaking).status is Status.FAIL
    known = tuple(c.model_copy(update={"known_before": c.name == "extra"}) for c in leaking.problem.columns)
    answered = leaking.changed(problem=leaking.problem.model_copy(update={"columns": known}))
    verdict = _ask("no_target_leakage", answered)
    assert verdict.status is Status.PASS
    assert "extra" not in verdict.sentence
    all_known = tuple(c.model_copy(update={"known_before": True}) for c in leaking.problem.columns)
    answered = leaking.changed(problem=leaking.problem.model_copy(update={"columns": all_known}))
    assert "known_before is true for every feature" in _ask("no_target_leakage", answered).sentence
    assert "known_before = true" in BY_NAME["no_target_leakage"].remedy


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda _encoding: None, Status.CONFIG_ERROR),
        (lambda encoding: Encoding(columns=encoding.columns[::-1]), Status.FAIL),
        (lambda encoding: Encoding(columns=encoding.columns[:-1]), Status.FAIL),
        (lambda encoding: Encoding(columns=(*encoding.columns, encoding.columns[0])), Status.FAIL),
        (lambda _encoding: Encoding(columns=()), Status.FAIL),
    ],
    ids=["none", "in another order", "one short", "one too many", "empty"],
)
def test_an_encoding_is_the_training_rows_own_or_it_does_not_pass(sound, change, status):
    model = replace(sound.model, encoding=change(sound.model.encoding))
    verdict = _ask("preprocessing_fitted_on_train", sound.changed(models={**sound.models, sound.chosen: model}))
    assert verdict.status is status, verdict.sentence


def test_too_few_rows_say_nothing_of_likeness(sound):
    frame = sound.splits.frame
    few = frame[(frame["split"] != "test") | ((frame["split"] == "test").cumsum() <= 25)]
    verdict = _ask("splits_alike", with_rows(sound, few))
    assert (verdict.status, verdict.measured, verdict.bound) == (Status.NOTE, 25, 30)
    assert "test has 25 groups of rows" in verdict.sentence
    assert verdict.rows_needed == 30 * verdict.rows // 25


def test_splits_of_small_tables_are_not_called_unlike_by_chance(sound):
    red = 0
    for seed in range(40):
        rows = sound.splits.frame.sample(250, random_state=seed)
        red += _ask("splits_alike", with_rows(sound, rows)).status is Status.FAIL
    assert red <= 1
