"""This module provides the gates on the threshold: the cheapest on the selection split, and worth having on test."""

from __future__ import annotations

from gauntlet.core.scores import best_threshold
from gauntlet.core.statistics.cost import cost_intervals, expected_cost
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import chosen_on, confidence_of, spoken, threshold_of
from gauntlet.stages.candidate import Candidate

# Costs are sums of as many numbers as there are rows; nearer than this is equal.
_ROUNDING = 1e-9


@gate(
    "model::threshold_is_cheapest",
    bounds=("costs.false_positive", "costs.false_negative"),
    needs=("models", "splits", "threshold"),
    remedy="The threshold was moved after it was chosen, or chosen for other costs: run again from the stage that "
    "chooses, and state what you want in [costs].",
)
def threshold_is_cheapest(candidate: Candidate) -> Verdict:
    """Guard that the threshold is one of the least cost on the selection split.

    All thresholds that decide differently are tried again, with the problem's costs; one that costs the same passes.
    """
    split, costs, threshold = candidate.splits.selection, candidate.problem.costs, threshold_of(candidate)
    rows = chosen_on(candidate, split)
    cost = expected_cost(rows.probability, rows.label, threshold=threshold, costs=costs)
    best = best_threshold(rows.probability, rows.label, costs)
    cheapest = cost <= best.cost + _ROUNDING
    sentence = f"deciding at {threshold:.4f} costs {cost:.4f} a row of {split}, " + (
        "the least of all thresholds" if cheapest else f"but at {best.threshold:.4f} it would cost {best.cost:.4f}"
    )
    status = Status.PASS if cheapest else Status.FAIL
    return Verdict(threshold_is_cheapest.name, status, sentence, cost, best.cost, rows.rows)


@gate(
    "model::threshold_beats_trivial_decisions",
    bounds=("costs.false_positive", "costs.false_negative", "gates.model.alpha"),
    needs=("models", "splits", "threshold"),
    remedy="FAIL: deciding all rows alike is cheaper than the model, so do that. WARN: bring more test rows; "
    "where one of the costs is next to nothing, no model is needed.",
)
def threshold_beats_trivial_decisions(candidate: Candidate) -> Verdict:
    """Guard that deciding by the model is cheaper on test than deciding all rows alike.

    Both "all positive" and "all negative" are compared with on the same rows, by a paired bootstrap of what is saved a
    row. Cheaper than both must be shown at level alpha, so no correction is needed.
    """
    name, test, threshold = threshold_beats_trivial_decisions.name, chosen_on(candidate), threshold_of(candidate)
    confidence = confidence_of(candidate)
    found = cost_intervals(
        test.probability,
        test.label,
        threshold=threshold,
        costs=candidate.problem.costs,
        generator=candidate.seeds.generator("gates", name),
        confidence=confidence,
    )
    savings = {"positive": found.saving_over_accept_all, "negative": found.saving_over_reject_all}
    least = min(savings.values(), key=lambda saving: saving.interval[0])
    shown = all(saving.interval[0] > 0 for saving in savings.values())
    refuted = any(saving.interval[1] < 0 for saving in savings.values())
    each = " and ".join(
        f"{saving.value:+.4f} ({spoken(saving.interval, confidence=confidence)}) over deciding all {alike}"
        for alike, saving in savings.items()
    )
    sentence = (
        f"deciding at {threshold:.4f} costs {found.cost.value:.4f} a row of test; it saves {each}"
        f"{'' if shown else ', which is dearer' if refuted else ', which may be nothing'}"
    )
    status = Status.PASS if shown else Status.FAIL if refuted else Status.WARN
    return Verdict(name, status, sentence, least.value, 0.0, test.rows, least.interval)
