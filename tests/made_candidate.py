"""A sound candidate made in memory, without Spark or MLflow: what the gates' and saboteurs' own tests start from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gauntlet.adapters.checked_tables import PandasTable
from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.grouping import group_rows, split_groups
from gauntlet.core.problem import Problem
from gauntlet.core.problem_file import load_problem
from gauntlet.core.results import ModelVersion
from gauntlet.core.scores import auc, best_threshold, costs_in_force
from gauntlet.core.seeding import Seeds
from gauntlet.core.test_reads import read_test_reads, record_test_read
from gauntlet.stages.candidate import Artefact, Candidate, Incumbent, JudgedModel, Refitted, Splits, TestLedger
from gauntlet.stages.recipe import in_order_of_ids
from gauntlet.stages.training_rows import Rows

ROWS = 3000
VERSION = ModelVersion(name="gauntlet.wine_quality.wine_classifier", version=4, run_id="r")


def made_frame(problem: Problem, *, rows: int = ROWS, seed: int = 17) -> pd.DataFrame:
    """Return rows with honest splits; four features tell something about the label, and none tells all."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"row_id": [f"row{number:05d}" for number in range(rows)], "source_row": np.arange(rows)})
    for column in problem.features:
        if column.kind == "boolean":
            frame[column.name] = (generator.random(rows) < 0.25).astype(float)
        else:
            step = column.resolution or 1.0
            frame[column.name] = np.round(generator.normal(40, 12, rows)) * step
    standard = {name: (frame[name] - frame[name].mean()) / frame[name].std() for name in frame.columns[2:]}
    pull = 1.2 * standard["alcohol"] - 0.9 * standard["density"] + 0.6 * standard["pH"] + 0.4 * standard["sulphates"]
    frame["label"] = (generator.random(rows) < 1 / (1 + np.exp(1.6 - pull))).astype(np.int8)
    features = frame[[column.name for column in problem.features]]
    grouping = group_rows(features, columns=problem.features, content=list(frame["row_id"]), near_repeats=True)
    frame["group_id"] = frame["row_id"].groupby(grouping.group).transform("min")
    frame["split"] = split_groups(
        grouping.group,
        frame["label"].to_numpy(),
        order=list(frame["row_id"]),
        fractions=problem.split.fractions,
        seed=problem.seed,
    )
    return frame


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on some of the features."""

    model: LogisticRegression
    encoding: Encoding

    @classmethod
    def fit(cls, train: Rows, problem: Problem, *, features: int | None = None, c: float = 1.0) -> Logistic:
        """Fit to training rows; with fewer features the model is worse."""
        columns = problem.features if features is None else problem.features[-features:]
        encoding = learn_encoding(train.features, columns)
        matrix = encode(train.features, encoding)
        scale = np.where(matrix.std(axis=0) > 0, matrix.std(axis=0), 1)
        fitted = LogisticRegression(C=c, max_iter=2000).fit(matrix / scale, train.label)
        fitted.coef_ = fitted.coef_ / scale
        return cls(fitted, encoding)

    @property
    def digest(self) -> str:
        """The digest of what was fitted."""
        return hashlib.sha256(self.model.coef_.tobytes() + self.model.intercept_.tobytes()).hexdigest()

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class."""
        return np.asarray(self.model.predict_proba(encode(features, self.encoding))[:, 1], dtype=np.float64)


@dataclass(frozen=True)
class LogisticTrainer:
    """Fits the chosen model again; seeds change nothing, as there is nothing random in it."""

    problem: Problem
    digest: str

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        fitted = Logistic.fit(in_order_of_ids(train), self.problem)
        return Refitted(digest=fitted.digest, scorer=fitted)

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Logistic:
        return Logistic.fit(in_order_of_ids(train), self.problem)

    def search(self, *, workers: int, trials: int) -> str | None:
        return hashlib.sha256(f"{trials} trials".encode()).hexdigest()

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        return frame.set_index("row_id")["split"]


@cache
def _wine_parts() -> tuple[Splits, dict[str, JudgedModel], float]:
    """Return the parts of the wines' sound candidate that take long to make; nobody may change them in place."""
    return _parts(load_problem())


def _parts(problem: Problem) -> tuple[Splits, dict[str, JudgedModel], float]:
    splits = Splits(made_frame(problem), tuple(c.name for c in problem.features), "honest", "validation")
    train, validation = splits.rows("train"), splits.rows("validation")
    good, weak = Logistic.fit(train, problem), Logistic.fit(train, problem, features=2)
    models = {}
    for name, fitted in (("forest", weak), ("sweep", good)):
        measured = auc(fitted.probability(validation.features), validation.label)
        models[name] = JudgedModel(name, fitted.digest, fitted, measured, fitted.encoding)
    costs = costs_in_force(problem.costs, positive_share=float(train.label.mean()))
    threshold = best_threshold(good.probability(validation.features), validation.label, costs).threshold
    return splits, models, threshold


def made_candidate(folder: Path, *, problem: Problem | None = None, **parts: Any) -> Candidate:
    """Return a sound candidate; named parts replace its own.

    Args:
        folder: A folder for what it writes.
        problem: The problem; by default the wines'.
        parts: Parts of ``Candidate`` that replace the sound ones.
    """
    splits, models, threshold = _wine_parts() if problem is None else _parts(problem)
    problem = problem or load_problem()
    features = splits.frame[["row_id", "label", *splits.features]]
    sound: dict[str, Any] = {
        "problem": problem,
        "chosen": "sweep",
        "baseline": "forest",
        "models": models,
        "splits": splits,
        "threshold": threshold,
        "tables": {"curated": lambda: PandasTable("curated", features)},
        "suites": {},
        "incumbent": Incumbent(),
        "trainer": LogisticTrainer(problem, models["sweep"].digest),
        "artefact": Artefact(uri="models:/m-1", folder=folder, files={}),
        "code": (Path(__file__),),
        "test_ledger": made_test_ledger(folder),
        "spark": None,
        "workspace": folder,
    }
    return Candidate(**{**sound, **parts})


def made_test_ledger(folder: Path, *selections: str) -> TestLedger:
    """Return a ledger in which the test split was opened for these choices, the last of them the judged one."""
    path = folder / "test_reads.jsonl"
    path.unlink(missing_ok=True)
    given = selections or ("choice",)
    for selection in given:
        record_test_read(path, split="split", selection=selection, reason="judge", stage_key="k")
    return TestLedger(read_test_reads(path), frozenset(given), selection=given[-1], split="split")


def champion_of(candidate: Candidate, **changes: Any) -> Incumbent:
    """Return an incumbent that is the candidate's baseline model, fitted on the candidate's own training rows."""
    train = candidate.splits.rows("train")
    known = {
        "version": VERSION,
        "model": candidate.models["forest"],
        "training": train.features.assign(label=train.label, row_id=train.row_id),
        "curated_rows": len(candidate.splits.frame),
        "ledger_version": VERSION.version,
        "sequence": 1,
    }
    return Incumbent(**{**known, **changes})
