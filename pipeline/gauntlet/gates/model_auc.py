"""The gates on how well the model orders rows: its records, its baseline, its gap between train and test."""

from __future__ import annotations

import math

import numpy as np

from gauntlet.core.scores import auc
from gauntlet.core.statistics.delong import auc_estimate, paired_auc
from gauntlet.core.verdict import Status, Verdict, estimate_status, is_number
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import (
    Answered,
    answered,
    chosen_on,
    confidence_of,
    model_of,
    normal_interval,
    spoken,
    too_few_rows,
)
from gauntlet.stages.candidate import Candidate

# How far a recorded AUC may lie from what the answers show: other sums, never another model.
_ROUNDING = 1e-6


@gate(
    "model::recorded_metrics_are_true",
    needs=("models", "splits"),
    remedy="A record, a model's file or the way the model is asked was changed after fitting; run again from the stage "
    "that fitted it, and never edit a recorded metric.",
)
def recorded_metrics_are_true(candidate: Candidate) -> Verdict:
    """Guard that each model's recorded AUC is what its answers on the selection split give.

    A record that differs by more than rounding (1e-6) was edited, belongs to another model, or to a model that is asked
    in another way now (columns in another order, say).
    """
    name = recorded_metrics_are_true.name
    model_of(candidate, candidate.chosen)
    recorded = {known: model.recorded_auc for known, model in candidate.models.items()}
    unknown = [f"{known} ({value})" for known, value in recorded.items() if not is_number(value)]
    if unknown:
        sentence = f"no AUC on the selection split is recorded for {', '.join(unknown)}"
        return Verdict(name, Status.CONFIG_ERROR, sentence)
    split = candidate.splits.selection
    given = {known: answered(candidate, model, split) for known, model in candidate.models.items()}
    shown = {known: auc(rows.probability, rows.label) for known, rows in given.items()}
    apart = {known: abs(value - float(recorded[known] or 0)) for known, value in shown.items()}
    worst = max(apart, key=apart.__getitem__)
    rows = given[worst].rows
    if apart[worst] <= _ROUNDING:
        sentence = f"the answers of {', '.join(shown)} to {rows} rows of {split} give their recorded AUCs"
        return Verdict(name, Status.PASS, sentence, apart[worst], _ROUNDING, rows)
    sentence = (
        f"{worst} is recorded with AUC {recorded[worst]:.6f}, but its answers to {rows} rows of {split} give "
        f"{shown[worst]:.6f}"
    )
    return Verdict(name, Status.FAIL, sentence, apart[worst], _ROUNDING, rows)


@gate(
    "model::auc_at_least_baseline",
    bounds=("gates.model.level",),
    needs=("models", "baseline", "splits"),
    remedy="A forest with no tuning does better: promote that one, or search on; if the baseline is missing or is the "
    "candidate itself, fit a baseline of its own.",
)
def auc_at_least_baseline(candidate: Candidate) -> Verdict:
    """Guard that the model is not shown to order the test rows worse than the baseline.

    FAIL: the paired difference (DeLong) lies below 0, and its interval excludes 0. WARN: it lies below 0.

    A baseline of the same digest or the same answers is the candidate under another name: comparing a model with
    itself shows nothing, so that is an error of configuration.
    """
    name, test = auc_at_least_baseline.name, chosen_on(candidate)
    measured = auc(test.probability, test.label)
    if candidate.chosen == candidate.baseline:
        sentence = f"the chosen model is the baseline itself ({candidate.baseline}), AUC {measured:.4f} on test"
        return Verdict(name, Status.PASS, sentence, measured, measured, test.rows)
    baseline = answered(candidate, model_of(candidate, candidate.baseline))
    disguise = _disguise_of(candidate, test, baseline)
    if disguise is not None:
        sentence = f"compared with itself: {candidate.baseline} {disguise} {candidate.chosen}, so it is no baseline"
        return Verdict(name, Status.CONFIG_ERROR, sentence, measured, None, test.rows)
    few = too_few_rows(name, candidate, test)
    if few is not None:
        return few
    pair, confidence = paired_auc(test.probability, baseline.probability, test.label), confidence_of(candidate)
    interval = normal_interval(pair.difference, pair.standard_error, confidence=confidence)
    beyond = pair.first < pair.second
    sentence = (
        f"AUC of {candidate.chosen} on test is {pair.first:.4f}, {'less' if beyond else 'not less'} than the "
        f"baseline's ({candidate.baseline}) of {pair.second:.4f}; the difference is {pair.difference:+.4f} "
        f"({spoken(interval, confidence=confidence)})"
    )
    status = estimate_status(beyond=beyond, excluded=interval[1] < 0)
    own = auc_estimate(test.probability, test.label).interval(confidence)
    return Verdict(name, status, sentence, pair.first, pair.second, test.rows, own)


def _disguise_of(candidate: Candidate, test: Answered, baseline: Answered) -> str | None:
    """Return how the baseline shows that it is the candidate; None if it is another model."""
    if candidate.models[candidate.baseline].digest == candidate.models[candidate.chosen].digest:
        return "has the same digest as"
    same = np.array_equal(test.probability, baseline.probability)
    return f"gives all {test.rows} test rows the same answers as" if same else None


@gate(
    "model::train_test_gap",
    bounds=("gates.model.maximum_gap",),
    needs=("models", "splits"),
    advisory="a gap between train and test: it says nothing of the estimate on test",
    remedy="The model knows its training rows by heart: regularise it, take fewer or shallower trees, or bring more "
    "rows. Raise gates.model.maximum_gap only for models that fit their training rows perfectly by nature.",
)
def train_test_gap(candidate: Candidate) -> Verdict:
    """Guard that the model is not much better on its training rows than on test; a larger gap is a WARN.

    A model may fit its training rows perfectly and still order new rows well, so this gate never fails. The gap is the
    AUC on train less that on test; the two rest on different rows, so their variances (DeLong) add up.
    """
    train, test = chosen_on(candidate, "train"), chosen_on(candidate)
    few = too_few_rows(train_test_gap.name, candidate, test)
    if few is not None:
        return few
    known, unknown = auc_estimate(train.probability, train.label), auc_estimate(test.probability, test.label)
    gap, bound = known.auc - unknown.auc, candidate.problem.gates.model.maximum_gap
    error, confidence = math.hypot(known.standard_error, unknown.standard_error), confidence_of(candidate)
    interval = normal_interval(gap, error, confidence=confidence)
    within = gap <= bound
    sentence = (
        f"AUC of {candidate.chosen} is {known.auc:.4f} on {train.rows} training rows and {unknown.auc:.4f} on test: a "
        f"gap of {gap:.4f} ({spoken(interval, confidence=confidence)}), {'not ' if within else ''}more than "
        f"gates.model.maximum_gap of {bound:.4f}"
    )
    status = Status.PASS if within else Status.WARN
    return Verdict(train_test_gap.name, status, sentence, gap, bound, test.rows, interval)
