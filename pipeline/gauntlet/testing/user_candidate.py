"""This module provides the candidate of a user's own pipeline: its rows divided honestly, its model fitted on some."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.artefact_copies import LOADING_NOTE
from gauntlet.adapters.artefact_files import file_digests
from gauntlet.adapters.checked_tables import PandasTable
from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.errors import InputError
from gauntlet.core.grouping import SPLIT_ORDER, Grouping, group_rows, split_groups
from gauntlet.core.problem import Problem
from gauntlet.core.scores import auc, best_threshold, costs_in_force
from gauntlet.core.seeding import Seeds
from gauntlet.stages.baseline import fit_forest
from gauntlet.stages.candidate import Artefact, Candidate, JudgedModel, Refitted, Scorer, Splits
from gauntlet.stages.recipe import in_order_of_ids
from gauntlet.stages.training_rows import Rows
from gauntlet.testing.user_pipeline import Pipeline, labelled, problem_of

CHOSEN, BASELINE = "pipeline", "forest"


def parts_of(pipeline: Pipeline) -> frozenset[str]:
    """Return the parts of a candidate that a pipeline can give."""
    parts = {"baseline", "models", "problem", "splits", "tables", "threshold", "workspace"}
    if pipeline.code:
        parts.add("code")
    if isinstance(pipeline.model, str):
        parts.add("artefact")
    elif _is_estimator(pipeline.model):
        parts.add("trainer")
    return frozenset(parts)


def candidate_of(pipeline: Pipeline, *, workspace: Path) -> Candidate:
    """Return the candidate.

    Raises:
        InputError: If the table or the model cannot be used.
    """
    frame = pipeline.rows()
    problem = problem_of(pipeline, frame)
    splits = _splits(pipeline, problem, frame)
    train, validation = splits.rows("train"), splits.rows("validation")
    trainer, artefact = None, None
    scorer: Scorer
    if isinstance(pipeline.model, str):
        artefact = _artefact(pipeline.model, workspace=workspace)
        scorer, digest = _MlflowScorer(artefact.verified.load()), _digest_of(artefact.files)
    elif _is_estimator(pipeline.model):
        trainer = EstimatorTrainer.of(pipeline, problem, splits)
        fitted = trainer.fit(train, validation)
        scorer, digest = fitted.scorer, fitted.digest
    else:
        scorer = _BoosterScorer(pipeline.model)
        digest = hashlib.sha256(bytes(pipeline.model.save_raw("ubj"))).hexdigest()
    probability = scorer.probability(validation.features)
    threshold = pipeline.threshold
    if threshold is None:
        costs = costs_in_force(problem.costs, positive_share=float(train.label.mean()))
        threshold = best_threshold(probability, validation.label, costs).threshold
    models = {
        BASELINE: _baseline(problem, train, validation),
        CHOSEN: JudgedModel(CHOSEN, digest, scorer, auc(probability, validation.label)),
    }
    curated = splits.frame[["row_id", "label", *splits.features]]
    return Candidate(
        problem=problem,
        chosen=CHOSEN,
        baseline=BASELINE,
        models=models,
        splits=splits,
        threshold=threshold,
        tables={"curated": lambda: PandasTable("curated", curated)},
        suites={},
        incumbent=None,
        trainer=trainer,
        artefact=artefact,
        code=_code(pipeline),
        test_ledger=None,
        spark=None,
        workspace=workspace,
    )


def _splits(pipeline: Pipeline, problem: Problem, frame: pd.DataFrame) -> Splits:
    features = tuple(column.name for column in problem.features)
    rows = frame[list(features)].copy()
    for column in problem.features:
        if column.kind == "text":
            rows[column.name] = rows[column.name].astype(object).where(rows[column.name].notna(), None)
        else:
            rows[column.name] = pd.to_numeric(rows[column.name]).astype(float)
    rows.insert(0, "row_id", [f"row{number:08d}" for number in range(len(rows))])
    rows["source_row"] = np.arange(len(rows))
    rows["label"] = labelled(pipeline, frame)
    grouping = _grouping(rows, problem)
    rows["group_id"] = rows["row_id"].groupby(grouping.group).transform("min")
    if pipeline.split is not None:
        rows["split"] = frame[pipeline.split].astype(str)
        unknown = set(rows["split"]) ^ set(SPLIT_ORDER)
        if unknown:
            raise InputError(
                f"{pipeline.name}: the column {pipeline.split} must hold train, validation and test, each of them; see "
                f"{', '.join(sorted(unknown)[:5])}"
            )
    else:
        rows["split"] = _divided(rows, grouping, problem)
    return Splits(rows, features, "honest", "validation")


def _grouping(rows: pd.DataFrame, problem: Problem) -> Grouping:
    return group_rows(
        rows[[column.name for column in problem.features]],
        columns=problem.features,
        content=list(rows["row_id"]),
        near_repeats=True,
    )


def _divided(rows: pd.DataFrame, grouping: Grouping, problem: Problem) -> NDArray[np.str_]:
    """Return the name of each row's split, whatever the order of the rows."""
    return split_groups(
        grouping.group,
        rows["label"].to_numpy(dtype=np.int8),
        order=list(rows["row_id"]),
        fractions=problem.split.fractions,
        seed=problem.seed,
    )


def _baseline(problem: Problem, train: Rows, validation: Rows) -> JudgedModel:
    encoding = learn_encoding(train.features, problem.features)
    forest = fit_forest(
        train, encoding, trees=problem.baseline.trees, seed=Seeds(problem.seed).integer("baseline", BASELINE)
    )
    scorer = _ForestScorer(forest, encoding)
    return JudgedModel(
        BASELINE,
        "the baseline forest",
        scorer,
        auc(scorer.probability(validation.features), validation.label),
        encoding,
    )


@dataclass(frozen=True)
class _ForestScorer:
    forest: Any
    encoding: Encoding

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class."""
        return np.asarray(self.forest.predict_proba(encode(features, self.encoding))[:, 1], dtype=np.float64)


@dataclass(frozen=True)
class EstimatorScorer:
    """A fitted scikit-learn estimator; it is given frames, as it was fitted on."""

    estimator: Any

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class, one a row."""
        place = list(self.estimator.classes_).index(1)
        return np.asarray(self.estimator.predict_proba(features)[:, place], dtype=np.float64)


@dataclass(frozen=True)
class EstimatorTrainer:
    """Fits a user's estimator again.

    Attributes:
        estimator: The estimator, never fitted itself.
        splits: The candidate's rows.
        digest: The digest of the model fitted on them.
        divides: Whether Gauntlet divided the rows, and can do so again.
        problem: The problem, for the division.
    """

    estimator: Any
    splits: Splits
    digest: str
    divides: bool
    problem: Problem

    @classmethod
    def of(cls, pipeline: Pipeline, problem: Problem, splits: Splits) -> EstimatorTrainer:
        """Return the trainer, the model fitted once for its digest."""
        bare = cls(pipeline.model, splits, "", pipeline.split is None, problem)
        digest = bare.fit(splits.rows("train"), splits.rows("validation")).digest
        return cls(pipeline.model, splits, digest, pipeline.split is None, problem)

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit a clone; its digest is that of its answers, which is all that is known of any estimator."""
        from sklearn.base import clone  # noqa: PLC0415 - takes a second to import

        estimator, rows = clone(self.estimator), in_order_of_ids(train)
        for name, value in (("random_state", seed), ("n_jobs", workers)):
            asked = [key for key in estimator.get_params() if key == name or key.endswith(f"__{name}")]
            if value is not None:
                estimator.set_params(**dict.fromkeys(asked, value))
        with warnings.catch_warnings():
            # An estimator may say that it makes no use of n_jobs; then it has nothing to share.
            warnings.filterwarnings("ignore", category=FutureWarning, message=".*n_jobs.*")
            fitted = estimator.fit(rows.features, rows.label)
        # While predicting, threads would add up a forest's answers in any order, and the last bits would differ.
        jobs = [key for key in fitted.get_params() if key == "n_jobs" or key.endswith("__n_jobs")]
        scorer = EstimatorScorer(fitted.set_params(**dict.fromkeys(jobs)))
        answered = self.splits.frame[list(self.splits.features)]
        return Refitted(hashlib.sha256(scorer.probability(answered).tobytes()).hexdigest(), scorer)

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Scorer:
        """Fit a clone to the rows; whatever the estimator searches for, it does itself."""
        return self.fit(train, selection, seed=seeds.integer("fit")).scorer

    def search(self, *, workers: int, trials: int) -> str | None:
        """Return None: no sweep found the estimator."""
        return None

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Return the split of each row when the rows come in this order; None where the user divided them."""
        if not self.divides:
            return None
        rows = frame.reset_index(drop=True)
        names = _divided(rows, _grouping(rows, self.problem), self.problem)
        return pd.Series(names, index=rows["row_id"])


@dataclass(frozen=True)
class _BoosterScorer:
    booster: Any

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the booster's answers for the features as numbers, in the order of its own names."""
        names = self.booster.feature_names or list(features.columns)
        matrix = features[list(names)].to_numpy(dtype=np.float32)
        return np.asarray(self.booster.inplace_predict(matrix), dtype=np.float64)


@dataclass(frozen=True)
class _MlflowScorer:
    model: Any

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the model's answers; of two columns the last is that of the positive class."""
        given = np.asarray(self.model.predict(features), dtype=np.float64)
        return given[:, -1] if given.ndim == 2 else given


def _artefact(uri: str, *, workspace: Path) -> Artefact:
    import mlflow  # noqa: PLC0415 - takes seconds to import

    try:
        # A copy: MLflow writes into its own store's folder whenever it gives a model out.
        workspace.mkdir(parents=True, exist_ok=True)
        place = tempfile.mkdtemp(prefix="model-", dir=workspace)
        folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=place))
        (folder / LOADING_NOTE).unlink(missing_ok=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{uri}: no MLflow model can be had there ({reason})") from error
    return Artefact(uri=uri, folder=folder, files=file_digests(folder), trust="code")


def _digest_of(files: Any) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode("utf-8")).hexdigest()


def _is_estimator(model: Any) -> bool:
    if hasattr(model, "predict_proba") and hasattr(model, "get_params"):
        return True
    if type(model).__module__.startswith("xgboost") and hasattr(model, "inplace_predict"):
        return False
    raise InputError(
        f"{type(model).__name__} is no model that can be judged: give a scikit-learn estimator with predict_proba, an "
        "xgboost.Booster, or the address of an MLflow model"
    )


def _code(pipeline: Pipeline) -> tuple[Path, ...]:
    found: list[Path] = []
    for place in map(Path, pipeline.code):
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        if not files or not all(path.is_file() for path in files):
            raise InputError(f"{pipeline.name}: code: {place} is no Python file and no folder with any")
        found += files
    return tuple(found)
