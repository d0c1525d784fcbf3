"""The gates on the artefact that load and ask it, on small packed models with and without texts and missing values."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.exceptions import MlflowException
from sklearn.ensemble import RandomForestClassifier

from gauntlet.adapters import artefact as asking
from gauntlet.adapters import booster_function, packing
from gauntlet.adapters.artefact import SparkModel, answered, load_packed, quiet_mlflow
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.checked_tables import PandasTable
from gauntlet.adapters.model_files import FittedModel, save_forest
from gauntlet.core.encoding import encode, learn_encoding
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import ModelRecord
from gauntlet.core.verdict import Status
from gauntlet.gates.artefact import GATES, files_as_packed
from gauntlet.gates.artefact_saboteurs import SABOTEURS
from gauntlet.stages.candidate import Artefact, Candidate, JudgedModel, Splits
from gauntlet.stages.training_rows import Rows
from tests.made_candidate import made_frame
from tests.made_problem import make_problem

pytestmark = pytest.mark.data

BY_NAME = {gate.name: gate for gate in GATES}


def fit(train: Rows, problem: Problem, folder: Path, *, family: str) -> tuple[FittedModel, Path, Path]:
    """Fit a small booster or forest to training rows; return how it answers, its file and its encoding's."""
    encoding = learn_encoding(train.features, problem.features)
    encoding_path, matrix = folder / "encoding.json", encode(train.features, encoding)
    encoding_path.write_text(encoding.model_dump_json(), encoding="utf-8")
    if family == "booster":
        path = folder / "model.ubj"
        settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 3}
        booster = xgboost.train(settings, xgboost.DMatrix(matrix, train.label), num_boost_round=12)
        booster.save_model(path)
        return FittedModel("booster", encoding, booster), path, encoding_path
    path = folder / "model.skops"
    forest = RandomForestClassifier(n_estimators=6, random_state=5).fit(matrix, train.label)
    save_forest(forest, path)
    return FittedModel("forest", encoding, forest), path, encoding_path


def packed_candidate(problem: Problem, frame: pd.DataFrame, folder: Path, spark: Any, *, family: str) -> Candidate:
    """Return a candidate whose model is really packed; what no gate on the artefact reads is left out."""
    splits = Splits(frame, tuple(column.name for column in problem.features), "honest", "validation")
    scorer, model, encoding = fit(splits.rows("train"), problem, folder, family=family)
    mlflow.pyfunc.save_model(
        folder / "packed",
        python_model=str(Path(packing.__file__).with_name("probability_model.py")),
        artifacts={"encoding": str(encoding), family: str(model)},
        signature=packing.model_signature(problem),
        input_example=splits.rows("train").features.dropna().head(3).reset_index(drop=True),
        pip_requirements=packing.requirements(ModelRecord.model_construct(family=family)),
    )
    return Candidate(
        problem=problem,
        chosen="sweep",
        baseline="forest",
        models={"sweep": JudgedModel("sweep", "digest", scorer)},
        splits=splits,
        threshold=0.4,
        tables={"curated": lambda: PandasTable("curated", frame)},
        suites={},
        incumbent=None,
        trainer=None,
        artefact=Artefact("models:/m-1", folder / "packed", file_digests(folder / "packed")),
        code=(),
        test_ledger=None,
        spark=lambda: spark,
        workspace=folder / "workspace",
    )


def customers() -> pd.DataFrame:
    """Return rows with texts and missing values in two of four features."""
    generator, rows = np.random.default_rng(21), 500
    frame = pd.DataFrame(
        {
            "row_id": [f"row{number}" for number in range(rows)],
            "size": generator.normal(10, 3, rows),
            "visits": np.where(generator.random(rows) < 0.2, np.nan, generator.integers(0, 30, rows)),
            "member": generator.integers(0, 2, rows).astype(float),
            "plan": np.where(generator.random(rows) < 0.1, None, generator.choice(["basic", "plus"], rows)),
        }
    )
    pull = frame["size"] + 5 * (frame["plan"] == "plus") + 0.2 * frame["visits"].fillna(5)
    label = (pull + generator.normal(0, 2, rows) > 14).astype(np.int8)
    split = np.array(["train", "train", "validation", "test"])[np.arange(rows) % 4]
    return frame.assign(label=label, split=split, group_id=frame["row_id"])


@pytest.fixture(scope="module")
def wines(spark, tmp_path_factory):
    problem = load_problem()
    return packed_candidate(problem, made_frame(problem), tmp_path_factory.mktemp("wines"), spark, family="booster")


@pytest.fixture(scope="module")
def mixed(spark, tmp_path_factory):
    return packed_candidate(make_problem(), customers(), tmp_path_factory.mktemp("customers"), spark, family="forest")


@pytest.mark.parametrize("name", ["wines", "mixed"])
def test_a_sound_packed_model_passes_every_gate(name, monkeypatch, request):
    candidate = request.getfixturevalue(name)
    monkeypatch.setattr(asking, "perf_counter", lambda: 7.0)  # no machine is too busy for this clock
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # whatever this test run was started with
    verdicts = [gate(candidate) for gate in GATES]
    assert files_as_packed(candidate).status is Status.PASS, "asking the model left files behind"
    assert [verdict.gate for verdict in verdicts if verdict.status is not Status.PASS] == [], verdicts
    said = {verdict.gate: verdict for verdict in verdicts}
    alike = said["artefact::paths_agree"]
    assert (alike.measured, alike.bound) == (0, 0)
    assert "pyfunc and Spark alike refuse 64-bit whole numbers and booleans" in alike.sentence
    assert f"alike in {8 if name == 'wines' else 11} cases" in alike.sentence
    assert said["artefact::latency_within_budget"].measured == 0


SAID = {
    "columns_taken_by_position": "columns in another order: pyfunc answers",
    "missing_values_filled_in_the_packed_code": "missing values in columns that are not nullable: pyfunc answers",
    "answers_rounded_on_spark": "plain rows: the Spark function answers",
    "answers_depending_on_other_rows": "plain rows: the SQL function on 7 partitions answers",
    "no_rows_refused": "no rows: pyfunc refuses (IndexError",
}


@pytest.mark.parametrize("sabotage", SABOTEURS, ids=lambda sabotage: sabotage.name)
def test_every_saboteur_is_caught_and_leaves_the_sound_model_as_it_was(wines, sabotage):
    if sabotage.name == "slow_model":  # it sleeps for as long as an answer may take, so let that be short
        wines = wines.changed(problem=load_problem(overrides={"gates.artefact.maximum_milliseconds": 4}))
    broken = sabotage(wines)
    verdict = BY_NAME[sabotage.gate](broken)
    assert verdict.status is Status.FAIL, verdict.sentence
    assert verdict.sentence.startswith(SAID.get(sabotage.name, ""))
    if sabotage.gate == "artefact::paths_agree":  # what plain rows would not show
        assert BY_NAME["artefact::readback_equal"](broken).status is Status.PASS
    assert files_as_packed(wines).status is Status.PASS
    assert broken.artefact.folder != wines.artefact.folder


def test_the_gate_on_paths_judges_the_very_function_that_scores(wines, monkeypatch):
    taken = booster_function._numbers
    monkeypatch.setattr(booster_function, "_numbers", lambda name, array: np.nan_to_num(taken(name, array)))
    verdict = BY_NAME["artefact::paths_agree"](wines)
    assert verdict.status is Status.FAIL
    assert verdict.sentence.startswith("missing values in columns that are not nullable: the Spark function answers")


def test_a_forest_with_half_of_its_trees_is_another_model(mixed):
    sabotage = next(sabotage for sabotage in SABOTEURS if sabotage.name == "half_of_the_trees_lost")
    verdict = BY_NAME["artefact::readback_equal"](sabotage(mixed))
    assert verdict.status is Status.FAIL
    assert "instead of" in verdict.sentence


def copied(candidate: Candidate) -> Path:
    """Return a copy of the packed model's folder."""
    place = Path(tempfile.mkdtemp(dir=candidate.artefact.folder.parent))
    return Path(shutil.copytree(candidate.artefact.folder, place / "model"))


def with_folder(candidate: Candidate, folder: Path) -> Candidate:
    """Return the candidate with another folder as if it had been packed like this, its code trusted to run."""
    artefact = replace(candidate.artefact, folder=folder, files=file_digests(folder), trust="code")
    return candidate.changed(artefact=artefact)


def with_code(candidate: Candidate, *lines: str) -> Candidate:
    """Return the candidate, some lines added to its packed code."""
    folder = copied(candidate)
    with (folder / "probability_model.py").open("a", encoding="utf-8") as stream:
        stream.write("\n" + "\n".join(lines) + "\n")
    return with_folder(candidate, folder)


def answering(candidate: Candidate, expression: str) -> Candidate:
    """Return the candidate, its packed code answering with something else."""
    return with_code(
        candidate,
        "class Other(ProbabilityModel):",
        "    def predict(self, context, model_input: pd.DataFrame, params=None):",
        "        answer = super().predict(context, model_input, params)",
        f"        return {expression}",
        "mlflow.models.set_model(Other())",
    )


WRONG_ANSWERS = {
    "np.where(np.arange(len(answer)) == 3, np.nan, answer)": "1 of",
    "np.where(np.arange(len(answer)) == 3, np.inf, answer)": "1 of",
    "answer + 1": "answers are no probability",
    "-answer": "answers are no probability",
    "answer.astype(np.float32)": "float32",
    "(answer > 0.5).astype(int)": "int64",
    "answer[:-1]": "of shape",
    "answer.reshape(-1, 1)": "of shape",
    "pd.DataFrame({'probability': answer})": "of shape",
    "np.ones(len(answer))": "exactly 0 or 1",
    "1 / 0": "ZeroDivisionError",
}


@pytest.mark.parametrize(("expression", "said"), WRONG_ANSWERS.items(), ids=WRONG_ANSWERS)
def test_anything_but_a_probability_a_row_fails(wines, expression, said):
    broken = answering(wines, expression)
    verdict = BY_NAME["artefact::output_is_one_probability"](broken)
    assert verdict.status is Status.FAIL
    assert said in verdict.sentence
    assert BY_NAME["artefact::readback_equal"](broken).status is Status.FAIL


def test_a_model_may_answer_within_the_bound_of_the_problem_file(wines):
    near = answering(wines, "answer * (1 - 1e-7)")
    loose = load_problem(overrides={"gates.artefact.maximum_difference": 1e-6})
    for rule in ("artefact::readback_equal", "artefact::paths_agree"):
        assert BY_NAME[rule](near).status is Status.FAIL
        verdict = BY_NAME[rule](near.changed(problem=loose))
        assert verdict.status is Status.PASS, verdict.sentence
        assert 0 < verdict.measured <= verdict.bound


@pytest.mark.parametrize(
    "lines", [("raise ValueError('broken')",), ("import no_such_module",)], ids=["raises", "import"]
)
def test_a_model_that_cannot_be_loaded_is_a_configuration_error(wines, lines):
    broken = with_code(wines, *lines)
    for gate in GATES[3:7]:
        verdict = gate(broken)
        assert verdict.status is Status.CONFIG_ERROR
        assert "MLflow cannot load the model" in verdict.sentence


def test_a_model_in_memory_that_answers_nothing_compares_with_nothing(wines):
    class Silent:
        def probability(self, features):
            raise RuntimeError("no matrix")

    silent = wines.changed(models={**wines.models, "sweep": replace(wines.model, scorer=Silent())})
    assert BY_NAME["artefact::readback_equal"](silent).status is Status.CONFIG_ERROR
    verdict = BY_NAME["artefact::paths_agree"](silent)
    assert verdict.status is Status.FAIL
    assert verdict.sentence.startswith("plain rows: the model in memory refuses (RuntimeError: no matrix)")


def tables_with(candidate: Candidate, **columns: Any) -> dict[str, Any]:
    table = candidate.splits.frame.assign(**columns)
    return {"curated": lambda: PandasTable("curated", table)}


SIGNATURE = "artefact::signature_fits_table"


def test_a_table_of_other_types_does_not_fit_the_signature(wines, mixed):
    for candidate, columns, said in (
        (wines, {"alcohol": 7}, "alcohol of the curated table is bigint, not double"),
        (wines, {"is_red": True}, "is_red of the curated table is boolean, not double"),
        (mixed, {"plan": 1.5}, "plan of the curated table is double, not string"),
    ):
        verdict = BY_NAME[SIGNATURE](candidate.changed(tables=tables_with(candidate, **columns)))
        assert (verdict.status, verdict.sentence) == (Status.FAIL, said)
    gone = wines.splits.frame.drop(columns=["alcohol", "pH"])
    verdict = BY_NAME[SIGNATURE](wines.changed(tables={"curated": lambda: PandasTable("curated", gone)}))
    assert verdict.sentence == "pH of the curated table is missing, not double (and 1 more)"
    assert BY_NAME[SIGNATURE](wines.changed(tables={})).status is Status.CONFIG_ERROR


def with_signature(candidate: Candidate, name: str, change: Any) -> Candidate:
    """Return the candidate, the inputs or outputs of its signature replaced; None leaves none."""
    folder = copied(candidate)
    document = mlflow.models.Model.load(str(folder))
    signature = document.signature.to_dict()
    columns = json.loads(signature[name])
    signature[name] = None if change is None else json.dumps(change(columns))
    document.signature = mlflow.models.ModelSignature.from_dict(signature)
    document.save(str(folder / "MLmodel"))
    return with_folder(candidate, folder)


LABELS = {"type": "long", "required": True}
SIGNATURE_FLAWS = {
    "an input left out": ("inputs", lambda columns: columns[:-1], "the signature has 3 inputs, the problem 4 features"),
    "another order": ("inputs", lambda columns: columns[::-1], "input 1 of the signature is plan (string, optional), "),
    "nullable, but required": (
        "inputs",
        lambda columns: [{**column, "required": True} for column in columns],
        "input 2 of the signature is visits (double, required), feature 2 of the problem is visits (double, optional)",
    ),
    "two outputs": ("outputs", lambda columns: columns * 2, "not one double"),
    "labels": ("outputs", lambda _columns: [LABELS], "the signature's output is None (long, required), not one double"),
    "no outputs": ("outputs", None, "the signature's output is nothing, not one double"),
}


@pytest.mark.parametrize(("name", "change", "said"), SIGNATURE_FLAWS.values(), ids=SIGNATURE_FLAWS)
def test_a_signature_that_says_otherwise_than_the_problem_is_refused(mixed, name, change, said):
    verdict = BY_NAME[SIGNATURE](with_signature(mixed, name, change))
    assert verdict.status is Status.FAIL
    assert said in verdict.sentence


def test_spark_takes_several_frames_at_once_and_keeps_each_refusal(spark, mixed):
    model, pyfunc = SparkModel.load(spark, mixed.artefact.verified), load_packed(mixed.artefact.verified)
    rows = mixed.splits.rows("test").features
    wrong = rows.assign(size="much")
    asked = [rows, wrong, rows.tail(2).reset_index(drop=True), wrong.head(1), rows.head(0), rows[rows.columns[::-1]]]
    found = model.answers(asked)
    for given, frame in zip(found, asked, strict=True):
        expected = answered(pyfunc.predict, frame)
        assert given.refusal == expected.refusal
        if expected.refusal is None:
            np.testing.assert_array_equal(given.probability, expected.probability)
    assert "size" in found[1].refusal
    assert len(found[4].probability) == 0
    (alone,) = model.answers([rows])
    np.testing.assert_array_equal(alone.probability, found[0].probability)


def test_the_function_in_sql_answers_in_the_order_of_the_rows_and_is_gone_afterwards(spark, mixed):
    model = SparkModel.load(spark, mixed.artefact.verified)
    rows = mixed.splits.rows("test").features
    expected = load_packed(mixed.artefact.verified).predict(rows)
    for partitions in (1, 7):
        np.testing.assert_array_equal(model.sql_answer(rows, partitions=partitions).probability, expected)
    assert not spark.catalog.functionExists(asking.SQL_FUNCTION)


def test_a_nullable_column_may_be_left_out_and_no_other(mixed):
    rows = mixed.splits.rows("test").features
    model = load_packed(mixed.artefact.verified)
    np.testing.assert_array_equal(
        model.predict(rows.drop(columns=["visits", "plan"])), model.predict(rows.assign(visits=np.nan, plan=None))
    )
    with pytest.raises(MlflowException, match=r"missing inputs \['size'\]"):
        model.predict(rows.drop(columns="size"))


def test_mlflow_is_quiet_only_for_a_while(monkeypatch):
    logger, bar = logging.getLogger("mlflow"), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    for shown in (None, "true"):
        monkeypatch.delenv(bar, raising=False) if shown is None else monkeypatch.setenv(bar, shown)
        level = logger.level
        with contextlib.suppress(ZeroDivisionError), quiet_mlflow():
            assert (logger.level, os.environ[bar]) == (logging.ERROR, "false")
            raise ZeroDivisionError
        assert (logger.level, os.environ.get(bar)) == (level, shown)
