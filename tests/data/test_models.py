"""Models: packed without pickle, registered once, read back equal; the baseline's figures."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from gauntlet.adapters.model_files import load_fitted
from gauntlet.adapters.packing import log_packed, requirements
from gauntlet.adapters.probability_model import ProbabilityModel
from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.errors import RefusedError, RequirementError
from gauntlet.core.problem import Column, Costs
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import SweepResult
from gauntlet.stages.baseline import baseline
from gauntlet.stages.register import register, still_registered
from gauntlet.stages.select import select
from gauntlet.stages.training_rows import Rows
from tests.data.model_world import fit_booster, made_rows, make_context, shared_world, split_result

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]

MIXED = (
    Column(name="age", kind="integer", nullable=True),
    Column(name="member", kind="boolean", nullable=True),
    Column(name="city", kind="text", nullable=True),
    Column(name="weight"),
)


def pickles_in(folder: Path) -> list[str]:
    """Return the names of what is a pickle by its content, inside archives too."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found += _pickles(path.read_bytes(), path.name)
    return found


def _pickles(content: bytes, name: str) -> list[str]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [hit for member in archive.namelist() for hit in _pickles(archive.read(member), f"{name}/{member}")]
    if content[:6] == b"\x93NUMPY":
        return [name] if b"'|O'" in content[:200] else []  # an array of objects is a pickle inside
    try:
        operations = [operation.name for operation, _, _ in pickletools.genops(content)]
    except Exception:
        return []
    return [name] if operations[-1:] == ["STOP"] else []


def _pack(world, record, *, problem=None, example=None):
    """Pack a model as the stages do; return its address and the folder of its artefacts."""
    tracking = world.context("pack").target.tracking
    with tracking.stage_run("pack", key="pack"):
        example = made_rows(world.problem)[[c.name for c in world.problem.features]] if example is None else example
        uri = log_packed(
            record, state=world.context("pack").state, problem=problem or world.problem, example=example, tags={}
        )
    return uri, Path(mlflow.artifacts.download_artifacts(uri))


def _records(world):
    return {record.name: record for record in world.strong.select.candidates}


@pytest.mark.parametrize("name", ["forest", "sweep"])
def test_a_packed_model_answers_as_the_one_in_memory_and_holds_no_pickle(world, name):
    record = _records(world)[name]
    uri, folder = _pack(world, record)
    assert pickles_in(folder) == []
    assert not [path.name for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]
    loaded = mlflow.pyfunc.load_model(uri)
    features = world.test_rows()[[column.name for column in world.problem.features]]
    expected = load_fitted(record, state=world.context("look").state).probability(features)
    found = loaded.predict(features)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    assert 0.01 < np.ptp(found) <= 1
    np.testing.assert_array_equal(loaded.predict(features[features.columns[::-1]].assign(label=1)), expected)
    np.testing.assert_array_equal(loaded.predict(features.head(1)), expected[:1])
    np.testing.assert_array_equal(loaded.predict(features.round().astype("int32")), loaded.predict(features.round()))
    assert loaded.predict(features.head(0)).shape == (0,)
    with pytest.raises(MlflowException, match=r"missing inputs.*alcohol"):
        loaded.predict(features.drop(columns="alcohol"))


def test_a_packed_model_holds_no_compiled_code(world, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    _, folder = _pack(world, _records(world)["sweep"])
    assert list(folder.rglob("*.pyc")) == []


def test_the_search_for_pickles_finds_one_by_its_content(tmp_path):
    (tmp_path / "weights.bin").write_bytes(pickle.dumps({"a": [1, 2]}))
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("0.json", pickle.dumps([1], protocol=0))
        stream = io.BytesIO()
        np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        archive.writestr("1.npy", stream.getvalue())
        archive.writestr("2.json", "{}")
    assert pickles_in(tmp_path) == ["model.skops/0.json", "model.skops/1.npy", "weights.bin"]


def test_a_packed_model_says_what_it_takes_gives_and_needs(world):
    record = _records(world)["sweep"]
    uri, folder = _pack(world, record)
    info = mlflow.models.get_model_info(uri)
    assert info.signature.inputs.input_names() == [column.name for column in world.problem.features]
    assert {str(kind) for kind in info.signature.inputs.input_types()} == {"DataType.double"}
    assert [str(kind) for kind in info.signature.outputs.input_types()] == ["DataType.double"]
    assert (folder / "input_example.json").exists()
    asked = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert asked == requirements(record)
    assert [line.split("==")[0] for line in asked] == ["mlflow", "numpy", "pandas", "xgboost-cpu"]
    code = (folder / "probability_model.py").read_text(encoding="utf-8")
    assert "import gauntlet" not in code
    assert "from gauntlet" not in code


def _mixed_frame(rows=200):
    generator = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "age": generator.integers(18, 90, rows).astype(float),
            "member": generator.integers(0, 2, rows).astype(float),
            "city": generator.choice(["Porto", "Lisbon", "Braga"], rows).astype(object),
            "weight": generator.normal(70, 9, rows),
        }
    )
    label = ((frame["age"] > 50) ^ (frame["city"] == "Porto")).astype(np.int8).to_numpy()
    frame.loc[::7, "age"] = np.nan
    frame.loc[::11, "member"] = np.nan
    frame.loc[::5, "city"] = None
    frame.loc[3, "city"] = "Faro"
    return frame, Rows(features=frame, label=label, row_id=tuple(map(str, range(rows))))


def test_the_packed_encoding_is_the_one_of_the_core():
    frame, _ = _mixed_frame()
    encoding = learn_encoding(frame[frame["city"] != "Faro"], MIXED)
    model = ProbabilityModel()
    model._columns = json.loads(encoding.model_dump_json())["columns"]
    kinds = {
        "as it is": frame,
        "whole numbers and booleans": frame.assign(age=frame["age"].astype("Int64"), member=frame["member"] == 1),
        "pandas' own strings": frame.assign(city=frame["city"].astype("string")),
        "categories": frame.assign(city=frame["city"].astype("category")),
        "nothing but missing texts": frame.assign(city=None),
        "one row": frame.iloc[3:4],
    }
    for kind, given in kinds.items():
        np.testing.assert_array_equal(model._matrix(given), encode(given, encoding), err_msg=kind)
    np.testing.assert_array_equal(model._matrix(frame)[3, 2:5], [0, 0, 0])
    assert Encoding.model_validate({"columns": model._columns}) == encoding


@pytest.fixture(scope="module")
def mixed(template):
    """Pack a booster of texts, booleans and missing values, and give its problem, rows and address."""
    columns = [column.model_dump(mode="json") for column in (*MIXED, Column(name="bought", kind="boolean"))]
    overrides = {"columns": columns, "sources": [{"name": "one", "file": "one.csv"}], "label": {"rule": "bought"}}
    problem = load_problem(overrides=overrides)
    frame, rows = _mixed_frame()
    record = fit_booster(make_context(template.root, problem, "mixed"), rows, rows, rounds=10, seed=3)
    uri, _ = _pack(template, record, problem=problem, example=frame)
    return problem, frame, uri


def test_spark_and_pandas_answer_alike_whatever_is_missing_and_however_rows_are_parted(spark, mixed):
    problem, frame, uri = mixed
    expected = mlflow.pyfunc.load_model(uri).predict(frame)
    udf = mlflow.pyfunc.spark_udf(spark, uri, result_type="double", env_manager="local")
    schema = "age double, member double, city string, weight double, place int"
    nulls = frame.assign(place=range(len(frame))).astype(object).where(lambda values: values.notna(), None)
    rows = spark.createDataFrame(nulls.to_numpy().tolist(), schema)
    features = F.struct(*[column.name for column in reversed(problem.features)])
    for partitions in (1, 7):
        scored = rows.repartition(partitions).select("place", udf(features).alias("probability")).toPandas()
        found = scored.sort_values("place")["probability"].to_numpy()
        np.testing.assert_array_equal(found, expected)


def test_equal_forests_are_equal_files(world):
    first = baseline(world.context("baseline", "one"), split=world.split)
    second = baseline(world.context("baseline", "two"), split=world.split)
    assert first.forest.file.sha256 == second.forest.file.sha256
    assert first.reference.model_copy(update={"file": None}).model_dump(exclude={"file", "encoding"}) == (
        second.reference.model_copy(update={"file": None}).model_dump(exclude={"file", "encoding"})
    )
    assert first.forest.file.sha256 != first.reference.file.sha256
    assert sum(first.forest.importances.values()) == pytest.approx(1)
    assert set(first.forest.importances) == {column.name for column in world.problem.features}


def test_another_seed_is_another_forest(world):
    other = load_problem(overrides={"seed": 1, "baseline.trees": 3, "baseline.reference_trees": 4})
    found = baseline(make_context(world.root, other, "baseline", "other"), split=world.split)
    assert found.forest.file.sha256 != world.strong.baseline.forest.file.sha256


def _tutorial_rows(problem):
    """Return the tutorial's rows: the real wines, red first, where they are at hand; else made ones."""
    folder = os.environ.get("GAUNTLET_DATA_DIR")
    if not folder:
        return made_rows(problem).drop(columns="split")
    parts = [
        pd.read_csv(Path(folder) / f"winequality-{colour}.csv", sep=";").assign(is_red=is_red)
        for colour, is_red in (("red", 1.0), ("white", 0.0))
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame.columns = [name.replace(" ", "_") for name in frame.columns]
    frame["label"] = (frame.pop("quality") >= 7).astype(int)
    return frame.assign(row_id=[str(n) for n in frame.index], synthetic=False, row_order=frame.index)


def test_the_tutorials_forest_has_the_tutorials_figure(world, spark):
    problem = load_problem(overrides={"split.protocol": "notebook", "baseline.reference_trees": 10})
    rows = _tutorial_rows(problem)
    train, test = train_test_split(rows, random_state=123)
    rows["split"] = np.where(rows.index.isin(test.index), "test", "train")
    context = make_context(world.root, problem, "baseline", "notebook")
    table = context.target.tables.write("tutorial", spark.createDataFrame(rows.sample(frac=1, random_state=5)))
    split = split_result(table, notebook=True).model_copy(update={"rows": {"train": len(train), "test": len(test)}})
    found = baseline(context, split=split)
    # The forest fitted plainly, on rows as they are dealt: what the tutorial itself does.
    names = [column.name for column in problem.features]
    plain = RandomForestClassifier(n_estimators=10, random_state=123).fit(train[names], train["label"])
    expected = roc_auc_score(test["label"], plain.predict_proba(test[names])[:, 1])
    assert found.forest.auc_selection == pytest.approx(expected, abs=1e-9)
    assert found.forest.parameters == {"n_estimators": 10, "random_state": 123}
    if os.environ.get("GAUNTLET_DATA_DIR"):
        assert found.forest.auc_selection == pytest.approx(0.8889, abs=0.0005)


def test_registering_makes_one_version_with_an_alias_that_answers_as_in_memory(world):
    result = register(world.context("register"), split=world.split, baseline=world.strong.baseline)
    assert result.auc_readback == world.strong.baseline.forest.auc_selection
    assert result.model.name == "gauntlet.wine_quality.wine_classifier"
    assert world.registry.version_of("baseline") == result.model
    tags = world.versions()[result.model.version]
    assert (tags["gauntlet.status"], tags["gauntlet.synthetic"], tags["gauntlet.protocol"]) == (
        "baseline",
        "true",
        "honest",
    )
    for key in ("k", "another key"):
        again = register(world.context("register", key), split=world.split, baseline=world.strong.baseline)
        assert again == result
    assert list(world.versions()) == [result.model.version]
    assert still_registered(world.context("register"), result) is None


def test_a_registration_that_lost_its_alias_is_made_again_without_a_second_version(world):
    context, registry = world.context("register"), world.registry
    result = register(context, split=world.split, baseline=world.strong.baseline)
    registry.tracking.client.delete_registered_model_alias(registry.name, "baseline")
    assert still_registered(context, result) == "the registry has no baseline any more"
    register(context, split=world.split, baseline=world.strong.baseline)
    assert still_registered(context, result) is None
    assert list(world.versions()) == [result.model.version]


def test_a_registered_model_that_answers_otherwise_is_refused(world):
    forest = world.strong.baseline.forest
    edited = forest.model_copy(update={"auc_selection": forest.auc_selection + 1e-6})
    with pytest.raises(RefusedError, match="was registered with AUC"):
        register(
            world.context("register"),
            split=world.split,
            baseline=world.strong.baseline.model_copy(update={"forest": edited}),
        )


def test_no_alias_and_no_model_are_told_apart_from_no_answer(world, monkeypatch):
    registry = world.registry
    assert registry.version_of("champion") is None  # there is no such model
    result = register(world.context("register"), split=world.split, baseline=world.strong.baseline)
    registry = world.registry
    assert registry.version_of("champion") is None  # the model has no such alias
    assert registry.version_of("baseline") == result.model

    def silent(_name):
        raise MlflowException("connection refused")

    monkeypatch.setattr(registry.tracking.client, "get_registered_model", silent)
    with pytest.raises(RequirementError, match=r"could not be asked which version .* has the alias champion"):
        registry.version_of("champion")
    with pytest.raises(RequirementError, match="connection refused"):
        registry.find(key="k", model_digest="m")


def test_an_alias_moves_only_from_where_it_is_believed_to_be(world):
    result = register(world.context("register"), split=world.split, baseline=world.strong.baseline)
    registry = world.registry
    other = result.model.model_copy(update={"version": 99})
    with pytest.raises(RefusedError, match="somebody else moved it"):
        registry.move_alias("baseline", other, expected=None)
    with pytest.raises(RefusedError, match="names no version now, not version 99"):
        registry.restore_alias("champion", result.model, expected=other)
    assert registry.version_of("baseline") == result.model


def test_the_choice_is_the_best_on_the_selection_split_and_opens_no_test_rows(world):
    chosen = world.strong.select
    best = max(chosen.candidates, key=lambda record: record.auc_selection)
    assert chosen.chosen == best
    assert chosen.cost <= min(chosen.accept_all_cost, chosen.reject_all_cost)
    assert chosen.selection_digest != world.weak.select.selection_digest
    assert not world.context("look").state.test_reads.exists()


def test_without_costs_the_threshold_gives_both_classes_the_same_expected_cost(world):
    sweep = next(record for record in world.strong.select.candidates if record.name == "sweep")
    made = SweepResult.model_construct(model=sweep)
    context = world.context("select", "balanced")
    open_costs = replace(context, problem=context.problem.model_copy(update={"costs": None}))
    found = select(open_costs, split=world.split, baseline=world.strong.baseline, sweep=made)
    share = world.split.positives["train"] / world.split.rows["train"]
    assert found.costs == Costs(false_positive=1, false_negative=(1 - share) / share)
    assert world.strong.select.costs == context.problem.costs
    assert (found.threshold, found.selection_digest) != (
        world.strong.select.threshold,
        world.strong.select.selection_digest,
    )


def test_of_equally_good_models_the_simpler_is_chosen(world):
    forests = world.strong.baseline
    same = SweepResult.model_construct(model=forests.forest.model_copy(update={"name": "sweep"}))
    forests = forests.model_copy(update={"reference": forests.forest.model_copy(update={"name": "reference_forest"})})
    found = select(world.context("select", "tie"), split=world.split, baseline=forests, sweep=same)
    assert found.chosen.name == "forest"


def test_a_model_that_does_not_show_its_recorded_auc_is_not_chosen(world):
    sweep = next(record for record in world.strong.select.candidates if record.name == "sweep")
    edited = SweepResult.model_construct(model=sweep.model_copy(update={"auc_selection": 0.999}))
    with pytest.raises(RefusedError, match=r"sweep is recorded with AUC 0\.999, but its file shows"):
        select(world.context("select", "edited"), split=world.split, baseline=world.strong.baseline, sweep=edited)


@pytest.fixture(scope="module")
def template(spark, tmp_path_factory):
    """Give the world that the tests copy."""
    return shared_world(tmp_path_factory, spark)


@pytest.fixture
def world(template, tmp_path):
    """Give each test a world of its own."""
    return template.copied(tmp_path / "state")
