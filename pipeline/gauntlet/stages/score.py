"""This module provides the scoring of the curated table with the champion: written, checked, then published.

Scored incrementally, rows that have a prediction keep it, and what is published is those and the new ones, as one
commit. What is new is told by ``row_id``: it is a digest of the row's content, whereas ``ingest`` replaces the curated
table as a whole, so that a later version of the table does not tell which of its rows are new. What has a prediction is
read from the very Delta version of the predictions that the last complete scoring published: a crash after a commit and
before the stage's end has the same rows scored again in the place of those, never beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - pyspark's own convention

from gauntlet.adapters.artefact import quiet_mlflow
from gauntlet.adapters.registry import CHAMPION, THRESHOLD_TAG
from gauntlet.adapters.spark_model import spark_function
from gauntlet.adapters.suites import check_table, find_suite, load_suite
from gauntlet.core.errors import RefusedError
from gauntlet.core.evidence import Evidence
from gauntlet.core.predictions import PREDICTION_COLUMNS
from gauntlet.core.promotions import Promotion
from gauntlet.core.results import (
    IngestResult,
    ModelVersion,
    PromoteResult,
    ScoreResult,
    SelectResult,
    SplitResult,
    SuiteOutcome,
    TableRef,
)
from gauntlet.stages.candidate import Artefact
from gauntlet.stages.champions import Champions, named, number_of, open_champions
from gauntlet.stages.context import StageContext
from gauntlet.stages.expectations import refusal_sentence
from gauntlet.stages.predictors import choose_predictor, features_struct
from gauntlet.stages.tags import source_tags

SQL_FUNCTION = "gauntlet_probability"
STAGING, PREDICTIONS = "predictions_staging", "predictions"


def score(
    context: StageContext, *, ingest: IngestResult, split: SplitResult, promote: PromoteResult, select: SelectResult
) -> ScoreResult:
    """Score the curated table with the champion, as the SQL function ``gauntlet_probability``.

    The rows go to a staging table first; ``predictions`` is replaced only if its suite holds for them. Of a context
    that is incremental only the rows without a prediction are scored.

    Raises:
        RefusedError: If alias or ledger name another version than was promoted, its evidence or its files are not those
            that were judged, or its threshold was changed.
        ProblemFileError: If the suite of the predictions cannot be found or read.
    """
    names = context.problem.suites
    path = find_suite(names.predictions, problem_folder=context.problem_folder)
    suite = load_suite(path, free_sql=names.free_sql)
    champions = open_champions(context.target, context.state)
    entry = _champion(champions, promote)
    version = champions.version(entry)
    curated = context.target.tables.read(ingest.curated)
    published = _published(context, version, curated) if context.incremental else None
    new = curated if published is None else curated.join(published, "row_id", "left_anti")
    rows_to_score = ingest.curated.rows if published is None else new.count()
    with champions.verified(entry) as (evidence, copy):
        threshold = _threshold(evidence, champions.registry.tags(version), select, where=f"version {version.version}")
        predictor = choose_predictor(context, copy, split=split, rows=rows_to_score)
    # Usable in SQL from now on: SELECT gauntlet_probability(struct(alcohol, …)) FROM …
    context.target.spark().udf.register(SQL_FUNCTION, predictor.function)
    with context.target.tracking.stage_run("score", key=context.key, tags=source_tags(ingest)) as run:
        run_id = str(run.info.run_id)
        note = {"stage": "score", "key": context.key, "run": run_id}
        stamp = ModelStamp(version.name, str(version.version), threshold, run_id)
        scored = _scored(context, new, lambda struct: F.call_function(SQL_FUNCTION, struct), stamp)
        every = scored if published is None else scored.unionByName(published)
        staged = context.target.tables.write(STAGING, every, note=note)
        rows = context.target.tables.read(staged)
        outcome = check_table(rows, suite, table=PREDICTIONS)
        refusal = _refusal(staged, ingest, outcome)
        table = None if refusal else context.target.tables.write(PREDICTIONS, rows, note=note)
        counts = [F.count(F.when(condition, True)) for condition in (F.col("decision") == 1, F.col("run_id") == run_id)]
        positives, new_rows = (int(count) for count in rows.agg(*counts).collect()[0])
        _log(context, run_id, version, {"rows": staged.rows, "new_rows": new_rows, "positives": positives})
    return ScoreResult(
        refusal=refusal,
        table=table,
        model=version,
        threshold=threshold,
        rows=staged.rows,
        new_rows=new_rows,
        predictor=predictor.said,
        positives=positives,
        suite=outcome,
    )


def _published(context: StageContext, version: ModelVersion, curated: DataFrame) -> DataFrame | None:
    """Return the predictions that the last complete scoring left for rows of the curated table; None if it left none.

    They may be of an earlier version of the model, and say so.
    """
    tables = context.target.tables
    for result in context.state.results("score", ScoreResult):
        if result.table is None or result.model is None or result.model.name != version.name:
            continue
        if not tables.exists(result.table):
            return None
        found = tables.read(result.table)
        if sorted(found.columns) != sorted(PREDICTION_COLUMNS):
            return None
        return found.drop("synthetic").join(curated.select("row_id", "synthetic"), "row_id")
    return None


def _champion(champions: Champions, promote: PromoteResult) -> Promotion:
    """Return the ledger's entry of the champion, if it is the promoted version and the alias names it."""
    if promote.champion is None:
        raise RefusedError("score: nothing was promoted, so there is no model to score with")
    history, found = champions.history(), champions.registry.version_of(CHAMPION)
    if found != promote.champion:
        raise RefusedError(
            f"score: version {promote.champion.version} of {champions.model} was promoted, but the alias {CHAMPION} "
            f"names {named(number_of(found))} now; somebody else moved it, so nothing was scored: run again"
        )
    if history.champion is None or history.champion.version != found.version:
        raise RefusedError(
            f"score: by the ledger {named(number_of(history.champion))} of {champions.model} is champion, not the "
            f"promoted version {found.version}, so nothing was scored: see `gauntlet audit`"
        )
    return history.champion


def _threshold(evidence: Evidence, tags: Mapping[str, str], select: SelectResult, *, where: str) -> float:
    """Return the threshold that was judged, if it is the one that was chosen and the version's tag says it too."""
    said = tags.get(THRESHOLD_TAG, "")
    if not said == repr(evidence.threshold) == repr(select.threshold):
        raise RefusedError(
            f"score: the tag {THRESHOLD_TAG} of {where} says {said or 'nothing'}, {evidence.threshold!r} was judged "
            f"and {select.threshold!r} was chosen; put the tag right, or promote again with --from promote"
        )
    return evidence.threshold


def scored_by(context: StageContext, ingest: IngestResult, artefact: Artefact, *, threshold: float) -> DataFrame:
    """Return the curated rows as an artefact would score them once it is champion; nothing is written."""
    with quiet_mlflow():
        udf = spark_function(context.target.spark(), artefact.verified)
    curated = context.target.tables.read(ingest.curated)
    return _scored(
        context, curated, udf, ModelStamp(context.target.names.registered_model, "candidate", threshold, "none")
    )


@dataclass(frozen=True)
class ModelStamp:
    """What every scored row says of how it was scored."""

    name: str
    version: str
    threshold: float
    run_id: str


def _scored(context: StageContext, rows: DataFrame, udf: Callable[[Column], Column], stamp: ModelStamp) -> DataFrame:
    probability = udf(features_struct(context))
    return rows.select("row_id", probability.alias("probability"), "synthetic").select(
        "row_id",
        "probability",
        (F.col("probability") >= F.lit(stamp.threshold)).cast("int").alias("decision"),
        F.lit(stamp.threshold).alias("threshold"),
        F.lit(stamp.name).alias("model_name"),
        F.lit(stamp.version).alias("model_version"),
        F.lit(stamp.run_id).alias("run_id"),
        F.lit(datetime.now(UTC)).alias("scored_at"),
        "synthetic",
    )


def _refusal(staged: TableRef, ingest: IngestResult, outcome: SuiteOutcome) -> str | None:
    if staged.rows != ingest.curated.rows:
        return f"predictions: {staged.rows} rows were scored of {ingest.curated.rows}; nothing was published"
    reason = refusal_sentence((outcome,))
    return None if reason is None else f"predictions: {reason}; nothing was published"


def _log(context: StageContext, run_id: str, version: ModelVersion, counts: Mapping[str, int]) -> None:
    client = context.target.tracking.client
    client.log_param(run_id, "model", f"{version.name}/{version.version}")
    for name, count in counts.items():
        client.log_metric(run_id, name, count)
