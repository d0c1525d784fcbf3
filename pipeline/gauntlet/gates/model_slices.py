"""This module provides the gate on slices: parts of the rows where the model is far worse than on all of them."""

from __future__ import annotations

from dataclasses import dataclass

from gauntlet.core.scores import auc
from gauntlet.core.statistics.delong import AucEstimate
from gauntlet.core.statistics.intervals import Interval
from gauntlet.core.statistics.slices import SliceEstimate, named_slices, weak_slices
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import Answered, answered, chosen_on, confidence_of, spoken
from gauntlet.stages.candidate import Candidate

# So many names of slices are said; the others are counted.
_MOST_NAMED = 5


@gate(
    "model::every_slice_holds",
    bounds=("gates.model.maximum_slice_loss", "gates.model.minimum_slice_class_rows", "gates.model.alpha"),
    needs=("models", "splits"),
    remedy="Look at the rows of the slice in the sentence: are they measured in another way, or too few on train? "
    "Bring more such rows, or fit a model of their own.",
)
def every_slice_holds(candidate: Candidate) -> Verdict:
    """Guard that no part of the test rows is ordered far worse than all of them.

    Judged are the values of each column with few of them, and regions that a tree finds on one half of the test rows,
    judged on the other half. A slice is held against the AUC of all rows (the baseline's, where that is greater: a bad
    slice drags the model's own down), or where its rows are too alike to be ordered as well, against the better of what
    the model's own probabilities promise there and, in a named slice, what the baseline shows there.
    A named slice fails if its AUC falls short by more than the bound; a found one, if the whole of its interval does.
    Intervals are corrected for the number of slices (Bonferroni). A region of numbers in which the model answers all
    rows alike, and rightly on average, is not found.
    """
    name, rules, test = every_slice_holds.name, candidate.problem.gates.model, chosen_on(candidate)
    judged, too_small = _slices(candidate, test)
    small = f"; too few rows to judge {_listed(too_small)}" if too_small else ""
    if not judged:
        sentence = f"no part of the {test.rows} test rows could be judged{small or ': none stands out'}"
        return Verdict(name, Status.NOTE, sentence, None, None, test.rows)
    confidence = 1 - (1 - confidence_of(candidate)) / len(judged)
    failed = [one for one in judged if one.fails(rules.maximum_slice_loss, confidence)]
    worst = min(failed or judged, key=lambda one: one.estimate.auc - one.expected)
    bound, interval = worst.expected - rules.maximum_slice_loss, worst.interval(confidence)
    sentence = (
        f"{len(failed) or 'none'} of {len(judged)} slices fall short of what is expected by more than "
        f"gates.model.maximum_slice_loss of {rules.maximum_slice_loss:g}; the worst is {worst.estimate.name} "
        f"({worst.estimate.rows} rows, {worst.estimate.positives} positive) with AUC {worst.estimate.auc:.4f} "
        f"({spoken(interval, confidence=confidence)}) where {worst.expected:.4f} is expected{small}"
    )
    status = Status.FAIL if failed else Status.PASS
    return Verdict(name, status, sentence, worst.estimate.auc, bound, test.rows, interval)


@dataclass(frozen=True)
class _Judged:
    """A slice with what is expected of it.

    Attributes:
        estimate: The slice.
        expected: The AUC that a sound model would have in it.
        named: Whether it is a value of a column, not a region that was searched for.
    """

    estimate: SliceEstimate
    expected: float
    named: bool

    def interval(self, confidence: float) -> Interval:
        """Return the interval of the slice's AUC."""
        one = self.estimate
        return AucEstimate(one.auc, one.standard_error, one.positives, one.rows - one.positives).interval(confidence)

    def fails(self, loss: float, confidence: float) -> bool:
        """Say whether the slice falls short of what is expected by more than a loss."""
        measured = self.estimate.auc if self.named else self.interval(confidence)[1]
        return measured < self.expected - loss


def _slices(candidate: Candidate, test: Answered) -> tuple[list[_Judged], tuple[str, ...]]:
    """Return the slices with enough rows, and the names of those with too few."""
    features, least = candidate.splits.rows("test").features, candidate.problem.gates.model.minimum_slice_class_rows
    minimums = {"minimum_positives": least, "minimum_negatives": least}
    named, few = named_slices(features, test.probability, test.label, **minimums)
    generator = candidate.seeds.generator("gates", every_slice_holds.name)
    found, fewer = weak_slices(features, test.probability, test.label, generator=generator, **minimums)
    whole, others = auc(test.probability, test.label), dict[str, float]()
    if candidate.baseline in candidate.models:
        given = answered(candidate, candidate.models[candidate.baseline])
        whole = max(whole, auc(given.probability, given.label))
        others = {one.name: one.auc for one in named_slices(features, given.probability, given.label, **minimums)[0]}
    judged = [_Judged(one, min(whole, max(one.expected_auc, others.get(one.name, 0))), named=True) for one in named]
    judged += [_Judged(one, min(whole, one.expected_auc), named=False) for one in found]
    return judged, (*few, *fewer)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
