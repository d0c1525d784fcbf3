"""This module provides the gates on the threshold: the cheapest on selection, and not dearer on test than no model."""

from __future__ import annotations

from gauntlet.core.scores import best_threshold
from gauntlet.core.statistics.cost import cost_intervals, expected_cost
from gauntlet.core.verdict import Status, Verdict, estimate_status
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import Answered, chosen_on, costs_of, spoken, threshold_of, too_few_rows
from gauntlet.stages.candidate import Candidate

# Costs are sums of as many numbers as there are rows; nearer than this is equal.
_ROUNDING = 1e-9


@gate(
    "model::threshold_is_cheapest",
    bounds=("costs",),
    needs=("models", "splits", "threshold"),
    remedy="The threshold was moved after it was chosen, or chosen for other costs: run again from the stage that "
    "chooses, and state what you want in [costs].",
)
def threshold_is_cheapest(candidate: Candidate) -> Verdict:
    """Guard that the threshold is one of the least cost on the selection split.

    All thresholds that decide differently are tried again, with the problem's costs, or with balanced ones where it
    sets none (``costs_in_force``); a threshold that costs the same passes.
    """
    split, costs, threshold = candidate.splits.selection, costs_of(candidate), threshold_of(candidate)
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
    bounds=("costs", "gates.model.level"),
    needs=("models", "splits", "threshold"),
    remedy="Deciding all rows alike is cheaper than deciding by the model: do that, bring a better model, or correct "
    "[costs]; where one of the costs is next to nothing, no model is needed. NOTE: set [costs] to switch the gate on.",
)
def threshold_beats_trivial_decisions(candidate: Candidate) -> Verdict:
    """Guard that deciding by the model is not dearer on test than deciding all rows alike.

    It is compared with "all positive" and with "all negative" on the same rows, by a paired bootstrap of the cost saved
    a row. FAIL takes a saving below 0 whose interval excludes 0; the level is divided by the two comparisons, which for
    "at least one of them" is what Holm's correction does. A saving below 0 without that is WARN. Without [costs] the
    decisions are reported, and the gate is NOTE.
    """
    name, test, threshold = threshold_beats_trivial_decisions.name, chosen_on(candidate), threshold_of(candidate)
    if candidate.problem.costs is None:
        sentence = (
            "no costs are set, so decisions are reported, not judged; set [costs] to judge them. At the threshold of "
            f"{threshold:.4f} {_counts(test, threshold)}"
        )
        return Verdict(name, Status.NOTE, sentence, rows=test.rows)
    if few := too_few_rows(name, candidate, test):
        return few
    confidence = 1 - candidate.problem.gates.model.level  # one half of the level at each end
    found = cost_intervals(
        test.probability,
        test.label,
        threshold=threshold,
        costs=candidate.problem.costs,
        generator=candidate.seeds.generator("gates", name),
        confidence=confidence,
    )
    savings = {"positive": found.saving_over_accept_all, "negative": found.saving_over_reject_all}
    # The gravest of both: one that is shown to be a loss comes before a greater one that is not.
    worst = min(savings.values(), key=lambda saving: (saving.interval[1] >= 0, saving.value))
    status = estimate_status(beyond=worst.value < 0, excluded=worst.interval[1] < 0)
    each = " and ".join(
        f"{saving.value:+.4f} ({spoken(saving.interval, confidence=confidence)}) over deciding all {alike}"
        for alike, saving in savings.items()
    )
    conclusion = {Status.FAIL: ", which is dearer", Status.WARN: ", which may be dearer"}.get(status, "")
    sentence = f"deciding at {threshold:.4f} costs {found.cost.value:.4f} a row of test; it saves {each}{conclusion}"
    return Verdict(name, status, sentence, worst.value, 0.0, test.rows, worst.interval)


def _counts(test: Answered, threshold: float) -> str:
    """Return how many test rows of each class are decided positive."""
    decided = test.probability >= threshold
    positives = int(test.label.sum())
    return (
        f"{int(decided.sum())} of {test.rows} test rows are decided positive: "
        f"{int((decided & (test.label == 1)).sum())} of {positives} positive ones and "
        f"{int((decided & (test.label == 0)).sum())} of {test.rows - positives} negative ones"
    )
