"""This module provides groups of rows that repeat each other, and splits that never tear a group apart.

Two rows are near repeats if they differ by no more than one measuring unit on every feature (the Chebyshev distance
of the features, each divided by its resolution, is at most 1) and agree where a feature has no unit. Groups are the
connected components of that relation, so a chain of near repeats is one group; rows that share a value in a column
of ``split.groups`` join one group as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gauntlet.core.errors import DataError
from gauntlet.core.problem import Column, Fractions, Problem, SplitName

# The splits, in the order of time: a later one may repeat nothing of an earlier one.
SPLIT_ORDER: tuple[SplitName, ...] = ("train", "validation", "test")

# How far apart, in units, near repeats may lie. Decimal readings are not exact in binary: 0.3 - 0.2 is a little less
# than 0.1, 1.1 - 1.0 a little more.
TOLERANCE = 1 + 1e-6


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


@dataclass(frozen=True)
class NearRepeats:
    """The near repeats across splits; rows of one split that agree on every feature count as one.

    Attributes:
        rows: The number of rows that were looked at.
        pairs: How many pairs of near repeats lie in different splits; None where they are too many to compare.
        compared: How many pairs had to be compared to know, or would have had to be.
        example: One of the pairs, by ``row_id``; None if there is none.
    """

    rows: int
    pairs: int | None
    compared: int
    example: tuple[str, str] | None = None


def columns_of_split(problem: Problem) -> tuple[str, ...]:
    """Return the columns that ``split.groups`` and ``split.time`` name and that are no features, each once."""
    features = {column.name for column in problem.features}
    named = (*problem.split.groups, *((problem.split.time,) if problem.split.time else ()))
    return tuple(name for name in dict.fromkeys(named) if name not in features)


def group_rows(
    features: pd.DataFrame,
    *,
    columns: Sequence[Column],
    content: Sequence[str],
    near_repeats: bool,
    keys: pd.DataFrame | None = None,
) -> Grouping:
    """Group rows that repeat each other in their features.

    Args:
        features: The features, one column for each of ``columns``.
        columns: The features' descriptions, for their resolutions.
        content: A key of each row's whole content; near pairs are counted between rows of different content.
        near_repeats: Whether near repeats join a group, or exact repeats only.
        keys: Columns of which each joins the rows of equal values (a customer, a patient); None joins no more rows.

    Raises:
        DataError: If a value of ``keys`` is missing: such a row could belong to anybody.
    """
    # Rows of equal content are one point; then a tree finds near points without comparing all pairs.
    point_of_row = pd.factorize(pd.Series(content))[0]
    first_rows = pd.Series(point_of_row).drop_duplicates().index.to_numpy()
    points = features.iloc[first_rows].reset_index(drop=True)
    near = _near_pairs(points, columns)
    group_of_point = _components(len(points), near if near_repeats else _equal_pairs(points))
    group = group_of_point[point_of_row]
    if keys is not None and len(keys.columns):
        group = _joined(group, keys)
    return Grouping(group=group, near_pairs=first_rows[near])


def _joined(group: NDArray[np.int64], keys: pd.DataFrame) -> NDArray[np.int64]:
    """Return the groups after rows that share a value in any of the columns have joined."""
    for name, values in keys.items():
        missing = int(values.isna().sum())
        if missing:
            raise DataError(
                f"split.groups: {name} is missing in {missing} of {len(keys)} rows, which could belong to any group; "
                "bring the values, or leave these rows out"
            )
    parts = [pd.Series(group), *(values.reset_index(drop=True) for _, values in keys.items())]
    return _components(len(group), np.concatenate([_chains(part) for part in parts]))


def near_repeats_across(
    frame: pd.DataFrame, *, columns: Sequence[Column], relative_tolerance: float, most_compared: int
) -> NearRepeats:
    """Return the near repeats across splits, found with a tree in memory.

    Args:
        frame: ``row_id``, ``split`` and the features, one row a row.
        columns: The features' descriptions.
        relative_tolerance: How far apart, relative to the greater, numbers without a resolution count as equal.
        most_compared: More pairs than this are not looked at.
    """
    names = [column.name for column in columns]
    vector = frame.groupby(names, dropna=False, sort=False).ngroup()
    points = frame.assign(vector=vector).pivot_table(index="vector", columns="split", values="row_id", aggfunc="min")
    vectors = frame[names][~vector.duplicated()].reset_index(drop=True)
    found, compared = [np.column_stack([points.index, points.index])], len(points)
    keys, scaled = _coordinates(vectors, columns, relative_tolerance)
    for members in _alike(keys, scaled):
        tree = _tree(np.nan_to_num(scaled[members]))
        compared += int(tree.count_neighbors(tree, TOLERANCE, p=np.inf) - len(members)) // 2
        if compared > most_compared:
            return NearRepeats(rows=len(frame), pairs=None, compared=compared)
        near = members[tree.query_pairs(TOLERANCE, p=np.inf, output_type="ndarray").reshape(-1, 2)]
        found += [near, near[:, ::-1]]
    ordered = points[[name for name in SPLIT_ORDER if name in points]]
    return _counted(ordered, np.concatenate(found), rows=len(frame), compared=compared)


def _counted(points: pd.DataFrame, near: NDArray[np.int64], *, rows: int, compared: int) -> NearRepeats:
    """Count the pairs of near vectors whose first stands in one split and whose second in a later one."""
    pairs, example = 0, None
    for place, earlier in enumerate(points.columns):
        for later in points.columns[place + 1 :]:
            first = points[earlier].to_numpy()[near[:, 0]]
            second = points[later].to_numpy()[near[:, 1]]
            both = np.flatnonzero(~(pd.isna(first) | pd.isna(second)))
            pairs += len(both)
            if len(both) and example is None:
                example = (str(first[both[0]]), str(second[both[0]]))
    return NearRepeats(rows=rows, pairs=pairs, compared=compared, example=example)


def is_measured(column: Column) -> bool:
    """Say whether a feature's values are readings with a smallest step."""
    return column.resolution is not None and column.kind in ("number", "integer")


def _near_pairs(points: pd.DataFrame, columns: Sequence[Column]) -> NDArray[np.int64]:
    keys, scaled = _coordinates(points, columns, relative_tolerance=0)
    found: list[NDArray[np.int64]] = []
    for members in _alike(keys, scaled):
        distinct, inverse = np.unique(np.nan_to_num(scaled[members]), axis=0, return_inverse=True)
        near = _tree(distinct).query_pairs(TOLERANCE, p=np.inf, output_type="ndarray")
        found.append(_expanded(members, inverse.ravel(), near, len(distinct)))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def _coordinates(
    points: pd.DataFrame, columns: Sequence[Column], relative_tolerance: float
) -> tuple[list[pd.Series], NDArray[np.float64]]:
    """Return what near points agree on, and coordinates in which they differ by no more than 1.

    A measured feature's coordinate counts its units. Numbers a and b of one sign lie within a relative tolerance r if
    their logarithms differ by no more than -log(1 - r), so that is the unit of the others. All else must agree.
    """
    keys: list[pd.Series] = []
    scaled: list[NDArray[np.float64]] = []
    for column in columns:
        relative = column.kind == "number" and column.resolution is None and relative_tolerance > 0
        if not (is_measured(column) or relative):
            keys.append(points[column.name])
            continue
        values = pd.to_numeric(points[column.name]).to_numpy(dtype=float, na_value=np.nan)
        if relative:
            keys.append(pd.Series(np.sign(values), index=points.index))
            scaled.append(np.log(np.abs(values), out=np.where(np.isnan(values), np.nan, 0.0), where=np.abs(values) > 0))
            scaled[-1] /= -np.log1p(-relative_tolerance)
        else:
            scaled.append(values / (column.resolution or 1))
    return keys, np.column_stack(scaled or [np.zeros(len(points))])


def _alike(keys: Sequence[pd.Series], scaled: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the positions of points that agree on all keys and on which coordinates are missing."""
    missing = pd.Series([row.tobytes() for row in np.isnan(scaled)])
    together = pd.DataFrame(dict(enumerate([*(key.reset_index(drop=True) for key in keys), missing])))
    groups = together.groupby(list(together.columns), dropna=False, sort=False).indices
    return [np.asarray(members, dtype=np.int64) for members in groups.values() if len(members) > 1]


def _tree(points: NDArray[np.float64]) -> Any:
    from scipy.spatial import cKDTree  # noqa: PLC0415 - takes a while to import

    return cKDTree(points)


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
    return _chained(points.groupby(list(points.columns), dropna=False, sort=False).indices.values())


def _chains(values: pd.Series) -> NDArray[np.int64]:
    """Chain the positions of equal values."""
    return _chained(values.groupby(values, sort=False).indices.values())


def _chained(alike: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
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


def time_ranks(values: pd.Series) -> NDArray[np.int64]:
    """Return the place of each time among the distinct ones, 0 for the earliest.

    Args:
        values: Numbers, ISO 8601 texts (without a zone they are UTC) or timestamps, one a row.

    Raises:
        DataError: If a time is missing, infinite or none.
    """
    missing = int(values.isna().sum())
    if missing:
        raise DataError(
            f"split.time: {values.name} is missing in {missing} of {len(values)} rows, which could be of any time; "
            "bring the values, or leave these rows out"
        )
    times = values if _is_time(values) else _parsed(values)
    bad = times.isna() | times.isin([np.inf, -np.inf])
    if bad.any():
        raise DataError(
            f"split.time: {values.name} holds {values[bad].iloc[0]}, which is no number and no time such as "
            "2026-11-23 or 2026-11-23T09:30:00"
        )
    ranks: NDArray[np.int64] = pd.factorize(times, sort=True)[0].astype(np.int64)
    return ranks


def _parsed(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values.astype(str), format="ISO8601", utc=True, errors="coerce")


def _is_time(values: pd.Series) -> bool:
    kinds = pd.api.types
    numbers = kinds.is_numeric_dtype(values) and not kinds.is_bool_dtype(values)
    return bool(numbers or kinds.is_datetime64_any_dtype(values))


def split_by_time(group: NDArray[np.int64], time: NDArray[np.int64], *, fractions: Fractions) -> NDArray[np.str_]:
    """Assign whole groups to train, validation and test in the order of their latest times.

    So no training row is later than a group of a later split. Groups with the same latest time stay together, and go
    where the middle of their rows lies. Nothing is stratified: the share of positives may differ between splits.

    Args:
        group: The group's number, one a row.
        time: The row's time as a number, one a row; only its order counts.
        fractions: The shares.

    Returns:
        The split's name, one a row.
    """
    latest = pd.Series(time).groupby(group).transform("max").to_numpy()
    sizes = pd.Series(latest).value_counts().sort_index()
    middles = (sizes.cumsum() - sizes / 2) / len(group)
    bounds = np.array([fractions.train, fractions.train + fractions.validation])
    names = np.array(SPLIT_ORDER, dtype=np.str_)[np.searchsorted(bounds, middles.to_numpy(), side="left")]
    assigned: NDArray[np.str_] = names[sizes.index.get_indexer(latest)]
    return assigned
