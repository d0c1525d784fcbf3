"""This module provides groups of rows that repeat each other, and splits that never tear a group apart.

Two rows are near repeats if they differ by no more than one measuring unit on every feature (the Chebyshev distance
of the features, each divided by its resolution, is at most 1) and agree where a feature has no unit. Groups are the
connected components of that relation, so a chain of near repeats is one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.problem import Column, Fractions

# Decimal readings are not exact in binary: 0.3 - 0.2 is a little less than 0.1, 1.1 - 1.0 a little more.
_TOLERANCE = 1 + 1e-6


@dataclass(frozen=True)
class Grouping:
    """The groups of a table's rows.

    Attributes:
        group: The group's number, one a row.
        near_pairs: Near repeats of different content, as pairs of positions; one row stands for all of equal content.
    """

    group: NDArray[np.int64]
    near_pairs: NDArray[np.int64]

    @property
    def count(self) -> int:
        """The number of groups."""
        return len(np.unique(self.group))


def group_rows(
    features: pd.DataFrame, *, columns: Sequence[Column], content: Sequence[str], near_repeats: bool
) -> Grouping:
    """Group rows that repeat each other in their features.

    Args:
        features: The features, one column for each of ``columns``.
        columns: The features' descriptions, for their resolutions.
        content: A key of each row's whole content; near pairs are counted between rows of different content.
        near_repeats: Whether near repeats join a group, or exact repeats only.
    """
    # Rows of equal content are one point; then a tree finds near points without comparing all pairs.
    point_of_row = pd.factorize(pd.Series(content))[0]
    first_rows = pd.Series(point_of_row).drop_duplicates().index.to_numpy()
    points = features.iloc[first_rows].reset_index(drop=True)
    near = _near_pairs(points, columns)
    group_of_point = _components(len(points), near if near_repeats else _equal_pairs(points))
    return Grouping(group=group_of_point[point_of_row], near_pairs=first_rows[near])


def _near_pairs(points: pd.DataFrame, columns: Sequence[Column]) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree  # noqa: PLC0415 - takes a while to import

    measured = [c for c in columns if c.resolution is not None and c.kind in ("number", "integer")]
    scaled = np.column_stack(
        [pd.to_numeric(points[c.name]).to_numpy(dtype=float, na_value=np.nan) / (c.resolution or 1) for c in measured]
        or [np.zeros(len(points))]
    )
    found: list[NDArray[np.int64]] = []
    for members in _alike(points, scaled, [c.name for c in columns if c not in measured]):
        values = np.nan_to_num(scaled[members])
        distinct, inverse = np.unique(values, axis=0, return_inverse=True)
        near = cKDTree(distinct).query_pairs(_TOLERANCE, p=np.inf, output_type="ndarray")
        found.append(_expanded(members, inverse.ravel(), near, len(distinct)))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def _alike(points: pd.DataFrame, scaled: NDArray[np.float64], unmeasured: list[str]) -> list[NDArray[np.int64]]:
    """Return the positions of points that agree on all features without a unit and on which values are missing."""
    keys = points[unmeasured].copy()
    keys["missing"] = [row.tobytes() for row in np.isnan(scaled)]
    groups = keys.groupby([*unmeasured, "missing"], dropna=False, sort=False).indices
    return [np.asarray(members, dtype=np.int64) for members in groups.values() if len(members) > 1]


def _expanded(
    members: NDArray[np.int64], inverse: NDArray[np.int64], near: NDArray[np.int64], distinct: int
) -> NDArray[np.int64]:
    """Return pairs of members for pairs of distinct vectors, and chain the members that share one vector.

    One member stands for its vector: all pairs of all members would be quadratic in the repeats.
    """
    by_vector = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse, minlength=distinct))[:-1])
    first = np.array([same[0] for same in by_vector], dtype=np.int64)
    chains = [np.column_stack([same[:-1], same[1:]]) for same in by_vector if len(same) > 1]
    pairs = np.concatenate([first[near.reshape(-1, 2)], *chains])
    return np.sort(members[pairs], axis=1)


def _equal_pairs(points: pd.DataFrame) -> NDArray[np.int64]:
    """Chain points whose features are equal (their labels may differ)."""
    alike = points.groupby(list(points.columns), dropna=False, sort=False).indices.values()
    chains = [np.column_stack([members[:-1], members[1:]]) for members in alike if len(members) > 1]
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *chains])


def _components(size: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    from scipy.sparse import coo_matrix  # noqa: PLC0415 - takes a while to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 - takes a while to import

    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    labels: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def split_groups(
    group: NDArray[np.int64],
    label: NDArray[np.int8],
    *,
    order: Sequence[str],
    fractions: Fractions,
    generator: np.random.Generator,
) -> NDArray[np.str_]:
    """Assign whole groups to train, validation and test, alike in size and share of positives.

    Groups are put into strata by their majority label and shuffled; each goes to the split that is furthest below its
    share of the stratum's rows. The order of rows changes nothing: groups are named by their least ``order``.

    Args:
        group: The group's number, one a row.
        label: 0 or 1, one a row.
        order: A key of each row that does not depend on where it stands (its identifier).
        fractions: The shares.
        generator: The source of the shuffle.

    Returns:
        The split's name, one a row.
    """
    rows = pd.DataFrame({"group": group, "label": label, "order": list(order)})
    groups = rows.groupby("group").agg(size=("label", "size"), share=("label", "mean"), name=("order", "min"))
    groups = groups.sort_values("name").reset_index()
    names = ("train", "validation", "test")
    shares = np.array([fractions.train, fractions.validation, fractions.test])
    chosen: dict[int, str] = {}
    for _, stratum in groups.groupby(groups["share"] >= 0.5, sort=True):
        filled, wanted = np.zeros(3), shares * stratum["size"].sum()
        for position in generator.permutation(len(stratum)):
            split = int(np.argmax((wanted - filled) / wanted))
            filled[split] += stratum["size"].iloc[position]
            chosen[int(stratum["group"].iloc[position])] = names[split]
    return np.array([chosen[int(number)] for number in group], dtype=np.str_)
