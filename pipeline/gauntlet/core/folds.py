"""Folds for cross-fitting: every row is answered once, by a model that was fitted without it.

Groups of rows (duplicates, a customer, a patient) stay whole, and with a time column no model is fitted on rows that
are later than those it answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FOLDS = 5
# With a time column the first blocks only serve to fit on: one to learn from, one to stop early and choose on.
_BLOCKS_BEFORE = 2


@dataclass(frozen=True)
class Fold:
    """One fold.

    Attributes:
        train: Which rows to learn from, one boolean per row.
        selection: Which rows to stop early and to choose on.
        held_out: Which rows to answer.
    """

    train: NDArray[np.bool_]
    selection: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def cross_fit_folds(
    group: pd.Series, label: NDArray[np.int8], *, time: NDArray[np.int64] | None, seed: int
) -> Iterator[Fold]:
    """Yield five folds; those in which a part lacks a class are left out.

    Without a time, groups are ordered by a hash of the seed and their name within each stratum (the group's majority
    label) and cut into five blocks of about equal size. Each block is held out once, the next one selects, and the
    other three train. With a time, groups are ordered by their latest time and cut into seven blocks; the last five
    are held out in turn, the block before selects, and all earlier blocks train.

    Args:
        group: The name of each row's group; it must not depend on the order of rows.
        label: 0 or 1, one per row.
        time: The rank of each row's time; None where rows have no order in time.
        seed: Another seed gives other folds.
    """
    names = group.astype(str).to_numpy()
    if time is not None:
        latest = pd.Series(time).groupby(names).transform("max").to_numpy()
        block = _cut(latest, blocks=FOLDS + _BLOCKS_BEFORE)
        for held_out in range(_BLOCKS_BEFORE, FOLDS + _BLOCKS_BEFORE):
            yield from _complete(Fold(block < held_out - 1, block == held_out - 1, block == held_out), label)
        return
    places = {name: hashlib.sha256(f"{seed}/fold/{name}".encode()).hexdigest() for name in set(names)}
    place = np.array([places[name] for name in names])
    positive = pd.Series(label).groupby(names).transform("mean").to_numpy() >= 0.5
    block = np.empty(len(names), dtype=np.int64)
    for stratum in (positive, ~positive):
        block[stratum] = _cut(place[stratum], blocks=FOLDS)
    for number in range(FOLDS):
        chooses = (number + 1) % FOLDS
        yield from _complete(Fold((block != number) & (block != chooses), block == chooses, block == number), label)


def _cut(keys: NDArray[np.generic], *, blocks: int) -> NDArray[np.int64]:
    """Cut rows into blocks of about equal size by the order of their keys; rows of equal keys stay together."""
    distinct, inverse, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    middles = (np.cumsum(sizes) - sizes / 2) / max(1, len(keys))
    number: NDArray[np.int64] = np.minimum((middles * blocks).astype(np.int64), blocks - 1)
    return number[inverse.ravel()] if len(distinct) else np.empty(0, dtype=np.int64)


def _complete(fold: Fold, label: NDArray[np.int8]) -> Iterator[Fold]:
    if all(len(np.unique(label[rows])) == 2 for rows in (fold.train, fold.selection, fold.held_out)):
        yield fold
