"""Scoring: every row gets the champion's probability and decision, and only checked predictions show."""

from __future__ import annotations

import json
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from chispa.dataframe_comparer import assert_df_equality
from pandas.testing import assert_frame_equal
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters import booster_function
from gauntlet.adapters.artefact import quiet_mlflow
from gauntlet.adapters.model_files import load_fitted
from gauntlet.adapters.spark_model import booster_udf, packed_booster, spark_function
from gauntlet.core.errors import RefusedError
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import PromoteResult
from gauntlet.stages.predictors import choose_predictor, features_struct
from gauntlet.stages.score import score
from tests.data.model_world import shared_world
from tests.served_models import MIXED, made_features, pack
from tests.verified import own_copy

pytestmark = [
    pytest.mark.data,
    pytest.mark.local_only("copies a state folder with what target local keeps in it: tables, registry, ledger"),
]

REFUSED = PromoteResult(refusal="no", champion=None, previous=None, bootstrap=True, sequence=None, auc_readback=None)


@pytest.fixture
def world(spark, tmp_path_factory, tmp_path):
    """Give each test a world of its own."""
    return shared_world(tmp_path_factory, spark).copied(tmp_path / "state")


@pytest.fixture(scope="module")
def promoted(spark, tmp_path_factory):
    """A world of which nothing is changed, and its champion."""
    world = shared_world(tmp_path_factory, spark).copied(tmp_path_factory.mktemp("promoted") / "state")
    return world, world.crown(world.strong).champion


def _probabilities(world, choice):
    """Return what a choice's model says of every curated row, by row_id, in memory."""
    frame = world.context("look").target.tables.read(world.ingest.curated).toPandas()
    fitted = load_fitted(choice.select.chosen, state=world.context("look").state)
    return dict(zip(frame["row_id"], fitted.probability(frame), strict=True))


def test_scoring_writes_a_probability_and_a_decision_for_every_row_and_is_usable_in_sql(world, spark):
    promoted = world.crown(world.strong)
    result = world.score(world.strong, promoted)
    assert result.refusal is None
    assert (result.rows, result.model) == (700, promoted.champion)
    assert result.suite.success
    assert result.new_rows == 700
    assert result.predictor.startswith("the model's own predictor: 700 rows are fewer")
    tables = world.context("look").target.tables
    written = tables.read(result.table).toPandas()
    assert dict(zip(written["row_id"], written["probability"], strict=True)) == _probabilities(world, world.strong)
    assert set(written["threshold"]) == {world.strong.select.threshold} == {result.threshold}
    np.testing.assert_array_equal(written["decision"], written["probability"] >= result.threshold)
    assert result.positives == written["decision"].sum() > 0
    assert set(written["model_version"]) == {str(promoted.champion.version)}
    assert set(written["synthetic"]) == {True}
    assert written["scored_at"].nunique() == 1
    tables.read(world.ingest.curated).createOrReplaceTempView("curated_rows")
    features = ", ".join(column.name for column in world.problem.features)
    query = f"SELECT row_id, gauntlet_probability(struct({features})) AS probability FROM curated_rows"  # noqa: S608
    asked = spark.sql(query)
    kept = tables.read(result.table).select("row_id", "probability")
    assert_df_equality(asked, kept, ignore_row_order=True, ignore_nullable=True)
    assert asked.count() == 700


def test_the_function_of_a_booster_gives_what_mlflows_own_gives_whatever_the_partitions(spark, tmp_path):
    folder = pack(tmp_path / "booster", load_problem(), MIXED, rounds=20)
    rows = made_features(MIXED, rows=300)
    rows.loc[::7, "pH"], rows.loc[::5, "city"] = np.nan, None
    with quiet_mlflow():
        mlflows = mlflow.pyfunc.spark_udf(spark, model_uri=str(folder), result_type="double", env_manager="local")
    schema = "alcohol double, pH double, age double, city string"
    # Of three partitions one is empty; whole numbers, in another order, beside a column too many.
    table = spark.createDataFrame(rows.replace({np.nan: None}), schema).repartitionByRange(3, "age")
    table = table.where(F.spark_partition_id() != 1)
    table = table.select("city", F.col("age").cast("int"), F.lit("?").alias("more"), "pH", "alcohol")
    booster = packed_booster(folder, slots=2)
    forms = {"arrow": booster_udf(booster, form="arrow"), "pandas": booster_udf(booster, form="pandas")}
    assert spark_function(spark, own_copy(folder)).evalType == forms["arrow"].evalType
    columns = [function(F.struct(*table.columns)).alias(name) for name, function in (forms | {"ml": mlflows}).items()]
    found = table.select(*columns).toPandas()
    assert found["ml"].nunique() > 50
    for form in forms:
        np.testing.assert_array_equal(found[form], found["ml"])
    with pytest.raises(PySparkException, match="column city is int32, but the model takes a string: cast it"):
        table.select(forms["arrow"](F.struct(F.lit(1).alias("city"), "age", "pH", "alcohol"))).collect()


def test_after_the_alias_moved_a_warm_session_serves_the_new_version(world):
    # The address holds the version's number. Over Spark Connect MLflow would keep what it loaded for an alias's
    # address in the workers, and go on serving the old version.
    first = world.crown(world.weak, "first")
    old = world.score(world.weak, first, "first")
    second = world.crown(world.strong, "second")
    new = world.score(world.strong, second, "second")
    tables = world.context("look").target.tables
    for choice, result in ((world.weak, old), (world.strong, new)):
        written = tables.read(result.table).toPandas()
        assert dict(zip(written["row_id"], written["probability"], strict=True)) == _probabilities(world, choice)
        assert set(written["model_version"]) == {str(result.model.version)}
    assert _probabilities(world, world.weak) != _probabilities(world, world.strong)
    with pytest.raises(RefusedError, match=r"version 1 of .* was promoted, but the alias champion names version 2 now"):
        world.score(world.weak, first, "third")


def test_addresses_name_the_version_never_the_alias(world):
    version = world.crown(world.weak).champion
    assert world.registry.uri(version) == "models:/gauntlet.wine_quality.wine_classifier/1"


def test_incremental_scoring_leaves_rows_alone_that_have_a_prediction(world):
    tables, promoted = world.context("look").target.tables, world.crown(world.weak)
    curated, expected = tables.read(world.ingest.curated), _probabilities(world, world.weak)

    def scored(key, condition):
        ingest = world.ingest.model_copy(update={"curated": tables.write("curated", curated.where(condition))})
        result = world.score(world.weak, promoted, key, ingest=ingest, incremental=True)
        written = tables.read(result.table).toPandas().set_index("row_id").sort_index()
        assert written.index.is_unique
        assert dict(written["probability"]) == {row: expected[row] for row in written.index}
        return result, written

    first, before = scored("first", "row_id < 'row0690'")
    second, after = scored("second", "true")
    assert [(result.rows, result.new_rows) for result in (first, second)] == [(690, 690), (700, 10)]
    assert_frame_equal(after.iloc[:690], before)
    assert set(after["run_id"].iloc[690:]).isdisjoint(before["run_id"])
    # A crash after the commit, before the stage's end: the same rows come again, and a row that is gone does not.
    (world.context("score", "second").folder / "result.json").unlink()
    third, again = scored("third", "row_id > 'row0004'")
    assert (third.rows, third.new_rows, third.table.version) == (695, 10, second.table.version + 1)
    assert_frame_equal(again.iloc[:685], before.iloc[5:])


QUICK = {
    "not installed": (None, {}, "XGBoost's predictor: oneDAL's is not installed in Spark's workers"),
    "few rows": (
        1e-7,
        {"scoring.accelerated_rows": 701},
        "700 rows are fewer than the 701 of scoring.accelerated_rows",
    ),
    "near": (1e-7, {}, "oneDAL's predictor, within 1e-06 of XGBoost's on every test row"),
    "far": (1e-5, {}, "XGBoost's predictor: oneDAL's answers 140 of 140 test rows farther than 1e-06"),
    "not a number": (float("nan"), {}, "XGBoost's predictor: oneDAL's answers 140 of 140 test rows farther"),
}


@pytest.mark.parametrize(("near", "rules", "said"), QUICK.values(), ids=QUICK)
def test_another_predictor_is_used_for_many_rows_only_and_if_it_answers_the_test_rows_alike(
    promoted, monkeypatch, near, rules, said
):
    plain = booster_function._plain

    def stand_in(content, *, threads):  # for oneDAL's predictor, which is an extra
        if near is None:
            raise ModuleNotFoundError("No module named 'daal4py'")
        answer = plain(content, threads=threads)
        return lambda rows: answer(rows).astype("float64") + near

    monkeypatch.setattr(booster_function, "_accelerated", stand_in)
    monkeypatch.setattr(booster_function, "_KEPT", f"kept_{near}")  # what a worker keeps of one case answers no other
    world, version = promoted
    context = replace(world.context("look"), problem=load_problem(overrides={"scoring.accelerated_rows": 1} | rules))
    with world.registry.artefact(version) as folder:
        found = choose_predictor(context, own_copy(folder), split=world.split, rows=700)
    assert said in found.said
    rows = context.target.tables.read(world.split.table).where("split = 'test'")
    answers = rows.select("row_id", found.function(features_struct(context)).alias("probability")).toPandas()
    expected = _probabilities(world, world.strong)
    apart = [given - expected[row] for row, given in zip(answers["row_id"], answers["probability"], strict=True)]
    np.testing.assert_allclose(apart, near if found.said.startswith("oneDAL") else 0, rtol=1e-6)


def test_predictions_that_fail_their_suite_are_not_published(world, tmp_path):
    promoted = world.crown(world.strong)
    tables = world.context("look").target.tables
    good = tables.write("predictions", tables.read(world.ingest.curated).select("row_id").limit(9))
    suites = tmp_path / "problem" / "suites" / "wine_quality"
    suites.mkdir(parents=True)
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "probability", "max_value": 0.01}}
    (suites / "predictions.json").write_text(json.dumps({"name": "strict", "expectations": [rule]}), encoding="utf-8")
    context = world.context("score", "strict")
    strict = type(context)(**{**vars(context), "problem_folder": tmp_path / "problem"})
    result = score(strict, ingest=world.ingest, split=world.split, promote=promoted, select=world.strong.select)
    assert result.table is None
    assert "1 of 1 expectations failed: predictions::probability::between" in result.refusal
    assert result.refusal.endswith("nothing was published")
    assert tables.exists(good)
    assert not tables.exists(good.model_copy(update={"version": good.version + 1}))


def test_a_threshold_changed_by_hand_is_refused(world):
    promoted = world.crown(world.strong)
    world.registry.tag(promoted.champion, {"gauntlet.threshold": "0.5"})
    with pytest.raises(RefusedError, match=r"gauntlet.threshold of version 1 says 0.5"):
        world.score(world.strong, promoted)


def test_without_a_champion_nothing_is_scored(world):
    refused = REFUSED
    with pytest.raises(RefusedError, match="nothing was promoted"):
        world.score(world.strong, refused)
