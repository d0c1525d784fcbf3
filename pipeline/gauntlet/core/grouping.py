"""This module provides groups of rows that repeat each other, and splits that never tear a group apart.

Two rows are near repeats if they differ by no more than one measuring unit on every feature (the Chebyshev distance
of the features, each divided by its resolution, is at most 1) and agree where a feature has no unit. Groups are the
connected components of that relation, so a chain of near repeats is one group; rows that share a value in a column
of ``split.groups`` join one group as well.
"""

from __future__ import annotations

import hashlib
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

# A group with more than this share of its stratum's rows is dealt before the others, so that they can make up for it.
# In a stratum of a few hundred rows that share is a handful of rows; such groups need no dealing, and without it they
# keep their split when the table grows.
LARGE_SHARE = 0.01
FEW_ROWS = 5


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


def source_order(rows: pd.DataFrame, problem: Problem) -> NDArray[np.int64]:
    """Return each row's place in the order of the sources and of the rows in them.

    Args:
        rows: ``row_id``, ``source`` and ``source_row``, one row a row.
        problem: The problem, for the order of its sources.
    """
    sources = {source.name: index for index, source in enumerate(problem.sources)}
    # A generated row's source is named like the file it stands in for, so one order serves all origins.
    index = rows["source"].map(sources).fillna(len(sources)).astype(int)
    order = np.lexsort((rows["row_id"].astype(str), rows["source_row"], index))
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = np.arange(len(rows))
    return places


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


def group_by_keys(keys: pd.DataFrame) -> Grouping:
    """Group rows by their keys only, each row without one alone: where rows repeat each other by chance.

    Args:
        keys: As in ``group_rows``; perhaps no column at all.

    Raises:
        DataError: If a value of ``keys`` is missing.
    """
    alone = np.arange(len(keys), dtype=np.int64)
    group = _joined(alone, keys) if len(keys.columns) else alone
    return Grouping(group=group, near_pairs=np.empty((0, 2), dtype=np.int64))


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


def near_neighbours(
    features: pd.DataFrame, columns: Sequence[Column], *, relative_tolerance: float, most: int = 7
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return near repeats as two arrays of positions: a row, and another row near it.

    Args:
        features: The features, one column for each of ``columns``.
        columns: The features' descriptions.
        relative_tolerance: How far apart, relative to the greater, numbers without a resolution count as equal.
        most: So many near rows of each row are returned, the nearest.
    """
    keys, scaled = _coordinates(features, columns, relative_tolerance)
    found = [np.empty((0, 2), dtype=np.int64)]
    for members in _alike(keys, scaled):
        points = np.nan_to_num(scaled[members])
        # A row is among its own neighbours. The bound of the distance is exclusive.
        bound = np.nextafter(TOLERANCE, 2)
        _, near = _tree(points).query(points, k=min(most + 1, len(members)), p=np.inf, distance_upper_bound=bound)
        row = np.repeat(np.arange(len(members)), near.shape[1])
        kept = (near.ravel() < len(members)) & (near.ravel() != row)
        found.append(np.column_stack([members[row[kept]], members[near.ravel()[kept]]]))
    pairs = np.concatenate(found)
    return pairs[:, 0], pairs[:, 1]


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
    group: NDArray[np.int64], label: NDArray[np.int8], *, order: Sequence[str], fractions: Fractions, seed: int
) -> NDArray[np.str_]:
    """Assign whole groups to train, validation and test, alike in size and share of positives.

    The division is defined by content, not by the order of rows or by a generator's sequence. A group is named by its
    least ``order``, and its place in [0, 1) is a hash of the seed and that name. Groups form two strata by their
    majority label. In each stratum the large groups (over ``LARGE_SHARE`` of its rows, and over ``FEW_ROWS`` rows) are
    dealt first, largest first, each to the split that is furthest below its share. The other groups follow in the
    order of their places, and are cut where the splits' remaining shares end. Last, a split without rows of a class
    takes the smallest group that another split can spare.

    So a table may grow: rows keep their places, validation lies between train and test, and no row of train becomes a
    row of test while a stratum grows by less than the share of validation that small groups fill (without large groups:
    while it less than doubles). Three things can still move a row from train to test: its group changes (it gains a
    lesser name or another majority), its group stops being large or another group becomes large, or the stratum has so
    few groups that a split had to be given rows of a class.

    Args:
        group: The group's number, one a row.
        label: 0 or 1, one a row.
        order: A key of each row that does not depend on where it stands (its identifier).
        fractions: The shares.
        seed: Another seed gives another division.

    Returns:
        The split's name, one a row.
    """
    rows = pd.DataFrame({"group": group, "label": np.asarray(label, dtype=np.int64), "name": list(order)})
    groups = rows.groupby("group")["label"].agg(size="size", positives="sum")
    groups["name"] = rows.sort_values("name").drop_duplicates("group").set_index("group")["name"]
    groups["place"] = [_place(name, seed) for name in groups["name"]]
    groups = groups.sort_values(["place", "name"])
    groups["split"] = 0
    for _, stratum in groups.groupby(groups["positives"] * 2 >= groups["size"]):
        groups.loc[stratum.index, "split"] = _dealt(stratum["size"].to_numpy(), fractions)
    _give_both_classes(groups)
    names: NDArray[np.str_] = np.array(SPLIT_ORDER, dtype=np.str_)[groups["split"].loc[group].to_numpy()]
    return names


def _place(name: str, seed: int) -> float:
    """Return a group's place in [0, 1): the first 13 hexadecimal digits (52 bits) of SHA-256 over seed and name."""
    digest = hashlib.sha256(f"{seed}/split/{name}".encode()).hexdigest()
    return int(digest[:13], 16) / 2**52


def _dealt(sizes: NDArray[np.int64], fractions: Fractions) -> NDArray[np.int64]:
    """Return the split's number of each group of a stratum; groups come in the order of their places."""
    wanted = np.array([fractions.train, fractions.validation, fractions.test]) * sizes.sum()
    filled, dealt = np.zeros(3), np.zeros(len(sizes), dtype=np.int64)
    large = sizes > max(FEW_ROWS, LARGE_SHARE * sizes.sum())
    for position in sorted(np.flatnonzero(large), key=lambda position: -sizes[position]):
        dealt[position] = np.argmax((wanted - filled) / wanted)
        filled[dealt[position]] += sizes[position]
    left, small = np.maximum(wanted - filled, 0), sizes[~large]
    bounds = np.cumsum(left)[:2] / left.sum() * small.sum() if len(small) else np.zeros(2)
    # A group goes where the middle of its rows lies.
    dealt[~large] = np.searchsorted(bounds, np.cumsum(small) - small / 2)
    return dealt


def _give_both_classes(groups: pd.DataFrame) -> None:
    """Give a split that lacks a class the smallest group with that class which leaves its own split complete."""
    groups["negatives"] = groups["size"] - groups["positives"]
    for split in range(len(SPLIT_ORDER)):
        for rows_of_class in ("positives", "negatives"):
            if (groups.loc[groups["split"] == split, rows_of_class] > 0).any():
                continue
            counts = groups.groupby("split")[["positives", "negatives"]].agg(lambda rows: int((rows > 0).sum()))
            # How many groups of each class the group's own split has beside it.
            beside = counts.loc[groups["split"]].to_numpy() - (groups[["positives", "negatives"]] > 0).to_numpy()
            spared = groups[(groups[rows_of_class] > 0) & (beside > 0).all(axis=1)]
            if len(spared):
                groups.loc[spared["size"].idxmin(), "split"] = split


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
