"""This module provides the generator of made wines: a Gaussian copula for each colour and quality.

A stratum is the wines of one colour and one quality (3 counts as 4, and 9 as 8: too few are known). Its numbers say how
each feature is spread (33 quantiles), how the features hang together (the correlations of their normal scores), how
many wines there are, and how many of them repeat an earlier one. They were taken from the real files by
``ci/calibrate_synthetic.py`` and lie in ``wine_copula.json``, with whose data they come from and under which licence.

Rows are numbered from 0 and made in blocks, each with a generator of its own, so that any row can be made without the
ones of other blocks, and the first rows of a long table are the rows of a short one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gauntlet.core.seeding import Seeds

BLOCK_ROWS = 16_384
DATA_FILE = "wine_copula.json"

# The normal scores at which quantiles are kept: even steps, so that the tails get as many as the middle.
SCORES: NDArray[np.float64] = np.linspace(-3.2, 3.2, 33)


@dataclass(frozen=True)
class Stratum:
    """The wines of one colour and quality.

    Attributes:
        is_red: The colour.
        quality: The quality, 4 to 8.
        rows: How many there are among the real wines.
        repeat_share: The share of them that repeat an earlier one exactly.
        quantiles: One row a feature: its values at ``SCORES``.
        factor: The lower Cholesky factor of the normal scores' correlations.
    """

    is_red: bool
    quality: int
    rows: int
    repeat_share: float
    quantiles: NDArray[np.float64]
    factor: NDArray[np.float64]


@dataclass(frozen=True)
class WineCopula:
    """All strata, and what they have in common.

    Attributes:
        features: The features' names, in order.
        decimals: The decimals that each feature is measured with.
        strata: The strata; the red ones first, each colour by rising quality.
        attribution: Whose data the numbers come from.
        licence: The licence of that data.
    """

    features: tuple[str, ...]
    decimals: tuple[int, ...]
    strata: tuple[Stratum, ...]
    attribution: str
    licence: str

    @property
    def red_rows(self) -> int:
        """The number of red wines among the real ones."""
        return sum(stratum.rows for stratum in self.strata if stratum.is_red)

    @property
    def rows(self) -> int:
        """The number of real wines."""
        return sum(stratum.rows for stratum in self.strata)

    def sample(self, stratum: Stratum, *, generator: np.random.Generator, rows: int) -> NDArray[np.float64]:
        """Draw wines of one stratum, without repeats on purpose.

        Returns:
            One row a wine, one column a feature, rounded as the features are measured.
        """
        return self.values(stratum, generator.standard_normal((len(self.features), rows))).T

    def values(self, stratum: Stratum, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn independent standard normals (one row a feature) into the features of a stratum's wines."""
        made = np.empty_like(normals)
        for feature, decimals in enumerate(self.decimals):
            # Element by element, not as a matrix product: that may round otherwise with other threads and machines.
            score = stratum.factor[feature, 0] * normals[0]
            for earlier in range(1, feature + 1):
                score += stratum.factor[feature, earlier] * normals[earlier]
            value = np.interp(score, SCORES, stratum.quantiles[feature])
            made[feature] = np.rint(value * 10.0**decimals) / 10.0**decimals
        return made


def parse_copula(document: Mapping[str, Any]) -> WineCopula:
    """Return the copula that a calibration's document describes."""
    size = len(document["features"])
    return WineCopula(
        features=tuple(document["features"]),
        decimals=tuple(document["decimals"]),
        strata=tuple(_parse_stratum(stratum, size) for stratum in document["strata"]),
        attribution=document["attribution"],
        licence=document["licence"],
    )


def _parse_stratum(document: Mapping[str, Any], size: int) -> Stratum:
    correlation = np.eye(size)
    below = np.tril_indices(size, -1)
    correlation[below] = document["correlations"]
    correlation.T[below] = document["correlations"]
    return Stratum(
        is_red=document["is_red"],
        quality=document["quality"],
        rows=document["rows"],
        repeat_share=document["repeats"] / document["rows"],
        quantiles=np.array(document["quantiles"], dtype=np.float64),
        factor=np.linalg.cholesky(correlation).astype(np.float64),
    )


@lru_cache(maxsize=1)
def load_copula() -> WineCopula:
    """Read the packaged calibration, once."""
    text = (resources.files("gauntlet.core") / DATA_FILE).read_text(encoding="utf-8")
    return parse_copula(json.loads(text))


@dataclass(frozen=True)
class Wines:
    """Made rows, in order.

    Attributes:
        features: One row a feature, one column a wine.
        quality: 4 to 8.
        is_red: The colour.
        source_row: The row's number among the rows of its colour, from 0, as if each colour were a file.
    """

    features: NDArray[np.float64]
    quality: NDArray[np.int64]
    is_red: NDArray[np.bool_]
    source_row: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.quality)

    def head(self, rows: int) -> Wines:
        """Return the first rows."""
        return Wines(self.features[:, :rows], self.quality[:rows], self.is_red[:rows], self.source_row[:rows])


def make_block(number: int, *, seed: int, copula: WineCopula | None = None) -> Wines:
    """Make the rows from ``number * BLOCK_ROWS`` up to the next block's first.

    Colours are spread evenly over the rows, in the real wines' proportion; qualities are drawn. A repeat copies an
    earlier row of its colour and quality in the same block, so a block's first rows repeat nothing.

    Args:
        number: The block's number, from 0.
        seed: The table's seed.
        copula: The calibration; by default the packaged one.
    """
    copula = copula or load_copula()
    generator = Seeds(seed).generator("synthetic", number)
    index = np.arange(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS, dtype=np.int64)
    is_red, source_row = _colours(index, copula)
    # All draws are made before they are used, so that what is done with one of them moves no other.
    rank, chance, pick = generator.random((3, BLOCK_ROWS))
    normals = generator.standard_normal((len(copula.features), BLOCK_ROWS))
    features = np.empty_like(normals)
    quality = np.empty(BLOCK_ROWS, dtype=np.int64)
    for stratum, members in zip(copula.strata, _members(rank, is_red, copula), strict=True):
        origin = _origins(chance[members] < stratum.repeat_share, pick[members])
        features[:, members] = copula.values(stratum, normals[:, members])[:, origin]
        quality[members] = stratum.quality
    return Wines(features=features, quality=quality, is_red=is_red, source_row=source_row)


def _colours(index: NDArray[np.int64], copula: WineCopula) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return whether each row is red, and its number within its colour."""
    reds_before = index * copula.red_rows // copula.rows
    is_red = (index + 1) * copula.red_rows // copula.rows > reds_before
    return is_red, np.where(is_red, reds_before, index - reds_before)


def _members(rank: NDArray[np.float64], is_red: NDArray[np.bool_], copula: WineCopula) -> list[NDArray[np.intp]]:
    """Return the positions of each stratum's rows: a row of its colour whose rank falls into the stratum's share."""
    members = []
    for colour in (True, False):
        strata = [stratum for stratum in copula.strata if stratum.is_red == colour]
        ends = np.cumsum([stratum.rows for stratum in strata])
        place = np.searchsorted(ends, rank * ends[-1], side="right")
        members += [np.flatnonzero((is_red == colour) & (place == number)) for number in range(len(strata))]
    return members


def _origins(repeats: NDArray[np.bool_], pick: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the row that each row copies at last: itself, or an earlier one that copies nothing."""
    own = np.arange(len(repeats), dtype=np.int64)
    origin = np.where(repeats & (own > 0), (pick * own).astype(np.int64), own)
    while True:
        further = origin[origin]
        if np.array_equal(further, origin):
            return origin
        origin = further
