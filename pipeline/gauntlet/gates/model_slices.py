"""This module provides the gate on slices: parts of the rows where the model is far worse than on all of them."""

from __future__ import annotations

from dataclasses import dataclass

from gauntlet.core.scores import auc
from gauntlet.core.statistics.delong import AucEstimate
from gauntlet.core.statistics.holm import holm_adjusted
from gauntlet.core.statistics.intervals import Interval
from gauntlet.core.statistics.slices import SliceEstimate, named_slices, weak_slices
from gauntlet.core.verdict import Status, Verdict, estimate_status, gravest
from gauntlet.gates.gate import gate
from gauntlet.gates.model_parts import (
    Answered,
    answered,
    chosen_on,
    confidence_of,
    rows_for_class,
    spoken,
    too_few_rows,
)
from gauntlet.stages.candidate import Candidate

# So many names of slices are said; the others are counted.
_MOST_NAMED = 5


@gate(
    "model::every_slice_holds",
    bounds=("gates.model.maximum_slice_loss", "gates.model.minimum_slice_class_rows", "gates.model.level"),
    needs=("models", "splits"),
    remedy="Look at the rows of the slice in the message: are they measured in another way, or too few on train? "
    "Bring more such rows, or fit a model of their own.",
)
def every_slice_holds(candidate: Candidate) -> Verdict:
    """Guard that no part of the test rows is ordered far worse than all of them.

    Judged are the values of each column with few of them, and regions that a tree finds on one half of the test rows,
    judged on the other half. A slice is compared with the AUC of all rows (the baseline's, where that is greater: a bad
    slice drags the model's own down), or where its rows are too alike to be ordered as well, with the better of what
    the model's own probabilities promise there and, in a named slice, what the baseline shows there.
    WARN: the slice's AUC falls short by more than ``maximum_slice_loss``. FAIL: the rows show it as well (level
    ``gates.model.level``, Holm's correction over all slices): for a named slice, that it falls short at all; for a
    region, which was picked because it looked bad, that it falls short by more than the bound. A region of numbers in
    which the model answers all rows alike, and rightly on average, is not found.
    """
    name, rules, test = every_slice_holds.name, candidate.problem.gates.model, chosen_on(candidate)
    few = too_few_rows(name, candidate, test)
    if few is not None:
        return few
    judged, too_small = _slices(candidate, test)
    small = f"; too few rows to judge {_listed(too_small)}" if too_small else ""
    if not judged:
        needed = rows_for_class(candidate, rules.region_class_rows)
        sentence = (
            f"not judged: no part of the {test.rows} test rows holds {rules.minimum_slice_class_rows} rows of each "
            f"class; slices can be judged from about {needed} rows of the table{small}"
        )
        return Verdict(name, Status.NOTE, sentence, None, None, test.rows, rows_needed=needed)
    loss = rules.maximum_slice_loss
    adjusted = holm_adjusted({str(number): one.p(loss) for number, one in enumerate(judged)})
    statuses = [
        estimate_status(beyond=one.estimate.auc < one.expected - loss, excluded=adjusted[str(number)] < rules.level)
        for number, one in enumerate(judged)
    ]
    status = gravest(statuses)
    of_status = [one for one, found in zip(judged, statuses, strict=True) if found is status]
    worst = min(of_status, key=lambda one: one.estimate.auc - one.expected)
    confidence = 1 - (1 - confidence_of(candidate)) / len(judged)
    bound, interval = worst.expected - loss, worst.interval(confidence)
    failed = len(of_status) if status is not Status.PASS else 0
    sentence = (
        f"{failed or 'none'} of {len(judged)} slices {'may fall' if status is Status.WARN else 'fall'} short of what "
        f"is expected by more than gates.model.maximum_slice_loss of {loss:g}; the worst is {worst.estimate.name} "
        f"({worst.estimate.rows} rows, {worst.estimate.positives} positive) with AUC {worst.estimate.auc:.4f} "
        f"({spoken(interval, confidence=confidence)}) where {worst.expected:.4f} is expected{small}"
    )
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
        return self._auc.interval(confidence)

    def p(self, loss: float) -> float:
        """Return the p-value of what a sound model shows: no loss in a named slice, at most ``loss`` in a region."""
        return self._auc.p_of_at_least(self.expected if self.named else self.expected - loss)

    @property
    def _auc(self) -> AucEstimate:
        one = self.estimate
        return AucEstimate(one.auc, one.standard_error, one.positives, one.rows - one.positives)


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
