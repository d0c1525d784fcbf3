"""This module provides the making of registered versions: packed, logged, tagged, once for a stage's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from mlflow.entities import Run
from numpy.typing import NDArray

from gauntlet.adapters.model_files import model_digest
from gauntlet.adapters.packing import log_packed
from gauntlet.adapters.registry import MODEL_DIGEST_TAG, STATUS_TAG, THRESHOLD_TAG, Registry
from gauntlet.adapters.tracking import STAGE_KEY_TAG, STAGE_TAG
from gauntlet.core.errors import DataError
from gauntlet.core.results import ModelRecord, ModelVersion
from gauntlet.stages.context import StageContext
from gauntlet.stages.training_rows import Rows

# How far an AUC may move between a model in memory and the same model from the registry.
TOLERANCE = 1e-12


def open_registry(context: StageContext) -> Registry:
    """Return the registry of the problem's model."""
    return Registry(tracking=context.target.tracking, name=context.target.names.registered_model)


@dataclass(frozen=True)
class Release:
    """What is to become a version.

    Attributes:
        record: The model.
        example: Some rows of features.
        tags: The version's tags, beside those that every version has.
        threshold: Rows at or above this probability are decided positive; None for a model that decides nothing yet.
    """

    record: ModelRecord
    example: pd.DataFrame
    tags: Mapping[str, str]
    threshold: float | None = None


def logged_model(
    context: StageContext, stage: str, release: Release, *, log: Callable[[Run], None] = lambda _run: None
) -> tuple[str, str]:
    """Log a model in a run of its own, and return its address and the run's identifier.

    What a killed try of the stage left is taken away first.

    Args:
        context: The stage's context.
        stage: The stage's name.
        release: What is logged.
        log: Writes what else belongs into the run.
    """
    _discard_logged_models(context)
    with context.target.tracking.stage_run(stage, key=context.key, tags=release.tags) as run:
        log(run)
        uri = log_packed(
            release.record,
            state=context.state,
            problem=context.problem,
            example=release.example,
            tags=version_tags(context, stage, release),
        )
    return uri, str(run.info.run_id)


def registered_version(context: StageContext, stage: str, release: Release, *, uri: str | None = None) -> ModelVersion:
    """Return the version of a model that this stage made under its key; it is made if a killed try left none.

    Args:
        context: The stage's context.
        stage: The stage's name.
        release: What is to become a version.
        uri: The address of the model where it was logged before; None logs it now.
    """
    registry, tracking = open_registry(context), context.target.tracking
    mark = model_digest(release.record, threshold=release.threshold)
    found = registry.find(key=context.key, model_digest=mark)
    if found is not None:
        if tracking.client.get_run(found.run_id).info.status == "RUNNING":  # the try was killed after it
            tracking.client.set_terminated(found.run_id)
        return found
    uri = uri or logged_model(context, stage, release)[0]
    return registry.create(model_uri=uri, tags=version_tags(context, stage, release))


def version_tags(context: StageContext, stage: str, release: Release) -> dict[str, str]:
    """Return the tags that say what a version or a logged model is."""
    record, threshold = release.record, release.threshold
    return {
        STAGE_TAG: stage,
        STAGE_KEY_TAG: context.key,
        MODEL_DIGEST_TAG: model_digest(record, threshold=threshold),
        STATUS_TAG: "candidate",
        "gauntlet.problem": context.problem.name,
        "gauntlet.model": record.name,
        "gauntlet.family": record.family,
        **({} if threshold is None else {THRESHOLD_TAG: repr(threshold)}),
        **release.tags,
    }


def _discard_logged_models(context: StageContext) -> None:
    """Delete the logged models of a try that was killed, but for those that a version was made of."""
    tracking = context.target.tracking
    found = tracking.client.search_logged_models(
        [tracking.experiment_id], filter_string=f"tags.`{STAGE_KEY_TAG}` = '{context.key}'"
    )
    for model in found:
        if "mlflow.modelVersions" not in model.tags:  # MLflow's own tag
            tracking.client.delete_logged_model(model.model_id)


def answers(predicted: object, *, rows: Rows) -> NDArray[np.float64]:
    """Return a loaded model's answers, if they are one number a row.

    Raises:
        DataError: If they are anything else.
    """
    given = np.asarray(predicted)
    if given.shape != rows.label.shape or given.dtype != np.float64:
        raise DataError(
            f"the model answered {len(rows.label)} rows with {given.dtype} of shape {given.shape}; one double a row is "
            "expected"
        )
    return given
