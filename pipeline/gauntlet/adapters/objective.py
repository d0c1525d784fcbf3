"""This module provides the objectives of a sweep: how a trial is evaluated, in this process or in a Spark worker."""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gauntlet.adapters.booster_calibration import calibrated
from gauntlet.adapters.split_thresholds import (
    TrainingValues,
    snapped_to_training_values,
    training_values,
    with_thresholds_midway,
)
from gauntlet.core.canonical import digest
from gauntlet.core.search import SEARCHABLE
from gauntlet.core.trials import Trial, TrialResult

if TYPE_CHECKING:
    from xgboost import Booster

_LONGEST_REASON = 300


@dataclass(frozen=True)
class Score:
    """What an evaluation found.

    Attributes:
        auc: The area under the curve on the selection split.
        best_iteration: The iteration with that AUC, from 0; None for models without iterations.
    """

    auc: float
    best_iteration: int | None = None


class Objective(Protocol):
    """How a trial is evaluated.

    An objective travels to Spark's workers by pickle, data included, so it is small and immutable. What all its trials
    share (matrices) is prepared once in each process. ``evaluate`` depends on its arguments and on nothing else.
    """

    @property
    def identity(self) -> str:
        """The digest of all that an evaluation depends on beside the trial: data, settings, libraries."""

    def fault(self, parameters: Collection[str]) -> str | None:
        """Return why these parameters cannot be searched; None if they can. Asked before any worker is."""

    def prepare(self) -> Any:
        """Build what all trials share; called once in each process."""

    def evaluate(self, trial: Trial, prepared: Any) -> Score:
        """Evaluate a trial; any exception means that this trial failed."""


@dataclass(frozen=True)
class Matrices:
    """The rows that a sweep fits and chooses on.

    Attributes:
        train: The training matrix, float32.
        train_label: 0 or 1, one a row.
        selection: The matrix that models are chosen on.
        selection_label: 0 or 1, one a row.
    """

    train: NDArray[np.float32]
    train_label: NDArray[np.int8]
    selection: NDArray[np.float32]
    selection_label: NDArray[np.int8]


@dataclass(frozen=True)
class PackedMatrices:
    """Matrices as compressed bytes, to travel inside a task on classic Spark and Spark Connect alike.

    Attributes:
        content: The bytes.
        digest: The digest of the matrices' values.
    """

    content: bytes
    digest: str

    @classmethod
    def pack(cls, matrices: Matrices) -> PackedMatrices:
        """Return the packed form of matrices."""
        stream, marks = io.BytesIO(), hashlib.sha256()
        np.savez_compressed(stream, allow_pickle=False, **vars(matrices))
        for name, values in vars(matrices).items():
            marks.update(f"{name} {values.dtype.str} {values.shape};".encode())
            marks.update(np.ascontiguousarray(values).tobytes())
        return cls(content=stream.getvalue(), digest=marks.hexdigest())

    def unpack(self) -> Matrices:
        """Return the matrices."""
        with np.load(io.BytesIO(self.content), allow_pickle=False) as arrays:
            return Matrices(**{name: arrays[name] for name in arrays.files})


@dataclass(frozen=True)
class BoostedTreesObjective:
    """XGBoost on one thread, stopped early on the selection split, its thresholds midway between training values.

    The model that is kept is also calibrated on the selection split, except under the tutorial's rule (``trees``).

    Trials are fitted and judged on selection rows that are snapped to training values: that gives the AUC of the model
    with thresholds midway, and costs nothing a trial. Only a model that is kept is built so (``FittedTrees.model``).

    Attributes:
        data: The rows.
        max_rounds: The most boosting rounds.
        early_stopping_rounds: Stop after this many rounds without a better log loss. (The AUC of a small selection
            split jumps from round to round: the best of all rounds of all trials would be the luckiest.)
        trees: Which trees predict: those up to the best iteration, or all that were grown, and not calibrated (both as
            the tutorial does).
        limit_seconds: A fit that takes longer is stopped, and its trial fails; None sets no limit.
    """

    data: PackedMatrices
    max_rounds: int
    early_stopping_rounds: int
    trees: Literal["best", "all"] = "best"
    limit_seconds: float | None = None

    @cached_property
    def identity(self) -> str:
        """The digest of the data, the settings and XGBoost's version; computed once, and carried to the workers."""
        import xgboost  # noqa: PLC0415 - takes a second to import

        return digest(
            {
                "objective": "boosted trees",
                "data": self.data.digest,
                "max_rounds": self.max_rounds,
                "early_stopping_rounds": self.early_stopping_rounds,
                "trees": self.trees,
                "thresholds": "midway between training values",
                "limit_seconds": self.limit_seconds,
                "xgboost": str(xgboost.__version__),
            }
        )

    def fault(self, parameters: Collection[str]) -> str | None:
        """Return which parameters XGBoost's trees do not have; None if they have all."""
        unknown = sorted(set(parameters) - SEARCHABLE)
        return f"XGBoost's trees have no parameter {', '.join(unknown)} to search" if unknown else None

    def prepare(self) -> PreparedTrees:
        """Build XGBoost's matrices."""
        import xgboost  # noqa: PLC0415 - takes a second to import

        rows = self.data.unpack()
        values = training_values(rows.train)
        snapped = snapped_to_training_values(rows.selection, values)
        train = xgboost.QuantileDMatrix(rows.train, rows.train_label, nthread=1)
        selection = xgboost.QuantileDMatrix(snapped, rows.selection_label, ref=train, nthread=1)
        return PreparedTrees(rows=rows, values=values, snapped=snapped, train=train, selection=selection)

    def evaluate(self, trial: Trial, prepared: PreparedTrees) -> Score:
        """Fit a booster and return its AUC."""
        fitted = self.fit(trial, prepared)
        return Score(auc=fitted.auc, best_iteration=fitted.best_iteration)

    def fit(self, trial: Trial, prepared: PreparedTrees) -> FittedTrees:
        """Fit a booster from a trial's parameters and seed; the same bits in any process.

        Raises:
            TimeoutError: If the limit was reached.
        """
        import xgboost  # noqa: PLC0415 - takes a second to import

        started = time.perf_counter()
        limit = math.inf if self.limit_seconds is None else self.limit_seconds

        class Limit(xgboost.callback.TrainingCallback):
            """Stops the training at the limit."""

            def after_iteration(self, model: Booster, epoch: int, evals_log: Any) -> bool:
                if time.perf_counter() - started > limit:
                    raise TimeoutError(f"stopped in round {epoch} after {limit:g} s, the most that a trial may take")
                return False

        booster = xgboost.train(
            booster_parameters(trial),
            prepared.train,
            num_boost_round=self.max_rounds,
            evals=[(prepared.selection, "selection")],
            early_stopping_rounds=self.early_stopping_rounds,
            verbose_eval=False,
            callbacks=None if self.limit_seconds is None else [Limit()],
        )
        best = int(booster.best_iteration)
        trees = best + 1 if self.trees == "best" else int(booster.num_boosted_rounds())
        auc = area_under_curve(booster, replace(prepared.rows, selection=prepared.snapped), trees=trees)
        return FittedTrees(
            booster=booster,
            trees=trees,
            best_iteration=best,
            auc=auc,
            prepared=prepared,
            calibrate=self.trees == "best",
        )


@dataclass(frozen=True)
class PreparedTrees:
    """What all trials of one sweep share.

    Attributes:
        rows: The rows.
        values: The training rows' values, by column.
        snapped: The selection rows, each value moved to a training value.
        train: XGBoost's matrix of the training rows.
        selection: XGBoost's matrix of the snapped selection rows.
    """

    rows: Matrices
    values: TrainingValues
    snapped: NDArray[np.float32]
    train: Any
    selection: Any


@dataclass(frozen=True)
class FittedTrees:
    """A fitted booster.

    Attributes:
        booster: All trees that were grown, with XGBoost's own thresholds.
        trees: How many of them, from the first, are the model.
        best_iteration: The iteration with the best log loss while fitting, from 0.
        auc: The AUC on the selection split of ``uncalibrated``.
        prepared: What it was fitted on.
        calibrate: Whether the model is calibrated.
    """

    booster: Booster
    trees: int
    best_iteration: int
    auc: float
    prepared: PreparedTrees
    calibrate: bool

    @property
    def uncalibrated(self) -> Booster:
        """The booster cut to the model's trees, each threshold midway between two training values."""
        return with_thresholds_midway(self.booster[: self.trees], self.prepared.values)

    @property
    def model(self) -> Booster:
        """The booster that is kept: the uncalibrated one, calibrated on the selection split."""
        booster, rows = self.uncalibrated, self.prepared.rows
        return calibrated(booster, rows.selection, rows.selection_label) if self.calibrate else booster


def booster_parameters(trial: Trial) -> dict[str, float | int | str]:
    """Return all of XGBoost's parameters for a trial."""
    fixed: dict[str, float | int | str] = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "nthread": 1,
        "seed": trial.seed,
        "verbosity": 0,
    }
    return {**trial.params, **fixed}


def area_under_curve(booster: Booster, rows: Matrices, *, trees: int) -> float:
    """Return the AUC on the selection split of a booster's first trees, as any reader of the saved model gets it."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes a second to import

    predicted = booster.inplace_predict(rows.selection, iteration_range=(0, trees))
    return float(roc_auc_score(rows.selection_label, predicted))


def run_trial(objective: Objective, trial: Trial, *, limit_seconds: float | None = None) -> TrialResult:
    """Evaluate a trial; whatever goes wrong in it becomes its result, with the reason.

    Args:
        objective: How it is evaluated.
        trial: The trial.
        limit_seconds: A trial that took longer has failed; None sets no limit.
    """
    started, clock = time.time(), time.perf_counter()
    score: Score | None = None
    failure: str | None = None
    try:
        prepared = _prepared(objective)
        started, clock = time.time(), time.perf_counter()
        score = objective.evaluate(trial, prepared)
        if not math.isfinite(score.auc):
            failure = f"its AUC is {score.auc}"
        elif limit_seconds is not None and time.perf_counter() - clock > limit_seconds:
            failure = f"it took longer than {limit_seconds:g} s, the most that a trial may take"
    except (Exception, SystemExit) as error:  # a trial must never stop the others
        failure = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]
    good = score if failure is None else None
    return TrialResult(
        index=trial.index,
        params=trial.params,
        auc=None if good is None else good.auc,
        best_iteration=None if good is None else good.best_iteration,
        seconds=time.perf_counter() - clock,
        started=started,
        failure=failure,
    )


# What the current objective's trials share in this process. Only the last objective's is kept: a Python worker of Spark
# lives on after a sweep, and must not collect the data of all sweeps it ever saw.
_SHARED: dict[str, Any] = {}


def _prepared(objective: Objective) -> Any:
    identity = objective.identity
    prepared = _SHARED.get(identity)
    if prepared is None:
        prepared = objective.prepare()
        _SHARED.clear()  # another thread's sweep only has to prepare again
        _SHARED[identity] = prepared
    return prepared
