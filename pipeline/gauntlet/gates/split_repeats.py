"""This module provides the gates on what must stay in one split: repeats, near repeats, groups."""

from __future__ import annotations

import pandas as pd

from gauntlet.adapters import near_repeats
from gauntlet.core import grouping
from gauntlet.core.chance_repeats import judge_repeats
from gauntlet.core.errors import DataError
from gauntlet.core.grouping import SPLIT_ORDER
from gauntlet.core.problem import Problem
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import gate
from gauntlet.gates.split_rows import judged_rows, no_rows_but
from gauntlet.stages.candidate import Candidate

NO_REPEATS = "split::no_repeats_across_splits"
NO_NEAR_REPEATS = "split::no_near_repeats_across_splits"
GROUPS_KEPT = "split::groups_kept_together"

# As many are searched in memory within about a second; Spark needs several for any number.
FEW_ROWS = 20_000


def _wants_near_repeats(problem: Problem) -> bool:
    return problem.split.near_repeats


def _has_groups(problem: Problem) -> bool:
    return bool(problem.split.groups)


@gate(
    NO_REPEATS,
    needs=("splits",),
    remedy='Use split.protocol = "honest" with split.repeats = "together": they keep repeats in one split. In a '
    "pipeline of your own, group rows by their features before you divide them.",
)
def no_repeats_across_splits(candidate: Candidate) -> Verdict:
    """Guard that no row of a later split repeats a row of an earlier one on every feature: the leakage gate.

    A model that has seen a row in training knows its label, so scores on such rows prove nothing. Features are compared
    anew, whatever the split says of its groups; two missing values count as equal, labels do not count. Where
    ``split.repeats`` says that rows repeat by chance, that claim is tested instead (see ``core.chance_repeats``): more
    repeats than permuted columns have, labels that agree like those of copies, or more repeats across splits than a
    free division gives are FAIL.
    """
    frame = judged_rows(candidate)
    if candidate.problem.split.repeats == "by chance":
        return _claim_of_chance(candidate, frame, NO_REPEATS)
    place = frame["split"].map({name: place for place, name in enumerate(SPLIT_ORDER)})
    alike = frame.assign(place=place).groupby(list(candidate.splits.features), dropna=False, sort=False)
    repeats = frame[place > alike["place"].transform("min")]
    good = (
        f"none of {len(frame)} rows repeats a row of an earlier split on all {len(candidate.splits.features)} features"
    )
    fault = ""
    if len(repeats):
        first = repeats.iloc[0]
        fault = (
            f"{len(repeats)} of {len(frame)} rows repeat a row of an earlier split on every feature, such as "
            f"{first['row_id']} of {first['split']}: the model has seen what it is judged on"
        )
    return no_rows_but(NO_REPEATS, len(repeats), rows=len(frame), good=good, fault=fault)


@gate(
    NO_NEAR_REPEATS,
    bounds=("gates.split.relative_tolerance", "gates.split.maximum_compared_pairs"),
    needs=("splits",),
    applies=_wants_near_repeats,
    remedy="Group near repeats before you divide (split.near_repeats = true does), and give each measured column its "
    "resolution; where nearly all rows are neighbours, set split.near_repeats = false and say so.",
)
def no_near_repeats_across_splits(candidate: Candidate) -> Verdict:
    """Guard that no rows of different splits lie within one measuring unit of each other on every feature.

    A column's unit is its ``resolution``; numbers without one may differ by ``relative_tolerance``; whole numbers,
    texts and booleans must be equal, and missing values equal each other. The answer is that of comparing all pairs,
    found in memory by a tree, and of many rows on Spark by a join on shifted grids. Where rows lie so dense
    that more than ``maximum_compared_pairs`` would have to be compared, it is FAIL, since nothing was shown. Where
    ``split.repeats`` says that rows repeat by chance, that claim is tested of near repeats.
    """
    frame, rules = judged_rows(candidate), candidate.problem.gates.split
    if candidate.problem.split.repeats == "by chance":
        return _claim_of_chance(candidate, frame, NO_NEAR_REPEATS)
    found = _near_repeats(candidate, frame)
    if found.rows != len(frame):
        raise DataError(f"split: there are {found.rows} rows on Spark and {len(frame)} in memory")
    if found.pairs is None:
        sentence = (
            f"near repeats cannot be told: {found.compared} pairs of the {len(frame)} rows would have to be compared, "
            f"more than {rules.maximum_compared_pairs}"
        )
        bound = float(rules.maximum_compared_pairs)
        return Verdict(NO_NEAR_REPEATS, Status.FAIL, sentence, float(found.compared), bound, len(frame))
    good = f"no two rows of different splits lie within one unit on every feature, of {len(frame)} rows"
    example = f", such as {found.example[1]} and the earlier {found.example[0]}" if found.example else ""
    fault = f"{found.pairs} pairs of rows of different splits lie within one unit on every feature{example}"
    return no_rows_but(NO_NEAR_REPEATS, found.pairs, rows=len(frame), good=good, fault=fault)


def _claim_of_chance(candidate: Candidate, frame: pd.DataFrame, gate_name: str) -> Verdict:
    """Return the verdict that rows repeat each other by chance, as ``split.repeats`` says."""
    found = judge_repeats(
        frame.sort_values("row_id", ignore_index=True),
        columns=candidate.problem.features,
        seeds=candidate.seeds,
        near=gate_name == NO_NEAR_REPEATS,
        relative_tolerance=candidate.problem.gates.split.relative_tolerance,
    )
    status = Status.FAIL if found.fault else Status.WARN if found.doubt else Status.PASS
    kind = "near repeats: " if gate_name == NO_NEAR_REPEATS else ""
    claim = "" if status is Status.PASS else 'split.repeats says "by chance", but '
    return Verdict(gate_name, status, f"{claim}{kind}{found.sentence}", float(found.repeats), None, len(frame))


def _near_repeats(candidate: Candidate, frame: pd.DataFrame) -> grouping.NearRepeats:
    problem, spark_rows = candidate.problem, candidate.splits.spark
    tolerance, most = problem.gates.split.relative_tolerance, problem.gates.split.maximum_compared_pairs
    if spark_rows is None or len(frame) <= FEW_ROWS:
        return grouping.near_repeats_across(
            frame, columns=problem.features, relative_tolerance=tolerance, most_compared=most
        )
    return near_repeats.near_repeats_across(
        spark_rows(), columns=problem.features, relative_tolerance=tolerance, most_compared=most
    )


@gate(
    GROUPS_KEPT,
    needs=("splits", "groups"),
    applies=_has_groups,
    remedy="Divide whole groups: the honest protocol does it for the columns that split.groups names.",
)
def groups_kept_together(candidate: Candidate) -> Verdict:
    """Guard that each value of a column of ``split.groups`` (a customer, a patient) stands in one split only.

    Each column is looked at on its own. A row without a value could belong to anybody: CONFIG_ERROR.
    """
    frame, torn, example = judged_rows(candidate), 0, ""
    if not candidate.problem.split.groups:
        raise DataError("split.groups names no column, so there are no groups to keep together")
    for name in candidate.problem.split.groups:
        if name not in frame.columns:
            raise DataError(f"split.groups: the rows have no column {name}")
        if frame[name].isna().any():
            raise DataError(f"split.groups: {name} is missing in {frame[name].isna().sum()} of {len(frame)} rows")
        splits = frame.groupby(name)["split"].nunique()
        mine = splits[splits > 1]
        torn += len(mine)
        example = example or (f"{name} {mine.index[0]} stands in {mine.iloc[0]} of them" if len(mine) else "")
    columns = ", ".join(candidate.problem.split.groups)
    return no_rows_but(
        GROUPS_KEPT,
        torn,
        rows=len(frame),
        good=f"no value of {columns} stands in more than one split",
        fault=f"{torn} values of {columns} stand in several splits: {example}",
    )
