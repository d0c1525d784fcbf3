"""This module provides the incumbent: the champion that a candidate is compared with, by registry and by ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.registry import CHAMPION
from gauntlet.core.errors import RefusedError
from gauntlet.core.results import ModelVersion, TableRef
from gauntlet.stages.candidate import Incumbent, JudgedModel
from gauntlet.stages.champions import open_champions
from gauntlet.stages.context import StageContext

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


@dataclass(frozen=True)
class RegisteredScorer:
    """A model as loaded from a verified copy of a registered version."""

    model: PyFuncModel

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return what the model says of the rows."""
        return np.asarray(self.model.predict(features))


def incumbent_of(context: StageContext, *, model_digest: str) -> Incumbent:
    """Return the champion, what it was fitted on, and whether it is the candidate itself.

    Only what the ledger names is loaded, once its files were held against its evidence: to load a model is to run its
    code, and an alias can be moved to anything.

    Args:
        context: The asking stage's context.
        model_digest: The candidate's digest.

    Raises:
        RequirementError: If the registry or the ledger could not be asked; that is not "there is none".
    """
    champions = open_champions(context.target, context.state)
    try:
        history = champions.history()
    except RefusedError as error:
        return Incumbent(fault=str(error))
    last = history.champion
    known: dict[str, Any] = {
        "ledger_version": None if last is None else last.version,
        "sequence": history.last_sequence,
        "curated_rows": None if last is None else last.rows,
    }
    version = champions.registry.version_of(CHAMPION)
    if version is None:
        return Incumbent(**known)
    known |= {"version": version}
    if last is None or last.version != version.version:
        return Incumbent(**known)  # the alias was moved by hand: that is for the gate to say
    known["training"] = _training_rows(context, last.split_table)
    try:
        with champions.verified(last) as (evidence, copy):
            digest = evidence.artefact.model_digest
            model = JudgedModel(name=CHAMPION, digest=digest, scorer=RegisteredScorer(copy.load()))
    except Exception as error:  # a champion that cannot be asked is the gate's business
        return Incumbent(**known, fault=_unloadable(version, error))
    return Incumbent(**known, model=model, is_candidate=digest == model_digest)


def _training_rows(context: StageContext, table: TableRef | None) -> pd.DataFrame | None:
    """Return the champion's training rows (identifiers, labels, features); None if they cannot be had any more."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - pyspark's convention; imported where Spark is

    if table is None or not context.target.tables.exists(table):
        return None
    rows = context.target.tables.read(table)
    features = [column.name for column in context.problem.features if column.name in rows.columns]
    frame: pd.DataFrame = rows.where(F.col("split") == "train").select("row_id", "label", *features).toPandas()
    return frame


def _unloadable(version: ModelVersion, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300]
    return (
        f"version {version.version} could not be loaded and asked ({type(error).__name__}: {reason}); see `gauntlet "
        "audit`, and roll back or mend it"
    )
