"""This module provides the gates on what fitting learns: more than trivial models, and nothing from shuffled labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.encoding import Encoding, encode, learn_encoding
from gauntlet.core.errors import DataError
from gauntlet.core.problem import Column
from gauntlet.core.scores import auc
from gauntlet.core.statistics.delong import paired_auc
from gauntlet.core.statistics.holm import holm_adjusted
from gauntlet.core.statistics.intervals import normal_quantile, tail_of_difference
from gauntlet.core.verdict import Status, Verdict, estimate_status
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import chosen_on, confidence_of, normal_interval, spoken, too_few_rows
from gauntlet.stages.candidate import Candidate, Trainer, checked_answers
from gauntlet.stages.training_rows import Rows

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

# A tree on one feature: a few steps, each of enough rows to be no accident.
_LEAVES = 8
_LEAST_LEAF_SHARE = 0.02

# A false alarm here sends people looking for a leak, so it must be rare.
_SHUFFLE_CONFIDENCE = 0.99


@dataclass(frozen=True)
class SingleFeature:
    """A model of one feature.

    Attributes:
        feature: The feature.
        encoding: How it enters the matrix.
        tree: A small tree on it.
    """

    feature: str
    encoding: Encoding
    tree: DecisionTreeClassifier

    def probability(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of the positive class, one a row."""
        return np.asarray(self.tree.predict_proba(encode(features, self.encoding))[:, 1], dtype=np.float64)


@gate(
    "model::better_than_trivial_models",
    bounds=("gates.model.level",),
    needs=("models", "splits"),
    remedy="FAIL: use the trivial model, or find what the features lack. WARN: the test rows do not show which is "
    "better; bring more of them.",
)
def better_than_trivial_models(candidate: Candidate) -> Verdict:
    """Guard that the model is not shown to be worse than a constant or than the best single feature.

    The constant is the training rows' share of positives, compared by Brier score (paired differences). The single
    feature is a tree of at most 8 leaves on one feature, fitted and picked on train; it is compared by AUC (DeLong's
    paired test). FAIL: a difference lies below 0 and is shown to (level ``gates.model.level``, Holm's correction over
    the two), or the model orders all test rows exactly as the single feature does. WARN: a difference lies below 0.
    """
    name, test = better_than_trivial_models.name, chosen_on(candidate)
    single = best_single_feature(candidate)
    few = too_few_rows(name, candidate, test)
    if few is not None:
        return few
    answers = single.probability(candidate.splits.rows("test").features)
    pair = paired_auc(test.probability, answers, test.label)
    confidence = confidence_of(candidate)
    interval = normal_interval(pair.difference, pair.standard_error, confidence=confidence)
    constant = float(candidate.splits.rows("train").label.mean())
    saved = (constant - test.label) ** 2 - (test.probability - test.label) ** 2
    brier, brier_error = float(saved.mean()), float(saved.std(ddof=1)) / math.sqrt(test.rows)
    brier_interval = normal_interval(brier, brier_error, confidence=confidence)
    worse = holm_adjusted(
        {
            "auc": tail_of_difference(-pair.difference, pair.standard_error),
            "brier": tail_of_difference(-brier, brier_error),
        }
    )
    same = pair.difference == 0 and pair.standard_error == 0
    shown = min(worse.values()) < candidate.problem.gates.model.level
    status = estimate_status(beyond=same or min(pair.difference, brier) < 0, excluded=same or shown)
    words = {Status.PASS: "is not worse than", Status.WARN: "may be worse than", Status.FAIL: "is worse than"}[status]
    sentence = (
        f"{candidate.chosen} {'is no better than' if same else words} the trivial "
        f"models: its AUC is {pair.difference:+.4f} above that of {single.feature} alone ({pair.second:.4f}; "
        f"{spoken(interval, confidence=confidence)}), and its Brier score {brier:+.4f} better than a constant's "
        f"({spoken(brier_interval, confidence=confidence)})"
    )
    return Verdict(name, status, sentence, pair.difference, 0.0, test.rows, interval)


def best_single_feature(candidate: Candidate) -> SingleFeature:
    """Return the single feature's model that orders the training rows best.

    It is picked on the rows that it is fitted to: a tree of a few leaves, of many rows each, hardly learns them by
    heart.

    Raises:
        DataError: If no feature has a value on train, or train has one class only.
    """
    train = _training_rows(candidate)
    seed = candidate.seeds.integer("gates", better_than_trivial_models.name)
    fitted = [_single_feature(column, train, seed=seed) for column in candidate.problem.features]
    found = [(auc(model.probability(train.features), train.label), model) for model in fitted if model is not None]
    if not found:
        raise DataError("no feature has a value on train, so there is nothing that a model could learn from")
    return max(found, key=lambda pair: pair[0])[1]


def _single_feature(column: Column, train: Rows, *, seed: int) -> SingleFeature | None:
    """Return a model of one feature; None if it has no value on train."""
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - takes a while to import

    encoding = learn_encoding(train.features, [column])
    matrix = encode(train.features, encoding)
    if not np.isfinite(matrix).any():
        return None
    least = max(1, math.ceil(_LEAST_LEAF_SHARE * len(matrix)))
    tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, min_samples_leaf=least, random_state=seed)
    return SingleFeature(column.name, encoding, tree.fit(matrix, train.label))


@gate(
    "model::shuffled_labels_teach_nothing",
    bounds=("gates.model.shuffles",),
    needs=("splits", "trainer"),
    slow=True,
    turn="beside",
    remedy="Fitting sees true labels where it was given shuffled ones: look for a feature, an encoding, a selection of "
    "features or a cache that was made from labels before the rows were divided.",
)
def shuffled_labels_teach_nothing(candidate: Candidate) -> Verdict:
    """Guard that fitting on shuffled labels gives a model that knows nothing.

    The chosen model is fitted several times on training rows with shuffled labels, and judged on the selection split
    with its true labels. The trainer gets that split's labels shuffled too: stopping early on the true ones would pick,
    out of hundreds of random models, one that fits them (on the wines that alone gives a mean AUC of 0.53). The mean
    AUC must be 0.5, give or take what chance allows: the greater of Student's interval of the mean (a model of noise
    still is a function of the features, so AUCs differ by more than rows alone would make them) and the error of an
    AUC under no relation, which all fits share as they share the rows; both at 99 %. More shuffles find smaller leaks.
    """
    name, splits, trainer = shuffled_labels_teach_nothing.name, candidate.splits, _trainer(candidate)
    train, selection = _training_rows(candidate), splits.rows(splits.selection)
    generator = candidate.seeds.generator("gates", name)
    found = []
    for _ in range(candidate.problem.gates.model.shuffles):
        refitted = trainer.fit(_shuffled(train, generator), _shuffled(selection, generator))
        found.append(auc(checked_answers(refitted.scorer, selection), selection.label))
    mean, reach = float(np.mean(found)), _chance(np.array(found), selection)
    interval = (mean - reach, mean + reach)
    nothing = interval[0] <= 0.5 <= interval[1]
    sentence = (
        f"fitted {len(found)} times on shuffled labels, {candidate.chosen} has a mean AUC of {mean:.4f} "
        f"({spoken(interval, confidence=_SHUFFLE_CONFIDENCE)}) on {splits.selection} with its true labels: "
        f"{'no more than chance' if nothing else 'chance alone would give 0.5, so true labels leak into fitting'}"
    )
    status = Status.PASS if nothing else Status.FAIL
    return Verdict(name, status, sentence, mean, 0.5, len(selection.label), interval)


def _training_rows(candidate: Candidate) -> Rows:
    train = candidate.splits.rows("train")
    if len(np.unique(train.label)) < 2:
        raise DataError(f"train has {len(train.label)} rows, not of both classes: nothing can be learnt from them")
    return train


def _shuffled(rows: Rows, generator: np.random.Generator) -> Rows:
    return replace(rows, label=generator.permutation(rows.label))


def _chance(found: NDArray[np.float64], selection: Rows) -> float:
    """Return how far from 0.5 the mean AUC of so many fits may lie by chance."""
    from scipy.stats import t  # noqa: PLC0415 - takes a while to import

    outside = (1 + _SHUFFLE_CONFIDENCE) / 2
    of_fits = float(t.ppf(outside, len(found) - 1)) * float(found.std(ddof=1)) / math.sqrt(len(found))
    positives = int(selection.label.sum())
    negatives = len(selection.label) - positives
    # The variance of the Mann-Whitney statistic, scaled to the AUC.
    of_rows = normal_quantile(outside) * math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    return max(of_fits, of_rows)


def _trainer(candidate: Candidate) -> Trainer:
    if candidate.trainer is None:
        raise DataError("the candidate has no trainer, so its model cannot be fitted again; give one")
    return candidate.trainer
