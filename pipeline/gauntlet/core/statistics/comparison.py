"""This module provides the comparison of a candidate with a champion on the same rows: better, not worse, or unknown.

A difference is always oriented so that a positive one means a better candidate: the candidate's AUC less the
champion's, the champion's Brier score less the candidate's.

The question "not_worse" tests, for each metric, that the difference is greater than minus its margin (non-inferiority).
The question "better" tests that the AUC's difference is greater than 0 (superiority), and that no other metric is worse
by its margin or more: a better order bought with worse probabilities is no better model.

No single approximation is trusted. A metric's p-value is the largest of three: the normal one with the closed-form
standard error (DeLong's for the AUC, that of the mean of paired row differences for the Brier score), the normal one
with the bootstrap's standard error, and the share of resamples at or below the bound. Its interval is the hull of the
corresponding two, and its power is computed with the larger standard error. The bootstrap is paired (both models on the
same resamples) and stratified by class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.core.errors import InputError
from gauntlet.core.statistics.bootstrap import Statistic, bootstrap, percentile_interval, weighted_auc, weighted_mean
from gauntlet.core.statistics.delong import paired_auc
from gauntlet.core.statistics.holm import holm_adjusted
from gauntlet.core.statistics.intervals import Interval, normal_quantile, tail_of_difference
from gauntlet.core.statistics.power import noninferiority_power, superiority_power
from gauntlet.core.statistics.rows import probability_rows

Question = Literal["not_worse", "better"]
Decision = Literal["yes", "no", "undecided"]

METRICS = ("auc", "brier")
_TITLES = {"auc": "AUC", "brier": "Brier score"}


@dataclass(frozen=True)
class ComparisonRule:
    """How a candidate is compared with a champion.

    Attributes:
        question: What must be shown: that the candidate is not worse, or that it is better.
        margins: The metrics (``METRICS``) and how much worse the candidate may be in each, more than 0. Where the
            question is "better", ``auc`` must be among them, and its margin is not used.
        alpha: The one-sided level of the tests, over all metrics together.
        power: The chance to show what was asked that a comparison must have had before "not shown" becomes "no".
        effect: The true difference in AUC at which the power is asked for where the question is "better".
        minimum_positives: With fewer positive rows nothing is decided.
        minimum_negatives: With fewer negative rows nothing is decided.
        repetitions: The number of bootstrap resamples.

    Raises:
        InputError: If a number is out of its range or a metric is not known.
    """

    question: Question
    margins: Mapping[str, float]
    alpha: float = 0.05
    power: float = 0.8
    effect: float = 0.02
    minimum_positives: int = 30
    minimum_negatives: int = 30
    repetitions: int = 2000

    def __post_init__(self) -> None:
        unknown = sorted(set(self.margins) - set(METRICS))
        if unknown or not self.margins:
            raise InputError(f"comparison: margins must name some of {', '.join(METRICS)}, not {unknown or 'nothing'}")
        if self.question not in ("not_worse", "better"):
            raise InputError(f"comparison: the question must be not_worse or better, not {self.question!r}")
        if self.question == "better" and "auc" not in self.margins:
            raise InputError("comparison: the question 'better' is asked of the AUC; name auc among the margins")
        positive = {f"the margin of {metric}": margin for metric, margin in self.margins.items()}
        for name, value in (positive | {"effect": self.effect}).items():
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"comparison: {name} must be a finite number greater than 0, not {value}")
        for name, value, most in (("alpha", self.alpha, 0.5), ("power", self.power, 1)):
            if not 0 < value < most:
                raise InputError(f"comparison: {name} must lie between 0 and {most}, both excluded, not {value}")
        least = math.ceil(len(self.margins) / self.alpha)  # with fewer no share of resamples is ever small enough
        if self.repetitions < least:
            raise InputError(f"comparison: at least {least} repetitions are needed, not {self.repetitions}")

    def bound(self, metric: str) -> float:
        """Return the difference that a metric must be shown to exceed."""
        return 0.0 if self.superior(metric) else -self.margins[metric]

    def superior(self, metric: str) -> bool:
        """Say whether a metric must be shown to be better, not only not worse."""
        return self.question == "better" and metric == "auc"


@dataclass(frozen=True)
class MetricComparison:
    """How candidate and champion compare in one metric.

    Attributes:
        metric: The metric's name, one of ``METRICS``.
        difference: The observed difference; positive means a better candidate.
        interval: Its two-sided interval of confidence 1 - 2 alpha, so that each end is a one-sided bound.
        standard_error: The larger of its two standard errors.
        p: The one-sided p-value of "the difference is at most the bound".
        adjusted_p: The p-value after Holm's adjustment over all metrics.
        power: The chance to show a sound candidate (equally good; better by the effect where that is the question).
        bound: What the difference must be shown to exceed.
    """

    metric: str
    difference: float
    interval: Interval
    standard_error: float
    p: float
    adjusted_p: float
    power: float
    bound: float


@dataclass(frozen=True)
class Comparison:
    """What comparing a candidate with a champion gave.

    Attributes:
        metrics: One comparison a metric, in the order of ``METRICS``; none where a class has a single row.
        rows: The number of rows compared on.
        positives: The number of positive rows among them.
        negatives: The number of negative rows among them.
        rows_needed: From about how many such rows an undecided comparison would be decided; None if it is decided.
        decision: "yes" if what was asked was shown; "no" if the opposite was, or if it could have been shown and was
            not; "undecided" if the rows are too few to tell. Only "yes" may promote.
        sentence: Why, for people, with the numbers.
    """

    metrics: tuple[MetricComparison, ...]
    rows: int
    positives: int
    negatives: int
    decision: Decision
    sentence: str
    rows_needed: int | None = None


def compare(
    candidate: ArrayLike,
    champion: ArrayLike,
    label: ArrayLike,
    *,
    rule: ComparisonRule,
    generator: np.random.Generator,
) -> Comparison:
    """Return how a candidate compares with a champion on the same rows.

    Args:
        candidate: The candidate's probabilities, one a row.
        champion: The champion's probabilities, one a row, in the same order.
        label: One 0 or 1 a row.
        rule: What must be shown, and how surely.
        generator: Where the bootstrap's draws come from.

    Raises:
        DataError: If the rows cannot be judged: none, shapes that differ, values that are missing or no probabilities,
            one class only.
    """
    ours, truth = probability_rows(candidate, label)
    pair = _Pair(candidate=ours, champion=probability_rows(champion, label)[0], label=truth)
    positives, negatives = int(truth.sum()), int((truth == 0).sum())
    if min(positives, negatives) < 2:  # one row of a class gives no standard error
        found: tuple[MetricComparison, ...] = ()
    else:
        asked = [metric for metric in METRICS if metric in rule.margins]
        tests = [_test(metric, pair, rule=rule, generator=generator) for metric in asked]
        adjusted = holm_adjusted({test.metric: test.p for test in tests})
        found = tuple(_finished(test, adjusted[test.metric], rule, len(tests)) for test in tests)
    decision, reason = _decision(found, positives, negatives, rule)
    needed = _rows_needed(found, positives, negatives, rule) if decision == "undecided" else None
    numbers = "; ".join(_numbers(metric, rule) for metric in found)
    size = f"{positives} positive and {negatives} negative rows"
    return Comparison(
        metrics=found,
        rows=len(truth),
        positives=positives,
        negatives=negatives,
        decision=decision,
        sentence=f"{reason}: {numbers}, on {size}; positive means better" if numbers else f"{reason}: {size}",
        rows_needed=needed,
    )


@dataclass(frozen=True)
class _Pair:
    """Both models' probabilities on the same rows, checked."""

    candidate: NDArray[np.float64]
    champion: NDArray[np.float64]
    label: NDArray[np.int8]

    @property
    def saved(self) -> NDArray[np.float64]:
        """Each row's squared error of the champion less the candidate's."""
        return (self.champion - self.label) ** 2 - (self.candidate - self.label) ** 2


@dataclass(frozen=True)
class _Test:
    """One metric's test, before what depends on the other metrics."""

    metric: str
    difference: float
    interval: Interval
    standard_error: float
    p: float


def _test(metric: str, pair: _Pair, *, rule: ComparisonRule, generator: np.random.Generator) -> _Test:
    difference, closed_error = _closed_form(metric, pair)
    drawn = bootstrap(_resampled(metric, pair), pair.label, repetitions=rule.repetitions, generator=generator)
    errors = (closed_error, float(drawn.std()))
    bound = rule.bound(metric)
    share = (1 + int((drawn <= bound).sum())) / (1 + len(drawn))
    reach = normal_quantile(1 - rule.alpha) * max(errors)
    low, high = percentile_interval(drawn, 1 - 2 * rule.alpha)
    return _Test(
        metric=metric,
        difference=difference,
        interval=(min(low, difference - reach), max(high, difference + reach)),
        standard_error=max(errors),
        p=max(share, *(tail_of_difference(difference - bound, error) for error in errors)),
    )


def _closed_form(metric: str, pair: _Pair) -> tuple[float, float]:
    """Return the oriented difference and its standard error."""
    if metric == "auc":
        paired = paired_auc(pair.candidate, pair.champion, pair.label)
        return paired.difference, paired.standard_error
    saved = pair.saved
    return float(saved.mean()), float(saved.std(ddof=1)) / math.sqrt(len(saved))


def _resampled(metric: str, pair: _Pair) -> Statistic:
    """Return the oriented difference as a statistic of resamples."""
    if metric == "brier":
        return partial(weighted_mean, pair.saved)
    return lambda weights: (
        weighted_auc(pair.candidate, pair.label, weights) - weighted_auc(pair.champion, pair.label, weights)
    )


def _finished(test: _Test, adjusted_p: float, rule: ComparisonRule, tests: int) -> MetricComparison:
    # Holm's first step asks most of a test: with that level no power is promised that a later step would have to give.
    level = rule.alpha / tests
    if rule.superior(test.metric):
        power = superiority_power(test.standard_error, effect=rule.effect, alpha=level)
    else:
        power = noninferiority_power(test.standard_error, margin=rule.margins[test.metric], alpha=level)
    return MetricComparison(
        metric=test.metric,
        difference=test.difference,
        interval=test.interval,
        standard_error=test.standard_error,
        p=test.p,
        adjusted_p=adjusted_p,
        power=power,
        bound=rule.bound(test.metric),
    )


def _decision(
    metrics: tuple[MetricComparison, ...], positives: int, negatives: int, rule: ComparisonRule
) -> tuple[Decision, str]:
    """Return the decision and what it says, without the numbers."""
    asked = "better" if rule.question == "better" else "not worse"
    if positives < rule.minimum_positives or negatives < rule.minimum_negatives or not metrics:
        least = f"{max(2, rule.minimum_positives)} positive and {max(2, rule.minimum_negatives)} negative rows"
        return "undecided", f"whether the candidate is {asked} cannot be told from fewer than {least}"
    not_shown = [metric for metric in metrics if metric.adjusted_p > rule.alpha]
    if not not_shown:
        return "yes", f"the candidate is {asked} than the champion"
    worse = [metric for metric in metrics if metric.interval[1] < metric.bound]
    if worse:
        return "no", f"the candidate is worse than allowed in {_titles(worse)}"
    weak = [metric for metric in not_shown if metric.power < rule.power]
    if weak:
        chance = " and ".join(f"{metric.power:.2f}" for metric in weak)
        return "undecided", (
            f"whether the candidate is {asked} in {_titles(weak)} cannot be told: the chance to show it was {chance}, "
            f"less than {rule.power:g}"
        )
    return "no", f"the candidate could have been shown to be {asked} in {_titles(not_shown)}, and was not"


def _rows_needed(metrics: tuple[MetricComparison, ...], positives: int, negatives: int, rule: ComparisonRule) -> int:
    """Return how many rows like these would give each metric the power that the rule asks for.

    A standard error shrinks with the root of the number of rows, and the power of a one-sided test at distance d is
    reached where d is at least (z(1 - level) + z(power)) standard errors.
    """
    rows = positives + negatives
    factor = max(rule.minimum_positives / max(1, positives), rule.minimum_negatives / max(1, negatives))
    reach = normal_quantile(1 - rule.alpha / max(1, len(metrics))) + normal_quantile(rule.power)
    for metric in metrics:
        distance = rule.effect if rule.superior(metric.metric) else rule.margins[metric.metric]
        factor = max(factor, (reach * metric.standard_error / distance) ** 2)
    return math.ceil(rows * factor)


def _titles(metrics: list[MetricComparison]) -> str:
    return " and ".join(_TITLES[metric.metric] for metric in metrics)


def _numbers(metric: MetricComparison, rule: ComparisonRule) -> str:
    low, high = metric.interval
    interval = f"{1 - 2 * rule.alpha:.0%} interval {low:+.4f} to {high:+.4f}"
    tested = f"must exceed {metric.bound:g}, p {metric.adjusted_p:.4f}"
    return f"difference in {_TITLES[metric.metric]} {metric.difference:+.4f} ({interval}, {tested})"
