"""This module provides the gates on the split."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from gauntlet.core.errors import DataError
from gauntlet.core.grouping import time_ranks
from gauntlet.core.problem import Problem
from gauntlet.core.statistics.drift import ColumnDrift, drift
from gauntlet.core.statistics.holm import holm_adjusted
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.gate import Gate, gate
from gauntlet.gates.split_leakage import no_identifier_feature, no_target_leakage, preprocessing_fitted_on_train
from gauntlet.gates.split_repeats import groups_kept_together, no_near_repeats_across_splits, no_repeats_across_splits
from gauntlet.gates.split_rows import judged_rows, listed, no_rows_but, splits_of
from gauntlet.stages.candidate import Candidate

CHOSEN_WITHOUT_TEST = "split::chosen_without_test"
TIME_ORDER = "split::time_order"
SPLITS_ALIKE = "split::splits_alike"


def _has_time(problem: Problem) -> bool:
    return problem.split.time is not None


def _has_no_time(problem: Problem) -> bool:
    return problem.split.time is None


@gate(
    CHOSEN_WITHOUT_TEST,
    needs=("splits",),
    remedy='Use split.protocol = "honest": it chooses the model and its threshold on validation rows, and opens the '
    "test rows once, for the choice.",
)
def chosen_without_test(candidate: Candidate) -> Verdict:
    """Guard that no test row took part in the choice of the model or of its threshold."""
    splits = candidate.splits
    rows = int((splits.frame["split"] == "test").sum())
    if splits.protocol != "honest" or splits.selection != "validation":
        sentence = (
            f"selected on test: under the protocol {splits.protocol} the model and its threshold were chosen on the "
            'rows that judge them, so their scores prove nothing; use split.protocol = "honest"'
        )
        return Verdict(CHOSEN_WITHOUT_TEST, Status.FAIL, sentence, measured=float(rows), bound=0.0, rows=rows)
    judged_rows(candidate)
    sentence = "the model and its threshold were chosen on validation rows; no test row took part"
    return Verdict(CHOSEN_WITHOUT_TEST, Status.PASS, sentence, measured=0.0, bound=0.0, rows=rows)


@gate(
    TIME_ORDER,
    needs=("splits", "time"),
    applies=_has_time,
    remedy="Cut the rows by time: the honest protocol does it for the column that split.time names. Choose the cut so "
    "that all that was known by then, and nothing later, is training.",
)
def time_order(candidate: Candidate) -> Verdict:
    """Guard that no row is later than any group of a later split, by the column that ``split.time`` names.

    A group (repeats, and rows that share a value of ``split.groups``) counts by its latest row, as it moves as a whole;
    so a group of the test rows may reach back into the time of training. Equal times are in order. A missing time, or
    one that cannot be read, is CONFIG_ERROR.
    """
    frame, time = judged_rows(candidate), candidate.problem.split.time
    if time is None:
        raise DataError("split.time names no column, so there is no order to keep")
    if time not in frame.columns:
        raise DataError(f"split.time: the rows have no column {time}")
    ranks = pd.Series(time_ranks(frame[time]), index=frame.index)
    latest = ranks.groupby(frame["group_id"]).transform("max")
    names = splits_of(candidate)
    late = pd.Series(False, index=frame.index)
    for place, name in enumerate(names[:-1]):
        first_later = latest[frame["split"].isin(names[place + 1 :])].min()
        late |= (frame["split"] == name) & (ranks > first_later)
    fault = ""
    if late.any():
        first = frame[late].iloc[0]
        fault = (
            f"{late.sum()} of {len(frame)} rows are later than a group of a later split, such as {first['row_id']} of "
            f"{first['split']} with {time} {first[time]}"
        )
    good = f"no row is later, by {time}, than a group of a later split, of {len(frame)} rows"
    return no_rows_but(TIME_ORDER, int(late.sum()), rows=len(frame), good=good, fault=fault)


@gate(
    SPLITS_ALIKE,
    bounds=("gates.split.maximum_psi", "gates.split.alpha", "gates.split.minimum_rows"),
    needs=("splits",),
    applies=_has_no_time,
    remedy="Divide rows at random, whole groups at a time, with the same rule for all splits. If the rows have an "
    "order in time, name its column in split.time: then later rows may differ.",
)
def splits_alike(candidate: Candidate) -> Verdict:
    """Guard that validation and test rows are like the training rows, in every feature and in the label.

    One row of each group counts (the one of the least ``row_id``): a group moves as a whole, so its rows are no
    independent witnesses; the message adds the index by rows. A column is unlike if its population stability index is
    above ``maximum_psi`` and a two-sample test rejects at ``alpha`` after Holm's correction over all columns and
    splits. With fewer than ``minimum_rows`` groups in a split it is NOTE. Where rows are divided by time they may
    differ, for the world does; there this gate is not asked, and ``data::no_drift`` compares promotions with each
    other.
    """
    frame, rules = judged_rows(candidate), candidate.problem.gates.split
    one_of_each = frame.sort_values("row_id", kind="stable").drop_duplicates("group_id")
    sizes = {name: int((one_of_each["split"] == name).sum()) for name in splits_of(candidate)}
    fewest = min(sizes, key=sizes.__getitem__)
    if sizes[fewest] < rules.minimum_rows:
        needed = math.ceil(len(frame) * rules.minimum_rows / max(1, sizes[fewest]))
        sentence = (
            f"{fewest} has {sizes[fewest]} groups of rows; fewer than {rules.minimum_rows} say nothing about likeness, "
            f"a table of about {needed} such rows would have them"
        )
        note = Verdict(SPLITS_ALIKE, Status.NOTE, sentence, float(sizes[fewest]), float(rules.minimum_rows), len(frame))
        return replace(note, rows_needed=needed)
    columns, names = [*candidate.splits.features, "label"], splits_of(candidate)
    found = _moved(one_of_each, columns, names)
    adjusted = holm_adjusted({place: moved.p for place, moved in found.items()})
    worst = sorted(found, key=lambda place: -found[place].psi)
    unlike = [p for p in worst if found[p].psi > rules.maximum_psi and adjusted[p] < rules.alpha]
    named = unlike or worst[:1]
    by_rows = _moved(frame, columns, names) if len(one_of_each) < len(frame) else found
    said = listed(
        [
            f"{p} (index {found[p].psi:.3f}, adjusted p {adjusted[p]:.2g}"
            + (f"; by rows {by_rows[p].psi:.3f})" if by_rows is not found else ")")
            for p in named
        ]
    )
    status = Status.FAIL if unlike else Status.PASS
    sentence = f"unlike train: {said}" if unlike else f"no column is unlike that of train; the furthest is {said}"
    return Verdict(SPLITS_ALIKE, status, sentence, found[named[0]].psi, rules.maximum_psi, len(one_of_each))


def _moved(frame: pd.DataFrame, columns: list[str], names: tuple[str, ...]) -> dict[str, ColumnDrift]:
    """Return how far each column of each later split is from that of train, by ``split.column``."""
    rows = {name: frame.loc[frame["split"] == name, columns] for name in names}
    return {
        f"{name}.{moved.column}": moved
        for name in names[1:]
        for moved in drift(rows["train"], rows[name], columns=columns)
    }


# The refusals that explain all others come first.
GATES: tuple[Gate, ...] = (
    chosen_without_test,
    no_repeats_across_splits,
    no_near_repeats_across_splits,
    groups_kept_together,
    time_order,
    no_target_leakage,
    no_identifier_feature,
    preprocessing_fitted_on_train,
    splits_alike,
)
