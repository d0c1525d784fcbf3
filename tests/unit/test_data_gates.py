"""The gates on the data, without Spark: a sound candidate passes, saboteurs are caught, broken input never passes."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from gauntlet.adapters.checked_tables import PandasTable
from gauntlet.adapters.suite_files import Expectation, Suite
from gauntlet.core.errors import DataError
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import CheckOutcome, SuiteOutcome
from gauntlet.core.verdict import Status, broke, is_number
from gauntlet.gates.data import GATES
from gauntlet.gates.data_saboteurs import SABOTEURS
from gauntlet.gates.expectations import expectation_gates, expectation_saboteurs, status_of
from gauntlet.gates.split_rows import with_rows
from gauntlet.stages.candidate import Incumbent
from tests.made_candidate import champion_of, made_candidate

pytestmark = pytest.mark.unit

BY_NAME = {gate.name.removeprefix("data::"): gate for gate in GATES}
AGE = Expectation("age::between", "expect_column_values_to_be_between", {"column": "age", "min_value": 0}, "People.")
NAMED = Expectation("name::not_null", "expect_column_values_to_not_be_null", {"column": "name"})
SUITES = {table: Suite(table, f"{table} digest", (AGE, NAMED)) for table in ("raw", "curated", "predictions")}


def _ask(name, candidate):
    return BY_NAME[name](candidate)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return made_candidate(tmp_path_factory.mktemp("candidate"), suites=SUITES)


@pytest.mark.parametrize("champion", [False, True], ids=["no champion yet", "a champion"])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_a_sound_candidate_passes(sound, gate, champion):
    verdict = gate(sound.changed(incumbent=champion_of(sound)) if champion else sound)
    assert (verdict.status, is_number(verdict.measured)) == (Status.PASS, True), verdict.sentence
    compares = gate.name in ("data::rows_not_fewer", "data::no_drift")
    assert verdict.sentence.startswith("bootstrap: ") == (compares and not champion)


@pytest.mark.parametrize("champion", [False, True], ids=["no champion yet", "a champion"])
@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda saboteur: saboteur.name)
def test_every_saboteur_is_caught_and_leaves_the_sound_candidate_alone(sound, saboteur, champion):
    candidate = sound.changed(incumbent=champion_of(sound)) if champion else sound
    before = candidate.splits.frame.copy(), candidate.tables["curated"]().frame.copy()
    gate = next(gate for gate in GATES if gate.name == saboteur.gate)
    broken = saboteur(candidate)
    verdict = gate(broken)
    expected = Status.CONFIG_ERROR if gate.name == "data::suites_check_something" else Status.FAIL
    assert verdict.status is expected, verdict.sentence
    pd.testing.assert_frame_equal(candidate.splits.frame, before[0])
    pd.testing.assert_frame_equal(candidate.tables["curated"]().frame, before[1])


def _table(frame):
    return {"curated": lambda: PandasTable("curated", frame)}


def _curated(candidate):
    return candidate.tables["curated"]().frame


def _champion(**changes):
    return lambda c: c.changed(incumbent=champion_of(c, **changes))


def _training(change):
    return lambda c: c.changed(incumbent=champion_of(c, training=change(champion_of(c).training)))


BROKEN = {
    "no suites": (("suites_check_something",), lambda c: c.changed(suites={})),
    "no tables": (("schema_as_promised", "no_empty_column", "rows_not_fewer"), lambda c: c.changed(tables={})),
    "a table without rows": (
        ("schema_as_promised", "no_empty_column", "rows_not_fewer"),
        lambda c: c.changed(tables=_table(_curated(c).head(0))),
    ),
    "a table that cannot be read": (
        ("schema_as_promised", "no_empty_column", "rows_not_fewer"),
        lambda c: c.changed(tables={"curated": lambda: 1 / 0}),
    ),
    "no registry": (("rows_not_fewer", "no_drift"), lambda c: c.changed(incumbent=None)),
    "a champion that cannot be asked": (
        ("rows_not_fewer", "no_drift"),
        lambda c: c.changed(incumbent=Incumbent(fault="it does not answer")),
    ),
    "a champion of unknown rows": (("rows_not_fewer", "no_drift"), _champion(curated_rows=None, training=None)),
    "a champion without rows": (("rows_not_fewer",), _champion(curated_rows=0)),
    "a ledger without registry": (
        ("rows_not_fewer", "no_drift"),
        lambda c: c.changed(incumbent=Incumbent(ledger_version=3)),
    ),
    "champion's rows lost": (("no_drift",), _training(lambda rows: rows.head(0))),
    "champion's rows all null": (("no_drift",), _training(lambda rows: rows.assign(alcohol=np.nan))),
    "champion's rows infinite": (("no_drift",), _training(lambda rows: rows.assign(alcohol=np.inf))),
    "champion's columns all others": (("no_drift",), _training(lambda rows: rows.add_suffix("_then"))),
    "no training rows": (
        ("no_empty_column", "no_drift"),
        lambda c: with_rows(c, c.splits.frame[c.splits.frame["split"] != "train"]),
    ),
    "one class": (
        ("no_drift",),
        lambda c: with_rows(c, c.splits.frame.assign(label=np.int8(1)), incumbent=champion_of(c)),
    ),
    "one class, no champion": (("no_drift",), lambda c: with_rows(c, c.splits.frame.assign(label=np.int8(1)))),
    "no splits": (("no_empty_column", "no_drift"), lambda c: c.changed(splits=None)),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_input_is_an_error_and_never_passes(sound, broken):
    names, change = BROKEN[broken]
    for name in names:
        verdict = _ask(name, change(sound))
        assert verdict.status is Status.CONFIG_ERROR, f"{verdict.gate}: {verdict.sentence}"


@pytest.mark.parametrize(
    ("before", "bound", "status"),
    [
        (3000, 0.1, Status.PASS),
        (3333, 0.1, Status.PASS),
        (3340, 0.1, Status.FAIL),
        (3001, 0, Status.FAIL),
        (9, 0, Status.PASS),
    ],
)
def test_rows_may_be_lost_up_to_the_bound(sound, before, bound, status):
    problem = load_problem(overrides={"gates.data.maximum_row_loss": bound})
    verdict = _ask("rows_not_fewer", sound.changed(problem=problem, incumbent=champion_of(sound, curated_rows=before)))
    assert verdict.status is status, verdict.sentence
    assert (verdict.bound, verdict.rows) == (bound, 3000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="pH"), "curated.pH is missing"),
        (lambda rows: rows.assign(pH=rows["pH"].astype(str)), "curated.pH is string, not double"),
        (lambda rows: rows.assign(pH=1), "curated.pH is bigint, not double"),
        (lambda rows: rows.assign(quality=7.0), "curated.quality is not promised"),
        (lambda rows: rows.assign(label=rows["label"].astype(float)), "curated.label is double, not a whole number"),
        (lambda rows: rows.assign(source_row="first"), "curated.source_row is string, not bigint"),
        (lambda rows: rows.drop(columns="row_id"), "curated.row_id is missing"),
    ],
)
def test_a_column_that_is_not_as_promised_is_named(sound, change, said):
    verdict = _ask("schema_as_promised", sound.changed(tables=_table(change(_curated(sound)))))
    assert verdict.status is Status.FAIL
    assert said in verdict.sentence


def test_the_raw_table_is_judged_where_it_is_given(sound):
    raw = (
        _curated(sound).drop(columns="label").assign(is_red=True, quality=6, source="red", source_row=1, synthetic=True)
    )
    both = {**sound.tables, "raw": lambda: PandasTable("raw", raw)}
    verdict = _ask("schema_as_promised", sound.changed(tables=both))
    assert (verdict.status, "raw and curated" in verdict.sentence) == (Status.PASS, True), verdict.sentence
    broken = {**sound.tables, "raw": lambda: PandasTable("raw", raw.assign(quality="6"))}
    assert "raw.quality is string, not bigint" in _ask("schema_as_promised", sound.changed(tables=broken)).sentence


def _drifted(sound, change):
    candidate = sound.changed(incumbent=champion_of(sound))
    return _ask("no_drift", with_rows(candidate, change(candidate.splits.frame)))


def test_drift_must_be_both_large_and_sure(sound):
    shift = {"alcohol": lambda rows: rows["alcohol"] + 0.12 * rows["alcohol"].std()}
    assert _drifted(sound, lambda rows: rows.assign(**shift)).status is Status.PASS  # sure, not large
    few = pd.concat([sound.splits.frame.groupby("split").head(70).assign(alcohol=lambda r: r["alcohol"] * 1.02)])
    verdict = _drifted(sound, lambda _rows: few)
    assert verdict.status is Status.NOTE  # too few rows on one side
    assert (verdict.measured, verdict.bound) == (70, 100)
    worst = _drifted(sound, lambda rows: rows.assign(pH=rows["pH"] * 2, density=rows["density"] * 3))
    assert worst.status is Status.FAIL
    assert worst.sentence.startswith("drifted from the champion's training rows: ")
    assert {"pH", "density"} <= set(worst.sentence.split())


def test_rows_that_agree_in_all_columns_count_once_unless_they_do_so_by_chance(sound):
    before = sound.splits.frame.query("split == 'train'")[[*sound.splits.features, "label"]]
    repeated = pd.concat([before, *[before.head(1)] * 2000], ignore_index=True)
    drifting = sound.changed(incumbent=champion_of(sound, training=repeated))
    verdict = _ask("no_drift", drifting)
    assert verdict.status is Status.PASS
    assert "; by rows " in verdict.sentence
    split = drifting.problem.split.model_copy(update={"repeats": "by chance"})
    by_chance = drifting.changed(problem=drifting.problem.model_copy(update={"split": split}))
    assert _ask("no_drift", by_chance).status is Status.FAIL


def test_chance_alone_is_no_drift(sound):
    red = 0
    for seed in range(40):
        draw = np.random.default_rng(seed).random(len(sound.splits.frame)) < 0.045
        rows = sound.splits.frame[draw]
        before = sound.splits.frame[~draw][[*sound.splits.features, "label"]].sample(110, random_state=seed)
        candidate = with_rows(sound, rows.assign(split="train"), incumbent=champion_of(sound, training=before))
        red += _ask("no_drift", candidate).status is not Status.PASS
    assert red <= 1


def test_a_feature_that_the_champion_did_not_have_cannot_be_compared(sound):
    training = champion_of(sound).training.drop(columns="pH")
    verdict = _ask("no_drift", sound.changed(incumbent=champion_of(sound, training=training)))
    assert verdict.status is Status.WARN
    assert "without pH" in verdict.sentence
    drifted = champion_of(sound, training=training.assign(density=training["density"] * 2))
    assert _ask("no_drift", sound.changed(incumbent=drifted)).status is Status.FAIL


# A table whose suite has a known outcome.


@dataclass
class FakeTable:
    """A table that answers what it was told to."""

    outcomes: dict
    rows: int = 10
    name: str = "curated"

    def outcome(self, suite):
        checks = tuple(
            CheckOutcome(id=f"curated::{name}", rule="r", column=None, success=success, observed="3 rows below 0")
            for name, success in self.outcomes.items()
        )
        return SuiteOutcome(suite=suite.name, suite_digest=suite.digest, table=self.name, rows=self.rows, checks=checks)


def _expectation_verdicts(sound, outcomes, **parts):
    table = FakeTable(outcomes)
    candidate = sound.changed(**{"tables": {"curated": lambda: table}, **parts})
    return [gate(candidate) for gate in expectation_gates({"curated": SUITES["curated"]})]


def test_each_expectation_is_a_gate_that_says_why_it_is_asked():
    gates = expectation_gates(SUITES)
    assert [gate.name for gate in gates][:2] == ["data/raw::age::between", "data/raw::name::not_null"]
    assert len(gates) == 6
    assert gates[0].guards.endswith("People.")
    assert "min_value 0" in gates[0].guards
    assert gates[0].needs == {"tables"}
    assert expectation_gates({}) == ()


def test_each_expectation_has_a_verdict_of_its_own(sound):
    first, second = _expectation_verdicts(sound, {"age::between": False, "name::not_null": True})
    assert (first.status, first.measured, first.rows) == (Status.FAIL, 0, 10)
    assert first.sentence == "age::between does not hold in curated: 3 rows below 0"
    assert (second.status, second.measured) == (Status.PASS, 1)


@pytest.mark.parametrize(
    ("severity", "status"), [("critical", Status.FAIL), ("warning", Status.WARN), ("info", Status.NOTE)]
)
def test_the_severity_of_an_outcome_decides_what_its_failure_means(sound, severity, status):
    check = CheckOutcome(id="raw::x", rule="r", column="x", success=False, severity=severity)
    assert (status_of(check), check.blocks) == (status, severity == "critical")
    assert status_of(check.model_copy(update={"success": True})) is Status.PASS
    milder = Suite("s", "d", (replace(AGE, severity=severity),))
    (gate,) = expectation_gates({"raw": milder})
    assert bool(gate.advisory) == (severity != "critical")


@pytest.mark.parametrize(
    ("outcomes", "parts"),
    [
        ({}, {}),
        ({"another::rule": True}, {}),
        ({}, {"tables": {"curated": lambda: FakeTable({"age::between": True}, rows=0)}}),
        ({"age::between": True}, {"suites": {}}),
        ({"age::between": True}, {"suites": {"curated": Suite("s", "d", ())}}),
        ({"age::between": True}, {"suites": {"curated": Suite("s", "d", (replace(AGE, kwargs={"column": "age"}),))}}),
        ({"age::between": True}, {"tables": {}}),
    ],
    ids=["nothing", "another", "no rows", "no suites", "an empty suite", "another bound", "no table"],
)
def test_an_expectation_without_an_outcome_never_passes(sound, outcomes, parts):
    verdict = _expectation_verdicts(sound, outcomes, **parts)[0]
    assert verdict.status is Status.CONFIG_ERROR
    assert not broke(verdict)


def test_in_memory_there_is_no_suite_to_check_and_no_table_to_break(sound):
    gate = expectation_gates({"curated": SUITES["curated"]})[0]
    assert "not on Spark" in gate(sound).sentence
    saboteurs = expectation_saboteurs({"curated": SUITES["curated"]})
    assert [saboteur.name for saboteur in saboteurs] == [
        "curated__age__between__broken",
        "curated__name__not_null__broken",
    ]
    with pytest.raises(Exception, match="not on Spark"):
        saboteurs[0](sound)


def test_a_problem_without_numbers_cannot_be_broken_by_them(sound):
    columns = [c if c.name == "quality" else c.model_copy(update={"kind": "text"}) for c in sound.problem.columns]
    texts = sound.changed(problem=sound.problem.model_copy(update={"columns": tuple(columns)}))
    saboteur = next(saboteur for saboteur in SABOTEURS if saboteur.name == "drifted_feature")
    with pytest.raises(DataError, match="no feature of numbers"):
        saboteur(texts)
