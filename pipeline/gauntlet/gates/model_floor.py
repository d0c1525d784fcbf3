"""The floor: the one gate on the model that carries the burden of proof."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gauntlet.core.folds import cross_fit_folds
from gauntlet.core.gate_rules import CROSS_FITTED_BELOW_CLASS_ROWS, CROSS_FITTED_BELOW_ROWS
from gauntlet.core.grouping import time_ranks
from gauntlet.core.seeding import Seeds
from gauntlet.core.statistics.delong import auc_estimate
from gauntlet.core.statistics.intervals import normal_quantile, tail_of_difference
from gauntlet.core.statistics.pooled_auc import pool_auc
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import Answered, chosen_on, confidence_of, rows_for_class, spoken
from gauntlet.stages.candidate import Candidate, Trainer, checked_answers
from gauntlet.stages.training_rows import Rows

FoldAnswers = tuple[NDArray[np.float64], NDArray[np.int8]]


@gate(
    "model::auc_at_least_minimum",
    bounds=("gates.model.minimum_auc", "gates.model.level"),
    needs=("models", "splits"),
    turn="beside",
    remedy="The rows do not show that the features tell the label: bring more rows or better features. Lower "
    "gates.model.minimum_auc only if a model that orders rows worse is of use.",
)
def auc_at_least_minimum(candidate: Candidate) -> Verdict:
    """Guard that the AUC is shown to be greater than ``minimum_auc``: the floor, which carries the burden of proof.

    From 1,000 rows of the table and 30 test rows of each class on, the lower end of the test AUC (DeLong's error on the
    logit scale, one-sided ``gates.model.level``) must lie above the minimum. With fewer, the whole recipe (search,
    early stopping, choice) is repeated in five folds of the training and validation rows, and the candidate's answers
    to the test rows are a sixth: the AUC within the folds, weighted by pairs, less its error under no relation must
    lie above the minimum. That judges the recipe, so the candidate must not be shown to be worse on test than the five
    folds. A model that cannot be fitted again is judged by its test rows, however few.
    """
    test, trainer = chosen_on(candidate), candidate.trainer
    positives = int(test.label.sum())
    few = (
        min(positives, test.rows - positives) < CROSS_FITTED_BELOW_CLASS_ROWS
        or len(candidate.splits.frame) < CROSS_FITTED_BELOW_ROWS
    )
    if few and trainer is not None and candidate.splits.selection != "test":
        return _floor_of_recipe(candidate, test, trainer)
    name, bound = auc_at_least_minimum.name, candidate.problem.gates.model.minimum_auc
    estimate, confidence = auc_estimate(test.probability, test.label), confidence_of(candidate)
    interval = estimate.interval(confidence)
    shown = interval[0] > bound
    sentence = (
        f"the AUC of {candidate.chosen} on {test.rows} test rows is {estimate.auc:.4f} "
        f"({spoken(interval, confidence=confidence)}), {'' if shown else 'not '}shown to be greater than "
        f"gates.model.minimum_auc of {bound:g}"
    )
    status = Status.PASS if shown else Status.FAIL
    return Verdict(name, status, sentence, estimate.auc, bound, test.rows, interval)


def _floor_of_recipe(candidate: Candidate, test: Answered, trainer: Trainer) -> Verdict:
    """Return the verdict by cross-fitting."""
    name, rules = auc_at_least_minimum.name, candidate.problem.gates.model
    folds = fold_answers(candidate, trainer)
    recipe, own = pool_auc(folds), pool_auc([(test.probability, test.label)])
    both = pool_auc([*folds, (test.probability, test.label)])
    low = both.auc - normal_quantile(1 - rules.level) * both.null_error
    interval = (max(0.0, low), min(1.0, both.auc + normal_quantile(1 - rules.level) * both.null_error))
    described = (
        f"the recipe of {candidate.chosen}, repeated in {len(folds)} folds, and its answers to {test.rows} test rows "
        f"have an AUC of {both.auc:.4f} on {both.rows} rows ({spoken(interval, confidence=1 - 2 * rules.level)})"
    )
    # With so few rows the test split may hold a single row of a class, which has no other error.
    worse = tail_of_difference(recipe.auc - own.auc, math.hypot(recipe.null_error, own.null_error)) < rules.level
    if worse:
        message = (
            f"{described}, but {candidate.chosen} has {own.auc:.4f} on test where the folds have {recipe.auc:.4f}: it "
            "is worse than what its recipe gives"
        )
        return Verdict(name, Status.FAIL, message, own.auc, recipe.auc, both.rows, interval)
    shown = low > rules.minimum_auc
    message = (
        f"{described}, {'' if shown else 'not '}shown to be greater than gates.model.minimum_auc of "
        f"{rules.minimum_auc:g}"
    )
    needed = max(CROSS_FITTED_BELOW_ROWS, rows_for_class(candidate, CROSS_FITTED_BELOW_CLASS_ROWS))
    status = Status.PASS if shown else Status.FAIL
    return Verdict(name, status, message, both.auc, rules.minimum_auc, both.rows, interval, rows_needed=needed)


def fold_answers(candidate: Candidate, trainer: Trainer) -> tuple[FoldAnswers, ...]:
    """Return the answers of the recipe to five folds of the training and validation rows, with their labels.

    They are computed once for a trainer and its rows: fitting the folds takes seconds.
    """

    def fit() -> tuple[FoldAnswers, ...]:
        splits, time = candidate.splits, candidate.problem.split.time
        known = splits.frame[splits.frame["split"] != "test"].sort_values("row_id", ignore_index=True)
        rows = Rows(known[list(splits.features)], known["label"].to_numpy(dtype=np.int8), tuple(known["row_id"]))
        folds = cross_fit_folds(
            known["group_id"],
            rows.label,
            time=None if time is None else time_ranks(known[time]),
            seed=candidate.seeds.integer("gates", auc_at_least_minimum.name, "folds"),
        )
        found: list[FoldAnswers] = []
        for number, fold in enumerate(folds):
            seeds = Seeds(candidate.seeds.integer("gates", auc_at_least_minimum.name, "recipe", number))
            scorer = trainer.fit_recipe(rows.where(fold.train), rows.where(fold.selection), seeds=seeds)
            held_out = rows.where(fold.held_out)
            found.append((checked_answers(scorer, held_out), held_out.label))
        return tuple(found)

    found: tuple[FoldAnswers, ...] = candidate.remembered("folds", trainer, candidate.splits.frame, compute=fit)
    return found
