"""This module provides the choice of what predicts for the champion: XGBoost, or oneDAL where it may.

oneDAL's predictor (the extra ``fast``) takes a fraction of the time of XGBoost's, but rounds otherwise, and each
worker needs seconds to load it. So it is used for many rows only, and only after it has answered the frozen test rows
on this very Spark as near to XGBoost's as the problem asks. Their labels are not read: nothing is chosen by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters.artefact import quiet_mlflow
from gauntlet.adapters.artefact_copies import VerifiedCopy
from gauntlet.adapters.spark_model import accelerated_function, spark_function
from gauntlet.core.results import SplitResult
from gauntlet.stages.context import StageContext

_NOT_INSTALLED = "ModuleNotFoundError"


@dataclass(frozen=True)
class Predictor:
    """What predicts for a model on Spark.

    Attributes:
        function: A struct of features in, a double out.
        said: What it is and why, for people.
    """

    function: Any
    said: str


def choose_predictor(context: StageContext, copy: VerifiedCopy, *, split: SplitResult, rows: int) -> Predictor:
    """Return what predicts for a model.

    Args:
        context: The asking stage's context.
        copy: The model's files.
        split: The split, for its test rows.
        rows: How many rows are to be scored.
    """
    spark, rule = context.target.spark(), context.problem.scoring
    with quiet_mlflow():
        plain = spark_function(spark, copy)
    if rows < rule.accelerated_rows:
        said = f"{rows:,} rows are fewer than the {rule.accelerated_rows:,} of scoring.accelerated_rows"
        return Predictor(plain, f"the model's own predictor: {said}")
    with quiet_mlflow():
        quick = accelerated_function(spark, copy)
    if quick is None:
        return Predictor(plain, "the model's own predictor: oneDAL's is for boosters as they are packed now")
    test = context.target.tables.read(split.table).where(F.col("split") == "test")
    fault = _fault(test.select(features_struct(context).alias("features")), plain, quick, rule.accelerated_tolerance)
    if fault is not None:
        return Predictor(plain, f"XGBoost's predictor: oneDAL's {fault}")
    within = f"within {rule.accelerated_tolerance:g} of XGBoost's on every test row"
    return Predictor(quick, f"oneDAL's predictor, {within}")


def features_struct(context: StageContext) -> Column:
    """Return the problem's features as one struct, as a model's function takes them."""
    return F.struct(*[F.col(f"`{column.name}`") for column in context.problem.features])


def _fault(test: DataFrame, plain: Any, quick: Any, bound: float) -> str | None:
    """Return why the quick function may not take the plain one's place; None if it may."""
    answers = test.select(plain(F.col("features")).alias("plain"), quick(F.col("features")).alias("quick"))
    try:
        given: pd.DataFrame = answers.toPandas()
    except PySparkException as error:
        if _NOT_INSTALLED in str(error):
            return "is not installed in Spark's workers (the extra fast)"
        return f"fails there ({' '.join(str(error).split())[:200]})"
    apart = np.abs(given["plain"].to_numpy(dtype=np.float64) - given["quick"].to_numpy(dtype=np.float64))
    if not len(apart):
        return "cannot be held against any test row"
    far = int((~(apart <= bound)).sum())  # NaN is far
    return f"answers {far} of {len(apart)} test rows farther than {bound:g} from XGBoost's" if far else None
