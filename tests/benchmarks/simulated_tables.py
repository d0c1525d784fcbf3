"""Tables whose truth is known: a label is drawn from a probability that is a function of the features.

Each family imitates one shape of real tables. Of every row the true probability is known, so a table is sound by
construction, and the best possible AUC is set exactly: the family's signal is scaled so that ordering rows by the true
probability has the AUC ``BAYES_AUC``, and shifted so that the share of positive rows is the family's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.seeding import Seeds

SEED = 16
BAYES_AUC = 0.83
LABEL = "outcome"
SITE = "site"
SITES = ("north", "south", "east", "west", "centre")

_REFERENCE_ROWS = 40_000
_STEPS = 40

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]
Features = tuple[Columns, Floats]


@dataclass(frozen=True)
class Family:
    """One shape of tables.

    Attributes:
        features: Draws so many rows: the columns, and the signal that the label hangs on.
        positives: The share of positive rows.
        missing: The share of values that are taken out of each column, at random.
        groups: The column whose equal values belong together; the user names it in ``split.groups``.
        time: The column by which rows are divided; the user names it in ``split.time``.
    """

    features: Callable[[int, np.random.Generator], Features]
    positives: float = 0.3
    missing: float = 0.0
    groups: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class SimulatedTable:
    """A table as a user has it.

    Attributes:
        family: What shape it has.
        frame: The features, and the label as 0 or 1 in the column ``outcome``.
        probability: The true probability of the positive class, one a row.
    """

    family: Family
    frame: pd.DataFrame
    probability: Floats


def simulated_table(name: str, rows: int, *, generator: np.random.Generator, site: bool = False) -> SimulatedTable:
    """Draw a table.

    Args:
        name: The family.
        rows: How many rows.
        generator: Where the draws come from.
        site: Whether to add a text column of five equally frequent values that tells nothing of the label.
    """
    family = FAMILIES[name]
    columns, signal = family.features(rows, generator)
    scale, shift = _scaled(name)
    probability = _sigmoid(shift + scale * signal)
    frame = pd.DataFrame(columns)
    if site:
        frame[SITE] = generator.choice(SITES, rows)
    frame[LABEL] = (generator.random(rows) < probability).astype(np.int64)
    for column in columns if family.missing else ():
        frame.loc[generator.random(rows) < family.missing, column] = None
    return SimulatedTable(family, frame, probability)


@cache
def _scaled(name: str) -> tuple[float, float]:
    """Return the scale and the shift that give a family's signal its AUC and its share of positive rows."""
    family = FAMILIES[name]
    _, signal = family.features(_REFERENCE_ROWS, Seeds(SEED).generator("reference", name))
    signal = np.sort(signal)
    scale = _root(lambda tried: bayes_auc(_at_share(signal, tried, family.positives)) - BAYES_AUC, 0.0, 50.0)
    shift = _root(lambda tried: float(_sigmoid(tried + scale * signal).mean()) - family.positives, -500.0, 500.0)
    return scale, shift


def _at_share(signal: Floats, scale: float, share: float) -> Floats:
    shift = _root(lambda tried: float(_sigmoid(tried + scale * signal).mean()) - share, -500.0, 500.0)
    return _sigmoid(shift + scale * signal)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function is 0, by bisection."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def bayes_auc(probability: Floats) -> float:
    """Return the expected AUC of ordering rows by their true probability of being positive.

    Each row counts as positive with its probability and as negative with the rest; equal probabilities count half.
    """
    distinct, place = np.unique(probability, return_inverse=True)
    positive = np.bincount(place, weights=probability, minlength=len(distinct))
    negative = np.bincount(place, weights=1 - probability, minlength=len(distinct))
    below = np.concatenate([[0.0], np.cumsum(negative)[:-1]])
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def _sigmoid(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(value, -500, 500)))


def _mixed(values: Floats) -> Floats:
    """Return a signal of standard normal columns: straight, bent, stepped, and two of them together."""
    straight = 0.9 * values[:, 0] - 0.6 * values[:, 1]
    return straight + 0.5 * np.abs(values[:, 2]) + 0.6 * (values[:, 3] > 0.4) + 0.4 * values[:, 0] * values[:, 4]


def _measured(rows: int, generator: np.random.Generator) -> Features:
    values = generator.standard_normal((rows, 10))
    return {f"m{place}": np.round(20 + 5 * column, 2) for place, column in enumerate(values.T)}, _mixed(values)


def _long_floats(rows: int, generator: np.random.Generator) -> Features:
    values = generator.standard_normal((rows, 10))
    return {f"f{place}": column for place, column in enumerate(values.T)}, _mixed(values)


def _whole_numbers(rows: int, generator: np.random.Generator) -> Features:
    age = generator.integers(18, 90, rows)
    visits, tenure = generator.poisson(4, rows), generator.integers(0, 240, rows)
    flags = (generator.random((rows, 4)) < (0.5, 0.3, 0.7, 0.15)).astype(np.int64)
    score = np.rint(generator.normal(600, 80, rows)).astype(np.int64)
    dependants, steps = generator.integers(0, 5, rows), generator.poisson(5000, rows)
    signal = (age - 54) / 20 - 0.4 * (visits - 4) + 1.2 * flags[:, 0] - 0.8 * flags[:, 1]
    signal = signal + (score - 600) / 100 + 0.8 * (tenure < 12)
    columns = {"age": age, "visits": visits, "tenure": tenure, "score": score, "dependants": dependants, "steps": steps}
    return columns | {f"flag{place}": column for place, column in enumerate(flags.T)}, signal


def _texts(rows: int, generator: np.random.Generator) -> Features:
    values = generator.standard_normal((rows, 5))
    plan = generator.choice(["basic", "plus", "pro", "team"], rows, p=[0.4, 0.3, 0.2, 0.1])
    region = generator.choice([f"region {place}" for place in range(12)], rows)
    channel = generator.choice(["shop", "web", "phone"], rows, p=[0.2, 0.6, 0.2])
    member = generator.choice(["yes", "no"], rows, p=[0.35, 0.65])
    signal = _mixed(values) + 0.9 * (plan == "pro") - 0.7 * (channel == "web") + 0.5 * (member == "yes")
    columns: Columns = {f"x{place}": np.round(column, 2) for place, column in enumerate(values.T)}
    return columns | {"plan": plan, "region": region, "channel": channel, "member": member}, signal


def _coarse(rows: int, generator: np.random.Generator) -> Features:
    levels = generator.integers(0, 6, (rows, 4))
    signal = levels @ np.array([0.8, -0.5, 0.3, 0.0]) + 0.7 * (levels[:, 0] == levels[:, 1])
    return {f"grade{place}": column for place, column in enumerate(levels.T)}, signal


def _money(rows: int, generator: np.random.Generator) -> Features:
    values = generator.standard_normal((rows, 8))
    amounts = {f"amount{place}": np.round(np.exp(4 + 1.5 * column), 2) for place, column in enumerate(values[:, :6].T)}
    pareto = 100 * (1 + generator.pareto(1.5, rows))
    columns = amounts | {"balance": np.round(pareto, 2), "age": np.rint(45 + 12 * values[:, 6])}
    return columns, _mixed(values) + 0.5 * np.log(pareto / 100)


def _dominated(rows: int, generator: np.random.Generator) -> Features:
    values = generator.standard_normal((rows, 10))
    columns = {f"v{place}": np.round(10 + 2 * column, 2) for place, column in enumerate(values.T)}
    return columns, values[:, 0] + 0.15 * values[:, 1]


def _grouped(rows: int, generator: np.random.Generator) -> Features:
    """Draw customers of one to nine rows: half of the features belong to the customer."""
    customer = np.repeat(np.arange(rows), generator.integers(1, 10, rows))[:rows]
    own, shared = generator.standard_normal((rows, 5)), generator.standard_normal((rows, 5))[customer]
    columns: Columns = {"customer": np.array([f"C{number:06d}" for number in customer])}
    columns |= {f"own{place}": np.round(column, 2) for place, column in enumerate(own.T)}
    columns |= {f"shared{place}": np.round(column, 2) for place, column in enumerate(shared.T)}
    return columns, _mixed(np.column_stack([own[:, :3], shared[:, :2]]))


def _by_time(rows: int, generator: np.random.Generator) -> Features:
    """Draw rows by day, about five a day; two features drift slowly, and the label follows the features alone."""
    day = np.sort(generator.integers(0, max(1, rows // 5), rows))
    values = generator.standard_normal((rows, 8))
    values[:, 5:7] += np.sin(day / 40)[:, None] / 2
    columns: Columns = {"day": day}
    return columns | {f"t{place}": np.round(5 + column, 2) for place, column in enumerate(values.T)}, _mixed(values)


def _wide(rows: int, generator: np.random.Generator) -> Features:
    values = generator.standard_normal((rows, 60))
    return {f"w{place}": np.round(column, 3) for place, column in enumerate(values.T)}, _mixed(values)


FAMILIES: Mapping[str, Family] = {
    "decimals": Family(_measured),
    "long_floats": Family(_long_floats),
    "whole_numbers": Family(_whole_numbers),
    "texts": Family(_texts),
    "coarse": Family(_coarse),
    "money": Family(_money),
    "dominated": Family(_dominated),
    "rare_events": Family(_measured, positives=0.05),
    "grouped": Family(_grouped, groups="customer"),
    "by_time": Family(_by_time, time="day"),
    "missing": Family(_texts, missing=0.2),
    "wide": Family(_wide),
}
