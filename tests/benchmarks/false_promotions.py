"""How often the comparison with the champion says yes, of pairs of models whose true difference is known.

Two models score the same rows. Scores are binormal: a positive row's are normal around d, a negative row's around 0,
both of variance 1, so the true AUC is exactly Phi(d / sqrt(2)), and a difference in AUC can be set exactly. The models
share most of a row's noise, as two models of the same data do. Three questions are asked of many pairs:

- of equally good models, whether the candidate is better: yes is a false promotion, allowed at most alpha of the time;
- of a candidate worse by exactly the margin, whether it is not worse: the same;
- of a candidate better by exactly the effect, whether it is better: yes is right, and should come as often as the
  comparison itself computes (its power), neither much more often nor much less.

A bound is broken if the exact binomial interval (Clopper and Pearson) of the share of yes lies wholly outside of it.
Only the AUC is compared, for no other metric's difference could be set exactly, and with ``RULE.repetitions`` bootstrap
resamples instead of the gates' 2,000.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gauntlet.core.seeding import Seeds
from gauntlet.core.statistics.comparison import Comparison, ComparisonRule, Question, compare

SEED = 20
POSITIVES, NEGATIVES = 100, 300
CHAMPION_AUC = 0.8
SHARED_VARIANCE = 0.9  # of a score's variance within its class; the rest is each model's own
CONFIDENCE = 0.95
# The power is computed from a normal approximation with an estimated standard error: so much may it be off.
POWER_TOLERANCE = 0.02
RULE = ComparisonRule(question="better", margins={"auc": 0.03}, effect=0.03, repetitions=400)

Compare = Callable[..., Comparison]


@dataclass(frozen=True)
class Scenario:
    """A question, and the true difference in AUC (the candidate's less the champion's) of the pairs it is asked of."""

    name: str
    question: Question
    difference: float


EQUAL = Scenario("equally good, asked for better", "better", 0.0)
WORSE_BY_MARGIN = Scenario("worse by the margin, asked for not worse", "not_worse", -RULE.margins["auc"])
BETTER_BY_EFFECT = Scenario("better by the effect, asked for better", "better", RULE.effect)


@dataclass(frozen=True)
class Outcome:
    """How often yes was said.

    Attributes:
        scenario: What was asked.
        pairs: The number of pairs it was asked of.
        share: The share of yes.
        interval: Its exact binomial interval.
        bound: Where the true share must lie.
        holds: Whether the interval reaches into the bound.
    """

    scenario: str
    pairs: int
    share: float
    interval: tuple[float, float]
    bound: tuple[float, float]
    holds: bool


def false_promotions(pairs: int) -> dict[str, Any]:
    """Ask the three questions of so many pairs each."""
    outcomes = [simulated(scenario, pairs=pairs) for scenario in (EQUAL, WORSE_BY_MARGIN, BETTER_BY_EFFECT)]
    return {
        "rows": POSITIVES + NEGATIVES,
        "positives": POSITIVES,
        "champion_auc": CHAMPION_AUC,
        "alpha": RULE.alpha,
        "repetitions": RULE.repetitions,
        "outcomes": [asdict(outcome) for outcome in outcomes],
        "bounds_hold": all(outcome.holds for outcome in outcomes),
    }


def simulated(scenario: Scenario, *, pairs: int, comparison: Compare = compare, seed: int = SEED) -> Outcome:
    """Return how often a comparison says yes.

    Args:
        scenario: What is asked, and of what pairs.
        pairs: How many pairs.
        comparison: The comparison under test; ``compare`` or something in its place.
        seed: The root of the draws.
    """
    generator = Seeds(seed).generator("false_promotions", scenario.name)
    rule = replace(RULE, question=scenario.question)
    said_yes, powers = 0, []
    for _ in range(pairs):
        candidate, champion, label = drawn(scenario.difference, generator)
        found = comparison(candidate, champion, label, rule=rule, generator=generator)
        said_yes += found.decision == "yes"
        powers.append(found.metrics[0].power)
    power = float(np.mean(powers))
    right = scenario.difference > 0
    bound = (max(0.0, power - POWER_TOLERANCE), min(1.0, power + POWER_TOLERANCE)) if right else (0.0, rule.alpha)
    low, high = clopper_pearson(said_yes, pairs)
    return Outcome(
        scenario=scenario.name,
        pairs=pairs,
        share=said_yes / pairs,
        interval=(low, high),
        bound=bound,
        holds=low <= bound[1] and high >= bound[0],
    )


def drawn(
    difference: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return a candidate's and a champion's probabilities of the same rows, and the labels.

    Args:
        difference: The candidate's true AUC less the champion's.
        generator: Where the draws come from.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - takes a while to import

    label = np.repeat([1, 0], [POSITIVES, NEGATIVES])
    shared = math.sqrt(SHARED_VARIANCE) * generator.standard_normal(len(label))
    models = []
    for area in (CHAMPION_AUC + difference, CHAMPION_AUC):
        own = math.sqrt(1 - SHARED_VARIANCE) * generator.standard_normal(len(label))
        # The scores are taken into [0, 1] by a rising function, which leaves the AUC alone.
        models.append(ndtr(separation(area) * label + shared + own))
    return models[0], models[1], label


def separation(area: float) -> float:
    """Return how far apart two normals of variance 1 lie for an AUC."""
    return math.sqrt(2) * NormalDist().inv_cdf(area)


def clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    """Return the exact binomial interval of a share."""
    from scipy.stats import binomtest  # noqa: PLC0415 - takes a while to import

    found = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)
