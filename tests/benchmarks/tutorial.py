"""The tutorial's own steps, as a user of its notebook would run them on this machine: the anchor of the whole road.

Two files are merged, a forest and then a sweep of boosted trees with ``SparkTrials`` are tracked in MLflow, the best
model is registered and promoted, and a Delta table is scored by ``mlflow.pyfunc.spark_udf``. There are no checks, no
gates and no evidence. It runs in a process of its own: ``python -m tests.benchmarks.tutorial FOLDER TRIALS``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import xgboost
from hyperopt import STATUS_OK, SparkTrials, fmin, hp, tpe
from hyperopt.pyll import scope
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from gauntlet.adapters.jars import cache_folder, delta_jars
from gauntlet.adapters.origins import fetch
from gauntlet.adapters.spark import use_this_python
from gauntlet.core.problem_file import load_problem

_SEED = 123
_MODEL = "wine_quality"
# The better of the two that were tried on two cores; more do not help there.
_PARALLELISM = 4
_SPACE = {
    "max_depth": scope.int(hp.quniform("max_depth", 4, 100, 1)),
    "learning_rate": hp.loguniform("learning_rate", -3, 0),
    "reg_alpha": hp.loguniform("reg_alpha", -5, -1),
    "reg_lambda": hp.loguniform("reg_lambda", -6, -1),
    "min_child_weight": hp.loguniform("min_child_weight", -1, 3),
}


def main(folder: Path, trials: int) -> dict[str, Any]:
    """Take the tutorial's steps and return their seconds."""
    started = time.perf_counter()
    spark = _session(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    # Without a place of its own MLflow would put the models into the caller's folder.
    mlflow.create_experiment("tutorial", artifact_location=str(folder / "artifacts"))
    mlflow.set_experiment("tutorial")
    wines = _wines()
    train, test = train_test_split(wines, random_state=_SEED)
    _forest(train, test)
    auc = _sweep(spark, train, test, trials=trials)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(_MODEL, "champion", "2")
    path = str(folder / "wines")
    spark.createDataFrame(wines.drop(columns="quality")).write.format("delta").save(path)
    score = mlflow.pyfunc.spark_udf(spark, f"models:/{_MODEL}@champion")
    table = spark.read.format("delta").load(path)
    scored = table.withColumn("prediction", score(F.struct(*map(F.col, table.columns))))
    scored.write.format("delta").save(str(folder / "scored"))
    return {"trials": trials, "auc": auc, "seconds": round(time.perf_counter() - started, 1)}


def _session(folder: Path) -> SparkSession:
    """Open Spark as Delta's own quick start does; the jars are here already."""
    use_this_python()
    return (
        SparkSession.builder.appName("tutorial")
        .config("spark.jars", ",".join(str(jar) for jar in delta_jars()))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )


def _wines() -> pd.DataFrame:
    found = fetch(
        load_problem(),
        target_name="local",
        cache=cache_folder(),
        synthetic_allowed=False,
        spark=SparkSession.builder.getOrCreate,
    )
    frames = {name: pd.read_csv(path, sep=";") for name, path in found.files.items()}
    merged = pd.concat([frame.assign(is_red=int(name == "red")) for name, frame in frames.items()], ignore_index=True)
    merged.columns = [column.replace(" ", "_") for column in merged.columns]
    merged["quality"] = (merged["quality"] >= 7).astype(int)
    return merged


def _forest(train: pd.DataFrame, test: pd.DataFrame) -> None:
    rows, label = train.drop(columns="quality"), train["quality"]
    with mlflow.start_run(run_name="untuned_random_forest"):
        forest = RandomForestClassifier(n_estimators=10, random_state=np.random.default_rng(_SEED).integers(2**31))
        forest.fit(rows, label)
        predicted = forest.predict_proba(test.drop(columns="quality"))[:, 1]
        mlflow.log_metric("auc", float(roc_auc_score(test["quality"], predicted)))
        mlflow.sklearn.log_model(
            forest,
            name="model",
            signature=infer_signature(rows, predicted),
            registered_model_name=_MODEL,
            skops_trusted_types=["sklearn.tree._tree.Tree"],
        )


def _sweep(spark: Any, train: pd.DataFrame, test: pd.DataFrame, *, trials: int) -> float:
    """Search as the tutorial does: each trial fits on all rows, stops early on test, and is judged on test."""
    rows, label = train.drop(columns="quality"), train["quality"]
    test_rows, test_label = test.drop(columns="quality"), test["quality"]

    def fit(params: dict[str, Any]) -> tuple[Any, float]:
        settings = {"objective": "binary:logistic", "eval_metric": "auc", "seed": _SEED, "nthread": 1, **params}
        held = xgboost.DMatrix(test_rows, test_label)
        booster = xgboost.train(
            settings,
            xgboost.DMatrix(rows, label),
            num_boost_round=1000,
            evals=[(held, "test")],
            early_stopping_rounds=50,
            verbose_eval=False,
        )
        return booster, float(roc_auc_score(test_label, booster.predict(held)))

    def objective(params: dict[str, Any]) -> dict[str, Any]:
        return {"status": STATUS_OK, "loss": -fit(params)[1]}

    with mlflow.start_run(run_name="xgboost"):
        best = fmin(
            objective,
            _SPACE,
            algo=tpe.suggest,
            max_evals=trials,
            trials=SparkTrials(parallelism=_PARALLELISM, spark_session=spark),
            rstate=np.random.default_rng(_SEED),
            show_progressbar=False,
            verbose=False,
        )
        booster, auc = fit({**best, "max_depth": int(best["max_depth"])})
        mlflow.log_metric("auc", auc)
        predicted = booster.inplace_predict(test_rows)
        signature = infer_signature(rows, predicted)
        mlflow.xgboost.log_model(booster, name="model", signature=signature, registered_model_name=_MODEL)
    return auc


if __name__ == "__main__":
    # The last line is for the benchmark that started this; libraries may write above it.
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
