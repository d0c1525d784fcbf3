"""This module provides the chosen model's trainer: the same parameters fitted again, for the gates that ask for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.adapters.model_files import TRUSTED_TYPES, save_forest
from gauntlet.adapters.objective import BoostedTreesObjective, Matrices, PackedMatrices, booster_parameters
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.core.canonical import file_digest
from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.errors import DataError
from gauntlet.core.results import ModelRecord, SplitResult
from gauntlet.core.trials import Journal, Trial, TrialResult, read_journal, trials_digest
from gauntlet.stages.baseline import fit_forest, in_the_tutorials_order
from gauntlet.stages.candidate import Refitted
from gauntlet.stages.context import StageContext
from gauntlet.stages.split import split_names
from gauntlet.stages.sweep import learn
from gauntlet.stages.training_rows import Rows

# What the winner's record holds beside the point that was tried.
_NOT_SEARCHED = frozenset({*booster_parameters(Trial(index=0, seed=0, params={})), "rounds"})
# Enough to differ, if anything makes trials differ; the models of these sweeps are not used.
_SMALL_SWEEP_ROUNDS = 50


@dataclass(frozen=True)
class EncodedScorer:
    """A fitted model in memory, with its encoding.

    Attributes:
        encoding: How features enter the matrix.
        positive: Gives the probability of the positive class for a matrix.
    """

    encoding: Encoding
    positive: Callable[[NDArray[np.float32]], Any]

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class, one a row."""
        return np.asarray(self.positive(encode(features, self.encoding)), dtype=np.float64)


def in_order_of_ids(rows: Rows) -> Rows:
    """Return rows in the order of their identifiers: a fit then does not depend on the order in which they came.

    Raises:
        DataError: If there is not one identifier a row.
    """
    if len(rows.row_id) != len(rows.label):
        raise DataError(f"trainer: {len(rows.row_id)} row_id for {len(rows.label)} rows; each row needs its own")
    order = sorted(range(len(rows.row_id)), key=rows.row_id.__getitem__)
    return Rows(
        features=rows.features.iloc[order].reset_index(drop=True),
        label=rows.label[order],
        row_id=tuple(rows.row_id[place] for place in order),
    )


@dataclass(frozen=True)
class RoadTrainer:
    """Fits again what the stages ``baseline`` and ``sweep`` fitted.

    Attributes:
        context: The asking stage's context.
        record: The chosen model.
        split: How rows were divided.
    """

    context: StageContext
    record: ModelRecord
    split: SplitResult

    @property
    def digest(self) -> str:
        """The digest of the chosen model's fitted parts."""
        return self.record.file.sha256

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit the chosen model's parameters to other rows, or with another seed.

        Args:
            train: The rows to learn from, in any order; under the tutorial's split in the table's, on which its figures
                hang.
            selection: The rows to stop early on; a forest has no use for them.
            seed: Another seed; None takes the candidate's own.
            workers: How many threads share the fit of a forest; a booster is always fitted by one.

        Raises:
            DataError: If there is not one identifier a row.
        """
        if self.split.protocol == "honest":
            train, selection = in_order_of_ids(train), in_order_of_ids(selection)
        elif self.record.family == "forest" and len(train.label) == self.split.rows["train"]:
            train = in_the_tutorials_order(train, self.split, self.context.problem.split.notebook)
        encoding = learn_encoding(train.features, self.context.problem.features)
        with tempfile.TemporaryDirectory(dir=self.context.folder) as folder:
            if self.record.family == "booster":
                return self._fit_booster(train, selection, encoding, seed, Path(folder) / "model.ubj")
            return self._fit_forest(train, encoding, seed, workers, Path(folder) / "model.skops")

    def search(self, *, workers: int, trials: int) -> str | None:
        """Return the digest of a few more trials of the sweep with so many workers; None for a forest.

        They go on where the sweep's journal ends: the first trials of any sweep are drawn without a look at others, and
        would be the same whatever became known when. Their boosters have few rounds.

        Raises:
            DataError: If none of them succeeds.
        """
        if self.record.family != "booster":
            return None
        done = read_journal(self.context.state.path(self.record.file).with_name("trials.jsonl"))
        rule = self.context.problem.sweep
        # With a lag of half the trials the later ones learn from the earlier ones.
        lag = min(rule.lag, max(1, trials // 2))
        small = rule.model_copy(update={"trials": len(done) + trials, "lag": lag})
        _, objective = learn(self.context, self.split)
        objective = replace(objective, max_rounds=min(rule.max_rounds, _SMALL_SWEEP_ROUNDS))
        with tempfile.TemporaryDirectory(dir=self.context.folder) as folder:
            search = Search(
                objective=objective, rule=small, seeds=self.context.seeds, journal_path=Path(folder) / "trials.jsonl"
            )
            _begin(search, done)
            found = run_sweep(self.context.target.spark(), search=search, workers=workers)[len(done) :]
        if all(result.auc is None for result in found):
            raise DataError(f"trainer: none of {len(found)} trials succeeded ({found[-1].failure})")
        return trials_digest(found)

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Return the split of each row, by ``row_id``, when the rows come in this order."""
        return pd.Series(split_names(frame.reset_index(drop=True), self.context), index=frame["row_id"])

    def _fit_booster(self, train: Rows, selection: Rows, encoding: Encoding, seed: int | None, path: Path) -> Refitted:
        import xgboost  # noqa: PLC0415 - takes a second to import

        rule, given = self.context.problem.sweep, self.record.parameters
        matrices = Matrices(
            train=encode(train.features, encoding),
            train_label=train.label,
            selection=encode(selection.features, encoding),
            selection_label=selection.label,
        )
        objective = BoostedTreesObjective(
            data=PackedMatrices.pack(matrices),
            max_rounds=rule.max_rounds,
            early_stopping_rounds=rule.early_stopping_rounds,
            trees="all" if self.split.protocol == "notebook" else "best",
        )
        searched: dict[str, Any] = {name: value for name, value in given.items() if name not in _NOT_SEARCHED}
        trial = Trial(index=0, seed=int(given["seed"]) if seed is None else seed, params=searched)
        objective.fit(trial, objective.prepare()).model.save_model(path)
        # Read back, as whoever loads the chosen model reads it.
        booster = xgboost.Booster(params={"nthread": 1}, model_file=path)
        return Refitted(digest=file_digest(path), scorer=EncodedScorer(encoding, booster.inplace_predict))

    def _fit_forest(
        self, train: Rows, encoding: Encoding, seed: int | None, workers: int | None, path: Path
    ) -> Refitted:
        import skops.io  # noqa: PLC0415 - takes a second to import, with scikit-learn
        from sklearn.base import clone  # noqa: PLC0415 - takes a second to import

        given = self.record.parameters
        trees, own = int(given["n_estimators"]), int(given["random_state"]) if seed is None else seed
        if workers is None:
            forest = fit_forest(train, encoding, trees=trees, seed=own)
        else:
            # The stage's forest with one tree tells its parameters; only trees and threads are other ones.
            alike = clone(fit_forest(train, encoding, trees=1, seed=own)).set_params(n_estimators=trees, n_jobs=workers)
            forest = alike.fit(encode(train.features, encoding), train.label).set_params(n_jobs=None)
        save_forest(forest, path)
        forest = skops.io.load(path, trusted=TRUSTED_TYPES)
        return Refitted(
            digest=file_digest(path),
            scorer=EncodedScorer(encoding, lambda matrix: forest.predict_proba(matrix)[:, 1]),
        )


def _begin(search: Search, done: tuple[TrialResult, ...]) -> None:
    """Give a search a history: the trials that are finished already."""
    Journal(search.journal_path, identity=search.identity).start()
    # Written at once: Journal.append waits for the disk after each, which a passing copy does not need.
    with search.journal_path.open("a", encoding="utf-8") as stream:
        stream.writelines(f"{result.to_json()}\n" for result in done)
