"""This module provides the chosen model's trainer: the same parameters fitted again, for the gates that ask for it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from gauntlet.adapters.model_files import load_fitted
from gauntlet.adapters.sweep_engine import Search, run_sweep
from gauntlet.core.errors import DataError
from gauntlet.core.results import ModelRecord, SplitResult
from gauntlet.core.seeding import Seeds
from gauntlet.core.trials import Journal, TrialResult, read_journal, trials_digest
from gauntlet.stages.baseline import in_the_tutorials_order
from gauntlet.stages.candidate import Refitted, Scorer
from gauntlet.stages.context import StageContext
from gauntlet.stages.recipe import fit_again, fit_recipe, in_order_of_ids
from gauntlet.stages.split import split_names
from gauntlet.stages.sweep import learn
from gauntlet.stages.training_rows import Rows

# Enough to differ, if anything makes trials differ; the models of these sweeps are not used.
_SMALL_SWEEP_ROUNDS = 50


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

    @cached_property
    def digest(self) -> str:
        """The digest of the chosen model's fitted parts, as its file holds them."""
        return load_fitted(self.record, state=self.context.state).digest

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
        fitted = fit_again(
            train,
            selection,
            family=self.record.family,
            parameters=self.record.parameters,
            problem=self.context.problem,
            trees="all" if self.split.protocol == "notebook" else "best",
            seed=seed,
            threads=workers,
        )
        return Refitted(digest=fitted.digest, scorer=fitted)

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Scorer:
        """Fit the forests, search, and choose, all in this process."""
        return fit_recipe(train, selection, problem=self.context.problem, seeds=seeds)

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
            path = Path(folder) / "trials.jsonl"
            search = Search(objective=objective, rule=small, seeds=self.context.seeds, journal_path=path)
            _begin(path, done, identity=search.identity)
            found = run_sweep(self.context.target.spark(), search=search, workers=workers)[len(done) :]
        if all(result.auc is None for result in found):
            raise DataError(f"trainer: none of {len(found)} trials succeeded ({found[-1].failure})")
        return trials_digest(found)

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Return the split of each row, by ``row_id``, when the rows come in this order."""
        return pd.Series(split_names(frame.reset_index(drop=True), self.context), index=frame["row_id"])


def _begin(path: Path, done: tuple[TrialResult, ...], *, identity: str) -> None:
    """Give a search a history: the trials that are finished already."""
    Journal(path, identity=identity).start()
    # Written at once: Journal.append waits for the disk after each, which a passing copy does not need.
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(f"{result.to_json()}\n" for result in done)
