"""This module provides saboteurs of what a model answers, of how it is fitted, and of what was written down of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.canonical import digest
from gauntlet.core.errors import DataError
from gauntlet.core.scores import auc
from gauntlet.core.seeding import Seeds
from gauntlet.core.statistics.slices import MOST_VALUES
from gauntlet.gates.gate import Saboteur, saboteur
from gauntlet.gates.model_learning import best_single_feature
from gauntlet.gates.model_parts import threshold_of
from gauntlet.stages.candidate import Candidate, Refitted, Scorer, Trainer, feature_keys
from gauntlet.stages.training_rows import Rows

Answers = NDArray[np.float64]


@dataclass(frozen=True)
class Altered:
    """A scorer whose answers are changed on their way out.

    Attributes:
        scorer: What answers.
        change: Gives the changed answers, from the features and the answers.
    """

    scorer: Scorer
    change: Callable[[pd.DataFrame, Answers], Answers]

    def probability(self, features: pd.DataFrame) -> Answers:
        """Return the changed answers."""
        return np.asarray(self.change(features, self.scorer.probability(features)), dtype=np.float64)


def answering(candidate: Candidate, change: Callable[[pd.DataFrame, Answers], Answers]) -> Candidate:
    """Return the candidate with a chosen model whose answers are changed; its record stays."""
    return scored_by(candidate, Altered(candidate.model.scorer, change))


def scored_by(candidate: Candidate, scorer: Scorer) -> Candidate:
    """Return the candidate with another scorer for its chosen model."""
    model = replace(candidate.model, scorer=scorer, digest=digest([candidate.model.digest, "sabotaged"]))
    return candidate.changed(models={**candidate.models, candidate.chosen: model})


def labels_by_features(rows: Rows) -> Callable[[pd.DataFrame], Answers]:
    """Return a function that gives rows their labels by their features; NaN where the features are not known."""
    known = pd.Series(rows.label.astype(np.float64), index=feature_keys(rows.features))
    known = known[~known.index.duplicated()]
    return lambda features: known.reindex(feature_keys(features)).to_numpy(dtype=np.float64)


def _fraction(features: pd.DataFrame) -> Answers:
    """Return a number from 0 to 1 for each row that hangs on every digit of its features."""
    return np.asarray(feature_keys(features) / np.float64(2**64), dtype=np.float64)


@saboteur("model::recorded_metrics_are_true")
def recorded_auc_edited(candidate: Candidate) -> Candidate:
    """Record an AUC for the chosen model that is a hundredth better than it is."""
    return _recorded(candidate, (candidate.model.recorded_auc or 0.0) + 0.01)


@saboteur("model::recorded_metrics_are_true")
def recorded_auc_is_nan(candidate: Candidate) -> Candidate:
    """Record NaN as the chosen model's AUC."""
    return _recorded(candidate, float("nan"))


@saboteur("model::recorded_metrics_are_true")
def recorded_auc_missing(candidate: Candidate) -> Candidate:
    """Record no AUC for the chosen model."""
    return _recorded(candidate, None)


def _recorded(candidate: Candidate, value: float | None) -> Candidate:
    model = replace(candidate.model, recorded_auc=value)
    return candidate.changed(models={**candidate.models, candidate.chosen: model})


@saboteur("model::recorded_metrics_are_true")
def columns_swapped_at_scoring(candidate: Candidate) -> Candidate:
    """Exchange the values of the two features that tell most of the label, whenever the chosen model is asked."""
    rows = candidate.splits.rows(candidate.splits.selection)
    numbers = [name for name in candidate.splits.features if pd.api.types.is_numeric_dtype(rows.features[name])]
    told = {name: abs(auc(rows.features[name].rank(pct=True).fillna(0.5), rows.label) - 0.5) for name in numbers}
    if len(numbers) < 2:
        raise DataError("two columns of numbers are needed to exchange them")
    first, second = sorted(numbers, key=told.__getitem__)[-2:]

    def swapped(features: pd.DataFrame, _given: Answers) -> Answers:
        exchanged = features.assign(**{first: features[second], second: features[first]})
        return candidate.model.scorer.probability(exchanged)

    return answering(candidate, swapped)


@saboteur("model::auc_at_least_minimum")
def answers_reversed(candidate: Candidate) -> Candidate:
    """Answer with the probability of the other class."""
    return answering(candidate, lambda _, given: 1 - given)


@saboteur("model::auc_at_least_minimum")
def one_probability_is_nan(candidate: Candidate) -> Candidate:
    """Answer one row with NaN."""
    return answering(candidate, lambda _, given: _with_first(given, np.nan))


@saboteur("model::auc_at_least_minimum")
def one_probability_is_infinite(candidate: Candidate) -> Candidate:
    """Answer one row with infinity."""
    return answering(candidate, lambda _, given: _with_first(given, np.inf))


def _with_first(given: Answers, value: float) -> Answers:
    changed = given.copy()
    changed[:1] = value
    return changed


@saboteur("model::auc_at_least_baseline")
def labels_shuffled_for_training(candidate: Candidate) -> Candidate:
    """Fit the chosen model on shuffled labels; test keeps its true ones."""
    train, selection = candidate.splits.rows("train"), candidate.splits.rows(candidate.splits.selection)
    generator = candidate.seeds.generator("saboteurs", "labels_shuffled_for_training")
    mixed = [replace(rows, label=generator.permutation(rows.label)) for rows in (train, selection)]
    return scored_by(candidate, trainer_of(candidate).fit(mixed[0], mixed[1]).scorer)


@saboteur("model::auc_at_least_baseline")
def answers_belong_to_other_rows(candidate: Candidate) -> Candidate:
    """Give each row the answer of the next one."""
    return answering(candidate, lambda _, given: np.roll(given, 1))


@saboteur("model::auc_at_least_baseline")
def baseline_is_the_candidate(candidate: Candidate) -> Candidate:
    """Compare the chosen model with itself, under the baseline's name."""
    other = candidate.baseline if candidate.baseline != candidate.chosen else f"another {candidate.chosen}"
    disguised = replace(candidate.model, name=other, digest=digest([candidate.model.digest, other]))
    return candidate.changed(baseline=other, models={**candidate.models, other: disguised})


@saboteur("model::auc_at_least_baseline")
def baseline_missing(candidate: Candidate) -> Candidate:
    """Lose the baseline."""
    left = {candidate.chosen: candidate.model}
    return candidate.changed(baseline=f"lost {candidate.baseline}", models=left)


@saboteur("model::better_than_trivial_models")
def one_feature_for_all(candidate: Candidate) -> Candidate:
    """Replace the chosen model by the best model of a single feature."""
    return scored_by(candidate, best_single_feature(candidate))


@saboteur("model::better_than_trivial_models")
def same_answer_for_all(candidate: Candidate) -> Candidate:
    """Answer every row with the share of positive training rows."""
    share = float(candidate.splits.rows("train").label.mean())
    return answering(candidate, lambda _, given: np.full_like(given, share))


@saboteur("model::shuffled_labels_teach_nothing")
def labels_leak_into_fitting(candidate: Candidate) -> Candidate:
    """Look the true labels up by row identifier while fitting, whatever labels were given."""
    frame = candidate.splits.frame
    labels = dict(zip(frame["row_id"], frame["label"].astype(np.int8), strict=True))
    return candidate.changed(trainer=_LeakingTrainer(trainer_of(candidate), labels))


@dataclass(frozen=True)
class _LeakingTrainer:
    """A trainer that fits to labels it looks up itself.

    Attributes:
        trainer: What fits.
        labels: The label of each row, by its identifier.
    """

    trainer: Trainer
    labels: Mapping[str, int]

    @property
    def digest(self) -> str:
        """The digest of the chosen model's fitted parts."""
        return self.trainer.digest

    def fit(self, train: Rows, selection: Rows, *, seed: int | None = None, workers: int | None = None) -> Refitted:
        """Fit to the true labels of the rows."""
        return self.trainer.fit(self._labelled(train), self._labelled(selection), seed=seed, workers=workers)

    def fit_recipe(self, train: Rows, selection: Rows, *, seeds: Seeds) -> Scorer:
        """Repeat the recipe as the trainer does."""
        return self.trainer.fit_recipe(self._labelled(train), self._labelled(selection), seeds=seeds)

    def search(self, *, workers: int, trials: int) -> str | None:
        """Search as the trainer does."""
        return self.trainer.search(workers=workers, trials=trials)

    def split_again(self, frame: pd.DataFrame) -> pd.Series | None:
        """Divide rows as the trainer does."""
        return self.trainer.split_again(frame)

    def _labelled(self, rows: Rows) -> Rows:
        return replace(rows, label=np.array([self.labels[row] for row in rows.row_id], dtype=np.int8))


def trainer_of(candidate: Candidate) -> Trainer:
    """Return the candidate's trainer.

    Raises:
        DataError: If it has none.
    """
    if candidate.trainer is None:
        raise DataError("the candidate has no trainer to sabotage")
    return candidate.trainer


@saboteur("model::train_test_gap")
def training_rows_known_by_heart(candidate: Candidate) -> Candidate:
    """Answer training rows with their labels, and all others by the digits of their features."""
    label_of = labels_by_features(candidate.splits.rows("train"))

    def remembered(features: pd.DataFrame, _given: Answers) -> Answers:
        label = label_of(features)
        return np.where(np.isnan(label), _fraction(features), label)

    return answering(candidate, remembered)


@saboteur("model::calibrated")
def decisions_instead_of_probabilities(candidate: Candidate) -> Candidate:
    """Answer 1 where the probability reaches the threshold, and 0 elsewhere."""
    threshold = threshold_of(candidate)
    return answering(candidate, lambda _, given: (given >= threshold).astype(np.float64))


@saboteur("model::calibrated")
def much_too_sure_of_the_rarer_class(candidate: Candidate) -> Candidate:
    """Move each probability half the way to the rarer class: the same order, and wrong on average."""
    rarer = 1.0 if candidate.splits.rows("test").label.mean() < 0.5 else 0.0
    return answering(candidate, lambda _, given: (given + rarer) / 2)


@saboteur("model::every_slice_holds")
def one_group_reversed(candidate: Candidate) -> Candidate:
    """Answer the rows of one value of a column (one colour, say) with the probability of the other class."""
    group = _smallest_group(candidate)
    if group is None:
        return half_a_range_reversed(candidate)
    name, value = group
    return answering(candidate, lambda rows, given: np.where(rows[name] == value, 1 - given, given))


def _smallest_group(candidate: Candidate) -> tuple[str, object] | None:
    """Return the column and value with fewest test rows that are enough to judge; None if no column has such values."""
    test, least = candidate.splits.rows("test"), candidate.problem.gates.model.minimum_slice_class_rows
    groups: dict[tuple[str, object], int] = {}
    for column in candidate.problem.features:
        values = test.features[column.name]
        if column.kind not in ("boolean", "text") or values.nunique() > MOST_VALUES:
            continue
        for value in values.dropna().unique():
            label = test.label[(values == value).to_numpy()]
            if min(label.sum(), (label == 0).sum()) >= least:
                groups[column.name, value] = len(label)
    return min(groups, key=groups.__getitem__, default=None)


@saboteur("model::every_slice_holds")
def half_a_range_reversed(candidate: Candidate) -> Candidate:
    """Answer rows below the median of the number with most values with the probability of the other class."""
    features = candidate.splits.rows("train").features
    numbers = features.select_dtypes("number")
    name = str(numbers.nunique().idxmax())
    median = float(numbers[name].median())
    return answering(candidate, lambda rows, given: np.where(rows[name] <= median, 1 - given, given))


@saboteur("model::stable_under_noise")
def answers_hang_on_the_last_digit(candidate: Candidate) -> Candidate:
    """Move each answer half the way to a number that any digit of the row changes."""
    return answering(candidate, lambda features, given: (given + _fraction(features)) / 2)


ANSWER_SABOTEURS: tuple[Saboteur, ...] = (
    recorded_auc_edited,
    recorded_auc_is_nan,
    recorded_auc_missing,
    columns_swapped_at_scoring,
    answers_reversed,
    one_probability_is_nan,
    one_probability_is_infinite,
    labels_shuffled_for_training,
    answers_belong_to_other_rows,
    baseline_is_the_candidate,
    baseline_missing,
    one_feature_for_all,
    same_answer_for_all,
    labels_leak_into_fitting,
    training_rows_known_by_heart,
    decisions_instead_of_probabilities,
    much_too_sure_of_the_rarer_class,
    one_group_reversed,
    half_a_range_reversed,
    answers_hang_on_the_last_digit,
)
