"""The gates on the artefact that read files only, and the rules by which ways of asking a model are compared."""

from __future__ import annotations

import importlib.metadata
import pickle
import platform
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gauntlet.adapters import probability_model
from gauntlet.adapters.artefact import Answer, answered, time_calls
from gauntlet.adapters.artefact_copies import LOADING_NOTE
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.packing import needed_distributions, requirements
from gauntlet.core.problem import Column
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import ModelRecord
from gauntlet.core.verdict import Status
from gauntlet.gates import artefact_answers
from gauntlet.gates.artefact import GATES, files_as_packed, no_pickle, size_within_budget
from gauntlet.gates.artefact_answers import packed
from gauntlet.gates.artefact_paths import Case, cases_of, disagreement
from gauntlet.gates.artefact_requirements import requirements_locked
from gauntlet.gates.artefact_saboteurs import SABOTEURS
from gauntlet.stages.candidate import Artefact
from tests.made_candidate import made_candidate

pytestmark = pytest.mark.unit

OF_FILES = (files_as_packed, no_pickle, requirements_locked, size_within_budget)
PYTHON = platform.python_version()
MLMODEL = """flavors:
  python_function:
    loader_module: mlflow.pyfunc.loaders.code_model
    model_code_path: probability_model.py
"""
PINS = requirements(ModelRecord.model_construct(family="booster"))


@pytest.fixture
def candidate(tmp_path):
    """Return a candidate whose artefact has the files of a packed booster, all but the model itself."""
    folder = tmp_path / "packed"
    (folder / "artifacts").mkdir(parents=True)
    listed = "- pip:\n" + "".join(f"  - {pin}\n" for pin in PINS)
    texts = {
        "MLmodel": MLMODEL,
        "probability_model.py": Path(probability_model.__file__).read_text(encoding="utf-8"),
        "requirements.txt": "\n".join(PINS),
        "conda.yaml": f"dependencies:\n- python={PYTHON}\n- pip<=23.2.1\n{listed}name: env\n",
        "python_env.yaml": f"python: {PYTHON}\nbuild_dependencies:\n- pip==23.2.1\n",
        "artifacts/model.ubj": "{" + "x" * 9000,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return made_candidate(workspace, artefact=Artefact("models:/m-1", folder, file_digests(folder)))


def changed(candidate, name, text):
    """Change a file of the artefact, and return the candidate as if it had been packed like this."""
    path = candidate.artefact.folder / name
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    return candidate.changed(artefact=replace(candidate.artefact, files=file_digests(candidate.artefact.folder)))


@pytest.mark.parametrize("gate", OF_FILES, ids=lambda gate: gate.name)
def test_a_sound_artefact_passes(candidate, gate):
    verdict = gate(candidate)
    assert verdict.status is Status.PASS, verdict.sentence
    assert verdict.measured is not None


@pytest.mark.parametrize(
    "sabotage", [s for s in SABOTEURS if s.gate in {g.name for g in OF_FILES}], ids=lambda s: s.name
)
def test_every_saboteur_of_files_is_caught_and_leaves_the_artefact_as_it_was(candidate, sabotage):
    gate = next(gate for gate in OF_FILES if gate.name == sabotage.gate)
    broken = sabotage(candidate)
    assert gate(broken).status is Status.FAIL
    assert gate(candidate).status is Status.PASS
    assert file_digests(candidate.artefact.folder) == dict(candidate.artefact.files)
    assert broken.artefact.folder.is_relative_to(candidate.workspace)
    if sabotage.gate not in (files_as_packed.name, size_within_budget.name):
        assert files_as_packed(broken).status is Status.PASS


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_nothing_to_judge_is_never_passed(candidate, gate, tmp_path):
    empty, gone = tmp_path / "empty", tmp_path / "gone"
    empty.mkdir()
    assert gate(candidate.changed(artefact=None)).status is Status.CONFIG_ERROR
    if gate in OF_FILES:
        for folder in (empty, gone):
            artefact = replace(candidate.artefact, folder=folder)
            assert gate(candidate.changed(artefact=artefact)).status in {Status.FAIL, Status.CONFIG_ERROR}


ASKING = ("output_is_one_probability", "readback_equal", "paths_agree", "latency_within_budget")


@pytest.mark.parametrize("rule", ASKING)
def test_without_test_rows_nobody_is_asked(candidate, rule):
    gate = next(gate for gate in GATES if gate.name == f"artefact::{rule}")
    frame = candidate.splits.frame
    none = candidate.changed(splits=replace(candidate.splits, frame=frame[frame["split"] != "test"]))
    verdict = gate(none)
    assert verdict.status is Status.CONFIG_ERROR
    assert "no test row" in verdict.sentence


def test_without_spark_the_ways_to_ask_cannot_be_compared(candidate):
    gate = next(gate for gate in GATES if gate.name == "artefact::paths_agree")
    assert gate(candidate).status is Status.CONFIG_ERROR
    assert "no Spark" in gate(candidate).sentence


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_model_without_finite_answers_is_not_compared(candidate, wrong):
    gate = next(gate for gate in GATES if gate.name == "artefact::readback_equal")

    class Broken:
        def probability(self, features):
            return np.full(len(features), wrong)

    models = {**candidate.models, "sweep": replace(candidate.model, scorer=Broken())}
    verdict = gate(candidate.changed(models=models))
    assert verdict.status is Status.CONFIG_ERROR
    assert "no finite answer" in verdict.sentence


def test_the_first_changed_missing_and_added_files_are_named(candidate):
    folder = candidate.artefact.folder
    (folder / "MLmodel").write_text("flavors: {python_function: {}}\n", encoding="utf-8")
    (folder / "artifacts" / "model.ubj").unlink()
    (folder / "more.py").write_text("", encoding="utf-8")
    verdict = files_as_packed(candidate)
    assert verdict.status is Status.FAIL
    assert "MLmodel was changed, artifacts/model.ubj is missing, more.py was added" in verdict.sentence
    assert verdict.measured == 3


def test_the_note_that_mlflow_leaves_at_loading_is_no_change(candidate):
    (candidate.artefact.folder / LOADING_NOTE).write_text("model_version: '1'\n", encoding="utf-8")
    assert files_as_packed(candidate).status is Status.PASS


def test_an_artefact_without_noted_digests_is_a_configuration_error(candidate):
    for files in ({}, {LOADING_NOTE: "0"}):
        verdict = files_as_packed(candidate.changed(artefact=replace(candidate.artefact, files=files)))
        assert verdict.status is Status.CONFIG_ERROR
        assert "no digest was noted" in verdict.sentence


def test_a_link_in_the_artefact_is_not_vouched_for(candidate):
    (candidate.artefact.folder / "link").symlink_to(candidate.artefact.folder / "MLmodel")
    assert files_as_packed(candidate).status is Status.CONFIG_ERROR
    assert no_pickle(candidate).status is Status.CONFIG_ERROR


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_any_protocol_is_found_and_named(candidate, protocol):
    (candidate.artefact.folder / "artifacts" / "scaler.json").write_bytes(
        pickle.dumps({"mean": [1]}, protocol=protocol)
    )
    verdict = no_pickle(candidate)
    assert verdict.status is Status.FAIL
    assert "artifacts/scaler.json" in verdict.sentence


REQUIREMENT_FLAWS = {
    "no version": ("requirements.txt", "\n".join([*PINS, "scipy"]), "'scipy' pins no version with =="),
    "a range": ("requirements.txt", "\n".join([*PINS, "scipy>=1"]), "'scipy>=1' pins no version with =="),
    "any of a series": ("requirements.txt", "\n".join([*PINS, "scipy==1.*"]), "'scipy==1.*' pins no version with =="),
    "an address": ("requirements.txt", "\n".join([*PINS, "x @ https://h/x.whl"]), "pins no version with =="),
    "another file": ("requirements.txt", "\n".join([*PINS, "-r more.txt"]), "'-r more.txt' pins no version with =="),
    "not installed": ("requirements.txt", "\n".join([*PINS, "no-such-library==1"]), "which is not installed here"),
    "another version": ("requirements.txt", "\n".join([*PINS[1:], "mlflow==2.0"]), "asks for mlflow==2.0, but"),
    "left out": ("requirements.txt", "\n".join(PINS[:-1]), f"leaves out {PINS[-1].split('==')[0]}"),
    "nothing": ("requirements.txt", "# nothing\n\n", "missing or empty"),
    "no file": ("requirements.txt", None, "missing or empty"),
    "conda says otherwise": ("conda.yaml", "dependencies:\n- pip:\n  - mlflow==2.0\n", "do not say the same"),
    "conda says nothing": ("conda.yaml", "dependencies: []\n", "do not say the same"),
    "another Python": ("python_env.yaml", "python: 3.6.1\n", f"Python 3.6.1, but the model is judged with {PYTHON}"),
    "no Python": ("python_env.yaml", "dependencies: []\n", "names no version of Python"),
    "no environment": ("python_env.yaml", None, "names no version of Python"),
}


@pytest.mark.parametrize(("name", "text", "said"), REQUIREMENT_FLAWS.values(), ids=REQUIREMENT_FLAWS)
def test_requirements_that_are_not_locked_are_refused(candidate, name, text, said):
    verdict = requirements_locked(changed(candidate, name, text))
    assert verdict.status is Status.FAIL
    assert said in verdict.sentence


def test_names_are_compared_as_package_indexes_do_and_conda_need_not_be_there(candidate):
    written = "\n".join(pin.replace("-", "_").upper().replace("==", " == ") for pin in PINS)
    candidate = changed(candidate, "conda.yaml", None)
    assert requirements_locked(changed(candidate, "requirements.txt", written + "  # pinned\n")).status is Status.PASS


def test_the_size_is_that_of_all_files_and_the_bound_counts_as_within(candidate):
    size = sum(path.stat().st_size for path in candidate.artefact.folder.rglob("*") if path.is_file())
    for bound, status in ((size / 1e6, Status.PASS), ((size - 1) / 1e6, Status.FAIL)):
        problem = load_problem(overrides={"gates.artefact.maximum_megabytes": bound})
        verdict = size_within_budget(candidate.changed(problem=problem))
        assert (verdict.status, verdict.measured) == (status, size / 1e6)
        assert "the largest is artifacts/model.ubj" in verdict.sentence


FEATURES = (
    Column(name="age", kind="integer", nullable=True),
    Column(name="member", kind="boolean"),
    Column(name="city", kind="text", nullable=True),
    Column(name="weight"),
)
ROWS = pd.DataFrame(
    {
        "age": [30.0, np.nan, 51.6],
        "member": [1.0, 0.0, 1.0],
        "city": ["Porto", None, "Faro"],
        "weight": [70.5, 81.0, 6.4],
    }
)


def test_the_cases_cover_what_a_model_may_be_given():
    cases = {case.name: case for case in cases_of(ROWS, FEATURES)}
    assert list(cases["columns in another order"].frame) == ["weight", "city", "member", "age"]
    assert len(cases["a column too many"].frame.columns) == 5
    assert (len(cases["one row"].frame), len(cases["no rows"].frame)) == (1, 0)
    assert dict(cases["32-bit whole numbers"].frame.dtypes.astype(str)) == {
        **dict.fromkeys(("age", "member", "weight"), "int32"),
        "city": "object",
    }
    assert cases["32-bit whole numbers"].frame["weight"].tolist() == [70, 81, 6]
    assert set(cases["unknown texts"].frame["city"]).isdisjoint(ROWS["city"])
    gaps = cases["missing values in nullable columns"].frame.isna()
    assert gaps["age"].tolist() == [True, True, True]
    assert gaps["city"].tolist() == [False, True, False]
    assert not gaps[["member", "weight"]].any(axis=None)
    assert list(cases["nullable columns left out"].frame) == ["member", "weight"]
    assert cases["missing values in columns that are not nullable"].frame["member"].isna().tolist() == [
        True,
        False,
        True,
    ]
    assert cases["booleans as 0 and 1"].frame["member"].tolist() == [1, 0, 1]
    assert [name for name, case in cases.items() if case.may_refuse] == [
        "missing values in columns that are not nullable",
        "64-bit whole numbers",
        "booleans",
    ]
    assert ROWS["weight"].tolist() == [70.5, 81.0, 6.4]


def test_cases_for_which_there_is_no_column_are_left_out():
    numbers = {case.name for case in cases_of(ROWS[["weight"]], FEATURES[3:])}
    assert not {"unknown texts", "missing values in nullable columns", "booleans"} & numbers
    nullable = {case.name: case for case in cases_of(ROWS[["age", "city"]], (FEATURES[0], FEATURES[2]))}
    assert list(nullable["nullable columns left out"].frame) == ["age"]
    assert "missing values in columns that are not nullable" not in nullable


GIVEN = Answer(probability=np.array([0.1, 0.7, 0.2]))
NEAR = Answer(probability=np.array([0.1, 0.7 + 1e-9, 0.2]))
NOT_A_NUMBER = Answer(probability=np.array([0.1, np.nan, 0.2]))
REFUSED = Answer(refusal="no bigint")


def ways(memory, pyfunc, spark, *, may_refuse=False, bound=0.0):
    answers = {"the model in memory": memory, "pyfunc": pyfunc, "the Spark function": spark}
    return disagreement(Case("odd rows", ROWS, may_refuse), answers, row_id=("a", "b", "c"), bound=bound)


def test_ways_agree_if_all_answer_alike_or_where_it_is_allowed_all_packed_ones_refuse():
    assert ways(GIVEN, GIVEN, GIVEN) is None
    assert ways(GIVEN, NEAR, GIVEN, bound=1e-8) is None
    assert ways(GIVEN, GIVEN, GIVEN, may_refuse=True) is None
    assert ways(GIVEN, REFUSED, REFUSED, may_refuse=True) is None
    assert ways(REFUSED, REFUSED, REFUSED, may_refuse=True) is None


@pytest.mark.parametrize(
    ("memory", "pyfunc", "spark", "may_refuse", "said"),
    [
        (GIVEN, NEAR, GIVEN, False, "odd rows: pyfunc answers 1 of 3 rows otherwise than the model in memory; row b"),
        (GIVEN, GIVEN, NEAR, True, "odd rows: the Spark function answers 1 of 3 rows otherwise"),
        (GIVEN, GIVEN, NOT_A_NUMBER, False, "the Spark function answers 1 of 3 rows otherwise"),
        (NOT_A_NUMBER, NOT_A_NUMBER, NOT_A_NUMBER, False, "answers 1 of 3 rows otherwise"),
        (GIVEN, GIVEN, REFUSED, True, "the Spark function refuses (no bigint), but the model in memory answers"),
        (GIVEN, REFUSED, GIVEN, True, "pyfunc refuses (no bigint), but the model in memory answers"),
        (GIVEN, REFUSED, REFUSED, False, "pyfunc refuses (no bigint), but the model in memory answers"),
        (REFUSED, GIVEN, GIVEN, True, "the model in memory refuses (no bigint), but pyfunc answers"),
        (REFUSED, REFUSED, REFUSED, False, "the model in memory refuses (no bigint), so does every other way"),
    ],
)
def test_the_first_way_that_differs_is_named(memory, pyfunc, spark, may_refuse, said):
    assert said in ways(memory, pyfunc, spark, may_refuse=may_refuse)


@pytest.mark.parametrize(
    "given",
    [np.zeros((3, 2)), np.zeros((3, 1)), np.zeros(2), np.zeros(3, dtype=np.float32), np.array([0, 1, 1]), 0.5, None],
    ids=["two columns", "a column", "too few", "float32", "labels", "one for all", "nothing"],
)
def test_anything_but_one_double_a_row_is_no_answer(given):
    assert answered(lambda _frame: given, ROWS).refusal.startswith("3 rows were answered with ")
    assert answered(lambda _frame: np.zeros(3), ROWS).refusal is None


@pytest.mark.parametrize(("reason", "kept"), [("age is text", "age is text"), ("no" * 300, "… " + "no" * 100)])
def test_of_a_refusal_the_reason_is_kept_without_the_data(reason, kept):
    def refuse(_frame):
        raise ValueError(f"Failed to enforce schema of data '{ROWS}' with schema '['age': long]'. Error: {reason}")

    assert answered(refuse, ROWS).refusal == kept


@pytest.fixture
def clock():
    """Return a clock that only a slow call moves."""

    class Clock:
        now, calls = 0.0, 0

        def __call__(self):
            return self.now

        def model(self, *seconds):
            def ask(_row):
                self.now += seconds[min(self.calls, len(seconds) - 1)]
                self.calls += 1

            return ask

    return Clock()


def test_the_first_call_is_not_timed(clock):
    taken = time_calls(clock.model(9.0, 0.002, 4.0, 0.002, 0.003), [ROWS] * 5, enough=100, clock=clock)
    assert len(taken) == 5
    assert statistics.median(taken) == pytest.approx(3)
    assert clock.calls == 6


def test_a_model_that_is_too_slow_is_not_asked_to_the_end(clock):
    assert time_calls(clock.model(0.2), [ROWS] * 21, enough=100, clock=clock) == pytest.approx((200,) * 11)
    assert clock.calls == 1 + 11


@pytest.mark.parametrize(
    ("taken", "status"),
    [((90.0, 110.0, 80.0), Status.PASS), ((90.0, 110.0, 120.0), Status.WARN), ((101.0, 110.0, 120.0), Status.FAIL)],
)
def test_a_model_is_too_slow_only_if_its_fastest_call_is(candidate, monkeypatch, taken, status):
    monkeypatch.setattr(artefact_answers, "load_packed", lambda _copy: candidate.model.scorer)
    monkeypatch.setattr(candidate.model.scorer.__class__, "predict", lambda *_: None, raising=False)
    monkeypatch.setattr(artefact_answers, "time_calls", lambda *_, **__: taken)
    verdict = artefact_answers.latency_within_budget(candidate)
    assert (verdict.status, verdict.measured, verdict.bound) == (status, statistics.median(taken), 100.0)


@pytest.mark.parametrize(("here", "asked"), [(("xgboost-cpu", "xgboost"), "xgboost-cpu"), (("xgboost",), "xgboost")])
def test_xgboost_is_required_by_the_name_under_which_it_is_installed(candidate, monkeypatch, here, asked):
    def version(name):
        if name.startswith("xgboost") and name not in here:
            raise importlib.metadata.PackageNotFoundError(name)
        return "3.1"

    monkeypatch.setattr("importlib.metadata.version", version)
    assert requirements(ModelRecord.model_construct(family="booster"))[-1] == f"{asked}==3.1"
    assert needed_distributions(candidate.artefact.folder) == ("mlflow", "numpy", "pandas", asked)


def test_a_part_that_is_none_says_what_is_missing(candidate):
    with pytest.raises(Exception, match="there is no packed model to judge"):
        packed(candidate.changed(artefact=None))
