"""A packed booster in Spark's workers: bit for bit what MLflow answers, without MLflow and without Gauntlet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark import cloudpickle

from gauntlet.adapters import booster_function
from gauntlet.adapters.artefact import answered
from gauntlet.adapters.booster_function import BoosterFunction
from gauntlet.adapters.spark_model import packed_booster
from gauntlet.core.problem_file import load_problem
from gauntlet.gates.artefact_paths import cases_of
from tests.served_models import MIXED, made_features, pack
from tests.verified import own_copy

pytestmark = pytest.mark.unit

ROWS = made_features(MIXED, rows=60, seed=5)
CASES = {case.name: case.frame for case in cases_of(ROWS, MIXED)} | {
    "single precision": ROWS.astype(dict.fromkeys(["alcohol", "pH", "age"], "float32")),
    "small whole numbers": ROWS.assign(age=np.arange(60, dtype="int8"), pH=np.arange(60, dtype="int16")),
    "64-bit zeros and ones": ROWS.assign(age=np.arange(60) % 2),
    "a number as text": ROWS.assign(alcohol="much"),
    "a truth as number": ROWS.assign(alcohol=ROWS["alcohol"] > 10),
    "a text as number": ROWS.assign(city=7),
    "a required column left out": ROWS.drop(columns="alcohol"),
    "beyond single precision": ROWS.assign(pH=1e39 * np.where(np.arange(60) % 2, 1, -1)),
    "every value missing": ROWS.assign(pH=np.nan, city=None),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("booster") / "model", load_problem(), MIXED, rounds=20)


@pytest.fixture(scope="module")
def pyfunc(folder):
    return own_copy(folder).load()


@pytest.fixture(scope="module")
def booster(folder):
    return packed_booster(folder, slots=None)


def structs(frame: pd.DataFrame) -> list[pa.Array]:
    """Return a frame as two batches of structs as Spark sends them, the second not from its buffers' beginning."""
    types = [pa.string() if frame[name].dtype == object else None for name in frame]
    columns = [pa.array(frame[name], kind, from_pandas=True) for name, kind in zip(frame, types, strict=True)]
    struct = pa.StructArray.from_arrays(columns, names=[str(name) for name in frame])
    return [struct.slice(0, 7), struct.slice(7)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:overflow")
def test_batches_are_answered_or_refused_as_mlflow_does(name, booster, pyfunc):
    frame = CASES[name]
    expected = answered(pyfunc.predict, frame)
    forms = {
        "arrow": lambda rows: np.concatenate([np.asarray(part) for part in booster.arrow(iter(structs(rows)))]),
        "pandas": lambda rows: next(booster.pandas(iter([rows]))).to_numpy(),
    }
    for form, ask in forms.items():
        found = answered(ask, frame)
        assert (found.refusal is None) == (expected.refusal is None), (form, found, expected)
        if expected.probability is not None:
            np.testing.assert_array_equal(found.probability, expected.probability, strict=True)
        if name == "beyond single precision":
            assert all("column pH is beyond 3.4e38" in str(one.refusal) for one in (found, expected))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alcohol": "much"}, "column alcohol is string, but the model takes a double: cast it"),
        ({"age": 7}, "column age is int64, but the model takes a double: cast it"),
        ({"city": 7}, "column city is int64, but the model takes a string: cast it"),
    ],
)
def test_a_refusal_names_the_column_and_its_type(booster, change, said):
    with pytest.raises(ValueError, match=said):
        list(booster.arrow(iter(structs(ROWS.assign(**change)))))
    with pytest.raises(ValueError, match="not all there: alcohol, age missing"):
        list(booster.arrow(iter(structs(ROWS[["pH"]]))))


def test_a_process_without_gauntlet_and_mlflow_answers_alike(booster, pyfunc, tmp_path):
    cloudpickle.register_pickle_by_value(booster_function)
    (tmp_path / "function").write_bytes(cloudpickle.dumps((booster.arrow, structs(ROWS))))
    worker = """
import json, pickle, sys
sys.modules["gauntlet"] = sys.modules["mlflow"] = None
answers = [json.dumps(list(map(float, part))) for _ in range(2)
           for answer, structs in [pickle.load(open(sys.argv[1], "rb"))] for part in answer(iter(structs))]
print("[" + ",".join(answers) + "]")
"""
    done = subprocess.run(
        [sys.executable, "-c", worker, str(tmp_path / "function")], capture_output=True, text=True, check=True
    )
    twice = np.concatenate(json.loads(done.stdout))
    np.testing.assert_array_equal(twice, np.tile(pyfunc.predict(ROWS), 2))


def test_a_process_that_was_kept_warm_does_not_take_one_model_for_another(folder, booster, tmp_path):
    other_folder = pack(tmp_path / "other", load_problem(), MIXED, rounds=3)
    other = packed_booster(other_folder, slots=None)
    for model, place in ((booster, folder), (other, other_folder), (booster, folder)):
        found = np.concatenate([np.asarray(part) for part in model.arrow(iter(structs(ROWS)))])
        np.testing.assert_array_equal(found, own_copy(place).load().predict(ROWS))


@pytest.mark.parametrize(("cores", "slots", "threads"), [(8, 2, 4), (8, 3, 2), (2, 2, 1), (2, 8, 1), (4, None, 1)])
def test_the_tasks_of_a_machine_share_its_cores(cores, slots, threads, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(cores)), raising=False)
    function = BoosterFunction(b"", columns=[], optional=frozenset(), slots=slots)
    assert function._threads() == threads


def other_code(folder):
    with (folder / "probability_model.py").open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")


def other_signature(folder):
    document = mlflow.models.Model.load(str(folder))
    signature = document.signature.to_dict()
    inputs = [{**given, "type": "long"} for given in json.loads(signature["inputs"])]
    document.signature = mlflow.models.ModelSignature.from_dict({**signature, "inputs": json.dumps(inputs)})
    document.save(str(folder / "MLmodel"))


def no_signature(folder):
    document = mlflow.models.Model.load(str(folder))
    document.signature = None
    document.save(str(folder / "MLmodel"))


@pytest.mark.parametrize("change", [other_code, other_signature, no_signature])
def test_a_model_that_is_not_packed_as_now_goes_the_general_way(folder, change, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "packed")
    assert packed_booster(copy, slots=None) is not None
    change(copy)
    assert packed_booster(copy, slots=None) is None
