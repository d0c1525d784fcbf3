"""The promotion's gates: a sound candidate passes all, and each flaw is caught by the gate that is there for it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import CheckOutcome, ModelVersion, SuiteOutcome
from gauntlet.core.verdict import Status, promotes
from gauntlet.gates import promotion
from gauntlet.gates.promotion import GATES, judge
from gauntlet.stages.candidate import Candidate, Incumbent
from gauntlet.stages.training_rows import Rows

pytestmark = pytest.mark.unit

ROWS = 400
LABEL = (np.arange(ROWS) % 3 == 0).astype(np.int8)
NOISE = np.random.default_rng(11).random(ROWS)
VERSION = ModelVersion(name="gauntlet.wine_quality.wine_classifier", version=4, run_id="r")


TABLE = SimpleNamespace(fingerprint="these rows")


def _probability(strength):
    """Return probabilities that order the rows the better the greater the strength."""
    return (NOISE + strength * LABEL) / (1 + strength)


GOOD, FAIR, BETTER = _probability(0.8), _probability(0.4), _probability(1.5)


def _suite(table, *, success=True, rows=ROWS, checks=2):
    outcome = [
        CheckOutcome(id=f"{table}::c::rule{n}", rule="rule", column="c", success=success or n > 0)
        for n in range(checks)
    ]
    return SuiteOutcome(suite=table, suite_digest="d", table=table, rows=rows, checks=tuple(outcome))


def _expectations(*suites, refusal=None):
    return SimpleNamespace(suites=suites, refusal=refusal)


def _candidate(**changes):
    table = SimpleNamespace(rows=ROWS)
    sound = {
        "problem": load_problem(),
        "ingest": SimpleNamespace(raw=table, curated=table),
        "expectations": _expectations(_suite("raw"), _suite("curated")),
        "split": SimpleNamespace(protocol="honest", selection="validation", rows={"test": ROWS}, table=TABLE),
        "select": SimpleNamespace(chosen=SimpleNamespace(name="sweep")),
        "rows": Rows(features=pd.DataFrame(index=range(ROWS)), label=LABEL, row_id=tuple(map(str, range(ROWS)))),
        "probability": {"forest": FAIR, "sweep": GOOD},
        "baseline": "forest",
        "model_digest": "m",
        "incumbent": Incumbent(),
    }
    return Candidate(**{**sound, **changes})


def _saying(verdicts, status):
    return [verdict.gate for verdict in verdicts if verdict.status is status]


def test_a_sound_candidate_passes_every_gate():
    for incumbent in (Incumbent(), Incumbent(version=VERSION, probability=FAIR)):
        verdicts = judge(_candidate(incumbent=incumbent))
        assert _saying(verdicts, Status.PASS) == list(GATES)
        assert promotes(verdicts)


TABLE_FLAWS = {
    "an expectation fails": (
        _expectations(_suite("raw", success=False), _suite("curated")),
        Status.FAIL,
        "raw::c::rule0",
    ),
    "no suite": (_expectations(), Status.CONFIG_ERROR, "no expectation was checked on curated, raw"),
    "an empty suite": (
        _expectations(_suite("raw"), _suite("curated", checks=0)),
        Status.CONFIG_ERROR,
        "no expectation was checked on curated",
    ),
    "a table left out": (_expectations(_suite("raw")), Status.CONFIG_ERROR, "no expectation was checked on curated"),
    "another table": (
        _expectations(_suite("raw"), _suite("curated", rows=ROWS - 1)),
        Status.CONFIG_ERROR,
        "399 rows of curated were checked, but the table has 400",
    ),
    "the stage refused": (
        _expectations(_suite("raw"), _suite("curated"), refusal="something else"),
        Status.FAIL,
        "4 of 4 expectations hold",
    ),
}


@pytest.mark.parametrize(("expectations", "status", "sentence"), TABLE_FLAWS.values(), ids=TABLE_FLAWS)
def test_expectations_that_do_not_hold_or_were_not_checked_promote_nothing(expectations, status, sentence):
    verdicts = judge(_candidate(expectations=expectations))
    assert _saying(verdicts, status) == [promotion.EXPECTATIONS_HOLD]
    assert any(sentence in verdict.sentence for verdict in verdicts)
    assert not promotes(verdicts)


@pytest.mark.parametrize(
    ("protocol", "selection"), [("notebook", "test"), ("honest", "test"), ("notebook", "validation")]
)
def test_a_model_chosen_on_test_is_refused_first_of_all(protocol, selection):
    split = SimpleNamespace(protocol=protocol, selection=selection, rows={"test": ROWS}, table=TABLE)
    verdicts = judge(_candidate(split=split))
    assert verdicts[0].sentence.startswith("selected on test: ")
    assert _saying(verdicts, Status.FAIL) == [promotion.CHOSEN_WITHOUT_TEST]


def test_a_model_below_the_problems_minimum_is_refused():
    verdicts = judge(_candidate(problem=load_problem(overrides={"promotion.minimum_auc": 0.99})))
    assert _saying(verdicts, Status.FAIL) == [promotion.AT_LEAST_MINIMUM]


def test_a_model_worse_than_the_baseline_is_refused():
    verdicts = judge(_candidate(probability={"forest": GOOD, "sweep": FAIR}))
    assert _saying(verdicts, Status.FAIL) == [promotion.AT_LEAST_BASELINE]


def test_a_missing_baseline_is_a_configuration_error():
    verdicts = judge(_candidate(probability={"sweep": GOOD}))
    assert _saying(verdicts, Status.CONFIG_ERROR) == [promotion.AT_LEAST_BASELINE]
    assert not promotes(verdicts)


def test_a_model_worse_than_the_champion_is_refused():
    verdicts = judge(_candidate(incumbent=Incumbent(version=VERSION, probability=BETTER)))
    assert _saying(verdicts, Status.FAIL) == [promotion.AT_LEAST_CHAMPION]
    assert "(version 4)" in verdicts[-1].sentence


def test_it_is_said_when_the_champion_may_know_the_rows():
    note = "the champion was fitted on another split"
    for rows, said in (("these rows", False), ("other rows", True), (None, True)):
        verdict = judge(_candidate(incumbent=Incumbent(version=VERSION, probability=BETTER, rows=rows)))[-1]
        assert verdict.status is Status.FAIL
        assert (note in verdict.sentence) is said


def test_a_model_as_good_as_the_champion_is_not_refused():
    assert promotes(judge(_candidate(incumbent=Incumbent(version=VERSION, probability=GOOD.copy()))))


@pytest.mark.parametrize(
    "incumbent",
    [
        Incumbent(fault="the registry did not answer"),
        Incumbent(version=VERSION, fault="version 4 could not be loaded"),
        Incumbent(version=VERSION),
        Incumbent(version=VERSION, probability=np.full(ROWS, np.nan)),
        Incumbent(version=VERSION, probability=GOOD[:-1]),
        Incumbent(version=VERSION, fault="version 4 could not be loaded", is_candidate=True),
    ],
    ids=["look-up failed", "not loadable", "not asked", "NaN", "other rows", "itself, not loadable"],
)
def test_a_champion_that_cannot_be_compared_with_is_not_no_champion(incumbent):
    verdicts = judge(_candidate(incumbent=incumbent))
    assert _saying(verdicts, Status.CONFIG_ERROR) == [promotion.AT_LEAST_CHAMPION]
    assert not promotes(verdicts)


def test_that_there_is_no_champion_yet_is_said_and_allowed():
    verdict = judge(_candidate())[-1]
    assert verdict.status is Status.PASS
    assert verdict.sentence.startswith("bootstrap: ")
    assert not Incumbent(fault="the registry did not answer").bootstrap


def test_the_champion_itself_is_recognised():
    verdict = judge(_candidate(incumbent=Incumbent(version=VERSION, probability=GOOD, is_candidate=True)))[-1]
    assert verdict.status is Status.PASS
    assert verdict.sentence == "the candidate is the champion itself, version 4"


MODEL_GATES = [promotion.AT_LEAST_MINIMUM, promotion.AT_LEAST_BASELINE, promotion.AT_LEAST_CHAMPION]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 7.0])
def test_a_probability_that_is_none_promotes_nothing(wrong):
    spoiled = GOOD.copy()
    spoiled[17] = wrong
    verdicts = judge(_candidate(probability={"forest": FAIR, "sweep": spoiled}))
    assert _saying(verdicts, Status.CONFIG_ERROR) == MODEL_GATES


def test_a_missing_candidate_promotes_nothing():
    assert _saying(judge(_candidate(probability={"forest": FAIR})), Status.CONFIG_ERROR) == MODEL_GATES


@pytest.mark.parametrize("rows", [0, 1], ids=["no rows", "one class"])
def test_rows_that_cannot_judge_promote_nothing(rows):
    candidate = _candidate()
    few = Rows(features=candidate.rows.features[:rows], label=LABEL[:rows], row_id=candidate.rows.row_id[:rows])
    probability = {name: values[:rows] for name, values in candidate.probability.items()}
    verdicts = judge(replace(candidate, rows=few, probability=probability))
    assert set(MODEL_GATES) <= set(_saying(verdicts, Status.CONFIG_ERROR))
    assert not promotes(verdicts)


def test_a_gate_that_raises_promotes_nothing(monkeypatch):
    def broken(_candidate):
        raise ZeroDivisionError("by nothing")

    for name in GATES:
        monkeypatch.setattr(promotion, "GATES", {**GATES, name: broken})
        verdicts = judge(_candidate())
        assert _saying(verdicts, Status.CONFIG_ERROR) == [name]
        assert not promotes(verdicts)
